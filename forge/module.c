/* Making bitcode nameable and merging it, through llvm-c; see module.h. */
#include "forge/module.h"

#include <stdint.h>
#include <string.h>
#include <llvm-c/BitReader.h>
#include <llvm-c/BitWriter.h>
#include <llvm-c/Core.h>
#include <llvm-c/DebugInfo.h>
#include <llvm-c/Linker.h>

#include "forge/mem.h"
#include "forge/report.h"

struct module {
	LLVMContextRef context;
	LLVMModuleRef merged; /* NULL until the first module was merged */
};

struct module_part {
	const char *path;
	char *source;      /* source file name; the sorting key; owned */
	LLVMModuleRef ref; /* NULL once merged */
};

struct module *module_free(struct module *m)
{
	if (m) {
		if (m->merged) {
			LLVMDisposeModule(m->merged);
		}
		LLVMContextDispose(m->context);
		free(m);
	}
	return NULL;
}

static int module_read(LLVMContextRef context, const char *path, struct module_part *part)
{
	LLVMMemoryBufferRef bytes;
	char *message = NULL;
	const char *source;
	size_t len;
	int r;

	if (LLVMCreateMemoryBufferWithContentsOfFile(path, &bytes, &message)) {
		r = report_failed(path, "cannot read: %s", message);
		LLVMDisposeMessage(message);
		return r;
	}
	r = LLVMParseBitcodeInContext2(context, bytes, &part->ref);
	LLVMDisposeMemoryBuffer(bytes);
	if (r) {
		part->ref = NULL;
		return report_refuse(path, "not LLVM 19 bitcode; compile with clang-19 -emit-llvm");
	}
	source = LLVMGetSourceFileName(part->ref, &len);
	part->path = path;
	part->source = mem_strdup(source);
	return 0;
}

static bool module_is_ours(LLVMValueRef value)
{
	const LLVMLinkage linkage = LLVMGetLinkage(value);

	return !LLVMIsDeclaration(value) &&
	       (linkage == LLVMInternalLinkage || linkage == LLVMPrivateLinkage);
}

static void module_rename(LLVMValueRef value, size_t number)
{
	size_t len;
	const char *old = LLVMGetValueName2(value, &len);
	MEM_FREE char *name = mem_printf("%s%c%zu", len ? old : "anon", MODULE_NAME_MARK, number);

	LLVMSetLinkage(value, LLVMInternalLinkage);
	/* Identity matters: equal constants must not be merged. */
	LLVMSetUnnamedAddress(value, LLVMNoUnnamedAddr);
	LLVMSetValueName2(value, name, strlen(name));
}

static int module_check_variable(const struct module_part *part, LLVMValueRef value)
{
	size_t len;

	if (!LLVMIsThreadLocal(value)) {
		return 0;
	}
	return report_refuse(part->source,
	        "%s: thread-local variables cannot be carried over an update; services have "
	        "one thread: remove __thread",
	        LLVMGetValueName2(value, &len));
}

static int module_prepare(const struct module_part *part, size_t number)
{
	LLVMValueRef v;
	int r;

	for (v = LLVMGetFirstGlobal(part->ref); v; v = LLVMGetNextGlobal(v)) {
		r = module_check_variable(part, v);
		if (r < 0) {
			return r;
		}
		if (module_is_ours(v)) {
			module_rename(v, number);
		}
	}
	for (v = LLVMGetFirstFunction(part->ref); v; v = LLVMGetNextFunction(v)) {
		if (module_is_ours(v)) {
			module_rename(v, number);
		}
	}
	for (v = LLVMGetFirstGlobalAlias(part->ref); v; v = LLVMGetNextGlobalAlias(v)) {
		if (module_is_ours(v)) {
			module_rename(v, number);
		}
	}
	return 0;
}

static int module_part_compare(const void *a, const void *b)
{
	const struct module_part *x = a, *y = b;

	return strcmp(x->source, y->source);
}

static int module_absorb(struct module *m, struct module_part *part)
{
	LLVMModuleRef ref = part->ref;

	part->ref = NULL;
	if (!m->merged) {
		m->merged = ref;
		return 0;
	}
	if (LLVMLinkModules2(m->merged, ref)) {
		return report_refuse(part->source,
		        "cannot be merged with the other modules; is something defined twice?");
	}
	return 0;
}

static int module_merge_sorted(struct module *m, struct module_part *parts, size_t n)
{
	size_t i;
	int r;

	for (i = 0; i < n; i++) {
		if (i > 0 && strcmp(parts[i].source, parts[i - 1].source) == 0) {
			return report_refuse(parts[i].path, "source file %s is already in %s",
			        parts[i].source, parts[i - 1].path);
		}
		r = module_prepare(&parts[i], i);
		if (r == 0) {
			r = module_absorb(m, &parts[i]);
		}
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static void module_complain(LLVMDiagnosticInfoRef info, void *unused)
{
	char *text = LLVMGetDiagInfoDescription(info);

	if (LLVMGetDiagInfoSeverity(info) == LLVMDSError) {
		report_warn("LLVM", "%s", text);
	}
	LLVMDisposeMessage(text);
}

int module_merge(const char *const paths[], size_t n_paths, struct module **ret_module)
{
	MEM_FREE struct module_part *parts = mem_zalloc(n_paths, sizeof(*parts));
	MEM_CLEANUP(module_freep) struct module *m = mem_zalloc(1, sizeof(*m));
	size_t i;
	int r = 0;

	m->context = LLVMContextCreate();
	LLVMContextSetDiagnosticHandler(m->context, module_complain, NULL);
	for (i = 0; i < n_paths && r == 0; i++) {
		r = module_read(m->context, paths[i], &parts[i]);
	}
	if (r == 0) {
		qsort(parts, n_paths, sizeof(*parts), module_part_compare);
		r = module_merge_sorted(m, parts, n_paths);
	}
	for (i = 0; i < n_paths; i++) {
		if (parts[i].ref) {
			LLVMDisposeModule(parts[i].ref);
		}
		free(parts[i].source);
	}
	if (r == 0) {
		*ret_module = m;
		m = NULL;
	}
	return r;
}

int module_write(struct module *m, const char *path)
{
	if (LLVMWriteBitcodeToFile(m->merged, path)) {
		return report_failed(path, "cannot write the bitcode");
	}
	return 0;
}

void module_strip(struct module *m)
{
	(void)LLVMStripModuleDebugInfo(m->merged);
}
