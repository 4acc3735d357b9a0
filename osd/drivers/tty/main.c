/*
 * tty: the serial console, where the services' log and a person's terminal meet. Every
 * notification means that the port wants to be looked at. A successor looks once after the
 * commit, since nobody knows what the port did meanwhile; the rings come over as ordinary state.
 */
#include "osd/drivers/tty/priv.h"
#include "osd/lib/sef/sef.h"
#include "osd/lib/sys/sys.h"

static const struct sef_callbacks callbacks = {
        .init_fresh = table_start,
        .after_commit = table_interrupt,
};

int main(void)
{
	struct message msg;

	sef_startup(&callbacks);
	sef_receive(&msg);
	for (;;) {
		if (msg.type == MSG_NOTIFY) {
			table_interrupt();
			sef_receive(&msg);
		} else if (table_dispatch(&msg)) {
			sef_reply_receive(&msg);
		} else {
			sef_receive(&msg);
		}
	}
}
