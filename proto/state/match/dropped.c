/*
 * What a release has dropped on purpose, in its own words (osd/lib/annotate): members by a note on
 * the new type, variables and types by notes of a file. And what the old release called
 * expendable. Consent that is written into a release is signed with it, so it needs no operator.
 */
#include <string.h>

#include "proto/state/match/field.h"

static bool dropped_has_tag(const struct state_desc *desc, enum state_tag_scope scope,
        uint32_t owner, uint32_t member, const char *key)
{
	return state_desc_tag(desc, scope, owner, member, key, 0) != NULL;
}

/* "FILE:FUNCTION:NAME", "FUNCTION:NAME" or "NAME" in the same file: does it name the old entry? */
static bool dropped_names(const struct state_desc *desc, const struct state_entry *old,
        const char *text, const char *unit)
{
	const char *name = strrchr(text, ':');
	const char *first = strchr(text, ':');
	bool has_file = first != NULL && memchr(text, '.', (size_t)(first - text)) != NULL;
	const char *scope = has_file ? first + 1 : text;
	size_t scope_len = name != NULL && name >= scope ? (size_t)(name - scope) : 0;
	const char *old_scope = state_desc_string(desc, old->scope);
	const char *old_unit = state_desc_string(desc, old->unit);

	name = name != NULL ? name + 1 : text;
	return strcmp(state_desc_string(desc, old->name), name) == 0 &&
	       strlen(old_scope) == scope_len && memcmp(old_scope, scope, scope_len) == 0 &&
	       (has_file ? state_unit_matches(old_unit, text, (size_t)(first - text))
	                 : strcmp(old_unit, unit) == 0);
}

/* Notes of files hang on entries; only their file says where they stand. */
bool state_entry_is_named_dropped(const struct state_sides *s, uint32_t i)
{
	const struct state_desc *new = &s->desc[STATE_NEW];
	const struct state_desc *old = &s->desc[STATE_OLD];

	for (uint32_t k = 0; k < new->n_entries; k++) {
		const char *text = state_desc_tag(
		        new, STATE_TAG_ENTRY, k, STATE_TAG_SELF, "dropped_variable", 0);

		if (text != NULL && dropped_names(old, &old->entries[i], text,
		                            state_desc_string(new, new->entries[k].unit))) {
			return true;
		}
	}
	return false;
}

/* By the new release's note, or by the old one's word that nobody will miss it. */
bool state_entry_is_dropped(const struct state_sides *s, uint32_t i)
{
	return state_entry_is_named_dropped(s, i) ||
	       dropped_has_tag(
	               &s->desc[STATE_OLD], STATE_TAG_ENTRY, i, STATE_TAG_SELF, "expendable");
}

/*
 * Whether objects of an old type may be left behind. By name, since a type that is gone has no id
 * in the new release; name is the one under which type stands in the old release.
 */
bool state_type_is_dropped(const struct state_sides *s, uint32_t type, const char *name)
{
	const struct state_desc *new = &s->desc[STATE_NEW];

	for (uint32_t k = 0; k < new->n_entries; k++) {
		const char *dropped =
		        state_desc_tag(new, STATE_TAG_ENTRY, k, STATE_TAG_SELF, "dropped_type", 0);

		if (dropped != NULL && strcmp(dropped, name) == 0) {
			return true;
		}
	}
	return dropped_has_tag(
	        &s->desc[STATE_OLD], STATE_TAG_TYPE, type, STATE_TAG_SELF, "expendable");
}

/* Several members may be dropped from one type, a note each. */
bool state_member_is_dropped(
        const struct state_sides *s, uint32_t new_type, const struct state_field *field)
{
	const struct state_desc *new = &s->desc[STATE_NEW];
	const char *name;

	for (unsigned n = 0; (name = state_desc_tag(new, STATE_TAG_TYPE, new_type, STATE_TAG_SELF,
	                              "dropped", n)) != NULL;
	        n++) {
		if (strcmp(name, field->name) == 0) {
			return true;
		}
	}
	return dropped_has_tag(
	        &s->desc[STATE_OLD], STATE_TAG_TYPE, field->owner, field->index, "expendable");
}
