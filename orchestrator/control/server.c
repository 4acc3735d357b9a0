/*
 * The control socket. A socket file that somebody answers at belongs to another lud; one that
 * nobody answers at was left behind and is replaced. When descriptors run out, accepting pauses:
 * the listener would stay readable, and lud would spin.
 */
#include "orchestrator/control/server.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/control/priv.h"

#define CONTROL_BACKLOG 128 /* connections that the kernel keeps until they are accepted */

/*
 * One connection at a time; the event comes again while there are more. Errors of a peer that is
 * gone already are nobody's concern.
 */
static void control_on_accept(evutil_socket_t listener, short what, void *arg)
{
	static const struct timeval pause = {0, 200000};
	struct control *control = arg;
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0) {
		control_admit(control, fd);
		return;
	}
	if (errno != EMFILE && errno != ENFILE) {
		return;
	}
	/* The listener stays readable: without a pause lud would only spin here. */
	log_warn("control: no descriptors left for another client");
	(void)control_make_room(control);
	event_del(control->accept_event);
	evtimer_add(control->accept_again, &pause);
}

static void control_on_accept_again(evutil_socket_t fd, short what, void *arg)
{
	struct control *control = arg;

	event_add(control->accept_event, NULL);
}

/*
 * Whether somebody answers at the socket: then it is not ours to take. What only a child has
 * kept that was forked just before its lud was killed answers nothing: the process that
 * listens (unix(7), SO_PEERCRED) is gone.
 */
static bool control_is_taken(const struct sockaddr_un *address)
{
	_cleanup_(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0) {
		return false;
	}
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || !peer.pid ||
	       kill(peer.pid, 0) == 0 || errno != ESRCH;
}

/*
 * Between the look and the bind another lud could take the socket. It cannot have this state
 * directory (lud_claim() has locked it), so two must have been given one control_socket by hand.
 */
static int control_listen(const char *path, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_(fd_closep) int fd =
	        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0) {
		return err_raise(-errno);
	}
	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	if (control_is_taken(&address)) {
		return err_raise(-EADDRINUSE);
	}
	if (unlink(path) < 0 && errno != ENOENT) {
		return err_raise(-errno);
	}
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	        listen(fd, CONTROL_BACKLOG) < 0) {
		return err_raise(-errno);
	}
	*ret_fd = fd_steal(&fd);
	return 0;
}

int control_new(struct event_base *base, struct engine *engine, struct control **ret_control,
        struct failure *ret_failure)
{
	const struct config *config = engine_config(engine);
	struct control *control;
	int fd = -1;
	int r;

	r = control_listen(config->control_socket, &fd);
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
	control = mem_zero(sizeof(*control));
	control->base = base;
	control->engine = engine;
	control->buffers = link_buffers_new(engine_db(engine));
	control->feed = feed_new(base, engine);
	control->fd = fd;
	control->path = text_copy(config->control_socket);
	LIST_INIT(&control->clients);
	control->accept_event =
	        event_new(base, fd, EV_READ | EV_PERSIST, control_on_accept, control);
	control->accept_again = evtimer_new(base, control_on_accept_again, control);
	if (!control->accept_event || !control->accept_again ||
	        event_add(control->accept_event, NULL) < 0) {
		abort();
	}
	control_reloaded(control);
	*ret_control = control;
	return 0;
}

/* Who may ask is checked at every connection; others need to reach us to be told. */
void control_reloaded(struct control *control)
{
	const struct config *config = engine_config(control->engine);
	bool guests = config->allow_uid != UINT64_MAX || *config->access;

	(void)chmod(control->path, guests ? 0666 : 0700);
	control_clients_reloaded(control);
}

/*
 * Jobs and machines are the engine's and are not touched: what clients waited for goes on, and
 * they find it again with `job show` after the next start.
 */
struct control *control_free(struct control *control)
{
	if (!control) {
		return NULL;
	}
	control->is_ending = true;
	while (!LIST_EMPTY(&control->clients)) {
		struct control_client *client = LIST_FIRST(&control->clients);

		link_end(client->stream, WIRE__BYE_REASON__BYE_CLOSING);
		control_client_free(client);
	}
	feed_free(control->feed);
	event_free(control->accept_event);
	event_free(control->accept_again);
	close(control->fd);
	(void)unlink(control->path);
	free(control->path);
	link_buffers_free(control->buffers);
	free(control);
	return NULL;
}
