/*
 * Values of a union's tag, as annotations write them: STATE_WHEN(VALUE) is whatever the author's
 * preprocessor left, as text: a C integer with sign, base, suffix and parentheses, or an
 * enumerator. A value that the tag cannot hold would make a member that is never alive, so it is
 * refused where it is written rather than met in a transfer.
 */
#include <string.h>

#include "proto/state/plan/plan.h"

static int when_digit(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A C integer: sign, base, suffix, parentheses around it. */
static bool when_number(const char *text, int64_t *ret)
{
	bool negative = false;
	uint64_t value = 0;
	int base = 10;
	const char *start;

	while (*text == '(' || *text == '-' || *text == '+') {
		negative ^= *text++ == '-';
	}
	if (text[0] == '0' && (text[1] | 0x20) == 'x') {
		text += 2;
		base = 16;
	} else if (text[0] == '0') {
		base = 8;
	}
	for (start = text; when_digit(*text) >= 0 && when_digit(*text) < base; text++) {
		uint64_t digit = (uint64_t)when_digit(*text);

		if (value > (UINT64_MAX - digit) / (uint64_t)base) {
			return false;
		}
		value = value * (uint64_t)base + digit;
	}
	*ret = (int64_t)(negative ? -value : value);
	if (text == start) {
		return false;
	}
	while ((*text | 0x20) == 'u' || (*text | 0x20) == 'l' || *text == ')') {
		text++;
	}
	return *text == 0;
}

static bool when_enumerator(
        const struct state_desc *desc, uint32_t id, const char *text, int64_t *ret)
{
	for (uint32_t i = 0; i < state_type_count(desc, id); i++) {
		if (strcmp(state_type_enumerator(desc, id, i, ret), text) == 0) {
			return true;
		}
	}
	return false;
}

/*
 * An enumerator of the tag's type, a number, or an enumerator of any enum that all others of this
 * name agree with: a tag is often a plain integer that holds an enum's values.
 */
bool state_when_value(
        const struct state_desc *desc, uint32_t tag_type, const char *text, int64_t *ret)
{
	uint32_t id = state_type_strip(desc, tag_type);
	bool found = false;
	int64_t value;

	if ((state_type_is_enum(desc, id) && when_enumerator(desc, id, text, ret)) ||
	        when_number(text, ret)) {
		return true;
	}
	for (id = 1; id < desc->n_types; id++) {
		if (!state_type_is_enum(desc, id) || !when_enumerator(desc, id, text, &value)) {
			continue;
		}
		if (found && value != *ret) {
			return false;
		}
		found = true;
		*ret = value;
	}
	return found;
}

/* Can the tag have this value? */
bool state_tag_holds(const struct state_desc *desc, uint32_t tag_type,
        const struct state_bits *bits, int64_t value)
{
	unsigned n_bits = bits->n_bits;

	if ((state_type_encoding(desc, state_type_strip(desc, tag_type)) & STATE_BTF_BOOL) != 0 &&
	        state_kind(desc, tag_type) == STATE_BTF_INT) {
		n_bits = 1;
	}
	if (n_bits >= 64) {
		return true;
	}
	if (bits->is_signed) {
		return value >> (n_bits - 1) == 0 || value >> (n_bits - 1) == -1;
	}
	return (uint64_t)value >> n_bits == 0;
}

/*
 * What an old tag's value is in the new release. False: it has no enumerator there. Numbers mean
 * themselves.
 */
bool state_tag_value_now(
        const struct state_sides *s, uint32_t old_type, uint32_t new_type, int64_t *value)
{
	const struct state_desc *a = &s->desc[STATE_OLD];
	const struct state_desc *b = &s->desc[STATE_NEW];
	uint32_t old = state_type_strip(a, old_type);
	uint32_t new = state_type_strip(b, new_type);

	if (!state_type_is_enum(a, old) || !state_type_is_enum(b, new)) {
		return true;
	}
	for (uint32_t i = 0; i < state_type_count(a, old); i++) {
		int64_t was;
		const char *name = state_type_enumerator(a, old, i, &was);

		if (was == *value) {
			return when_enumerator(b, new, name, value);
		}
	}
	return false;
}
