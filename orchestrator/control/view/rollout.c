/*
 * What is amiss with releases on their way: rollouts that were aborted or wait for a person, and updates whose soak is over and
 * of which nobody can say whether they are well. All of it is in the record; an abort is amiss until the rollout is resumed
 * or the policy has a newer one of the service.
 */
#include <inttypes.h>

#include "orchestrator/control/view/amiss.h"
#include "orchestrator/store/jobs.h"
#include "orchestrator/store/rollouts.h"
#include "orchestrator/store/soaks.h"

/* One that waits has done nothing wrong, but nothing happens until somebody acts. */
static int rollout_amiss(const struct rollout_row *row, void *arg)
{
	struct amiss_list *list = arg;
	bool is_aborted = row->state == ROLLOUT_ABORTED;
	Control__Amiss *amiss = amiss_add(list,
	        is_aborted ? CONTROL__AMISS_LEVEL__AMISS_LEVEL_WRONG
	                   : CONTROL__AMISS_LEVEL__AMISS_LEVEL_SOON,
	        pool_format(
	                list->pool, "the rollout of %s by policy %s", row->service, row->policy),
	        "%s (%s)", is_aborted ? "was aborted" : "waits for a person", row->why);

	amiss->since_us = row->state_us;
	amiss->source = CONTROL__SOURCE__SOURCE_RECORD;
	amiss->remedy = pool_format(list->pool,
	        is_aborted ? "`luctl rollout status %" PRId64
	                     "` shows machines; a newer release, or `luctl rollout resume`"
	                   : "`luctl rollout status %" PRId64
	                     "` shows machines; then `luctl rollout approve`, `resume` or `abort`",
	        row->id);
	return 0;
}

/* It fails when its time is over; until then whoever can may see to it. */
static int rollout_amiss_soak(const struct soak_row *soak, void *arg)
{
	struct amiss_list *list = arg;
	struct job_row job;
	const struct machine *machine;
	Control__Amiss *amiss;
	int r = store_job_find(engine_db(list->engine), soak->job, &job);

	machine = r ? NULL : machines_by_id(engine_machines(list->engine), job.machine);
	if (!machine) {
		return r < 0 ? err_up(r) : 0;
	}
	amiss = amiss_add(list, CONTROL__AMISS_LEVEL__AMISS_LEVEL_SOON,
	        pool_format(list->pool, "%s on %s", job.service, machine_row(machine)->name),
	        "is not known to be well after its update (%s)", soak->why);
	amiss->machine = pool_text(list->pool, machine_row(machine)->name);
	amiss->since_us = soak->from_us + soak->soak_us;
	amiss->source = CONTROL__SOURCE__SOURCE_RECORD;
	amiss->remedy = pool_format(list->pool,
	        "`luctl job show %" PRId64 "` says until when that may last; then it has failed",
	        job.id);
	return 0;
}

void amiss_rollout(struct amiss_list *list)
{
	int r = store_rollout_amiss(engine_db(list->engine), rollout_amiss, list);

	if (!r) {
		r = store_soak_late(
		        engine_db(list->engine), list->now_us, rollout_amiss_soak, list);
	}
	if (r) {
		err_forget();
	}
}
