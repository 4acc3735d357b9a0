#pragma once
/*
 * A release of assist whose fault shows late: it takes its state over and serves, and crashes when it is asked
 * to prepare for the next update. Started afresh it has forgotten that.
 */
#include "osd/abi/errors.h"
#include "osd/suites/assist/priv.h"

#define ASSIST_RELEASE 8

static inline err_t behaviour_check(void)
{
	crash_now(ASSIST_CRASH_LATER);
	return zoo_check(NULL);
}
