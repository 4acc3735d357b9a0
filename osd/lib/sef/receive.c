/* The receive point: where RS's own messages are taken out and states are reached. */
#include "osd/lib/sef/priv.h"

static void pong(const struct message *ping)
{
	struct message msg = {.type = SEF_PONG, .w = {ping->w[0]}};

	(void)sys_asend(ping->source, &msg);
}

static void take_signal(uint32_t signal)
{
	if (sef_callbacks->signal) {
		sef_callbacks->signal(signal);
	} else if (signal == SEF_SIGNAL_TERMINATE) {
		sys_exit(0);
	}
}

/* Was it the framework's? Only the supervisor speaks to it. */
static bool take_own(const struct message *msg)
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
		pong(msg);
		return true;
	case SEF_SIGNAL:
		take_signal((uint32_t)msg->w[0]);
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
	} while (take_own(ret_msg));
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
	if (take_own(msg)) {
		sef_receive(msg);
	}
}
