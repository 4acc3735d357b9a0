/*
 * Connections of the control socket. A connection costs memory, so there are limits,
 * and the limits must not become a way to lock the owner out:
 *
 *   a peer that does not say Hello within SERVER_HELLO_SEC is disconnected;
 *   one that asks nothing for SERVER_IDLE_SEC, and waits for nothing, too;
 *   a user other than root and lud's own has at most SERVER_GUESTS_MAX, and fewer as places become few: the last
 *   SERVER_SHARED are for users with less than SERVER_SHARE, the very last SERVER_FIRST for those who have none.
 *   So some users who wait on all that they may have leave room for others;
 *   the last SERVER_KEPT places are for root, lud's own user and admins: all others together cannot fill them;
 *   when all places that a newcomer may have are taken, a newcomer takes the place of the oldest connection
 *   without a session, else of the one that has been idle longest, else of one that
 *   only follows the log; of those that it may end: a guest takes no admin's place, and none of a user who has
 *   fewer than itself.
 *
 * Only connections that wait for an answer keep their places against everybody.
 */
#include <event2/event.h>
#include <string.h>
#include <sys/socket.h>

#include "host/base/elapsed.h"
#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/server/priv.h"

#define SERVER_HELLO_SEC 5 /* docs/man/lud.8.scd */
#define SERVER_IDLE_SEC 60

/* Jobs that its client asked for go on. Always NULL. */
struct connection *connection_free(struct connection *connection)
{
	control_client_free(connection->client);
	LIST_REMOVE(connection, link);
	connection->server->n_connections--;
	link_free(connection->stream);
	event_free(connection->limit);
	free(connection);
	return NULL;
}

/* Disconnects after so long, unless this is called again. */
static void connection_limit(struct connection *connection, int64_t sec)
{
	struct timeval limit = {sec, 0};

	evtimer_add(connection->limit, &limit);
}

/*
 * It asked or was answered: its time to ask nothing begins anew. One that never said Hello stays on
 * the short limit it was admitted with, however much it sends.
 */
static void connection_busy(struct connection *connection)
{
	connection->quiet_since = elapsed_usec();
	if (connection->open) {
		connection_limit(connection, SERVER_IDLE_SEC);
	}
}

/*
 * Queues one message of any kind. A client without a session (-ENOTCONN: it dropped its own)
 * asked under that session and waits for nothing now, so that is no warning. One whose queue is
 * full does not read, and what waits for it would only grow: it is shut down and not freed, since the
 * caller still holds it; the loop frees it when it reads the end.
 */
static void connection_say(void *arg, const Control__FromLud *message, bool rests)
{
	struct connection *connection = arg;
	int r = rests ? link_send(connection->stream, &message->base)
	              : link_say(connection->stream, &message->base);

	connection_busy(connection);
	if (r < 0 && r != -ENOTCONN) {
		log_warn("%s: an answer cannot be sent: %s", connection->peer.name, strerror(-r));
	}
	if (r == -EXFULL) {
		shutdown(link_fd(connection->stream), SHUT_RDWR);
	}
	err_forget();
}

static size_t connection_backlog(const void *arg)
{
	const struct connection *connection = arg;

	return link_backlog(connection->stream);
}

static const struct control_ops connection_ops = {connection_say, connection_backlog};

/* A new session: what the old one waited for is nobody's any more. */
static void connection_on_opened(struct link *link, void *arg)
{
	struct connection *connection = arg;

	control_client_forget(connection->client);
	if (!connection->open) {
		connection->open = true;
		connection_busy(connection);
	}
}

/* A request, in a session: link.c takes none without. */
static void connection_on_message(struct link *link, const ProtobufCMessage *message, void *arg)
{
	struct connection *connection = arg;

	connection_busy(connection);
	control_client_ask(connection->client, (const Control__Request *)message);
}

/*
 * The session is over while the connection lives: the peer may say Hello again, within the limit
 * of a newcomer. What it waited for died with the session, as if a new one had begun.
 */
static void connection_on_lost(struct link *link, void *arg)
{
	struct connection *connection = arg;

	control_client_forget(connection->client);
	connection->open = false;
	connection_limit(connection, SERVER_HELLO_SEC);
}

static void connection_on_closed(struct link *link, const char *why, void *arg)
{
	connection_free(arg);
}

static const struct link_ops connection_link_ops = {
        .message_type = &control__request__descriptor,
        .opened = connection_on_opened,
        .message = connection_on_message,
        .lost = connection_on_lost,
        .closed = connection_on_closed,
};

/*
 * It was quiet for its time. One that waits for an answer is quiet because of lud, and its time
 * begins anew.
 */
static void connection_on_limit(evutil_socket_t fd, short what, void *arg)
{
	struct connection *connection = arg;

	if (connection->open && control_client_load(connection->client) != CONTROL_NOTHING) {
		connection_busy(connection);
		return;
	}
	log_info("control: %s is disconnected: %s", connection->peer.name,
	        connection->open ? "it asks nothing" : "it does not say Hello");
	link_end(connection->stream, WIRE__BYE_REASON__BYE_CLOSING);
	connection_free(connection);
}

/* How much a connection is missed: least without a session, then by what its client waits for. */
static int connection_worth(const struct connection *connection)
{
	return connection->open ? 1 + (int)control_client_load(connection->client) : 0;
}

/* Among those of equal worth the one that has been quiet longest goes first. */
static bool connection_goes_before(const struct connection *a, const struct connection *b)
{
	int worth = connection_worth(a);

	return worth != connection_worth(b) ? worth < connection_worth(b)
	                                    : a->quiet_since < b->quiet_since;
}

static size_t connection_n_of(const struct server *server, uint64_t uid)
{
	const struct connection *connection;
	size_t n = 0;

	LIST_FOREACH(connection, &server->connections, link)
	{
		n += connection->peer.uid == uid;
	}
	return n;
}

/* peer: who comes; NULL: anybody of that rank. */
static bool connection_may_end(const struct connection *connection, enum connection_rank rank,
        const struct access_peer *peer)
{
	const struct server *server = connection->server;

	if (connection->rank > rank) {
		return false;
	}
	return !peer || rank == CONNECTION_ADMIN || connection->peer.uid == peer->uid ||
	       connection_n_of(server, connection->peer.uid) > connection_n_of(server, peer->uid);
}

/*
 * Called when all places are taken, and when descriptors run out: what is freed may be enough for
 * whoever comes next.
 */
bool connection_make_room(
        struct server *server, enum connection_rank rank, const struct access_peer *peer)
{
	struct connection *connection;
	struct connection *first = NULL;

	LIST_FOREACH(connection, &server->connections, link)
	{
		if (connection_may_end(connection, rank, peer) &&
		        (!first || connection_goes_before(connection, first))) {
			first = connection;
		}
	}
	if (!first || control_client_load(first->client) == CONTROL_WAITS) {
		return false;
	}
	log_warn("control: %s loses its place: all of %zu that whoever comes may have are taken",
	        first->peer.name, server->n_connections);
	connection_free(first);
	return true;
}

/* How many guests there may be for a user who has n connections to get another one. */
static size_t connection_places(size_t n)
{
	size_t all = SERVER_CONNECTIONS_MAX - SERVER_KEPT;

	return !n ? all : n < SERVER_SHARE ? all - SERVER_FIRST : all - SERVER_SHARED;
}

static size_t connection_n_guests(const struct server *server)
{
	const struct connection *connection;
	size_t n = 0;

	LIST_FOREACH(connection, &server->connections, link)
	{
		n += connection->rank == CONNECTION_GUEST;
	}
	return n;
}

/* An admin of a group of machines is a guest like others: places are kept for who can mend lud itself. */
static enum connection_rank connection_rank(
        const struct access_peer *peer, const struct access_rights *rights)
{
	return access_is_owner(peer) || rights->everywhere & 1u << ACCESS_ADMIN ? CONNECTION_ADMIN
	                                                                        : CONNECTION_GUEST;
}

/*
 * NULL when the peer may come in, else why not. Who could end lud anyhow has no limit: it would keep
 * those out.
 */
static const char *connection_objection(
        struct server *server, const struct access_peer *peer, const struct access_rights *rights)
{
	size_t n = connection_n_of(server, peer->uid);

	if (!access_rights_any(rights)) {
		return "may not ask here";
	}
	if (!access_is_owner(peer) && n >= SERVER_GUESTS_MAX) {
		return "has too many connections";
	}
	if (connection_rank(peer, rights) == CONNECTION_GUEST &&
	        connection_n_guests(server) >= connection_places(n) &&
	        !connection_make_room(server, CONNECTION_GUEST, peer)) {
		return n ? "has its share of connections: the last places are for users with fewer"
		         : "finds no place: every connection but those kept for admins waits for "
		           "an answer";
	}
	if (server->n_connections >= SERVER_CONNECTIONS_MAX &&
	        !connection_make_room(server, connection_rank(peer, rights), peer)) {
		return "finds no place: every connection waits for an answer";
	}
	return NULL;
}

static int connection_new(struct server *server, int fd, const struct access_peer *peer,
        const struct access_rights *rights, struct connection **ret_connection)
{
	static const struct session_identity self = {
	        .min_version = CONTROL_PROTOCOL_MIN,
	        .max_version = CONTROL_PROTOCOL,
	        .software = "lud",
	};
	struct connection *connection = mem_zero(sizeof(*connection));
	struct principal who = {.way = ACCESS_WAY_LOCAL, .uid = peer->uid};
	int r;

	connection->server = server;
	connection->peer = *peer;
	connection->rank = connection_rank(peer, rights);
	r = link_new(link_stream(server->base, fd), server->buffers, SESSION_RESPONDER, &self,
	        &connection_link_ops, connection, &connection->stream);
	if (r < 0) {
		free(connection);
		return err_up(r);
	}
	connection->limit = evtimer_new(server->base, connection_on_limit, connection);
	if (!connection->limit) {
		abort();
	}
	snprintf(who.name, sizeof(who.name), "%s", peer->name);
	connection->client =
	        control_client_new(server->control, &who, rights, &connection_ops, connection);
	server->n_connections++;
	LIST_INSERT_HEAD(&server->connections, connection, link);
	connection_busy(connection);
	*ret_connection = connection;
	return 0;
}

/*
 * Takes fd, whatever becomes of it. Who may not come in is disconnected without an answer, and
 * the log says why.
 */
void connection_admit(struct server *server, int fd)
{
	_cleanup_(access_rights_fini) struct access_rights rights = {0};
	struct connection *connection = NULL;
	struct access_peer peer;
	const char *objection;

	if (access_peer_of(fd, &peer) < 0) {
		err_forget();
		close(fd);
		return;
	}
	access_peer_rights(server->config, &peer, &rights);
	objection = connection_objection(server, &peer, &rights);
	if (objection) {
		log_warn("control: %s %s", peer.name, objection);
		server->n_refused++;
		close(fd);
		return;
	}
	if (connection_new(server, fd, &peer, &rights, &connection) < 0) {
		log_warn("control: %s: %s", peer.name, err_trace());
		err_forget();
		return;
	}
	server->n_admitted++;
	connection_limit(connection, SERVER_HELLO_SEC);
}

struct server_tally server_tally(const struct server *server)
{
	return (struct server_tally){server->n_connections, server->n_admitted, server->n_refused};
}

/* Who has no role any more is disconnected; jobs that it asked for go on. */
void connections_reloaded(struct server *server)
{
	struct connection *connection = LIST_FIRST(&server->connections);

	while (connection) {
		_cleanup_(access_rights_fini) struct access_rights rights = {0};
		struct connection *next = LIST_NEXT(connection, link);

		access_peer_rights(server->config, &connection->peer, &rights);
		control_client_rights(connection->client, &rights);
		connection->rank = connection_rank(&connection->peer, &rights);
		if (!access_rights_any(&rights)) {
			log_warn("control: %s may not ask here any more", connection->peer.name);
			link_end(connection->stream, WIRE__BYE_REASON__BYE_CLOSING);
			connection_free(connection);
		}
		connection = next;
	}
}
