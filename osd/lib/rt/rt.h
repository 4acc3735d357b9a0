#pragma once
/*
 * The ground a service stands on: the entry point, the thread block that musl expects, and the end
 * by panic. The entry point sets all of it up and calls main(); what main returns is the exit code.
 */
#include "osd/abi/start.h"

/* The start page of this instance. */
const struct start_info *rt_start_info(void);

/* Report a bug of ours to the supervisor and end. */
_Noreturn void rt_panic(const char *text);
