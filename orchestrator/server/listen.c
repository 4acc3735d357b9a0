/*
 * The control socket. A socket file that somebody answers at belongs to another lud; one that
 * nobody answers at was left behind and is replaced. When descriptors run out, accepting pauses:
 * the listener would stay readable, and lud would spin.
 *
 * A service manager may hand the listener over instead (socket activation, sd_listen_fds(3)): then the file, its mode and
 * its end are the manager's, and who connects while lud is started anew waits instead of failing.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "host/base/file.h"
#include "host/base/local.h"
#include "host/base/log.h"
#include "orchestrator/server/priv.h"

#define SERVER_BACKLOG 128 /* connections that the kernel keeps until they are accepted */

/*
 * One connection at a time; the event comes again while there are more. Errors of a peer that is
 * gone already are nobody's concern.
 */
static void server_on_accept(evutil_socket_t listener, short what, void *arg)
{
	static const struct timeval pause = {0, 200000};
	struct server *server = arg;
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0) {
		connection_admit(server, fd);
		return;
	}
	if (errno != EMFILE && errno != ENFILE) {
		return;
	}
	/* The listener stays readable: without a pause lud would only spin here. */
	log_warn("control: no descriptors left for another client");
	(void)connection_make_room(server, CONNECTION_ADMIN, NULL);
	event_del(server->accept_event);
	evtimer_add(server->accept_again, &pause);
}

static void server_on_accept_again(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;

	event_add(server->accept_event, NULL);
}

/* The listener that a service manager hands over; -1: it hands over nothing. -EINVAL: it is not the configured one. */
static int server_handed(const char *path, int *ret_fd)
{
	int n = sd_listen_fds(true);

	*ret_fd = -1;
	if (n <= 0) {
		return 0;
	}
	if (n > 1 || sd_is_socket_unix(SD_LISTEN_FDS_START, SOCK_STREAM, 1, path, 0) <= 0 ||
	        evutil_make_socket_nonblocking(SD_LISTEN_FDS_START) < 0) {
		return err_raise(-EINVAL);
	}
	*ret_fd = SD_LISTEN_FDS_START;
	return 0;
}

int server_new(struct event_base *base, const struct config *config, struct control *control,
        struct link_buffers *buffers, struct server **ret_server, struct failure *ret_failure)
{
	struct server *server;
	bool is_handed;
	int fd;
	int r = server_handed(config->control_socket, &fd);

	if (r < 0) {
		failure_set(ret_failure, "control", config->control_socket,
		        "have ListenStream= of the socket unit name control_socket, and nothing "
		        "else",
		        "what the service manager hands over is not this socket");
		return err_up(r);
	}
	is_handed = fd >= 0;
	if (!is_handed) {
		r = local_listen(config->control_socket, SERVER_BACKLOG, &fd);
	}
	if (r < 0) {
		failure_set(ret_failure, "control", config->control_socket,
		        r == -EADDRINUSE ? "stop the other lud, or choose another state_dir or "
		                           "control_socket"
		                         : "make its directory writable and make room there (bytes "
		                           "or inodes), or "
		                           "choose another control_socket",
		        r == -EADDRINUSE ? "another lud answers here"
		                         : "the control socket cannot be made: %s",
		        strerror(-r));
		return err_up(r);
	}
	server = mem_zero(sizeof(*server));
	*server = (struct server){.base = base,
	        .config = config,
	        .control = control,
	        .buffers = buffers,
	        .fd = fd,
	        .is_handed = is_handed};
	server->path = text_copy(config->control_socket);
	LIST_INIT(&server->connections);
	server->accept_event = event_new(base, fd, EV_READ | EV_PERSIST, server_on_accept, server);
	server->accept_again = evtimer_new(base, server_on_accept_again, server);
	if (!server->accept_event || !server->accept_again ||
	        event_add(server->accept_event, NULL) < 0) {
		abort();
	}
	server_reloaded(server);
	*ret_server = server;
	return 0;
}

/* Who may ask is checked at every connection; others need to reach us to be told. */
void server_reloaded(struct server *server)
{
	bool guests = server->config->allow_uid != UINT64_MAX || *server->config->access;

	if (!server->is_handed) {
		(void)chmod(server->path, guests ? 0666 : 0700);
	}
	connections_reloaded(server);
}

struct server *server_free(struct server *server)
{
	if (!server) {
		return NULL;
	}
	control_ending(server->control);
	while (!LIST_EMPTY(&server->connections)) {
		struct connection *connection = LIST_FIRST(&server->connections);

		link_end(connection->stream, WIRE__BYE_REASON__BYE_CLOSING);
		connection_free(connection);
	}
	event_free(server->accept_event);
	event_free(server->accept_again);
	close(server->fd);
	if (!server->is_handed) {
		(void)unlink(server->path);
	}
	free(server->path);
	free(server);
	return NULL;
}
