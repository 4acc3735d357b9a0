/*
 * Inside the transfer engine: the one struct that everything hangs on. It lies at the start of the
 * scratch memory, which is used from both ends: what stays is kept at the low end, what is needed
 * for a moment is stacked at the high end.
 *
 * Files: pair.c site.c item.c (entries), plan*.c (types), field.c (members and annotations), walk.c
 * (old heap), run.c (copying), pointer.c and offset.c (where pointers lead), report.c (words).
 */
#pragma once

#include "osd/lib/state/walk.h"

#define STATE_CACHE_SLOTS 512

struct state_cache {
	const struct state_pointer *pointer;
	uint32_t type[_STATE_AGE_N];
	uint64_t old_off;
	uint64_t new_off;
};

struct state_path {
	const struct state_path *up;
	const char *name;
};

struct state_transfer {
	struct state_result *result;
	uint8_t *scratch;
	uint64_t low;  /* below: kept */
	uint64_t high; /* above: stacked */
	struct state_desc desc[_STATE_AGE_N];
	const uint64_t *addr[_STATE_AGE_N];
	uint32_t *partner; /* new entry of each old one, or STATE_NONE */
	struct state_plan *plans[STATE_PLAN_BUCKETS];
	struct state_handler *handlers; /* without default so far */
	bool strict;
	bool has_renamed_types;
	uint64_t ops_top;
	unsigned depth;  /* of plans in the making */
	bool quiet;      /* errors are not reported: the caller tries */
	bool is_default; /* making defaults of handlers: removed state is theirs */
	uint64_t random;

	struct state_job *jobs;
	uint32_t n_jobs;
	struct state_site *sites; /* sorted by old_addr */
	uint32_t n_sites;
	struct state_item *items; /* sorted by start, disjoint */
	uint32_t n_items;
	uint32_t *buckets; /* last item that starts at or before the bucket's first byte */
	uint32_t n_buckets;
	unsigned bucket_shift;
	struct state_heap heap;
	uint64_t heap_root; /* old address, 0: the old release has no heap */

	/* Where we are, for the words of an error. */
	enum state_age root_age;
	uint32_t root_entry;
	uint64_t root_old; /* address of the old value; 0 while pairing */
	unsigned fail_bit; /* of a bitfield, from the byte at fault */
	const struct state_path *path;
	uint64_t live_union[STATE_DEPTH];
	uint32_t live_member[STATE_DEPTH];
	uint32_t n_live;
	struct state_cache cache[STATE_CACHE_SLOTS];
};
