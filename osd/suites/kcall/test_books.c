/*
 * The books of memory, as who keeps them does: what was mapped where is written down here, in spaces that
 * share frames, and now and then compared with what the kernel lists, which must be that and no more.
 */
#include "osd/suites/kcall/kcall.h"

#define N_BOOKS 3u
#define N_PARTS 2u  /* last-level tables of each that are mapped into */
#define N_AT 16u    /* pages from the beginning of each */
#define N_SHARED 8u /* frames, which any of them may map anywhere */
#define N_STEPS 240u
#define TABLE_PAGES 512u
#define TABLE_BYTES (TABLE_PAGES * PAGE_SIZE)
#define MIRROR_VA (CHILD_FREE_VA + N_PARTS * TABLE_BYTES)
#define MIRROR_PAGES 3u

struct page {
	paddr_t pa; /* 0: the zero frame */
	uint8_t prot;
	bool is_there, is_listed;
};

static struct book {
	struct child child;
	struct page pages[N_PARTS][N_AT];
	/* Of the list that is being read. */
	uint32_t n_tables, n_spare, n_given, n_mirrors, n_pins, n_gone_astray;
	paddr_t mirrored;
} books[N_BOOKS];

static paddr_t frames;
static uint64_t state;

static uint32_t draw(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32) % below;
}

/* The first of the spaces has the frames, and a table that the last one mirrors. */
static void books_new(void)
{
	struct space_op op = {.kind = SPACE_MAP, .n_pages = MIRROR_PAGES, .va = MIRROR_VA};

	for (uint32_t i = 0; i < N_BOOKS; i++) {
		books[i] = (struct book){0};
		child_space_new(&books[i].child);
	}
	frames = child_frames(&books[0].child, N_SHARED);
	op.arg = frames;
	op.prot = PROT_R;
	IS(E_OK, child_map(&books[0].child, op));
	op.kind = SPACE_MIRROR;
	op.n_pages = TABLE_PAGES;
	op.arg = books[0].child.space;
	IS(E_OK, child_map(&books[N_BOOKS - 1].child, op));
}

static void books_free(void)
{
	for (uint32_t i = N_BOOKS; i-- > 0;) {
		child_free(&books[i].child);
	}
}

/* May the operation be done to the page? A map takes no page's place; only frames are protected. */
static bool page_may(const struct page *page, uint32_t kind)
{
	if (kind == SPACE_MAP) {
		return !page->is_there;
	}
	return kind != SPACE_PROTECT || !page->is_there || page->pa != 0;
}

static void page_do(struct page *page, const struct space_op *op, uint32_t i)
{
	if (op->kind == SPACE_MAP) {
		*page = (struct page){op->arg + i * PAGE_SIZE, (uint8_t)op->prot, true, false};
	} else if (op->kind == SPACE_UNMAP) {
		page->is_there = false;
	} else if (op->kind == SPACE_PROTECT && page->is_there) {
		page->prot = (uint8_t)op->prot;
	} else if (op->kind == SPACE_ZERO_ABSENT && !page->is_there) {
		*page = (struct page){0, PROT_R, true, false};
	}
}

static void books_step(void)
{
	static const uint32_t kinds[] = {
	        SPACE_MAP, SPACE_MAP, SPACE_UNMAP, SPACE_UNMAP, SPACE_PROTECT, SPACE_ZERO_ABSENT};
	struct book *book = &books[draw(N_BOOKS)];
	uint32_t n = 1 + draw(N_SHARED), first = draw(N_AT - n + 1), part = draw(N_PARTS);
	struct page *pages = &book->pages[part][first];
	struct space_op op = {.kind = kinds[draw(6)],
	        .va = CHILD_FREE_VA + part * TABLE_BYTES + first * PAGE_SIZE,
	        .n_pages = n,
	        .prot = draw(2) ? PROT_R : PROT_R | PROT_W};

	if (op.kind == SPACE_MAP) {
		op.arg = frames + draw(N_SHARED - n + 1) * PAGE_SIZE;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (!page_may(&pages[i], op.kind)) {
			return;
		}
	}
	IS(E_OK, child_map(&book->child, op));
	for (uint32_t i = 0; i < n; i++) {
		page_do(&pages[i], &op, i);
	}
}

/* Is there such a page, not listed before? */
static void pages_listed(struct book *book, const struct frame_entry *entry)
{
	for (uint64_t i = 0; i < entry->n; i++) {
		uint64_t at = (entry->va - CHILD_FREE_VA) / PAGE_SIZE + i;
		paddr_t pa = entry->kind == FRAME_LIST_ZERO ? 0 : entry->pa + i * PAGE_SIZE;
		struct page *page = at / TABLE_PAGES < N_PARTS && at % TABLE_PAGES < N_AT
		                            ? &book->pages[at / TABLE_PAGES][at % TABLE_PAGES]
		                            : NULL;

		if (page != NULL && page->is_there && !page->is_listed && page->pa == pa &&
		        page->prot == entry->prot) {
			page->is_listed = true;
		} else {
			/* The pages that the last one mirrors are of the first one. */
			book->n_gone_astray += entry->va != MIRROR_VA || entry->pa != frames ||
			                       entry->n != MIRROR_PAGES || book != &books[0];
		}
	}
}

static void entry_listed(struct book *book, const struct frame_entry *entry)
{
	switch ((enum frame_kind)entry->kind) {
	case FRAME_LIST_TABLE:
		book->n_tables++;
		book->n_pins += entry->level == 0 ? entry->n : 0;
		/* Made of what the space was given, which begins with its root. */
		book->n_gone_astray += entry->pa - book->child.chunk > CHILD_TABLES * PAGE_SIZE;
		if (entry->level == 0 && entry->va == MIRROR_VA) {
			book->mirrored = entry->pa;
		}
		return;
	case FRAME_LIST_PAGES:
	case FRAME_LIST_ZERO:
		pages_listed(book, entry);
		return;
	case FRAME_LIST_MIRROR:
		book->n_mirrors++;
		book->n_gone_astray += entry->va != MIRROR_VA || entry->pa != books[0].mirrored;
		return;
	case FRAME_LIST_SPARE:
		book->n_spare += entry->n;
		return;
	case FRAME_LIST_FPU:
	case FRAME_LIST_OBJECT:
	case FRAME_LIST_DOMAIN:
		book->n_given += entry->n;
		return;
	case FRAME_LIST_SPACE:
	case FRAME_LIST_DEVICE:
	case FRAME_LIST_GATE:
		book->n_gone_astray++;
	}
}

static void book_read(struct book *book)
{
	struct frame_entry list[FRAME_LIST_MAX];
	uint64_t at = 0;

	book->n_tables = book->n_spare = book->n_given = book->n_mirrors = book->n_pins = 0;
	book->n_gone_astray = 0;
	while (at != ~0ul) {
		uint64_t max = FRAME_LIST_MIN + draw(FRAME_LIST_MAX - FRAME_LIST_MIN + 1);
		err_t n = sys_frame_list(book->child.space, at, list, max, &at);

		if (!OK(n >= 0 && n <= (err_t)max)) {
			return;
		}
		for (err_t i = 0; i < n; i++) {
			entry_listed(book, &list[i]);
		}
	}
}

static uint32_t pages_missing(struct book *book)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < N_PARTS * N_AT; i++) {
		struct page *page = &book->pages[i / N_AT][i % N_AT];

		n += page->is_there && !page->is_listed;
		page->is_listed = false;
	}
	return n;
}

static void books_compare(void)
{
	for (uint32_t i = 0; i < N_BOOKS; i++) {
		struct book *book = &books[i];

		book_read(book);
		IS(0, book->n_gone_astray);
		IS(0, pages_missing(book));
		IS(1 + book->child.n_tables, book->n_tables + book->n_spare);
		IS(book->child.n_given, book->n_given);
		IS(i == N_BOOKS - 1, book->n_mirrors);
		IS(i == 0, book->n_pins);
	}
}

static void test_books(void)
{
	state = 0x9e3779b97f4a7c15 ^ bare_option("seed", 1);
	books_new();
	for (uint32_t i = 0; i < N_STEPS; i++) {
		books_step();
		if (i % 8 == 7) {
			books_compare();
		}
	}
	books_free();
}

/* Each space with its number, its root, its tables and its owner. */
static void test_accounts(void)
{
	struct frame_entry list[FRAME_LIST_MAX];
	uint32_t n_found = 0;
	uint64_t at = 0;
	struct puppet owner;

	puppet_new(&owner, 0, "owner", 0);
	books_new();
	IS(E_OK, sys_space_give(books[1].child.space, owner.child.ep));
	while (at != ~0ul) {
		err_t n = sys_frame_list(FRAME_LIST_SPACES, at, list, FRAME_LIST_MAX, &at);

		for (err_t i = 0; i < n; i++) {
			for (uint32_t b = 0; b < N_BOOKS; b++) {
				if (list[i].space != books[b].child.space) {
					continue;
				}
				n_found++;
				IS(FRAME_LIST_SPACE, list[i].kind);
				IS(b == 1 ? owner.child.ep : EP_RS, list[i].owner);
				IS(books[b].child.chunk, list[i].pa);
				IS(1 + books[b].child.n_tables, list[i].n);
			}
		}
	}
	IS(N_BOOKS, n_found);
	books_free();
	puppet_free(&owner);
}

const struct test tests_books[] = {
        {"books of spaces that share frames", test_books},
        {"spaces are listed with their owners", test_accounts},
        {0},
};
