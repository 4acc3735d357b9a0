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

/* A failure as it was told, for whoever wants it as data (ctl/base/answer.h). No text is NULL. */
struct ctl_fault {
	enum ctl_exit code; /* CTL_OK: a warning */
	const char *place;
	const char *cause;
	const char *remedy;
	const char *name; /* lud's, by which a program knows it: "no-release"; "": luctl's own */
	uint64_t job;     /* that it is about; 0: none */
};

/* The same with everything that is known of it; prints, unless `is_told` already. Returns the code. */
int ctl_fail_as(const struct ctl_fault *fault, bool is_told);
/*
 * While it is on, failures are neither printed nor kept: whoever asks makes something of them itself. The last one, as
 * "PLACE: CAUSE", until the next one; "" before.
 */
void ctl_catch(bool on);
const char *ctl_caught(void);
/* Failures so far, oldest first. What is beyond a limit is printed and not kept. */
size_t ctl_faults_n(void);
const struct ctl_fault *ctl_fault_at(size_t i);
void ctl_faults_forget(void);

/* For the cleanup attribute: frees what the pointer at pp points to. */
void ctl_freep(void *pp);
/* printf into a fresh string; ends the process without memory. */
char *ctl_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Zeroed; ends the process without memory. */
void *ctl_zero(size_t size);
