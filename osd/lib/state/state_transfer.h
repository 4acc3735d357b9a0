/*
 * State transfer: carries the state of an old instance of a service into a new one
 * of another layout, perhaps of another release, inside the new instance.
 *
 * Two phases. state_pair() looks at binaries only (both descriptions and address
 * vectors) and compiles what is to be done into the scratch memory; it runs before the
 * switch. state_transfer() walks the old instance's objects at their own
 * addresses, where they are mapped read-only; it runs in the blackout. The
 * engine has no globals and allocates from the new heap and the scratch memory only.
 *
 * Old memory is never believed: whatever it holds, the engine does not leave the ranges that
 * the setup names, and what does not fit the descriptions ends the transfer with an error that
 * names it. After an error the new instance is good for nothing but its report.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATE_ERROR_TEXT 200
#define STATE_NOTES_MAX 2048

enum state_code {
	STATE_OK,
	STATE_E_DESCRIPTION, /* a state description is malformed */
	STATE_E_SETUP,       /* address vector or heap does not belong to the description */
	STATE_E_SCRATCH,     /* scratch memory is too small */
	STATE_E_ARENA,       /* the new heap is full */
	STATE_E_ANNOTATION,  /* an annotation names what does not exist or cannot be */
	STATE_E_TYPE,        /* the types do not map onto each other */
	STATE_E_UNION,       /* a union with pointers, or of changed layout, has no tag */
	STATE_E_VERSION,     /* the versions differ and there is no handler */
	STATE_E_REMOVED,     /* state was removed, and the release is strict */
	STATE_E_HEAP,        /* the old heap's own data is inconsistent */
	STATE_E_POINTER,     /* leads nowhere, or to what has no partner, or to a wrong type */
	STATE_E_AMBIGUOUS,   /* the pointer may mean several things that part in the new layout */
	STATE_E_RANGE,       /* a value does not fit its new type */
	STATE_E_HANDLER,     /* a handler refused */
	_STATE_CODE_N,
};

/* One instance, as its binaries describe it. */
struct state_side {
	const void *desc; /* state description, 8 bytes aligned */
	size_t desc_size;
	const uint64_t *addr; /* address vector of the variant */
	size_t n_addr;
};

struct state_setup {
	struct state_side old;
	struct state_side new;
	/* Where the old instance's heap lies, as its creator says: not from its own memory. */
	uint64_t old_heap_base;
	uint64_t old_heap_size; /* bytes, all of them readable */
	/*
	 * Scratch memory, zeroed, aligned to 16, used until the transfer is done. About 64 bytes
	 * for each entry of both descriptions, and 32 bytes for each live object, are enough.
	 */
	void *scratch;
	size_t scratch_size;
	uint64_t seed; /* random: the order in which objects are made */
	bool strict;   /* refuse removed state, even if the new description does not ask for it */
};

struct state_result {
	enum state_code code;
	uint64_t value;               /* of the pointer, integer or return code at fault */
	char error[STATE_ERROR_TEXT]; /* what, at which variable and member; "" without error */
	uint64_t n_bytes;             /* of state carried over */
	uint64_t n_objects;           /* on the heap */
	uint64_t n_variables;
	uint64_t n_removed; /* kinds of state without a partner */
	uint64_t n_strings; /* literals copied to the heap for want of a partner */
	uint64_t scratch_used;
	/* What was removed and what was copied, a line each; cut off when it does not fit. */
	char notes[STATE_NOTES_MAX];
};

struct state_transfer; /* lives in the scratch memory */

/*
 * Pairs the two descriptions. The setup may go, what it points to must stay. On failure *result
 * says why; on success *ret is ready for state_transfer().
 */
enum state_code state_pair(
        const struct state_setup *setup, struct state_result *result, struct state_transfer **ret);
/*
 * May be called once between the two, while the old instance still runs: looks at its heap and
 * makes new objects for what is there, so that less is left to do. Nothing depends on what it saw.
 */
void state_foresee(struct state_transfer *transfer);
/* Carries the state over; once. The result given to state_pair() is filled to the end. */
enum state_code state_transfer(struct state_transfer *transfer);
const char *state_code_text(enum state_code code);

/* What a handler gets to see. `old` is as little to be believed as all old memory. */
struct state_view {
	struct state_transfer *transfer;
	const void *old;
	void *new;
	uint64_t old_size; /* bytes */
	uint64_t new_size;
	uint32_t old_version; /* 0: none given */
	uint32_t new_version;
	const void *step; /* of the engine */
};

/*
 * Named by STATE_HANDLER(): fills *view->new, which holds its initial value, from
 * *view->old. Returns 0, or a number that goes into the result and ends the transfer.
 * The objects that pointers lead to may not have been filled yet.
 */
typedef int (*state_handler_t)(const struct state_view *view);

/* What the engine would have done without the handler; STATE_E_TYPE if it does not know. */
enum state_code state_view_default(const struct state_view *view);
/* The new place of what an old pointer leads to: an object, variable, function ... */
enum state_code state_view_pointer(const struct state_view *view, const void *old, void **ret_new);
