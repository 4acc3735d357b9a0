/* Requests to RS, with grants for the time of one request. */
#include "osd/suites/update/priv.h"

#include <string.h>

#include "osd/lib/sef/sef.h"
#include "osd/lib/sys/grant.h"
#include "osd/lib/sys/sys.h"

static err_t rs_send(struct message *msg, struct rs_reply *ret_reply)
{
	err_t r = sys_sendrec(EP_RS, msg);

	if (r != E_OK) {
		return r;
	}
	*ret_reply = *MSG_AS(struct rs_reply, msg);
	return ret_reply->err;
}

err_t rs_ask(uint32_t type, struct rs_request request, struct rs_reply *ret_reply)
{
	struct message msg = {.type = type};

	*MSG_AS(struct rs_request, &msg) = request;
	return rs_send(&msg, ret_reply);
}

err_t rs_ask_with(uint32_t type, void *memory, uint32_t bytes, uint32_t access,
        struct rs_request request, struct rs_reply *ret_reply)
{
	err_t r;

	request.grant = grant_make(EP_RS, memory, bytes, access);
	request.bytes = bytes;
	while ((r = rs_ask(type, request, ret_reply)) == E_RATE) {
		pause_for(ret_reply->a * 1000000);
	}
	grant_revoke(request.grant);
	return r;
}

err_t rs_blob(const char *name, enum hook_part part, uint64_t offset, void *ret_bytes, uint32_t n)
{
	struct message msg = {.type = HOOK_BLOB};
	struct hook_blob *request = MSG_AS(struct hook_blob, &msg);
	struct rs_reply reply;
	uint32_t grant = grant_make(EP_RS, ret_bytes, n, GRANT_WRITE);
	err_t r;

	request->grant = grant;
	request->bytes = n;
	request->offset = offset;
	request->part = part;
	strncpy(request->name, name, SERVICE_NAME_LEN - 1);
	r = rs_send(&msg, &reply);
	grant_revoke(grant);
	return r == E_OK ? (err_t)reply.count : r;
}

static uint64_t rs_hook(struct hook_harm harm)
{
	struct message msg = {.type = HOOK_ARM};
	struct rs_reply reply = {0};

	*MSG_AS(struct hook_harm, &msg) = harm;
	CHECK_EQUAL(rs_send(&msg, &reply), E_OK);
	return reply.count;
}

void rs_arm(enum rs_step step, enum hook_who who, enum hook_how how)
{
	(void)rs_hook((struct hook_harm){.step = step, .who = who, .how = how});
}

bool rs_harm_was_done(void)
{
	return rs_hook((struct hook_harm){.step = RS_STEP_NONE}) != 0;
}

void rs_kill(const char *name)
{
	struct message msg = {.type = HOOK_KILL};
	struct rs_reply reply;

	strncpy((char *)msg.w, name, SERVICE_NAME_LEN - 1);
	CHECK_EQUAL(rs_send(&msg, &reply), E_OK);
}

bool rs_service(const char *name, struct rs_service *ret_service)
{
	static struct rs_service services[16];
	struct rs_reply reply;

	if (rs_ask_with(RS_STATUS, services, sizeof(services), GRANT_WRITE, (struct rs_request){0},
	            &reply) != E_OK) {
		return false;
	}
	for (uint32_t i = 0; i < reply.count; i++) {
		if (strcmp(services[i].name, name) == 0) {
			*ret_service = services[i];
			return true;
		}
	}
	return false;
}

struct rs_resources rs_resources(void)
{
	struct rs_resources resources = {0};
	struct rs_reply reply;

	CHECK_EQUAL(rs_ask_with(RS_RESOURCES, &resources, sizeof(resources), GRANT_WRITE,
	                    (struct rs_request){0}, &reply),
	        E_OK);
	return resources;
}

uint64_t rs_frames(void)
{
	struct rs_resources resources = rs_resources();

	return resources.free_frames + resources.table_frames;
}

uint64_t rs_events_next(void)
{
	static struct rs_event event;
	struct rs_reply reply = {0};

	CHECK_EQUAL(rs_ask_with(RS_EVENTS, &event, sizeof(event), GRANT_WRITE,
	                    (struct rs_request){.argument = UINT64_MAX}, &reply),
	        E_OK);
	return reply.b;
}

err_t stage_begin(const uint8_t hash[RS_HASH_LEN], uint64_t total, uint64_t *ret_held)
{
	uint8_t copy[RS_HASH_LEN];
	struct rs_reply reply;
	err_t r;

	memcpy(copy, hash, sizeof(copy));
	r = rs_ask_with(RS_STAGE_BEGIN, copy, sizeof(copy), GRANT_READ,
	        (struct rs_request){.total = total}, &reply);
	if (r == E_OK) {
		*ret_held = reply.count;
	}
	return r;
}

err_t stage_append(const uint8_t hash[RS_HASH_LEN], uint64_t offset, const void *bytes, uint32_t n,
        uint64_t *ret_held)
{
	static uint8_t chunk[RS_HASH_LEN + RS_CHUNK_MAX];
	struct rs_reply reply;
	err_t r;

	memcpy(chunk, hash, RS_HASH_LEN);
	memcpy(chunk + RS_HASH_LEN, bytes, n);
	r = rs_ask_with(RS_STAGE_CHUNK, chunk, RS_HASH_LEN + n, GRANT_READ,
	        (struct rs_request){.argument = offset}, &reply);
	if (r == E_OK) {
		*ret_held = reply.count;
	}
	return r;
}

err_t stage_drop(const uint8_t hash[RS_HASH_LEN])
{
	uint8_t copy[RS_HASH_LEN];
	struct rs_reply reply;

	memcpy(copy, hash, sizeof(copy));
	return rs_ask_with(
	        RS_STAGE_DROP, copy, sizeof(copy), GRANT_READ, (struct rs_request){0}, &reply);
}

/* Carry a part of a boot entry through this program's memory into the store. */
static void stage_part(const char *blob, enum hook_part part, const uint8_t hash[RS_HASH_LEN])
{
	static uint8_t bytes[RS_CHUNK_MAX];
	err_t total = rs_blob(blob, part, 0, bytes, 1);
	uint64_t held = 0;

	if (total < 0) {
		sef_panic("the boot image has no %s", blob);
	}
	CHECK_EQUAL(stage_begin(hash, (uint64_t)total, &held), E_OK);
	while (held < (uint64_t)total) {
		uint64_t left = (uint64_t)total - held;
		uint32_t n = left < sizeof(bytes) ? (uint32_t)left : (uint32_t)sizeof(bytes);

		(void)rs_blob(blob, part, held, bytes, n);
		if (stage_append(hash, held, bytes, n, &held) != E_OK) {
			sef_panic("%s cannot be staged", blob);
		}
	}
}

void stage_offer(const struct offer *offer)
{
	struct offer copy = *offer; /* the record is read again underneath */
	struct kit_manifest kit = kit_of(copy.blob);

	stage_part(copy.blob, HOOK_PAYLOAD, copy.payload);
	stage_part(copy.blob, HOOK_STATE, copy.description);
	stage_part(copy.blob, HOOK_FLAT, kit.flat_hash);
}

void stage_kit(const char *blob, const struct kit_manifest *kit)
{
	stage_part(blob, HOOK_STATE, kit->state_hash);
	stage_part(blob, HOOK_FLAT, kit->flat_hash);
}

void stage_drop_all(void)
{
	static struct rs_blob blobs[64];
	struct rs_reply reply;

	CHECK_EQUAL(rs_ask_with(RS_STAGE_LIST, blobs, sizeof(blobs), GRANT_WRITE,
	                    (struct rs_request){0}, &reply),
	        E_OK);
	for (uint32_t i = 0; i < reply.count; i++) {
		if (!blobs[i].is_used) {
			CHECK_EQUAL(stage_drop(blobs[i].hash), E_OK);
		}
	}
}
