#pragma once
/*
 * A share of the machine's time for work that strangers can cause. Who does such work measures how
 * long it took and charges it; once more is charged than the share allows, new work waits until
 * that is paid back. Time is what is charged, so no constant has to know how fast the machine is.
 */
#include <stdint.h>

#include "osd/abi/types.h"

/* A stop of the whole machine inside a piece of work must not be charged to it. */
#define SHARE_MOST UINT64_C(50000000)

struct share_limit {
	uint32_t parts; /* one in so many parts of the time */
	nsec_t burst;   /* of work that may be done at once after a pause */
};

struct share {
	nsec_t paid; /* when all that was charged is paid back */
};

/* How long new work has to wait; 0: it may be done now. */
nsec_t share_wait(const struct share *share, const struct share_limit *limit, nsec_t now);
/* Work took from `begun` to `now`. */
void share_charge(struct share *share, const struct share_limit *limit, nsec_t begun, nsec_t now);
