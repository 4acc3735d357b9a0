#pragma once
/* All machines at a glance, as lud sees them. */
#include "proto/control/control.pb-c.h"

/*
 * One sentence that a tired person understands, then what is wrong, since when, from which source and how old; then what
 * is to be known. name: of the machine that is shown behind it, or "".
 */
void overview_print(const Control__Overview *overview, const char *name);
