/*
 * What tests may do to RS; see osd/abi/hook.h. Harm is done once, when a transaction enters the
 * step that a test named. An instance is crashed by breakpoints in place of its code, so that the
 * kernel and RS see a crash like any other. Only rs_test.kit has this file.
 */
#include "osd/servers/rs/update/hook.h"

#include <string.h>

#include "osd/abi/hook.h"
#include "osd/lib/heap/heap_layout.h"
#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/base/machine.h"
#include "osd/servers/rs/life/service.h"
#include "osd/servers/rs/update/priv.h"

#define HOOK_BREAKPOINT 0xcc
/* More than fit the budget of layouts. */
#define HOOK_N_LAYOUTS 200

static struct hook_harm hook_armed;
static uint8_t hook_breakpoints[PAGE_SIZE];
static struct layout hook_layouts[HOOK_N_LAYOUTS];

/* Overwrite all code behind an endpoint. */
static void hook_crash(endpoint_t endpoint, const struct image_view *image)
{
	memset(hook_breakpoints, HOOK_BREAKPOINT, sizeof(hook_breakpoints));
	for (uint32_t i = 0; i < image->header->n_segments; i++) {
		const struct image_segment *segment = &image->segments[i];

		if ((segment->prot & IMAGE_PROT_EXEC) == 0) {
			continue;
		}
		for (uint64_t at = 0; at < segment->mem_size; at += PAGE_SIZE) {
			(void)sys_copy(EP_SELF, (vaddr_t)hook_breakpoints, endpoint,
			        segment->vaddr + at, PAGE_SIZE, COPY_FORCE);
		}
	}
}

/*
 * An endpoint that can be harmed, of the first component that has one; *ret_image is what runs
 * there.
 */
static endpoint_t hook_target(const struct update_txn *txn, const struct image_view **ret_image)
{
	bool is_new = hook_armed.who == HOOK_NEW;

	for (uint32_t i = 0; i < txn->n_components; i++) {
		const struct txn_component *c = &txn->components[i];
		endpoint_t endpoint = is_new ? txn_new_endpoint(c) : txn_old_endpoint(c);

		if (endpoint != EP_NONE) {
			*ret_image = is_new ? &c->binary.image : &c->service->binary.image;
			return endpoint;
		}
	}
	return EP_NONE;
}

/* Hooks run as a step is entered, before the records are exchanged at the commit. */
void hook_step(const struct update_txn *txn)
{
	const struct image_view *image;
	endpoint_t endpoint;

	if (txn->step != hook_armed.step || hook_armed.how == HOOK_STARVE ||
	        hook_armed.how == HOOK_FAIL || hook_armed.how == HOOK_CROWD) {
		return;
	}
	hook_armed.step = RS_STEP_NONE;
	endpoint = hook_target(txn, &image);
	if (endpoint == EP_NONE) {
		return;
	}
	hook_armed.is_done = 1;
	if (hook_armed.how == HOOK_HANG) {
		(void)sys_slot_stop(endpoint);
	} else {
		hook_crash(endpoint, image);
	}
}

err_t hook_commit(enum hook_operation operation)
{
	if (hook_armed.how != HOOK_FAIL || hook_armed.who != operation || hook_armed.is_done) {
		return E_OK;
	}
	hook_armed.is_done = 1;
	return E_STATE;
}

uint64_t hook_heap_bytes(uint64_t bytes)
{
	if (hook_armed.how != HOOK_STARVE || hook_armed.is_done) {
		return bytes;
	}
	hook_armed.is_done = 1;
	return HEAP_DIRECTORY_PAGES * PAGE_SIZE;
}

/* Make layouts until one is refused for want of room: real ones, by the real accounts. */
static bool hook_crowd(void)
{
	static const uint8_t no_key[32];
	static const struct agree_audit nobody = {.pub = no_key};
	static const struct span_set nothing;
	const struct binary *binary = &service_find("assist")->binary;
	struct layout_kit kit = binary->flat;
	err_t err = layout_kit_check(&kit, binary->kit.service);

	for (uint32_t i = 0; err == E_OK && i < HOOK_N_LAYOUTS; i++) {
		err = layout_make(&kit, binary->release_id, &nobody, &nothing, &hook_layouts[i]);
	}
	return err == E_STORE_FULL;
}

static void hook_crowd_end(void)
{
	for (uint32_t i = 0; i < HOOK_N_LAYOUTS; i++) {
		layout_free(&hook_layouts[i]);
	}
}

static err_t hook_arm(const struct message *msg, struct rs_reply *ret_reply)
{
	ret_reply->count = hook_armed.is_done;
	hook_armed = *MSG_AS(struct hook_harm, msg);
	hook_armed.is_done = 0;
	hook_crowd_end();
	if (hook_armed.how == HOOK_CROWD) {
		hook_armed.is_done = hook_crowd();
	}
	return E_OK;
}

static const uint8_t *hook_part(const struct boot_item *item, uint32_t part, uint64_t *ret_len)
{
	switch ((enum hook_part)part) {
	case HOOK_MANIFEST:
		*ret_len = item->manifest_len;
		return item->manifest;
	case HOOK_STATE:
		*ret_len = item->state_len;
		return item->state;
	case HOOK_PAYLOAD:
		*ret_len = item->payload_len;
		return item->payload;
	case HOOK_ENVELOPE:
		*ret_len = item->envelope_len;
		return item->envelope;
	case HOOK_FLAT:
		*ret_len = item->flat_len;
		return item->flat;
	}
	return NULL;
}

static err_t hook_copy(const struct message *msg, const struct boot_item *item, uint64_t *ret_len)
{
	const struct hook_blob *request = MSG_AS(struct hook_blob, msg);
	const uint8_t *bytes = hook_part(item, request->part, ret_len);
	uint64_t n = request->bytes;

	if (bytes == NULL || request->offset >= *ret_len) {
		return E_NOTFOUND;
	}
	if (n > *ret_len - request->offset) {
		n = *ret_len - request->offset;
	}
	return sys_copy_to_grant(msg->source, request->grant, 0, bytes + request->offset, n);
}

static err_t hook_blob(const struct message *msg, struct rs_reply *ret_reply)
{
	const struct hook_blob *request = MSG_AS(struct hook_blob, msg);
	struct boot_item item;

	for (uint32_t i = 0; i < machine.boot.header->n_entries; i++) {
		boot_entry_get(&machine.boot, i, &item);
		if (strncmp(item.entry->name, request->name, SERVICE_NAME_LEN) == 0) {
			return hook_copy(msg, &item, &ret_reply->count);
		}
	}
	return E_NOTFOUND;
}

/* The ping wakes one that waits for a message. */
static err_t hook_kill(const struct message *msg)
{
	struct message ping = {.type = SEF_PING};
	const struct service *service = service_find((const char *)msg->w);

	if (service == NULL || service->is_kernel_loaded) {
		return E_NOTFOUND;
	}
	hook_crash(service->endpoint, &service->binary.image);
	return sys_asend(service->endpoint, &ping);
}

err_t hook_request(const struct message *msg, struct rs_reply *ret_reply)
{
	switch (msg->type) {
	case HOOK_ARM:
		return hook_arm(msg, ret_reply);
	case HOOK_BLOB:
		return hook_blob(msg, ret_reply);
	case HOOK_KILL:
		return hook_kill(msg);
	default:
		return E_NOSYS;
	}
}

/* The state that crashes services made to be crashed, and one of a service's own. */
err_t hook_state(const char *name, uint32_t *ret_state)
{
	static const struct {
		const char *name;
		uint32_t state;
	} states[] = {{"prepare-crash", QS_PREPARE_CRASH}, {"custom-7", QS_CUSTOM + 7}};

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		if (strcmp(states[i].name, name) == 0) {
			*ret_state = states[i].state;
			return E_OK;
		}
	}
	return E_UNSUPPORTED;
}
