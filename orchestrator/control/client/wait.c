/*
 * Requests that are answered later. A control_wait owns whatever the answer depends on (a watch
 * on jobs, a listener, a task, a timer), so that freeing it, with the client or after the answer,
 * ends all of that: no callback can come for a client that is gone.
 */
#include "orchestrator/control/client/client.h"

#include "host/base/file.h"
#include "host/child/child.h"
#include "orchestrator/job/core/standing.h"

struct control_wait *control_wait_new(struct control_client *client, uint64_t id)
{
	static const struct failure full = {"too-many", "control",
	        "this connection waits for too many answers", "wait for some of them"};
	struct control_wait *wait;

	if (client->n_waiting >= CONTROL_WAITING_MAX) {
		control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_FULL, &full);
		return NULL;
	}
	wait = mem_zero(sizeof(*wait));
	wait->client = client;
	wait->id = id;
	wait->right = client->here;
	client->n_waiting++;
	LIST_INSERT_HEAD(&client->waiting, wait, link);
	return wait;
}

/*
 * Each part is optional and is ended before the memory goes: none of them calls back from here,
 * and none can afterwards. The answer has to be sent first by whoever wants one.
 */
struct control_wait *control_wait_free(struct control_wait *wait)
{
	if (wait->machine) {
		machine_forget(wait->machine, wait);
	}
	if (wait->is_standing) {
		standing_forget(control_engine(wait->client), wait);
	}
	if (wait->over) {
		wait->over(wait);
	}
	engine_watch_free(wait->watch);
	machine_listener_free(wait->log);
	feed_reader_free(wait->feed);
	forge_task_free(wait->task);
	if (wait->child) {
		child_worker_free(wait->child);
		/* What it made, if it was to make something that nobody took. */
		(void)(*wait->path && dir_remove(wait->path));
	}
	if (wait->timer) {
		event_free(wait->timer);
	}
	if (wait->request) {
		control__request__free_unpacked(wait->request, NULL);
	}
	free(wait->kit);
	free(wait->skipped);
	if (wait->pool) {
		pool_fini(wait->pool);
		free(wait->pool);
	}
	wait->client->n_waiting--;
	LIST_REMOVE(wait, link);
	free(wait);
	return NULL;
}

/*
 * Clients that wait for a machine would wait for ever once it is removed, and a machine_forget()
 * on it later would be a use after free. Answering ends no client (control_ops.say), so the lists
 * stay as they are but for the wait itself.
 */
void control_end_waits(struct control *control, const struct machine *machine)
{
	struct control_client *client;

	LIST_FOREACH(client, &control->clients, link)
	{
		struct control_wait *wait = LIST_FIRST(&client->waiting);

		while (wait) {
			struct control_wait *next = LIST_NEXT(wait, link);

			if (wait->machine == machine) {
				control_done(client, wait->id, "the machine was removed");
				control_wait_free(wait);
			}
			wait = next;
		}
	}
}

/* Whether its client still has the right that it was asked with. A machine that is gone has no groups. */
static bool wait_may(const struct control_wait *wait)
{
	const struct access_rights *rights = &wait->client->rights;
	const struct control_right *right = &wait->right;
	const struct machine *machine =
	        machines_by_id(engine_machines(control_engine(wait->client)), right->machine);
	unsigned int roles = right->is_everything ? rights->everywhere
	                     : right->machine     ? access_rights_on(rights,
                                                        machine ? machine_row(machine)->groups : "")
	                                          : access_rights_any(rights);

	return access_role_for(roles, right->needed) != ACCESS_NOBODY;
}

/* What it asked for goes on, as when its connection ends. */
void control_client_look(struct control_client *client)
{
	struct control_wait *wait = LIST_FIRST(&client->waiting);

	while (wait) {
		struct control_wait *next = LIST_NEXT(wait, link);
		struct failure failure;

		if (!wait_may(wait)) {
			failure_set(&failure, "role", "access",
			        "have an admin give it again, or ask as somebody who has it",
			        "%s has not the role %s on this any more", client->who.name,
			        access_role_word(wait->right.needed));
			control_refuse(client, wait->id, WIRE__ERROR_CLASS__ERROR_DENIED, &failure);
			control_wait_free(wait);
		}
		wait = next;
	}
}

void control_look(struct control *control)
{
	struct control_client *client;

	LIST_FOREACH(client, &control->clients, link)
	{
		control_client_look(client);
	}
}
