/*
 * `rerandomize` of a policy on a machine: whether its time has come, and what is asked for then. The time is
 * `every` after the last one, and a part of `jitter` that is always the same for a machine; the first time
 * comes as soon as the policy counts. An event brings it at once, but not twice in a minute, nor sooner
 * than `every`: a service that crashes again and again is not to be moved all the time.
 *
 * Below a minute the machine moves services by itself (standing.c); then only events ask for jobs.
 *
 * Nothing queues. What finds the machine busy is skipped and counted, and its next time is the one after; an
 * event waits until the machine is free, since what befell it is still so.
 */
#include <inttypes.h>

#include "orchestrator/job/plan/plan.h"
#include "orchestrator/job/schedule/priv.h"

/* Between what an event asked for and the next, where `every` is not less. */
#define RERANDOMIZE_PAUSE_USEC INT64_C(60000000)

/* 0: nothing is due at any time. An event that is told goes before the time. */
static int64_t rerandomize_due(const struct schedule_at *at, const struct section_rerandomize *says)
{
	const struct timer_row *row = &at->row;
	int64_t part = schedule_part(at->machine, row->policy, says->jitter_us);
	int64_t pause =
	        says->every_us < RERANDOMIZE_PAUSE_USEC ? says->every_us : RERANDOMIZE_PAUSE_USEC;

	if (*row->event) {
		return row->last_us ? row->last_us + pause : at->now;
	}
	if (says->every_us < SECTION_STANDING_USEC) {
		return 0;
	}
	return row->last_us ? row->last_us + says->every_us + part : row->created_us + part;
}

/* When the oldest layout of its services was made, as far as that is known; else when the policy came. */
static int64_t rerandomize_oldest(const struct schedule_at *at)
{
	struct schedule_services services;
	int64_t oldest = at->now;

	schedule_services(at->schedule, at->machine, at->policy, DECIDE_RERANDOMIZE, &services);
	for (size_t i = 0; i < services.n; i++) {
		int64_t made = machine_layout_usec(engine_db(at->schedule->engine), at->machine,
		        services.list[i], machine_status_usec(at->machine));

		made = made ? made : at->row.created_us;
		oldest = made < oldest ? made : oldest;
	}
	return oldest;
}

/* Only of a machine that answers: of any other nobody knows what it runs. */
static void rerandomize_age(struct schedule_at *at, const struct section_rerandomize *says)
{
	char text[160];
	int64_t oldest;

	if (!says->max_age_us || machine_state(at->machine) != MACHINE_UP) {
		if (!says->max_age_us) {
			schedule_alarm(at, false, "");
		}
		return;
	}
	oldest = rerandomize_oldest(at);
	snprintf(text, sizeof(text),
	        "has a layout that is older than rerandomize.max_age, %" PRId64 " s",
	        says->max_age_us / 1000000);
	schedule_alarm(at, at->now - oldest > says->max_age_us, text);
	schedule_look_at(&at->row,
	        at->row.alarm_us ? at->now + SCHEDULE_LOOK_USEC : oldest + says->max_age_us + 1);
}

/* Asks for a job of each service. One that cannot be had leaves the others alone, and is told. */
static void rerandomize_ask(struct schedule_at *at)
{
	struct section_rerandomize says;
	struct schedule_services services;
	char request_id[64];
	struct job_asked asked;

	if (!section_rerandomize(at->policy, &says)) {
		return;
	}
	schedule_asked(at, request_id, &asked);
	schedule_services(at->schedule, at->machine, at->policy, DECIDE_RERANDOMIZE, &services);
	(void)schedule_gate(at, says.limit_us, &services);
	for (size_t i = 0; i < services.n; i++) {
		struct job_order order =
		        job_order_of(JOB_RERANDOMIZE, at->machine, services.list[i]->name, &asked);

		order.layout = says.layout;
		order.recipe = "";
		order.timeout_ms = (uint32_t)(says.limit_us / 1000);
		order.scheduled = true;
		schedule_plan(at, &order);
	}
}

/* The machine is busy. */
static void rerandomize_skip(struct schedule_at *at, const struct section_rerandomize *says)
{
	struct timer_row *row = &at->row;

	if (*row->event) {
		snprintf(row->why, sizeof(row->why), "the machine is busy with other jobs");
		return;
	}
	(void)engine_is_skipped(at->schedule->engine, at->machine);
	row->skipped++;
	row->last_us = at->now;
	row->due_us = rerandomize_due(at, says);
	snprintf(row->why, sizeof(row->why), "skipped: the machine was busy with other jobs");
	schedule_look_at(row, row->due_us);
}

/* Its time has come. Where nothing can be done now, that is looked at again when it may be over. */
static void rerandomize_time(struct schedule_at *at, const struct section_rerandomize *says)
{
	struct timer_row *row = &at->row;
	struct schedule_services services;
	struct rules_gate gate;

	row->why[0] = '\0';
	if (machine_state(at->machine) != MACHINE_UP) {
		snprintf(row->why, sizeof(row->why), "the machine is %s",
		        machine_state_name(machine_state(at->machine)));
		return;
	}
	schedule_services(at->schedule, at->machine, at->policy, DECIDE_RERANDOMIZE, &services);
	if (!services.n) {
		snprintf(row->why, sizeof(row->why), "it decides for no service that can be moved");
		return;
	}
	if (!row->open) {
		gate = schedule_gate(at, says->limit_us, &services);
		if (!gate.is_open) {
			snprintf(row->why, sizeof(row->why), "%s", gate.why);
			schedule_look_at(row, gate.next_us);
			return;
		}
		if (!engine_is_idle(at->machine)) {
			rerandomize_skip(at, says);
			return;
		}
	}
	if (schedule_round(at, rerandomize_ask)) {
		row->due_us = rerandomize_due(at, says);
		schedule_look_at(row, row->due_us);
	}
}

/* A round that is open is finished, whatever the time is. */
void rerandomize_look(struct schedule_at *at)
{
	struct timer_row *row = &at->row;
	struct section_rerandomize says;

	if (!section_rerandomize(at->policy, &says)) {
		return;
	}
	row->due_us = rerandomize_due(at, &says);
	rerandomize_age(at, &says);
	if (says.every_us < SECTION_STANDING_USEC) {
		schedule_look_at(row, schedule_standing(at->schedule, at->machine));
	}
	if (row->open || (row->due_us && row->due_us <= at->now)) {
		rerandomize_time(at, &says);
	} else {
		schedule_look_at(row, row->due_us);
	}
}
