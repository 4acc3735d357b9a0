/*
 * Spans are kept in the order they were taken: sets are small (an instance has about a dozen), so
 * lookups walk them. A drawn span starts at a random page inside a random SPAN_ALIGN; what counts
 * as taken is always whole SPAN_ALIGNs.
 */
#include "osd/servers/rs/memory/span.h"

#include "osd/abi/errors.h"

void span_set_init(struct span_set *set)
{
	set->n = 0;
}

/* The page inside the first SPAN_ALIGN is drawn with the top 9 bits of a word. */
#define SPAN_PAGE_SHIFT (64 - 9)
_Static_assert(SPAN_ALIGN / PAGE_SIZE == UINT64_C(1) << (64 - SPAN_PAGE_SHIFT), "a page of a span");
#define SPAN_MARGIN PLACE_MARGIN

static vaddr_t span_down(vaddr_t va)
{
	return va & ~(SPAN_ALIGN - 1);
}

static bool span_is_sane(vaddr_t base, uint64_t bytes)
{
	return bytes > 0 && bytes <= SPAN_END && base < SPAN_END && base + bytes <= SPAN_END;
}

err_t span_set_add(struct span_set *set, vaddr_t base, uint64_t bytes)
{
	if (!span_is_sane(base, bytes)) {
		return E_INVAL;
	}
	if (set->n == SPAN_SET_MAX) {
		return E_FULL;
	}
	set->spans[set->n].low = span_down(base);
	set->spans[set->n].high = span_down(base + bytes - 1) + SPAN_ALIGN;
	set->n++;
	return E_OK;
}

bool span_set_hits(const struct span_set *set, vaddr_t base, uint64_t bytes)
{
	vaddr_t low = span_down(base), high = span_down(base + bytes - 1) + SPAN_ALIGN;

	for (uint32_t i = 0; i < set->n; i++) {
		if (low < set->spans[i].high && set->spans[i].low < high) {
			return true;
		}
	}
	return false;
}

err_t span_set_draw(
        struct span_set *set, uint64_t bytes, const uint64_t random[SPAN_TRIES], vaddr_t *ret_base)
{
	uint64_t room = SPAN_END - SPAN_LOW - SPAN_MARGIN;

	if (bytes == 0 || bytes > room) {
		return E_INVAL;
	}
	for (uint32_t i = 0; i < SPAN_TRIES; i++) {
		uint64_t places = (room - bytes) / SPAN_ALIGN + 1;
		uint64_t page = random[i] >> SPAN_PAGE_SHIFT;
		vaddr_t low = SPAN_LOW + SPAN_ALIGN + random[i] % places * SPAN_ALIGN;
		vaddr_t base = low + page * PAGE_SIZE;

		if (!span_set_hits(set, base - SPAN_ALIGN, bytes + 2 * SPAN_ALIGN)) {
			*ret_base = base;
			return span_set_add(set, base, bytes);
		}
	}
	return E_AGAIN;
}
