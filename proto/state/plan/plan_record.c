/*
 * Plans of structs: members pair by name, unions come last (their tag must be in its new
 * place by then), and copies that lie side by side become one.
 */
#include "proto/state/plan/plan.h"

/* Unions of the record in the second pass, all else in the first. */
static enum state_code record_pass(struct state_maker *m, const struct state_fields *old,
        const struct state_fields *new, bool unions)
{
	for (uint32_t i = 0; i < new->n; i++) {
		const struct state_field *field = &new->field[i];
		bool is_union =
		        state_kind(&m->sides->desc[STATE_NEW], field->type) == STATE_BTF_UNION;
		enum state_code code;

		if (field->partner == STATE_NONE || is_union != unions) {
			continue;
		}
		code = state_plan_field(m, old, new, &old->field[field->partner], field);
		if (code != STATE_OK) {
			return code;
		}
	}
	return STATE_OK;
}

/* Are new bytes [from, to) no member's? */
static bool record_is_padding(
        const struct state_sides *s, const struct state_fields *new, uint64_t from, uint64_t to)
{
	for (uint32_t i = 0; i < new->n; i++) {
		const struct state_field *field = &new->field[i];
		uint64_t bits = field->bit_size != 0
		                        ? field->bit_size
		                        : state_type_size(&s->desc[STATE_NEW], field->type) * 8;

		if (from < to && field->bit_off < to * 8 && field->bit_off + bits > from * 8) {
			return false;
		}
	}
	return true;
}

/*
 * May a copy take the one before it along, with what lies between them? Both must move by the same
 * distance, and the gap be nobody's in the new record.
 */
static bool record_ops_join(const struct state_sides *s, const struct state_fields *new,
        const struct state_op *first, const struct state_op *second)
{
	return first->code == STATE_OP_COPY && second->code == STATE_OP_COPY &&
	       second->new_off >= first->new_off + first->size &&
	       second->old_off - first->old_off == second->new_off - first->new_off &&
	       record_is_padding(s, new, first->new_off + first->size, second->new_off);
}

/*
 * Join neighbouring copies of the plan in the making, which grows
 * downwards. Returns what is left.
 */
static uint64_t record_join(struct state_maker *m, const struct state_fields *new)
{
	struct state_op *top = (struct state_op *)(m->report->scratch.base + m->ops_top);
	uint64_t n = (m->ops_top - m->report->scratch.high) / sizeof(*top);
	uint64_t kept = 0;

	for (uint64_t i = 0; i < n; i++) {
		struct state_op *op = top - 1 - i;
		struct state_op *last = top - kept;

		if (kept > 0 && record_ops_join(m->sides, new, last, op)) {
			last->size = op->new_off + op->size - last->new_off;
		} else {
			*(last - 1) = *op;
			kept++;
		}
	}
	m->report->scratch.high = m->ops_top - kept * sizeof(*top);
	return kept;
}

/*
 * A struct that is one copy but for padding at its end is copied whole,
 * so that arrays of it are.
 */
static void record_flatten(struct state_report *r, const struct state_fields *new,
        uint64_t old_size, uint64_t new_size)
{
	struct state_op *op = (struct state_op *)(r->scratch.base + r->scratch.high);

	if (op->code == STATE_OP_COPY && op->old_off == 0 && op->new_off == 0 &&
	        old_size == new_size && record_is_padding(r->sides, new, op->size, new_size)) {
		op->size = (uint32_t)new_size;
	}
}

/*
 * Members that the new record, or union, lacks. Padding is no member, and what was skipped is no
 * state.
 */
void state_members_lost(struct state_report *r, uint32_t old_type, uint32_t new_type,
        const struct state_fields *old)
{
	for (uint32_t i = 0; i < old->n; i++) {
		const struct state_field *field = &old->field[i];
		struct state_notes notes = state_notes_of_field(&r->sides->desc[STATE_OLD], field);

		if (field->partner == STATE_NONE && !notes.skip) {
			state_lose_member(r, old_type, new_type, field);
		}
	}
}

/*
 * New members without a partner are not touched: they keep the initial value that the new instance
 * or the new heap's zeros gave them.
 */
enum state_code state_plan_record(struct state_maker *m, uint32_t old_type, uint32_t new_type)
{
	struct state_fields old;
	struct state_fields new;
	enum state_code code;

	if (!state_names_match(m->sides, old_type, new_type)) {
		return state_fail(m->report, STATE_E_TYPE, "struct is another one", 0);
	}
	if (!state_fields_get(m->report, STATE_OLD, old_type, &old) ||
	        !state_fields_get(m->report, STATE_NEW, new_type, &new)) {
		return STATE_E_SCRATCH;
	}
	code = state_fields_partner(m->report, &old, &new);
	if (code != STATE_OK) {
		return code;
	}
	m->ops_top = m->report->scratch.high;
	code = record_pass(m, &old, &new, false);
	if (code == STATE_OK) {
		code = record_pass(m, &old, &new, true);
	}
	state_members_lost(m->report, old_type, new_type, &old);
	if (code == STATE_OK && record_join(m, &new) == 1) {
		record_flatten(m->report, &new,
		        state_type_size(&m->sides->desc[STATE_OLD], old_type),
		        state_type_size(&m->sides->desc[STATE_NEW], new_type));
	}
	return code;
}
