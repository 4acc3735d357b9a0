#pragma once
/* Standing orders, as `rerandomize` gives them and `status` shows them. */
#include "ctl/cmdline/cmdline.h"
#include "proto/control/control.pb-c.h"

/* Give the machine the order that the options say, or end it. The exit code. */
int standing_give(const struct options *options);
/* How it goes with that of the machine, and what is in the way of the one that is wanted. Nothing where there is none. */
void standing_print(const Control__Status *status);
