/*
 * Requests to the staging store. Nothing is staged that no admitted variant or kit names by hash and
 * length, so RS never holds a blob that nobody signed for; what is named is dropped only by an
 * order, or when the place is needed for what was admitted later.
 */
#include "osd/servers/rs/stage/stage_request.h"

#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/base/handler.h"
#include "osd/servers/rs/base/machine.h"
#include "osd/servers/rs/stage/stage.h"
#include "osd/servers/rs/trust/trust.h"

/* The hash stands at the start of the grant; E_INVAL: the grant is too short for one. */
static err_t request_hash(
        endpoint_t caller, const struct rs_request *request, uint8_t ret_hash[RS_HASH_LEN])
{
	if (request->bytes < RS_HASH_LEN) {
		return E_INVAL;
	}
	return sys_copy_from_grant(caller, request->grant, 0, ret_hash, RS_HASH_LEN);
}

/* Drop what a variant or kit names and nobody else does. A kit has no payload: its hash is none. */
static void stage_request_forget(struct trust_variant *variant)
{
	const uint8_t *const hashes[] = {
	        variant->variant.payload_hash, variant->kit.state_hash, variant->kit.flat_hash};

	for (uint32_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
		if (!trust_names_elsewhere(&machine.trust, hashes[i], variant)) {
			(void)stage_drop(hashes[i]);
		}
	}
}

err_t stage_request_drop(struct trust_variant *variant)
{
	if (variant->n_users > 0) {
		return E_BUSY;
	}
	stage_request_forget(variant);
	return trust_forget(variant);
}

/* Blobs whose variant was forgotten to make room for others. */
static bool stage_request_drop_unnamed(void)
{
	struct rs_blob record;

	for (uint32_t n = 0; stage_describe(n, &record); n++) {
		if (!record.is_used && !trust_names(&machine.trust, record.hash, record.total)) {
			return stage_drop(record.hash) == E_OK;
		}
	}
	return false;
}

/*
 * Open a blob; when the store is full, at the cost of the variants that
 * nobody uses for the longest time.
 */
static err_t stage_request_open(
        const uint8_t hash[RS_HASH_LEN], uint64_t total, struct blob **ret_blob)
{
	struct trust_variant *oldest;
	err_t err;

	if (total > stage_budget()) {
		return E_STORE_FULL; /* nobody's going would help */
	}
	do {
		err = stage_begin(hash, total, sys_clock_read(), ret_blob);
	} while (err == E_STORE_FULL && stage_request_drop_unnamed());
	while (err == E_STORE_FULL && (oldest = trust_oldest(&machine.trust, hash)) != NULL) {
		(void)stage_request_drop(oldest);
		err = stage_begin(hash, total, sys_clock_read(), ret_blob);
	}
	return err;
}

/*
 * RS_STAGE_BEGIN: how much of the blob is here? An interrupted transfer goes on there; a complete
 * blob is simply named again.
 */
err_t rs_on_stage_begin(
        endpoint_t who, const struct rs_request *request, struct rs_reply *ret_reply)
{
	uint8_t hash[RS_HASH_LEN];
	struct blob *blob;
	err_t err = request_hash(who, request, hash);

	if (err == E_OK && !trust_names(&machine.trust, hash, request->total)) {
		err = E_V_UNNAMED;
	}
	if (err == E_OK) {
		err = stage_request_open(hash, request->total, &blob);
	}
	if (err == E_OK) {
		ret_reply->count = blob->held;
		ret_reply->a = blob->total;
	}
	return err;
}

/*
 * RS_STAGE_CHUNK: chunks come in order; one that was sent before is passed over, so that a sender
 * that lost an answer can repeat itself. The reply says how much is held.
 */
err_t rs_on_stage_chunk(
        endpoint_t who, const struct rs_request *request, struct rs_reply *ret_reply)
{
	uint64_t bytes = request->bytes - RS_HASH_LEN; /* checked by request_hash */
	uint8_t hash[RS_HASH_LEN];
	struct blob *blob;
	err_t err = request_hash(who, request, hash);

	if (err != E_OK) {
		return err;
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
	err = sys_copy_from_grant(
	        who, request->grant, RS_HASH_LEN, blob->bytes + blob->held, bytes);
	if (err != E_OK) {
		return err;
	}
	ret_reply->count = blob->held + bytes;
	return stage_advance(blob, bytes, sys_clock_read());
}

/*
 * RS_STAGE_LIST: as many blobs as the grant has room for; those that a variant names count as used.
 */
err_t rs_on_stage_list(endpoint_t who, const struct rs_request *request, struct rs_reply *ret_reply)
{
	struct rs_blob record;
	uint32_t n = 0;

	ret_reply->a = stage_budget();
	ret_reply->b = stage_used();
	for (; (n + 1) * sizeof(record) <= request->bytes && stage_describe(n, &record); n++) {
		err_t err;

		record.is_used |= trust_names(&machine.trust, record.hash, record.total);
		err = sys_copy_to_grant(
		        who, request->grant, n * sizeof(record), &record, sizeof(record));
		if (err != E_OK) {
			return err;
		}
	}
	ret_reply->count = n;
	return E_OK;
}

/* RS_STAGE_DROP: without an order only what no admitted variant names any more. */
err_t rs_on_stage_drop(endpoint_t who, const struct rs_request *request, struct rs_reply *ret_reply)
{
	uint8_t hash[RS_HASH_LEN];
	err_t err = request_hash(who, request, hash);

	if (err == E_OK && trust_names_elsewhere(&machine.trust, hash, NULL)) {
		return E_V_CONTROL;
	}
	return err == E_OK ? stage_drop(hash) : err;
}

/* A blob that a variant names, whether any byte of it is here or not. */
static void stage_request_describe(
        const uint8_t hash[RS_HASH_LEN], uint64_t total, struct rs_blob *ret_blob)
{
	const struct blob *blob = stage_find(hash);

	memset(ret_blob, 0, sizeof(*ret_blob));
	memcpy(ret_blob->hash, hash, RS_HASH_LEN);
	ret_blob->total = total;
	ret_blob->is_used = 1;
	if (blob != NULL && blob->total == total) {
		ret_blob->held = blob->held;
	}
}

/*
 * RS_ADMIT: verify a variant or a kit and keep it, a variant with its seed if that follows it; the
 * answer says which blobs it wants, and what is here.
 */
err_t rs_on_admit(endpoint_t who, const struct rs_request *request, struct rs_reply *ret_reply)
{
	uint64_t n_seed = request->argument;
	struct rs_admitted admitted;
	struct trust_variant *v;
	const void *bytes;
	err_t err;

	if ((n_seed != 0 && n_seed != RS_SEED_LEN) || n_seed > request->bytes) {
		return E_INVAL;
	}
	err = handler_envelope(who, request, &bytes);
	if (err == E_OK) {
		err = trust_admit(&machine.trust, bytes, request->bytes - n_seed, rs_uptime(), &v);
	}
	if (err == E_OK && n_seed != 0) {
		err = trust_give_seed(v, (const uint8_t *)bytes + request->bytes - n_seed);
	}
	if (n_seed != 0) {
		handler_envelope_wipe();
	}
	if (err != E_OK) {
		return err;
	}
	memcpy(admitted.variant, v->hash, sizeof(admitted.variant));
	stage_request_describe(v->variant.payload_hash, v->variant.payload_len, &admitted.blobs[0]);
	stage_request_describe(v->kit.state_hash, v->kit.state_len, &admitted.blobs[1]);
	stage_request_describe(v->kit.flat_hash, v->kit.flat_len, &admitted.blobs[2]);
	if (!v->is_kit && !machine_keeps_kits()) {
		memset(&admitted.blobs[2], 0, sizeof(admitted.blobs[2])); /* of no use here */
	}
	return sys_copy_to_grant(who, request->grant, 0, &admitted, sizeof(admitted));
}
