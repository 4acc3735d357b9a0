/*
 * log: the machine's log lines, those that lud has kept and, with -f, new ones until Ctrl-C.
 * Lines come from services; they are escaped as everything from lud is.
 *
 * A lud on another host is followed over connections that break: lines have no numbers, so on the next one luctl looks for the
 * last one that it has printed among those that lud keeps (log_on_kept), counts those like it, and goes on behind as many. Where
 * it is not there any more, that is said.
 */
#include "ctl/cmd/cmd.h"

#include <inttypes.h>
#include <poll.h>
#include <string.h>

#include "ctl/base/answer.h"
#include "ctl/base/json.h"
#include "ctl/client/client.h"
#include "ctl/client/target.h"
#include "ctl/client/wait.h"

/* Lines of before that are printed without --limit; and more than lud keeps. */
#define LOG_BACKLOG_DEFAULT 100
#define LOG_BACKLOG_ALL 65536
/* Between two connections. */
#define LOG_RETRY_MSEC 200

/*
 * A log is a stream: with --json every line is an object by itself, so that a reader need not wait for the end, which with
 * --follow never comes.
 *
 * How lines are printed; handed to log_on_news() through the client. */
struct log_view {
	bool json;
	bool is_lasting; /* the end of a connection is not the end */
	bool has_last;   /* a line was printed; the last one: */
	uint64_t clock_ns;
	char last[400];         /* its service and text */
	size_t n_kept, n_found; /* lines that lud keeps, and those like it among them */
	size_t n_passed,
	        n_seek; /* while lines that were printed come again: how many did, and like it are still to come */
};

/* Service and text by which a line is known again; with its time nothing else is like it. */
static void log_key(const Machine__LogLine *line, char ret_key[400])
{
	snprintf(ret_key, 400, "%.60s %.330s", line->service, line->text);
}

/* Whether it is the line that was printed last. */
static bool log_is_last(const struct log_view *view, const Machine__LogLine *line)
{
	char key[sizeof(view->last)];

	log_key(line, key);
	return line->clock_ns == view->clock_ns && !strcmp(key, view->last);
}

/* Whether it was printed already, on a connection before this one. */
static bool log_is_passed(struct log_view *view, const Machine__LogLine *line)
{
	if (!view->n_seek || view->n_passed >= view->n_kept) {
		return false;
	}
	view->n_passed++;
	view->n_seek -= log_is_last(view, line);
	return true;
}

/*
 * Names of levels are those of syslog; the machine numbers its lines likewise. A level is a number
 * of a service, so any may come.
 */
static const char *log_level(uint32_t level)
{
	static const char *const names[] = {
	        "emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"};

	return level < sizeof(names) / sizeof(names[0]) ? names[level] : "?";
}

/*
 * Print the lines of one message. Each message is flushed, so that lines show as they come when
 * the output is a pipe; what lud had to drop is an error of nobody and goes to stderr.
 */
static void log_on_news(const Control__FromLud *from, void *arg)
{
	struct log_view *view = arg;
	const Control__LogChunk *chunk = from->log;

	if (from->body_case != CONTROL__FROM_LUD__BODY_LOG) {
		return;
	}
	ctl_catch(view->is_lasting);
	for (size_t i = 0; i < chunk->n_lines; i++) {
		const Machine__LogLine *line = chunk->lines[i];

		if (log_is_passed(view, line)) {
			continue;
		}
		view->has_last = true;
		view->clock_ns = line->clock_ns;
		log_key(line, view->last);
		if (view->json) {
			json_t *json = json_of_message(&line->base);

			json_object_set_new(json, "machine", json_string(chunk->machine));
			answer_line(json);
			continue;
		}
		printf("%s ", chunk->machine);
		if (line->clock_ns) {
			printf("%10.6f ", line->clock_ns / 1e9);
		}
		printf("%-5s %s: %s\n", log_level(line->level), line->service, line->text);
	}
	if (chunk->dropped) {
		fprintf(stderr, "luctl: %" PRIu64 " lines could not be sent\n", chunk->dropped);
	}
	fflush(stdout);
}

/* Does not print: looks for the last line among those that lud keeps. */
static void log_on_kept(const Control__FromLud *from, void *arg)
{
	struct log_view *view = arg;
	const Control__LogChunk *chunk = from->log;

	for (size_t i = 0; from->body_case == CONTROL__FROM_LUD__BODY_LOG && i < chunk->n_lines;
	        i++) {
		view->n_kept++;
		view->n_found += log_is_last(view, chunk->lines[i]);
	}
}

/* One request for lines, on a connection that is there. */
static int log_ask(const struct options *options, struct client *client, uint32_t backlog,
        bool follow, client_news_fn news, struct log_view *view)
{
	Control__LogFollowRequest log = CONTROL__LOG_FOLLOW_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;

	log.machine = (char *)options->machine;
	log.backlog = backlog;
	log.follow = follow;
	request.body_case = CONTROL__REQUEST__BODY_LOG_FOLLOW;
	request.log_follow = &log;
	return client_call(client, &request, news, view, &reply);
}

/* On another connection: what came since the last line, and on. */
static int log_go_on(const struct options *options, struct client *client, struct log_view *view)
{
	int code;

	view->n_kept = view->n_found = view->n_passed = view->n_seek = 0;
	code = log_ask(options, client, LOG_BACKLOG_ALL, false, log_on_kept, view);
	if (code != CTL_OK) {
		return code;
	}
	if (!view->n_found) {
		fputs("luctl: lines are missing: lud does not keep the last one that was shown\n",
		        stderr);
	}
	view->n_seek = view->n_found;
	return log_ask(options, client, LOG_BACKLOG_ALL, true, log_on_news, view);
}

/* One connection, until it ends. Those behind the first one go on where the one before ended. */
static int log_once(const struct options *options, struct log_view *view, bool is_first)
{
	_cleanup_(client_closep) struct client *client = NULL;
	int code = client_open(options->socket, &client);

	if (code != CTL_OK) {
		return code;
	}
	return is_first ? log_ask(options, client,
	                          options->limit ? options->limit : LOG_BACKLOG_DEFAULT,
	                          options->follow, log_on_news, view)
	                : log_go_on(options, client, view);
}

/*
 * Print the log, and with -f go on. The lines come as news before the answer, so there is no
 * command_call() here, which would print the empty answer as JSON, too: with --json the output is
 * one object a line. With -f, Ctrl-C or the end of lud ends the command; over the network the end of a connection is none of
 * lud's.
 */
int cmd_log(const struct options *options)
{
	struct log_view view = {
	        .json = options->json, .is_lasting = options->follow && target_host()};
	bool is_lost = false;
	int code;

	answer_lines();
	code = log_once(options, &view, true);
	while (view.is_lasting && view.has_last && code == CTL_UNREACHABLE &&
	        !wait_is_interrupted()) {
		if (!is_lost) {
			fputs("luctl: the connection is lost; the log goes on when lud answers\n",
			        stderr);
		}
		is_lost = true;
		(void)poll(NULL, 0, LOG_RETRY_MSEC);
		code = log_once(options, &view, false);
	}
	ctl_catch(false);
	if (wait_is_interrupted() && options->follow) {
		return CTL_OK;
	}
	/* What was caught on the way is told by trying it once more. */
	return view.is_lasting && view.has_last && code != CTL_OK ? log_once(options, &view, false)
	                                                          : code;
}
