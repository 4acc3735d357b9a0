/*
 * Connections of the control socket. A connection costs memory, so there are limits,
 * and the limits must not become a way to lock the owner out:
 *
 *   a peer that does not say Hello within CONTROL_HELLO_SEC is disconnected;
 *   one that asks nothing for CONTROL_IDLE_SEC, and waits for nothing, too;
 *   a user other than root and lud's own has at most CONTROL_GUESTS_MAX;
 *   when all places are taken, a newcomer takes the place of the oldest connection
 *   without a session, else of the one that has been idle longest, else of one that
 *   only follows the log.
 *
 * Only connections that wait for an answer keep their places against everybody.
 */
#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/control/priv.h"

#define CONTROL_HELLO_SEC 5 /* docs/man/lud.8.scd */

/* Ends everything that it waits for; jobs that it asked for go on. Always NULL. */
struct control_client *control_client_free(struct control_client *client)
{
	while (!LIST_EMPTY(&client->waiting)) {
		control_wait_free(LIST_FIRST(&client->waiting));
	}
	LIST_REMOVE(client, link);
	client->control->n_clients--;
	link_free(client->stream);
	event_free(client->limit);
	fd_closep(&client->backup);
	free(client);
	return NULL;
}

/* A new session: what the old one waited for is nobody's any more. */
static void control_on_opened(struct link *link, void *arg)
{
	struct control_client *client = arg;

	while (!LIST_EMPTY(&client->waiting)) {
		control_wait_free(LIST_FIRST(&client->waiting));
	}
	if (!client->open) {
		client->open = true;
		control_client_busy(client);
	}
}

/* A request, in a session: link.c takes none without. */
static void control_on_message(struct link *link, const ProtobufCMessage *message, void *arg)
{
	control_client_busy(arg);
	control_on_request(arg, (const Control__Request *)message);
}

/*
 * The session is over while the connection lives: the peer may say Hello again, within the limit
 * of a newcomer. What it waited for died with the session, as if a new one had begun.
 */
static void control_on_lost(struct link *link, void *arg)
{
	struct control_client *client = arg;

	control_on_opened(link, client);
	client->open = false;
	control_client_limit(client, CONTROL_HELLO_SEC * INT64_C(1000000));
}

static void control_on_closed(struct link *link, const char *why, void *arg)
{
	control_client_free(arg);
}

static const struct link_ops control_link_ops = {
        .message_type = &control__request__descriptor,
        .opened = control_on_opened,
        .message = control_on_message,
        .lost = control_on_lost,
        .closed = control_on_closed,
};

/*
 * The client was quiet for its time. One that waits for an answer is quiet because of lud, and
 * its time begins anew.
 */
static void control_on_limit(evutil_socket_t fd, short what, void *arg)
{
	struct control_client *client = arg;

	if (client->open && client->n_waiting) {
		control_client_busy(client);
		return;
	}
	log_info("control: %s is disconnected: %s", client->peer.name,
	        client->open ? "it asks nothing" : "it does not say Hello");
	link_end(client->stream, WIRE__BYE_REASON__BYE_CLOSING);
	control_client_free(client);
}

/* How much a connection is missed, least first. */
enum control_worth {
	CONTROL_NO_SESSION,
	CONTROL_IDLE,
	CONTROL_FOLLOWS, /* only reads the log, or what happens */
	CONTROL_WAITS,
	_CONTROL_WORTH_N,
};

static enum control_worth control_worth(const struct control_client *client)
{
	const struct control_wait *wait;

	LIST_FOREACH(wait, &client->waiting, link)
	{
		if (!wait->log && !wait->feed) {
			return CONTROL_WAITS;
		}
	}
	if (client->n_waiting) {
		return CONTROL_FOLLOWS;
	}
	return client->open ? CONTROL_IDLE : CONTROL_NO_SESSION;
}

/* Among those of equal worth the one that has been quiet longest goes first. */
static bool control_goes_before(const struct control_client *a, const struct control_client *b)
{
	enum control_worth worth = control_worth(a);

	return worth != control_worth(b) ? worth < control_worth(b)
	                                 : a->quiet_since < b->quiet_since;
}

/*
 * Called when all places are taken, and when descriptors run out: what is freed may be enough for
 * whoever comes next.
 */
bool control_make_room(struct control *control)
{
	struct control_client *client;
	struct control_client *first = NULL;

	LIST_FOREACH(client, &control->clients, link)
	{
		if (!first || control_goes_before(client, first)) {
			first = client;
		}
	}
	if (!first || control_worth(first) == CONTROL_WAITS) {
		return false;
	}
	log_warn("control: %s loses its place: all %zu are taken", first->peer.name,
	        control->n_clients);
	control_client_free(first);
	return true;
}

static size_t control_n_of(const struct control *control, uint64_t uid)
{
	const struct control_client *client;
	size_t n = 0;

	LIST_FOREACH(client, &control->clients, link)
	{
		n += client->peer.uid == uid;
	}
	return n;
}

/*
 * NULL when the peer may come in, else why not. Who could end lud anyhow has no limit: it would keep
 * those out.
 */
static const char *control_objection(
        struct control *control, const struct access_peer *peer, unsigned int roles)
{
	if (!roles) {
		return "may not ask here";
	}
	if (!access_is_owner(peer) && control_n_of(control, peer->uid) >= CONTROL_GUESTS_MAX) {
		return "has too many connections";
	}
	if (control->n_clients >= CONTROL_CLIENTS_MAX && !control_make_room(control)) {
		return "finds no place: every connection waits for an answer";
	}
	return NULL;
}

static int control_client_new(struct control *control, int fd, const struct access_peer *peer,
        unsigned int roles, struct control_client **ret_client)
{
	static const struct session_identity self = {
	        .min_version = CONTROL_PROTOCOL_MIN,
	        .max_version = CONTROL_PROTOCOL,
	        .software = "lud",
	};
	struct control_client *client = mem_zero(sizeof(*client));
	int r;

	client->control = control;
	client->peer = *peer;
	client->roles = roles;
	client->backup = -1;
	LIST_INIT(&client->waiting);
	r = link_new(link_stream(control->base, fd), control->buffers, SESSION_RESPONDER, &self,
	        &control_link_ops, client, &client->stream);
	if (r < 0) {
		free(client);
		return err_up(r);
	}
	client->limit = evtimer_new(control->base, control_on_limit, client);
	if (!client->limit) {
		abort();
	}
	control->n_clients++;
	LIST_INSERT_HEAD(&control->clients, client, link);
	control_client_busy(client);
	*ret_client = client;
	return 0;
}

/*
 * Takes fd, whatever becomes of it. Who may not come in is disconnected without an answer, and
 * the log says why.
 */
void control_admit(struct control *control, int fd)
{
	struct control_client *client = NULL;
	struct access_peer peer;
	const char *objection;
	unsigned int roles;

	if (access_peer_of(fd, &peer) < 0) {
		err_forget();
		close(fd);
		return;
	}
	roles = access_roles(engine_config(control->engine), &peer);
	objection = control_objection(control, &peer, roles);
	if (objection) {
		log_warn("control: %s %s", peer.name, objection);
		close(fd);
		return;
	}
	if (control_client_new(control, fd, &peer, roles, &client) < 0) {
		log_warn("control: %s: %s", peer.name, err_trace());
		err_forget();
		return;
	}
	control_client_limit(client, CONTROL_HELLO_SEC * INT64_C(1000000));
}

/* Who has no role any more is disconnected; jobs that it asked for go on. */
void control_clients_reloaded(struct control *control)
{
	struct control_client *client = LIST_FIRST(&control->clients);

	while (client) {
		struct control_client *next = LIST_NEXT(client, link);

		client->roles = access_roles(engine_config(control->engine), &client->peer);
		if (!client->roles) {
			log_warn("control: %s may not ask here any more", client->peer.name);
			link_end(client->stream, WIRE__BYE_REASON__BYE_CLOSING);
			control_client_free(client);
		}
		client = next;
	}
}
