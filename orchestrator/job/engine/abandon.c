/*
 * Jobs of a machine that went away. A machine that is down has forgotten everything, so nothing of it will be heard: a job
 * ends by what is known of it. But one that was not well and owes a way back waits for the machine, as does its set, until
 * their deadline: what runs then is seen when it is there again. Of a machine that is removed nothing waits.
 */
#include "orchestrator/job/engine/engine.h"

#include <stdio.h>

#include "orchestrator/job/core/job.h"
#include "orchestrator/job/core/standing.h"
#include "orchestrator/job/core/set.h"

/*
 * A machine that was ordered to end, and did, is no failure. boot_id is set by the same write
 * that says the order is about to be sent, so it tells whether the machine may have begun.
 */
static void engine_abandon_job(struct job *job, const struct failure *failure)
{
	struct job_end end = {.state = JOB_COMMITTED};

	if (job->row.kind == JOB_SHUTDOWN && job->row.boot_id) {
		job_end(job, &end);
	} else {
		job_give_up(job, failure);
	}
}

/* What was not well is known, and what it was before is there again when the machine is: its way back waits for that. */
static bool engine_awaits_machine(const struct job *job)
{
	const struct job *member = work_first(job->machine);

	if (job->row.kind != JOB_SET) {
		return job_owes_back(job);
	}
	while (member && (member->row.parent != job->row.id || !job_owes_back(member))) {
		member = work_next(member);
	}
	return member != NULL;
}

void engine_abandon(struct engine *engine, struct machine *machine, const char *why)
{
	const char *name = machine_row(machine)->name;
	struct failure failure;
	char remedy[sizeof(failure.remedy)];
	struct job *job = work_first(machine);

	snprintf(remedy, sizeof(remedy),
	        "start the machine with `luctl machine start %s` and ask again", name);
	failure_set(&failure, "machine-down", name, remedy, "the machine went away: %s", why);
	while (job) {
		struct job *next = work_next(job);

		if (job->phase != JOB_STALLED &&
		        (job->row.kind != JOB_START || job->row.step == JOB_STEP_CONFIRM) &&
		        !engine_awaits_machine(job)) {
			engine_abandon_job(job, &failure);
		}
		job = next;
	}
}

bool engine_forsake(struct engine *engine, struct machine *machine)
{
	struct failure failure;
	struct job *job = work_first(machine);

	failure_set(&failure, "machine-removed", machine_row(machine)->name, "",
	        "the machine was removed");
	while (job) {
		struct job *next = work_next(job);

		engine_abandon_job(job, &failure);
		job = next;
	}
	standing_unwatch(engine, machine);
	return !work_first(machine);
}
