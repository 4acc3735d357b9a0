/* Requests that change something: staging, subscriptions, metrics, restart, shutdown. Updates are
 * in txn.c. */
#include "osd/servers/rs/priv.h"

#include <string.h>

#include "osd/lib/sys/sys.h"

static err_t request_hash(
        endpoint_t caller, const struct rs_request *request, uint8_t ret_hash[RS_HASH_LEN])
{
	if (request->bytes < RS_HASH_LEN) {
		return E_INVAL;
	}
	return sys_copy_from_grant(caller, request->grant, 0, ret_hash, RS_HASH_LEN);
}

err_t request_stage_begin(const struct message *msg, struct rs_reply *ret_reply)
{
	const struct rs_request *request = MSG_AS(struct rs_request, msg);
	uint8_t hash[RS_HASH_LEN];
	struct blob *blob;
	err_t r = request_hash(msg->source, request, hash);

	if (r == E_OK) {
		r = stage_begin(hash, request->total, sys_clock_read(), &blob);
	}
	if (r == E_OK) {
		ret_reply->count = blob->held;
		ret_reply->a = blob->total;
	}
	return r;
}

/* Chunks come in order; one that was sent before is passed over. */
err_t request_stage_chunk(const struct message *msg, struct rs_reply *ret_reply)
{
	const struct rs_request *request = MSG_AS(struct rs_request, msg);
	uint64_t bytes = request->bytes - RS_HASH_LEN; /* checked by request_hash */
	uint8_t hash[RS_HASH_LEN];
	struct blob *blob;
	err_t r = request_hash(msg->source, request, hash);

	if (r != E_OK) {
		return r;
	}
	blob = stage_find(hash);
	if (blob == NULL) {
		return E_NOTFOUND;
	}
	ret_reply->count = blob->held;
	ret_reply->a = blob->total;
	if (request->argument < blob->held) {
		return E_OK;
	}
	if (request->argument != blob->held || bytes == 0 || bytes > RS_CHUNK_MAX ||
	        bytes > blob->total - blob->held) {
		return E_INVAL;
	}
	r = sys_copy_from_grant(
	        msg->source, request->grant, RS_HASH_LEN, blob->bytes + blob->held, bytes);
	if (r != E_OK) {
		return r;
	}
	ret_reply->count = blob->held + bytes;
	return stage_advance(blob, bytes, sys_clock_read());
}

err_t request_stage_list(const struct message *msg, struct rs_reply *ret_reply)
{
	const struct rs_request *request = MSG_AS(struct rs_request, msg);
	struct rs_blob record;
	uint32_t n = 0;

	ret_reply->a = stage_budget();
	ret_reply->b = stage_used();
	for (; (n + 1) * sizeof(record) <= request->bytes && stage_describe(n, &record); n++) {
		err_t r = sys_copy_to_grant(
		        msg->source, request->grant, n * sizeof(record), &record, sizeof(record));

		if (r != E_OK) {
			return r;
		}
	}
	ret_reply->count = n;
	return E_OK;
}

err_t request_stage_drop(const struct message *msg, struct rs_reply *ret_reply)
{
	const struct rs_request *request = MSG_AS(struct rs_request, msg);
	uint8_t hash[RS_HASH_LEN];
	err_t r = request_hash(msg->source, request, hash);

	(void)ret_reply;
	return r == E_OK ? stage_drop(hash) : r;
}

err_t request_subscribe(const struct message *msg, struct rs_reply *ret_reply)
{
	ret_reply->a = journal_oldest();
	ret_reply->b = journal_next();
	return journal_subscribe(msg->source);
}

err_t request_acknowledge(const struct message *msg, struct rs_reply *ret_reply)
{
	journal_acknowledge(msg->w[0]);
	ret_reply->a = journal_oldest();
	ret_reply->b = journal_next();
	return E_OK;
}

err_t request_shutdown(const struct message *msg, struct rs_reply *ret_reply)
{
	(void)ret_reply;
	return sys_machine_off((uint32_t)msg->w[0]);
}

/* The name is in w[0..2]. */
err_t request_restart(const struct message *msg, struct rs_reply *ret_reply)
{
	struct service *service = service_find((const char *)msg->w);

	(void)ret_reply;
	return service == NULL ? E_NOTFOUND : recover_restart(service);
}

/* Values of the caller's metrics, in the order of its kit. */
err_t request_metrics(const struct message *msg, struct rs_reply *ret_reply)
{
	struct service *service = service_of(msg->source);

	(void)ret_reply;
	if (service == NULL) {
		return E_PERM;
	}
	memcpy(service->metrics, msg->w, sizeof(service->metrics));
	return E_OK;
}
