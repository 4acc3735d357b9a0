/*
 * Is a function of the new release the one that a pointer from the old release may lead to? A
 * function pointer in a table of callbacks is called by code of the new release: with other
 * parameters it would be called wrongly, and no type check of the compiler sees it.
 *
 * A signature is a text that the description's writer made ("int(struct foo*)"). Texts are
 * compared word by word, so that a type that was renamed on the way counts as the same. Who
 * changes a function knowingly says STATE_RENAMED_FROM its own name, and answers for it.
 */
#include <string.h>

#include "proto/state/match/field.h"

static bool signature_is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

static size_t signature_word_length(const char *text)
{
	size_t n = 0;

	while (signature_is_word(text[n])) {
		n++;
	}
	return n;
}

/* The struct or union of a name, or STATE_NONE: the description does not know it. */
static uint32_t signature_record_find(const struct state_desc *desc, const char *name, size_t len)
{
	for (uint32_t id = 1; id < desc->n_types; id++) {
		enum state_btf_kind kind = state_type_kind(desc, id);
		const char *own = state_type_name(desc, id);

		if ((kind == STATE_BTF_STRUCT || kind == STATE_BTF_UNION) && strlen(own) == len &&
		        memcmp(own, name, len) == 0) {
			return id;
		}
	}
	return STATE_NONE;
}

/*
 * Names of records that both releases know are matched with what was renamed; every other word,
 * "unsigned" or a parameter's typedef, must be the same. The search is skipped for releases in
 * which no type was renamed: equal names are all that can match then.
 */
static bool signature_words_match(const struct state_sides *s, const char *old, size_t old_len,
        const char *new, size_t new_len)
{
	uint32_t x;
	uint32_t y;

	if (s->has_renamed_types && old_len > 0 && new_len > 0) {
		x = signature_record_find(&s->desc[STATE_OLD], old, old_len);
		y = signature_record_find(&s->desc[STATE_NEW], new, new_len);
		if (x != STATE_NONE && y != STATE_NONE) {
			return state_names_match(s, x, y);
		}
	}
	return old_len == new_len && memcmp(old, new, old_len) == 0;
}

/* What is between words (commas, stars, brackets) is compared character by character. */
static bool signature_texts_match(const struct state_sides *s, const char *old, const char *new)
{
	while (*old != 0 && *new != 0) {
		size_t x = signature_word_length(old);
		size_t y = signature_word_length(new);

		if (!signature_words_match(s, old, x, new, y) || (x == 0 && *old != *new)) {
			return false;
		}
		old += x > 0 ? x : 1;
		new += x > 0 ? y : 1;
	}
	return *old == *new;
}

static const char *signature_tag(
        const struct state_sides *s, enum state_age age, uint32_t i, const char *key)
{
	return state_desc_tag(&s->desc[age], STATE_TAG_ENTRY, i, STATE_TAG_SELF, key, 0);
}

/* Does the new function say itself that it was called so? */
static bool signature_is_claimed(const struct state_sides *s, uint32_t i, uint32_t k)
{
	const struct state_desc *old = &s->desc[STATE_OLD];
	const char *renamed = signature_tag(s, STATE_NEW, k, "renamed");
	const char *was = signature_tag(s, STATE_OLD, i, "renamed");

	return renamed != NULL && (was == NULL || strcmp(was, renamed) != 0) &&
	       strcmp(renamed, state_desc_string(old, old->entries[i].name)) == 0;
}

/* i: the old function's entry, k: the new one's, of which the name and place already match. */
bool state_signatures_match(const struct state_sides *s, uint32_t i, uint32_t k)
{
	const struct state_desc *a = &s->desc[STATE_OLD];
	const struct state_desc *b = &s->desc[STATE_NEW];
	const char *old;
	const char *new;

	if (s->is_same && i == k) {
		return true;
	}
	old = signature_tag(s, STATE_OLD, i, "signature");
	new = signature_tag(s, STATE_NEW, k, "signature");
	if (old == NULL || new == NULL) {
		/* Descriptions were once written without: the same place will do. */
		return old == new || strcmp(state_desc_string(a, a->entries[i].unit),
		                             state_desc_string(b, b->entries[k].unit)) == 0;
	}
	return signature_texts_match(s, old, new) || signature_is_claimed(s, i, k);
}
