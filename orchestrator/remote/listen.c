/*
 * The listener, and the looks at what ends. Accepting pauses when descriptors run out, and before they do: the last
 * ones are for machines, workers and the control socket, where somebody can say what is to be done about it.
 */
#include "orchestrator/remote/remote.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "host/base/elapsed.h"
#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/remote/priv.h"

#define REMOTE_BACKLOG 128

static void remote_on_accept_again(evutil_socket_t fd, short what, void *arg)
{
	struct remote *remote = arg;

	event_add(remote->accept_event, NULL);
}

/* Descriptors are the lowest that are free: a high one says how many are taken. */
static bool remote_is_short(int fd)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
	       (rlim_t)fd + REMOTE_FDS_KEPT >= limit.rlim_cur;
}

/* One connection at a time; the event comes again while there are more. */
static void remote_on_accept(evutil_socket_t listener, short what, void *arg)
{
	static const struct timeval pause = {0, 200000};
	struct remote *remote = arg;
	struct sockaddr_storage address = {0};
	socklen_t size = sizeof(address);
	int fd =
	        accept4(listener, (struct sockaddr *)&address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0 && !remote_is_short(fd)) {
		newcomer_admit(remote, fd, &address);
		return;
	}
	if (fd < 0 && errno != EMFILE && errno != ENFILE) {
		return;
	}
	if (fd >= 0) {
		close(fd);
	}
	remote_count(remote, REMOTE_DESCRIPTORS);
	if (remote_may_log(remote)) {
		log_warn("remote: %s", remote_outcome_text(REMOTE_DESCRIPTORS));
	}
	(void)peer_make_room(remote, NULL);
	event_del(remote->accept_event);
	evtimer_add(remote->accept_again, &pause);
}

/* As many descriptors as connections may be, and what lud itself needs. */
static void remote_raise_descriptors(const struct config *config)
{
	rlim_t needed = config->remote_connections + config->remote_handshakes + 1024;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= needed) {
		return;
	}
	limit.rlim_cur = limit.rlim_max < needed ? limit.rlim_max : needed;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < needed) {
		log_warn("remote: %llu descriptors are too few for %llu connections (LimitNOFILE=)",
		        (unsigned long long)limit.rlim_cur,
		        (unsigned long long)config->remote_connections);
	}
}

static int remote_bind(const struct sockaddr_storage *address)
{
	_cleanup_(fd_closep) int fd =
	        socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int yes = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0 ||
	        bind(fd, (const struct sockaddr *)address,
	                address->ss_family == AF_INET ? sizeof(struct sockaddr_in)
	                                              : sizeof(struct sockaddr_in6)) < 0 ||
	        listen(fd, REMOTE_BACKLOG) < 0) {
		return err_raise(-errno);
	}
	return fd_steal(&fd);
}

static in_port_t remote_port(int fd)
{
	struct sockaddr_storage bound = {0};
	socklen_t size = sizeof(bound);

	(void)getsockname(fd, (struct sockaddr *)&bound, &size);
	return ntohs(bound.ss_family == AF_INET ? ((struct sockaddr_in *)&bound)->sin_port
	                                        : ((struct sockaddr_in6 *)&bound)->sin6_port);
}

/* An address that is not there yet, say, will be tried again. */
static void remote_listen(struct remote *remote)
{
	const char *at = remote->config->remote_listen;
	struct sockaddr_storage address;
	int fd = config_address_parse(at, &address);

	if (fd == 0) {
		fd = remote_bind(&address);
	}
	if (fd < 0) {
		struct failure failure;

		failure_set(&failure, "remote", at,
		        "have this host take the address, and stop whoever else listens there",
		        "it cannot listen: %s", strerror(-fd));
		if (strcmp(failure.cause, remote->deaf.cause) != 0) {
			log_error("remote: %s: %s; %s", at, failure.cause, failure.remedy);
		}
		remote->deaf = failure;
		err_forget();
		return;
	}
	remote->fd = fd;
	remote->deaf = (struct failure){0};
	remote->accept_event =
	        event_new(remote->base, fd, EV_READ | EV_PERSIST, remote_on_accept, remote);
	if (!remote->accept_event || event_add(remote->accept_event, NULL) < 0) {
		abort();
	}
	remote_raise_descriptors(remote->config);
	log_info("remote: listening at %.*s:%u", (int)(strrchr(at, ':') - at), at, remote_port(fd));
}

void remote_look_by(struct remote *remote, int64_t at)
{
	int64_t now = time(NULL);
	struct timeval left = {at > now ? (time_t)(at - now) : 0, 0};

	/* look_at is by a clock that may have been set back since. */
	if (left.tv_sec > REMOTE_LOOK_SEC) {
		left.tv_sec = REMOTE_LOOK_SEC;
	}
	if (at < remote->look_at) {
		remote->look_at = at;
		evtimer_add(remote->look, &left);
	}
}

/* What ends next is looked at then, and all of it every few seconds: clocks are set. */
static void remote_look(struct remote *remote)
{
	int64_t now = time(NULL);
	int64_t lists = trust_look(remote, now);
	int64_t peers = peers_end(remote, now);

	remote->look_at = INT64_MAX;
	remote_look_by(remote, now + REMOTE_LOOK_SEC);
	remote_look_by(remote, lists);
	remote_look_by(remote, peers);
}

static void remote_open(struct remote *remote)
{
	if (remote->fd < 0 && remote->context) {
		remote_listen(remote);
	}
}

/* While nobody can come in, the address is tried again each time, and files, whose list can be long, each minute. */
static void remote_on_look(evutil_socket_t fd, short what, void *arg)
{
	struct remote *remote = arg;

	if (!remote->context &&
	        elapsed_usec() - remote->read_usec >= REMOTE_READ_SEC * INT64_C(1000000)) {
		(void)trust_read(remote);
	}
	remote_open(remote);
	remote_look(remote);
}

struct remote *remote_new(struct event_base *base, const struct config *config,
        struct control *control, struct link_buffers *buffers)
{
	struct remote *remote;

	if (!config_is_remote(config)) {
		return NULL;
	}
	remote = mem_zero(sizeof(*remote));
	*remote = (struct remote){
	        .base = base, .config = config, .control = control, .buffers = buffers, .fd = -1};
	TAILQ_INIT(&remote->newcomers);
	TAILQ_INIT(&remote->ready);
	TAILQ_INIT(&remote->resting);
	LIST_INIT(&remote->peers);
	remote->accept_again = evtimer_new(base, remote_on_accept_again, remote);
	remote->look = evtimer_new(base, remote_on_look, remote);
	remote->turn = evtimer_new(base, newcomer_on_turn, remote);
	if (!remote->accept_again || !remote->look || !remote->turn) {
		abort();
	}
	peers_rate(remote);
	(void)trust_read(remote);
	remote_open(remote);
	remote_look(remote);
	return remote;
}

void remote_reloaded(struct remote *remote)
{
	if (!remote) {
		return;
	}
	peers_rate(remote);
	if (trust_read(remote)) {
		peers_look(remote);
		log_info("remote: certificates, lists and identities are read again");
	}
	remote_open(remote);
	remote_look(remote);
}

static void remote_event_free(struct event *event)
{
	if (event) {
		event_free(event);
	}
}

struct remote *remote_free(struct remote *remote)
{
	if (!remote) {
		return NULL;
	}
	control_ending(remote->control);
	while (!TAILQ_EMPTY(&remote->newcomers)) {
		newcomer_free(TAILQ_FIRST(&remote->newcomers));
	}
	peers_end_all(remote, "lud ends");
	sources_free(remote);
	remote_event_free(remote->accept_event);
	event_free(remote->accept_again);
	event_free(remote->look);
	event_free(remote->turn);
	ev_token_bucket_cfg_free(remote->rate);
	trust_free(remote);
	fd_closep(&remote->fd);
	free(remote);
	return NULL;
}
