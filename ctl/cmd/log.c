/*
 * log: the machine's log lines, those that lud has kept and, with -f, new ones until Ctrl-C.
 * Lines come from services; they are escaped as everything from lud is.
 */
#include "ctl/cmd/cmd.h"

#include <inttypes.h>

#include "ctl/base/answer.h"
#include "ctl/base/json.h"
#include "ctl/client/client.h"
#include "ctl/client/wait.h"

/* Lines of before that are printed without --limit. */
#define LOG_BACKLOG_DEFAULT 100

/*
 * A log is a stream: with --json every line is an object by itself, so that a reader need not wait for the end, which with
 * --follow never comes.
 *
 * How lines are printed; handed to log_on_news() through the client. */
struct log_view {
	bool json;
};

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
	const struct log_view *view = arg;
	const Control__LogChunk *chunk = from->log;

	if (from->body_case != CONTROL__FROM_LUD__BODY_LOG) {
		return;
	}
	for (size_t i = 0; i < chunk->n_lines; i++) {
		const Machine__LogLine *line = chunk->lines[i];

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

/*
 * Print the log, and with -f go on. The lines come as news before the answer, so there is no
 * command_call() here, which would print the empty answer as JSON, too: with --json the output is
 * one object a line. With -f, Ctrl-C or the end of lud ends the command.
 */
int cmd_log(const struct options *options)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__LogFollowRequest log = CONTROL__LOG_FOLLOW_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	struct log_view view = {options->json};
	const Control__Reply *reply;
	int code;

	log.machine = (char *)options->machine;
	log.backlog = options->limit ? options->limit : LOG_BACKLOG_DEFAULT;
	log.follow = options->follow;
	request.body_case = CONTROL__REQUEST__BODY_LOG_FOLLOW;
	request.log_follow = &log;
	answer_lines();
	code = client_open(options->socket, &client);
	if (code == CTL_OK) {
		code = client_call(client, &request, log_on_news, &view, &reply);
	}
	return options->follow && wait_is_interrupted() ? CTL_OK : code;
}
