/*
 * Collecting entries. The symbol table says what exists and in which function a static
 * variable is (its symbol is FUNCTION.NAME); debug data, joined by address, says from which
 * source file it is and of what type. Neither is enough: inlining makes debug data lose which
 * function a static belongs to, and symbols have no types.
 *
 * Names on their way here: clang calls a static FUNCTION.NAME, LLVM adds .NUMBER where two
 * would be equal, forge/code adds $TAG. entry_base() takes the tag off, entry_is_called()
 * overlooks the number.
 *
 * What becomes of a symbol:
 *
 *   a function with debug data            STATE_FUNCTION, with its signature as an annotation
 *   a witness of heap_new() (lu_sites)    STATE_SITE
 *   an object with debug data             STATE_VARIABLE
 *   a string literal                      STATE_STRING, its bytes for a name
 *   anything of a prebuilt library        STATE_LIBRARY
 *   other constants, copies, aliases      nothing: no pointer that is kept leads to them
 *   a writable object without debug data  refused: an update could not find it again
 *
 * At last the writable symbols of the service itself are asked for the other way round: each must
 * lie in one of the variables, whatever it is called and whoever compiled or assembled it.
 *
 * Invariant at the end: sorted by kind, unit, scope, name, and no two entries of one key. A
 * key is what an entry of the next release is looked for by.
 */
#include "forge/state/entry.h"

#include <dwarf.h>
#include <string.h>

#include "forge/base/names.h"
#include "forge/base/report.h"
#include "forge/code/module.h"
#include "forge/debug/signature.h"

struct entry_reader {
	const struct state_request *request;
	const struct debug_info *debug;
	struct type_graph *graph;
	struct entry_list list;
	struct names origin; /* symbol -> index of the object it comes from */
	struct names seen;   /* local symbols -> how many have the name */
};

void entry_list_fini(struct entry_list *list)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		free(list->items[i].unit);
		free(list->items[i].scope);
		free(list->items[i].name);
		free(list->items[i].signature);
	}
	free(list->items);
	*list = (struct entry_list){0};
}

/*
 * A source file's name relative to the source root, mapped as the request says (the first
 * FROM that fits). Debug data has it relative to the build directory.
 */
static char *entry_unit(const struct state_request *q, const char *path)
{
	const char *equal;
	size_t i, len;

	while (strncmp(path, "./", 2) == 0 || strncmp(path, "../", 3) == 0) {
		path = strchr(path, '/') + 1;
	}
	for (i = 0; i < q->n_unit_maps; i++) {
		equal = strchr(q->unit_maps[i], '=');
		len = equal ? (size_t)(equal - q->unit_maps[i]) : 0;
		if (equal && strncmp(path, q->unit_maps[i], len) == 0) {
			return mem_printf("%s%s", equal + 1, path + len);
		}
	}
	return mem_strdup(path);
}

/*
 * The name a symbol had before it was made unique: without the last tag and what LLVM put behind
 * it. The mark alone may be part of a name. Owned by the caller.
 */
static char *entry_base(const char *symbol)
{
	const char *mark = strrchr(symbol, MODULE_NAME_MARK);
	const size_t digits = mark ? strspn(mark + 1, "0123456789abcdef") : 0;

	if (digits != MODULE_TAG_DIGITS || (mark[1 + digits] != '\0' && mark[1 + digits] != '.')) {
		return mem_strdup(symbol);
	}
	return mem_printf("%.*s", (int)(mark - symbol), symbol);
}

/* Is this the end of a name, or a number that LLVM put behind it? */
static bool entry_is_end(const char *s)
{
	if (*s == '.') {
		s += 1 + strspn(s + 1, "0123456789");
	}
	return *s == '\0';
}

/* Is this the name, or the name with a number that LLVM put behind it? */
static bool entry_is_called(const char *base, const char *name)
{
	const size_t len = strlen(name);

	return strncmp(base, name, len) == 0 && entry_is_end(base + len);
}

/*
 * The function that a variable called `name` is in, from its symbol; "" for none. The name
 * may have dots of its own, so each dot is tried.
 */
static char *entry_scope(const char *base, const char *name)
{
	const char *dot;

	for (dot = strchr(base, '.'); dot; dot = strchr(dot + 1, '.')) {
		if (entry_is_called(dot + 1, name)) {
			return mem_printf("%.*s", (int)(dot - base), base);
		}
	}
	return mem_strdup("");
}

static bool entry_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool entry_is_readonly(const struct elf_section *s)
{
	return (s->flags & SHF_WRITE) == 0 || entry_starts(s->name, ".data.rel.ro") ||
	       strcmp(s->name, ".init_array") == 0 || strcmp(s->name, ".fini_array") == 0;
}

static struct entry *entry_push(struct entry_reader *r, const struct entry *e)
{
	MEM_PUSH(r->list.items, r->list.n, r->list.capacity);
	r->list.items[r->list.n] = *e;
	return &r->list.items[r->list.n++];
}

static struct entry entry_new(const struct elf_symbol *s, enum state_entry_kind kind)
{
	return (struct entry){.kind = kind, .addr = s->value, .size = s->size, .symbol = s->name};
}

/*
 * What alignment an address happens to have, up to its section's: with a section for each
 * object that is the object's own.
 */
static uint64_t entry_natural_align(const struct elf_section *section, uint64_t addr)
{
	const uint64_t low = addr & -addr;
	const uint64_t max = section->align ? section->align : 1;

	return low != 0 && low < max ? low : max;
}

/*
 * Is this one of several symbols of one name in the program? Only local ones of prebuilt objects
 * can be. They are left out: the name says nothing, and nothing outside points to them.
 */
static bool entry_is_one_of_many(const struct entry_reader *r, const struct elf_symbol *s)
{
	const uint64_t *n = names_find(&r->seen, s->name);

	return s->bind == STB_LOCAL && n && *n > 1;
}

/* A prebuilt symbol: known by archive, member and name. */
static void entry_add_library(
        struct entry_reader *r, const struct elf_symbol *s, const struct elf_section *section)
{
	struct entry e = entry_new(s, STATE_LIBRARY);
	const uint64_t *origin = names_find(&r->origin, s->name);
	const struct object *o = origin ? &r->request->objects->items[*origin] : NULL;
	const char *slash = o ? strrchr(o->elf.label, '/') : NULL;

	if (entry_is_one_of_many(r, s)) {
		return;
	}
	if (o && o->archive) {
		e.unit = mem_strdup(o->archive);
		e.scope = mem_strdup(o->member);
	} else {
		e.unit = mem_strdup(slash ? slash + 1 : "");
		e.scope = mem_strdup("");
	}
	e.name = mem_strdup(s->name);
	e.readonly = entry_is_readonly(section);
	e.align = s->type == STT_FUNC ? 0 : entry_natural_align(section, s->value);
	(void)entry_push(r, &e);
}

/* Does it come from an object that we did not generate? Those have no debug data of ours. */
static bool entry_is_prebuilt(const struct entry_reader *r, const struct elf_symbol *s)
{
	const uint64_t *origin = names_find(&r->origin, s->name);

	return origin && !r->request->objects->items[*origin].debug;
}

/*
 * Is this the symbol that stands for a function of the source, although it is called otherwise:
 * the first alias of one whose own symbol is gone, or an assembler label? How it is known must not
 * depend on what the optimizer left of its symbols. What the compiler copied has a dot in its
 * name, and nothing points to it.
 */
static bool entry_stands_for(const struct entry_reader *r, const struct elf_symbol *s,
        const char *base, const char *name)
{
	const struct elf_file *linked = r->request->linked;
	bool stands = strchr(base, '.') == NULL;
	size_t i;

	for (i = 0; i < linked->n_symbols && stands; i++) {
		const struct elf_symbol *other = &linked->symbols[i];

		if (other != s && other->type == STT_FUNC && other->value == s->value) {
			MEM_FREE char *other_base = entry_base(other->name);

			stands = strcmp(other_base, name) != 0 &&
			         (other > s || strchr(other_base, '.') != NULL);
		}
	}
	return stands;
}

static void entry_add_function(
        struct entry_reader *r, const struct elf_symbol *s, const struct elf_section *section)
{
	MEM_FREE char *base = entry_base(s->name);
	const struct debug_place *p = debug_info_find(r->debug, DEBUG_FUNCTION, s->value, base);
	MEM_FREE char *signature = NULL;
	struct entry e = entry_new(s, STATE_FUNCTION);

	if (!p) {
		if (entry_is_prebuilt(r, s) || !r->request->objects) {
			entry_add_library(r, s, section);
		}
		return;
	}
	if (strcmp(p->name, base) != 0 && !entry_stands_for(r, s, base, p->name)) {
		return;
	}
	e.unit = entry_unit(r->request, p->unit);
	e.scope = mem_strdup("");
	e.name = mem_strdup(p->name);
	e.readonly = true;
	signature = signature_of((Dwarf_Die *)&p->die);
	e.signature = mem_printf(STATE_TAG_PREFIX "signature=%s", signature);
	e.tags = type_graph_add_tags(r->graph, (Dwarf_Die *)&p->die);
	type_graph_add_tag(r->graph, &e.tags, e.signature);
	(void)entry_push(r, &e);
}

/*
 * A site witness is a static pointer whose target type is the type of the objects allocated
 * there (heap_new()). It is named later, when all sites of its function are known; line and
 * ordinal keep the order of the source.
 */
static int entry_add_site(
        struct entry_reader *r, const struct elf_symbol *s, const struct debug_place *p)
{
	MEM_FREE char *base = entry_base(s->name);
	struct entry e = entry_new(s, STATE_SITE);
	const char *dot = strrchr(base, '.');
	uint32_t pointer;
	int err;

	err = type_graph_add_of(r->graph, (Dwarf_Die *)&p->die, &pointer);
	if (err < 0) {
		return err;
	}
	while (r->graph->nodes[pointer].kind == TYPE_TYPEDEF) {
		pointer = r->graph->nodes[pointer].ref;
	}
	e.type = r->graph->nodes[pointer].ref;
	e.size = type_graph_size(r->graph, e.type);
	e.align = type_graph_align(r->graph, e.type);
	if (r->graph->nodes[pointer].kind != TYPE_POINTER || e.size == 0) {
		return report_refuse(
		        p->unit, "line %d: heap_new() of something without a size", p->line);
	}
	e.unit = entry_unit(r->request, p->unit);
	e.scope = entry_scope(base, p->name);
	e.line = p->line;
	e.ordinal = dot ? strtoul(dot + 1, NULL, 10) : 0;
	(void)entry_push(r, &e);
	return 0;
}

/*
 * A variable. One alignment comes from its type, another may have been asked for in the
 * source (then the symbol has it). Objects without size carry nothing and are left out.
 */
static int entry_add_variable(struct entry_reader *r, const struct elf_symbol *s,
        const struct elf_section *section, const struct debug_place *p)
{
	MEM_FREE char *base = entry_base(s->name);
	MEM_FREE char *scope = entry_scope(base, p->name);
	struct entry e = entry_new(s, STATE_VARIABLE);
	uint64_t asked;
	int err;

	if (!*scope && !entry_is_called(base, p->name)) {
		return 0; /* an alias; the variable comes under its own name */
	}
	err = type_graph_add_of(r->graph, (Dwarf_Die *)&p->die, &e.type);
	if (err < 0 || type_graph_size(r->graph, e.type) == 0) {
		return err;
	}
	if (type_graph_size(r->graph, e.type) > s->size) {
		return report_refuse(p->unit,
		        "line %d: %s has %llu bytes, but %llu where it is defined; give both "
		        "declarations one type",
		        p->line, p->name, (unsigned long long)type_graph_size(r->graph, e.type),
		        (unsigned long long)s->size);
	}
	e.align = type_graph_align(r->graph, e.type);
	asked = dwarf_hasattr((Dwarf_Die *)&p->die, DW_AT_alignment)
	                ? entry_natural_align(section, s->value)
	                : 0;
	e.align = asked > e.align ? asked : e.align;
	e.tags = type_graph_add_tags(r->graph, (Dwarf_Die *)&p->die);
	e.unit = entry_unit(r->request, p->unit);
	e.scope = scope;
	scope = NULL;
	e.name = mem_strdup(p->name);
	e.readonly = entry_is_readonly(section);
	(void)entry_push(r, &e);
	return 0;
}

/* Is this a string literal, by the names clang gives them? */
static bool entry_is_string(const char *symbol)
{
	return entry_starts(symbol, ".str") || entry_starts(symbol, ".L.str") ||
	       entry_starts(symbol, "__func__.") || entry_starts(symbol, "__FUNCTION__.") ||
	       entry_starts(symbol, "__PRETTY_FUNCTION__.");
}

/*
 * A string literal: its bytes are its name. One that does not end in NUL is not a string that
 * a pointer would be followed into.
 */
static void entry_add_string(
        struct entry_reader *r, const struct elf_symbol *s, const struct elf_section *section)
{
	struct entry e = entry_new(s, STATE_STRING);
	const uint64_t off = s->value - section->addr;

	if (!section->bytes || off > section->size || s->size == 0 ||
	        s->size > section->size - off || entry_is_one_of_many(r, s)) {
		return;
	}
	e.content = section->bytes + off;
	if (e.content[s->size - 1] != 0) {
		return;
	}
	e.unit = mem_strdup("");
	e.scope = mem_strdup("");
	e.align = 1;
	e.readonly = true;
	(void)entry_push(r, &e);
}

/*
 * Decide what an object is. The order matters: literals have debug data too, and witnesses
 * look like variables.
 */
static int entry_add_object(
        struct entry_reader *r, const struct elf_symbol *s, const struct elf_section *section)
{
	MEM_FREE char *base = entry_base(s->name);
	const char *dot = strrchr(base, '.');
	const struct debug_place *p = debug_info_find(
	        r->debug, DEBUG_VARIABLE, s->value, dot && !entry_is_string(base) ? dot + 1 : base);

	if (entry_is_string(base)) {
		entry_add_string(r, s, section);
		return 0;
	}
	if (p && strcmp(section->name, ELF_SITES) == 0) {
		return entry_add_site(r, s, p);
	}
	if (p && *p->name) {
		return entry_add_variable(r, s, section, p);
	}
	if (entry_is_prebuilt(r, s) || !r->request->objects) {
		entry_add_library(r, s, section);
		return 0;
	}
	/* What else is read-only was made by the compiler, and nothing keeps pointers to it. */
	if (entry_is_readonly(section) && !entry_starts(base, ".compoundliteral")) {
		return 0;
	}
	return report_refuse(s->name,
	        "this object has no debug data, so an update could not find it again; if it is a "
	        "compound literal, give it a name, else compile with -g and "
	        "-fkeep-persistent-storage-variables");
}

/*
 * Symbols of sections that are not in memory, and those without a name, are nothing that a
 * pointer leads to.
 */
static int entry_add_symbol(struct entry_reader *r, const struct elf_symbol *s)
{
	const struct elf_section *section = elf_symbol_section(r->request->linked, s);

	if (!section || (section->flags & SHF_ALLOC) == 0 || s->name[0] == '\0') {
		return 0;
	}
	if (s->type == STT_TLS && r->request->objects) {
		return report_refuse(s->name, "thread-local variables are not supported");
	}
	if (s->type == STT_OBJECT) {
		return entry_add_object(r, s, section);
	}
	if (s->type == STT_FUNC) {
		entry_add_function(r, s, section);
	}
	return 0;
}

/*
 * Which object each symbol comes from; of a name that is there twice, the first: the linker
 * takes that one too.
 */
static void entry_note_origins(struct entry_reader *r)
{
	const struct object_list *objects = r->request->objects;
	size_t i, k;

	for (i = 0; objects && i < objects->n; i++) {
		for (k = 0; k < objects->items[i].elf.n_symbols; k++) {
			const struct elf_symbol *s = &objects->items[i].elf.symbols[k];

			if (s->section != SHN_UNDEF && s->name[0] != '\0') {
				(void)names_add(&r->origin, s->name, i);
			}
		}
	}
}

/* How often each name is defined in the program. */
static void entry_note_names(struct entry_reader *r)
{
	const struct elf_file *linked = r->request->linked;
	uint64_t *n;
	size_t i;

	for (i = 0; i < linked->n_symbols; i++) {
		if (linked->symbols[i].section == SHN_UNDEF) {
			continue;
		}
		n = names_find(&r->seen, linked->symbols[i].name);
		if (n) {
			++*n;
		} else {
			(void)names_add(&r->seen, linked->symbols[i].name, 1);
		}
	}
}

/* By kind, unit and scope: what sites of one function share. */
static int entry_compare_scope(const struct entry *a, const struct entry *b)
{
	int order;

	if (a->kind != b->kind) {
		return a->kind < b->kind ? -1 : 1;
	}
	order = strcmp(a->unit, b->unit);
	return order ? order : strcmp(a->scope, b->scope);
}

static int entry_compare_site(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = entry_compare_scope(x, y);

	if (order == 0 && x->line != y->line) {
		order = x->line < y->line ? -1 : 1;
	}
	if (order == 0 && x->ordinal != y->ordinal) {
		order = x->ordinal < y->ordinal ? -1 : 1;
	}
	return order;
}

/*
 * The order of the description, which proto/state demands. Literals by length and bytes;
 * equal ones by symbol, so that the order is fixed.
 */
static int entry_compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = entry_compare_scope(x, y);

	if (order == 0 && x->kind == STATE_STRING) {
		if (x->size != y->size) {
			return x->size < y->size ? -1 : 1;
		}
		order = memcmp(x->content, y->content, x->size);
		return order ? order : strcmp(x->symbol, y->symbol);
	}
	return order ? order : strcmp(x->name, y->name);
}

/* Number the sites of each function in source order. */
static void entry_name_sites(struct entry_list *list)
{
	unsigned int number = 0;
	size_t i;

	qsort(list->items, list->n, sizeof(*list->items), entry_compare_site);
	for (i = 0; i < list->n; i++) {
		if (list->items[i].kind != STATE_SITE) {
			continue;
		}
		if (i == 0 || entry_compare_scope(&list->items[i], &list->items[i - 1]) != 0) {
			number = 0;
		}
		list->items[i].name = mem_printf("#%u", number++);
	}
}

/*
 * Every pair that is there twice is reported, not only the first. Literals may be: they are
 * found by address.
 */
static int entry_check_unique(const struct entry_list *list)
{
	int r = 0;
	size_t i;

	for (i = 1; i < list->n; i++) {
		const struct entry *e = &list->items[i];

		if (e->kind == STATE_STRING || entry_compare(e, e - 1) != 0) {
			continue;
		}
		r = report_refuse(e->unit,
		        "%s%s%s is there twice, so an update could not tell which is which; "
		        "rename one",
		        e->scope, *e->scope ? "." : "", e->name);
	}
	return r;
}

static int entry_collect(struct entry_reader *r)
{
	size_t i;
	int err;

	entry_note_origins(r);
	entry_note_names(r);
	for (i = 0; i < r->request->linked->n_symbols; i++) {
		err = entry_add_symbol(r, &r->request->linked->symbols[i]);
		if (err < 0) {
			return err;
		}
	}
	entry_name_sites(&r->list);
	qsort(r->list.items, r->list.n, sizeof(*r->list.items), entry_compare);
	err = carried_check(&r->list, r->request, &r->origin);
	return err < 0 ? err : entry_check_unique(&r->list);
}

/* On failure nothing is left but a graph with some types more; the caller frees that. */
int entry_list_init(struct entry_list *ret_list, const struct state_request *request,
        const struct debug_info *debug, struct type_graph *graph)
{
	struct entry_reader r = {.request = request, .debug = debug, .graph = graph};
	int err;

	err = entry_collect(&r);
	names_fini(&r.origin);
	names_fini(&r.seen);
	if (err < 0) {
		entry_list_fini(&r.list);
		return err;
	}
	*ret_list = r.list;
	return 0;
}
