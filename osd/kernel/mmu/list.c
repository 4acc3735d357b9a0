/*
 * What a space has, listed from its tables: so that who keeps the books of memory can make them anew
 * after a crash. A list is made a piece at a time, in the order of addresses; a table comes before
 * what lies in it. The place to go on from is an address, which says by itself which tables have been
 * listed: those that begin before it.
 */
#include "osd/kernel/mmu/priv.h"

/* Entries of all tables looked at for one piece. */
#define LIST_LOOKS_MAX 480u
/* What can begin at one address: a table of each level, and pages. */
#define LIST_ROOM (PTE_LEVEL_ROOT + 1)
_Static_assert(LIST_ROOM + 5 <= FRAME_LIST_MIN,
        "a piece has room for what stands before the tables, and for what begins at address 0");

static enum frame_kind list_page_kind(uint64_t page)
{
	if (pte_is_zero(page)) {
		return FRAME_LIST_ZERO;
	}
	if (pte_page_is_device(page)) {
		return FRAME_LIST_DEVICE;
	}
	return pte_frame(page) == mmu_gate_page ? FRAME_LIST_GATE : FRAME_LIST_PAGES;
}

static struct frame_entry list_page(vaddr_t va, uint64_t page)
{
	return (struct frame_entry){.va = va,
	        .pa = pte_frame(page),
	        .n = 1,
	        .kind = (uint8_t)list_page_kind(page),
	        .prot = (uint8_t)pte_page_prot(page)};
}

/* Does the page go on where the run ends? Zero frames are all one. */
static bool list_page_joins(const struct frame_entry *run, const struct frame_entry *page)
{
	paddr_t next = run->kind == FRAME_LIST_ZERO ? run->pa : run->pa + run->n * PAGE_SIZE;

	return run->kind == page->kind && run->prot == page->prot && next == page->pa &&
	       run->va + run->n * PAGE_SIZE == page->va;
}

/* A list in the making. */
struct list_piece {
	struct frame_entry *list;
	uint32_t n, max;
	uint32_t looks; /* left of LIST_LOOKS_MAX */
};

/* The runs of pages in a table of the space's own, from va on; returns where the list stands. */
static vaddr_t list_pages(const uint64_t *entries, vaddr_t va, struct list_piece *piece)
{
	struct frame_entry *list = piece->list;
	uint32_t first = piece->n;

	for (uint32_t i = pte_index(va, PTE_LEVEL_PAGE); i < PTE_N && piece->looks > 0;
	        i++, va += PAGE_SIZE) {
		struct frame_entry page;

		piece->looks--;
		if (entries[i] == 0) {
			continue;
		}
		page = list_page(va, entries[i]);
		if (piece->n > first && list_page_joins(&list[piece->n - 1], &page)) {
			list[piece->n - 1].n++;
		} else if (piece->n == piece->max) {
			return va;
		} else {
			list[piece->n++] = page;
		}
	}
	return va;
}

/* A directory entry; `level` of the table that it names, or any entry above. */
static struct frame_entry list_table(vaddr_t va, uint64_t entry, uint32_t level)
{
	struct frame_entry table = {.va = va,
	        .pa = pte_frame(entry),
	        .kind = FRAME_LIST_TABLE,
	        .level = (uint8_t)level};

	if (level > PTE_LEVEL_PAGE || pte_table_is_own(entry)) {
		table.n = frame_table_sharers(table.pa);
	} else if (pte_table_is_mirror(entry)) {
		table.kind = FRAME_LIST_MIRROR;
	} else {
		table.kind = FRAME_LIST_ZERO;
		table.n = PTE_N;
	}
	return table;
}

/* Where the next entry of the table is, or the table or the piece ends. */
static vaddr_t list_skip(
        const uint64_t *table, vaddr_t va, uint32_t level, struct list_piece *piece)
{
	do {
		va = (va | ((UINT64_C(1) << pte_shift(level)) - 1)) + 1;
		piece->looks--;
	} while (piece->looks > 0 && pte_index(va, level) != 0 && table[pte_index(va, level)] == 0);
	return va;
}

/*
 * List what is at va, in the last-level table there if it has one, and go to behind it; tables that
 * begin at va come first.
 */
static vaddr_t list_step(const struct mmu_space *space, vaddr_t va, struct list_piece *piece)
{
	paddr_t at = space->arch.root;
	uint32_t level = PTE_LEVEL_ROOT;
	uint64_t entry;

	for (;; level--) {
		entry = table_at(at)[pte_index(va, level)];
		if (entry == 0) {
			return list_skip(table_at(at), va, level, piece);
		}
		if (va % (UINT64_C(1) << pte_shift(level)) == 0) {
			piece->list[piece->n++] = list_table(va, entry, level - 1);
		}
		if (level == PTE_LEVEL_DIRECTORY) {
			break;
		}
		at = pte_frame(entry);
	}
	return pte_table_is_own(entry) ? list_pages(table_at(pte_frame(entry)), va, piece)
	                               : mmu_part_end(va);
}

uint32_t mmu_list(
        const struct mmu_space *space, vaddr_t *at, struct frame_entry *list, uint32_t max)
{
	struct list_piece piece = {.list = list, .max = max, .looks = LIST_LOOKS_MAX};
	vaddr_t va = *at;

	if (va == 0) {
		list[piece.n++] = (struct frame_entry){.pa = space->arch.root,
		        .n = space->n_shared,
		        .kind = FRAME_LIST_TABLE,
		        .level = PTE_LEVEL_ROOT};
		if (space->n_spare > 0) {
			list[piece.n++] =
			        (struct frame_entry){.n = space->n_spare, .kind = FRAME_LIST_SPARE};
		}
	}
	while (piece.looks > 0 && va < ARCH_USER_END && max - piece.n >= LIST_ROOM) {
		va = list_step(space, va, &piece);
	}
	*at = va;
	return piece.n;
}
