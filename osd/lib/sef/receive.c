/*
 * The receive point: the one place where a service stands still, and where everything happens
 * that RS wants of it. Before each receive the state that an update asked for is looked at
 * (prepare.c); after it RS's own messages are taken out and the next one is received, so a
 * service never sees them. They are RS's only if the kernel says that the supervisor sent them:
 * the same numbers from anybody else are the service's business, which answers them as requests
 * that it does not know.
 *
 * While an update is being prepared, answering and receiving are two calls: the reply must be out
 * before the service may stop.
 */
#include "osd/lib/sef/priv.h"

static void receive_pong(const struct message *ping)
{
	struct message msg = {.type = SEF_PONG, .w = {ping->w[0]}};

	(void)sys_asend(ping->source, &msg);
}

static void receive_signal(uint32_t signal)
{
	if (sef_callbacks->signal) {
		sef_callbacks->signal(signal);
	} else if (signal == SEF_SIGNAL_TERMINATE) {
		sys_exit(0);
	}
}

/* Was it the framework's? Only the supervisor speaks to it. */
static bool receive_own(const struct message *msg)
{
	if (msg->source != sef_start()->supervisor) {
		return false;
	}
	switch (msg->type) {
	case SEF_PREPARE:
		sef_prepare_begin(MSG_AS(const struct sef_prepare, msg));
		return true;
	case SEF_CANCEL:
		sef_prepare_cancel(msg->w[0]);
		return true;
	case SEF_PING:
		receive_pong(msg);
		return true;
	case SEF_SIGNAL:
		receive_signal((uint32_t)msg->w[0]);
		return true;
	default:
		return false;
	}
}

void sef_receive(struct message *ret_msg)
{
	err_t err;

	do {
		sef_prepare_point();
		err = sys_receive(EP_ANY, ret_msg);
		if (err != E_OK) {
			sef_panic("receive: %s", sys_error_name(err));
		}
	} while (receive_own(ret_msg));
}

void sef_reply_receive(struct message *msg)
{
	err_t err;

	if (sef_prepare_is_open()) {
		(void)sys_reply(msg->source, msg);
		sef_receive(msg);
		return;
	}
	err = sys_reply_receive(msg->source, msg);
	if (err != E_OK) {
		sef_panic("reply_receive: %s", sys_error_name(err));
	}
	if (receive_own(msg)) {
		sef_receive(msg);
	}
}
