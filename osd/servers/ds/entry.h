#pragma once
/*
 * What DS remembers of a key. This header is the part of DS's state that a release is
 * most likely to change; state transfer pairs it member by member.
 */
#include "osd/abi/ds.h"
#include "osd/lib/state/annotate.h"

struct ds_entry {
	struct ds_entry *next;             /* in its bucket */
	char *key STATE_LENGTH(key_bytes); /* the entry's own, never changed; no NUL */
	uint32_t key_bytes;                /* 1..DS_KEY_MAX */
	uint32_t value_bytes;              /* at most DS_VALUE_MAX */
	enum ds_type type;                 /* says which member of `value` is there */
	endpoint_t owner;                  /* who alone may publish it anew or delete it */
	uint32_t sequence;                 /* of the last change, low half */
	union {
		uint64_t number STATE_WHEN(DS_TYPE_U64);
		endpoint_t label STATE_WHEN(DS_TYPE_LABEL);
		char *text STATE_WHEN(DS_TYPE_STRING);
		uint8_t *bytes STATE_WHEN(DS_TYPE_BYTES);
	} value STATE_TAG(type);
};
