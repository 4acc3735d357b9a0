/*
 * What is alive: the entry point, the witnesses of allocation sites, sections marked as used,
 * and everything that a living piece refers to. Relocations are reduced when their piece is
 * found alive, so what nothing refers to is not judged.
 *
 * A list of pieces to look at replaces recursion: the depth of references has no limit.
 */
#include <string.h>

#include "forge/base/report.h"
#include "forge/piece/priv.h"

/* Pieces found alive whose relocations were not looked at yet. */
struct piece_work {
	uint32_t *items; /* owned */
	size_t n, capacity;
};

static void piece_reach(struct piece_set *set, struct piece_work *work, uint32_t piece)
{
	if (!set->pieces[piece].live) {
		set->pieces[piece].live = true;
		MEM_PUSH(work->items, work->n, work->capacity);
		work->items[work->n++] = piece;
	}
}

static int piece_compare_reloc(const void *a, const void *b)
{
	const struct piece_reloc *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Bring the relocations of a piece into their order; two that overlap have no meaning. */
static int piece_sort_relocs(const struct piece_set *set, struct piece *p)
{
	size_t i;

	if (p->n_relocs > UINT16_MAX) {
		return report_refuse(set->request.inputs[p->input].name,
		        "section %s: %zu relocations; at most %u: make two of what is in it",
		        p->from->name, p->n_relocs, UINT16_MAX);
	}
	if (p->n_relocs == 0) {
		return 0;
	}
	qsort(p->relocs, p->n_relocs, sizeof(*p->relocs), piece_compare_reloc);
	for (i = 0; i < p->n_relocs; i++) {
		const struct piece_reloc *r = &p->relocs[i];
		const uint32_t width = r->kind == FLAT_ABS64 ? 8 : 4;

		if (i + 1 < p->n_relocs && r->offset + width > r[1].offset) {
			return report_refuse(set->request.inputs[p->input].name,
			        "section %s: relocations overlap at 0x%x", p->from->name,
			        r[1].offset);
		}
		/* The linker writes the whole field. */
		memset(p->bytes + r->offset, 0, width);
	}
	return 0;
}

/* Reduce a living piece, and reach what it refers to. */
static int piece_follow(struct piece_set *set, struct piece_work *work, struct piece *p)
{
	const struct elf_section *from = p->from;
	size_t i;
	int r;

	if (from->bytes) {
		p->bytes = mem_zalloc(from->size, 1);
		memcpy(p->bytes, from->bytes, from->size);
	}
	p->relocs = mem_zalloc(from->n_relocs, sizeof(*p->relocs));
	for (i = 0; i < from->n_relocs; i++) {
		r = piece_reduce(set, p, &from->relocs[i]);
		if (r < 0) {
			return r;
		}
		piece_reach(set, work, p->relocs[i].target);
	}
	return piece_sort_relocs(set, p);
}

/* Where the program begins. */
static int piece_find_entry(struct piece_set *set)
{
	static const char entry[] = "_start";
	const uint64_t *id = names_find(&set->globals, entry);
	const struct elf_section script = {.name = "ENTRY"};
	struct piece user = {.from = &script};
	uint64_t offset;
	int r;

	if (!id) {
		return report_refuse(entry, "nothing defines the entry point");
	}
	user.input = (uint32_t)(*id >> 32);
	r = piece_resolve(set, &user, (uint32_t)*id, &set->entry_piece, &offset);
	if (r < 0) {
		return r;
	}
	set->entry_offset = (uint32_t)offset;
	if (set->pieces[set->entry_piece].class != FLAT_TEXT) {
		return report_refuse(entry, "the entry point is not code");
	}
	return 0;
}

/* Kept although nothing refers to it? */
static bool piece_is_root(const struct piece *p)
{
	return (p->from->flags & SHF_GNU_RETAIN) != 0 ||
	       strncmp(p->from->name, ELF_SITES, sizeof(ELF_SITES) - 1) == 0;
}

int piece_mark(struct piece_set *set)
{
	struct piece_work work = {0};
	size_t i;
	int r;

	r = piece_find_entry(set);
	if (r == 0) {
		piece_reach(set, &work, set->entry_piece);
	}
	for (i = 0; i < set->n && r == 0; i++) {
		if (piece_is_root(&set->pieces[i])) {
			piece_reach(set, &work, (uint32_t)i);
		}
	}
	while (r == 0 && work.n > 0) {
		r = piece_follow(set, &work, &set->pieces[work.items[--work.n]]);
	}
	free(work.items);
	return r;
}
