/* virtio_console: a byte channel to whoever holds the other end of the machine's virtserialport. */
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
			table_dispatch(&msg);
			sef_reply_receive(&msg);
		}
	}
}
