/*
 * The flat kit and the names of its pieces. Tables are written in the order of the numbers, so
 * that equal objects give equal files; the checker that machine and host run is asked last.
 *
 * A symbol of the state description is looked for among all symbols of living pieces, local ones
 * too. A name that stands for two places is refused: the description would say something about
 * one of them, and nobody could tell which.
 */
#include <stdio.h>
#include <string.h>

#include "forge/base/report.h"
#include "forge/piece/priv.h"
#include "proto/image/link.h"

static uint32_t piece_n_live(const struct piece_set *set)
{
	uint32_t n = 0;
	int class;

	for (class = 0; class < _FLAT_CLASS_N; class ++) {
		n += set->n_live[class];
	}
	return n;
}

static const struct piece *piece_by_number(const struct piece_set *set, uint32_t number)
{
	return &set->pieces[set->order[number]];
}

/* The living piece that a symbol of an input is in, or NULL. */
static const struct piece *piece_of_symbol(
        const struct piece_set *set, size_t input, const struct elf_symbol *s)
{
	const struct elf_section *section = elf_symbol_section(set->request.inputs[input].elf, s);
	uint32_t piece;

	if (!section || s->type == STT_SECTION || s->name[0] == '\0' || s->value > section->size) {
		return NULL;
	}
	piece = set->of_section[input][s->section];
	return piece != PIECE_NONE && set->pieces[piece].live ? &set->pieces[piece] : NULL;
}

/* In the vector of symbols while it is filled: more than one place has the name. */
#define PIECE_AMBIGUOUS UINT64_MAX

/*
 * Every name in living pieces, with its place as (number << 32 | offset). A global name is
 * what it was resolved to: a weak definition that lost is no second place.
 */
static void piece_list_symbols(const struct piece_set *set, struct names *ret_places)
{
	size_t i, k;

	for (i = 0; i < set->request.n_inputs; i++) {
		const struct elf_file *elf = set->request.inputs[i].elf;

		for (k = 0; k < elf->n_symbols; k++) {
			const struct elf_symbol *s = &elf->symbols[k];
			const struct piece *p = piece_of_symbol(set, i, s);
			uint64_t *found, place;

			if (!p || (s->bind != STB_LOCAL && *names_find(&set->globals, s->name) !=
			                                           piece_symbol_id(i, k))) {
				continue;
			}
			place = (uint64_t)p->number << 32 | s->value;
			if (!names_add(ret_places, s->name, place)) {
				found = names_find(ret_places, s->name);
				*found = *found == place ? place : PIECE_AMBIGUOUS;
			}
		}
	}
}

static int piece_put_symbols(
        const struct piece_set *set, const char *const symbols[], size_t n, struct buf *out)
{
	struct names places = {0};
	size_t i;
	int r = 0;

	piece_list_symbols(set, &places);
	for (i = 0; i < n && r == 0; i++) {
		const uint64_t *found = names_find(&places, symbols[i]);

		if (!found || *found == PIECE_AMBIGUOUS) {
			r = report_refuse(symbols[i],
			        "this symbol of the state description is %s the program",
			        found ? "more than once in" : "not in");
		} else {
			const struct flat_symbol symbol = {
			        (uint32_t)(*found >> 32), (uint32_t)*found};

			buf_add(out, &symbol, sizeof(symbol));
		}
	}
	names_fini(&places);
	return r;
}

/* Pieces, then all their relocations; *header gets the counts. */
static void piece_put_tables(
        const struct piece_set *set, struct flat_header *header, struct buf *out)
{
	const uint32_t n = piece_n_live(set);
	uint32_t i;
	size_t k;

	for (i = 0; i < n; i++) {
		const struct piece *p = piece_by_number(set, i);
		const struct flat_piece row = {.size = (uint32_t)p->from->size,
		        .n_relocs = (uint16_t)p->n_relocs,
		        .align_log2 = p->align_log2};

		buf_add(out, &row, sizeof(row));
		header->n_relocs += (uint32_t)p->n_relocs;
	}
	for (i = 0; i < n; i++) {
		const struct piece *p = piece_by_number(set, i);

		for (k = 0; k < p->n_relocs; k++) {
			const struct piece_reloc *r = &p->relocs[k];
			const struct flat_reloc row = {.where = r->offset | r->kind,
			        .target = set->pieces[r->target].number,
			        .addend = r->addend};

			buf_add(out, &row, sizeof(row));
		}
	}
}

static void piece_put_bytes(const struct piece_set *set, struct buf *out)
{
	const uint32_t n = piece_n_live(set) - set->n_live[FLAT_ZERO];
	uint32_t i;

	for (i = 0; i < n; i++) {
		const struct piece *p = piece_by_number(set, i);

		buf_add(out, p->bytes, p->from->size);
	}
}

int piece_write_flat(const struct piece_set *set, const char *service, const char *const symbols[],
        size_t n_symbols, struct buf *ret_flat)
{
	struct flat_header header = {.magic = FLAT_MAGIC,
	        .version = FLAT_VERSION,
	        .header_size = sizeof(header),
	        .recipe = LINK_RECIPE,
	        .n_symbols = (uint32_t)n_symbols,
	        .entry_piece = set->pieces[set->entry_piece].number,
	        .entry_offset = set->entry_offset};
	BUF_CLEANUP struct buf out = {0};
	struct flat_view view;
	enum flat_error error;
	int r;

	(void)snprintf(header.service, sizeof(header.service), "%s", service);
	memcpy(header.n_pieces, set->n_live, sizeof(header.n_pieces));
	buf_add_zero(&out, sizeof(header));
	piece_put_tables(set, &header, &out);
	r = piece_put_symbols(set, symbols, n_symbols, &out);
	if (r < 0) {
		return r;
	}
	piece_put_bytes(set, &out);
	header.total_size = out.len;
	memcpy(out.bytes, &header, sizeof(header));
	error = flat_check(out.bytes, out.len, &view);
	if (error != FLAT_OK) {
		return report_refuse(service,
		        "what it is linked from breaks a rule of flat kits: %s",
		        flat_error_text(error));
	}
	*ret_flat = out;
	out = (struct buf){0};
	return 0;
}

int piece_check_carried(const struct piece_set *set, const struct buf *flat)
{
	const uint32_t n = piece_n_live(set);
	MEM_FREE bool *carried = mem_zalloc(n, sizeof(*carried));
	struct flat_view view;
	int r = 0;
	uint32_t i;

	if (flat_check(flat->bytes, flat->len, &view) != FLAT_OK) {
		return report_failed("flat kit", "not the one that was written");
	}
	for (i = 0; i < view.header->n_symbols; i++) {
		if (view.symbols[i].piece != FLAT_NO_PIECE) {
			carried[view.symbols[i].piece] = true;
		}
	}
	for (i = 0; i < n; i++) {
		const struct piece *p = piece_by_number(set, i);
		const struct piece_input *in = &set->request.inputs[p->input];

		if ((p->class == FLAT_DATA || p->class == FLAT_ZERO) && !in->library &&
		        !carried[i]) {
			r = report_refuse(in->name,
			        "section %s is writable, and no variable that debug data tells of "
			        "is in it, so every update would lose it; define it in C",
			        p->from->name);
		}
	}
	return r;
}

/* The symbol that a piece is known by: the first one at its start, global before local. */
static void piece_list_names(const struct piece_set *set, const struct elf_symbol **names)
{
	size_t i, k;

	for (i = 0; i < set->request.n_inputs; i++) {
		const struct elf_file *elf = set->request.inputs[i].elf;

		for (k = 0; k < elf->n_symbols; k++) {
			const struct elf_symbol *s = &elf->symbols[k];
			const struct piece *p = piece_of_symbol(set, i, s);

			if (p && s->value == 0 &&
			        (!names[p->number] || (names[p->number]->bind == STB_LOCAL &&
			                                      s->bind != STB_LOCAL))) {
				names[p->number] = s;
			}
		}
	}
}

/* A name that no line has yet; letters that would end or hide a line become '?'. Owned. */
static char *piece_name(const struct piece_set *set, const struct piece *p,
        const struct elf_symbol *symbol, struct names *taken)
{
	MEM_FREE char *plain =
	        symbol ? mem_strdup(symbol->name)
	               : mem_printf("%s:%s", set->request.inputs[p->input].name, p->from->name);
	char *name = mem_strdup(plain);
	unsigned int number = 2;
	char *c;

	for (;;) {
		for (c = name; *c; c++) {
			*c = *c <= ' ' || *c > '~' ? '?' : *c;
		}
		if (names_add(taken, name, p->number)) {
			return name;
		}
		free(name);
		name = mem_printf("%s#%u", plain, number++);
	}
}

void piece_write_names(const struct piece_set *set, struct buf *ret_text)
{
	const uint32_t n = piece_n_live(set);
	MEM_FREE const struct elf_symbol **symbols =
	        mem_zalloc(n, sizeof(const struct elf_symbol *));
	MEM_FREE char **names = mem_zalloc(n, sizeof(*names));
	struct names taken = {0};
	uint32_t i;

	piece_list_names(set, symbols);
	for (i = 0; i < n; i++) {
		names[i] = piece_name(set, piece_by_number(set, i), symbols[i], &taken);
		buf_printf(ret_text, "%s\n", names[i]);
	}
	names_fini(&taken);
	for (i = 0; i < n; i++) {
		free(names[i]);
	}
}
