/*
 * What is known of each machine, from memory: lud's own view, and what the machine said last. That is asked for at the begin of a
 * session and whenever something changes, and may be old: machine_status_timestamp_seconds says how old.
 *
 * A machine is whatever answers at its socket. It may list services by the thousand, or two of one name, which would make a reader
 * refuse the whole answer: of those that are printed alike the first one counts, and METRICS_SERVICES_MAX at most.
 */
#include <string.h>

#include "orchestrator/metrics/priv.h"
#include "orchestrator/policy/section.h"

#define METRICS_SERVICES_MAX 64u

void metrics_on_machine_up(const struct metrics_page *page, struct machine *machine)
{
	metrics_put(page, machine_state(machine) == MACHINE_UP,
	        (const char *[]){machine_row(machine)->name});
}

void metrics_on_machine_info(const struct metrics_page *page, struct machine *machine)
{
	metrics_put(page, 1,
	        (const char *[]){
	                machine_row(machine)->name, machine_state_name(machine_state(machine))});
}

/* Nothing of a machine of which it is not known. */
static void fleet_time(
        const struct metrics_page *page, const struct machine *machine, int64_t at_us)
{
	if (at_us) {
		metrics_put(
		        page, (double)at_us / 1e6, (const char *[]){machine_row(machine)->name});
	}
}

void metrics_on_machine_heard_timestamp_seconds(
        const struct metrics_page *page, struct machine *machine)
{
	fleet_time(page, machine, machine_heard_usec(machine));
}

void metrics_on_machine_status_timestamp_seconds(
        const struct metrics_page *page, struct machine *machine)
{
	fleet_time(page, machine, machine_status(machine) ? machine_status_usec(machine) : 0);
}

void metrics_on_machine_clock_ahead_seconds(
        const struct metrics_page *page, struct machine *machine)
{
	if (machine_state(machine) == MACHINE_UP) {
		metrics_put(page, (double)machine_clock_ahead(machine),
		        (const char *[]){machine_row(machine)->name});
	}
}

/* A service that a machine told of, with the labels that its samples begin with. */
struct fleet_service {
	const struct metrics_page *page;
	struct machine *machine;
	const Machine__Service *said;
	const char *labels[3]; /* the third: see service_moves_total */
};

/* Calls fn for each. */
static void fleet_each(const struct metrics_page *page, struct machine *machine,
        void (*fn)(const struct fleet_service *service))
{
	const Machine__Status *status = machine_status(machine);
	char names[METRICS_SERVICES_MAX][METRICS_LABEL_SIZE];
	size_t n = 0;

	for (size_t i = 0; status && i < status->n_services && n < METRICS_SERVICES_MAX; i++) {
		struct fleet_service service = {
		        page, machine, status->services[i], {machine_row(machine)->name, names[n]}};
		size_t same = 0;

		metrics_label(service.said->name, names[n]);
		while (strcmp(names[same], names[n]) != 0) {
			same++;
		}
		if (same == n) {
			fn(&service);
			n++;
		}
	}
}

static void fleet_put(const struct fleet_service *service, double value)
{
	metrics_put(service->page, value, service->labels);
}

/* A metric that is a value of what the machine said. */
#define FLEET(name, value)                                                                         \
	static void fleet_##name(const struct fleet_service *service)                              \
	{                                                                                          \
		fleet_put(service, (double)(value));                                               \
	}                                                                                          \
	void metrics_on_##name(const struct metrics_page *page, struct machine *machine)           \
	{                                                                                          \
		fleet_each(page, machine, fleet_##name);                                           \
	}
FLEET(service_up, service->said->state == MACHINE__SERVICE_STATE__SERVICE_RUNNING)
FLEET(service_generation, service->said->generation)
FLEET(service_release, service->said->counter)
FLEET(service_restarts_total, service->said->restarts)
FLEET(service_last_blackout_seconds, (double)service->said->last_blackout_ns / 1e9)
FLEET(service_memory_bytes, service->said->memory_bytes)
FLEET(service_state_bytes, service->said->state_bytes)

/* Each instance has a layout of its own but for one: the machine had nothing to make another of. */
static void fleet_layout(const struct fleet_service *service)
{
	if (!service->said->layout_kept) {
		fleet_put(service, (double)machine_status_usec(service->machine) / 1e6 -
		                           (double)service->said->uptime_ns / 1e9);
	}
}

void metrics_on_service_layout_timestamp_seconds(
        const struct metrics_page *page, struct machine *machine)
{
	fleet_each(page, machine, fleet_layout);
}

/* The policy that decides for a service; most say nothing of an age. */
static void fleet_max_age(const struct fleet_service *service)
{
	const struct machine_row *row = machine_row(service->machine);
	struct decide_subject subject = {row->name, row->groups, row->labels, service->said->name};
	struct section_rerandomize says;
	size_t n;
	const struct policy *const *policies =
	        rules_policies(engine_rules(service->page->metrics->parts.engine), &n);
	const struct policy *by = decide_by(policies, n, &subject, POLICY_RERANDOMIZE);

	if (by && section_rerandomize(by, &says) && says.max_age_us) {
		fleet_put(service, (double)says.max_age_us / 1e6);
	}
}

void metrics_on_service_layout_max_age_seconds(
        const struct metrics_page *page, struct machine *machine)
{
	fleet_each(page, machine, fleet_max_age);
}

static const Machine__StandingService *fleet_standing(const struct fleet_service *service)
{
	const Machine__Standing *standing = machine_status(service->machine)->standing;

	for (size_t i = 0; standing && i < standing->n_services; i++) {
		if (!strcmp(standing->services[i]->service, service->said->name)) {
			return standing->services[i];
		}
	}
	return NULL;
}

static void fleet_moves(const struct fleet_service *service)
{
	const Machine__StandingService *standing = fleet_standing(service);

	for (size_t i = 0; standing && i < 3; i++) {
		static const char *const outcomes[] = {"moved", "skipped", "failed"};
		const uint64_t counts[] = {standing->moved, standing->skipped, standing->failed};
		struct fleet_service its = *service;

		its.labels[2] = outcomes[i];
		fleet_put(&its, (double)counts[i]);
	}
}

void metrics_on_service_moves_total(const struct metrics_page *page, struct machine *machine)
{
	fleet_each(page, machine, fleet_moves);
}
