#pragma once
/* For tests: memory, and a kernel whose batches fail when told to, with a part of them done. */
#include "osd/servers/vm/priv.h"

#define HALF_SPARE 128u /* for anybody */
#define HALF_FRAMES (VM_RESERVE_FRAMES + HALF_SPARE)

extern bool half_fails;
extern uint64_t half_n_shown; /* pages in the tables */

/* All frames are free, nothing is mapped, and no region is anywhere. */
void half_start(void);
/* Whether it is so again: what failed left nothing behind. */
bool half_is_as_before(void);
