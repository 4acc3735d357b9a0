/*
 * The data store's requests: a handler for each row of osd/abi/ds.def, and the copying in and out of
 * grants. Lengths are checked before anything is copied, and a key with its value is here, in a
 * buffer that no request outlives, before the store is changed: a grant that cannot be read
 * changes nothing.
 *
 * The memory of a request is the caller's, which may change it at any time: each byte is copied once
 * and only the copy is looked at.
 *
 *	offset    0          key_bytes
 *	          | the key  | the value (PUBLISH), or room for what is asked (RETRIEVE, CHECK)
 */
#include "osd/servers/ds/priv.h"

#include <string.h>

#include "osd/lib/sys/sys.h"

/* Bytes of the request at hand; nothing in it outlives the request. */
static struct {
	char key[DS_KEY_MAX];
	uint8_t value[DS_VALUE_MAX];
	uint8_t records[DS_VALUE_MAX];
} table_buffer STATE_SKIP;

/*
 * Copy the key of a request into the buffer. E_INVAL: it is empty; E_TOO_LONG; errors of the grant.
 * A prefix to subscribe to is a key in this sense.
 */
static err_t table_fetch_key(endpoint_t who, const struct ds_request *req)
{
	if (req->key_bytes == 0) {
		return E_INVAL;
	}
	if (req->key_bytes > DS_KEY_MAX) {
		return E_TOO_LONG;
	}
	return sys_copy_from_grant(who, req->grant, 0, table_buffer.key, req->key_bytes);
}

/* Is it a type, and may a value of it be so long? */
static bool table_type_fits(uint32_t type, uint32_t value_bytes)
{
	switch ((enum ds_type)type) {
	case DS_TYPE_U64:
		return value_bytes == sizeof(uint64_t);
	case DS_TYPE_LABEL:
		return value_bytes == sizeof(endpoint_t);
	case DS_TYPE_STRING:
	case DS_TYPE_BYTES:
		return value_bytes <= DS_VALUE_MAX;
	}
	return false;
}

err_t ds_on_publish(endpoint_t who, const struct ds_request *req, struct ds_reply *ret_reply)
{
	struct ds_item item = {table_buffer.key, req->key_bytes, table_buffer.value,
	        req->value_bytes, (enum ds_type)req->type};
	err_t err = table_fetch_key(who, req);

	if (err != E_OK) {
		return err;
	}
	if (!table_type_fits(req->type, req->value_bytes)) {
		return E_INVAL;
	}
	err = sys_copy_from_grant(
	        who, req->grant, req->key_bytes, table_buffer.value, req->value_bytes);
	if (err == E_OK) {
		err = store_publish(who, &item, &ret_reply->sequence);
	}
	if (err == E_OK) {
		subscription_publish(
		        DS_CHANGE_PUBLISHED, item.key, item.key_bytes, ret_reply->sequence);
	}
	return err;
}

/* E_TOO_LONG: the reply's `bytes` says how much room the value needs. */
err_t ds_on_retrieve(endpoint_t who, const struct ds_request *req, struct ds_reply *ret_reply)
{
	const struct ds_entry *entry;
	err_t err = table_fetch_key(who, req);

	if (err != E_OK) {
		return err;
	}
	entry = store_find(table_buffer.key, req->key_bytes);
	if (entry == NULL) {
		return E_NOTFOUND;
	}
	ret_reply->bytes = entry->value_bytes;
	ret_reply->sequence = entry->sequence;
	if (entry->value_bytes > req->value_bytes) {
		return E_TOO_LONG;
	}
	return sys_copy_to_grant(
	        who, req->grant, req->key_bytes, store_value(entry), entry->value_bytes);
}

err_t ds_on_delete(endpoint_t who, const struct ds_request *req, struct ds_reply *ret_reply)
{
	err_t err = table_fetch_key(who, req);

	if (err == E_OK) {
		err = store_delete(who, table_buffer.key, req->key_bytes, &ret_reply->sequence);
	}
	if (err == E_OK) {
		subscription_publish(
		        DS_CHANGE_DELETED, table_buffer.key, req->key_bytes, ret_reply->sequence);
	}
	return err;
}

/*
 * The reply has the sequence number as it is now, taken before the subscription begins: a change
 * between the two is impossible, since DS serves one request after the other.
 */
err_t ds_on_subscribe(endpoint_t who, const struct ds_request *req, struct ds_reply *ret_reply)
{
	err_t err = table_fetch_key(who, req);

	store_count(ret_reply);
	return err == E_OK ? subscription_add(who, table_buffer.key, req->key_bytes) : err;
}

err_t ds_on_unsubscribe(endpoint_t who, const struct ds_request *req, struct ds_reply *ret_reply)
{
	err_t err = table_fetch_key(who, req);

	return err == E_OK ? subscription_remove(who, table_buffer.key, req->key_bytes) : err;
}

/*
 * Records of keys with a prefix that changed after a sequence number. Those that do not fit are left
 * out, and nothing in the reply says so: room for DS_VALUE_MAX bytes is all that can be used.
 */
err_t ds_on_check(endpoint_t who, const struct ds_request *req, struct ds_reply *ret_reply)
{
	uint32_t space = req->value_bytes < DS_VALUE_MAX ? req->value_bytes : DS_VALUE_MAX;
	err_t err = table_fetch_key(who, req);

	if (err != E_OK) {
		return err;
	}
	store_count(ret_reply);
	ret_reply->bytes = store_changes(
	        table_buffer.key, req->key_bytes, req->sequence, table_buffer.records, space);
	return sys_copy_to_grant(
	        who, req->grant, req->key_bytes, table_buffer.records, ret_reply->bytes);
}

err_t ds_on_count(endpoint_t who, struct ds_reply *ret_reply)
{
	store_count(ret_reply);
	ret_reply->n_subscriptions = subscription_count();
	return E_OK;
}

bool table_dispatch(struct message *msg)
{
	switch (msg->type) {
#define REQUEST SERVE_CASE
#include "osd/abi/ds.def"
#undef REQUEST
	}
	return serve_unknown(msg);
}
