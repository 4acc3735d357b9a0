/*
 * A worker: a child that is given its input at once and asked for all its output at the end.
 * It is done when it has exited and both its pipes are at their end, so that nothing it wrote
 * is lost, whatever order the three are seen in; `done` is called exactly once, as the last
 * act, and may free the worker.
 *
 * Bounded: its time, its output (more than CHILD_OUTPUT_MAX ends it), its errors (the last
 * CHILD_ERRORS_KEPT bytes are kept).
 *
 *   spawned --exit--> exited --both pipes at their end--> done
 *      |                 |
 *      +--time over--> killed (SIGKILL), goes on as exited
 *                        +--time over and a grandchild holds the pipes--> pipes closed, done
 */
#include "host/child/child.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "host/base/file.h"
#include "host/base/wipe.h"

#define CHILD_ERRORS_KEPT 2048

struct child_worker {
	struct child_process process;
	struct event *exit_event;
	struct event *input_event;
	struct event *output_event;
	struct event *errors_event;
	struct event *timeout_event;
	struct evbuffer *input;
	struct evbuffer *output;
	struct evbuffer *errors;
	bool exited;
	bool timed_out;
	int status;
	child_done_fn done;
	void *arg;
};

/* What was said is shown within a line: blanks for ends of lines, none at its own end. */
static void child_worker_one_line(struct evbuffer *errors)
{
	size_t n = evbuffer_get_length(errors);
	char *text;

	evbuffer_add(errors, "", 1);
	text = (char *)evbuffer_pullup(errors, -1);
	while (n && isspace((unsigned char)text[n - 1])) {
		text[--n] = '\0';
	}
	for (size_t i = 0; i < n; i++) {
		text[i] = text[i] == '\n' || text[i] == '\r' ? ' ' : text[i];
	}
}

/*
 * Asked after each of the three ends; acts when all have come. The result lives as long as
 * the worker.
 */
static void child_worker_finish(struct child_worker *worker)
{
	struct child_result result = {.timed_out = worker->timed_out, .status = worker->status};

	if (!worker->exited || worker->process.output >= 0 || worker->process.errors >= 0) {
		return;
	}
	evtimer_del(worker->timeout_event);
	child_worker_one_line(worker->errors);
	result.output_size = evbuffer_get_length(worker->output);
	result.output = evbuffer_pullup(worker->output, -1);
	result.errors = (const char *)evbuffer_pullup(worker->errors, -1);
	worker->done(&result, worker->arg);
}

/* Reads what there is. True at the end of the pipe, which is then closed. */
static bool child_worker_drain(struct evbuffer *buffer, struct event *event, int *fd)
{
	int n = evbuffer_read(buffer, *fd, 65536);

	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR))) {
		return false;
	}
	event_del(event);
	fd_closep(fd);
	*fd = -1;
	return true;
}

/* False when it has left already: its pid is nobody's, or somebody else's. */
static bool child_worker_kill(struct child_worker *worker)
{
	return !worker->exited && kill(worker->process.pid, SIGKILL) == 0;
}

static void child_worker_on_output(evutil_socket_t fd, short what, void *arg)
{
	struct child_worker *worker = arg;

	if (child_worker_drain(worker->output, worker->output_event, &worker->process.output)) {
		child_worker_finish(worker);
		return;
	}
	if (evbuffer_get_length(worker->output) > CHILD_OUTPUT_MAX) {
		child_worker_kill(worker);
	}
}

static void child_worker_on_errors(evutil_socket_t fd, short what, void *arg)
{
	struct child_worker *worker = arg;
	size_t length;

	if (child_worker_drain(worker->errors, worker->errors_event, &worker->process.errors)) {
		child_worker_finish(worker);
		return;
	}
	length = evbuffer_get_length(worker->errors);
	if (length > CHILD_ERRORS_KEPT) {
		evbuffer_drain(worker->errors, length - CHILD_ERRORS_KEPT);
	}
}

/*
 * Until all is written or the child reads no more; closing is how it sees the end of its
 * input.
 */
static void child_worker_on_input(evutil_socket_t fd, short what, void *arg)
{
	struct child_worker *worker = arg;

	if (evbuffer_get_length(worker->input) &&
	        (evbuffer_write(worker->input, worker->process.input) >= 0 || errno == EAGAIN) &&
	        evbuffer_get_length(worker->input)) {
		return;
	}
	event_del(worker->input_event);
	fd_closep(&worker->process.input);
	worker->process.input = -1;
}

/*
 * By the pidfd. From here on its pid is nobody's: process.pid is 0, so child_process_fini()
 * kills nobody.
 */
static void child_worker_on_exit(evutil_socket_t fd, short what, void *arg)
{
	struct child_worker *worker = arg;

	if (waitpid(worker->process.pid, &worker->status, WNOHANG) != worker->process.pid) {
		return;
	}
	event_del(worker->exit_event);
	worker->process.pid = 0;
	worker->exited = true;
	child_worker_finish(worker);
}

static void child_worker_on_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct child_worker *worker = arg;

	worker->timed_out = true;
	if (child_worker_kill(worker)) {
		return;
	}
	/* It has left, but some child of its own still holds the pipes. */
	event_del(worker->output_event);
	event_del(worker->errors_event);
	fd_closep(&worker->process.output);
	fd_closep(&worker->process.errors);
	worker->process.output = worker->process.errors = -1;
	child_worker_finish(worker);
}

/* No memory for an event: lud cannot go on. */
static struct event *child_event(
        struct event_base *base, int fd, short what, event_callback_fn fn, void *arg)
{
	struct event *event = event_new(base, fd, what | EV_PERSIST, fn, arg);

	if (!event || event_add(event, NULL) < 0) {
		abort();
	}
	return event;
}

static void child_worker_listen(
        struct child_worker *worker, struct event_base *base, uint64_t timeout_usec)
{
	struct timeval limit = {timeout_usec / 1000000, timeout_usec % 1000000};

	worker->exit_event =
	        child_event(base, worker->process.pidfd, EV_READ, child_worker_on_exit, worker);
	worker->input_event =
	        child_event(base, worker->process.input, EV_WRITE, child_worker_on_input, worker);
	worker->output_event =
	        child_event(base, worker->process.output, EV_READ, child_worker_on_output, worker);
	worker->errors_event =
	        child_event(base, worker->process.errors, EV_READ, child_worker_on_errors, worker);
	worker->timeout_event = evtimer_new(base, child_worker_on_timeout, worker);
	evtimer_add(worker->timeout_event, &limit);
}

/*
 * The input is copied; *ret_worker is set on success only. No callback runs before the event
 * loop does.
 */
int child_worker_new(
        struct event_base *base, const struct child_job *job, struct child_worker **ret_worker)
{
	struct child_worker *worker = mem_zero(sizeof(*worker));
	int r;

	r = child_spawn(job->argv, job->guard, &worker->process);
	if (r < 0) {
		free(worker);
		return err_up(r);
	}
	worker->done = job->done;
	worker->arg = job->arg;
	worker->input = evbuffer_new();
	worker->output = evbuffer_new();
	worker->errors = evbuffer_new();
	wipe_queue(worker->input, job->input, job->input_size);
	child_worker_listen(worker, base, job->timeout_usec);
	*ret_worker = worker;
	return 0;
}

struct child_worker *child_worker_free(struct child_worker *worker)
{
	if (!worker) {
		return NULL;
	}
	event_free(worker->exit_event);
	event_free(worker->input_event);
	event_free(worker->output_event);
	event_free(worker->errors_event);
	event_free(worker->timeout_event);
	evbuffer_free(worker->input);
	evbuffer_free(worker->output);
	evbuffer_free(worker->errors);
	child_process_fini(&worker->process);
	free(worker);
	return NULL;
}
