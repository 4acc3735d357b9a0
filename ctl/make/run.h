#pragma once
/*
 * Other programs: one at a time, waited for, their output in memory.
 */
#include <stddef.h>

#include "ctl/base/base.h"

/* More than this of one output is dropped; the beginning is kept. */
#define RUN_OUTPUT_MAX (4u << 20)

struct run {
	char *out; /* owned; one NUL more than it is long, and it may have others */
	size_t len;
	char *errors; /* owned; the same file as ->out where they were asked for together */
	int status; /* its exit status; 128 + signal; 127 and ->errors: there is no such program */
};

void run_finip(struct run *run);

/*
 * Run argv[0], found by PATH, in this directory (NULL: ours), with nothing to read. together: errors are
 * part of ->out. CTL_OK whatever the program's status is; CTL_FAILED when nothing could be run, and the
 * reason was printed.
 */
int run_program(const char *const *argv, const char *dir, bool together, struct run *ret_run);
/* The same with these bytes to read, and errors apart. */
int run_fed(const char *const *argv, const void *input, size_t len, struct run *ret_run);
