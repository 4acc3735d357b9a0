/*
 * Judging what is linked into a service. Of libraries: writable objects, because nobody
 * transfers their state. Of everything: functions that enter the kernel by an instruction of
 * their own. Only what the linked program still has is judged. Code is searched for the byte
 * pairs first and disassembled only where they occur, in a straight line from the start of the
 * function; a pair that is part of another instruction is no finding.
 *
 * All findings are reported before the review fails. Exceptions are read from a list, each
 * with a reason.
 */
#include "forge/make/review.h"

#include <string.h>
#include <llvm-c/Disassembler.h>
#include <llvm-c/Target.h>

#include "forge/base/report.h"

struct review {
	struct names live; /* symbols of the linked program */
	const struct review_list *list;
	LLVMDisasmContextRef disassembler;
	unsigned int n_findings;
};

/* Whose finding it is, as all errors call the object. */
static const char *review_origin(const struct object *o)
{
	return o->elf.label;
}

/* The names of a kind of line; NULL: there is no such kind. */
static struct names *review_kind(struct review_list *list, const char *kind)
{
	if (strcmp(kind, "writable") == 0) {
		return &list->writable;
	}
	if (strcmp(kind, "constant") == 0) {
		return &list->constant;
	}
	return strcmp(kind, "syscall") == 0 ? &list->syscall : NULL;
}

/* One line: KIND SYMBOL WHY. A reason is demanded, and not judged. */
static int review_add_exception(
        struct review_list *list, char *line, const char *path, unsigned int number)
{
	MEM_FREE char *where = mem_printf("%s:%u", path, number);
	char *save = NULL;
	const char *kind = strtok_r(line, " \t", &save);
	const char *symbol = kind ? strtok_r(NULL, " \t", &save) : NULL;
	const char *why = symbol ? strtok_r(NULL, "", &save) : NULL;
	struct names *names;

	if (!kind || *kind == '#') {
		return 0;
	}
	if (!why) {
		return report_refuse(where, "a line is KIND SYMBOL WHY");
	}
	names = review_kind(list, kind);
	if (!names) {
		return report_refuse(
		        where, "the kind is writable, constant or syscall, not %s", kind);
	}
	(void)names_add(names, symbol, number);
	return 0;
}

void review_list_fini(struct review_list *list)
{
	names_fini(&list->writable);
	names_fini(&list->constant);
	names_fini(&list->syscall);
	buf_fini(&list->text);
}

/* Ends at the first invalid line; what was read so far is the caller's to end. */
int review_list_read(struct review_list *ret_list, const char *path)
{
	unsigned int number = 0;
	char *next, *line;
	int r;

	if (!path) {
		return 0;
	}
	r = buf_read_file(&ret_list->text, path);
	next = (char *)ret_list->text.bytes;
	while (r == 0 && (line = strsep(&next, "\n"))) {
		r = review_add_exception(ret_list, line, path, ++number);
	}
	return r;
}

/* Written at run time; relocated constants are not. */
static bool review_is_writable(const struct elf_section *s)
{
	return (s->flags & SHF_ALLOC) && (s->flags & SHF_WRITE) &&
	       strncmp(s->name, ".data.rel.ro", 12) != 0 && s->size > 0;
}

/* One finding, unless the linked program has dropped the object or the list excuses it. */
static void review_writable_symbol(
        struct review *v, const struct object *o, const struct elf_symbol *s)
{
	if (!names_find(&v->live, s->name) || names_find(&v->list->writable, s->name) ||
	        names_find(&v->list->constant, s->name)) {
		return;
	}
	v->n_findings++;
	(void)report_refuse(review_origin(o),
	        "writable library object %s (%llu bytes) would lose its value in every update; "
	        "do without it, or name it in the reviewed list and say why that is harmless",
	        s->name, (unsigned long long)s->size);
}

/*
 * Every defined symbol of a writable section, and COMMON, which gets its section from the
 * linker.
 */
static void review_writable(struct review *v, const struct object *o)
{
	const struct elf_section *section;
	size_t i;

	for (i = 0; i < o->elf.n_symbols; i++) {
		const struct elf_symbol *s = &o->elf.symbols[i];

		section = elf_symbol_section(&o->elf, s);
		if (section && s->type != STT_SECTION && s->name[0] != '\0' &&
		        review_is_writable(section)) {
			review_writable_symbol(v, o, s);
		} else if (s->section == SHN_COMMON) {
			review_writable_symbol(v, o, s);
		}
	}
}

/* A cheap test first: most functions hold none of these byte pairs. */
static bool review_may_enter_kernel(const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i + 1 < len; i++) {
		if ((p[i] == 0x0f && (p[i + 1] == 0x05 || p[i + 1] == 0x34)) ||
		        (p[i] == 0xcd && p[i + 1] == 0x80)) {
			return true;
		}
	}
	return false;
}

/* By the disassembler's words. */
static bool review_text_enters_kernel(const char *text)
{
	text += strspn(text, " \t");
	return strncmp(text, "syscall", 7) == 0 || strncmp(text, "sysenter", 8) == 0 ||
	       strncmp(text, "int\t", 4) == 0;
}

/*
 * Disassembles in a straight line from the start of the function. A byte that begins no
 * instruction is skipped alone; data between code could hide a finding that way, but
 * compilers for x86-64 put none there.
 */
static bool review_enters_kernel(struct review *v, const uint8_t *p, size_t len)
{
	char text[128];
	size_t n;

	if (!review_may_enter_kernel(p, len)) {
		return false;
	}
	while (len > 0) {
		n = LLVMDisasmInstruction(
		        v->disassembler, (uint8_t *)p, len, 0, text, sizeof(text));
		if (n > 0 && review_text_enters_kernel(text)) {
			return true;
		}
		n = n > 0 ? n : 1;
		p += n;
		len -= n;
	}
	return false;
}

/*
 * One function: alive, not excepted, and with such an instruction. Size 0 (hand-written
 * assembly) means to the end of the section.
 */
static void review_function(struct review *v, const struct object *o, const struct elf_symbol *s,
        const struct elf_section *section)
{
	const size_t len = s->size ? s->size : section->size - s->value;

	if (s->value > section->size || len > section->size - s->value ||
	        !names_find(&v->live, s->name) || names_find(&v->list->syscall, s->name) ||
	        !review_enters_kernel(v, section->bytes + s->value, len)) {
		return;
	}
	v->n_findings++;
	if (o->archive) {
		(void)report_refuse(review_origin(o),
		        "library function %s enters the kernel by itself; provide a "
		        "replacement, or name it in the reviewed list and say why it can never "
		        "run",
		        s->name);
	} else {
		(void)report_refuse(review_origin(o),
		        "%s enters the kernel by itself; services go through the gate page",
		        s->name);
	}
}

/* By symbols, so that a finding has a name; code between functions is padding. */
static void review_functions(struct review *v, const struct object *o)
{
	const struct elf_section *section;
	size_t i;

	for (i = 0; i < o->elf.n_symbols; i++) {
		const struct elf_symbol *s = &o->elf.symbols[i];

		section = elf_symbol_section(&o->elf, s);
		if (section && (section->flags & SHF_EXECINSTR) && section->bytes &&
		        s->type != STT_SECTION && s->name[0] != '\0') {
			review_function(v, o, s, section);
		}
	}
}

/* What is alive, and a disassembler. review_close() takes it from any state. */
static int review_open(struct review *v, const struct elf_file *linked)
{
	size_t i;

	for (i = 0; i < linked->n_symbols; i++) {
		if (linked->symbols[i].section != SHN_UNDEF) {
			(void)names_add(&v->live, linked->symbols[i].name, 0);
		}
	}
	LLVMInitializeX86TargetInfo();
	LLVMInitializeX86TargetMC();
	LLVMInitializeX86Disassembler();
	v->disassembler = LLVMCreateDisasm("x86_64-linux-musl", NULL, 0, NULL, NULL);
	if (!v->disassembler) {
		return report_failed("LLVM", "there is no x86-64 disassembler");
	}
	return 0;
}

static void review_close(struct review *v)
{
	if (v->disassembler) {
		LLVMDisasmDispose(v->disassembler);
	}
	names_fini(&v->live);
}

/*
 * Writable objects only of libraries; system calls of everybody. -EINVAL after all findings
 * have been said.
 */
int review_run(const struct object_list *objects, const struct elf_file *linked,
        const struct review_list *list)
{
	struct review v = {.list = list};
	size_t i;
	int r;

	r = review_open(&v, linked);
	for (i = 0; i < objects->n && r == 0; i++) {
		if (objects->items[i].archive) {
			review_writable(&v, &objects->items[i]);
		}
		review_functions(&v, &objects->items[i]);
	}
	if (v.n_findings > 0) {
		r = report_refuse("review", "%u findings", v.n_findings);
	}
	review_close(&v);
	return r;
}
