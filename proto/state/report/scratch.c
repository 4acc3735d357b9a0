/*
 * Scratch memory: what is kept grows from the low end, what is stacked from the high end, until
 * they meet. The caller gives one block, so that nothing here can fail halfway through an
 * allocator, and the machine can give frames that are paid for before the switch. The first size
 * that does not fit is reported, which tells RS to try once more with a larger block.
 */
#include <string.h>

#include "proto/state/report/report.h"

static bool scratch_has(struct state_report *r, uint64_t size)
{
	if (size > r->scratch.high - r->scratch.low) {
		state_fail(r, STATE_E_SCRATCH, "scratch memory is too small, wanted", size);
		return false;
	}
	return true;
}

void *state_keep(struct state_report *r, uint64_t size)
{
	void *ret;

	if (size > UINT64_MAX - 15 || !scratch_has(r, (size + 15) & ~UINT64_C(15))) {
		return NULL;
	}
	size = (size + 15) & ~UINT64_C(15);
	ret = r->scratch.base + r->scratch.low;
	r->scratch.low += size;
	if (r->scratch.low > r->result->scratch_used) {
		r->result->scratch_used = r->scratch.low;
	}
	return memset(ret, 0, size);
}

void *state_stack(struct state_report *r, uint64_t size)
{
	if (size > UINT64_MAX - 15 || !scratch_has(r, (size + 15) & ~UINT64_C(15))) {
		return NULL;
	}
	size = (size + 15) & ~UINT64_C(15);
	r->scratch.high -= size;
	return memset(r->scratch.base + r->scratch.high, 0, size);
}
