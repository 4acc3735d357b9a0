#pragma once
/* Requests to the data store. */
#include "osd/abi/message.h"

enum {
#define REQUEST(name, number, idempotent, text) name = number,
#include "osd/abi/ds.def"
#undef REQUEST
};

#define DS_KEY_MAX 80u
#define DS_VALUE_MAX 4096u
enum ds_type { DS_TYPE_U64 = 1, DS_TYPE_STRING, DS_TYPE_BYTES, DS_TYPE_LABEL };
enum ds_change { DS_CHANGE_PUBLISHED = 1, DS_CHANGE_DELETED, DS_CHANGE_RESYNC };

struct ds_request {
	uint32_t grant; /* memory: key bytes, then value bytes (PUBLISH) or space for the value
	                   (RETRIEVE) */
	uint32_t key_bytes;
	uint32_t value_bytes; /* length, or space */
	uint32_t type;        /* enum ds_type */
	uint64_t sequence;    /* CHECK */
};
struct ds_reply {
	err_t err;
	uint64_t bytes;
	uint64_t sequence; /* of the key's last change */
	uint64_t n_keys, n_bytes, n_subscriptions;
};

/* CHECK fills the grant behind the key with these, each followed by its key bytes. */
struct ds_record {
	uint64_t sequence;
	uint32_t key_bytes, value_bytes;
};
