/*
 * Lists of groups and labels. Words are checked before they are added, by the rules for the words of a
 * policy that they are compared with, so no member has a comma in it.
 */
#include "orchestrator/policy/subject.h"

#include <string.h>

#include "orchestrator/policy/tree.h"

/* How many bytes of a member are its key; a group is one as a whole. */
static size_t subject_key_len(const char *member)
{
	return strcspn(member, "=,");
}

/* The member with this key, and how long it is; NULL: there is none. */
static char *subject_find(char *list, const char *key, size_t len, size_t *ret_len)
{
	while (*list) {
		size_t n = strcspn(list, ",");

		if (subject_key_len(list) == len && !strncmp(list, key, len)) {
			*ret_len = n;
			return list;
		}
		list += n + (list[n] == ',');
	}
	return NULL;
}

/* With the comma that stands before the next one, or else before itself. */
static void subject_cut(char *list, char *member, size_t len)
{
	if (member[len] == ',') {
		len++;
	} else if (member > list) {
		member--;
		len++;
	}
	memmove(member, member + len, strlen(member + len) + 1);
}

int subject_add(char *list, size_t size, enum subject_kind kind, const char *word)
{
	size_t key = subject_key_len(word), len = strlen(list), old_len = 0, n = strlen(word);
	char *old;

	if (kind == SUBJECT_LABEL ? !tree_is_label(word) : !tree_is_name(word)) {
		return SUBJECT_E_INVALID;
	}
	old = subject_find(list, word, key, &old_len);
	/* What stays, of which the old one takes a comma along. */
	if (old) {
		len -= len > old_len ? old_len + 1 : old_len;
	}
	if (len + (len > 0) + n + 1 > size) {
		return SUBJECT_E_FULL;
	}
	if (old) {
		subject_cut(list, old, old_len);
	}
	if (*list) {
		strcat(list, ",");
	}
	strcat(list, word);
	return 0;
}

int subject_remove(char *list, const char *key)
{
	size_t len;
	char *member = subject_find(list, key, strlen(key), &len);

	if (!*key || !member) {
		return SUBJECT_E_ABSENT;
	}
	subject_cut(list, member, len);
	return 0;
}
