#pragma once
/*
 * The commands of luctl.
 *
 * A command is a function of the options that returns an exit code (ctl/base/base.h). It prints its
 * answer to stdout, errors and progress to stderr, each error once and where it is found: a code
 * that is passed up was explained already. With --json stdout has the answer of lud as JSON and
 * nothing else. What is printed was escaped when it was received (ctl/base/clean.h).
 */
#include "ctl/cmdline/cmdline.h"

/* The commands, by the rows of ctl/cmdline/commands.def. */
#define VERB(name, function, min, max, arguments, takes, summary)                                  \
	int cmd_##function(const struct options *options);
#include "ctl/cmdline/commands.def"
