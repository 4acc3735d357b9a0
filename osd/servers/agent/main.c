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

/*
 * A fresh start, also after a crash. Events come before the channel: they are how a restart of the
 * driver is noticed. An error ends the agent, and RS starts it again.
 */
static err_t agent_start(void)
{
	err_t err = follow_start();

	if (err == E_OK) {
		err = channel_open();
	}
	if (err == E_OK) {
		peer_start();
	}
	return err;
}

static const struct sef_callbacks callbacks = {.init_fresh = agent_start};

/*
 * Do all that can be done without waiting. Output goes first: it makes room for what the other two
 * would send. It ends because each of them moves nothing when the channel is full or empty.
 */
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
		/* A notification of the driver needs nothing here: the pump looks at the channel. */
		if (message_is_notify(&msg, EP_CLOCK)) {
			peer_alarm();
		} else if (message_is_notify(&msg, sef_start()->supervisor)) {
			follow_news();
		} else if (msg.type != MSG_NOTIFY) {
			(void)sys_reply_error(msg.source, E_NOSYS);
		}
	}
}
