/*
 * virtio_console: a byte channel to whoever holds the other end of the machine's virtserialport.
 * Every notification is the device's interrupt. It is not updated live: the device writes into
 * the memory of this instance. After a crash it starts with a device that was reset, and what lay
 * in its buffers is lost; the agent then begins a new session.
 */
#include "osd/drivers/virtio_console/priv.h"
#include "osd/lib/sef/sef.h"

static const struct sef_callbacks callbacks = {
        .init_fresh = control_start,
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
		} else {
			(void)table_dispatch(&msg); /* the driver always replies */
			sef_reply_receive(&msg);
		}
	}
}
