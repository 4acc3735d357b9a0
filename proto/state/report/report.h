/*
 * What a pairing or a transfer finds, and the scratch memory it works in.
 *
 * A *report* is the one way in which an error becomes words: the first failure fills the caller's
 * result, later ones change nothing. To name the variable and the member at fault it asks the
 * *where*, which whoever works keeps up to date: pairing moves along the types of an entry by
 * names (`path`), a transfer along the bytes of one old value (`old`).
 */
#pragma once

#include "proto/state/report/base.h"

/*
 * One block of memory from the caller, used from both ends: what stays is kept at the low end,
 * what is needed for a moment is stacked at the high end, and popped by putting `high` back.
 */
struct state_scratch {
	uint8_t *base;
	uint64_t low;  /* below: kept */
	uint64_t high; /* above: stacked */
};

struct state_path {
	const struct state_path *up; /* on the callers' stacks */
	const char *name;
};

/* Where the work stands. */
struct state_where {
	enum state_age age;
	uint32_t entry; /* of that age, or STATE_NONE: nowhere that has a name */
	uint64_t old;   /* address of the old value; 0 while pairing: then path says more */
	unsigned bit;   /* of a bitfield, from the byte at fault */
	const struct state_path *path;
	/* Unions around the value at hand, by their old addresses, and which member is alive. */
	uint64_t live_union[STATE_DEPTH];
	uint32_t live_member[STATE_DEPTH];
	uint32_t n_live;
};

struct state_losses;

struct state_report {
	struct state_result *result; /* the caller's */
	const struct state_sides *sides;
	struct state_where *where; /* of the pairing, later of the transfer */
	struct state_scratch scratch;
	bool quiet; /* failures are not reported: the caller tries, and does not mind */

	/* Losses and what else is told without being an error. */
	bool accepts_loss;         /* somebody consented */
	bool is_default;           /* making defaults of handlers: removed state may be theirs */
	uint32_t n_refused;        /* losses that nobody agreed to */
	const char *first_refused; /* in words */
	struct state_notice *notices;
	const struct state_losses
	        *losses; /* while is_default: what the plan in the making would lose */
};

struct state_field;

/*
 * scratch.c: zeroed memory, aligned to 16, or NULL with STATE_E_SCRATCH reported. What is kept is
 * never given back.
 */
void *state_keep(struct state_report *r, uint64_t size);
void *state_stack(struct state_report *r, uint64_t size);

/* A place inside what an old entry describes. */
struct state_spot {
	uint32_t entry;
	uint64_t off; /* bytes, from the variable's, function's or object's start */
};

/* report.c: all return `code`. */
enum state_code state_fail(
        struct state_report *r, enum state_code code, const char *what, uint64_t value);
enum state_code state_fail_at(struct state_report *r, enum state_code code, const char *what,
        uint64_t value, const void *old);
/* Without a number. */
enum state_code state_fail_place(
        struct state_report *r, enum state_code code, const char *what, const void *old);
/* For a pointer at `old` that leads to the spot: addresses are nobody's business. */
enum state_code state_fail_pointer(struct state_report *r, enum state_code code, const char *what,
        const struct state_spot *spot, const void *old);
/* For a pointer at `old` into a row of the constant table `entry`. */
enum state_code state_fail_row(struct state_report *r, enum state_code code, uint32_t entry,
        uint32_t row, const void *old);
/* For an object of the site `entry` that would have so many bytes, of at most so many. */
enum state_code state_fail_size(
        struct state_report *r, uint32_t entry, uint64_t bytes, uint64_t most);
/* At a member of the value at hand. */
enum state_code state_fail_member(struct state_report *r, enum state_code code, const char *what,
        uint64_t value, const char *member);
/* For what is no member of an entry. */
enum state_code state_fail_named(
        struct state_report *r, enum state_code code, const char *what, const char *name);
