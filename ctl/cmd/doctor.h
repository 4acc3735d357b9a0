#pragma once
/* What the checks of `luctl doctor` have in common: what each has found, in a line. */
#include "ctl/cmdline/cmdline.h"

#define DOCTOR_TEXT 400u

/* Worst last; bad alone makes the command fail. */
enum doctor_verdict { DOCTOR_OK, DOCTOR_WARN, DOCTOR_BAD, _DOCTOR_VERDICT_N };

/* What a check found. text and remedy are strings of the row. */
struct doctor_line {
	enum doctor_verdict verdict;
	char text[DOCTOR_TEXT];
	char remedy[DOCTOR_TEXT];
};

/* Sets the line; the remedy is NULL where there is nothing to do. */
void doctor_say(struct doctor_line *line, enum doctor_verdict verdict, const char *remedy,
        const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The path of a program as a shell would find it; NULL: there is none. The caller frees. */
char *doctor_find(const char *program);

/* Certificates, lists and keys of connections, of each end that this host has. */
void doctor_tls(const struct options *options, struct doctor_line *line);
