/*
 * The data store's requests: who is served by which handler, and the copying in and out of
 * grants. Lengths are checked before anything is copied, and a key with its value is here, in a
 * buffer that no request outlives, before the store is changed: a grant that cannot be read
 * changes nothing.
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

typedef err_t (*table_handler_t)(
        endpoint_t who, const struct ds_request *req, struct ds_reply *ret_reply);

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

static err_t table_publish(endpoint_t who, const struct ds_request *req, struct ds_reply *ret_reply)
{
	struct ds_item item = {table_buffer.key, req->key_bytes, table_buffer.value,
	        req->value_bytes, (enum ds_type)req->type};
	err_t r = table_fetch_key(who, req);

	if (r != E_OK) {
		return r;
	}
	if (!table_type_fits(req->type, req->value_bytes)) {
		return E_INVAL;
	}
	r = sys_copy_from_grant(
	        who, req->grant, req->key_bytes, table_buffer.value, req->value_bytes);
	if (r == E_OK) {
		r = store_publish(who, &item, &ret_reply->sequence);
	}
	if (r == E_OK) {
		subscription_publish(
		        DS_CHANGE_PUBLISHED, item.key, item.key_bytes, ret_reply->sequence);
	}
	return r;
}

static err_t table_retrieve(
        endpoint_t who, const struct ds_request *req, struct ds_reply *ret_reply)
{
	const struct ds_entry *entry;
	err_t r = table_fetch_key(who, req);

	if (r != E_OK) {
		return r;
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

static err_t table_delete(endpoint_t who, const struct ds_request *req, struct ds_reply *ret_reply)
{
	err_t r = table_fetch_key(who, req);

	if (r == E_OK) {
		r = store_delete(who, table_buffer.key, req->key_bytes, &ret_reply->sequence);
	}
	if (r == E_OK) {
		subscription_publish(
		        DS_CHANGE_DELETED, table_buffer.key, req->key_bytes, ret_reply->sequence);
	}
	return r;
}

static err_t table_subscribe(
        endpoint_t who, const struct ds_request *req, struct ds_reply *ret_reply)
{
	err_t r = table_fetch_key(who, req);

	store_count(ret_reply);
	return r == E_OK ? subscription_add(who, table_buffer.key, req->key_bytes) : r;
}

static err_t table_unsubscribe(
        endpoint_t who, const struct ds_request *req, struct ds_reply *ret_reply)
{
	err_t r = table_fetch_key(who, req);

	return r == E_OK ? subscription_remove(who, table_buffer.key, req->key_bytes) : r;
}

static err_t table_check(endpoint_t who, const struct ds_request *req, struct ds_reply *ret_reply)
{
	uint32_t space = req->value_bytes < DS_VALUE_MAX ? req->value_bytes : DS_VALUE_MAX;
	err_t r = table_fetch_key(who, req);

	if (r != E_OK) {
		return r;
	}
	store_count(ret_reply);
	ret_reply->bytes = store_changes(
	        table_buffer.key, req->key_bytes, req->sequence, table_buffer.records, space);
	return sys_copy_to_grant(
	        who, req->grant, req->key_bytes, table_buffer.records, ret_reply->bytes);
}

static err_t table_count(endpoint_t who, const struct ds_request *req, struct ds_reply *ret_reply)
{
	store_count(ret_reply);
	ret_reply->n_subscriptions = subscription_count();
	return E_OK;
}

static const table_handler_t table_handlers[] = {
        [DS_PUBLISH - DS_BASE] = table_publish,
        [DS_RETRIEVE - DS_BASE] = table_retrieve,
        [DS_DELETE - DS_BASE] = table_delete,
        [DS_SUBSCRIBE - DS_BASE] = table_subscribe,
        [DS_UNSUBSCRIBE - DS_BASE] = table_unsubscribe,
        [DS_CHECK - DS_BASE] = table_check,
        [DS_COUNT - DS_BASE] = table_count,
};

void table_dispatch(struct message *msg)
{
	const size_t n = sizeof(table_handlers) / sizeof(table_handlers[0]);
	struct ds_request req = *MSG_AS(struct ds_request, msg);
	struct ds_reply reply = {.err = E_NOSYS};
	uint32_t index = msg->type - DS_BASE;

	if (index < n && table_handlers[index] != NULL) {
		reply.err = table_handlers[index](msg->source, &req, &reply);
	}
	memset(msg->w, 0, sizeof(msg->w));
	msg->type = MSG_REPLY;
	*MSG_AS(struct ds_reply, msg) = reply;
}
