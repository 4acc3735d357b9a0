#pragma once
/*
 * The data store's own interfaces: entries (store.c), subscriptions
 * (subscription.c), requests (table.c).
 */
#include "osd/lib/request/serve.h"
#include "osd/servers/ds/entry.h"

#define DS_N_BUCKETS 512u
#define DS_KEYS_MAX 8192u

/* A key and value as they came in with a request; the bytes belong to the caller. */
struct ds_item {
	const char *key;
	uint32_t key_bytes;
	const uint8_t *value;
	uint32_t value_bytes;
	enum ds_type type;
};

/* Entries. */
/* NULL: there is no such key. The entry is the store's and good until the next change. */
struct ds_entry *store_find(const char *key, uint32_t key_bytes);
/*
 * Store a copy under the next sequence number. E_PERM: the key is another
 * owner's; E_FULL, E_NOMEM.
 */
err_t store_publish(endpoint_t owner, const struct ds_item *item, uint64_t *ret_sequence);
/* E_NOTFOUND; E_PERM: the key is another owner's. */
err_t store_delete(endpoint_t owner, const char *key, uint32_t key_bytes, uint64_t *ret_sequence);
/* Address of an entry's value; its length is entry->value_bytes. */
const void *store_value(const struct ds_entry *entry);
/*
 * Write records (struct ds_record) of keys with the prefix changed after
 * `after`; returns their bytes.
 */
uint32_t store_changes(
        const char *prefix, uint32_t prefix_bytes, uint64_t after, uint8_t *buffer, uint32_t space);
/* Fill in keys, bytes and the last sequence number; other members are left alone. */
void store_count(struct ds_reply *ret_counts);

/*
 * Subscriptions: one per subscriber and prefix. A second one of the same kind is the first (E_OK).
 * E_FULL: as many as may be; E_NOMEM; E_NOTFOUND: there is none to remove.
 */
err_t subscription_add(endpoint_t who, const char *prefix, uint32_t prefix_bytes);
err_t subscription_remove(endpoint_t who, const char *prefix, uint32_t prefix_bytes);
/*
 * Tell everyone whose prefix matches. A full queue leaves a debt that is
 * paid as DS_CHANGE_RESYNC.
 */
void subscription_publish(
        enum ds_change kind, const char *key, uint32_t key_bytes, uint64_t sequence);
uint64_t subscription_count(void);

/* Serve a request (table.c); the reply overwrites the message. */
bool table_dispatch(struct message *msg);
#define REQUEST SERVE_PROTOTYPE
#include "osd/abi/ds.def"
#undef REQUEST
