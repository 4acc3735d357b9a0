#pragma once
/* A release of assist that crashes while state arrives. */
#include "osd/abi/errors.h"
#include "osd/lib/sef/sef.h"
#include "osd/suites/assist/priv.h"

#define ASSIST_RELEASE 4

static inline err_t behaviour_check(void)
{
	crash_now(ASSIST_CRASH_NULL);
	return E_OK;
}
