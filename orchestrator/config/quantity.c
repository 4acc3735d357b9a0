/*
 * Numbers with units. A unit is required where a kind has any, must follow the number at once,
 * and the product must fit 63 bits. A count has no unit.
 */
#include "orchestrator/config/quantity.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* Lists of units end with one that has no name. */
struct quantity_unit {
	const char *name;
	uint64_t factor;
};

/* In microseconds. Months and years are left out: they differ in length. */
static const struct quantity_unit quantity_durations[] = {
        {"us", 1},
        {"ms", 1000},
        {"s", 1000000},
        {"min", 60000000},
        {"h", 3600000000},
        {"d", 86400000000},
        {0},
};

/* In bytes. Only powers of 1024: KB would mean one thing to a disk and another to a kernel. */
static const struct quantity_unit quantity_sizes[] = {
        {"B", 1},
        {"KiB", 1 << 10},
        {"MiB", 1 << 20},
        {"GiB", 1 << 30},
        {0},
};

static const struct quantity_unit quantity_counts[] = {{"", 1}, {0}};

/* For each kind what may follow a number, and how messages list it; the two must agree. */
static const struct {
	const struct quantity_unit *units;
	const char *names;
} quantity_kinds[_QUANTITY_N] = {
        [QUANTITY_DURATION] = {quantity_durations, "us, ms, s, min, h, d"},
        [QUANTITY_SIZE] = {quantity_sizes, "B, KiB, MiB, GiB"},
        [QUANTITY_COUNT] = {quantity_counts, "none (a whole number)"},
};

/*
 * The number and the unit are all there is: no sign, no space, no fraction. What overflows is an
 * error and never a smaller number, since it would be a limit.
 */
int quantity_parse(enum quantity_kind kind, const char *text, uint64_t *ret_value)
{
	uint64_t number = 0;
	const char *at = text;

	if (!isdigit((unsigned char)*at)) {
		return err_raise(-EINVAL);
	}
	for (; isdigit((unsigned char)*at); at++) {
		if (__builtin_mul_overflow(number, 10, &number) ||
		        __builtin_add_overflow(number, *at - '0', &number)) {
			return err_raise(-ERANGE);
		}
	}
	for (const struct quantity_unit *u = quantity_kinds[kind].units; u->name; u++) {
		if (strcmp(at, u->name)) {
			continue;
		}
		if (__builtin_mul_overflow(number, u->factor, &number) || number > INT64_MAX) {
			return err_raise(-ERANGE);
		}
		*ret_value = number;
		return 0;
	}
	return err_raise(-EINVAL);
}

/* The units as a message lists them; static. */
const char *quantity_units(enum quantity_kind kind)
{
	return quantity_kinds[kind].names;
}
