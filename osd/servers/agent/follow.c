/*
 * Events. RS numbers and keeps them; the agent remembers only how far the host has been told, and
 * how far it has looked itself for a restart of the driver below it.
 */
#include "osd/servers/agent/priv.h"

#include <string.h>

#include "osd/lib/sef/sef.h"

static bool follow_is_on;
static uint64_t follow_next = 1; /* for the host */
static uint64_t follow_seen = 1; /* by ourselves */
static uint64_t follow_boot;
static uint8_t follow_memory[8192] STATE_SKIP;

err_t follow_start(void)
{
	const struct rs_resources *resources = (const struct rs_resources *)rs_buffer();

	if (rs_resources(rs_endpoint(), rs_request_make(sizeof(*resources), 0, 0)).err == E_OK) {
		follow_boot = resources->boot_id;
	}
	return rs_subscribe(rs_endpoint()).err;
}

uint64_t follow_boot_id(void)
{
	return follow_boot;
}

void follow_subscribe(uint64_t after, uint64_t boot_id)
{
	follow_is_on = true;
	follow_next = boot_id == follow_boot ? after + 1 : 1;
}

void follow_stop(void)
{
	follow_is_on = false;
}

/* The first event from a number on; NULL: none yet. */
static const struct rs_event *follow_fetch(uint64_t from)
{
	const struct rs_event *event = (const struct rs_event *)rs_buffer();
	struct rs_reply reply = rs_events(rs_endpoint(), rs_request_make(sizeof(*event), from, 0));

	return reply.err == E_OK && reply.count > 0 ? event : NULL;
}

void follow_news(void)
{
	const struct rs_event *event;

	while ((event = follow_fetch(follow_seen)) != NULL) {
		follow_seen = event->sequence + 1;
		if (event->kind == RS_EVENT_RESTARTED && channel_is(event->service)) {
			(void)channel_open();
			peer_broken();
		}
	}
}

bool follow_step(void)
{
	const struct rs_event *event;
	Machine__FromMachine msg = MACHINE__FROM_MACHINE__INIT;
	struct wire_arena arena;

	if (!follow_is_on || channel_space() < AGENT_FRAME_MAX) {
		return false;
	}
	event = follow_fetch(follow_next);
	if (event == NULL) {
		return false;
	}
	follow_next = event->sequence + 1;
	wire_arena_init(&arena, follow_memory, sizeof(follow_memory));
	msg.body_case = MACHINE__FROM_MACHINE__BODY_EVENT;
	msg.event = answer_event(&arena, event);
	(void)peer_send(&msg);
	return true;
}

void follow_window(Machine__EventWindow *ret_window)
{
	struct rs_reply reply = rs_events(rs_endpoint(), rs_request_make(0, follow_next, 0));

	ret_window->oldest = reply.a;
	ret_window->newest = reply.b - 1;
	ret_window->lost = reply.a > follow_next ? reply.a - follow_next : 0;
	ret_window->boot_id = follow_boot;
}
