/*
 * Descriptions for people. Types are printed as C would declare them: a declaration is built
 * from the name outwards; pointers go to its left, arrays and functions to its right, and a
 * pointer to an array or a function needs parentheses. Parameters of functions are not part
 * of a description, so a function is "function NAME()".
 *
 * Reads only what state_desc_check() has passed. Texts are those of somebody's source:
 * report_text() escapes them on their way out.
 */
#include "forge/state/print.h"

#include <inttypes.h>
#include <string.h>

static char *print_base(const char *word, const char *type, const char *name)
{
	return mem_printf("%s%s%s%s", word, type, *name ? " " : "", name);
}

static char *print_pointer(const struct state_desc *desc, uint32_t to, const char *name)
{
	const enum state_btf_kind kind = to == 0 ? STATE_BTF_VOID : state_type_kind(desc, to);
	const bool wrap = kind == STATE_BTF_ARRAY || kind == STATE_BTF_FUNC_PROTO;
	MEM_FREE char *inner = mem_printf(wrap ? "(*%s)" : "*%s", name);

	return state_print_declaration(desc, to, inner);
}

static char *print_array(const struct state_desc *desc, uint32_t id, const char *name)
{
	const struct state_btf_array *array = state_type_array(desc, id);
	MEM_FREE char *inner = array->nelems ? mem_printf("%s[%u]", name, array->nelems)
	                                     : mem_printf("%s[]", name);

	return state_print_declaration(desc, array->type, inner);
}

/*
 * "int *const p", but "const int p": what is qualified is the pointer in one, the target in
 * the other.
 */
static char *print_qualified(
        const struct state_desc *desc, uint32_t to, const char *word, const char *name)
{
	MEM_FREE char *inner = NULL;

	if (to != 0 && state_type_kind(desc, to) == STATE_BTF_PTR) {
		inner = mem_printf("%s%s%s", word, *name ? " " : "", name);
		return state_print_declaration(desc, to, inner);
	}
	inner = state_print_declaration(desc, to, name);
	return mem_printf("%s %s", word, inner);
}

/* A type without a name is shown by its number, so that two of them can be told apart. */
static char *print_record(
        const struct state_desc *desc, uint32_t id, const char *word, const char *name)
{
	const char *type = state_type_name(desc, id);
	MEM_FREE char *anonymous = *type ? NULL : mem_printf("<%u>", id);

	return print_base(word, *type ? type : anonymous, name);
}

char *state_print_declaration(const struct state_desc *desc, uint32_t id, const char *name)
{
	const uint32_t to = id ? state_type(desc, id)->size_or_type : 0;

	switch (id ? state_type_kind(desc, id) : STATE_BTF_VOID) {
	case STATE_BTF_INT:
	case STATE_BTF_FLOAT:
	case STATE_BTF_TYPEDEF:
		return print_base("", state_type_name(desc, id), name);
	case STATE_BTF_PTR:
		return print_pointer(desc, to, name);
	case STATE_BTF_ARRAY:
		return print_array(desc, id, name);
	case STATE_BTF_STRUCT:
		return print_record(desc, id, "struct ", name);
	case STATE_BTF_UNION:
		return print_record(desc, id, "union ", name);
	case STATE_BTF_ENUM:
	case STATE_BTF_ENUM64:
		return print_record(desc, id, "enum ", name);
	case STATE_BTF_FWD:
		return print_record(
		        desc, id, state_type(desc, id)->info >> 31 ? "union " : "struct ", name);
	case STATE_BTF_CONST:
		return print_qualified(desc, to, "const", name);
	case STATE_BTF_VOLATILE:
		return print_qualified(desc, to, "volatile", name);
	case STATE_BTF_RESTRICT:
		return print_qualified(desc, to, "restrict", name);
	case STATE_BTF_FUNC_PROTO:
		return mem_printf("function %s()", name);
	case STATE_BTF_TYPE_TAG:
		return state_print_declaration(desc, to, name);
	case STATE_BTF_VOID:
	case STATE_BTF_FUNC:
	case STATE_BTF_VAR:
	case STATE_BTF_DATASEC:
	case STATE_BTF_DECL_TAG:
	case _STATE_BTF_N:
		break;
	}
	return print_base("", "void", name);
}

/* Annotations of one owner. A walk over all: this is a page for people, not the transfer. */
static void print_tags(const struct state_desc *desc, enum state_tag_scope scope, uint32_t owner,
        uint32_t member, struct buf *out)
{
	uint32_t i;

	for (i = 0; i < desc->n_tags; i++) {
		const struct state_tag *tag = &desc->tags[i];

		if (tag->scope == (uint32_t)scope && tag->owner == owner && tag->member == member) {
			buf_printf(out, "  [%s]", state_desc_string(desc, tag->text));
		}
	}
}

static void print_members(const struct state_desc *desc, uint32_t id, struct buf *out)
{
	uint32_t i;

	for (i = 0; i < state_type_count(desc, id); i++) {
		const struct state_member m = state_type_member(desc, id, i);
		MEM_FREE char *text = state_print_declaration(desc, m.type, m.name);

		buf_printf(out, "    %6" PRIu64 "  %s", m.bit_off / 8, text);
		if (m.bit_size != 0) {
			buf_printf(out, " : %u  (from bit %u)", m.bit_size,
			        (unsigned int)(m.bit_off % 8));
		}
		print_tags(desc, STATE_TAG_TYPE, id, i, out);
		buf_printf(out, "\n");
	}
}

static void print_values(const struct state_desc *desc, uint32_t id, struct buf *out)
{
	const char *name;
	int64_t value;
	uint32_t i;

	for (i = 0; i < state_type_count(desc, id); i++) {
		name = state_type_enumerator(desc, id, i, &value);
		if (state_type_encoding(desc, id) & STATE_BTF_SIGNED) {
			buf_printf(out, "            %s = %" PRId64 "\n", name, value);
		} else {
			buf_printf(out, "            %s = %" PRIu64 "\n", name, (uint64_t)value);
		}
	}
}

/* Typedefs, records and enums; pointers and the like appear where they are used. */
static void print_type(const struct state_desc *desc, uint32_t id, struct buf *out)
{
	const enum state_btf_kind kind = state_type_kind(desc, id);
	const bool record = kind == STATE_BTF_STRUCT || kind == STATE_BTF_UNION;
	const bool is_enum = kind == STATE_BTF_ENUM || kind == STATE_BTF_ENUM64;
	MEM_FREE char *text = NULL;

	if (kind == STATE_BTF_TYPEDEF) {
		text = state_print_declaration(
		        desc, state_type(desc, id)->size_or_type, state_type_name(desc, id));
		buf_printf(out, "  typedef %s", text);
	} else if (record || is_enum) {
		text = state_print_declaration(desc, id, "");
		buf_printf(out, "  %s  %" PRIu64 " bytes", text, state_type_size(desc, id));
	} else {
		return;
	}
	print_tags(desc, STATE_TAG_TYPE, id, STATE_TAG_SELF, out);
	buf_printf(out, "\n");
	if (record) {
		print_members(desc, id, out);
	} else if (is_enum) {
		print_values(desc, id, out);
	}
}

/* As C would write it, without the NUL at the end. */
static void print_literal(const char *bytes, uint64_t size, struct buf *out)
{
	uint64_t i;

	buf_printf(out, "\"");
	for (i = 0; i + 1 < size; i++) {
		const unsigned char c = (unsigned char)bytes[i];

		if (c == '"' || c == '\\') {
			buf_printf(out, "\\%c", c);
		} else if (c >= ' ' && c <= '~') {
			buf_printf(out, "%c", c);
		} else {
			buf_printf(out, "\\x%02x", c);
		}
	}
	buf_printf(out, "\"");
}

static void print_entry(const struct state_desc *desc, uint32_t i, struct buf *out)
{
	const struct state_entry *e = &desc->entries[i];
	const char *name = state_desc_string(desc, e->name);
	const char *scope = state_desc_string(desc, e->scope);
	MEM_FREE char *full = mem_printf("%s%s%s", scope, *scope ? "." : "", name);
	MEM_FREE char *text = NULL;

	buf_printf(out, "  %5u  %6" PRIu64 "  ", i, e->size);
	if (e->kind == STATE_STRING) {
		print_literal(name, e->size, out);
		buf_printf(out, "\n");
		return;
	}
	if (e->kind == STATE_VARIABLE) {
		text = state_print_declaration(desc, e->type, full);
	} else if (e->kind == STATE_SITE) {
		MEM_FREE char *type = state_print_declaration(desc, e->type, "");

		text = mem_printf("%s%s allocates %s", scope, name, type);
	}
	buf_printf(out, "%s  %s%s", text ? text : full, state_desc_string(desc, e->unit),
	        e->flags & STATE_ENTRY_READONLY ? "  read-only" : "");
	print_tags(desc, STATE_TAG_ENTRY, i, STATE_TAG_SELF, out);
	buf_printf(out, "\n");
}

void state_print(const struct state_desc *desc, struct buf *out)
{
	static const char *const titles[_STATE_KIND_N] = {
	        [STATE_VARIABLE] = "variables",
	        [STATE_FUNCTION] = "functions",
	        [STATE_SITE] = "allocation sites",
	        [STATE_STRING] = "string literals",
	        [STATE_LIBRARY] = "library symbols",
	};
	uint32_t id, first, n, i;
	int kind;

	buf_printf(out, "service %s: %u types, %u entries, %u annotations\n", desc->header->service,
	        desc->n_types - 1, desc->n_entries, desc->n_tags);
	buf_printf(out, "\ntypes (byte offsets of members)\n");
	for (id = 1; id < desc->n_types; id++) {
		print_type(desc, id, out);
	}
	for (kind = 0; kind < _STATE_KIND_N; kind++) {
		first = state_desc_kind_first(desc, (enum state_entry_kind)kind, &n);
		buf_printf(out, "\n%s: %u (entry, bytes)\n", titles[kind], n);
		for (i = first; i < first + n; i++) {
			print_entry(desc, i, out);
		}
	}
}
