/*
 * What names mean across the two releases: paths of files, and types that were renamed. Records
 * are the same if their names are, or if the new one says that it was renamed from the old one's
 * name.
 *
 * A renaming that both releases know is history: the former name may have been given to another
 * type since. And a release from before a renaming knows nothing of it: then an old note and a new
 * name contradict, and it is refused rather than guessed (RENAMED_BACK), for types, members and
 * variables alike.
 */
#include <string.h>

#include "proto/state/match/field.h"

bool state_unit_matches(const char *unit, const char *file, size_t len)
{
	size_t all = strlen(unit);

	return all >= len && memcmp(unit + all - len, file, len) == 0 &&
	       (all == len || unit[all - len - 1] == '/');
}

static bool name_is_of(const struct state_desc *desc, uint32_t id, const char *name)
{
	enum state_btf_kind kind = state_type_kind(desc, id);

	return (kind == STATE_BTF_STRUCT || kind == STATE_BTF_UNION) &&
	       strcmp(state_type_name(desc, id), name) == 0;
}

static const char *name_renamed(const struct state_desc *desc, uint32_t id)
{
	return state_desc_tag(desc, STATE_TAG_TYPE, id, STATE_TAG_SELF, "renamed", 0);
}

/*
 * The old name of a new type that claims it, or NULL: it claims none, the old release has no such
 * type, or has a type of the new name that made the same claim.
 */
static const char *name_former(const struct state_sides *s, uint32_t new_type)
{
	const struct state_desc *desc = &s->desc[STATE_OLD];
	const char *name = state_type_name(&s->desc[STATE_NEW], new_type);
	const char *renamed = name_renamed(&s->desc[STATE_NEW], new_type);
	bool found = false;

	for (uint32_t id = 1; renamed != NULL && id < desc->n_types; id++) {
		const char *was = name_is_of(desc, id, name) ? name_renamed(desc, id) : NULL;

		if (was != NULL && strcmp(was, renamed) == 0) {
			return NULL;
		}
		found |= name_is_of(desc, id, renamed);
	}
	return found ? renamed : NULL;
}

/* A new type of another name that claims the old name, or STATE_NONE. */
static uint32_t name_claimant(
        const struct state_sides *s, const char *old_name, const char *new_name)
{
	const struct state_desc *desc = &s->desc[STATE_NEW];

	for (uint32_t i = 0; i < desc->n_tags; i++) {
		const struct state_tag *tag = &desc->tags[i];
		const char *former;

		if (tag->scope != STATE_TAG_TYPE || tag->member != STATE_TAG_SELF ||
		        strcmp(state_type_name(desc, tag->owner), new_name) == 0) {
			continue;
		}
		former = name_former(s, tag->owner);
		if (former != NULL && strcmp(former, old_name) == 0) {
			return tag->owner;
		}
	}
	return STATE_NONE;
}

/* The same doubt as of variables: an old type was renamed, and the new release uses both names. */
static bool name_is_doubtful(const struct state_sides *s, uint32_t old_type)
{
	const struct state_desc *desc = &s->desc[STATE_NEW];
	const char *name = state_type_name(&s->desc[STATE_OLD], old_type);
	const char *renamed = name_renamed(&s->desc[STATE_OLD], old_type);
	bool has_same = false;
	bool has_former = false;

	for (uint32_t id = 1; renamed != NULL && id < desc->n_types; id++) {
		const char *now = name_renamed(desc, id);

		if (name_is_of(desc, id, name)) {
			if (now != NULL && strcmp(now, renamed) == 0) {
				return false;
			}
			has_same |= name_former(s, id) == NULL;
		}
		has_former |= name_is_of(desc, id, renamed) && name_former(s, id) == NULL;
	}
	return has_same && has_former;
}

static enum state_code name_check_back(struct state_report *r)
{
	const struct state_desc *desc = &r->sides->desc[STATE_OLD];

	for (uint32_t i = 0; i < desc->n_tags; i++) {
		const struct state_tag *tag = &desc->tags[i];

		if (tag->scope == STATE_TAG_TYPE && tag->member == STATE_TAG_SELF &&
		        name_is_doubtful(r->sides, tag->owner)) {
			return state_fail_named(r, STATE_E_ANNOTATION, RENAMED_BACK ": type",
			        state_type_name(desc, tag->owner));
		}
	}
	return STATE_OK;
}

/* Does a type of another name have the same former name? */
static bool name_renamed_twice(const struct state_desc *desc, uint32_t type)
{
	const char *name = name_renamed(desc, type);

	for (uint32_t i = 0; name != NULL && i < desc->n_tags; i++) {
		const struct state_tag *tag = &desc->tags[i];
		const char *other = tag->scope == STATE_TAG_TYPE && tag->member == STATE_TAG_SELF
		                            ? name_renamed(desc, tag->owner)
		                            : NULL;

		if (other != NULL && strcmp(other, name) == 0 &&
		        strcmp(state_type_name(desc, tag->owner), state_type_name(desc, type)) !=
		                0) {
			return true;
		}
	}
	return false;
}

/*
 * Most releases rename no type: then names are compared, without looking at tags, for every
 * pointer of the transfer.
 */
enum state_code state_names_prepare(struct state_sides *s, struct state_report *r)
{
	const struct state_desc *desc = &s->desc[STATE_NEW];

	for (uint32_t i = 0; i < desc->n_tags; i++) {
		const struct state_tag *tag = &desc->tags[i];
		const char *former;

		if (tag->scope != STATE_TAG_TYPE || tag->member != STATE_TAG_SELF) {
			continue;
		}
		if (name_renamed_twice(desc, tag->owner)) {
			return state_fail_named(r, STATE_E_ANNOTATION,
			        "two types were renamed from", name_renamed(desc, tag->owner));
		}
		former = name_former(s, tag->owner);
		s->has_renamed_types = s->has_renamed_types || former != NULL;
	}
	return name_check_back(r);
}

/* A type without a name is whatever its place says. */
bool state_names_match(const struct state_sides *s, uint32_t old_type, uint32_t new_type)
{
	const char *old = state_type_name(&s->desc[STATE_OLD], old_type);
	const char *new = state_type_name(&s->desc[STATE_NEW], new_type);
	const char *former;

	if (old[0] == 0 || new[0] == 0) {
		return true;
	}
	if (!s->has_renamed_types) {
		return strcmp(old, new) == 0;
	}
	former = name_former(s, new_type);
	return former != NULL ? strcmp(old, former) == 0
	                      : strcmp(old, new) == 0 && name_claimant(s, old, new) == STATE_NONE;
}
