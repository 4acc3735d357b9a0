/*
 * What happens next, when, by which policy, and why not earlier: of one machine, or of all in the order of
 * their times.
 */
#include "orchestrator/control/ask/priv.h"

#define NEXT_MAX 100u

/*
 * A name that is given has to be that of a machine; without one it is about all, and not about the default one.
 * Timers are cut where they are sorted by the time at which lud looks, which is the time of what comes first.
 */
void control_on_next(struct control_client *client, const Control__Request *request)
{
	_cleanup_(pool_fini) struct pool pool;
	const Control__NextRequest *ask = request->next;
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__NextList list = CONTROL__NEXT_LIST__INIT;
	struct view_next_ask which = {.rights = &client->rights,
	        .jobs = true,
	        .max = ask->limit && ask->limit < NEXT_MAX ? ask->limit : NEXT_MAX};

	pool_init(&pool);
	if (*ask->machine) {
		which.machine = control_machine(client, request->id, ask->machine);
		if (!which.machine) {
			return;
		}
	}
	if (view_next(&pool, control_engine(client), &which, &list.items, &list.n_items)) {
		control_refuse_record(client, request->id);
		return;
	}
	reply.body_case = CONTROL__REPLY__BODY_NEXT;
	reply.next = &list;
	control_reply(client, request->id, &reply);
}
