/*
 * Sections become pieces. A linker script would sort sections by the pattern that fits their
 * name; here the name gives the class, and type and flags must be those that every compiler
 * gives such a section. So a section that would need more than a place (thread-local, run at
 * start, merged, grouped, in the order of another one) cannot pass for an ordinary one.
 *
 * Sections with SHF_MERGE are never merged: a merged string has neighbours that no draw
 * decides about. Empty sections are no pieces; a reference to one is refused where it is found.
 */
#include <errno.h>
#include <string.h>

#include "forge/base/report.h"
#include "forge/piece/priv.h"

/* What may be set beside ALLOC: none of these asks the linker for anything. */
#define PIECE_FLAGS_IGNORED (SHF_ALLOC | SHF_MERGE | SHF_STRINGS | SHF_GNU_RETAIN)

/* The first row whose name fits decides. */
static const struct piece_kind {
	const char *name;      /* the section's, or its beginning before a dot */
	uint32_t type;         /* SHT_* */
	uint64_t flags;        /* exactly these, but for PIECE_FLAGS_IGNORED */
	enum flat_class class; /* _FLAT_CLASS_N: dropped */
} piece_kinds[] = {
        {".eh_frame", 0, 0, _FLAT_CLASS_N},
        {".comment", 0, 0, _FLAT_CLASS_N},
        {".note", 0, 0, _FLAT_CLASS_N},
        {".text", SHT_PROGBITS, SHF_EXECINSTR, FLAT_TEXT},
        {".rodata", SHT_PROGBITS, 0, FLAT_CONST},
        {".data.rel.ro", SHT_PROGBITS, SHF_WRITE, FLAT_CONST},
        {".data", SHT_PROGBITS, SHF_WRITE, FLAT_DATA},
        {ELF_SITES, SHT_PROGBITS, SHF_WRITE, FLAT_DATA},
        {".bss", SHT_NOBITS, SHF_WRITE, FLAT_ZERO},
};

static bool piece_name_fits(const char *name, const char *begin)
{
	const size_t len = strlen(begin);

	return strncmp(name, begin, len) == 0 && (name[len] == '\0' || name[len] == '.');
}

static const struct piece_kind *piece_kind_of(const struct elf_section *s)
{
	size_t i;

	for (i = 0; i < sizeof(piece_kinds) / sizeof(piece_kinds[0]); i++) {
		if (piece_name_fits(s->name, piece_kinds[i].name)) {
			return &piece_kinds[i];
		}
	}
	return NULL;
}

/* The row of a section that is loaded; NULL after it was refused. */
static const struct piece_kind *piece_judge(const char *input, const struct elf_section *s)
{
	const struct piece_kind *kind = piece_kind_of(s);
	const uint64_t flags = s->flags & ~(uint64_t)PIECE_FLAGS_IGNORED;

	if (kind && kind->class == _FLAT_CLASS_N) {
		return kind;
	}
	if (s->flags & SHF_TLS) {
		(void)report_refuse(
		        input, "section %s: thread-local variables are not supported", s->name);
		return NULL;
	}
	if (!kind || kind->type != s->type || kind->flags != flags) {
		(void)report_refuse(input,
		        "section %s (type 0x%x, flags 0x%llx) is of no kind that flat kits have; "
		        "keep to code, constants, data and zeroed data",
		        s->name, s->type, (unsigned long long)s->flags);
		return NULL;
	}
	if ((s->align & (s->align - 1)) != 0 || s->align > 1u << FLAT_ALIGN_LOG2_MAX ||
	        s->size > FLAT_MEMORY_MAX) {
		(void)report_refuse(input,
		        "section %s: %llu bytes aligned to %llu; at most %llu bytes, aligned to a "
		        "power of two up to %u",
		        s->name, (unsigned long long)s->size, (unsigned long long)s->align,
		        (unsigned long long)FLAT_MEMORY_MAX, 1u << FLAT_ALIGN_LOG2_MAX);
		return NULL;
	}
	return kind;
}

/*
 * Is a writable section of a library all never written? Each symbol in it must be on the list;
 * one with a listed and another object is refused, because it cannot be half a constant.
 */
static int piece_is_constant(const struct piece_set *set, size_t i, uint32_t section, bool *ret_is)
{
	const struct piece_input *in = &set->request.inputs[i];
	const char *listed = NULL, *other = NULL;
	size_t k;

	*ret_is = false;
	if (!in->library || !set->request.constants) {
		return 0;
	}
	for (k = 0; k < in->elf->n_symbols; k++) {
		const struct elf_symbol *s = &in->elf->symbols[k];

		if (s->section != section || s->type == STT_SECTION || s->name[0] == '\0') {
			continue;
		}
		if (names_find(set->request.constants, s->name)) {
			listed = s->name;
		} else {
			other = s->name;
		}
	}
	if (listed && other) {
		return report_refuse(in->name,
		        "section %s: %s is never written, but %s beside it may be; build the "
		        "library with data sections",
		        in->elf->sections[section].name, listed, other);
	}
	*ret_is = listed != NULL;
	return 0;
}

static int piece_add(struct piece_set *set, size_t i, uint32_t section)
{
	const struct piece_input *in = &set->request.inputs[i];
	const struct elf_section *from = &in->elf->sections[section];
	const struct piece_kind *kind = piece_judge(in->name, from);
	struct piece p = {.input = (uint32_t)i, .section = section, .from = from};
	bool constant = false;
	int r = 0;

	if (!kind) {
		return -EINVAL;
	}
	if (kind->class == _FLAT_CLASS_N || from->size == 0) {
		return 0;
	}
	p.class = kind->class;
	p.align_log2 = from->align > 1 ? (uint8_t)__builtin_ctzll(from->align) : 0;
	if (p.class == FLAT_DATA) {
		r = piece_is_constant(set, i, section, &constant);
	}
	if (constant) {
		p.class = FLAT_CONST;
	}
	MEM_PUSH(set->pieces, set->n, set->capacity);
	set->of_section[i][section] = (uint32_t)set->n;
	set->pieces[set->n++] = p;
	return r;
}

static int piece_collect_input(struct piece_set *set, size_t i)
{
	const struct piece_input *in = &set->request.inputs[i];
	uint32_t section;
	int r;

	set->of_section[i] = mem_zalloc(in->elf->n_sections, sizeof(**set->of_section));
	memset(set->of_section[i], 0xff, in->elf->n_sections * sizeof(**set->of_section));
	if (in->elf->header.e_type != ET_REL) {
		return report_refuse(in->name, "not a relocatable object");
	}
	for (section = 0; section < in->elf->n_sections; section++) {
		r = (in->elf->sections[section].flags & SHF_ALLOC) ? piece_add(set, i, section) : 0;
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

int piece_collect(struct piece_set *set)
{
	size_t i;
	int r = 0;

	set->of_section = mem_zalloc(set->request.n_inputs, sizeof(*set->of_section));
	for (i = 0; i < set->request.n_inputs && r == 0; i++) {
		r = piece_collect_input(set, i);
	}
	return r;
}
