#pragma once
/*
 * Quantities as people write them: a number and a unit, "250ms", "64KiB". A bare
 * number is refused, because nobody can tell what was meant.
 */
#include <stdint.h>

#include "host/base/err.h"

enum quantity_kind {
	QUANTITY_DURATION, /* microseconds: us ms s min h d */
	QUANTITY_SIZE,     /* bytes: B KiB MiB GiB */
	QUANTITY_COUNT,    /* a plain whole number */
	_QUANTITY_N,
};

/* Errors: -EINVAL not a number or unknown unit; -ERANGE does not fit 63 bits. */
int __must_check quantity_parse(enum quantity_kind kind, const char *text, uint64_t *ret_value);
/* The units of a kind, for messages: "us, ms, s, min, h, d". */
const char *quantity_units(enum quantity_kind kind);
