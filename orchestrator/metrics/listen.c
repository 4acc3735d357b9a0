/*
 * Who may read, how many at a time, and for how long. libevent's HTTP server takes the requests apart; what it has no limit for is
 * here. Each connection is for one request and has METRICS_VISIT_SEC from its first byte to its last, whatever it does. There are
 * METRICS_VISITORS_MAX at most; others wait in the kernel. So nobody can keep readers out for longer than that.
 *
 * The HTTP server does not say when it is through with a connection. A visitor holds a reference to its stream: as long as that
 * has callbacks it is in use, which is looked at every METRICS_SWEEP_MSEC while there is any.
 *
 * At a UNIX socket the kernel says who it is, and whoever may see what luctl shows may read; at an address everybody on this host
 * may.
 */
#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/elapsed.h"
#include "host/base/file.h"
#include "host/base/local.h"
#include "host/base/log.h"
#include "orchestrator/config/loopback.h"
#include "orchestrator/metrics/priv.h"

#define METRICS_VISITORS_MAX 8u
#define METRICS_VISIT_SEC 10 /* docs/man/lud.8.scd */
#define METRICS_SWEEP_MSEC 100
#define METRICS_BACKLOG 64
#define METRICS_HEADERS_MAX 8192
#define METRICS_READ_MAX (2 * METRICS_HEADERS_MAX)
#define METRICS_SENT_MAX (16 << 10)

/* The HTTP server is through with it. */
static bool metrics_visitor_is_over(const struct metrics_visitor *visitor)
{
	bufferevent_data_cb read, write;
	bufferevent_event_cb event;
	void *arg;

	bufferevent_getcb(visitor->stream, &read, &write, &event, &arg);
	return !arg;
}

/* Its place is free, and the last reference to its stream is gone. */
static void metrics_visitor_free(struct metrics *metrics, struct metrics_visitor *visitor)
{
	LIST_REMOVE(visitor, link);
	metrics->n_visitors--;
	bufferevent_decref(visitor->stream);
	free(visitor);
}

/* Those who were here for too long are shut down: the HTTP server finds the end, and frees what there is. */
static void metrics_visitors_sweep(struct metrics *metrics)
{
	struct metrics_visitor *visitor = LIST_FIRST(&metrics->visitors);
	int64_t now = elapsed_usec();

	while (visitor) {
		struct metrics_visitor *next = LIST_NEXT(visitor, link);

		if (metrics_visitor_is_over(visitor)) {
			metrics_visitor_free(metrics, visitor);
		} else if (now - visitor->since_us > METRICS_VISIT_SEC * INT64_C(1000000)) {
			shutdown(bufferevent_getfd(visitor->stream), SHUT_RDWR);
		}
		visitor = next;
	}
	if (metrics->n_visitors < METRICS_VISITORS_MAX) {
		evconnlistener_enable(metrics->listener);
	}
}

static void metrics_on_sweep(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval pause = {0, METRICS_SWEEP_MSEC * 1000};
	struct metrics *metrics = arg;

	metrics_visitors_sweep(metrics);
	if (metrics->n_visitors) {
		evtimer_add(metrics->sweep, &pause);
	}
}

/* Called for each connection, with its first event. */
static struct bufferevent *metrics_on_visitor(struct event_base *base, void *arg)
{
	static const struct timeval soon = {0, METRICS_SWEEP_MSEC * 1000};
	struct metrics *metrics = arg;
	struct metrics_visitor *visitor = mem_zero(sizeof(*visitor));

	/* It closes its socket itself: were it closed before, the next one of its number would have its events. */
	visitor->stream = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (!visitor->stream) {
		abort();
	}
	bufferevent_setwatermark(visitor->stream, EV_READ, 0, METRICS_READ_MAX);
	bufferevent_incref(visitor->stream);
	visitor->since_us = elapsed_usec();
	metrics->is_short = false;
	LIST_INSERT_HEAD(&metrics->visitors, visitor, link);
	if (++metrics->n_visitors >= METRICS_VISITORS_MAX) {
		evconnlistener_disable(metrics->listener);
	}
	if (!evtimer_pending(metrics->sweep, NULL)) {
		evtimer_add(metrics->sweep, &soon);
	}
	return visitor->stream;
}

/* Whether whoever is connected may see what is answered, which is of all machines; without a socket file everybody may. */
static bool metrics_may_read(const struct metrics *metrics, struct evhttp_request *request)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(request);
	_cleanup_(access_rights_fini) struct access_rights rights = {0};
	struct access_peer peer;
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection));

	if (!metrics->path) {
		return true;
	}
	if (access_peer_of(fd, &peer) < 0) {
		err_forget();
		return false;
	}
	access_peer_rights(metrics->parts.config, &peer, &rights);
	return access_role_for(rights.everywhere, ACCESS_VIEWER) != ACCESS_NOBODY;
}

/* Whoever may not read is told no more than that. */
static void metrics_on_request(struct evhttp_request *request, void *arg)
{
	struct metrics *metrics = arg;

	if (!metrics_may_read(metrics, request)) {
		evhttp_add_header(
		        evhttp_request_get_output_headers(request), "Connection", "close");
		evhttp_send_error(request, 403, "Forbidden");
		return;
	}
	scrape_begin(metrics, request);
}

static void metrics_on_other(struct evhttp_request *request, void *arg)
{
	evhttp_add_header(evhttp_request_get_output_headers(request), "Connection", "close");
	evhttp_send_error(request, HTTP_NOTFOUND, "Not Found");
}

/* Connections have the buffer of their listener. It is small, so that what nobody reads is not kept by the kernel either. */
static int metrics_bind_tcp(const struct sockaddr_storage *address, int len, int *ret_fd)
{
	_cleanup_(fd_closep) int fd =
	        socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, size = METRICS_SENT_MAX;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) < 0 ||
	        bind(fd, (const struct sockaddr *)address, (socklen_t)len) < 0 ||
	        listen(fd, METRICS_BACKLOG) < 0) {
		return err_raise(-errno);
	}
	*ret_fd = fd_steal(&fd);
	return 0;
}

/* -1 where metrics are served nowhere. */
static int metrics_bind(const char *listen, bool *ret_is_path, int *ret_fd)
{
	struct sockaddr_storage address;
	enum loopback_kind kind;
	int len;
	int r = loopback_parse(listen, &kind, &address, &len);

	*ret_fd = -1;
	*ret_is_path = !r && kind == LOOPBACK_UNIX;
	if (r < 0 || kind == LOOPBACK_NONE) {
		return err_up(r);
	}
	return err_up(*ret_is_path ? local_listen(listen, METRICS_BACKLOG, ret_fd)
	                           : metrics_bind_tcp(&address, len, ret_fd));
}

/* There is one; libevent has the HTTP server for an argument of what fails. */
static struct metrics *metrics_served;

/* Who cannot be accepted waits in the kernel, as who finds no place does. The listener stays readable: the loop would only spin. */
static void metrics_on_accept_failed(struct evconnlistener *listener, void *http)
{
	static const struct timeval pause = {0, METRICS_SWEEP_MSEC * 1000};
	struct metrics *metrics = metrics_served;

	if (!metrics->is_short) {
		log_warn("metrics: a reader waits: %s", strerror(errno));
	}
	metrics->is_short = true;
	evconnlistener_disable(listener);
	evtimer_add(metrics->sweep, &pause);
}

/* Limits that libevent has for us are set here. There is one page. */
static void metrics_serve(struct metrics *metrics, int fd)
{
	struct event_base *base = metrics->parts.base;

	metrics->sweep = evtimer_new(base, metrics_on_sweep, metrics);
	metrics->http = evhttp_new(base);
	metrics->listener = evconnlistener_new(
	        base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (!metrics->sweep || !metrics->http || !metrics->listener ||
	        !evhttp_bind_listener(metrics->http, metrics->listener)) {
		abort();
	}
	metrics_served = metrics;
	evconnlistener_set_error_cb(metrics->listener, metrics_on_accept_failed);
	evhttp_set_bevcb(metrics->http, metrics_on_visitor, metrics);
	evhttp_set_timeout(metrics->http, METRICS_VISIT_SEC);
	evhttp_set_max_headers_size(metrics->http, METRICS_HEADERS_MAX);
	evhttp_set_max_body_size(metrics->http, 0);
	evhttp_set_allowed_methods(metrics->http, EVHTTP_REQ_GET);
	evhttp_set_gencb(metrics->http, metrics_on_other, metrics);
	if (evhttp_set_cb(metrics->http, "/metrics", metrics_on_request, metrics) < 0) {
		abort();
	}
}

int metrics_new(const struct metrics_parts *parts, struct metrics **ret_metrics,
        struct failure *ret_failure)
{
	const char *listen = parts->config->metrics_listen;
	struct metrics *metrics;
	bool is_path;
	int fd;
	int r = metrics_bind(listen, &is_path, &fd);

	if (r < 0) {
		failure_set(ret_failure, "metrics", listen,
		        "choose another metrics.listen, or none",
		        r == -EADDRINUSE ? "somebody else listens here"
		                         : "it cannot be listened at: %s",
		        strerror(-r));
		return err_up(r);
	}
	*ret_metrics = NULL;
	if (fd < 0) {
		return 0;
	}
	metrics = mem_zero(sizeof(*metrics));
	metrics->parts = *parts;
	metrics->path = is_path ? text_copy(listen) : NULL;
	metrics->started_us = store_now_usec();
	metrics->count.rollouts_changed = true;
	LIST_INIT(&metrics->visitors);
	metrics->watch = engine_watch(parts->engine, metrics_count_news, metrics);
	metrics->notes = engine_note_watch(parts->engine, metrics_count_note, metrics);
	metrics_serve(metrics, fd);
	metrics_reloaded(metrics);
	*ret_metrics = metrics;
	log_info("metrics are served at %s", listen);
	return 0;
}

/* Who may read is looked at with each request; others need to reach us to be told. */
void metrics_reloaded(struct metrics *metrics)
{
	if (metrics && metrics->path) {
		const struct config *config = metrics->parts.config;
		bool guests = config->allow_uid != UINT64_MAX || *config->access;

		(void)chmod(metrics->path, guests ? 0666 : 0700);
	}
}

/* Readers of this moment get no more. The socket file goes, so that nobody waits there for the next lud. */
struct metrics *metrics_free(struct metrics *metrics)
{
	if (!metrics) {
		return NULL;
	}
	evhttp_free(metrics->http); /* and the listener, connections, scrapes */
	while (!LIST_EMPTY(&metrics->visitors)) {
		metrics_visitor_free(metrics, LIST_FIRST(&metrics->visitors));
	}
	event_free(metrics->sweep);
	engine_watch_free(metrics->watch);
	engine_note_watch_free(metrics->notes);
	if (metrics->path) {
		(void)unlink(metrics->path);
	}
	free(metrics->path);
	free(metrics);
	return NULL;
}
