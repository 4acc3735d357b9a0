#pragma once
/*
 * What every file of luctl shares: scoped ownership, exit codes, messages of failure.
 *
 * luctl has one kind of error value, its exit code: a function that fails prints the reason with
 * ctl_fail() where it knows it, and returns the code; its callers pass it up and print nothing.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

/*
 * Documented in luctl(1), and stable: scripts branch on them. They say who ended it and how far it
 * had come. No _N: the values are the interface, and 130 is that of shells for SIGINT.
 */
enum ctl_exit {
	CTL_OK = 0,
	CTL_FAILED = 1,        /* it was tried and failed before the machine was asked */
	CTL_USAGE = 2,         /* the command line is invalid */
	CTL_UNREACHABLE = 3,   /* lud cannot be reached or spoken with */
	CTL_REJECTED = 4,      /* lud says no: not found, busy, not now */
	CTL_REFUSED = 5,       /* the machine refused; nothing was begun */
	CTL_ROLLED_BACK = 6,   /* the machine began and undid it; the old one goes on */
	CTL_UNKNOWN = 7,       /* what became of it cannot be told */
	CTL_KEYS = 8,          /* keys or kits on this host are missing or unfit */
	CTL_OUTPUT = 9,        /* it was done, but what it had to say could not be written */
	CTL_INTERRUPTED = 130, /* by Ctrl-C; what lud was asked for goes on */
};

/*
 * Print "luctl: WHERE: WHAT" and a second line with the remedy, both escaped for a terminal;
 * returns the code. where: the file, machine, service or option that it is about, "" for none;
 * remedy: NULL or "" when there is none.
 */
int ctl_fail(enum ctl_exit code, const char *where, const char *remedy, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* For the cleanup attribute: frees what the pointer at pp points to. */
void ctl_freep(void *pp);
/* printf into a fresh string; ends the process without memory. */
char *ctl_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Zeroed; ends the process without memory. */
void *ctl_zero(size_t size);
