#pragma once
/*
 * How a release of assist behaves while state arrives; test releases replace this header to
 * fail, crash, hang or end in the middle of a transfer.
 */
#include "osd/abi/errors.h"
#include "osd/suites/assist/priv.h"

#define ASSIST_RELEASE 2

static inline err_t behaviour_check(void)
{
	return zoo_check(NULL);
}
