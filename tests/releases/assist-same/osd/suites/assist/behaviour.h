#pragma once
/*
 * A release of assist like the first, but for its number: whatever happens to it is not its state.
 */
#include "osd/abi/errors.h"
#include "osd/suites/assist/priv.h"

#define ASSIST_RELEASE 7

static inline err_t behaviour_check(void)
{
	return zoo_check(NULL);
}
