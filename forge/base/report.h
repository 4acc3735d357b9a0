#pragma once
/*
 * How luforge speaks about failure. An error is printed once, where it is found:
 * what failed, where, and what to do; callers pass the negative value up.
 *
 * Names out of kits and programs are other people's: what reaches a terminal is
 * escaped (host/text), newlines excepted.
 */
#include <stdio.h>

/* Exit codes of luforge (forge/README.md). */
enum forge_exit {
	FORGE_EXIT_OK = 0,
	FORGE_EXIT_USAGE = 1,   /* invalid command line */
	FORGE_EXIT_REFUSED = 2, /* an input breaks a rule or is damaged */
	FORGE_EXIT_FAILED = 3,  /* a tool, the file system or memory failed */
	FORGE_EXIT_LOSS = 4,    /* pair: the update would lose state */
	FORGE_EXIT_NO_PAIR = 5, /* pair: there is no such update */
	_FORGE_EXIT_N
};

/* An input is not acceptable. Print "luforge: WHERE: text"; return -EINVAL. */
[[gnu::format(printf, 2, 3)]] int report_refuse(const char *where, const char *fmt, ...);

/* A system call failed with errno `err` (positive). Print it; return -err. */
[[gnu::format(printf, 3, 4)]] int report_errno(const char *where, int err, const char *fmt, ...);

/* A tool or library did not do its work. Print it; return -EIO. */
[[gnu::format(printf, 2, 3)]] int report_failed(const char *where, const char *fmt, ...);

/* Say something that is not an error. */
[[gnu::format(printf, 2, 3)]] void report_warn(const char *where, const char *fmt, ...);

/* Print lines that may hold names of others, each one escaped. */
void report_text(FILE *to, const char *text);

/* The exit code for what a command returned. */
enum forge_exit report_exit_code(int r);
