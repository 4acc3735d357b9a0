/*
 * The control socket and the way of answers. A socket file that somebody answers at belongs to
 * another lud; one that nobody answers at was left behind and is replaced. An answer that is
 * too large for one frame is refused instead, and a client that does not read what is queued
 * for it is disconnected.
 *
 * A control_wait is a request that is answered later. It owns whatever the answer depends on
 * (a watch on jobs, a listener, a task, a timer), so that freeing it, with the client or after
 * the answer, ends all of that.
 */
#include "orchestrator/control/server.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/control/priv.h"

#define CONTROL_BACKLOG 128

static void control_send(struct control_client *client, Control__FromLud *from)
{
	int r = link_send(client->stream, &from->base);

	control_client_busy(client);
	if (r < 0 && r != -ENOTCONN) {
		log_warn("%s: an answer cannot be sent: %s", client->identity, strerror(-r));
	}
	if (r == -EXFULL) {
		shutdown(link_fd(client->stream), SHUT_RDWR);
	}
	err_forget();
}

void control_reply(struct control_client *client, uint64_t id, Control__Reply *reply)
{
	Control__FromLud from = CONTROL__FROM_LUD__INIT;
	static const struct failure large = {"too-large", "control",
	        "the answer does not fit one message", "ask for less, with --limit or a service"};

	reply->id = id;
	from.body_case = CONTROL__FROM_LUD__BODY_REPLY;
	from.reply = reply;
	if (control__from_lud__get_packed_size(&from) > FRAME_PAYLOAD_MAX) {
		control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_FULL, &large);
		return;
	}
	control_send(client, &from);
}

void control_refuse(struct control_client *client, uint64_t id, Wire__ErrorClass class,
        const struct failure *failure)
{
	Control__Reply reply = CONTROL__REPLY__INIT;
	Wire__Error error = WIRE__ERROR__INIT;
	Wire__Cause cause = WIRE__CAUSE__INIT;

	cause.component = (char *)failure->place;
	cause.name = (char *)failure->code;
	cause.message = (char *)failure->cause;
	error.class_ = class;
	error.cause = &cause;
	error.hint = (char *)failure->remedy;
	reply.body_case = CONTROL__REPLY__BODY_ERROR;
	reply.error = &error;
	control_reply(client, id, &reply);
}

void control_refuse_record(struct control_client *client, uint64_t id)
{
	struct failure failure;

	db_failure(control_db(client), &failure);
	log_error("%s: %s (%s)", failure.place, failure.cause, err_trace());
	err_forget();
	control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_INTERNAL, &failure);
}

void control_done(struct control_client *client, uint64_t id, const char *text)
{
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__Done done = CONTROL__DONE__INIT;

	done.text = (char *)text;
	reply.body_case = CONTROL__REPLY__BODY_DONE;
	reply.done = &done;
	control_reply(client, id, &reply);
}

void control_progress(struct control_client *client, Control__Progress *progress)
{
	Control__FromLud from = CONTROL__FROM_LUD__INIT;

	from.body_case = CONTROL__FROM_LUD__BODY_PROGRESS;
	from.progress = progress;
	control_send(client, &from);
}

void control_log(struct control_client *client, Control__LogChunk *chunk)
{
	Control__FromLud from = CONTROL__FROM_LUD__INIT;

	from.body_case = CONTROL__FROM_LUD__BODY_LOG;
	from.log = chunk;
	control_send(client, &from);
}

struct control_wait *control_wait_new(struct control_client *client, uint64_t id)
{
	static const struct failure full = {"too-many", "control",
	        "this connection waits for too many answers", "wait for some of them"};
	struct control_wait *wait;

	if (client->n_waiting >= CONTROL_WAITING_MAX) {
		control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_FULL, &full);
		return NULL;
	}
	wait = mem_zero(sizeof(*wait));
	wait->client = client;
	wait->id = id;
	client->n_waiting++;
	LIST_INSERT_HEAD(&client->waiting, wait, link);
	return wait;
}

struct control_wait *control_wait_free(struct control_wait *wait)
{
	if (wait->machine) {
		machine_forget(wait->machine, wait);
	}
	engine_watch_free(wait->watch);
	machine_listener_free(wait->log);
	forge_task_free(wait->task);
	if (wait->timer) {
		event_free(wait->timer);
	}
	if (wait->request) {
		control__request__free_unpacked(wait->request, NULL);
	}
	wait->client->n_waiting--;
	LIST_REMOVE(wait, link);
	free(wait);
	return NULL;
}

struct db *control_db(const struct control_client *client)
{
	return engine_db(client->control->engine);
}

struct engine *control_engine(const struct control_client *client)
{
	return client->control->engine;
}

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

/* Whether somebody answers at the socket: then it is not ours to take. */
static bool control_is_taken(const struct sockaddr_un *address)
{
	_cleanup_(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
}

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
	bool guests = engine_config(control->engine)->allow_uid != UINT64_MAX;

	(void)chmod(control->path, guests ? 0666 : 0700);
}

struct control *control_free(struct control *control)
{
	if (!control) {
		return NULL;
	}
	while (!LIST_EMPTY(&control->clients)) {
		struct control_client *client = LIST_FIRST(&control->clients);

		link_end(client->stream, WIRE__BYE_REASON__BYE_CLOSING);
		control_client_free(client);
	}
	event_free(control->accept_event);
	event_free(control->accept_again);
	close(control->fd);
	(void)unlink(control->path);
	free(control->path);
	free(control);
	return NULL;
}
