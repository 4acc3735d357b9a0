/*
 * service: all that is known of one service of a machine, a line for each thing: what runs, since when and in which layout,
 * what an update would move, what it stood still for, whether it gives signs of life, its own figures, and its newest
 * crashes. Put together of two questions, after its status and after its crashes; what is not known is not there.
 */
#include "ctl/cmd/service.h"

#include <inttypes.h>
#include <string.h>

#include "ctl/base/answer.h"
#include "ctl/base/json.h"
#include "ctl/base/text.h"
#include "ctl/client/command.h"
#include "ctl/cmd/cmd.h"

#define SERVICE_CRASHES 3 /* that are shown; `luctl crashes` has them all */

const char *service_state(const Control__Status *status, const Machine__Service *service)
{
	if (status->stale) {
		return "-";
	}
	switch (service->state) {
#define SERVICE(name, word)                                                                        \
	case MACHINE__SERVICE_STATE__SERVICE_##name:                                               \
		return word;
#include "proto/words/services.def"
#undef SERVICE
	case MACHINE__SERVICE_STATE__SERVICE_NONE:
	case _MACHINE__SERVICE_STATE_IS_INT_SIZE:
		break;
	}
	return "?";
}

/* Name and colon of a line. */
static void service_line(const char *name)
{
	printf("  %-14s", name);
}

/* Of a machine that does not answer, what was known last, marked as such. */
static void service_print_state(const Control__Status *status, const Machine__Service *service)
{
	char age[TEXT_SIZE];

	printf("%s of %s", service->name, status->machine->name);
	if (status->stale) {
		printf(": what was known %s ago\n", text_age((int64_t)status->age_ms * 1000, age));
	} else {
		printf(" is %s", service_state(status, service));
		if (service->uptime_ns) {
			printf(", for %s", text_age((int64_t)(service->uptime_ns / 1000), age));
		}
		printf("%s\n",
		        service->restarts ? "" : "; it was never started afresh in this boot");
	}
	if (service->restarts) {
		service_line("restarts");
		printf("%u in this boot\n", service->restarts);
	}
}

/* What runs, and whether anybody but the machine could say where it lies. */
static void service_print_layout(const Control__ServiceStatus *at)
{
	const Machine__Service *service = at->service;
	char text[TEXT_SIZE];

	service_line("release");
	printf("%u %s, floor %u\n", service->counter, at->release, service->floor);
	service_line("generation");
	printf("%s, layout made by the %s",
	        text_generation(service->generation, service->made, text),
	        service->machine_made ? "machine" : "host");
	if (at->layout_since) {
		printf(", since %s", text_seconds(at->layout_since, text));
	}
	printf(", %s outside%s\n", at->known_outside ? "known" : "not known",
	        service->layout_kept ? "; the machine has no kit to make another of" : "");
}

/* What an update would move, and whether it could be made now. */
static void service_print_update(const Control__Status *status, const Control__ServiceStatus *at)
{
	const Machine__Service *service = at->service;
	char bytes[TEXT_SIZE], memory[TEXT_SIZE];

	service_line("memory");
	printf("%s", text_bytes(service->memory_bytes, memory));
	if (service->state_bytes) {
		printf(", of that %s of state in %" PRIu64 " objects",
		        text_bytes(service->state_bytes, bytes), service->state_objects);
	}
	putchar('\n');
	service_line("update");
	if (at->job) {
		printf("job %" PRIu64 " is under way\n", at->job);
	} else {
		printf("%s%s%s\n",
		        !service->can_update ? "not now"
		        : status->stale      ? "possible when the machine was heard last"
		                             : "possible now",
		        service->can_update || !*service->why_not ? "" : ": ",
		        service->can_update ? "" : service->why_not);
	}
}

/* What clients have felt of it, by the machine's clock. A sign of life that is owed goes before the last that was given. */
static void service_print_times(const Control__Status *status, const Machine__Service *service)
{
	char text[TEXT_SIZE];

	service_line("blackout");
	if (service->last_blackout_ns) {
		printf("%s at the last update; ", text_nsec(service->last_blackout_ns, text));
	} else {
		fputs("none known; ", stdout);
	}
	printf("a client waited for %s at most\n", text_nsec(service->longest_gap_ns, text));
	if (service->ping_open_ns && status->clock_ns > service->ping_open_ns) {
		service_line("sign of life");
		printf("owed for %s\n", text_nsec(status->clock_ns - service->ping_open_ns, text));
	} else if (service->pong_took_ns) {
		service_line("sign of life");
		printf("the last took %s\n", text_nsec(service->pong_took_ns, text));
	}
	for (size_t i = 0; i < service->n_metrics; i++) {
		service_line(i ? "" : "figures");
		printf("%s %" PRIu64 "\n", service->metrics[i]->name, service->metrics[i]->value);
	}
}

/* A machine may tell of any number: the newest, and where the others are. */
static void service_print_crashes(const Control__CrashList *list, const char *service)
{
	for (size_t i = 0; i < list->n_crashes; i++) {
		const Control__Crash *crash = list->crashes[i];
		char time[TEXT_SIZE];

		service_line(i ? "" : "crashes");
		printf("%s%s%s%s\n", text_time(crash->at_us, time),
		        crash->gave_up ? ", too often: it stays down" : "",
		        *crash->message ? ": " : "", crash->message);
	}
	if (list->more) {
		service_line("");
		printf("and older ones: `luctl crashes %s`\n", service);
	}
}

/* NULL: there is none of this name. */
static const Control__ServiceStatus *service_find(const Control__Status *status, const char *name)
{
	for (size_t i = 0; i < status->n_services; i++) {
		if (!strcmp(status->services[i]->service->name, name)) {
			return status->services[i];
		}
	}
	return NULL;
}

/* Nothing is printed of it: the answers are written together. */
static int service_ask(const struct options *options, Control__Request *request,
        struct client **ret_client, const Control__Reply **ret_reply)
{
	struct options plain = *options;

	plain.json = false;
	return command_call(&plain, request, NULL, NULL, ret_client, ret_reply);
}

/* The status of the machine that is meant, whatever it is doing. */
static int service_ask_status(const struct options *options, struct client **ret_client,
        const Control__Status **ret_status)
{
	Control__StatusRequest status = CONTROL__STATUS_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;
	int code;

	status.machine = (char *)options->machine;
	request.body_case = CONTROL__REQUEST__BODY_STATUS;
	request.status = &status;
	code = service_ask(options, &request, ret_client, &reply);
	*ret_status = code == CTL_OK ? reply->status : NULL;
	return code;
}

/* By the name of the machine that answered: the default may be another one by now. */
static int service_ask_crashes(const struct options *options, char *machine,
        struct client **ret_client, const Control__CrashList **ret_crashes)
{
	Control__CrashListRequest crashes = CONTROL__CRASH_LIST_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;
	int code;

	crashes.machine = machine;
	crashes.service = options->args[0];
	crashes.limit = SERVICE_CRASHES;
	request.body_case = CONTROL__REQUEST__BODY_CRASH_LIST;
	request.crash_list = &crashes;
	code = service_ask(options, &request, ret_client, &reply);
	*ret_crashes = code == CTL_OK ? reply->crashes : NULL;
	return code;
}

/* The crashes as of one message, so that they have the form that `crashes` gives them. */
static void service_json(const Control__Status *status, const Control__ServiceStatus *at,
        const Control__CrashList *crashes)
{
	json_t *list = json_of_message(&crashes->base);

	answer_add(json_pack("{s:s, s:b, s:o, s:O}", "machine", status->machine->name, "stale",
	        status->stale, "service", json_of_message(&at->base), "crashes",
	        json_object_get(list, "crashes")));
	json_decref(list);
}

/* From what it is doing to what befell it. */
static void service_print(const Control__Status *status, const Control__ServiceStatus *at,
        const Control__CrashList *crashes)
{
	service_print_state(status, at->service);
	service_print_layout(at);
	service_print_update(status, at);
	service_print_times(status, at->service);
	service_print_crashes(crashes, at->service->name);
}

/*
 * Two connections, each with its answer: what lud says of the service, and what the record has of its crashes. Of a machine that
 * is down both can be told.
 */
int cmd_service(const struct options *options)
{
	_cleanup_(client_closep) struct client *client = NULL, *other = NULL;
	const Control__ServiceStatus *at = NULL;
	const Control__CrashList *crashes;
	const Control__Status *status;
	int code = service_ask_status(options, &client, &status);

	if (code == CTL_OK && !(at = service_find(status, options->args[0]))) {
		return ctl_fail(CTL_NOT_FOUND, options->args[0],
		        "`luctl status` lists the services of a machine",
		        "%s has told of no service `%s`", status->machine->name, options->args[0]);
	}
	if (code == CTL_OK) {
		code = service_ask_crashes(options, status->machine->name, &other, &crashes);
	}
	if (code == CTL_OK) {
		(options->json ? service_json : service_print)(status, at, crashes);
	}
	return code;
}
