/*
 * DS, the data store: keys and values that services publish, retrieve and subscribe to. It needs
 * no callback: all its state is typed, so the default transfer moves it, and no request stays
 * open across a receive point, so that every one is a quiescent state. It waits for no other
 * service.
 */
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
		(void)table_dispatch(&msg); /* DS always replies */
		sef_reply_receive(&msg);
	}
}
