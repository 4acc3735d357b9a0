/*
 * Operations on DS, each checked to the last byte: the error, the value, the sequence numbers,
 * which must rise, and the change that a subscription must bring for everything that was published
 * or deleted.
 */
#include "osd/suites/load/priv.h"

#include <string.h>

#include "osd/lib/request/ds.h"
#include "osd/lib/sef/sef.h"
#include "osd/lib/sys/grant.h"
#include "osd/lib/sys/sys.h"

#define CHANGE_SLICES 10u
#define CHANGE_TIMEOUT_NSEC 2000000000ull
#define CHANGE_SLICE_NSEC (CHANGE_TIMEOUT_NSEC / CHANGE_SLICES)
#define DROP_NSEC 5000000ull /* until what is queued has been received */

static struct load_buffer operation_buffer;
static uint32_t operation_grant;
static endpoint_t operation_ds;
static uint64_t operation_sequence;

static const char operation_prefix[] = "load.";

static struct ds_request operation_request(uint32_t n)
{
	struct ds_request req = {.grant = operation_grant,
	        .key_bytes = sizeof(operation_buffer.key),
	        .value_bytes = VALUE_MAX};

	shadow_key(n, operation_buffer.key);
	return req;
}

/* The keys that this program subscribes to. */
static struct ds_request operation_all(void)
{
	struct ds_request req = {
	        .grant = operation_grant, .key_bytes = sizeof(operation_prefix) - 1};

	memcpy(operation_buffer.key, operation_prefix, req.key_bytes);
	return req;
}

static bool operation_subscribe(void)
{
	return ds_subscribe(operation_ds, operation_all()).err == E_OK;
}

static bool operation_unsubscribe(void)
{
	return ds_unsubscribe(operation_ds, operation_all()).err == E_OK;
}

bool operation_start(void)
{
	if (operation_grant == 0) {
		operation_ds = sef_lookup("ds");
		operation_grant = grant_make(operation_ds, &operation_buffer,
		        sizeof(operation_buffer), GRANT_READ | GRANT_WRITE);
	}
	operation_sequence = 0;
	return operation_subscribe();
}

/*
 * A DS that crashed between telling of a change and answering has left that change in the queue: taken for the next one, it
 * would make every later change look wrong. Nothing more comes once the subscription is gone.
 */
static void operation_drop_changes(void)
{
	struct message msg;

	(void)sys_alarm_set(sys_clock_read() + DROP_NSEC);
	do {
		sef_receive(&msg);
	} while (!message_is_notify(&msg, EP_CLOCK));
}

/* The request that found the fresh DS may have left a key there. */
bool operation_after_restart(void)
{
	(void)restart_was_seen();
	(void)operation_unsubscribe();
	operation_drop_changes();
	for (uint32_t n = 0; n < shadow_n_keys(); n++) {
		(void)ds_delete(operation_ds, operation_request(n));
	}
	shadow_forget();
	return operation_start();
}

static bool operation_change_is(
        const struct ds_change_event *change, enum ds_change kind, uint64_t sequence)
{
	return change->sequence == sequence && change->kind == kind &&
	       memcmp(change->key, operation_buffer.key, sizeof(operation_buffer.key)) == 0;
}

/* Wait for the change that our own request must have caused. In slices: a machine that stands still
 * meanwhile takes one of them, not the whole time from DS. */
static bool operation_await_change(enum ds_change kind, uint64_t sequence)
{
	uint32_t n_slices = 0;
	struct message msg;

	(void)sys_alarm_set(sys_clock_read() + CHANGE_SLICE_NSEC);
	for (;;) {
		sef_receive(&msg);
		if (msg.type == DS_CHANGED && msg.source == operation_ds) {
			(void)sys_alarm_set(0);
			return operation_change_is(
			        MSG_AS(const struct ds_change_event, &msg), kind, sequence);
		}
		if (!message_is_notify(&msg, EP_CLOCK)) {
			continue;
		}
		if (++n_slices == CHANGE_SLICES) {
			return false;
		}
		(void)sys_alarm_set(sys_clock_read() + CHANGE_SLICE_NSEC);
	}
}

static bool operation_sequence_rises(uint64_t sequence)
{
	bool rises = sequence > operation_sequence;

	operation_sequence = sequence;
	return rises;
}

bool operation_publish(uint32_t n)
{
	struct ds_request req = operation_request(n);
	struct ds_reply reply;
	enum ds_type type;

	shadow_next(n);
	req.value_bytes = shadow_value(n, operation_buffer.value, &type);
	req.type = type;
	reply = ds_publish(operation_ds, req);
	if (reply.err == E_RESTART) {
		return operation_after_restart();
	}
	if (reply.err != E_OK || !operation_sequence_rises(reply.sequence)) {
		return false;
	}
	shadow_published(n);
	return operation_await_change(DS_CHANGE_PUBLISHED, reply.sequence);
}

static bool operation_value_is_right(uint32_t n, const struct ds_reply *reply)
{
	uint8_t expected[VALUE_MAX];
	enum ds_type type;
	uint32_t bytes = shadow_value(n, expected, &type);

	return reply->err == E_OK && reply->bytes == bytes &&
	       memcmp(expected, operation_buffer.value, bytes) == 0;
}

bool operation_retrieve(uint32_t n)
{
	struct ds_reply reply;

	memset(operation_buffer.value, 0, sizeof(operation_buffer.value));
	reply = ds_retrieve(operation_ds, operation_request(n));
	if (reply.err == E_RESTART) {
		return operation_after_restart();
	}
	return shadow_is_present(n) ? operation_value_is_right(n, &reply) : reply.err == E_NOTFOUND;
}

bool operation_delete(uint32_t n)
{
	bool was_present = shadow_is_present(n);
	struct ds_reply reply = ds_delete(operation_ds, operation_request(n));

	if (reply.err == E_RESTART) {
		return operation_after_restart();
	}
	if (!was_present) {
		return reply.err == E_NOTFOUND;
	}
	if (reply.err != E_OK || !operation_sequence_rises(reply.sequence)) {
		return false;
	}
	shadow_deleted(n);
	return operation_await_change(DS_CHANGE_DELETED, reply.sequence);
}

bool operation_resubscribe(void)
{
	return operation_unsubscribe() && operation_subscribe();
}

bool operation_count(void)
{
	struct ds_reply reply = ds_count(operation_ds);
	uint32_t n_present = 0;

	for (uint32_t n = 0; n < shadow_n_keys(); n++) {
		n_present += shadow_is_present(n);
	}
	return reply.err == E_OK && reply.n_keys >= n_present && reply.n_subscriptions >= 1;
}
