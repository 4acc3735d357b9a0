/*
 * The step that pairs: before anything is drawn or forged, a worker works out from the two
 * kits what the update would take over and lose on its way from the release that runs. An
 * update that is impossible ends here, and one that would lose state does unless whoever
 * asked for it accepts loss: then the job consents to this pairing and no other, and its
 * order needs a control key's signature (order.c). The pairing is recorded with the job
 * either way.
 *
 * Nothing is guessed: a release that runs and is not registered has no kit to pair with.
 * What is known here may be over when the order is made (another job ran in between, or
 * the machine was restarted), so the order step looks again; RS has the last word.
 */
#include <errno.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/job/pair/pairing.h"
#include "orchestrator/job/plan/plan.h"
#include "orchestrator/job/steps/priv.h"
#include "proto/image/link.h"

/* What the step records. */
struct job_pair_txn {
	struct job *job;
	const Control__Pairing *pairing;
};

bool job_plan_is_meant(
        struct job *job, const struct plan_terms *terms, const struct job_forecast *parts, size_t n)
{
	uint8_t hash[64];
	_cleanup_(freep) char *text = plan_text(terms, parts, n, hash);

	if (job->row.plan_expected && memcmp(hash, job->row.plan, sizeof(hash)) != 0) {
		return false;
	}
	memcpy(job->row.plan, hash, sizeof(hash));
	free(job->plan_text);
	job->plan_text = steal(&text);
	return true;
}

int job_plan_write(struct db *db, void *arg)
{
	const struct job *job = arg;

	return job->plan_text
	               ? err_up(store_plan_put(db, job->row.plan, job->plan_text, job->row.id))
	               : 0;
}

/* The pairing and what the job makes of it: from_release and consent are in the row. */
static int pair_write(struct db *db, void *arg)
{
	const struct job_pair_txn *txn = arg;
	int r = store_job_pairing_put(db, txn->job->row.id, txn->pairing);

	if (!r) {
		r = job_plan_write(db, txn->job);
	}
	if (!r) {
		r = store_job_update(db, &txn->job->row);
	}
	return err_up(r);
}

/*
 * The plan is whole: notes its hash. False: another one was meant. pairing is NULL where the release
 * stays the same.
 */
static bool pair_is_meant(
        struct job *job, const Control__Pairing *pairing, struct failure *ret_failure)
{
	const struct job_row *row = &job->row;
	struct plan_terms terms = {
	        .machine = machine_row(job->machine),
	        .kind = row->kind,
	        .quiescent = row->quiescent,
	        .timeout_ms = (uint32_t)row->timeout_ms,
	        .hold_ms = (uint32_t)row->hold_ms,
	        .accept_loss = row->accept_loss,
	};
	struct job_forecast forecast = {
	        .from = job->pair_from,
	        .to = job->pair_to,
	        .machine_made = row->machine_made,
	        .recipe = LINK_RECIPE,
	};

	rules_digest_about(engine_rules(job->engine), terms.machine, terms.policies);
	snprintf(forecast.service, sizeof(forecast.service), "%s", row->service);
	if (pairing) {
		job_forecast_pair(&forecast, pairing->id.data, pairing->n_lost);
	}
	if (!job_plan_is_meant(job, &terms, &forecast, 1)) {
		plan_changed(row->service, ret_failure);
		return false;
	}
	return true;
}

/*
 * The verdict. A pairing that refuses is recorded first and by itself, so that luctl can show
 * what would be lost; one that does not, together with the end of the step.
 */
static void pair_judge(
        struct job *job, const Control__Pairing *pairing, const Control__Pairing *back)
{
	struct job_pair_txn txn = {job, pairing};
	struct job_way_back way = {
	        .machine = machine_row(job->machine),
	        .kind = job->row.kind,
	        .service = job->row.service,
	        /* A way back of a set needs none itself. */
	        .is_member = job_set(job) && !job_set(job)->set_goes_back,
	        .from = &job->pair_from,
	        .to = &job->pair_to,
	};
	struct failure failure;
	bool refused = !pair_is_meant(job, pairing, &failure) ||
	               pairing_refuses(pairing, job->row.kind, job->row.service,
	                       job->row.accept_loss, &failure) ||
	               plan_no_way_back(job->engine, &way, back, &failure);
	char detail[160];

	job->row.from_release = job->pair_from.id;
	memset(job->row.consent, 0, sizeof(job->row.consent));
	if (!refused) {
		if (job->row.accept_loss && pairing_is_lossy(pairing)) {
			memcpy(job->row.consent, pairing->id.data, sizeof(job->row.consent));
		}
		pairing_summary(pairing, detail, sizeof(detail));
		job_done(job, detail, pair_write, &txn);
		return;
	}
	if (job_record(job, pair_write, &txn)) {
		job_fail(job, JOB_REFUSED, &failure);
	}
}

/*
 * The worker is through: its text is read, or its failure is the job's. The text is owned here
 * from now on.
 */
static void pair_done(const struct failure *failure, void *arg)
{
	struct job *job = arg;
	_cleanup_(pool_fini) struct pool pool;
	_cleanup_(freep) char *json = steal(&job->pair_json);
	struct failure unread = {0};
	Control__Pairing *pairing, *back = NULL;

	pool_init(&pool);
	job->task = NULL;
	if (!failure && pairing_read(&pool, json, PAIRING_FORWARD, &job->pair_from, &job->pair_to,
	                        &pairing, &unread) < 0) {
		failure = &unread;
	}
	if (failure) {
		job_fail(job, JOB_FAILED, failure);
		return;
	}
	if (pairing_read(&pool, json, PAIRING_BACK, &job->pair_to, &job->pair_from, &back,
	            &unread) < 0) {
		err_forget();
		back = NULL;
	}
	pair_judge(job, pairing, back);
}

/* The two releases, as the record has them. Positive: the one that runs is not known. */
static int pair_releases(struct job *job, const Machine__Service *service)
{
	struct db *db = job->engine->parts.db;
	int r = store_release_by_id(db, job->row.release, &job->pair_to);

	if (r) {
		return err_fold(r);
	}
	return err_up(machine_release(db, service, &job->pair_from));
}

/*
 * The same release: nothing can be lost, and nothing is consented to. What ran is noted all the
 * same, for the step order to compare.
 */
static int pair_same_write(struct db *db, void *arg)
{
	struct job *job = arg;
	int r = job_plan_write(db, job);

	return r ? err_up(r) : err_up(store_job_update(db, &job->row));
}

void job_step_pair(struct job *job)
{
	const Machine__Service *service = machine_service(job->machine, job->row.service);
	struct failure failure;
	int r = service ? pair_releases(job, service) : DB_E_NONE;

	job_soak_early(job);
	if (r < 0) {
		failure_set(&failure, "record", "lud", "check the state directory",
		        "the releases cannot be read: %s", strerror(-r));
		job_fail(job, JOB_FAILED, &failure);
		return;
	}
	if (r) {
		pairing_unregistered(job->row.service, &failure);
		job_fail(job, JOB_REFUSED, &failure);
		return;
	}
	if (job->pair_from.id == job->pair_to.id && !pair_is_meant(job, NULL, &failure)) {
		job_fail(job, JOB_REFUSED, &failure);
		return;
	}
	if (job->pair_from.id == job->pair_to.id) {
		job->row.from_release = job->pair_from.id;
		memset(job->row.consent, 0, sizeof(job->row.consent));
		job_done(job, "the same release", pair_same_write, job);
		return;
	}
	job_heard(job);
	job->task = forge_pair(job->engine->parts.forge, job->pair_from.path, job->pair_to.path,
	        &job->pair_json, pair_done, job);
}

/* A release that is not in the record counts as another: it was not paired with anything. */
bool job_pair_is_over(const struct job *job)
{
	const Machine__Service *service = machine_service(job->machine, job->row.service);
	struct release_row release;

	if (!job->row.from_release || !service ||
	        service->release_id.len != sizeof(release.release_id)) {
		return false;
	}
	if (machine_release(job->engine->parts.db, service, &release) != 0) {
		err_forget();
		return true;
	}
	return release.id != job->row.from_release;
}

Control__Pairing *job_pair_recorded(const struct job *job, struct pool *pool)
{
	Control__Pairing *pairing = NULL;

	if (store_job_pairing_get(job->engine->parts.db, job->row.id, &pool->allocator, &pairing) <
	        0) {
		err_forget();
	}
	return pairing;
}
