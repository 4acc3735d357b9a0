#pragma once
/* Standing orders, as `rerandomize` gives them and `status` shows them. */
#include "ctl/cmdline/cmdline.h"
#include "proto/machine/machine.pb-c.h"

/* Give the machine the order that the options say, or end it. The exit code. */
int standing_give(const struct options *options);
/* How it goes, at this time of the machine's clock; NULL: there is none, and nothing to say. */
void standing_print(const Machine__Standing *standing, uint64_t now);
