#pragma once
/* What belongs to a job, as a tree: who asked for it, its steps with their times, the jobs that it asked for. */
#include "ctl/cmdline/cmdline.h"
#include "proto/control/control.pb-c.h"

/* Asks lud for the jobs around it. CTL_OK, or an exit code after the reason was printed. */
int job_tree_print(const struct options *options, const Control__Job *job);
