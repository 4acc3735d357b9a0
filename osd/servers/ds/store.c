/*
 * The keys: a hash table of typed heap objects. Buckets are chosen by the key's bytes, never
 * by an address, so the table stays right when every object moves.
 *
 * Every change takes the next sequence number, and an entry keeps that of its last change: who knows
 * how far it has seen can ask for what came later (store_changes). A deletion takes a number too,
 * but leaves no record: the store does not remember what is gone.
 *
 * In every state between two calls each entry is in the bucket of its key, no key is there twice, and
 * the two counts are those of the entries. Whoever published a key first owns it until it is deleted,
 * also after the owner has ended; DS does not clean up behind services.
 */
#include "osd/servers/ds/priv.h"

#include <string.h>

#include "osd/lib/heap/heap.h"

static struct ds_entry *store_buckets[DS_N_BUCKETS];
static uint64_t store_sequence; /* of the last change; 0: there was none */
static uint32_t store_n_keys;   /* at most DS_KEYS_MAX */
static uint64_t store_n_bytes;  /* of all values, without the NUL behind strings */

/* FNV-1a, 32 bits (Fowler, Noll, Vo). */
static uint32_t store_hash(const char *key, uint32_t key_bytes)
{
	uint32_t hash = 2166136261u;

	for (uint32_t i = 0; i < key_bytes; i++) {
		hash = (hash ^ (uint8_t)key[i]) * 16777619u;
	}
	return hash;
}

/*
 * Where the pointer to a key's entry is, so that it can be unlinked there; where it would go if the
 * key is not in the store, and NULL stands there then.
 */
static struct ds_entry **store_place(const char *key, uint32_t key_bytes)
{
	struct ds_entry **place = &store_buckets[store_hash(key, key_bytes) % DS_N_BUCKETS];

	while (*place != NULL) {
		const struct ds_entry *entry = *place;

		if (entry->key_bytes == key_bytes && memcmp(entry->key, key, key_bytes) == 0) {
			break;
		}
		place = &(*place)->next;
	}
	return place;
}

struct ds_entry *store_find(const char *key, uint32_t key_bytes)
{
	return *store_place(key, key_bytes);
}

const void *store_value(const struct ds_entry *entry)
{
	switch (entry->type) {
	case DS_TYPE_U64:
		return &entry->value.number;
	case DS_TYPE_LABEL:
		return &entry->value.label;
	case DS_TYPE_STRING:
		return entry->value.text;
	case DS_TYPE_BYTES:
		return entry->value.bytes;
	}
	return NULL;
}

/* Free what a value has on the heap; the entry still names it afterwards. */
static void store_value_free(struct ds_entry *entry)
{
	if (entry->type == DS_TYPE_STRING) {
		heap_free(entry->value.text);
	} else if (entry->type == DS_TYPE_BYTES) {
		heap_free(entry->value.bytes);
	}
}

/*
 * Fill an entry's value from the item; the entry is untouched when memory is short. An entry without
 * a key is a new one: it has no value to be freed. Lengths were checked when the request came in
 * (table_type_fits), so that a number's bytes are all there.
 */
static err_t store_value_set(struct ds_entry *entry, const struct ds_item *item)
{
	struct ds_entry fresh = *entry;

	fresh.type = item->type;
	switch (item->type) {
	case DS_TYPE_U64:
		memcpy(&fresh.value.number, item->value, sizeof(fresh.value.number));
		break;
	case DS_TYPE_LABEL:
		memcpy(&fresh.value.label, item->value, sizeof(fresh.value.label));
		break;
	case DS_TYPE_STRING:
		fresh.value.text = heap_new_n(char, item->value_bytes + 1);
		if (fresh.value.text == NULL) {
			return E_NOMEM;
		}
		memcpy(fresh.value.text, item->value, item->value_bytes);
		fresh.value.text[item->value_bytes] = '\0';
		break;
	case DS_TYPE_BYTES:
		fresh.value.bytes = heap_new_n(uint8_t, item->value_bytes + 1);
		if (fresh.value.bytes == NULL) {
			return E_NOMEM;
		}
		memcpy(fresh.value.bytes, item->value, item->value_bytes);
		break;
	}
	/* Nothing can fail any more. */
	if (entry->key != NULL) {
		store_value_free(entry);
		store_n_bytes -= entry->value_bytes;
	}
	fresh.value_bytes = item->value_bytes;
	store_n_bytes += item->value_bytes;
	*entry = fresh;
	return E_OK;
}

/*
 * Make an entry for a key that is not in the store, at its place. E_FULL: as many keys as may be;
 * E_NOMEM: nothing has changed then.
 */
static err_t store_add(endpoint_t owner, const struct ds_item *item, struct ds_entry **place)
{
	struct ds_entry *entry;
	char *key;
	err_t err;

	if (store_n_keys == DS_KEYS_MAX) {
		return E_FULL;
	}
	entry = heap_new(struct ds_entry);
	key = heap_new_n(char, item->key_bytes);
	if (entry == NULL || key == NULL) {
		err = E_NOMEM;
		goto free_both;
	}
	memset(entry, 0, sizeof(*entry));
	err = store_value_set(entry, item);
	if (err != E_OK) {
		goto free_both;
	}
	memcpy(key, item->key, item->key_bytes);
	entry->key = key;
	entry->key_bytes = item->key_bytes;
	entry->owner = owner;
	*place = entry;
	store_n_keys++;
	return E_OK;

free_both:
	heap_free(key);
	heap_free(entry);
	return err;
}

err_t store_publish(endpoint_t owner, const struct ds_item *item, uint64_t *ret_sequence)
{
	struct ds_entry **place = store_place(item->key, item->key_bytes);
	err_t err;

	if (*place == NULL) {
		err = store_add(owner, item, place);
	} else if ((*place)->owner != owner) {
		err = E_PERM;
	} else {
		err = store_value_set(*place, item);
	}
	if (err == E_OK) {
		(*place)->sequence = (uint32_t)++store_sequence;
		*ret_sequence = store_sequence;
	}
	return err;
}

err_t store_delete(endpoint_t owner, const char *key, uint32_t key_bytes, uint64_t *ret_sequence)
{
	struct ds_entry **place = store_place(key, key_bytes);
	struct ds_entry *entry = *place;

	if (entry == NULL) {
		return E_NOTFOUND;
	}
	if (entry->owner != owner) {
		return E_PERM;
	}
	*place = entry->next;
	store_n_keys--;
	store_n_bytes -= entry->value_bytes;
	store_value_free(entry);
	heap_free(entry->key);
	heap_free(entry);
	*ret_sequence = ++store_sequence;
	return E_OK;
}

/* Append one record and its key to a buffer; the bytes written, 0 when they do not fit. */
static uint32_t store_record(const struct ds_entry *entry, uint8_t *buffer, uint32_t space)
{
	struct ds_record record = {
	        .sequence = entry->sequence,
	        .key_bytes = entry->key_bytes,
	        .value_bytes = entry->value_bytes,
	};

	if (sizeof(record) + entry->key_bytes > space) {
		return 0;
	}
	memcpy(buffer, &record, sizeof(record));
	memcpy(buffer + sizeof(record), entry->key, entry->key_bytes);
	return (uint32_t)sizeof(record) + entry->key_bytes;
}

uint32_t store_changes(
        const char *prefix, uint32_t prefix_bytes, uint64_t after, uint8_t *buffer, uint32_t space)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < DS_N_BUCKETS; i++) {
		for (const struct ds_entry *e = store_buckets[i]; e != NULL; e = e->next) {
			if (e->sequence > after && e->key_bytes >= prefix_bytes &&
			        memcmp(e->key, prefix, prefix_bytes) == 0) {
				used += store_record(e, buffer + used, space - used);
			}
		}
	}
	return used;
}

void store_count(struct ds_reply *ret_counts)
{
	ret_counts->n_keys = store_n_keys;
	ret_counts->n_bytes = store_n_bytes;
	ret_counts->sequence = store_sequence;
}
