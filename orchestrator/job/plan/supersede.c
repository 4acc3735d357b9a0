/*
 * What jobs are to each other when another one is planned.
 *
 * An update that does not have the machine yet is moot once somebody asks for another release of the service, by an
 * update or a rollback: carried out after all it would go where nobody wants to be any more. So it ends as superseded.
 * One that has the machine goes on, and the newer one follows it; a rehearsal, a new layout, or the same release once
 * more supersede nothing. A set of which one service is wanted otherwise now is moot as a whole, until it has begun: then
 * it goes on as one that has the machine does, and only a rollback ends it, which takes it back. The newer job is in the record by then: where lud ends between the two, or the end cannot be
 * recorded, the rule holds again when the jobs are taken up.
 *
 * What a timer asks for does not queue: it would be carried out late and several times. It is skipped while the
 * machine has other jobs, and counted.
 */
#include <inttypes.h>
#include <string.h>

#include "host/base/log.h"
#include "orchestrator/hook/hook.h"
#include "orchestrator/job/core/job.h"
#include "orchestrator/job/core/set.h"
#include "orchestrator/job/core/work.h"
#include "orchestrator/job/plan/plan.h"
#include "orchestrator/job/plan/priv.h"

/* What has begun of a set goes on to its end, and a newer update follows. Who goes back wants an end of it. */
static bool supersede_follows(const struct job *old, const struct job *job)
{
	const struct job *set = job_set(old);

	return set && job->row.kind == JOB_UPDATE && job_set_has_begun(job->engine, set->row.id);
}

static bool supersede_is_moot(const struct job *old, const struct job *job)
{
	return old->row.id < job->row.id && old->row.kind == JOB_UPDATE &&
	       !strcmp(old->row.service, job->row.service) &&
	       old->row.release != job->row.release && old->phase != JOB_STALLED && !old->turn &&
	       !old->row.boot_id && !supersede_follows(old, job);
}

void plan_supersede(struct engine *engine, const struct job *job)
{
	struct failure failure;
	struct job *old = work_first(job->machine);

	if (job->row.kind != JOB_UPDATE && job->row.kind != JOB_ROLLBACK) {
		return;
	}
	while (old) {
		struct job *next = work_next(old);

		if (supersede_is_moot(old, job)) {
			failure_set(&failure, "superseded", job->row.service,
			        "ask for it again if it is wanted all the same",
			        "job %" PRId64 " goes to another release of %s", job->row.id,
			        job->row.service);
			hook_point("plan", "supersede");
			job_fail(old, JOB_SUPERSEDED, &failure);
		}
		old = next;
	}
}

void plan_supersede_all(struct engine *engine)
{
	const struct job *job;

	TAILQ_FOREACH(job, &engine->jobs, link)
	{
		plan_supersede(engine, job);
	}
}

static int supersede_count(struct db *db, void *arg)
{
	return err_up(store_machine_skipped(db, *(const int64_t *)arg));
}

bool engine_is_skipped(struct engine *engine, const struct machine *machine)
{
	int64_t id = machine_row(machine)->id;

	if (engine_is_idle(machine)) {
		return false;
	}
	log_info("machine %s: what a timer asked for is skipped: it is busy",
	        machine_row(machine)->name);
	if (db_txn(engine_db(engine), supersede_count, &id)) {
		log_warn("it is not counted: %s", err_trace());
		err_forget();
	}
	return true;
}
