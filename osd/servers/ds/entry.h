#pragma once
/*
 * What DS remembers of a key. This header is the part of DS's state that a release is
 * most likely to change; state transfer pairs it member by member.
 */
#include "osd/abi/ds.h"
#include "osd/lib/state/annotate.h"

struct ds_entry {
	struct ds_entry *next; /* in its bucket */
	char *key STATE_LENGTH(key_bytes);
	uint32_t key_bytes;
	uint32_t value_bytes;
	enum ds_type type;
	endpoint_t owner;
	uint32_t sequence; /* of the last change */
	union {
		uint64_t number STATE_WHEN(DS_TYPE_U64);
		endpoint_t label STATE_WHEN(DS_TYPE_LABEL);
		char *text STATE_WHEN(DS_TYPE_STRING);
		uint8_t *bytes STATE_WHEN(DS_TYPE_BYTES);
	} value STATE_TAG(type);
};
