/*
 * Watching: events as they happen, from the feed. There is no answer but the end: the machine was removed, or the client did
 * not read, which is told in a chunk of its own (EventChunk.is_cut) before. While all places are taken a client that
 * watches loses its own before any that waits for a job does (server/connection.c).
 */
#include "orchestrator/control/ask/priv.h"

static void control_on_events(Control__EventChunk *chunk, void *arg)
{
	struct control_wait *wait = arg;
	struct control_client *client = wait->client;
	uint64_t id = wait->id;

	chunk->id = id;
	control_events(client, chunk);
	if (chunk->is_cut) {
		control_wait_free(wait);
		control_done(client, id, "events come faster than they are read");
	}
}

static size_t control_events_unread(const void *arg)
{
	const struct control_wait *wait = arg;

	return wait->client->ops->backlog(wait->client->arg);
}

/* By the rights and groups of now, also of what happened before. */
static bool control_events_sees(const char *machine, const void *arg)
{
	const struct control_wait *wait = arg;

	return control_sees(wait->client,
	        machines_by_name(engine_machines(control_engine(wait->client)), machine));
}

/* A machine that is named must be there; none is all machines, not the default one. */
void control_on_watch(struct control_client *client, const Control__Request *request)
{
	static const struct feed_ops ops = {
	        control_on_events, control_events_unread, control_events_sees};
	const Control__WatchRequest *ask = request->watch;
	struct machine *machine = NULL;
	struct control_wait *wait;

	if (*ask->machine && !(machine = control_machine(client, request->id, ask->machine))) {
		return;
	}
	wait = control_wait_new(client, request->id);
	if (!wait) {
		return;
	}
	wait->machine = machine;
	wait->feed = feed_read(client->control->feed, ask, &ops, wait);
}
