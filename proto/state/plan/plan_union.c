/*
 * Plans of unions. Which member of a union is alive cannot be seen in its bytes, and a guess would
 * turn a number into a pointer: so either a tag beside it says so, or all members are plain bytes.
 *
 * With a tag: one case for each value that a member is alive at; the tag is read from the new
 * record, where it is already in its place and in its new meaning. A value without a case ends the
 * transfer, unless the old bytes are zeros or an annotation says that the union holds nothing then.
 *
 * Without: the bytes are carried over, if no member holds a pointer and all have kept their layout.
 */
#include <string.h>

#include "proto/state/plan/plan.h"

/* The n-th annotation of a union by this key: on the member, or if there is none on the type. */
static const char *union_note(
        const struct state_desc *desc, const struct state_field *field, const char *key, unsigned n)
{
	if (field->owner != STATE_NONE &&
	        state_desc_tag(desc, STATE_TAG_TYPE, field->owner, field->index, key, 0) != NULL) {
		return state_desc_tag(desc, STATE_TAG_TYPE, field->owner, field->index, key, n);
	}
	return state_desc_tag(
	        desc, STATE_TAG_TYPE, state_type_strip(desc, field->type), STATE_TAG_SELF, key, n);
}

/* The sibling that says which member is alive, by name. NULL: the union has no tag. */
static const char *union_tag_name(const struct state_desc *desc, const struct state_field *field)
{
	return union_note(desc, field, "tag", 0);
}

/* The sibling that is the tag: a number that is carried over. NULL: no sibling of that name is. */
static const struct state_field *union_tag(
        const struct state_sides *s, const struct state_fields *around, const char *name)
{
	const struct state_desc *desc = &s->desc[STATE_NEW];

	for (uint32_t i = 0; around != NULL && i < around->n; i++) {
		const struct state_field *field = &around->field[i];
		struct state_notes notes = state_notes_of_field(desc, field);

		if (strcmp(field->name, name) == 0) {
			return field->partner != STATE_NONE && !notes.skip &&
			                       state_type_is_number(desc, field->type) &&
			                       state_type_size(desc, field->type) <= 8
			               ? field
			               : NULL;
		}
	}
	return NULL;
}

/* The n-th value at which a member is alive: said on the member, or on its own type. */
static const char *union_member_when(
        const struct state_desc *desc, const struct state_field *field, unsigned n)
{
	const char *text =
	        state_desc_tag(desc, STATE_TAG_TYPE, field->owner, field->index, "when", n);

	return text != NULL
	               ? text
	               : state_desc_tag(desc, STATE_TAG_TYPE, state_type_strip(desc, field->type),
	                         STATE_TAG_SELF, "when", n);
}

/* All values of all members; STATE_NONE: one has none, and each must. */
static uint32_t union_whens(
        const struct state_desc *desc, const struct state_fields *fields, bool each)
{
	uint32_t total = 0;

	for (uint32_t i = 0; i < fields->n; i++) {
		unsigned n = 0;

		while (union_member_when(desc, &fields->field[i], n) != NULL) {
			n++;
		}
		if (n == 0 && each) {
			return STATE_NONE;
		}
		total += n;
	}
	return total;
}

/* How many values, or "all others", say that the union holds nothing: room for so many cases. */
static uint32_t union_empties(const struct state_desc *desc, const struct state_field *place)
{
	unsigned n = 0;

	while (union_note(desc, place, "empty", n) != NULL) {
		n++;
	}
	return n;
}

/* Linear: unions have a handful of members, and this runs when plans are made, not per object. */
static const struct state_case *union_case(const struct state_union *u, int64_t value)
{
	for (uint32_t i = 0; i < u->n_cases; i++) {
		if (u->cases[i].value == value) {
			return &u->cases[i];
		}
	}
	return NULL;
}

/* An annotation of the new release is wrong: refused whatever the state holds. */
static enum state_code union_when_fail(struct state_report *r, const char *what, const char *member)
{
	return state_fail_member(r, STATE_E_ANNOTATION, what, 0, member);
}

/*
 * The cases of one new member: the same plan for each of its values. A member that the old union
 * lacks has no case: an old value cannot be it.
 */
static enum state_code union_member_cases(struct state_maker *m, struct state_union *ret,
        const struct state_fields *old, const struct state_field *new, uint32_t tag_type)
{
	const struct state_desc *desc = &m->sides->desc[STATE_NEW];
	const struct state_plan *plan;
	const char *text;

	if (new->partner == STATE_NONE) {
		return STATE_OK;
	}
	plan = state_plan_of_field(m, &old->field[new->partner], new);
	if (plan == NULL) {
		return STATE_E_TYPE;
	}
	for (unsigned n = 0; (text = union_member_when(desc, new, n)) != NULL; n++) {
		struct state_case *one = &ret->cases[ret->n_cases];

		if (!state_when_value(desc, tag_type, text, &one->value)) {
			return union_when_fail(m->report,
			        "union member is alive at what is no value of its tag", new->name);
		}
		if (!state_tag_holds(desc, tag_type, &ret->tag, one->value)) {
			return state_fail_member(m->report, STATE_E_ANNOTATION,
			        "union member is alive at a value that its tag cannot hold:",
			        (uint64_t)one->value, new->name);
		}
		if (union_case(ret, one->value) != NULL) {
			return union_when_fail(m->report,
			        "union has two members that are alive at one value", new->name);
		}
		one->plan = plan;
		one->old_member = old->field[new->partner].index;
		ret->n_cases++;
	}
	return STATE_OK;
}

/* Values of the new tag at which the union holds nothing, as its annotations say. */
static enum state_code union_empty_cases(struct state_report *r, struct state_union *ret,
        const struct state_field *place, uint32_t tag_type)
{
	const struct state_desc *desc = &r->sides->desc[STATE_NEW];
	const char *text;

	for (unsigned n = 0; (text = union_note(desc, place, "empty", n)) != NULL; n++) {
		struct state_case *one = &ret->cases[ret->n_cases];

		if (text[0] == 0) {
			ret->is_empty_else = true;
			continue;
		}
		if (!state_when_value(desc, tag_type, text, &one->value)) {
			return state_fail(r, STATE_E_ANNOTATION,
			        "union is empty at what is no value of its tag", 0);
		}
		if (!state_tag_holds(desc, tag_type, &ret->tag, one->value)) {
			return state_fail(r, STATE_E_ANNOTATION,
			        "union is empty at a value that its tag cannot hold:",
			        (uint64_t)one->value);
		}
		if (union_case(ret, one->value) != NULL) {
			return state_fail(r, STATE_E_ANNOTATION,
			        "union is empty at a value at which a member is alive", 0);
		}
		one->old_member = STATE_NONE;
		ret->n_cases++;
	}
	return STATE_OK;
}

/*
 * The values of an old member: of one that was removed, reported as such, nothing is carried over;
 * none may have come to mean another member.
 */
static enum state_code union_old_cases(struct state_report *r, struct state_union *ret,
        const struct state_field *member, const struct state_field *old_tag, uint32_t tag_type)
{
	const struct state_desc *desc = &r->sides->desc[STATE_OLD];
	const char *text;

	for (unsigned n = 0; (text = union_member_when(desc, member, n)) != NULL; n++) {
		const struct state_case *one;
		int64_t value;

		if (!state_when_value(desc, old_tag->type, text, &value) ||
		        !state_tag_value_now(r->sides, old_tag->type, tag_type, &value)) {
			continue;
		}
		one = union_case(ret, value);
		if (one != NULL && one->old_member != member->index) {
			return state_fail_member(r, STATE_E_UNION,
			        "tag of a union says something else now at value", (uint64_t)value,
			        member->name);
		}
		if (one == NULL && member->partner == STATE_NONE) {
			ret->cases[ret->n_cases++] =
			        (struct state_case){.value = value, .old_member = member->index};
		}
	}
	return STATE_OK;
}

/* A union on its way: both sides' places, members and tags. */
struct union_pair {
	const struct state_field *place[_STATE_AGE_N];
	const struct state_field *tag[_STATE_AGE_N]; /* old: NULL if there was none */
	struct state_fields fields[_STATE_AGE_N];
};

/*
 * Fill made->cases, for which there is room. A later step looks at the cases of the earlier ones
 * for contradictions, so the order matters: see union_tagged().
 */
static enum state_code union_fill(
        struct state_maker *m, const struct union_pair *u, struct state_union *made)
{
	const struct state_fields *old = &u->fields[STATE_OLD];
	const struct state_fields *new = &u->fields[STATE_NEW];
	uint32_t tag_type = u->tag[STATE_NEW]->type;
	enum state_code code = STATE_OK;

	for (uint32_t i = 0; code == STATE_OK && i < new->n; i++) {
		code = union_member_cases(m, made, old, &new->field[i], tag_type);
	}
	if (code == STATE_OK) {
		code = union_empty_cases(m->report, made, u->place[STATE_NEW], tag_type);
	}
	for (uint32_t i = 0; code == STATE_OK && u->tag[STATE_OLD] != NULL && i < old->n; i++) {
		code = union_old_cases(
		        m->report, made, &old->field[i], u->tag[STATE_OLD], tag_type);
	}
	return code;
}

/*
 * Cases of new members first, then values at which the union is empty, then what the old release
 * says: the order in which one can contradict another.
 */
static enum state_code union_tagged(
        struct state_maker *m, const struct union_pair *u, const struct state_union **ret)
{
	const struct state_field *place = u->place[STATE_NEW];
	const struct state_field *tag = u->tag[STATE_NEW];
	const struct state_desc *desc = &m->sides->desc[STATE_NEW];
	uint32_t n = union_whens(desc, &u->fields[STATE_NEW], true);
	uint32_t old_type = state_type_strip(&m->sides->desc[STATE_OLD], u->place[STATE_OLD]->type);
	struct state_union *made;
	enum state_code code;

	if (n == STATE_NONE) {
		return state_fail(m->report, STATE_E_ANNOTATION,
		        "member of a tagged union does not say when it is alive", 0);
	}
	n += union_empties(desc, place) +
	     union_whens(&m->sides->desc[STATE_OLD], &u->fields[STATE_OLD], false);
	/* One more than there can be: a case is tried where it would stand. */
	made = state_keep(m->report, sizeof(*made) + (n + 1) * sizeof(made->cases[0]));
	if (made == NULL) {
		return STATE_E_SCRATCH;
	}
	made->size[STATE_OLD] = (uint32_t)state_type_size(&m->sides->desc[STATE_OLD], old_type);
	made->size[STATE_NEW] = (uint32_t)state_type_size(desc, place->type);
	made->tag = state_bits_of(desc, tag->type, tag->bit_off, tag->bit_size, place->bit_off);
	code = union_fill(m, u, made);
	if (code != STATE_OK) {
		return code;
	}
	*ret = made;
	return STATE_OK;
}

/* All members that the old union had are there, hold no pointers and look the same. */
static bool union_is_bits(
        struct state_maker *m, const struct state_fields *old, const struct state_fields *new)
{
	for (uint32_t i = 0; i < old->n; i++) {
		const struct state_field *field = &old->field[i];
		const struct state_plan *plan;

		if (field->partner == STATE_NONE) {
			return false;
		}
		plan = state_plan_of_field(m, field, &new->field[field->partner]);
		if (plan == NULL || !plan->is_bits) {
			return false;
		}
	}
	return true;
}

/*
 * Without a tag nobody knows which member is alive, so every one must mean the same as bytes.
 * Trying that is quiet: what fails is told as this rule.
 */
static enum state_code union_untagged(struct state_maker *m, uint32_t old_type, uint32_t new_type,
        const struct state_fields *old, const struct state_fields *new, uint64_t high)
{
	uint64_t size = state_type_size(&m->sides->desc[STATE_OLD], old_type);
	bool quiet = m->report->quiet;
	bool is_bits;

	m->report->quiet = true;
	is_bits = union_is_bits(m, old, new);
	m->report->quiet = quiet;
	m->report->scratch.high = high;
	if (!is_bits || size > state_type_size(&m->sides->desc[STATE_NEW], new_type)) {
		return state_fail(m->report, STATE_E_UNION,
		        "union without a tag holds pointers or has changed", 0);
	}
	return state_op_copy(m->report, size);
}

/*
 * *ret is the old sibling that is the union's tag in both releases, or NULL if the old union had
 * none. What another one said of the old union, the new tag does not know.
 */
static enum state_code union_tag_old(struct state_report *r, const struct state_fields *around_old,
        const struct state_field *old_place, const struct state_field *tag,
        const struct state_field **ret)
{
	const struct state_field *old_tag = &around_old->field[tag->partner];
	const char *name = union_tag_name(&r->sides->desc[STATE_OLD], old_place);

	*ret = name != NULL ? old_tag : NULL;
	return name == NULL || strcmp(name, old_tag->name) == 0
	               ? STATE_OK
	               : state_fail(r, STATE_E_UNION, "union's tag is another member now", 0);
}

/* A union by itself, as an array's element, has no siblings (around is NULL) and so no tag. */
enum state_code state_plan_union(struct state_maker *m, const struct state_fields *around_old,
        const struct state_fields *around, const struct state_field *old_place,
        const struct state_field *place)
{
	uint32_t old_type = state_type_strip(&m->sides->desc[STATE_OLD], old_place->type);
	uint32_t new_type = state_type_strip(&m->sides->desc[STATE_NEW], place->type);
	const char *name = union_tag_name(&m->sides->desc[STATE_NEW], place);
	struct union_pair u = {.place = {old_place, place}};
	const struct state_union *made = NULL;
	struct state_op *op;
	uint64_t high = m->report->scratch.high;
	enum state_code code;

	if (!state_names_match(m->sides, old_type, new_type)) {
		return state_fail(m->report, STATE_E_TYPE, "union is another one", 0);
	}
	if (name != NULL && (u.tag[STATE_NEW] = union_tag(m->sides, around, name)) == NULL) {
		return state_fail(m->report, STATE_E_ANNOTATION,
		        "union's tag is no number beside it that is carried over", 0);
	}
	if (!state_fields_get(m->report, STATE_OLD, old_type, &u.fields[STATE_OLD]) ||
	        !state_fields_get(m->report, STATE_NEW, new_type, &u.fields[STATE_NEW])) {
		return STATE_E_SCRATCH;
	}
	code = state_fields_partner(m->report, &u.fields[STATE_OLD], &u.fields[STATE_NEW]);
	if (code != STATE_OK) {
		return code;
	}
	if (u.tag[STATE_NEW] == NULL) {
		return union_untagged(
		        m, old_type, new_type, &u.fields[STATE_OLD], &u.fields[STATE_NEW], high);
	}
	code = union_tag_old(m->report, around_old, old_place, u.tag[STATE_NEW], &u.tag[STATE_OLD]);
	if (code == STATE_OK) {
		code = union_tagged(m, &u, &made);
	}
	if (code == STATE_OK) {
		state_members_lost(m->report, old_type, new_type, &u.fields[STATE_OLD]);
	}
	m->report->scratch.high = high;
	op = code == STATE_OK ? state_op_push(m->report, STATE_OP_UNION) : NULL;
	if (op == NULL) {
		return code != STATE_OK ? code : STATE_E_SCRATCH;
	}
	op->sub = made;
	return STATE_OK;
}
