/* Between the files of this room: doing what the plans say. */
#pragma once

#include "osd/lib/state/pointer/bits.h"
#include "osd/lib/state/pointer/pointer.h"
#include "osd/lib/state/state_transfer.h"

/*
 * A transfer on its way. The heap lies here, not behind a pointer: the inner loop asks it where
 * nearly every pointer leads.
 */
struct state_transfer {
	struct state_heap heap;
	struct state_where where; /* for the words of an error */
	struct state_mapper map;
	const struct state_pairing *pairing;
	struct state_report *report;
};

/* run.c */
enum state_code state_plan_run(
        struct state_transfer *t, const struct state_plan *plan, const uint8_t *old, uint8_t *new);
/* All objects of the old heap, run after run. */
enum state_code state_objects_run(struct state_transfer *t);
/* The case of a union that is alive, by the tag in the new record, or NULL. */
const struct state_case *state_union_case(const struct state_union *u, const uint8_t *new);

/* number.c: one operation on numbers, state_run_bits() on one, the others on op->count of them. */
enum state_code state_run_int(
        struct state_report *r, const struct state_op *op, const uint8_t *old, uint8_t *new);
enum state_code state_run_bool(
        struct state_report *r, const struct state_op *op, const uint8_t *old, uint8_t *new);
enum state_code state_run_enum(
        struct state_report *r, const struct state_op *op, const uint8_t *old, uint8_t *new);
enum state_code state_run_bits(
        struct state_report *r, const struct state_op *op, const uint8_t *old, uint8_t *new);
void state_run_float(const struct state_op *op, const uint8_t *old, uint8_t *new);

/* settle.c: the pointers that waited, when all handlers have run. */
enum state_code state_settle(struct state_transfer *t);
