/* DS, the data store: keys and values that services publish, retrieve and subscribe to. */
#include "osd/lib/sef/sef.h"
#include "osd/lib/sys/sys.h"
#include "osd/servers/ds/priv.h"

static const struct sef_callbacks callbacks = {0};

int main(void)
{
	struct message msg;

	sef_startup(&callbacks);
	sef_receive(&msg);
	for (;;) {
		if (msg.type == MSG_NOTIFY) {
			sef_receive(&msg);
			continue;
		}
		table_dispatch(&msg);
		sef_reply_receive(&msg);
	}
}
