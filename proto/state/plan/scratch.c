/* Scratch memory: what is kept grows from the low end, what is stacked from the high end. */
#include <string.h>

#include "proto/state/plan/transfer.h"

static bool scratch_has(struct state_transfer *t, uint64_t size)
{
	if (size > t->high - t->low) {
		state_fail(t, STATE_E_SCRATCH, "scratch memory is too small, wanted", size);
		return false;
	}
	return true;
}

void *state_keep(struct state_transfer *t, uint64_t size)
{
	void *ret;

	if (size > UINT64_MAX - 15 || !scratch_has(t, (size + 15) & ~UINT64_C(15))) {
		return NULL;
	}
	size = (size + 15) & ~UINT64_C(15);
	ret = t->scratch + t->low;
	t->low += size;
	if (t->low > t->result->scratch_used) {
		t->result->scratch_used = t->low;
	}
	return memset(ret, 0, size);
}

void *state_stack(struct state_transfer *t, uint64_t size)
{
	if (size > UINT64_MAX - 15 || !scratch_has(t, (size + 15) & ~UINT64_C(15))) {
		return NULL;
	}
	size = (size + 15) & ~UINT64_C(15);
	t->high -= size;
	return memset(t->scratch + t->high, 0, size);
}
