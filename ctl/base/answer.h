#pragma once
/*
 * What luctl answers with --json: one object on standard output, written when the command is over, with the failures
 * that were told on the way. A command that goes on (log --follow, watch) prints an object a line as it comes, and the
 * same object at the end only if it failed.
 */
#include <jansson.h>

#include "ctl/base/base.h"

/* In every object; a change that would break a reader gives it another number. docs/protocol/answers.md describes it. */
#define ANSWER_SCHEMA "samsara.luctl/1"

/* From now on answers are kept for answer_end(). command: as in commands.def; it must live on. */
void answer_begin(const char *command);
/* Part of the answer, which must be an object; taken. A second one, of a command that does several things, goes to `others`. */
void answer_add(json_t *json);
/* The answer is lines, perhaps none: none is then no object without an answer. */
void answer_lines(void);
/* Print an object on a line of its own, now; taken. */
void answer_line(json_t *json);
/*
 * Print what was kept, and how it ended. Without answer_begin() nothing is printed. Forgets everything, failures
 * included.
 */
void answer_end(int code);
