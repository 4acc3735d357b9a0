/*
 * Making bitcode nameable, through llvm-c. Two files may have static objects of one name, and
 * constants have none; but layouts and state are told by symbol names. So every internal and
 * private symbol becomes NAME$TAG, the tag being eight hexadecimal digits of the hash of the
 * source file's name, and merging of equal constants is switched off: which object a pointer
 * leads to must be known. Tags must differ within a service. Modules are in the order of their
 * source names, so the order of the command line changes nothing.
 */
#include "forge/code/module.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <llvm-c/BitReader.h>
#include <llvm-c/BitWriter.h>
#include <llvm-c/Core.h>
#include <llvm-c/DebugInfo.h>

#include "forge/base/report.h"
#include "forge/base/tool.h"
#include "forge/elf/file.h"

struct module {
	const char *path;
	char *source; /* source file name, relative to the source root; owned */
	char *name;   /* owned */
	char tag[9];  /* eight hexadecimal digits */
	LLVMModuleRef ref;
};

struct module_set {
	LLVMContextRef context;
	struct module *items; /* owned; by source */
	size_t n;
};

struct module_set *module_set_free(struct module_set *set)
{
	size_t i;

	if (!set) {
		return NULL;
	}
	for (i = 0; i < set->n; i++) {
		if (set->items[i].ref) {
			LLVMDisposeModule(set->items[i].ref);
		}
		free(set->items[i].source);
		free(set->items[i].name);
	}
	free(set->items);
	LLVMContextDispose(set->context);
	free(set);
	return NULL;
}

/*
 * Where the build directory lies is nobody's business: leading ./ and ../ go. What is left is
 * the name relative to the source root, the same on every machine.
 */
static char *module_source(LLVMModuleRef ref)
{
	size_t len;
	const char *s = LLVMGetSourceFileName(ref, &len);

	while (strncmp(s, "./", 2) == 0 || strncmp(s, "../", 3) == 0) {
		s = strchr(s, '/') + 1;
	}
	return mem_strdup(s);
}

/* Tag and file name. A tag is 32 bits; module_check_tags() finds the case that two agree. */
static int module_set_names(struct module *m)
{
	const char *slash = strrchr(m->source, '/');
	const char *last = slash ? slash + 1 : m->source;
	uint8_t hash[TOOL_HASH_SIZE];
	int i, r;

	r = tool_hash(m->source, strlen(m->source), hash);
	if (r < 0) {
		return r;
	}
	for (i = 0; i < 8; i++) {
		m->tag[i] = "0123456789abcdef"[hash[i / 2] >> (i % 2 ? 0 : 4) & 15];
	}
	m->name = mem_printf("%.*s-%s", (int)strcspn(last, "."), last, m->tag);
	return 0;
}

/* m->source and m->name are set only on success; module_set_free() takes either. */
static int module_read(LLVMContextRef context, const char *path, struct module *m)
{
	LLVMMemoryBufferRef bytes;
	char *message = NULL;
	int r;

	m->path = path;
	if (LLVMCreateMemoryBufferWithContentsOfFile(path, &bytes, &message)) {
		r = report_failed(path, "cannot read: %s", message);
		LLVMDisposeMessage(message);
		return r;
	}
	r = LLVMParseBitcodeInContext2(context, bytes, &m->ref);
	LLVMDisposeMemoryBuffer(bytes);
	if (r) {
		m->ref = NULL;
		return report_refuse(path, "not LLVM 19 bitcode; compile with clang-19 -flto");
	}
	m->source = module_source(m->ref);
	return module_set_names(m);
}

/*
 * Private ones too: literals and constants that have no symbol in an object unless they are
 * made internal.
 */
static bool module_is_internal(LLVMValueRef value)
{
	const LLVMLinkage linkage = LLVMGetLinkage(value);

	return !LLVMIsDeclaration(value) &&
	       (linkage == LLVMInternalLinkage || linkage == LLVMPrivateLinkage);
}

/*
 * Give a symbol a name that is alone in the service. Equal constants must stay two: which of
 * them a pointer leads to is part of the state, and an order file names each.
 */
static void module_rename(const struct module *m, LLVMValueRef value)
{
	size_t len;
	const char *old = LLVMGetValueName2(value, &len);
	MEM_FREE char *name = mem_printf("%s%c%s", len ? old : "anon", MODULE_NAME_MARK, m->tag);

	LLVMSetLinkage(value, LLVMInternalLinkage);
	/* Identity matters: equal constants must not be merged. */
	LLVMSetUnnamedAddress(value, LLVMNoUnnamedAddr);
	LLVMSetValueName2(value, name, strlen(name));
}

/*
 * Witnesses of allocation sites share a section in the source; each gets one of its own, so that
 * each is placed by itself.
 */
static void module_part_site(LLVMValueRef value)
{
	const char *section = LLVMGetSection(value);
	size_t len;

	if (section && strcmp(section, ELF_SITES) == 0) {
		MEM_FREE char *own = mem_printf(ELF_SITES ".%s", LLVMGetValueName2(value, &len));

		LLVMSetSection(value, own);
	}
}

/* Thread-local storage has no fixed address to describe. */
static int module_check_variable(const struct module *m, LLVMValueRef value)
{
	size_t len;

	if (!LLVMIsThreadLocal(value)) {
		return 0;
	}
	return report_refuse(m->source,
	        "%s: thread-local variables cannot be carried over an update; services have "
	        "one thread: remove __thread",
	        LLVMGetValueName2(value, &len));
}

/*
 * A service is one static program: what a name outside of a module stands for is in reach, never in
 * a library that is loaded later. Said to the compiler, so that it addresses it directly whatever
 * the module was compiled with, and compares it without a global offset table, which flat kits have
 * not. A weak reference may stand for nothing, and stays as it is.
 */
static void module_bind(LLVMValueRef value)
{
	const LLVMLinkage linkage = LLVMGetLinkage(value);
	size_t len;

	if ((linkage == LLVMExternalLinkage || linkage == LLVMWeakAnyLinkage) &&
	        strncmp(LLVMGetValueName2(value, &len), "llvm.", 5) != 0) {
		LLVMSetVisibility(value, LLVMHiddenVisibility);
	}
}

/*
 * Variables, functions and aliases; what is visible outside keeps its name, which is unique
 * already.
 */
static int module_prepare(const struct module *m)
{
	LLVMValueRef v;
	int r;

	for (v = LLVMGetFirstGlobal(m->ref); v; v = LLVMGetNextGlobal(v)) {
		r = module_check_variable(m, v);
		if (r < 0) {
			return r;
		}
		if (module_is_internal(v)) {
			module_rename(m, v);
			module_part_site(v);
		}
		module_bind(v);
	}
	for (v = LLVMGetFirstFunction(m->ref); v; v = LLVMGetNextFunction(v)) {
		if (module_is_internal(v)) {
			module_rename(m, v);
		}
		module_bind(v);
	}
	for (v = LLVMGetFirstGlobalAlias(m->ref); v; v = LLVMGetNextGlobalAlias(v)) {
		if (module_is_internal(v)) {
			module_rename(m, v);
		}
		module_bind(v);
	}
	return 0;
}

static int module_compare(const void *a, const void *b)
{
	const struct module *x = a, *y = b;

	return strcmp(x->source, y->source);
}

/* Tags make names unique only as long as they differ. */
static int module_check_tags(const struct module_set *set)
{
	size_t i, k;

	for (i = 0; i < set->n; i++) {
		for (k = 0; k < i; k++) {
			if (strcmp(set->items[i].tag, set->items[k].tag) == 0) {
				return report_refuse(set->items[i].path,
				        "source file %s is already in %s", set->items[i].source,
				        set->items[k].path);
			}
		}
	}
	return 0;
}

/*
 * LLVM's own words for an error; its warnings are about debug data of other versions and the
 * like.
 */
static void module_complain(LLVMDiagnosticInfoRef info, void *unused)
{
	char *text = LLVMGetDiagInfoDescription(info);

	if (LLVMGetDiagInfoSeverity(info) == LLVMDSError) {
		report_warn("LLVM", "%s", text);
	}
	LLVMDisposeMessage(text);
}

/*
 * All or nothing. The set is sorted, tagged and renamed when it comes out; what is refused is
 * named by source file.
 */
int module_set_read(const char *const paths[], size_t n_paths, struct module_set **ret_set)
{
	MEM_CLEANUP(module_set_freep) struct module_set *set = mem_zalloc(1, sizeof(*set));
	size_t i;
	int r = 0;

	set->context = LLVMContextCreate();
	LLVMContextSetDiagnosticHandler(set->context, module_complain, NULL);
	set->items = mem_zalloc(n_paths, sizeof(*set->items));
	for (i = 0; i < n_paths && r == 0; i++) {
		r = module_read(set->context, paths[i], &set->items[set->n++]);
	}
	if (r == 0) {
		qsort(set->items, set->n, sizeof(*set->items), module_compare);
		r = module_check_tags(set);
	}
	for (i = 0; i < n_paths && r == 0; i++) {
		r = module_prepare(&set->items[i]);
	}
	if (r == 0) {
		*ret_set = set;
		set = NULL;
	}
	return r;
}

size_t module_set_count(const struct module_set *set)
{
	return set->n;
}

const char *module_name(const struct module_set *set, size_t i)
{
	return set->items[i].name;
}

/* Bitcode of one module as it is now. */
void module_write(const struct module_set *set, size_t i, struct buf *ret_bitcode)
{
	LLVMMemoryBufferRef bytes = LLVMWriteBitcodeToMemoryBuffer(set->items[i].ref);

	buf_add(ret_bitcode, LLVMGetBufferStart(bytes), LLVMGetBufferSize(bytes));
	LLVMDisposeMemoryBuffer(bytes);
}
