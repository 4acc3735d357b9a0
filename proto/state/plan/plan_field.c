/*
 * Plans of members: as their annotations say, else as their types do. Two kinds of members need to
 * see their siblings, which is why the members of the record around come along: a pointer with
 * STATE_LENGTH, whose count is another member, and a union, whose tag is.
 *
 * A plan of a member starts at offset 0 like any other; state_plan_field() moves the operations
 * that it pushed to the member's place on both sides.
 */
#include <string.h>

#include "proto/state/plan/plan.h"

static enum state_target field_pointer_target(const struct state_desc *desc, uint32_t id)
{
	enum state_btf_kind kind = state_type_kind(desc, id);

	if (id == 0) {
		return STATE_TARGET_ANY;
	}
	if (kind == STATE_BTF_FUNC_PROTO || kind == STATE_BTF_FUNC) {
		return STATE_TARGET_FUNCTION;
	}
	return kind == STATE_BTF_INT && state_type_size(desc, id) == 1 ? STATE_TARGET_BYTES
	                                                               : STATE_TARGET_OBJECT;
}

/*
 * A pointer to anything has the same eight bytes; what it may lead to is kept with the operation,
 * and the pointer.c of the machine fills in what it learns. Length: of so many elements, NULL: not
 * counted.
 */
enum state_code state_plan_pointer(struct state_report *r, uint32_t old_type, uint32_t new_type,
        const struct state_bits *length)
{
	uint32_t type[_STATE_AGE_N] = {old_type, new_type};
	struct state_pointer *pointer = state_keep(r, sizeof(*pointer));
	struct state_op *op = state_op_push(r, STATE_OP_POINTER);

	if (pointer == NULL || op == NULL) {
		return STATE_E_SCRATCH;
	}
	for (unsigned age = 0; age < _STATE_AGE_N; age++) {
		const struct state_desc *desc = &r->sides->desc[age];
		uint32_t id = state_type_strip(desc, type[age]);

		pointer->type[age] = state_type_strip(desc, state_type(desc, id)->size_or_type);
	}
	pointer->target =
	        field_pointer_target(&r->sides->desc[STATE_OLD], pointer->type[STATE_OLD]);
	pointer->old_size = state_type_size(&r->sides->desc[STATE_OLD], pointer->type[STATE_OLD]);
	if (length != NULL) {
		pointer->has_length = true;
		pointer->length = *length;
	}
	op->old_stride = 8;
	op->new_stride = 8;
	op->sub = pointer;
	return STATE_OK;
}

/*
 * A pointer whose sibling `name` counts what it leads to. The old sibling is read: the count
 * belongs to the old object, and the new member may not have been filled yet.
 */
static enum state_code field_counted(struct state_report *r, const struct state_fields *around_old,
        const struct state_fields *around, const struct state_field *old,
        const struct state_field *new, const char *name)
{
	const struct state_desc *desc = &r->sides->desc[STATE_OLD];
	const struct state_field *sibling = state_field_named(around, name);
	struct state_bits length;

	if (sibling == NULL || sibling->partner == STATE_NONE ||
	        !state_type_is_number(desc, around_old->field[sibling->partner].type) ||
	        state_type_size(desc, around_old->field[sibling->partner].type) > 8) {
		return state_fail(r, STATE_E_ANNOTATION, "length names no number of the record", 0);
	}
	sibling = &around_old->field[sibling->partner];
	length = state_bits_of(
	        desc, sibling->type, sibling->bit_off, sibling->bit_size, old->bit_off);
	return state_plan_pointer(r, old->type, new->type, &length);
}

static bool field_notes_any(const struct state_notes *notes)
{
	return notes->skip || notes->raw || notes->handler != NULL || notes->version != 0;
}

static bool field_type_is_noted(const struct state_sides *s, enum state_age age, uint32_t type)
{
	struct state_notes notes = state_notes_of_type(&s->desc[age], type);

	return field_notes_any(&notes);
}

/*
 * A member as its type says, annotations of the member itself aside. A union or pointer whose type
 * is annotated is a matter of that type's plan, which sees no siblings.
 */
static enum state_code field_by_type(struct state_maker *m, const struct state_fields *around_old,
        const struct state_fields *around, const struct state_field *old,
        const struct state_field *new)
{
	enum state_btf_kind kind = state_kind(&m->sides->desc[STATE_NEW], new->type);
	const struct state_plan *plan;
	const char *length = NULL;

	if (old->bit_size != 0 || new->bit_size != 0) {
		return state_plan_bits(m->report, old, new);
	}
	if (kind == state_kind(&m->sides->desc[STATE_OLD], old->type) &&
	        !field_type_is_noted(m->sides, STATE_OLD, old->type) &&
	        !field_type_is_noted(m->sides, STATE_NEW, new->type)) {
		if (kind == STATE_BTF_UNION) {
			return state_plan_union(m, around_old, around, old, new);
		}
		length = state_desc_tag(&m->sides->desc[STATE_NEW], STATE_TAG_TYPE, new->owner,
		        new->index, "length", 0);
		if (kind == STATE_BTF_PTR && length != NULL && around != NULL) {
			return field_counted(m->report, around_old, around, old, new, length);
		}
	}
	if (length != NULL) {
		return state_fail(
		        m->report, STATE_E_ANNOTATION, "length is for pointers in structs", 0);
	}
	plan = state_plan_get(m, old->type, new->type);
	return plan == NULL ? STATE_E_TYPE : state_plan_append(m->report, plan);
}

static enum state_code field_push(struct state_maker *m, const struct state_fields *around_old,
        const struct state_fields *around, const struct state_field *old,
        const struct state_field *new)
{
	struct state_notes old_notes = state_notes_of_field(&m->sides->desc[STATE_OLD], old);
	struct state_notes new_notes = state_notes_of_field(&m->sides->desc[STATE_NEW], new);
	uint32_t type[_STATE_AGE_N] = {old->type, new->type};
	bool done;
	enum state_code code;

	if ((old->bit_size != 0 || new->bit_size != 0) &&
	        (new_notes.raw || new_notes.handler != NULL)) {
		return state_fail(m->report, STATE_E_ANNOTATION,
		        "bitfields cannot be raw or have handlers", 0);
	}
	if (new_notes.skip && !old_notes.skip) {
		state_drop(m->report, old->owner, old->name);
	}
	code = state_plan_noted(m, type, &old_notes, &new_notes, &done);
	return code != STATE_OK || done ? code : field_by_type(m, around_old, around, old, new);
}

enum state_code state_plan_field(struct state_maker *m, const struct state_fields *around_old,
        const struct state_fields *around, const struct state_field *old,
        const struct state_field *new)
{
	struct state_path path = {.up = m->report->where->path, .name = new->name};
	struct state_op *end =
	        (struct state_op *)(m->report->scratch.base + m->report->scratch.high);
	enum state_code code;

	m->report->where->path = &path;
	code = field_push(m, around_old, around, old, new);
	m->report->where->path = path.up;
	for (struct state_op *op =
	                (struct state_op *)(m->report->scratch.base + m->report->scratch.high);
	        code == STATE_OK && op < end; op++) {
		op->old_off += (uint32_t)(old->bit_off / 8);
		op->new_off += (uint32_t)(new->bit_off / 8);
	}
	return code;
}
