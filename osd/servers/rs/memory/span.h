#pragma once
/*
 * Drawing address spans for an instance: at random, and disjoint from everything that is taken, at
 * the granularity that page-table sharing needs: an old instance is shown to a new one by sharing
 * last-level page tables, each of which maps SPAN_ALIGN, so no table may serve both. Pure: the
 * caller brings the random words.
 */
#include "osd/abi/types.h"
#include "proto/image/place.h"

#define SPAN_ALIGN PLACE_STEP
#define SPAN_LOW PLACE_LOW
#define SPAN_END PLACE_END
/* Regions of an old instance (RS_N_REGIONS at most) and what the new one draws. */
#define SPAN_SET_MAX 192
#define SPAN_TRIES 8

struct span {
	vaddr_t low, high; /* multiples of SPAN_ALIGN */
};

struct span_set {
	uint32_t n;
	struct span spans[SPAN_SET_MAX];
};

/* Nothing is taken. */
void span_set_init(struct span_set *set);
/* Mark [base, base + bytes) as taken. E_FULL, E_INVAL (empty, or beyond the address space). */
err_t span_set_add(struct span_set *set, vaddr_t base, uint64_t bytes);
/* Does [base, base + bytes), widened to SPAN_ALIGN, touch what is taken? */
bool span_set_hits(const struct span_set *set, vaddr_t base, uint64_t bytes);
/*
 * Draw a page-aligned place for `bytes` and take it. A free SPAN_ALIGN stays on both sides as a
 * guard. random: SPAN_TRIES words. E_AGAIN: every try hit something; call again with other words.
 * E_FULL, E_INVAL.
 */
err_t span_set_draw(
        struct span_set *set, uint64_t bytes, const uint64_t random[SPAN_TRIES], vaddr_t *ret_base);
