/*
 * The way back of an update, looked at before it is begun. A policy that goes back by itself when an update is
 * not well needs a way that nobody has to be asked about: so an update without one is refused, by the plan that
 * somebody looks at and by the job.
 */
#include "orchestrator/job/pair/pairing.h"
#include "orchestrator/job/plan/plan.h"
#include "orchestrator/rollout/health.h"

bool plan_no_way_back(const struct engine *engine, const struct job_way_back *way,
        const struct Control__Pairing *back, struct failure *ret_failure)
{
	struct failure why = {.cause = "what it would lose is not known"};
	struct health_terms terms;

	if (way->kind != JOB_UPDATE) {
		return false;
	}
	health_terms(engine_rules(engine), way->machine, way->service, &terms);
	if (!health_back(&terms, POLICY_AUTOMATIC) || !health_back(&terms, POLICY_WAY_BACK) ||
	        (back && !pairing_refuses(back, JOB_ROLLBACK, way->service, false, &why))) {
		return false;
	}
	failure_set(ret_failure, "no-way-back", way->service,
	        "change the release so that the one before can take its state over, or let a "
	        "policy "
	        "say `rollback: {way_back: false}`",
	        "its way back would be refused, should it not be well: %.180s", why.cause);
	return true;
}
