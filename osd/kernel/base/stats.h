#pragma once
/* Counters for the call kernel_stats (n_* fields only; the rest is read where it lives). */
#include "osd/abi/calls.h"

extern struct kernel_stats kernel_stats;
