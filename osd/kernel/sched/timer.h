#pragma once
/* The timer of a CPU. */
#include "osd/abi/types.h"

#define TIMER_NEVER UINT64_MAX

/* This CPU's timer fires at this time at the latest. */
void timer_arm(nsec_t at);
/* It has fired, and is not armed now. */
void timer_fired(void);
