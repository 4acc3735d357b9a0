#pragma once
/*
 * Requests to the data store (ds.def) and their payloads. Keys and values travel in a grant, the
 * key first: they are longer than a message.
 */
#include "osd/abi/request.h"

enum ds_request_number {
#define REQUEST(kind, server, verb, name, n, ...) name = DS_BASE + (n),
#include "osd/abi/ds.def"
#undef REQUEST
#define REQUEST REQUEST_COUNT
	DS_REQUEST_N = 0
#include "osd/abi/ds.def"
#undef REQUEST
};

#define DS_KEY_MAX 80u
#define DS_VALUE_MAX 4096u
#define DS_EVENT_KEY_MAX 40u /* bytes of a key that fit into DS_CHANGED */
/* How a value is kept: DS_TYPE_U64 and DS_TYPE_LABEL (an endpoint) have their size, others a length. */
enum ds_type { DS_TYPE_U64 = 1, DS_TYPE_STRING, DS_TYPE_BYTES, DS_TYPE_LABEL };
enum ds_change {
	DS_CHANGE_PUBLISHED = 1,
	DS_CHANGE_DELETED,
	DS_CHANGE_RESYNC, /* changes were lost: ask DS_CHECK for those after `sequence` */
};

struct ds_request {
	uint32_t grant; /* memory: key bytes, then value bytes (PUBLISH) or space for the value
	                   (RETRIEVE) */
	uint32_t key_bytes;
	uint32_t value_bytes; /* length, or space */
	uint32_t type;        /* enum ds_type */
	uint64_t sequence;    /* CHECK */
};
_Static_assert(sizeof(struct ds_request) == 24, "layout of requests to DS");
struct ds_reply {
	err_t err;
	uint64_t bytes;
	uint64_t sequence; /* of the key's last change */
	uint64_t n_keys, n_bytes, n_subscriptions;
};
_Static_assert(sizeof(struct ds_reply) == 48, "layout of replies of DS");

struct ds_change_event {
	uint64_t sequence; /* of the change; DS_CHANGE_RESYNC: of the last one that was delivered */
	uint64_t kind;     /* enum ds_change */
	char key[DS_EVENT_KEY_MAX]; /* its first bytes, zero padded */
};
_Static_assert(sizeof(struct ds_change_event) == 56, "layout of DS_CHANGED");

/* CHECK fills the grant behind the key with these, each followed by its key bytes. */
struct ds_record {
	uint64_t sequence;
	uint32_t key_bytes, value_bytes;
};
