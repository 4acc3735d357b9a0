/*
 * Events. RS numbers and keeps them; the agent remembers only how far the host has been told, and
 * how far it has looked itself for a restart of the driver below it.
 *
 * Sequence numbers belong to a boot: a host that was cut off says which boot its last number is of,
 * and gets all events of this one if it was another. RS's ring forgets old events; what is lost that
 * way the host sees from the window (oldest, newest, lost) in the answer to its subscription.
 *
 * One event goes out at a time, and only while there is room for a whole frame: a host that does not
 * read stops them here, and they wait in RS.
 */
#include "osd/servers/agent/priv.h"

#include <string.h>

#include "osd/lib/sef/sef.h"

static bool follow_is_on;        /* the host of this session has subscribed */
static uint64_t follow_next = 1; /* first number that the host has not been sent */
static uint64_t follow_seen = 1; /* first number that we have not looked at ourselves */
static uint64_t follow_boot;     /* this boot's id, drawn by RS */
static uint8_t follow_memory[8192] STATE_SKIP; /* of the event that is being made */

/* Only a fresh start gets here; a successor has all of it as state, and RS the subscription. */
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

/* `after`: the last event that the host has, by the numbers of that boot. */
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

/*
 * A restart of the driver lost bytes of both directions. The session ends, and since the host is told
 * so by a frame, it goes through the driver's new instance.
 */
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
	/* Before the event is made: answer_event() may overwrite the buffer that it stands in. */
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
