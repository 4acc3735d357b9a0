#pragma once
/* A release of assist that gives up while state arrives. */
#include "osd/abi/errors.h"
#include "osd/lib/sef/sef.h"
#include "osd/suites/assist/priv.h"

#define ASSIST_RELEASE 3

static inline err_t behaviour_check(void)
{
	return sef_check_failed("zoo_list", "this release refuses every state");
}
