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

#include "proto/state/state_pair.h"

struct state_transfer; /* lives in the scratch memory, behind what pairing made */

/* Where the old instance's heap lies, as its creator says: not from its own memory. */
struct state_old_heap {
	uint64_t base;
	uint64_t size; /* bytes, all of them readable */
};

/*
 * Ready to transfer what was paired; once for each pairing. The seed, random, decides in which order
 * objects are made. Fails with STATE_E_SCRATCH, which the result says.
 */
enum state_code state_transfer_new(struct state_pairing *pairing,
        const struct state_old_heap *old_heap, uint64_t seed, struct state_transfer **ret);
/*
 * May be called once between the two, while the old instance still runs: looks at its heap and
 * makes new objects for what is there, so that less is left to do. Nothing depends on what it saw.
 */
void state_foresee(struct state_transfer *transfer);
/* Carries the state over; once. The result given to state_pair() is filled to the end. */
enum state_code state_transfer(struct state_transfer *transfer);

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
 * What the engine would have done without the handler; STATE_E_TYPE if it does not know. Members
 * that the new release lacks are lost by it as without the handler: STATE_E_LOSS, unless the new
 * type says STATE_DROPPED of them, as it must if the handler moves them elsewhere.
 */
enum state_code state_view_default(const struct state_view *view);
/* The new place of what an old pointer leads to: an object, variable, function ... */
enum state_code state_view_pointer(const struct state_view *view, const void *old, void **ret_new);
/*
 * A variable of the old release, by source file (from the root of the sources), function ("": none)
 * and name; NULL: it had none.
 */
const void *state_view_find(
        const struct state_view *view, const char *file, const char *function, const char *name);
/*
 * From now on these bytes of the old value live at `new`, in an object or a variable that holds as
 * many values of that type: pointers to them and into them, wherever they are, lead there. They
 * must be one value, or several in an array, of view->old, of an old variable without a partner or
 * of an object whose type the new release does not allocate; no part may be placed twice. Fails
 * with STATE_E_HANDLER.
 */
enum state_code state_view_place(
        const struct state_view *view, const void *old, uint64_t old_bytes, void *new);
