#pragma once
/* A release of assist that ends while state arrives. */
#include "osd/abi/errors.h"
#include "osd/lib/sef/sef.h"
#include "osd/suites/assist/priv.h"

#define ASSIST_RELEASE 6

static inline err_t behaviour_check(void)
{
	crash_now(ASSIST_CRASH_EXIT);
	return E_OK;
}
