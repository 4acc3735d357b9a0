#pragma once
/*
 * Groups and labels of a machine, as policies match them: lists with commas between, "" for none. A
 * group is a name, a label KEY=VALUE; a machine has one value for a key.
 */
#include <stdbool.h>
#include <stddef.h>

enum subject_kind { SUBJECT_GROUP, SUBJECT_LABEL, _SUBJECT_KIND_N };

enum subject_outcome {
	SUBJECT_E_INVALID = 1, /* neither a name nor a label, whichever it is to be */
	SUBJECT_E_ABSENT,      /* to be taken away, and not there */
	SUBJECT_E_FULL,        /* there is no room for it */
};

/* Add a group or a label; another value of the same key goes. The list stays as it is on failure. */
int subject_add(char *list, size_t size, enum subject_kind kind, const char *word);
/* Take away a group, or the label of a key, whatever its value is. */
int subject_remove(char *list, const char *key);
