/*
 * Members of records as the engine sees them: anonymous structs are dissolved into the
 * record around them, old and new pair by name or by STATE_RENAMED_FROM, and annotations are
 * looked up on the member first, then on its type.
 */
#include <string.h>

#include "proto/state/plan/transfer.h"

static bool type_has_tags(const struct state_desc *desc, uint32_t id)
{
	return state_desc_tag(desc, STATE_TAG_TYPE, id, STATE_TAG_SELF, "skip", 0) != NULL ||
	       state_desc_tag(desc, STATE_TAG_TYPE, id, STATE_TAG_SELF, "raw", 0) != NULL ||
	       state_desc_tag(desc, STATE_TAG_TYPE, id, STATE_TAG_SELF, "handler", 0) != NULL ||
	       state_desc_tag(desc, STATE_TAG_TYPE, id, STATE_TAG_SELF, "version", 0) != NULL;
}

static bool type_is_alias(enum state_btf_kind kind)
{
	return kind == STATE_BTF_TYPEDEF || kind == STATE_BTF_CONST || kind == STATE_BTF_VOLATILE ||
	       kind == STATE_BTF_RESTRICT || kind == STATE_BTF_TYPE_TAG;
}

uint32_t state_type_noted(const struct state_desc *desc, uint32_t id)
{
	while (type_is_alias(state_type_kind(desc, id)) && !type_has_tags(desc, id)) {
		id = state_type(desc, id)->size_or_type;
	}
	return id;
}

bool state_type_is_number(const struct state_desc *desc, uint32_t id)
{
	enum state_btf_kind kind = state_kind(desc, id);

	return kind == STATE_BTF_INT || kind == STATE_BTF_ENUM || kind == STATE_BTF_ENUM64;
}

static uint32_t note_number(const char *text)
{
	uint32_t n = 0;

	for (; text != NULL && *text >= '0' && *text <= '9'; text++) {
		n = n * 10 + (uint32_t)(*text - '0');
	}
	return n;
}

static struct state_notes notes_get(
        const struct state_desc *desc, enum state_tag_scope scope, uint32_t owner, uint32_t member)
{
	struct state_notes notes;

	notes.skip = state_desc_tag(desc, scope, owner, member, "skip", 0) != NULL;
	notes.raw = state_desc_tag(desc, scope, owner, member, "raw", 0) != NULL;
	notes.handler = state_desc_tag(desc, scope, owner, member, "handler", 0);
	notes.version = note_number(state_desc_tag(desc, scope, owner, member, "version", 0));
	return notes;
}

struct state_notes state_notes_of_type(const struct state_desc *desc, uint32_t type)
{
	return notes_get(desc, STATE_TAG_TYPE, state_type_noted(desc, type), STATE_TAG_SELF);
}

struct state_notes state_notes_of_field(
        const struct state_desc *desc, const struct state_field *field)
{
	return notes_get(desc, STATE_TAG_TYPE, field->owner, field->index);
}

struct state_notes state_notes_of_entry(const struct state_desc *desc, uint32_t entry)
{
	return notes_get(desc, STATE_TAG_ENTRY, entry, STATE_TAG_SELF);
}

/* Is the member a struct without a name, whose members count as the outer record's? */
static bool member_dissolves(const struct state_desc *desc, const struct state_member *member)
{
	uint32_t id = state_type_strip(desc, member->type);

	return member->name[0] == 0 && state_type_kind(desc, id) == STATE_BTF_STRUCT &&
	       !type_has_tags(desc, id);
}

static uint32_t fields_count(const struct state_desc *desc, uint32_t type, unsigned depth)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < state_type_count(desc, type); i++) {
		struct state_member member = state_type_member(desc, type, i);

		n += depth < STATE_DEPTH && member_dissolves(desc, &member)
		             ? fields_count(desc, state_type_strip(desc, member.type), depth + 1)
		             : 1;
	}
	return n;
}

static void fields_fill(const struct state_desc *desc, uint32_t type, uint64_t bit_off,
        unsigned depth, struct state_fields *ret)
{
	for (uint32_t i = 0; i < state_type_count(desc, type); i++) {
		struct state_member member = state_type_member(desc, type, i);

		if (depth < STATE_DEPTH && member_dissolves(desc, &member)) {
			fields_fill(desc, state_type_strip(desc, member.type),
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
        struct state_transfer *t, enum state_age age, uint32_t type, struct state_fields *ret)
{
	const struct state_desc *desc = &t->desc[age];
	/* A union's members all live at its start: an anonymous struct in it stays whole. */
	unsigned depth = state_type_kind(desc, type) == STATE_BTF_UNION ? STATE_DEPTH : 0;
	uint64_t n = fields_count(desc, type, depth);

	ret->n = 0;
	ret->field = state_stack(t, n * sizeof(*ret->field));
	if (ret->field == NULL) {
		return false;
	}
	fields_fill(desc, type, 0, depth, ret);
	return true;
}

static const char *field_renamed(const struct state_desc *desc, const struct state_field *field)
{
	return state_desc_tag(desc, STATE_TAG_TYPE, field->owner, field->index, "renamed", 0);
}

static const struct state_field *field_named(const struct state_fields *fields, const char *name)
{
	for (uint32_t i = 0; i < fields->n; i++) {
		if (strcmp(fields->field[i].name, name) == 0) {
			return &fields->field[i];
		}
	}
	return NULL;
}

/* The old name of a new member that claims it, or NULL: it was not renamed, or the old release had
 * done so already. */
static const char *field_former(const struct state_transfer *t, const struct state_fields *old,
        const struct state_field *new)
{
	const char *renamed = field_renamed(&t->desc[STATE_NEW], new);
	const struct state_field *same;
	const char *was;

	if (renamed == NULL || field_named(old, renamed) == NULL) {
		return NULL;
	}
	same = field_named(old, new->name);
	was = same != NULL ? field_renamed(&t->desc[STATE_OLD], same) : NULL;
	return was != NULL && strcmp(was, renamed) == 0 ? NULL : renamed;
}

/* Two records without names are the same one if they share the name of a member. */
static bool anonymous_match(const struct state_transfer *t, const struct state_field *old,
        const struct state_field *new)
{
	const struct state_desc *a = &t->desc[STATE_OLD];
	const struct state_desc *b = &t->desc[STATE_NEW];
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

static bool field_match(const struct state_transfer *t, const struct state_field *old,
        const struct state_field *new, const char *name)
{
	if (old->partner != STATE_NONE || strcmp(old->name, name) != 0) {
		return false;
	}
	return name[0] != 0 || anonymous_match(t, old, new);
}

static void field_pair(const struct state_transfer *t, struct state_fields *old,
        struct state_fields *new, uint32_t i, const char *name)
{
	/* Usually nothing moved: begin where the partner would be then. */
	for (uint32_t k = 0; k < old->n; k++) {
		uint32_t at = (i + k) % old->n;

		if (field_match(t, &old->field[at], &new->field[i], name)) {
			old->field[at].partner = i;
			new->field[i].partner = at;
			return;
		}
	}
}

/* Renamed members choose first: an old name may be in use again for something else. */
const struct state_field *state_fields_pair(
        const struct state_transfer *t, struct state_fields *old, struct state_fields *new)
{
	const struct state_field *clash = NULL;

	for (uint32_t i = 0; i < new->n; i++) {
		const char *name = field_former(t, old, &new->field[i]);

		if (name != NULL) {
			field_pair(t, old, new, i, name);
			clash = new->field[i].partner == STATE_NONE ? &new->field[i] : clash;
		}
	}
	for (uint32_t i = 0; i < new->n; i++) {
		if (new->field[i].partner == STATE_NONE &&
		        field_former(t, old, &new->field[i]) == NULL) {
			field_pair(t, old, new, i, new->field[i].name);
		}
	}
	return clash;
}

/* The same doubt as of variables (partners_check_back): did names pair that part in meaning? */
static bool field_is_doubtful(const struct state_transfer *t, const struct state_fields *old,
        const struct state_fields *new, const struct state_field *field)
{
	const char *renamed = field_renamed(&t->desc[STATE_OLD], field);
	const struct state_field *former = renamed != NULL ? field_named(new, renamed) : NULL;
	const struct state_field *same = field_named(new, field->name);
	const char *now = same != NULL ? field_renamed(&t->desc[STATE_NEW], same) : NULL;

	if (former == NULL || (now != NULL && strcmp(now, renamed) == 0) ||
	        field_former(t, old, former) != NULL) {
		return false;
	}
	return same != NULL ? field_former(t, old, same) == NULL
	                    : field->partner == STATE_NONE && former->partner != STATE_NONE &&
	                              !state_member_is_dropped(t, former->owner, field);
}

/* Has one before it the same former name? */
static bool field_renamed_twice(
        const struct state_transfer *t, const struct state_fields *new, uint32_t i)
{
	const char *name = field_renamed(&t->desc[STATE_NEW], &new->field[i]);

	for (uint32_t k = 0; name != NULL && k < i; k++) {
		const char *other = field_renamed(&t->desc[STATE_NEW], &new->field[k]);

		if (other != NULL && strcmp(name, other) == 0) {
			return true;
		}
	}
	return false;
}

enum state_code state_fields_partner(
        struct state_transfer *t, struct state_fields *old, struct state_fields *new)
{
	const struct state_field *clash = state_fields_pair(t, old, new);

	for (uint32_t i = 0; clash == NULL && i < new->n; i++) {
		clash = field_renamed_twice(t, new, i) ? &new->field[i] : NULL;
	}
	if (clash != NULL) {
		return state_fail_member(t, STATE_E_ANNOTATION, RENAMED_TWICE, 0, clash->name);
	}
	for (uint32_t i = 0; i < old->n; i++) {
		if (field_is_doubtful(t, old, new, &old->field[i])) {
			return state_fail_member(
			        t, STATE_E_ANNOTATION, RENAMED_BACK, 0, old->field[i].name);
		}
	}
	return STATE_OK;
}

static bool type_is_named(const struct state_desc *desc, uint32_t id, const char *name)
{
	enum state_btf_kind kind = state_type_kind(desc, id);

	return (kind == STATE_BTF_STRUCT || kind == STATE_BTF_UNION) &&
	       strcmp(state_type_name(desc, id), name) == 0;
}

static const char *type_renamed(const struct state_desc *desc, uint32_t id)
{
	return state_desc_tag(desc, STATE_TAG_TYPE, id, STATE_TAG_SELF, "renamed", 0);
}

/* The old name of a new type that claims it, as of members. */
static const char *type_former(const struct state_transfer *t, uint32_t new_type)
{
	const struct state_desc *desc = &t->desc[STATE_OLD];
	const char *name = state_type_name(&t->desc[STATE_NEW], new_type);
	const char *renamed = type_renamed(&t->desc[STATE_NEW], new_type);
	bool found = false;

	for (uint32_t id = 1; renamed != NULL && id < desc->n_types; id++) {
		const char *was = type_is_named(desc, id, name) ? type_renamed(desc, id) : NULL;

		if (was != NULL && strcmp(was, renamed) == 0) {
			return NULL;
		}
		found |= type_is_named(desc, id, renamed);
	}
	return found ? renamed : NULL;
}

/* A new type of another name that claims the old name, or STATE_NONE. */
static uint32_t name_claimant(
        const struct state_transfer *t, const char *old_name, const char *new_name)
{
	const struct state_desc *desc = &t->desc[STATE_NEW];

	for (uint32_t i = 0; i < desc->n_tags; i++) {
		const struct state_tag *tag = &desc->tags[i];
		const char *former;

		if (tag->scope != STATE_TAG_TYPE || tag->member != STATE_TAG_SELF ||
		        strcmp(state_type_name(desc, tag->owner), new_name) == 0) {
			continue;
		}
		former = type_former(t, tag->owner);
		if (former != NULL && strcmp(former, old_name) == 0) {
			return tag->owner;
		}
	}
	return STATE_NONE;
}

/* The same doubt as of variables: an old type was renamed, and the new release uses both names. */
static bool type_is_doubtful(const struct state_transfer *t, uint32_t old_type)
{
	const struct state_desc *desc = &t->desc[STATE_NEW];
	const char *name = state_type_name(&t->desc[STATE_OLD], old_type);
	const char *renamed = type_renamed(&t->desc[STATE_OLD], old_type);
	bool has_same = false;
	bool has_former = false;

	for (uint32_t id = 1; renamed != NULL && id < desc->n_types; id++) {
		const char *now = type_renamed(desc, id);

		if (type_is_named(desc, id, name)) {
			if (now != NULL && strcmp(now, renamed) == 0) {
				return false;
			}
			has_same |= type_former(t, id) == NULL;
		}
		has_former |= type_is_named(desc, id, renamed) && type_former(t, id) == NULL;
	}
	return has_same && has_former;
}

static enum state_code names_check_back(struct state_transfer *t)
{
	const struct state_desc *desc = &t->desc[STATE_OLD];

	for (uint32_t i = 0; i < desc->n_tags; i++) {
		const struct state_tag *tag = &desc->tags[i];

		if (tag->scope == STATE_TAG_TYPE && tag->member == STATE_TAG_SELF &&
		        type_is_doubtful(t, tag->owner)) {
			return state_fail_named(t, STATE_E_ANNOTATION, RENAMED_BACK ": type",
			        state_type_name(desc, tag->owner));
		}
	}
	return STATE_OK;
}

/* Does a type of another name have the same former name? */
static bool type_renamed_twice(const struct state_desc *desc, uint32_t type)
{
	const char *name = type_renamed(desc, type);

	for (uint32_t i = 0; name != NULL && i < desc->n_tags; i++) {
		const struct state_tag *tag = &desc->tags[i];
		const char *other = tag->scope == STATE_TAG_TYPE && tag->member == STATE_TAG_SELF
		                            ? type_renamed(desc, tag->owner)
		                            : NULL;

		if (other != NULL && strcmp(other, name) == 0 &&
		        strcmp(state_type_name(desc, tag->owner), state_type_name(desc, type)) !=
		                0) {
			return true;
		}
	}
	return false;
}

enum state_code state_names_prepare(struct state_transfer *t)
{
	const struct state_desc *desc = &t->desc[STATE_NEW];

	for (uint32_t i = 0; i < desc->n_tags; i++) {
		const struct state_tag *tag = &desc->tags[i];
		const char *former;

		if (tag->scope != STATE_TAG_TYPE || tag->member != STATE_TAG_SELF) {
			continue;
		}
		if (type_renamed_twice(desc, tag->owner)) {
			return state_fail_named(t, STATE_E_ANNOTATION,
			        "two types were renamed from", type_renamed(desc, tag->owner));
		}
		former = type_former(t, tag->owner);
		t->has_renamed_types = t->has_renamed_types || former != NULL;
	}
	return names_check_back(t);
}

bool state_names_match(const struct state_transfer *t, uint32_t old_type, uint32_t new_type)
{
	const char *old = state_type_name(&t->desc[STATE_OLD], old_type);
	const char *new = state_type_name(&t->desc[STATE_NEW], new_type);
	const char *former;

	if (old[0] == 0 || new[0] == 0) {
		return true;
	}
	if (!t->has_renamed_types) {
		return strcmp(old, new) == 0;
	}
	former = type_former(t, new_type);
	return former != NULL ? strcmp(old, former) == 0
	                      : strcmp(old, new) == 0 && name_claimant(t, old, new) == STATE_NONE;
}

static bool records_same(const struct state_desc *desc, uint32_t x, uint32_t y)
{
	if (strcmp(state_type_name(desc, x), state_type_name(desc, y)) != 0) {
		return false;
	}
	if (state_type_kind(desc, x) == STATE_BTF_FWD ||
	        state_type_kind(desc, y) == STATE_BTF_FWD) {
		return state_type_name(desc, x)[0] != 0;
	}
	if (state_type_kind(desc, x) != state_type_kind(desc, y) ||
	        state_type_size(desc, x) != state_type_size(desc, y) ||
	        state_type_count(desc, x) != state_type_count(desc, y)) {
		return false;
	}
	for (uint32_t i = 0; i < state_type_count(desc, x); i++) {
		struct state_member a = state_type_member(desc, x, i);
		struct state_member b = state_type_member(desc, y, i);

		if (a.bit_off != b.bit_off || strcmp(a.name, b.name) != 0) {
			return false;
		}
	}
	return true;
}

static bool pointers_same(const struct state_desc *desc, uint32_t x, uint32_t y, unsigned depth)
{
	x = state_type_strip(desc, state_type(desc, x)->size_or_type);
	y = state_type_strip(desc, state_type(desc, y)->size_or_type);
	return x == 0 || y == 0 || depth == 0 || state_type_same(desc, x, y, depth - 1);
}

static bool arrays_same(const struct state_desc *desc, uint32_t x, uint32_t y, unsigned depth)
{
	const struct state_btf_array *a = state_type_array(desc, x);
	const struct state_btf_array *b = state_type_array(desc, y);

	return (a->nelems == b->nelems || a->nelems == 0 || b->nelems == 0) && depth > 0 &&
	       state_type_same(desc, a->type, b->type, depth - 1);
}

static bool type_is_record(enum state_btf_kind kind)
{
	return kind == STATE_BTF_STRUCT || kind == STATE_BTF_UNION || kind == STATE_BTF_FWD;
}

bool state_type_same(const struct state_desc *desc, uint32_t x, uint32_t y, unsigned depth)
{
	enum state_btf_kind kind;

	x = state_type_strip(desc, x);
	y = state_type_strip(desc, y);
	if (x == y) {
		return true;
	}
	kind = state_type_kind(desc, x);
	if (state_type_is_number(desc, x) && state_type_is_number(desc, y)) {
		return state_type_size(desc, x) == state_type_size(desc, y);
	}
	if (type_is_record(kind) && type_is_record(state_type_kind(desc, y))) {
		return records_same(desc, x, y);
	}
	if (kind != state_type_kind(desc, y)) {
		return false;
	}
	if (kind == STATE_BTF_PTR) {
		return pointers_same(desc, x, y, depth);
	}
	if (kind == STATE_BTF_ARRAY) {
		return arrays_same(desc, x, y, depth);
	}
	if (kind == STATE_BTF_FUNC_PROTO) {
		return state_type_count(desc, x) == state_type_count(desc, y);
	}
	return kind == STATE_BTF_FLOAT && state_type_size(desc, x) == state_type_size(desc, y);
}

/* The number that a type of this kind holds at bit_off, as seen from from_bit. */
struct state_bits state_bits_of(const struct state_desc *desc, uint32_t type, uint64_t bit_off,
        uint32_t bit_size, uint64_t from_bit)
{
	uint32_t id = state_type_strip(desc, type);
	struct state_bits bits;

	bits.bit_off = (int64_t)(bit_off - from_bit);
	bits.n_bits = (uint8_t)(bit_size != 0 ? bit_size : state_type_size(desc, id) * 8);
	bits.width = bit_size == 0 ? (uint8_t)state_type_size(desc, id) : 0;
	bits.is_signed = (state_type_encoding(desc, id) & STATE_BTF_SIGNED) != 0;
	return bits;
}
