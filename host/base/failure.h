#pragma once
/*
 * A failure as a person meets it: what failed, where, and what to do. It is the
 * out-parameter of operations whose errors reach the operator (configuration,
 * jobs, control requests) and is kept in the history as it is.
 */
#include <stdint.h>

struct failure {
	char code[32];    /* short stable name, e.g. "E_PREPARE_REFUSED", "config" */
	char place[160];  /* component, step or file:line */
	char cause[320];  /* what happened, one sentence, no full stop */
	char remedy[240]; /* what the operator can do; may be empty */
};

/* Fills ret_failure; each text is cut to its field. */
void failure_set(struct failure *ret_failure, const char *code, const char *place,
        const char *remedy, const char *cause_format, ...) __attribute__((format(printf, 5, 6)));
