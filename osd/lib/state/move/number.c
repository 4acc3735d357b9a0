/*
 * Numbers on their way: of another width or sign, enumerators of another value, bitfields. A
 * number is never cut off or read with another sign in silence: what does not fit its new type
 * ends the transfer with STATE_E_RANGE and the old value.
 *
 * Values travel as 64 bits, extended as the old type's sign says. Whether they fit is asked of the
 * new type: so many bits, one of them the sign. A bool takes part as a number of one bit.
 *
 * Enumerators follow their names: the plan has a table from old to new values. An old value that
 * no enumerator has, or that two have which differ now, is refused; nobody knows what it meant.
 */
#include <string.h>

#include "osd/lib/state/move/priv.h"

/*
 * Does a value that was read with this sign fit n_bits of the new sign? Negative ones need a
 * signed type with all bits above the value's the same.
 */
static bool number_fits(int64_t value, bool was_signed, unsigned n_bits, bool is_signed)
{
	unsigned value_bits = n_bits - is_signed;

	if (was_signed && value < 0) {
		return is_signed && value >> (value_bits < 64 ? value_bits : 63) == -1;
	}
	return value_bits >= 64 || (uint64_t)value >> value_bits == 0;
}

/* Bit by bit: bitfields are rare, and what stands beside them must stay. */
static void number_write_bits(uint8_t *at, unsigned shift, unsigned n_bits, uint64_t value)
{
	for (unsigned i = 0; i < n_bits; i++) {
		unsigned bit = shift + i;
		uint8_t mask = (uint8_t)(1u << (bit & 7));

		at[bit >> 3] =
		        (uint8_t)((value >> i & 1) ? at[bit >> 3] | mask : at[bit >> 3] & ~mask);
	}
}

enum state_code state_run_int(
        struct state_report *r, const struct state_op *op, const uint8_t *old, uint8_t *new)
{
	unsigned width = op->number[STATE_OLD].width;
	bool was_signed = op->number[STATE_OLD].is_signed;

	for (uint32_t i = 0; i < op->count; i++) {
		int64_t value = state_number_load(old, width, was_signed);

		if (!number_fits(value, was_signed, op->number[STATE_NEW].n_bits,
		            op->number[STATE_NEW].is_signed)) {
			return state_fail_at(
			        r, STATE_E_RANGE, "value does not fit", (uint64_t)value, old);
		}
		memcpy(new, &value, op->number[STATE_NEW].width);
		old += op->old_stride;
		new += op->new_stride;
	}
	return STATE_OK;
}

/* A bool that holds anything else would be undefined in the new instance. */
enum state_code state_run_bool(
        struct state_report *r, const struct state_op *op, const uint8_t *old, uint8_t *new)
{
	for (uint32_t i = 0; i < op->count; i++) {
		if (*old > 1) {
			return state_fail_at(r, STATE_E_RANGE, "neither true nor false", *old, old);
		}
		*new = *old;
		old += op->old_stride;
		new += op->new_stride;
	}
	return STATE_OK;
}

/* The new value of an enumerator, which must fit. */
static enum state_code number_of_enum(struct state_report *r, const struct state_enum *map,
        int64_t value, const uint8_t *old, int64_t *ret)
{
	for (uint32_t i = 0; i < map->n; i++) {
		if (map->row[i].value[STATE_OLD] != value) {
			continue;
		}
		*ret = map->row[i].value[STATE_NEW];
		return !map->row[i].parts
		               ? STATE_OK
		               : state_fail_at(r, STATE_E_AMBIGUOUS,
		                         "value had several enumerators, which differ now",
		                         (uint64_t)value, old);
	}
	return state_fail_at(r, STATE_E_RANGE, "value has no enumerator now", (uint64_t)value, old);
}

/*
 * One bitfield, on either side perhaps a number of its own. The byte's offset is in the operation,
 * bit offsets are below 8. `where` learns the bit, since neighbours in a byte have one address.
 */
enum state_code state_run_bits(
        struct state_report *r, const struct state_op *op, const uint8_t *old, uint8_t *new)
{
	const struct state_bits_move *move = op->sub;
	const struct state_bits *from = &move->bits[STATE_OLD];
	const struct state_bits *to = &move->bits[STATE_NEW];
	int64_t value = (int64_t)state_bits_read(old, (unsigned)from->bit_off, from);
	int64_t now = value;
	enum state_code code = STATE_OK;

	r->where->bit = (unsigned)from->bit_off;
	if (move->map != NULL) {
		code = number_of_enum(r, move->map, value, old, &now);
	}
	if (code == STATE_OK &&
	        !number_fits(now, move->map != NULL ? to->is_signed : from->is_signed, move->n_bits,
	                to->is_signed)) {
		code = state_fail_at(r, STATE_E_RANGE, "value does not fit", (uint64_t)value, old);
	}
	if (code == STATE_OK) {
		number_write_bits(new, (unsigned)to->bit_off, to->n_bits, (uint64_t)now);
	}
	return code;
}

/* The value must fit the new width besides having a name there. */
enum state_code state_run_enum(
        struct state_report *r, const struct state_op *op, const uint8_t *old, uint8_t *new)
{
	unsigned width = op->number[STATE_OLD].width;
	bool to_signed = op->number[STATE_NEW].is_signed;

	for (uint32_t i = 0; i < op->count; i++) {
		int64_t value = state_number_load(old, width, op->number[STATE_OLD].is_signed);
		int64_t now;
		enum state_code code = number_of_enum(r, op->sub, value, old, &now);

		if (code != STATE_OK) {
			return code;
		}
		if (!number_fits(now, to_signed, op->number[STATE_NEW].n_bits, to_signed)) {
			return state_fail_at(
			        r, STATE_E_RANGE, "value does not fit", (uint64_t)value, old);
		}
		memcpy(new, &now, op->number[STATE_NEW].width);
		old += op->old_stride;
		new += op->new_stride;
	}
	return STATE_OK;
}

/* Only floats that became doubles: all values fit. */
void state_run_float(const struct state_op *op, const uint8_t *old, uint8_t *new)
{
	for (uint32_t i = 0; i < op->count; i++) {
		float value;
		double wide;

		memcpy(&value, old, sizeof(value));
		wide = (double)value;
		memcpy(new, &wide, sizeof(wide));
		old += op->old_stride;
		new += op->new_stride;
	}
}
