/* assist: an ordinary service that tests crash, hang, fill with state and update. */
#include "osd/lib/sef/sef.h"
#include "osd/suites/assist/behaviour.h"
#include "osd/suites/assist/priv.h"

static const struct sef_callbacks callbacks = {
        .prepare = crash_prepare,
        .n_requests_open = table_n_held,
        .state_check = behaviour_check,
};

int main(void)
{
	struct message msg;

	sef_startup(&callbacks);
	sef_receive(&msg);
	for (;;) {
		if (message_is_notify(&msg, EP_CLOCK)) {
			table_alarm();
			sef_receive(&msg);
		} else if (msg.type != MSG_NOTIFY && table_dispatch(&msg)) {
			sef_reply_receive(&msg);
		} else {
			sef_receive(&msg);
		}
	}
}
