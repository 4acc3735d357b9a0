/*
 * Connections that were let in: a session over TLS for each, as over the control socket, with an identity for a
 * principal. What one may make lud hold is counted by identity:
 *
 *   so many connections: a further one takes the place of the one that has been idle longest, or finds none;
 *   so many requests a second: who asks more is read more slowly, and nothing is refused;
 *   so many bytes a second of a connection; and one that does not read for REMOTE_UNREAD_SEC is ended.
 *
 * Who has no role is told so, in answer to its Hello, and that is all that becomes of its connection: it asks
 * nothing, takes nobody's place, and ends with the time for Hello.
 *
 * Connections that ask nothing and wait for nothing are kept for `remote.idle_timeout`, and the kernel asks
 * meanwhile whether the other host is there.
 */
#include <errno.h>
#include <event2/bufferevent_ssl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/base/elapsed.h"
#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/remote/priv.h"

static void peer_limit(struct peer *peer, uint64_t usec)
{
	struct timeval limit = {(time_t)(usec / 1000000), (suseconds_t)(usec % 1000000)};

	evtimer_add(peer->limit, &limit);
}

struct peer *peer_free(struct peer *peer)
{
	struct remote *remote = peer->remote;

	control_client_free(peer->client);
	LIST_REMOVE(peer, link);
	remote->n_peers--;
	peer->holder->n_peers--;
	holder_done(peer->holder);
	peer->source->n_peers--;
	source_done(remote, peer->source);
	link_free(peer->stream);
	event_free(peer->limit);
	free(peer);
	return NULL;
}

struct peer *peer_end(struct peer *peer, const char *why)
{
	log_info("remote: %s at %s is disconnected: %s", peer->holder->name, peer->source->name,
	        why);
	link_end(peer->stream, WIRE__BYE_REASON__BYE_CLOSING);
	return peer_free(peer);
}

/* Who never said Hello stays on the short limit, however much it sends. */
static void peer_busy(struct peer *peer)
{
	peer->quiet_since = elapsed_usec();
	if (peer->open) {
		peer_limit(peer, peer->remote->config->remote_idle_usec);
	}
}

/* As on the control socket: who does not read is shut, and freed by the loop. */
static void peer_say(void *arg, const Control__FromLud *message, bool rests)
{
	struct peer *peer = arg;
	int r = rests ? link_send(peer->stream, &message->base)
	              : link_say(peer->stream, &message->base);

	peer_busy(peer);
	if (r < 0 && r != -ENOTCONN) {
		log_warn("remote: %s: an answer cannot be sent: %s", peer->holder->name,
		        strerror(-r));
	}
	if (r == -EXFULL) {
		shutdown(link_fd(peer->stream), SHUT_RDWR);
	}
	err_forget();
}

static size_t peer_backlog(const void *arg)
{
	const struct peer *peer = arg;

	return link_backlog(peer->stream);
}

static const struct control_ops peer_ops = {peer_say, peer_backlog};

static void peer_on_opened(struct link *link, void *arg)
{
	struct peer *peer = arg;

	control_client_forget(peer->client);
	if (peer->has_no_role) {
		link_end(link, WIRE__BYE_REASON__BYE_NO_ROLE);
		return;
	}
	if (!peer->open) {
		peer->open = true;
		peer_busy(peer);
	}
}

static void peer_on_message(struct link *link, const ProtobufCMessage *message, void *arg)
{
	struct peer *peer = arg;
	unsigned int msec = holder_charge(peer->remote, peer->holder);

	if (msec) {
		link_rest(link, msec);
	}
	peer_busy(peer);
	control_client_ask(peer->client, (const Control__Request *)message);
}

static void peer_on_lost(struct link *link, void *arg)
{
	struct peer *peer = arg;

	control_client_forget(peer->client);
	if (peer->open) {
		peer->open = false;
		peer_limit(peer, peer->remote->config->remote_hello_usec);
	}
}

static void peer_on_closed(struct link *link, const char *why, void *arg)
{
	peer_free(arg);
}

/* TLS cuts nothing off: the rest of a frame comes, or the connection ends. */
static const struct link_ops peer_link_ops = {
        .message_type = &control__request__descriptor,
        .stall_msec = REMOTE_UNREAD_SEC * 1000,
        .opened = peer_on_opened,
        .message = peer_on_message,
        .lost = peer_on_lost,
        .closed = peer_on_closed,
};

static void peer_on_limit(evutil_socket_t fd, short what, void *arg)
{
	struct peer *peer = arg;

	if (peer->open && control_client_load(peer->client) != CONTROL_NOTHING) {
		peer_busy(peer);
	} else if (peer->has_no_role) {
		peer_end(peer, "it has no role");
	} else {
		peer_end(peer, peer->open ? "it asks nothing" : "it does not say Hello");
	}
}

/* Whether a goes before b, when one must: without a session, then by what it waits for, then by how long it was quiet. */
static bool peer_goes_before(const struct peer *a, const struct peer *b)
{
	int of_a = a->open ? 1 + (int)control_client_load(a->client) : 0;
	int of_b = b->open ? 1 + (int)control_client_load(b->client) : 0;

	return of_a != of_b ? of_a < of_b : a->quiet_since < b->quiet_since;
}

/* of: whose; NULL: anybody's who has most. */
bool peer_make_room(struct remote *remote, const struct holder *of)
{
	struct peer *peer, *first = NULL;

	LIST_FOREACH(peer, &remote->peers, link)
	{
		bool may_go = !of || peer->holder == of;

		if (may_go && (!first || peer_goes_before(peer, first))) {
			first = peer;
		}
	}
	if (!first || control_client_load(first->client) == CONTROL_WAITS) {
		return false;
	}
	peer_end(first, "its place is needed for another connection");
	return true;
}

/* The identity that has most connections, and more than this one; NULL: none has. */
static const struct holder *peer_greedy(const struct remote *remote, const struct holder *holder)
{
	const struct holder *most = holder;
	const struct peer *peer;

	LIST_FOREACH(peer, &remote->peers, link)
	{
		if (peer->holder->n_peers > most->n_peers) {
			most = peer->holder;
		}
	}
	return most->n_peers ? most : NULL;
}

static bool peer_is_room(const struct remote *remote)
{
	return remote->n_peers < remote->config->remote_connections;
}

/* Whoever may ask comes before one who may not. False: there is none. */
static bool peer_end_without_role(struct remote *remote)
{
	struct peer *peer;

	LIST_FOREACH(peer, &remote->peers, link)
	{
		if (peer->has_no_role) {
			peer_end(peer, "its place is needed for another connection");
			return true;
		}
	}
	return false;
}

/* Who has no role comes in to be told so, where there is a place. */
static bool peer_may_hear(const struct remote *remote, const struct holder *holder)
{
	return peer_is_room(remote) && holder->n_peers < remote->config->remote_per_identity;
}

/* Why not, or REMOTE_ADMITTED. */
static enum remote_outcome peer_objection(
        struct remote *remote, const struct holder *holder, const struct access_rights *rights)
{
	const struct holder *greedy;

	if (!access_rights_any(rights)) {
		return REMOTE_ROLELESS;
	}
	if (holder->n_peers >= remote->config->remote_per_identity &&
	        !peer_make_room(remote, holder)) {
		return REMOTE_IDENTITY_FULL;
	}
	if (peer_is_room(remote) || peer_end_without_role(remote)) {
		return REMOTE_ADMITTED;
	}
	greedy = peer_greedy(remote, holder);
	return greedy && peer_make_room(remote, greedy) ? REMOTE_ADMITTED : REMOTE_FULL;
}

/* Another host can be gone without a word: the kernel asks, and what is not acknowledged has a time as well. */
static void peer_keep_alive(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
	        {SOL_SOCKET, SO_KEEPALIVE, 1},
	        {IPPROTO_TCP, TCP_KEEPIDLE, 60},
	        {IPPROTO_TCP, TCP_KEEPINTVL, 15},
	        {IPPROTO_TCP, TCP_KEEPCNT, 4},
	        {IPPROTO_TCP, TCP_USER_TIMEOUT, 60000},
	        {IPPROTO_TCP, TCP_NODELAY, 1},
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		(void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
		        sizeof(options[i].value));
	}
}

static struct bufferevent *peer_stream(struct remote *remote, int fd, SSL *ssl)
{
	static const struct timeval unread = {REMOTE_UNREAD_SEC, 0};
	struct bufferevent *stream = bufferevent_openssl_socket_new(
	        remote->base, fd, ssl, BUFFEREVENT_SSL_OPEN, BEV_OPT_CLOSE_ON_FREE);

	if (!stream || bufferevent_set_timeouts(stream, NULL, &unread) < 0 ||
	        bufferevent_set_rate_limit(stream, remote->rate) < 0) {
		abort();
	}
	return stream;
}

static void peer_new(struct remote *remote, int fd, SSL *ssl, struct source *source,
        struct holder *holder, const struct access_rights *rights)
{
	static const struct session_identity self = {
	        .min_version = CONTROL_PROTOCOL_MIN,
	        .max_version = CONTROL_PROTOCOL,
	        .software = "lud",
	};
	struct peer *peer = mem_zero(sizeof(*peer));
	struct principal who = access_tls(holder->name);

	*peer = (struct peer){.remote = remote,
	        .source = source,
	        .holder = holder,
	        .ssl = ssl,
	        .has_no_role = !access_rights_any(rights),
	        .quiet_since = elapsed_usec(),
	        .ends = tls_peer_end(ssl)};
	holder->n_peers++;
	remote->n_peers++;
	LIST_INSERT_HEAD(&remote->peers, peer, link);
	peer->limit = evtimer_new(remote->base, peer_on_limit, peer);
	peer->bytes = peer_stream(remote, fd, ssl);
	if (!peer->limit || link_new(peer->bytes, remote->buffers, SESSION_RESPONDER, &self,
	                            &peer_link_ops, peer, &peer->stream) < 0) {
		abort();
	}
	peer->client = control_client_new(remote->control, &who, rights, &peer_ops, peer);
	if (!peer->has_no_role) {
		log_info("remote: %s at %s is connected", holder->name, source->name);
	}
	peer_limit(peer, remote->config->remote_hello_usec);
	remote_look_by(remote, peer->ends);
}

/* lost: why its certificate does not count any more; NULL: it does. */
static void peer_refuse(struct remote *remote, const struct holder *holder, struct source *source,
        enum remote_outcome outcome, const char *lost)
{
	if (remote_may_log(remote)) {
		log_warn("remote: %s at %s%s %s", holder->name, source->name,
		        lost ? " is not let in:" : "", lost ? lost : remote_outcome_text(outcome));
	}
	source_failed(remote, source);
}

/*
 * Its certificate was good by what counted when its handshake began; what is left is whether it still is, and whether its
 * name says anything here.
 */
void peer_admit(struct remote *remote, int fd, SSL *ssl, struct source *source)
{
	struct tls_identity identity = {0};
	struct access_rights rights = {0};
	struct holder *holder;
	enum remote_outcome outcome = REMOTE_UNKNOWN;
	const char *lost = NULL;
	char name[72];

	if (tls_connected(ssl, &identity) < 0) {
		err_forget();
	}
	snprintf(name, sizeof(name), "%s/%s", tls_kind_name(identity.kind), identity.name);
	holder = holder_of(remote, name);
	if (*identity.name) {
		lost = tls_context_objection(remote->context, ssl);
		access_identity_rights(remote->identities, name, &rights);
		holder->is_coming = true;
		outcome = lost ? REMOTE_LAPSED : peer_objection(remote, holder, &rights);
		holder->is_coming = false;
	}
	remote_count(remote, outcome);
	if (outcome != REMOTE_ADMITTED) {
		peer_refuse(remote, holder, source, outcome, lost);
	}
	if (outcome == REMOTE_ADMITTED ||
	        (outcome == REMOTE_ROLELESS && peer_may_hear(remote, holder))) {
		peer_keep_alive(fd);
		peer_new(remote, fd, ssl, source, holder, &rights);
		access_rights_fini(&rights);
		return;
	}
	access_rights_fini(&rights);
	holder_done(holder);
	source->n_peers--;
	source_done(remote, source);
	(void)SSL_shutdown(ssl);
	SSL_free(ssl);
	close(fd);
}

/* Why a peer must go; NULL: it may stay, with the rights that it has now. */
static const char *peer_lost(struct peer *peer)
{
	struct remote *remote = peer->remote;
	const char *why = tls_context_objection(remote->context, peer->ssl);
	struct access_rights rights;

	if (why) {
		return why;
	}
	access_identity_rights(remote->identities, peer->holder->name, &rights);
	why = access_rights_any(&rights) ? NULL : "it has no role any more";
	control_client_rights(peer->client, &rights);
	access_rights_fini(&rights);
	return why;
}

void peers_look(struct remote *remote)
{
	struct peer *peer = LIST_FIRST(&remote->peers);

	while (peer) {
		struct peer *next = LIST_NEXT(peer, link);
		const char *why = peer_lost(peer);

		if (why) {
			peer_end(peer, why);
		}
		peer = next;
	}
}

void peers_rate(struct remote *remote)
{
	struct ev_token_bucket_cfg *was = remote->rate;
	uint64_t rate = remote->config->remote_bytes;
	struct peer *peer;

	remote->rate =
	        ev_token_bucket_cfg_new(rate, rate, EV_RATE_LIMIT_MAX, EV_RATE_LIMIT_MAX, NULL);
	if (!remote->rate) {
		abort();
	}
	LIST_FOREACH(peer, &remote->peers, link)
	{
		(void)bufferevent_set_rate_limit(peer->bytes, remote->rate);
	}
	if (was) {
		ev_token_bucket_cfg_free(was);
	}
}

int64_t peers_end(struct remote *remote, int64_t now)
{
	struct peer *peer = LIST_FIRST(&remote->peers);
	int64_t next = INT64_MAX;

	while (peer) {
		struct peer *after = LIST_NEXT(peer, link);

		if (peer->ends <= now) {
			peer_end(peer, "its certificate has expired");
		} else if (peer->ends < next) {
			next = peer->ends;
		}
		peer = after;
	}
	return next;
}

void peers_end_all(struct remote *remote, const char *why)
{
	while (!LIST_EMPTY(&remote->peers)) {
		peer_end(LIST_FIRST(&remote->peers), why);
	}
}
