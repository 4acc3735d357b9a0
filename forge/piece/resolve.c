/*
 * Which definition a name stands for. A local symbol is its object's own business; of global
 * ones the first strong definition wins, else the first weak one, in the order of the link.
 * Library members were picked before (forge/elf/archive.h), so every object here is part of
 * the program and two strong definitions are an error, used or not.
 *
 * No symbol is made up: neither those that linkers define by themselves (`_end`,
 * `_GLOBAL_OFFSET_TABLE_`, `__start_NAME`) nor an address 0 for a weak reference to nothing.
 * An undefined symbol that no living relocation uses is no fault.
 */
#include <string.h>

#include "forge/base/report.h"
#include "forge/piece/priv.h"

/* One definition; it may take the place of a weak one. */
static int piece_note_global(struct piece_set *set, size_t input, size_t symbol)
{
	const struct piece_input *inputs = set->request.inputs;
	const struct elf_symbol *s = &inputs[input].elf->symbols[symbol];
	const uint64_t id = piece_symbol_id(input, symbol);
	const struct elf_symbol *known;
	uint64_t *found;

	if (s->section == SHN_COMMON) {
		return report_refuse(inputs[input].name,
		        "symbol %s is COMMON, without a section of its own; compile with "
		        "-fno-common",
		        s->name);
	}
	if (s->bind != STB_GLOBAL && s->bind != STB_WEAK) {
		return report_refuse(
		        inputs[input].name, "symbol %s: unknown binding %u", s->name, s->bind);
	}
	if (names_add(&set->globals, s->name, id)) {
		return 0;
	}
	found = names_find(&set->globals, s->name);
	known = piece_symbol_of(set, *found);
	if (known->bind == STB_GLOBAL && s->bind == STB_GLOBAL) {
		return report_refuse(inputs[input].name, "symbol %s is defined in %s, too", s->name,
		        inputs[*found >> 32].name);
	}
	if (known->bind == STB_WEAK && s->bind == STB_GLOBAL) {
		*found = id;
	}
	return 0;
}

/* A version in a name (foo@V1) would have to be taken apart first. */
static int piece_note_input(struct piece_set *set, size_t input)
{
	const struct piece_input *in = &set->request.inputs[input];
	size_t k;
	int r;

	for (k = 0; k < in->elf->n_symbols; k++) {
		const struct elf_symbol *s = &in->elf->symbols[k];

		if (s->bind == STB_LOCAL) {
			continue;
		}
		if (strchr(s->name, '@')) {
			return report_refuse(in->name,
			        "symbol %s has a version; only plain names are known", s->name);
		}
		if (s->section == SHN_UNDEF) {
			continue;
		}
		r = piece_note_global(set, input, k);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

int piece_note_globals(struct piece_set *set)
{
	size_t i;
	int r = 0;

	for (i = 0; i < set->request.n_inputs && r == 0; i++) {
		r = piece_note_input(set, i);
	}
	return r;
}

/* The definition behind a symbol of an input: itself, or of another input. */
static int piece_find_definition(
        const struct piece_set *set, const struct piece *user, uint64_t *id)
{
	const struct piece_input *in = &set->request.inputs[user->input];
	const struct elf_symbol *s = piece_symbol_of(set, *id);
	const uint64_t *found;

	if (s->bind == STB_LOCAL) {
		return 0;
	}
	found = names_find(&set->globals, s->name);
	if (found) {
		*id = *found;
		return 0;
	}
	return report_refuse(in->name, "section %s needs %ssymbol %s, which nothing defines",
	        user->from->name, s->bind == STB_WEAK ? "weak " : "", s->name);
}

int piece_resolve(const struct piece_set *set, const struct piece *user, uint32_t symbol,
        uint32_t *ret_piece, uint64_t *ret_offset)
{
	const char *name = set->request.inputs[user->input].name;
	uint64_t id = piece_symbol_id(user->input, symbol);
	const struct elf_section *section;
	const struct elf_symbol *s;
	uint32_t piece;
	int r;

	r = piece_find_definition(set, user, &id);
	if (r < 0) {
		return r;
	}
	s = piece_symbol_of(set, id);
	section = elf_symbol_section(set->request.inputs[id >> 32].elf, s);
	piece = section ? set->of_section[id >> 32][s->section] : PIECE_NONE;
	if (piece == PIECE_NONE) {
		return report_refuse(name,
		        "section %s refers to symbol %s in %s, which is not in memory (section "
		        "%s)%s",
		        user->from->name, s->name, set->request.inputs[id >> 32].name,
		        section ? section->name : "none",
		        section && section->size == 0 ? "; what has no size has no address: "
		                                        "give it a byte"
		                                      : "");
	}
	if (s->type == STT_GNU_IFUNC || s->type == STT_TLS) {
		return report_refuse(name,
		        "section %s refers to symbol %s, whose address is only known at run time",
		        user->from->name, s->name);
	}
	if (s->value > section->size) {
		return report_refuse(set->request.inputs[id >> 32].name,
		        "symbol %s lies outside its section %s", s->name, section->name);
	}
	*ret_piece = piece;
	*ret_offset = s->value;
	return 0;
}
