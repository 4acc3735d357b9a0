/*
 * Members of records as the engine sees them: anonymous structs are dissolved into the record
 * around them, since their members are named as if they stood there; old and new pair by name or
 * by STATE_RENAMED_FROM.
 *
 * Lists of members are made on the stack of scratch memory each time they are needed, and not
 * kept: a description may have thousands of types, of which a transfer meets few. Who calls
 * restores `high`.
 */
#include <string.h>

#include "proto/state/match/field.h"

/*
 * Is the member a struct without a name, whose members count as the outer record's? Not if its
 * type is annotated: then it is a value of its own.
 */
static bool field_dissolves(const struct state_desc *desc, const struct state_member *member)
{
	uint32_t id = state_type_strip(desc, member->type);

	return member->name[0] == 0 && state_type_kind(desc, id) == STATE_BTF_STRUCT &&
	       !state_type_has_notes(desc, id);
}

static uint32_t field_count(const struct state_desc *desc, uint32_t type, unsigned depth)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < state_type_count(desc, type); i++) {
		struct state_member member = state_type_member(desc, type, i);

		n += depth < STATE_DEPTH && field_dissolves(desc, &member)
		             ? field_count(desc, state_type_strip(desc, member.type), depth + 1)
		             : 1;
	}
	return n;
}

static void field_fill(const struct state_desc *desc, uint32_t type, uint64_t bit_off,
        unsigned depth, struct state_fields *ret)
{
	for (uint32_t i = 0; i < state_type_count(desc, type); i++) {
		struct state_member member = state_type_member(desc, type, i);

		if (depth < STATE_DEPTH && field_dissolves(desc, &member)) {
			field_fill(desc, state_type_strip(desc, member.type),
			        bit_off + member.bit_off, depth + 1, ret);
			continue;
		}
		ret->field[ret->n++] = (struct state_field){
		        .name = member.name,
		        .type = member.type,
		        .owner = type,
		        .index = i,
		        .bit_off = bit_off + member.bit_off,
		        .bit_size = member.bit_size,
		        .partner = STATE_NONE,
		};
	}
}

/* The members of a record, on the stack of scratch memory. False: no room. */
bool state_fields_get(
        struct state_report *r, enum state_age age, uint32_t type, struct state_fields *ret)
{
	const struct state_desc *desc = &r->sides->desc[age];
	/* A union's members all live at its start: an anonymous struct in it stays whole. */
	unsigned depth = state_type_kind(desc, type) == STATE_BTF_UNION ? STATE_DEPTH : 0;
	uint64_t n = field_count(desc, type, depth);

	ret->n = 0;
	ret->field = state_stack(r, n * sizeof(*ret->field));
	if (ret->field == NULL) {
		return false;
	}
	field_fill(desc, type, 0, depth, ret);
	return true;
}

static const char *field_renamed(const struct state_desc *desc, const struct state_field *field)
{
	return state_desc_tag(desc, STATE_TAG_TYPE, field->owner, field->index, "renamed", 0);
}

const struct state_field *state_field_named(const struct state_fields *fields, const char *name)
{
	for (uint32_t i = 0; fields != NULL && i < fields->n; i++) {
		if (strcmp(fields->field[i].name, name) == 0) {
			return &fields->field[i];
		}
	}
	return NULL;
}

/*
 * The old name of a new member that claims it, or NULL: it was not renamed, or the old release had
 * done so already (then its namesake there says so by the same words).
 */
static const char *field_former(
        const struct state_sides *s, const struct state_fields *old, const struct state_field *new)
{
	const char *renamed = field_renamed(&s->desc[STATE_NEW], new);
	const struct state_field *same;
	const char *was;

	if (renamed == NULL || state_field_named(old, renamed) == NULL) {
		return NULL;
	}
	same = state_field_named(old, new->name);
	was = same != NULL ? field_renamed(&s->desc[STATE_OLD], same) : NULL;
	return was != NULL && strcmp(was, renamed) == 0 ? NULL : renamed;
}

/* Two records without names are the same one if they share the name of a member. */
static bool field_match_anonymous(
        const struct state_sides *s, const struct state_field *old, const struct state_field *new)
{
	const struct state_desc *a = &s->desc[STATE_OLD];
	const struct state_desc *b = &s->desc[STATE_NEW];
	uint32_t x = state_type_strip(a, old->type);
	uint32_t y = state_type_strip(b, new->type);

	if (state_type_kind(a, x) != state_type_kind(b, y)) {
		return false;
	}
	for (uint32_t i = 0; i < state_type_count(a, x); i++) {
		for (uint32_t k = 0; k < state_type_count(b, y); k++) {
			struct state_member old_member = state_type_member(a, x, i);
			struct state_member new_member = state_type_member(b, y, k);

			if (old_member.name[0] != 0 &&
			        strcmp(old_member.name, new_member.name) == 0) {
				return true;
			}
		}
	}
	return false;
}

static bool field_match(const struct state_sides *s, const struct state_field *old,
        const struct state_field *new, const char *name)
{
	if (old->partner != STATE_NONE || strcmp(old->name, name) != 0) {
		return false;
	}
	return name[0] != 0 || field_match_anonymous(s, old, new);
}

/* Usually nothing moved: begin where the partner would be then. */
static void field_pair(const struct state_sides *s, struct state_fields *old,
        struct state_fields *new, uint32_t i, const char *name)
{
	/* Usually nothing moved: begin where the partner would be then. */
	for (uint32_t k = 0; k < old->n; k++) {
		uint32_t at = (i + k) % old->n;

		if (field_match(s, &old->field[at], &new->field[i], name)) {
			old->field[at].partner = i;
			new->field[i].partner = at;
			return;
		}
	}
}

/* Renamed members choose first: an old name may be in use again for something else. */
const struct state_field *state_fields_pair(
        const struct state_sides *s, struct state_fields *old, struct state_fields *new)
{
	const struct state_field *clash = NULL;

	for (uint32_t i = 0; i < new->n; i++) {
		const char *name = field_former(s, old, &new->field[i]);

		if (name != NULL) {
			field_pair(s, old, new, i, name);
			clash = new->field[i].partner == STATE_NONE ? &new->field[i] : clash;
		}
	}
	for (uint32_t i = 0; i < new->n; i++) {
		if (new->field[i].partner == STATE_NONE &&
		        field_former(s, old, &new->field[i]) == NULL) {
			field_pair(s, old, new, i, new->field[i].name);
		}
	}
	return clash;
}

/* The same doubt as of variables (partners_check_back): did names pair that part in meaning? */
static bool field_is_doubtful(const struct state_sides *s, const struct state_fields *old,
        const struct state_fields *new, const struct state_field *field)
{
	const char *renamed = field_renamed(&s->desc[STATE_OLD], field);
	const struct state_field *former = renamed != NULL ? state_field_named(new, renamed) : NULL;
	const struct state_field *same = state_field_named(new, field->name);
	const char *now = same != NULL ? field_renamed(&s->desc[STATE_NEW], same) : NULL;

	if (former == NULL || (now != NULL && strcmp(now, renamed) == 0) ||
	        field_former(s, old, former) != NULL) {
		return false;
	}
	return same != NULL ? field_former(s, old, same) == NULL
	                    : field->partner == STATE_NONE && former->partner != STATE_NONE &&
	                              !state_member_is_dropped(s, former->owner, field);
}

/* Has one before it the same former name? */
static bool field_renamed_twice(
        const struct state_sides *s, const struct state_fields *new, uint32_t i)
{
	const char *name = field_renamed(&s->desc[STATE_NEW], &new->field[i]);

	for (uint32_t k = 0; name != NULL && k < i; k++) {
		const char *other = field_renamed(&s->desc[STATE_NEW], &new->field[k]);

		if (other != NULL && strcmp(name, other) == 0) {
			return true;
		}
	}
	return false;
}

/*
 * Refuses by member: two that were one, and what the old release renamed where the new one does
 * not say whether its names mean the same.
 */
enum state_code state_fields_partner(
        struct state_report *r, struct state_fields *old, struct state_fields *new)
{
	const struct state_field *clash = state_fields_pair(r->sides, old, new);

	for (uint32_t i = 0; clash == NULL && i < new->n; i++) {
		clash = field_renamed_twice(r->sides, new, i) ? &new->field[i] : NULL;
	}
	if (clash != NULL) {
		return state_fail_member(r, STATE_E_ANNOTATION, RENAMED_TWICE, 0, clash->name);
	}
	for (uint32_t i = 0; i < old->n; i++) {
		if (field_is_doubtful(r->sides, old, new, &old->field[i])) {
			return state_fail_member(
			        r, STATE_E_ANNOTATION, RENAMED_BACK, 0, old->field[i].name);
		}
	}
	return STATE_OK;
}
