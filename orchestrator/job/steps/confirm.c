/*
 * The steps after a commit: check that the machine runs what was made, and confirm it.
 * The floors that the release brings are in the record before the machine hears of
 * them, so that the next statement has them whatever happens to this order. What is watched in between
 * (soak.c) brings them later: a floor that was raised would bar the way back.
 *
 * A confirm that the machine refuses, forgets, or does not answer changes nothing about the
 * update: the job is committed and says what is missing. Its floor comes with the next statement.
 *
 * What is confirmed is a release, not a layout, and only an update raises a floor. A layout that is made anew while an
 * update to its release is watched brings none, which would bar the way back before anybody knows whether the release is
 * well; and the update, when it was well for long enough, confirms the order that made what runs then, since the machine
 * knows no earlier one any more. Nor does a layout of a release that was not well and runs on, or a rollback to it: it is
 * not confirmed, until an update to that release is.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/hook/hook.h"
#include "orchestrator/job/core/statement.h"
#include "orchestrator/job/core/work.h"
#include "orchestrator/job/order/order.h"
#include "orchestrator/job/steps/priv.h"
#include "orchestrator/work/kit.h"

/* After how long a confirm is tried again that a statement has to go before. */
#define CONFIRM_AGAIN_USEC UINT64_C(100000)

/* Floors only rise: the store keeps the higher one. */
int job_floor_txn(struct db *db, void *arg)
{
	const struct job *job = arg;
	const struct job_part *part = job->parts;

	return err_up(
	        store_service_floor(db, part->generation.service, (uint32_t)part->release.floor));
}

/* Neither the machine nor the record says where a layout of the machine's own lies, or what hash it has. */
static bool confirm_made_runs(const Machine__Service *service, const struct job_part *part)
{
	return service->machine_made && service->generation_epoch == part->generation.epoch &&
	       service->release_id.len == sizeof(part->release.release_id) &&
	       !memcmp(service->release_id.data, part->release.release_id,
	               sizeof(part->release.release_id));
}

static bool confirm_runs(const Machine__Service *service, const struct job_part *part)
{
	const struct variant_row *variant = &part->variant;

	if (service->generation != part->generation.number) {
		return false;
	}
	/* One that crashed since then runs in a layout of the machine's own, in the same generation. */
	if (variant->machine_made || service->made) {
		return confirm_made_runs(service, part);
	}
	return service->build_id.len == sizeof(variant->build_id) &&
	       !memcmp(service->build_id.data, variant->build_id, sizeof(variant->build_id));
}

/* hint: why the machine does not have it confirmed; NULL: it has. */
static void confirm_end(struct job *job, const char *hint)
{
	struct job_end end = {.state = hint ? JOB_COMMITTED : JOB_CONFIRMED, .hint = hint};

	job_end(job, &end);
}

/* The update that brought what a new layout is made of, while it is watched; NULL: none is. */
static const struct job *confirm_watched(const struct job *layout)
{
	const struct job *job;

	for (job = work_first(layout->machine); job; job = work_next(job)) {
		if (job->row.kind == JOB_UPDATE && job->row.step == JOB_STEP_SOAK &&
		        !job->row.ended_us && job->row.release == layout->row.release &&
		        !strcmp(job->row.service, layout->row.service)) {
			return job;
		}
	}
	return NULL;
}

/* Whether a confirm would raise the floor; a record that does not say counts as if it would. */
static bool confirm_raises(const struct job *job)
{
	struct service_row service;
	int r = store_service_find(
	        job->engine->parts.db, job->row.machine, job->row.service, &service);

	err_forget();
	return r || job->parts->release.floor > (int64_t)service.floor;
}

/* It runs, as it was made. */
static void confirm_checked(struct job *job, const Machine__Service *service)
{
	const struct job *update = job->row.kind == JOB_RERANDOMIZE ? confirm_watched(job) : NULL;
	char hint[120];

	if (update) {
		snprintf(hint, sizeof(hint),
		        "it runs; its release is still watched, and job %" PRId64 " confirms both",
		        update->row.id);
		confirm_end(job, hint);
	} else if (job->row.kind != JOB_UPDATE && confirm_raises(job)) {
		confirm_end(job,
		        "it runs; no update to its release was confirmed, which alone raises the "
		        "floor, so the way back stays open");
	} else if (!job_soak_begin(job, service)) {
		job_done(job, "", job_floor_txn, job);
	}
}

/*
 * By generation and by build id, or, of a layout that the machine made, by epoch and release: a number
 * alone says what was ordered, not what runs.
 */
static void confirm_check(struct job *job)
{
	const Machine__Service *service = machine_service(job->machine, job->row.service);
	struct failure failure;

	if (job_parts_load(job) < 0) {
		err_forget();
		job_park(job, "the record gave no variant");
		return;
	}
	if (service && confirm_runs(service, job->parts)) {
		confirm_checked(job, service);
		return;
	}
	failure_set(&failure, "not-confirmed", job->row.service,
	        "`luctl status` shows what runs; `luctl log` may show why",
	        "the machine committed generation %" PRIu64 " and now runs generation %" PRIu64,
	        job->row.generation, service ? service->generation : 0);
	job_fail(job, JOB_INCONSISTENT, &failure);
}

void job_step_check(struct job *job)
{
	job_refresh(job, confirm_check);
}

/* Not confirmed is no failure of the update: it runs. The hint says what is missing. */
void job_on_confirmed(struct job *job, const Machine__Result *result)
{
	char hint[200];

	if (result->outcome == MACHINE__OUTCOME__OUTCOME_COMMITTED) {
		confirm_end(job, NULL);
		return;
	}
	snprintf(hint, sizeof(hint), "it runs, but the machine did not confirm it: %.120s",
	        result->cause ? result->cause->message : "no reason given");
	confirm_end(job, hint);
}

/* A refusal with a time to ask again is only put off; one without is the answer. */
static void confirm_on_sent(int r, const Machine__Reply *reply, void *arg)
{
	struct job *job = arg;
	char hint[200];

	if (job_order_taken(job, r, reply)) {
		return;
	}
	if (job_is_unstated(r, reply) && job_state_again(job)) {
		job_again(job, CONFIRM_AGAIN_USEC);
		return;
	}
	if (!r && reply->body_case == MACHINE__REPLY__BODY_ERROR && reply->error->cause &&
	        !reply->error->retry_ms) {
		snprintf(hint, sizeof(hint), "it runs, but the machine did not confirm it: %.120s",
		        reply->error->cause->message);
		confirm_end(job, hint);
		return;
	}
	job_answer_bad(job, r, reply);
}

/* Recorded as sent before it is, as every order: a confirm that is taken up again asks first. */
static int confirm_insert_txn(struct db *db, void *arg)
{
	struct job *job = arg;

	job->order.sent = true;
	return err_up(job_order_insert(db, job));
}

/* No control key is asked for: a confirm destroys nothing. */
static void confirm_signed(struct job *job)
{
	job_order_drop_proposal(job);
	if (!job_record(job, confirm_insert_txn, job)) {
		return;
	}
	hook_point("confirm", "sent");
	job_order_send(job, confirm_on_sent);
}

/* The order that made what runs, if that is what the job is about; else the job's own. */
static int confirm_find_order(const struct job *job, struct order_row *ret)
{
	const Machine__Service *service = machine_service(job->machine, job->row.service);
	struct db *db = job->engine->parts.db;
	struct generation_row runs;
	int r = service ? store_generation_find(db, job->row.machine, job->row.service,
	                          service->generation, &runs)
	                : DB_E_NONE;

	if (!r) {
		r = runs.release == job->row.release
		            ? store_order_newest(db, runs.job, ORDER_UPDATE, ret)
		            : DB_E_NONE;
	}
	return r == DB_E_NONE ? store_order_newest(db, job->row.id, ORDER_UPDATE, ret) : err_up(r);
}

/*
 * The confirm names the order that it confirms by number; its own number is a new one. It is of
 * use only in the boot and line that ran it, and under the same root.
 */
static void confirm_make(struct job *job)
{
	const struct machine_row *row = machine_row(job->machine);
	struct order_row ran;
	uint64_t epoch;

	if (confirm_find_order(job, &ran)) {
		err_forget();
		confirm_end(job, "it runs; its order is not in the record, so it is not confirmed");
		return;
	}
	if (ran.boot_id != row->boot_id || ran.line != row->line) {
		confirm_end(job, "the machine was restarted before the confirm: its floor came "
		                 "with the starting statement");
		return;
	}
	if (!kit_root_serial(job->engine->parts.config->keyring, &epoch) && epoch != ran.epoch) {
		/* The same number is another order's in the new epoch, so it cannot be named. */
		statement_send(job->engine, job->machine);
		confirm_end(job, "the root was renewed before the confirm: its floor goes to the "
		                 "machine with a statement");
		return;
	}
	err_forget();
	job_order_make(job, ORDER_CONFIRM, ran.txn, confirm_signed);
}

/* A confirm that was sent in this boot may be under way or done: the machine is asked. */
void job_step_confirm(struct job *job)
{
	const struct machine_row *row = machine_row(job->machine);
	int r = store_order_newest(job->engine->parts.db, job->row.id, ORDER_CONFIRM, &job->order);

	err_forget();
	if (!r && job->order.boot_id == row->boot_id && job->order.line == row->line) {
		/* What became of one that was sent before; one that is forgotten is given again. */
		job_order_ask(job, confirm_make);
	} else {
		/* Until there is a confirm no result is one, the update's said once more least of all. */
		job->order = (struct order_row){0};
		job_refresh(job, confirm_make);
	}
}
