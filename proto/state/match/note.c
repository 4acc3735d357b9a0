/*
 * Annotations of members, variables and types: skip, raw, handler, version. Those of a type stand
 * on the record or on a typedef of it, so aliases are stripped only as far as they carry none: a
 * struct and a typedef of it with a handler are two types for plans.
 */
#include "proto/state/match/field.h"

bool state_type_has_notes(const struct state_desc *desc, uint32_t id)
{
	static const char *const keys[] = {"skip", "raw", "handler", "version"};

	if (!state_desc_is_tagged(desc, STATE_TAG_TYPE, id, STATE_TAG_SELF)) {
		return false;
	}
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (state_desc_tag(desc, STATE_TAG_TYPE, id, STATE_TAG_SELF, keys[i], 0) != NULL) {
			return true;
		}
	}
	return false;
}

/*
 * The type in whose name plans are looked up: id without the aliases that say nothing of their own.
 * The first alias with a note ends the way, so that a typedef can have a handler that its struct
 * does not have.
 */
uint32_t state_type_noted(const struct state_desc *desc, uint32_t id)
{
	while (state_type_is_alias(state_type_kind(desc, id)) && !state_type_has_notes(desc, id)) {
		id = state_type(desc, id)->size_or_type;
	}
	return id;
}

/* Digits up to the first other character; no text is version 0, which is what no note means. */
static uint32_t note_number(const char *text)
{
	uint32_t n = 0;

	for (; text != NULL && *text >= '0' && *text <= '9'; text++) {
		n = n * 10 + (uint32_t)(*text - '0');
	}
	return n;
}

/*
 * member: STATE_TAG_SELF for notes of the owner itself. The handler's name stays in desc's
 * strings.
 */
static struct state_notes note_get(
        const struct state_desc *desc, enum state_tag_scope scope, uint32_t owner, uint32_t member)
{
	struct state_notes notes = {0};

	if (!state_desc_is_tagged(desc, scope, owner, member)) {
		return notes;
	}
	notes.skip = state_desc_tag(desc, scope, owner, member, "skip", 0) != NULL;
	notes.raw = state_desc_tag(desc, scope, owner, member, "raw", 0) != NULL;
	notes.handler = state_desc_tag(desc, scope, owner, member, "handler", 0);
	notes.version = note_number(state_desc_tag(desc, scope, owner, member, "version", 0));
	return notes;
}

struct state_notes state_notes_of_type(const struct state_desc *desc, uint32_t type)
{
	return note_get(desc, STATE_TAG_TYPE, state_type_noted(desc, type), STATE_TAG_SELF);
}

struct state_notes state_notes_of_field(
        const struct state_desc *desc, const struct state_field *field)
{
	return note_get(desc, STATE_TAG_TYPE, field->owner, field->index);
}

struct state_notes state_notes_of_entry(const struct state_desc *desc, uint32_t entry)
{
	return note_get(desc, STATE_TAG_ENTRY, entry, STATE_TAG_SELF);
}
