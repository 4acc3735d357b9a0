/*
 * Inside the transfer engine: the one struct that everything hangs on. It lies at the start of the
 * scratch memory, which is used from both ends: what stays is kept at the low end, what is needed
 * for a moment is stacked at the high end.
 *
 * Pairing fills it here: pair.c site.c item.c (entries), plan*.c (types), field.c (members and
 * annotations), report.c (words). What follows in the machine is in osd/lib/state.
 */
#pragma once

#include "proto/state/plan/plan.h"

#define STATE_CACHE_SLOTS 512

struct state_batch; /* the machine's, osd/lib/state/walk.h, as are the next two */
struct state_run;
struct state_forecast;

/* Joins an old allocation site with the new site and the plan of its objects. */
struct state_site {
	uint64_t old_addr;
	uint64_t new_addr; /* 0: no partner */
	uint32_t entry[_STATE_AGE_N];
	uint32_t align;
	uint32_t n_dropped;
	uint32_t size[_STATE_AGE_N];
	uint32_t type[_STATE_AGE_N];
	const struct state_plan *plan;
	struct state_batch *batches;
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

/* A part of an old value that lives elsewhere now, as a handler said. */
struct state_place {
	uint64_t start;
	uint64_t size;
	uint64_t new_addr;
	uint64_t count; /* values of these types side by side */
	uint32_t type[_STATE_AGE_N];
};

struct state_job {
	const struct state_plan *plan;
	uint64_t addr[_STATE_AGE_N];
	uint32_t entry[_STATE_AGE_N];
};

/* The old heap, once it is walked. */
struct state_heap {
	uint64_t base;
	uint64_t size;
	uint64_t n_bytes; /* of the pages that run_of_page covers */
	uint32_t n_pages;
	uint32_t n_runs;       /* run 0 has no slots, and stride 1 */
	uint32_t *run_of_page; /* 0: no objects */
	struct state_run *runs;
	uint64_t n_bytes_placed;
	uint64_t n_objects;
	struct state_forecast *forecasts;
	struct state_forecast **forecast_of_page;
	uint32_t n_foreseen; /* pages */
};

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
	uint8_t *unsure;   /* of each old one without: there are several that it may be */
	struct state_notice *notices;
	uint32_t n_refused;        /* losses that nobody agreed to */
	const char *first_refused; /* in words */
	struct state_plan *plans[STATE_PLAN_BUCKETS];
	struct state_handler *handlers; /* without default so far */
	bool accepts_loss;
	bool has_renamed_types;
	bool has_handlers;
	uint64_t ops_top;
	unsigned depth;  /* of plans in the making */
	bool quiet;      /* errors are not reported: the caller tries */
	bool is_default; /* making defaults of handlers: removed state may be theirs */
	const struct state_losses *losses; /* then: what the plan in the making would lose */
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

	struct state_place *places; /* sorted by start, disjoint */
	uint32_t n_places;
	uint32_t places_capacity;
	struct state_rows *rows; /* of constant tables, as far as they were asked for */
	uint32_t n_unsettled;    /* pointers that wait for places */
	bool is_settled;         /* no handler will run any more, or one runs: nothing can wait */

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

/* partner.c: fills t->partner and t->unsure. */
enum state_code state_partners_make(struct state_transfer *t);

/* name.c: does the path `unit` end in these components? */
bool state_unit_matches(const char *unit, const char *file, size_t len);

/* dropped.c: may it be lost, as one of the two releases says? `name` as in an error. */
bool state_entry_is_dropped(const struct state_transfer *t, uint32_t i);
/* The same, by the new release's words only: what is merely expendable may have a place there. */
bool state_entry_is_named_dropped(const struct state_transfer *t, uint32_t i);
bool state_type_is_dropped(const struct state_transfer *t, uint32_t old_type, const char *name);
bool state_member_is_dropped(
        const struct state_transfer *t, uint32_t new_type, const struct state_field *old);

/* stray.c */
enum state_taken {
	STATE_TAKEN_NOT,
	STATE_TAKEN_BY_KEY,
	STATE_TAKEN_BY_NOTE, /* somebody said whose partner it is */
	STATE_TAKEN_MOVED,
};
/* Pair what has no partner under its own file and function; taken[k], an enum state_taken, says how
 * new entry k got one. */
enum state_code state_strays_pair(struct state_transfer *t, uint8_t taken[]);

/* signature.c: may pointers to the old function i lead to the new function k? */
bool state_signatures_match(const struct state_transfer *t, uint32_t i, uint32_t k);

/* site.c */
/* May values of the old type become values of the new type, by their names? Not exact: numbers and
 * pointers of any name. */
bool state_types_alike(
        const struct state_transfer *t, uint32_t old_type, uint32_t new_type, bool exact);
enum state_code state_sites_pair(struct state_transfer *t);
struct state_site *state_site_find(const struct state_transfer *t, uint64_t old_addr);

/* item.c */
enum state_code state_items_make(struct state_transfer *t);
/* The item that holds, or ends at, an old address; NULL: none. */
struct state_item *state_item_find(const struct state_transfer *t, uint64_t value);
