/*
 * Layouts that become an instance's: all of the image is there, RS keeps what it needs, and whatever is
 * refused, it has lost count of nothing.
 */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "osd/abi/errors.h"
#include "osd/servers/rs/layout/play.h"

static const struct page *page_at(vaddr_t va)
{
	for (uint32_t i = 0; i < n_pages; i++) {
		if (pages[i].va == va) {
			return &pages[i];
		}
	}
	return NULL;
}

/*
 * All of the image, byte for byte, is the instance's, zeros included; RS keeps what it needs for the
 * next update, and the budget has room again.
 */
static void test_give(void)
{
	struct layout_kit kit = kit_good();
	struct layout layout = {0};
	static uint8_t copy[64 * PAGE_SIZE];
	uint64_t all, given = 0, kept;
	uint32_t piece, offset;

	assert(layout_make(&kit, release, &audit, &nothing, &layout) == E_OK);
	all = layout.n_mapped;
	n_left = all;
	assert(layout.n_bytes <= sizeof(copy));
	memcpy(copy, layout.payload, layout.n_bytes);
	assert(!layout.is_given && layout_give(&layout, SPACE) == E_OK && layout.is_given);
	for (uint32_t i = 0; i < layout.image.header->n_segments; i++) {
		const struct image_segment *s = &layout.image.segments[i];

		for (uint64_t at = 0; at < s->mem_size; at++) {
			const struct page *page = page_at(s->vaddr + at / PAGE_SIZE * PAGE_SIZE);

			assert(page->prot == s->prot);
			assert(page->bytes[at % PAGE_SIZE] ==
			        (at < s->file_size ? copy[s->file_off + at] : 0));
		}
		given += (s->file_size + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE;
	}
	kept = layout.image.header->symbols_off + layout.image.header->n_symbols * sizeof(uint64_t);
	assert(layout.n_mapped == all - given && n_left == layout.n_mapped);
	assert(memcmp(layout.payload, copy, kept) == 0);
	assert(layout_locate(&kit, &layout, layout.image.header->entry, &piece, &offset));
	assert(layout_give(&layout, SPACE) == E_STATE);
	layout_free(&layout);
	assert(n_taken == 0);
	n_pages = 0;
	kit_free(&kit);
}

/* The same layout a second time: there is room for it when the segments of the first are gone. */
static void test_give_budget(void)
{
	struct layout_kit kit = kit_good();
	struct layout first = {0}, second = {0};
	uint64_t work = (link_scratch_size(&kit.view) + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
	uint64_t word_was = word, all, kept;

	assert(layout_make(&kit, release, &audit, &nothing, &first) == E_OK);
	n_left = all = first.n_mapped;
	assert(layout_give(&first, SPACE) == E_OK && first.n_mapped < all);
	kept = first.n_mapped;
	layout_free(&first);
	layout_init(work + all + kept);
	word = word_was;
	assert(layout_make(&kit, release, &audit, &nothing, &first) == E_OK);
	n_left = all;
	word = word_was;
	assert(layout_make(&kit, release, &audit, &nothing, &second) == E_STORE_FULL);
	n_left = all;
	assert(layout_give(&first, SPACE) == E_OK);
	word = word_was;
	assert(layout_make(&kit, release, &audit, &nothing, &second) == E_OK);
	layout_free(&first);
	layout_free(&second);
	n_pages = 0;
	layout_init(BUDGET);
	kit_free(&kit);
}

/* Whatever is refused, RS has lost count of nothing. */
static void test_give_refused(void)
{
	struct layout_kit kit = kit_good();
	struct layout layout = {0};
	err_t err = E_NOMEM;

	for (uint32_t n = 0; err != E_OK; n++) {
		uint64_t all;

		assert(layout_make(&kit, release, &audit, &nothing, &layout) == E_OK);
		n_left = all = layout.n_mapped;
		n_until_refused = n;
		err = layout_give(&layout, SPACE);
		n_until_refused = UINT32_MAX;
		assert(err == E_OK || (n < 4 && n_left <= all && (n > 0 || n_left == all)));
		assert(layout.is_given && layout.n_mapped == n_left);
		layout_free(&layout);
		n_pages = 0;
	}
	kit_free(&kit);
}

int main(void)
{
	play_begin();
	test_give();
	test_give_budget();
	test_give_refused();
	return 0;
}
