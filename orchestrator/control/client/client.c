/*
 * How long a client may be quiet. Each request and each answer begins its time anew; clients.c
 * says what happens at its end.
 */
#include "orchestrator/control/client/client.h"

#include <event2/event.h>
#include <time.h>

#define CONTROL_IDLE_SEC 60 /* docs/man/lud.8.scd */

/* Not the time of day: who is quiet longest must not change when somebody sets the clock. */
int64_t control_now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

void control_client_limit(struct control_client *client, int64_t usec)
{
	struct timeval limit = {usec / 1000000, usec % 1000000};

	evtimer_add(client->limit, &limit);
}

/*
 * A client that never said Hello stays on the short limit it was admitted with, however much it
 * sends: only an open session earns the long one.
 */
void control_client_busy(struct control_client *client)
{
	client->quiet_since = control_now_usec();
	if (client->open) {
		control_client_limit(client, CONTROL_IDLE_SEC * INT64_C(1000000));
	}
}
