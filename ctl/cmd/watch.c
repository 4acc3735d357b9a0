/*
 * watch: what happens, as lud tells it, a line each, until Ctrl-C. Nobody sits before it all the time, so it must be
 * possible to rely on it afterwards: it outlives lud and the connection, names the last event that it has when it comes
 * back, and prints a line for what it cannot have. lud numbers the events of one run without gaps; by that no event is
 * printed twice, whatever lud sends again.
 *
 *     watch_run: connect, ask from behind the last number ---> chunks ---> the connection is lost, or lud cut it
 *                   ^                                                                  |
 *                   '------------------------ WATCH_RETRY_MSEC ------------------------'
 *
 * Until the first chunk a failure is an answer like any other: there is no such machine, there is no lud. After it only
 * what will not mend itself ends the command.
 */
#include "ctl/cmd/cmd.h"

#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "ctl/base/answer.h"
#include "ctl/base/json.h"
#include "ctl/base/text.h"
#include "ctl/base/tone.h"
#include "ctl/client/client.h"
#include "ctl/client/wait.h"

#define WATCH_RETRY_MSEC 200
#define WATCH_RUN_SIZE 40

/* Where the watch stands, over all its connections. */
struct watch {
	const struct options *options;
	char run[WATCH_RUN_SIZE]; /* "": nothing came yet */
	uint64_t next;            /* number */
	uint64_t n_left;          /* events to print; 0 and is_limited: enough */
	bool is_limited;
	bool is_lost; /* the connection, which was told */
	bool is_cut;  /* by lud; asked anew at once */
	int64_t lost_us;
	int enough; /* an eventfd, readable when it is */
};

static int64_t watch_now_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

/* A line of the watch's own, which is in the stream where what it says is true. missed: events; 0: nobody knows. */
static void watch_gap(const struct watch *watch, const char *state, uint64_t missed,
        const char *format, ...) __attribute__((format(printf, 4, 5)));

static void watch_gap(
        const struct watch *watch, const char *state, uint64_t missed, const char *format, ...)
{
	char text[240], time[TEXT_SIZE];
	int64_t now = watch_now_usec();
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (watch->options->json) {
		answer_line(json_pack("{s:s, s:I, s:s, s:s, s:I}", "kind", "gap", "at_us",
		        (json_int_t)now, "state", state, "text", text, "missed",
		        (json_int_t)missed));
	} else {
		tone_begin(stdout, TONE_NOTE);
		printf("%s  -- %s", text_time(now, time), text);
		tone_end(stdout);
		putchar('\n');
	}
	fflush(stdout);
}

static enum tone watch_tone(const Control__Event *event)
{
	static const char *const wrong[] = {"failed", "refused", "rolled-back", "inconsistent",
	        "expired", "aborted", "down", "silent", "crashed", "gave_up", "began", "found"};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (!strcmp(event->state, wrong[i])) {
			return TONE_WRONG;
		}
	}
	return TONE_WELL;
}

/* Time, machine, what it is about, its state, the reason. */
static void watch_print(const Control__Event *event)
{
	char time[TEXT_SIZE];

	printf("%s  %s", text_time(event->at_us, time), *event->machine ? event->machine : "lud");
	if (event->job) {
		printf(" job %" PRIu64, event->job);
	}
	if (*event->service) {
		printf(" %s", event->service);
	}
	fputs(": ", stdout);
	tone_begin(stdout, watch_tone(event));
	fputs(strcmp(event->kind, "amiss") ? event->state : event->text, stdout);
	tone_end(stdout);
	if (!strcmp(event->kind, "amiss")) {
		printf("%s%s", *event->remedy ? ": " : "", event->remedy);
	} else {
		printf("%s%s%s%s%s", *event->step ? " (step " : "", event->step,
		        *event->step ? ")" : "", *event->text ? ": " : "", event->text);
	}
	putchar('\n');
}

static void watch_event(struct watch *watch, const Control__Event *event)
{
	if (watch->options->json) {
		json_t *line = json_of_message(&event->base);

		json_object_set_new(line, "run", json_string(watch->run));
		answer_line(line);
	} else {
		watch_print(event);
	}
}

/* Says what is known of the time between two connections. */
static void watch_returned(struct watch *watch, const Control__EventChunk *chunk)
{
	char from[TEXT_SIZE], to[TEXT_SIZE];

	if (chunk->is_other_run) {
		watch_gap(watch, "restarted", 0,
		        "lud was started anew: what happened between %s and %s may be missing",
		        text_time(watch->lost_us, from), text_time(chunk->began_us, to));
	} else if (chunk->missed) {
		watch_gap(watch, "missed", chunk->missed,
		        "%" PRIu64 " events are missing: lud keeps only the newest", chunk->missed);
	} else if (watch->is_lost) {
		watch_gap(watch, "resumed", 0, "lud answers again: nothing is missing");
	}
	watch->is_lost = false;
}

/*
 * Failures are the watch's own business from here on (watch_run()): a lud that goes is a line and no error. Numbers that were
 * printed are passed over.
 */
static void watch_on_news(const Control__FromLud *from, void *arg)
{
	static const uint64_t one = 1;
	struct watch *watch = arg;
	const Control__EventChunk *chunk = from->events;

	if (from->body_case != CONTROL__FROM_LUD__BODY_EVENTS) {
		return;
	}
	ctl_catch(true);
	if (*watch->run) {
		watch_returned(watch, chunk);
	}
	if (strcmp(watch->run, chunk->run) != 0) {
		snprintf(watch->run, sizeof(watch->run), "%s", chunk->run);
		watch->next = 0;
	}
	for (size_t i = 0; i < chunk->n_events; i++) {
		const Control__Event *event = chunk->events[i];
		bool is_wanted = !watch->is_limited || watch->n_left;

		if (event->number < watch->next || !is_wanted) {
			continue;
		}
		watch_event(watch, event);
		watch->next = event->number + 1;
		watch->n_left -= watch->is_limited;
	}
	watch->next = chunk->next > watch->next ? chunk->next : watch->next;
	watch->is_cut = chunk->is_cut;
	fflush(stdout);
	if (watch->is_limited && !watch->n_left && write(watch->enough, &one, sizeof(one)) < 0) {
		abort(); /* an eventfd that nobody else has */
	}
}

/* One connection, until it ends. CTL_OK: it ended by itself, or by --limit. */
static int watch_once(struct watch *watch)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__WatchRequest ask = CONTROL__WATCH_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;
	int code = client_open(watch->options->socket, &client);

	if (code != CTL_OK) {
		return code;
	}
	client_stop_at(client, watch->enough);
	ask.machine = watch->options->n_args ? watch->options->args[0] : "";
	ask.run = watch->run;
	ask.after = watch->next;
	request.body_case = CONTROL__REQUEST__BODY_WATCH;
	request.watch = &ask;
	return client_call(client, &request, watch_on_news, watch, &reply);
}

/* Connections, one after the other; the exit code of the last. */
static int watch_run(struct watch *watch)
{
	while (true) {
		int code = watch_once(watch);

		if (wait_is_interrupted()) {
			return CTL_OK;
		}
		if (watch->is_cut) {
			watch->is_cut = false;
			continue;
		}
		if (code == CTL_OK || !*watch->run) {
			return code;
		}
		if (code != CTL_UNREACHABLE) {
			ctl_catch(false);
			return ctl_fail(code, "", NULL, "%s", ctl_caught());
		}
		if (!watch->is_lost) {
			watch->is_lost = true;
			watch->lost_us = watch_now_usec();
			watch_gap(watch, "lost", 0,
			        "lud does not answer; what happens until it does is shown then, or "
			        "is said to be missing");
		}
		(void)poll(NULL, 0, WATCH_RETRY_MSEC);
	}
}

int cmd_watch(const struct options *options)
{
	struct watch watch = {.options = options,
	        .n_left = options->limit,
	        .is_limited = options->limit > 0,
	        .enough = eventfd(0, EFD_CLOEXEC)};
	int code;

	if (watch.enough < 0) {
		return ctl_fail(CTL_FAILED, "watch", "close some files", "no descriptor is left");
	}
	answer_lines();
	code = watch_run(&watch);
	ctl_catch(false);
	close(watch.enough);
	return code;
}
