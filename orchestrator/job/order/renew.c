/*
 * A root that is renewed beside a job. The machine learns of the newest root by whatever is signed
 * under it, and takes nothing of an older one from then on: what a job had signed before is
 * refused, although nothing is wrong with the update. So the job goes back to where things are
 * signed, if the keyring has a newer root than what was refused; if it has not, the machine knows a
 * root that we do not, and the refusal stands.
 */
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/job/order/order.h"
#include "orchestrator/work/kit.h"

/* The root that the job's variant was signed under, by the record; 0: it is not signed. */
static uint64_t renew_serial(struct job *job)
{
	_cleanup_(freep) uint8_t *envelope = NULL;
	struct envelope_view view;
	size_t size;

	if (job_parts_load(job) < 0 ||
	        store_generation_envelope(
	                job->engine->parts.db, job->parts->generation.id, &envelope, &size) ||
	        envelope_open(envelope, size, &view) != ENVELOPE_OK) {
		err_forget();
		return 0;
	}
	return view.root->serial;
}

/*
 * Whether something that the machine was shown is of an older root than the keyring's. A kit is shown
 * anew by every attempt, so the job knows under which; after a restart of lud it does not, and shows it.
 */
static bool renew_is_older(struct job *job, uint64_t newest)
{
	if (job->row.kind == JOB_RESTART || job->row.kind == JOB_SHUTDOWN) {
		return false;
	}
	return (job->row.machine_made ? job->stage_serial : renew_serial(job)) < newest;
}

/* What was ordered names what was signed before: it is not sent again. */
static int renew_txn(struct db *db, void *arg)
{
	struct job *job = arg;

	job->order.expires = 0;
	return job->order.id ? err_up(store_order_update(db, &job->order)) : 0;
}

/*
 * Only where the order of steps has a way back for it: a confirm that is refused so is no reason
 * to make the update again. What was ordered is marked as expired in the same breath, or the step
 * order would take it again.
 */
bool job_sign_again(struct job *job, const Wire__Cause *cause)
{
	uint64_t newest;

	if (!cause || strcmp(cause->name, "E_V_ROOT") != 0 ||
	        kit_root_serial(job->engine->parts.config->keyring, &newest)) {
		err_forget();
		return false;
	}
	if (job_next(job_way(job), job->row.step, JOB_ON_NEW_ROOT) == JOB_STEP_PLAN ||
	        (!renew_is_older(job, newest) &&
	                !(job->row.step == JOB_STEP_RUN && job->order.epoch < newest))) {
		return false;
	}
	if (job_record(job, renew_txn, job)) {
		job_back(job, JOB_ON_NEW_ROOT, "the signed root was renewed meanwhile");
	}
	return true;
}
