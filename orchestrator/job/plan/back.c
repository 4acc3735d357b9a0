/*
 * The way back of an update, looked at before it is begun. A policy that goes back by itself when an update is
 * not well needs a way that nobody has to be asked about: so an update without one is refused, by the plan that
 * somebody looks at and by the job. So does a set of services, which goes back when one of them fails. One that could not
 * be found well is not refused, since a service may come that reports what is asked for; but whoever looks is told.
 */
#include <inttypes.h>
#include <stdio.h>

#include "orchestrator/job/pair/pairing.h"
#include "orchestrator/job/plan/plan.h"
#include "orchestrator/rollout/health.h"

/* By whatever policy decides about ways back. */
static bool back_is_needed(const struct job_way_back *way, const struct health_terms *terms)
{
	const struct policy *by = terms->back ? terms->back : terms->gates;

	if (way->is_member) {
		return !by || policy_number(by, POLICY_WAY_BACK) != 0;
	}
	return health_back(terms, POLICY_AUTOMATIC) && health_back(terms, POLICY_WAY_BACK);
}

bool plan_no_way_back(const struct engine *engine, const struct job_way_back *way,
        const struct Control__Pairing *back, struct failure *ret_failure)
{
	struct failure why = {.cause = "what it would lose is not known"};
	struct health_terms terms;

	if (way->kind != JOB_UPDATE && !way->is_member) {
		return false;
	}
	health_terms(engine_rules(engine), way->machine, way->service, &terms);
	if (!back_is_needed(way, &terms)) {
		return false;
	}
	if (way->is_member && way->to->floor > way->from->counter) {
		snprintf(why.cause, sizeof(why.cause),
		        "release %" PRId64 " raises the floor above release %" PRId64,
		        way->to->counter, way->from->counter);
	} else if (back && !pairing_refuses(back, JOB_ROLLBACK, way->service, false, &why)) {
		return false;
	}
	failure_set(ret_failure, "no-way-back", way->service,
	        "change the release so that the one before can take its state over, or let a "
	        "policy "
	        "say `rollback: {way_back: false}`",
	        way->is_member
	                ? "its way back would be refused, should another of its set fail: %.180s"
	                : "its way back would be refused, should it not be well: %.180s",
	        why.cause);
	return true;
}

const char *plan_unreported(
        const struct engine *engine, const struct machine *machine, const char *service)
{
	const Machine__Status *status = machine_status(machine);
	struct health_terms terms;

	health_terms(engine_rules(engine), machine_row(machine), service, &terms);
	return status ? health_unreported(&terms, status) : NULL;
}
