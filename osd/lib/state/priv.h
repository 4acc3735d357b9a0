/*
 * Inside the transfer engine.
 *
 * A *plan* says how a value of an old type becomes a value of a new one: a row of operations
 * with offsets from the value's start. Plans are made while pairing, once for each pair of
 * types. An *item* is something that old pointers may lead to: variable, function, string,
 * library symbol. A *site* joins an old allocation site with the new site and plan of its objects.
 *
 * Scratch memory is used from both ends: what stays is kept at the low end, what is needed
 * for a moment is stacked at the high end.
 *
 * Files: pair.c site.c item.c (entries), plan*.c (types), field.c (members and annotations), walk.c
 * (old heap), run.c (copying), pointer.c and offset.c (where pointers lead), report.c (words).
 */
#pragma once

#include "osd/lib/heap/heap_fill.h"
#include "osd/lib/state/state_transfer.h"
#include "proto/state/state_desc.h"

#define STATE_NONE UINT32_MAX
#define STATE_DEPTH 24         /* nesting of records that is followed */
#define STATE_PLAN_BUCKETS 256 /* powers of two */
#define STATE_CACHE_SLOTS 512
#define STATE_COUNT_IN_PAGE UINT64_MAX
#define STATE_INLINE_OPS 8 /* longer plans of members are called, not copied */

enum state_age { STATE_OLD, STATE_NEW, _STATE_AGE_N };

enum state_op_code {
	STATE_OP_COPY,    /* size bytes */
	STATE_OP_POINTER, /* count pointers; sub: struct state_pointer */
	STATE_OP_INT,     /* count integers that change their width or sign */
	STATE_OP_BOOL,    /* count bytes that must be 0 or 1 */
	STATE_OP_ENUM,    /* count enumerators that change their value; sub: struct state_enum */
	STATE_OP_FLOAT,   /* count floats that become doubles */
	STATE_OP_BITS,    /* one bitfield; sub: struct state_bits[_STATE_AGE_N] */
	STATE_OP_ZERO,    /* size old bytes that have no new place: must be zero */
	STATE_OP_REPEAT,  /* count values; sub: struct state_plan */
	STATE_OP_UNION,   /* sub: struct state_union */
	STATE_OP_HANDLER, /* sub: struct state_handler */
	_STATE_OP_N,
};

/* A number inside a record: where it is, from the place of what refers to it, and its kind. */
struct state_bits {
	int64_t bit_off;
	uint8_t n_bits; /* up to 64 */
	uint8_t width;  /* bytes, if it is a whole number of its own; 0: a bitfield */
	bool is_signed;
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
	enum state_code code; /* why there is no plan */
	struct state_op *ops;
};

enum state_target {
	STATE_TARGET_ANY,   /* void, incomplete types */
	STATE_TARGET_BYTES, /* characters: may look into anything */
	STATE_TARGET_FUNCTION,
	STATE_TARGET_OBJECT,
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

struct state_enum {
	uint32_t type[_STATE_AGE_N];
	uint32_t n;
	struct {
		int64_t value[_STATE_AGE_N];
	} row[];
};

struct state_case {
	int64_t value;
	uint32_t old_member;
	const struct state_plan *plan;
};

struct state_union {
	struct state_bits tag; /* in the new record, from the union's place */
	uint32_t old_type;
	uint32_t n_cases;
	struct state_case cases[];
};

struct state_handler {
	struct state_handler *next; /* of those whose default is not made yet */
	state_handler_t call;
	uint32_t type[_STATE_AGE_N];
	uint32_t version[_STATE_AGE_N];
	const struct state_plan *plan; /* the default; NULL: there is none */
};

/* New objects of one class, and the places that are left for them. */
struct state_batch {
	struct state_batch *next; /* of the site */
	struct heap_class class;
	uint64_t n;
	uint64_t *places;
};

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

struct state_item {
	uint64_t start;
	uint64_t size;
	uint64_t new_addr; /* 0: no partner */
	uint32_t entry[_STATE_AGE_N];
};

struct state_job {
	const struct state_plan *plan;
	uint64_t addr[_STATE_AGE_N];
	uint32_t entry[_STATE_AGE_N];
};

/* A run of old heap pages that hold objects of one site. */
struct state_run {
	uint64_t start;
	uint64_t *place;      /* new address of each slot's object, 0: none */
	const uint64_t *live; /* checked bitmap, one bit per slot */
	struct state_site *site;
	struct state_batch *batch; /* NULL: its objects are allocated one by one */
	uint32_t stride;
	uint32_t n_slots;
	uint32_t n_live;
	uint64_t count; /* elements of every object, or STATE_COUNT_IN_PAGE */
};

struct state_heap {
	uint64_t base;
	uint64_t size;
	uint64_t n_bytes; /* of the pages that run_of_page covers */
	uint32_t n_pages;
	uint32_t n_runs;       /* run 0 has no slots */
	uint32_t *run_of_page; /* 0: no objects */
	struct state_run *runs;
	uint64_t n_bytes_placed;
	uint64_t n_objects;
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
	struct state_plan *plans[STATE_PLAN_BUCKETS];
	struct state_handler *handlers; /* without default so far */
	bool strict;
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

/* A member of a record, with those of its anonymous structs in their place. */
struct state_field {
	const char *name;
	uint32_t type;
	uint32_t owner; /* record and number, for its tags */
	uint32_t index;
	uint64_t bit_off;
	uint32_t bit_size;
	uint32_t partner; /* number of the other side's field, or STATE_NONE */
};

struct state_fields {
	struct state_field *field;
	uint32_t n;
};

/* What annotations say of a member, a variable or a type. */
struct state_notes {
	bool skip;
	bool raw;
	const char *handler;
	uint32_t version;
};

/* scratch.c: zeroed memory, or NULL with STATE_E_SCRATCH reported. */
void *state_keep(struct state_transfer *t, uint64_t size);
void *state_stack(struct state_transfer *t, uint64_t size);

/* field.c */
bool state_fields_get(
        struct state_transfer *t, enum state_age age, uint32_t type, struct state_fields *ret);
void state_fields_pair(
        const struct state_transfer *t, struct state_fields *old, struct state_fields *new);
bool state_names_match(const struct state_transfer *t, uint32_t old_type, uint32_t new_type);
struct state_notes state_notes_of_type(const struct state_desc *desc, uint32_t type);
struct state_notes state_notes_of_field(
        const struct state_desc *desc, const struct state_field *field);
struct state_notes state_notes_of_entry(const struct state_desc *desc, uint32_t entry);
/* The type without aliases that carry no annotation. */
uint32_t state_type_noted(const struct state_desc *desc, uint32_t id);
bool state_type_is_number(const struct state_desc *desc, uint32_t id);
/* Do pointers to x and to y mean the same? */
bool state_type_same(const struct state_desc *desc, uint32_t x, uint32_t y, unsigned depth);
struct state_bits state_bits_of(const struct state_desc *desc, uint32_t type, uint64_t bit_off,
        uint32_t bit_size, uint64_t from_bit);

/*
 * plan.c. A plan in the making is the operations between high and ops_top. Functions that return a
 * code push operations for one value that starts at offset 0, or report why not.
 */
const struct state_plan *state_plan_get(
        struct state_transfer *t, uint32_t old_type, uint32_t new_type);
/* A plan of one member pair alone, as of a union. */
const struct state_plan *state_plan_of_field(
        struct state_transfer *t, const struct state_field *old, const struct state_field *new);
/* A plan of one variable that carries notes of its own. */
const struct state_plan *state_plan_of_notes(struct state_transfer *t, uint32_t old_type,
        uint32_t new_type, const struct state_notes *old, const struct state_notes *new);
/* The defaults of all handlers met so far. */
void state_plan_defaults(struct state_transfer *t);
struct state_op *state_op_push(struct state_transfer *t, enum state_op_code code);
enum state_code state_op_copy(struct state_transfer *t, uint64_t size);
enum state_code state_plan_append(struct state_transfer *t, const struct state_plan *plan);
/* Honour skip, raw, handler and version; *ret_done: nothing else is to be done. */
enum state_code state_plan_noted(struct state_transfer *t, const uint32_t type[2],
        const struct state_notes *old, const struct state_notes *new, bool *ret_done);

/* plan_number.c */
enum state_code state_plan_number(struct state_transfer *t, uint32_t old_type, uint32_t new_type);
enum state_code state_plan_bits(
        struct state_transfer *t, const struct state_field *old, const struct state_field *new);

/* plan_record.c */
enum state_code state_plan_record(struct state_transfer *t, uint32_t old_type, uint32_t new_type);
/* `around`: the new record's members, whose partners are in around_old; NULL: no siblings. */
enum state_code state_plan_field(struct state_transfer *t, const struct state_fields *around_old,
        const struct state_fields *around, const struct state_field *old,
        const struct state_field *new);
enum state_code state_plan_pointer(struct state_transfer *t, uint32_t old_type, uint32_t new_type,
        const struct state_bits *length);

/* plan_union.c */
enum state_code state_plan_union(struct state_transfer *t, const struct state_fields *around,
        const struct state_field *old, const struct state_field *new);

/* site.c */
enum state_code state_sites_pair(struct state_transfer *t);
struct state_site *state_site_find(const struct state_transfer *t, uint64_t old_addr);

/* item.c */
enum state_code state_items_make(struct state_transfer *t);
/* The item that holds, or ends at, an old address; NULL: none. */
struct state_item *state_item_find(const struct state_transfer *t, uint64_t value);

/* walk.c */
enum state_code state_walk(struct state_transfer *t);

/* run.c */
enum state_code state_plan_run(
        struct state_transfer *t, const struct state_plan *plan, const uint8_t *old, uint8_t *new);

/* The number `shift` (0 to 7) bits behind `at`, extended to 64 bits as its sign says. */
uint64_t state_bits_read(const uint8_t *at, unsigned shift, const struct state_bits *bits);

/* pointer.c: where an old pointer, not NULL, leads; `at` is its own old place. */
enum state_code state_pointer_map(struct state_transfer *t, struct state_pointer *pointer,
        uint64_t value, const uint8_t *at, uint64_t *ret);

/* offset.c: does a value of these types satisfy the pointer, before and after? */
bool state_pointer_fits(const struct state_transfer *t, const struct state_pointer *pointer,
        const uint32_t type[2]);
/* The new byte offset of an old one inside `count` values side by side. */
enum state_code state_offset_map(struct state_transfer *t, const struct state_pointer *pointer,
        const uint32_t type[2], uint64_t count, uint64_t off, uint64_t *ret);

/* report.c: all return `code`. */
enum state_code state_fail(
        struct state_transfer *t, enum state_code code, const char *what, uint64_t value);
enum state_code state_fail_at(struct state_transfer *t, enum state_code code, const char *what,
        uint64_t value, const void *old);
enum state_code state_removed(
        struct state_transfer *t, const char *what, uint32_t type, const char *member, uint64_t n);
enum state_code state_removed_entry(struct state_transfer *t, uint32_t entry);
void state_copied(struct state_transfer *t, uint32_t entry);

static inline enum state_btf_kind state_kind(const struct state_desc *desc, uint32_t id)
{
	return state_type_kind(desc, state_type_strip(desc, id));
}

/* A whole number of 1, 2, 4 or 8 bytes, extended to 64 bits as its sign says. */
static inline int64_t state_number_load(const uint8_t *at, unsigned width, bool is_signed)
{
	int8_t n1 = (int8_t)at[0];
	int16_t n2;
	int32_t n4;
	int64_t n8;

	switch (width) {
	case 1:
		return is_signed ? n1 : (uint8_t)n1;
	case 2:
		__builtin_memcpy(&n2, at, sizeof(n2));
		return is_signed ? n2 : (uint16_t)n2;
	case 4:
		__builtin_memcpy(&n4, at, sizeof(n4));
		return is_signed ? (int64_t)n4 : (int64_t)(uint32_t)n4;
	default:
		__builtin_memcpy(&n8, at, sizeof(n8));
		return n8;
	}
}

/* The number that `bits` means for what lies at `at`. */
static inline int64_t state_bits_get(const uint8_t *at, const struct state_bits *bits)
{
	at += bits->bit_off >> 3;
	return bits->width != 0 ? state_number_load(at, bits->width, bits->is_signed)
	                        : (int64_t)state_bits_read(at, (unsigned)(bits->bit_off & 7), bits);
}

/* Elements of the object in a slot, checked against the slot's size when the heap was walked. */
static inline uint64_t state_slot_count(const struct state_run *run, uint32_t slot)
{
	if (run->count != STATE_COUNT_IN_PAGE) {
		return run->count;
	}
	return *(const uint16_t *)(uintptr_t)(run->start + heap_count_offset(slot));
}
