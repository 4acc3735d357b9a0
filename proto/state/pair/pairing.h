/*
 * The result of pairing: all that a transfer needs and that depends on the binaries only. It lies
 * at the start of the scratch memory.
 *
 *	entries -> partner[]      partner.c stray.c
 *	           jobs[]         pair.c      variables to carry over, each with its plan
 *	           sites          site.c      where objects come from, each with its plan
 *	           items          item.c      whatever else old pointers may lead to
 */
#pragma once

#include "proto/state/plan/plan.h"

struct state_batch; /* of who fills the sites: osd/lib/state/heap */

/* Joins an old allocation site with the new site and the plan of its objects. */
struct state_site {
	uint64_t old_addr;
	uint64_t new_addr; /* 0: no partner */
	uint32_t entry[_STATE_AGE_N];
	uint32_t align;
	uint32_t n_dropped; /* objects without a place: the transfer counts them */
	uint32_t size[_STATE_AGE_N];
	uint32_t type[_STATE_AGE_N];
	const struct state_plan *plan;
	struct state_batch *batches; /* the transfer's */
};

/* Something with a fixed address that old pointers may lead to. */
struct state_item {
	uint64_t start;
	uint64_t size;
	uint64_t new_addr; /* 0: no partner */
	uint32_t entry[_STATE_AGE_N];
	bool is_handled; /* a handler may say where parts of it live now */
	bool is_changed; /* a function with another signature now: nothing may lead to it */
	bool is_kept;    /* a constant table whose rows are all where they were */
	bool is_noted;   /* of a function in another file now: the result says so */
};

/* Sorted by old_addr. */
struct state_sites {
	struct state_site *site;
	uint32_t n;
};

/* Sorted by start, disjoint; bucket b is the last item that starts at or before the first byte of
 * its stretch of 1 << shift bytes. */
struct state_items {
	struct state_item *item;
	uint32_t n;
	uint32_t *bucket;
	uint32_t n_buckets;
	unsigned shift;
};

/* A variable to carry over. */
struct state_job {
	const struct state_plan *plan;
	uint64_t addr[_STATE_AGE_N];
	uint32_t entry[_STATE_AGE_N];
};

struct state_pairing {
	struct state_sides sides;
	struct state_report report;
	struct state_where where; /* until a transfer brings its own */
	struct state_maker maker;
	uint32_t *partner;      /* new entry of each old one, or STATE_NONE */
	uint8_t *unsure;        /* of each old one without: there are several that it may be */
	struct state_job *jobs; /* in the order of entries */
	uint32_t n_jobs;
	struct state_sites sites;
	struct state_items items;
	uint64_t heap_root; /* old address, 0: the old release has no heap */
};

/* partner.c: fills p->partner and p->unsure. */
enum state_code state_partners_make(struct state_pairing *p);

/* stray.c */
enum state_taken {
	STATE_TAKEN_NOT,
	STATE_TAKEN_BY_KEY,
	STATE_TAKEN_BY_NOTE, /* somebody said whose partner it is */
	STATE_TAKEN_MOVED,
	_STATE_TAKEN_N,
};
/* Pair what has no partner under its own file and function; taken[k], an enum state_taken, says how
 * new entry k got one. */
enum state_code state_strays_pair(struct state_pairing *p, uint8_t taken[]);

/* site.c */
enum state_code state_sites_pair(struct state_pairing *p);
struct state_site *state_site_find(const struct state_sites *sites, uint64_t old_addr);

/* item.c */
enum state_code state_items_make(struct state_pairing *p);
/* The item that holds, or ends at, an old address; NULL: none. */
struct state_item *state_item_find(const struct state_items *items, uint64_t value);
