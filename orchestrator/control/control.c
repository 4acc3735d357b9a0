/*
 * Clients, and what all of them share. A client owns the requests that it waits for, and ends them when
 * it goes; the jobs that it asked for are the engine's.
 */
#include "orchestrator/control/client/client.h"

#include "host/base/file.h"

struct control *control_new(struct event_base *base, struct engine *engine)
{
	struct control *control = mem_zero(sizeof(*control));

	control->base = base;
	control->engine = engine;
	control->feed = feed_new(base, engine);
	LIST_INIT(&control->clients);
	return control;
}

void control_ending(struct control *control)
{
	control->is_ending = true;
}

void control_notice(struct control *control, const struct control_notice *notice)
{
	struct engine_remote remote = {.is_wrong = notice->is_wrong, .ends = notice->ends};

	snprintf(remote.text, sizeof(remote.text), "%s", notice->text);
	snprintf(remote.remedy, sizeof(remote.remedy), "%s", notice->remedy);
	engine_set_remote(control->engine, &remote);
}

void control_identities(struct control *control, const struct access_identities *identities)
{
	control->identities = identities;
}

/*
 * Jobs and machines are the engine's and are not touched: what clients waited for goes on, and
 * they find it again with `job show` after the next start.
 */
struct control *control_free(struct control *control)
{
	if (control) {
		feed_free(control->feed);
		free(control);
	}
	return NULL;
}

struct control_client *control_client_new(struct control *control, const struct principal *who,
        const struct access_rights *rights, const struct control_ops *ops, void *arg)
{
	struct control_client *client = mem_zero(sizeof(*client));

	client->control = control;
	client->who = *who;
	access_rights_copy(rights, &client->rights);
	client->ops = ops;
	client->arg = arg;
	client->backup = -1;
	LIST_INIT(&client->waiting);
	LIST_INIT(&client->once);
	LIST_INSERT_HEAD(&control->clients, client, link);
	return client;
}

void control_client_forget(struct control_client *client)
{
	while (!LIST_EMPTY(&client->waiting)) {
		control_wait_free(LIST_FIRST(&client->waiting));
	}
	control_once_forget(client);
}

struct control_client *control_client_free(struct control_client *client)
{
	control_client_forget(client);
	LIST_REMOVE(client, link);
	fd_closep(&client->backup);
	access_rights_fini(&client->rights);
	free(client);
	return NULL;
}

void control_client_rights(struct control_client *client, const struct access_rights *rights)
{
	access_rights_fini(&client->rights);
	access_rights_copy(rights, &client->rights);
	control_client_look(client);
}

enum control_load control_client_load(const struct control_client *client)
{
	const struct control_wait *wait;

	LIST_FOREACH(wait, &client->waiting, link)
	{
		if (!wait->log && !wait->feed) {
			return CONTROL_WAITS;
		}
	}
	return client->n_waiting ? CONTROL_FOLLOWS : CONTROL_NOTHING;
}
