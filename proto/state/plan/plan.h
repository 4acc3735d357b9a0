/*
 * A *plan* says how a value of an old type becomes a value of a new one: a row of operations with
 * offsets from the value's start. Plans are made while pairing, once for each pair of types.
 */
#pragma once

#include "proto/state/match/field.h"
#include "proto/state/plan/loss.h"

#define STATE_PLAN_BUCKETS 256 /* a power of two */
#define STATE_INLINE_OPS 8     /* longer plans of members are called, not copied */

struct state_site;

enum state_op_code {
	STATE_OP_COPY,    /* size bytes */
	STATE_OP_POINTER, /* count pointers; sub: struct state_pointer */
	STATE_OP_INT,     /* count integers that change their width or sign */
	STATE_OP_BOOL,    /* count bytes that must be 0 or 1 */
	STATE_OP_ENUM,    /* count enumerators that change their value; sub: struct state_enum */
	STATE_OP_FLOAT,   /* count floats that become doubles */
	STATE_OP_BITS,    /* one bitfield; sub: struct state_bits_move */
	STATE_OP_ZERO,    /* size old bytes that have no new place: must be zero */
	STATE_OP_REPEAT,  /* count values; sub: struct state_plan */
	STATE_OP_UNION,   /* sub: struct state_union */
	STATE_OP_HANDLER, /* sub: struct state_handler */
	_STATE_OP_N,
};

struct state_op {
	uint8_t code; /* enum state_op_code */
	struct {
		uint8_t width; /* bytes */
		bool is_signed;
		uint8_t n_bits; /* of the value: 1 for a bool */
	} number[_STATE_AGE_N];
	uint32_t count;
	uint32_t old_off;
	uint32_t new_off;
	uint32_t size;
	uint32_t old_stride;
	uint32_t new_stride;
	const void *sub;
	uint64_t zero; /* sizeof is a multiple of 16: ops are stacked in scratch memory */
};

struct state_plan {
	struct state_plan *next; /* same bucket */
	uint32_t type[_STATE_AGE_N];
	uint64_t size[_STATE_AGE_N];
	uint32_t n_ops;
	bool is_done;         /* false while in the making */
	bool is_flat;         /* one copy of all bytes */
	bool is_bits;         /* old bytes can stand as new bytes */
	bool has_handler;     /* somewhere: what is in such a value may live elsewhere */
	enum state_code code; /* why there is no plan */
	const struct state_losses *losses; /* met while defaults were made */
	struct state_op *ops;
};

enum state_target {
	STATE_TARGET_ANY,   /* void, incomplete types */
	STATE_TARGET_BYTES, /* characters: may look into anything */
	STATE_TARGET_FUNCTION,
	STATE_TARGET_OBJECT,
	_STATE_TARGET_N,
};

/* What is known of a pointer before its value is. */
struct state_pointer {
	enum state_target target;
	uint32_t type[_STATE_AGE_N]; /* pointed to, stripped */
	bool has_length;
	struct state_bits length;      /* in the old record, from the pointer's place */
	uint64_t old_size;             /* of what is pointed to */
	const struct state_site *near; /* objects it was found to fit */
};

/* The new values of an old enum's values, extended to 64 bits as each enum's sign says. */
struct state_enum {
	uint32_t n;
	struct {
		int64_t value[_STATE_AGE_N];
		bool parts; /* it had several enumerators, which differ now */
	} row[];
};

struct state_bits_move {
	struct state_bits bits[_STATE_AGE_N];
	uint8_t n_bits;               /* of the new value: 1 for a bool */
	const struct state_enum *map; /* NULL: the number stays */
};

struct state_case {
	int64_t value;
	uint32_t old_member;
	const struct state_plan *plan; /* NULL: nothing is carried over */
};

struct state_union {
	struct state_bits tag; /* in the new record, from the union's place */
	uint32_t size[_STATE_AGE_N];
	uint32_t n_cases;
	bool is_empty_else; /* at a value that no member claims; else it must hold zeros then */
	struct state_case cases[];
};

struct state_handler {
	struct state_handler *next; /* of those whose default is not made yet */
	state_handler_t call;
	uint32_t type[_STATE_AGE_N];
	uint32_t version[_STATE_AGE_N];
	const struct state_plan *plan;     /* the default; NULL: there is none */
	const struct state_losses *losses; /* of the default */
};

/*
 * Who makes plans: those that are done, by pair of types, and the one in the making. Needed while
 * pairing only; what it made stays.
 */
struct state_maker {
	struct state_report *report;
	const struct state_sides *sides;
	struct state_plan *plans[STATE_PLAN_BUCKETS];
	struct state_handler *handlers; /* without a default so far */
	bool has_handlers;              /* some plan has one */
	uint64_t ops_top; /* of scratch memory: the operations in the making lie below it */
	unsigned depth;   /* of plans in the making, one inside another */
};

/*
 * plan.c. A plan in the making is the operations between high and ops_top. Functions that return a
 * code push operations for one value that starts at offset 0, or report why not.
 */
const struct state_plan *state_plan_get(
        struct state_maker *m, uint32_t old_type, uint32_t new_type);
/* A plan of one member pair alone, as of a union. */
const struct state_plan *state_plan_of_field(
        struct state_maker *m, const struct state_field *old, const struct state_field *new);
/* A plan of one variable that carries notes of its own. */
const struct state_plan *state_plan_of_notes(struct state_maker *m, uint32_t old_type,
        uint32_t new_type, const struct state_notes *old, const struct state_notes *new);
/* The defaults of all handlers met so far. */
void state_plan_defaults(struct state_maker *m);
struct state_op *state_op_push(struct state_report *r, enum state_op_code code);
enum state_code state_op_copy(struct state_report *r, uint64_t size);
enum state_code state_plan_append(struct state_report *r, const struct state_plan *plan);
/* Honour skip, raw, handler and version; *ret_done: nothing else is to be done. */
enum state_code state_plan_noted(struct state_maker *m, const uint32_t type[2],
        const struct state_notes *old, const struct state_notes *new, bool *ret_done);

/* op.c: move the operations from the stack into the plan. */
enum state_code state_plan_close(struct state_maker *m, struct state_plan *plan);

/* plan_array.c */
enum state_code state_plan_array(struct state_maker *m, uint32_t old_type, uint32_t new_type);

/* plan_when.c: what an annotation writes, as a value of the tag's type. False: it is none. */
bool state_when_value(
        const struct state_desc *desc, uint32_t tag_type, const char *text, int64_t *ret);
/* Can the tag have this value? */
bool state_tag_holds(const struct state_desc *desc, uint32_t tag_type,
        const struct state_bits *bits, int64_t value);
/* What an old tag's value is in the new release. False: it has no enumerator there. */
bool state_tag_value_now(
        const struct state_sides *s, uint32_t old_type, uint32_t new_type, int64_t *value);

/* plan_number.c */
enum state_code state_plan_number(struct state_report *r, uint32_t old_type, uint32_t new_type);
enum state_code state_plan_bits(
        struct state_report *r, const struct state_field *old, const struct state_field *new);

/* plan_record.c */
enum state_code state_plan_record(struct state_maker *m, uint32_t old_type, uint32_t new_type);
/* `around`: the new record's members, whose partners are in around_old; NULL: no siblings. */
enum state_code state_plan_field(struct state_maker *m, const struct state_fields *around_old,
        const struct state_fields *around, const struct state_field *old,
        const struct state_field *new);
void state_members_lost(struct state_report *r, uint32_t old_type, uint32_t new_type,
        const struct state_fields *old);
enum state_code state_plan_pointer(struct state_report *r, uint32_t old_type, uint32_t new_type,
        const struct state_bits *length);

/* plan_union.c */
enum state_code state_plan_union(struct state_maker *m, const struct state_fields *around_old,
        const struct state_fields *around, const struct state_field *old,
        const struct state_field *new);
