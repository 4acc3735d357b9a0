#pragma once
/*
 * Release 2 of what DS remembers of a key: a field added (n_changes), one widened (sequence),
 * members reordered. State transfer pairs it with release 1 member by member.
 */
#include "osd/abi/ds.h"
#include "osd/lib/state/annotate.h"

struct ds_entry {
	enum ds_type type;
	union {
		uint64_t number STATE_WHEN(DS_TYPE_U64);
		endpoint_t label STATE_WHEN(DS_TYPE_LABEL);
		char *text STATE_WHEN(DS_TYPE_STRING);
		uint8_t *bytes STATE_WHEN(DS_TYPE_BYTES);
	} value STATE_TAG(type);
	uint64_t sequence; /* of the last change */
	endpoint_t owner;
	uint32_t n_changes STATE_EXPENDABLE; /* since this release runs */
	uint32_t value_bytes;
	uint32_t key_bytes;
	char *key STATE_LENGTH(key_bytes);
	struct ds_entry *next; /* in its bucket */
};
