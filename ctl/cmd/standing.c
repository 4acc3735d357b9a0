/*
 * Standing orders: `rerandomize --every`, and what `status` says of them. Times of the day are given
 * and shown in UTC, as the machine counts them.
 */
#include "ctl/cmd/cmd.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/base/base.h"
#include "ctl/base/table.h"
#include "ctl/base/text.h"
#include "ctl/client/command.h"

#define STANDING_QUIET_TIMES 8

/* "08:00-09:30" at the beginning of a text; how many characters that is, 0: it is none. */
static size_t standing_quiet_read(const char *text, Machine__StandingQuiet *quiet)
{
	unsigned int h1, m1, h2, m2;
	int n = 0;

	if (sscanf(text, "%2u:%2u-%2u:%2u%n", &h1, &m1, &h2, &m2, &n) != 4 || h1 > 23 || m1 > 59 ||
	        h2 > 23 || m2 > 59) {
		return 0;
	}
	quiet->from_sec = h1 * 3600 + m1 * 60;
	quiet->until_sec = h2 * 3600 + m2 * 60;
	return quiet->from_sec == quiet->until_sec ? 0 : (size_t)n;
}

/* Several with commas between. Fills ->quiet of the request, of which there is room for all. */
static bool standing_quiet_all(const char *text, Control__StandingRequest *standing)
{
	while (*text && standing->n_quiet < STANDING_QUIET_TIMES) {
		size_t n = standing_quiet_read(text, standing->quiet[standing->n_quiet]);

		if (!n || (text[n] && text[n] != ',')) {
			return false;
		}
		standing->n_quiet++;
		text += text[n] ? n + 1 : n;
	}
	return !*text;
}

/* --every: a duration, or the word that ends it. */
static int standing_every(const struct options *options, uint32_t *ret_msec)
{
	*ret_msec = 0;
	if (!strcmp(options->every, "off")) {
		return options->n_args || *options->quiet || options->jitter_ms || options->for_ms
		               ? ctl_fail(CTL_USAGE, "--every", NULL,
		                         "`--every off` ends the standing order of the machine, "
		                         "and takes no services and times")
		               : CTL_OK;
	}
	if (text_duration_msec(options->every, ret_msec)) {
		return ctl_fail(CTL_USAGE, "--every", NULL,
		        "%s is no time between layouts, such as 20s, and not `off`",
		        options->every);
	}
	return CTL_OK;
}

int standing_give(const struct options *options)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__StandingRequest standing = CONTROL__STANDING_REQUEST__INIT;
	Machine__StandingQuiet quiet[STANDING_QUIET_TIMES], *quiets[STANDING_QUIET_TIMES];
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;
	int code = standing_every(options, &standing.every_ms);

	if (code != CTL_OK) {
		return code;
	}
	for (size_t i = 0; i < STANDING_QUIET_TIMES; i++) {
		machine__standing_quiet__init(&quiet[i]);
		quiets[i] = &quiet[i];
	}
	standing.quiet = quiets;
	if (!standing_quiet_all(options->quiet, &standing)) {
		return ctl_fail(CTL_USAGE, "--quiet", NULL,
		        "%s is no list of up to %d times of the day (UTC), such as "
		        "08:00-09:00,22:30-06:00",
		        options->quiet, STANDING_QUIET_TIMES);
	}
	standing.machine = (char *)options->machine;
	standing.services = options->args;
	standing.n_services = options->n_args;
	standing.jitter_ms = options->jitter_ms;
	standing.for_ms = options->for_ms;
	request.body_case = CONTROL__REQUEST__BODY_STANDING;
	request.standing = &standing;
	code = command_call(options, &request, NULL, NULL, &client, &reply);
	if (code == CTL_OK && !options->json && *reply->done->text) {
		puts(reply->done->text);
	} else if (code == CTL_OK && !options->json) {
		puts(standing.every_ms ? "the machine moves its services by itself from now on; "
		                         "`luctl status` shows how it goes"
		                       : "the machine moves nothing by itself any more");
	}
	return code;
}

static const char *standing_state(Machine__StandingState state)
{
	switch (state) {
#define STANDING(name, word, sentence)                                                             \
	case MACHINE__STANDING_STATE__STANDING_##name:                                             \
		return sentence;
#include "proto/words/standing.def"
#undef STANDING
	case MACHINE__STANDING_STATE__STANDING_NONE:
	case _MACHINE__STANDING_STATE_IS_INT_SIZE:
		break;
	}
	return "unknown";
}

/* Until its next turn, by the machine's clock. */
static const char *standing_next(
        const Machine__StandingService *service, uint64_t now, char text[TEXT_SIZE])
{
	return service->next_ns > now ? text_nsec(service->next_ns - now, text) : "now";
}

/* What is in the way of the one that is wanted follows it. */
static void standing_print_amiss(const Control__Status *status)
{
	if (!*status->standing_amiss) {
		return;
	}
	printf("standing order: the machine has not the one that is wanted: %s\n",
	        status->standing_amiss);
	if (*status->standing_remedy) {
		printf("  %s\n", status->standing_remedy);
	}
}

/* Until now, by the machine's clock. */
static const char *standing_ago(uint64_t then, uint64_t now, char text[TEXT_SIZE])
{
	return !then ? "-" : text_nsec(now > then ? now - then : 0, text);
}

/*
 * The layouts that the machine made by itself, of each service that has any: how many, when, and the
 * head of the chain of their commitments, by which whoever is shown them sees that none is left out.
 */
static void standing_print_chains(const Control__Status *status)
{
	for (size_t i = 0; i < status->n_services; i++) {
		const Machine__Service *service = status->services[i]->service;
		char first[TEXT_SIZE], last[TEXT_SIZE], head[TEXT_SIZE];

		if (service && service->made && service->made_head.len) {
			printf("  %s: %" PRIu64 " layouts since generation %" PRIu64
			       ", first %s ago, last %s ago, chain %s\n",
			        service->name, service->made, service->generation,
			        standing_ago(service->made_first_ns, status->clock_ns, first),
			        standing_ago(service->made_last_ns, status->clock_ns, last),
			        text_id(&service->made_head, head));
		}
	}
}

static void standing_print_services(const Control__Status *status, bool is_on)
{
	static const struct table_column columns[] = {
	        {"SERVICE", false},
	        {"MOVED", true},
	        {"SKIPPED", true},
	        {"FAILED", true},
	        {"LAST", true},
	        {"NEXT", true},
	        {"WHY", false},
	};
	const Machine__Standing *standing = status->standing;
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));

	for (size_t i = 0; i < standing->n_services; i++) {
		const Machine__StandingService *service = standing->services[i];
		char moved[TEXT_SIZE], skipped[TEXT_SIZE], failed[TEXT_SIZE], last[TEXT_SIZE];
		char next[TEXT_SIZE];

		snprintf(moved, TEXT_SIZE, "%" PRIu64, service->moved);
		snprintf(skipped, TEXT_SIZE, "%" PRIu64, service->skipped);
		snprintf(failed, TEXT_SIZE, "%" PRIu64, service->failed);
		table_row(table, (const char *const[]){service->service, moved, skipped, failed,
		                         standing_ago(service->moved_ns, status->clock_ns, last),
		                         is_on && !status->stale
		                                 ? standing_next(service, status->clock_ns, next)
		                                 : "-",
		                         service->error && service->error->cause
		                                 ? service->error->cause->message
		                                 : ""});
	}
	table_print(table);
	standing_print_chains(status);
}

/* One that the machine has not, or not any more, because a hold or a window is in its way. */
static void standing_print_kept(const Control__Status *status)
{
	char since[TEXT_SIZE];

	printf("standing order: wanted by %s, and kept back%s%s: %s; nothing moves\n",
	        status->standing_by, status->standing_kept_us ? " since " : "",
	        status->standing_kept_us ? text_time(status->standing_kept_us, since) : "",
	        status->standing_kept);
}

static bool standing_is_on(const Machine__Standing *standing)
{
	return standing && (standing->state == MACHINE__STANDING_STATE__STANDING_RUNNING ||
	                           standing->state == MACHINE__STANDING_STATE__STANDING_QUIET);
}

void standing_print(const Control__Status *status)
{
	const Machine__Standing *standing = status->standing;
	bool is_on = standing_is_on(standing);
	char every[TEXT_SIZE];

	if (!is_on && *status->standing_kept) {
		standing_print_kept(status);
	} else if (standing) {
		printf("standing order%s: %s%s%s%s%s\n",
		        status->stale ? ", when the machine was heard last" : "",
		        standing_state(standing->state), is_on ? " every " : "",
		        is_on ? text_nsec(standing->every_ms * UINT64_C(1000000), every) : "",
		        is_on && *status->standing_by ? ", wanted by " : "",
		        is_on ? status->standing_by : "");
		if (standing->n_services) {
			standing_print_services(status, is_on);
		}
	}
	standing_print_amiss(status);
}
