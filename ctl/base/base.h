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

/* The numbers of proto/words/exits.def. No _N: the values are the interface. */
enum ctl_exit {
#define EXIT(NAME, number, word, sentence) CTL_##NAME = (number),
#include "proto/words/exits.def"
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
