#pragma once
/*
 * What an update takes over and loses, in words, and what consented to it.
 */
#include <stdio.h>

#include "proto/control/control.pb-c.h"

/*
 * Sets of kinds of findings, as bits: what makes an update lose state, what changes a value that
 * will not be seen, and everything.
 */
#define PAIRING_LOSS                                                                               \
	(1u << CONTROL__FINDING_KIND__FINDING_LOST | 1u << CONTROL__FINDING_KIND__FINDING_AT_RISK)
#define PAIRING_INITIAL (1u << CONTROL__FINDING_KIND__FINDING_INITIAL)
#define PAIRING_ALL (~0u)
/* The findings of these kinds, one a line, each behind the indent. */
void pairing_print(
        FILE *to, const char *indent, const Control__Pairing *pairing, unsigned int kinds);
/* What the machine itself says of state that was lost, dropped, moved or copied. */
void pairing_print_removed(const char *indent, const Machine__Result *result);
/* "to loss, pairing ..., control key ..." */
void consent_text(const Control__Job *job, char ret_text[128]);
