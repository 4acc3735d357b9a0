/*
 * agent: the machine's one door to the host. All bytes from outside are parsed here and nowhere
 * else; what RS gets are records of fixed layout.
 *
 * The host is never waited for. The loop does all that can be done at once (send what was made,
 * take a frame, pass an event on), and receives when nothing moves. What is under way is ordinary
 * state of channel.c, peer.c and follow.c, so an update may come at any receive point. Nobody in
 * the machine has requests to the agent.
 */
#include "osd/lib/sef/sef.h"
#include "osd/servers/agent/priv.h"

static err_t agent_start(void)
{
	err_t r = follow_start();

	if (r == E_OK) {
		r = channel_open();
	}
	if (r == E_OK) {
		peer_start();
	}
	return r;
}

static const struct sef_callbacks callbacks = {.init_fresh = agent_start};

/* Do all that can be done without waiting. */
static void agent_pump(void)
{
	bool moved;

	do {
		moved = channel_flush();
		moved = peer_step() || moved;
		moved = follow_step() || moved;
	} while (moved);
}

int main(void)
{
	struct message msg;

	sef_startup(&callbacks);
	for (;;) {
		agent_pump();
		sef_receive(&msg);
		if (message_is_notify(&msg, EP_CLOCK)) {
			peer_alarm();
		} else if (message_is_notify(&msg, sef_start()->supervisor)) {
			follow_news();
		} else if (msg.type != MSG_NOTIFY) {
			(void)sys_reply_error(msg.source, E_NOSYS);
		}
	}
}
