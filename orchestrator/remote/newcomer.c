/*
 * Handshakes. Who has not shown a certificate yet costs as little as can be: an address that failed too often is
 * closed at once, and how many there may be is counted before anything is allocated. When all places are taken the
 * oldest newcomer goes, of the same address if that has its share: who means to connect needs a moment, and who only
 * holds a place is soon the oldest.
 *
 * A step of a handshake computes signatures for half a millisecond. The steps that are due wait in a row, and in
 * each turn of the loop only so many are done that nobody else notices.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>

#include "host/base/elapsed.h"
#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/remote/priv.h"

static void newcomer_wait(struct newcomer *newcomer, short what);

/* Closes what it still has. */
struct newcomer *newcomer_free(struct newcomer *newcomer)
{
	struct remote *remote = newcomer->remote;

	TAILQ_REMOVE(&remote->newcomers, newcomer, link);
	if (newcomer->is_ready) {
		TAILQ_REMOVE(&remote->ready, newcomer, ready);
	}
	remote->n_newcomers--;
	newcomer->source->n_newcomers--;
	source_done(remote, newcomer->source);
	event_free(newcomer->event);
	SSL_free(newcomer->ssl);
	if (newcomer->fd >= 0) {
		close(newcomer->fd);
	}
	free(newcomer);
	return NULL;
}

/* It is the address's fault. */
static void newcomer_fail(struct newcomer *newcomer, enum remote_outcome outcome)
{
	struct remote *remote = newcomer->remote;

	remote_count(remote, outcome);
	if (remote_may_log(remote)) {
		log_info("remote: %s is not let in: %s", newcomer->source->name,
		        outcome == REMOTE_HANDSHAKE ? tls_verify_error(newcomer->ssl)
		                                    : remote_outcome_text(outcome));
	}
	source_failed(remote, newcomer->source);
	newcomer_free(newcomer);
}

static void newcomer_on_event(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval at_once = {0, 0};
	struct newcomer *newcomer = arg;

	if (what & EV_TIMEOUT || elapsed_usec() >= newcomer->deadline) {
		newcomer_fail(newcomer, REMOTE_SLOW);
		return;
	}
	newcomer->is_ready = true;
	TAILQ_INSERT_TAIL(&newcomer->remote->ready, newcomer, ready);
	evtimer_add(newcomer->remote->turn, &at_once);
}

/* For the socket, up to the end of its time. */
static void newcomer_wait(struct newcomer *newcomer, short what)
{
	struct remote *remote = newcomer->remote;
	int64_t left = newcomer->deadline - elapsed_usec();
	struct timeval limit = {left / 1000000, left % 1000000};

	if (left <= 0) {
		limit = (struct timeval){0, 1};
	}
	if (event_assign(newcomer->event, remote->base, newcomer->fd, what, newcomer_on_event,
	            newcomer) < 0 ||
	        event_add(newcomer->event, &limit) < 0) {
		abort();
	}
}

/* Handed on: the socket and its TLS are the peer's now. */
static void newcomer_pass(struct newcomer *newcomer)
{
	struct remote *remote = newcomer->remote;
	struct source *source = newcomer->source;
	SSL *ssl = steal(&newcomer->ssl);
	int fd = fd_steal(&newcomer->fd);

	/* Counted before it is forgotten as a newcomer: the address stays. */
	source->n_peers++;
	newcomer_free(newcomer);
	peer_admit(remote, fd, ssl, source);
}

static void newcomer_step(struct newcomer *newcomer)
{
	int r;

	newcomer->is_ready = false;
	TAILQ_REMOVE(&newcomer->remote->ready, newcomer, ready);
	ERR_clear_error();
	r = SSL_accept(newcomer->ssl);
	switch (r == 1 ? SSL_ERROR_NONE : SSL_get_error(newcomer->ssl, r)) {
	case SSL_ERROR_NONE:
		newcomer_pass(newcomer);
		break;
	case SSL_ERROR_WANT_READ:
		newcomer_wait(newcomer, EV_READ);
		break;
	case SSL_ERROR_WANT_WRITE:
		newcomer_wait(newcomer, EV_WRITE);
		break;
	default:
		newcomer_fail(newcomer, REMOTE_HANDSHAKE);
	}
	ERR_clear_error();
}

void newcomer_on_turn(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval at_once = {0, 0};
	struct remote *remote = arg;
	int64_t until = elapsed_usec() + REMOTE_TURN_USEC;

	do {
		if (!TAILQ_EMPTY(&remote->ready)) {
			newcomer_step(TAILQ_FIRST(&remote->ready));
		}
	} while (!TAILQ_EMPTY(&remote->ready) && elapsed_usec() < until);
	if (!TAILQ_EMPTY(&remote->ready)) {
		evtimer_add(remote->turn, &at_once);
	}
}

/* The oldest, of one address or of all (NULL). There is one. */
static void newcomer_end_oldest(struct remote *remote, const struct source *source)
{
	struct newcomer *newcomer;

	TAILQ_FOREACH(newcomer, &remote->newcomers, link)
	{
		if (!source || newcomer->source == source) {
			newcomer_fail(newcomer, REMOTE_DISPLACED);
			return;
		}
	}
}

/* Before anything is made for it: why not, or REMOTE_ADMITTED: it may try. */
static enum remote_outcome newcomer_objection(
        const struct remote *remote, const struct source *source)
{
	if (!remote->context) {
		return REMOTE_CLOSED;
	}
	if (source_is_refused(remote, source)) {
		return REMOTE_BANNED;
	}
	return source->n_peers >= remote->config->remote_per_address ? REMOTE_ADDRESS_FULL
	                                                             : REMOTE_ADMITTED;
}

static void newcomer_refuse(
        struct remote *remote, const struct source *source, enum remote_outcome outcome)
{
	const char *why = remote_outcome_text(outcome);

	remote_count(remote, outcome);
	if (*why && remote_may_log(remote)) {
		log_info("remote: %s is not let in: %s", source->name, why);
	}
}

static void newcomer_new(struct remote *remote, int fd, struct source *source)
{
	struct newcomer *newcomer = mem_zero(sizeof(*newcomer));

	newcomer->remote = remote;
	newcomer->source = source;
	newcomer->fd = fd;
	newcomer->deadline = elapsed_usec() + (int64_t)remote->config->remote_handshake_usec;
	newcomer->ssl = SSL_new(remote->context);
	newcomer->event = event_new(remote->base, fd, EV_READ, newcomer_on_event, newcomer);
	if (!newcomer->ssl || !newcomer->event || SSL_set_fd(newcomer->ssl, fd) != 1) {
		abort();
	}
	SSL_set_accept_state(newcomer->ssl);
	TAILQ_INSERT_TAIL(&remote->newcomers, newcomer, link);
	remote->n_newcomers++;
	newcomer_wait(newcomer, EV_READ);
}

void newcomer_admit(struct remote *remote, int fd, const struct sockaddr_storage *address)
{
	struct source *source = source_of(remote, address);
	enum remote_outcome objection = newcomer_objection(remote, source);

	/* It counts from here on, so that what ends meanwhile does not take the address along. */
	source->n_newcomers++;
	if (objection != REMOTE_ADMITTED) {
		newcomer_refuse(remote, source, objection);
		source->n_newcomers--;
		source_done(remote, source);
		close(fd);
		return;
	}
	if (source->n_newcomers > remote->config->remote_handshakes_per_address) {
		newcomer_end_oldest(remote, source);
	} else if (remote->n_newcomers >= remote->config->remote_handshakes) {
		newcomer_end_oldest(remote, NULL);
	}
	newcomer_new(remote, fd, source);
}
