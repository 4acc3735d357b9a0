/*
 * The steps of a set: several services updated, or rolled back, as one. The machine has no transaction of several
 * components, so its members go one after the other, and what was done goes back when one of them is not.
 *
 *     ready   members are paired, made and signed, side by side; the machine was asked for nothing
 *        |`-- one ended, or somebody ended the set ----> the others are cancelled, and the set ends as that one did
 *        v
 *     set     the first member that is open has the machine -> its end -> the next one ...
 *        |`-- all that are open are only watched: the set is, too, and bars nobody
 *        |`-- one ended otherwise than well, or somebody ended the set:
 *        |       members whose order was not sent are cancelled; one that has the machine comes to its end
 *        |       those that stand go back, the last one first, by a rollback each: ROLLED_BACK, or FAILED where one stays
 *        v
 *     COMMITTED
 *
 * What is to be done follows from the set's children in the record, and from nothing in memory: the first child of a service
 * is the member, one after it is its way back. So a lud that dies anywhere goes on where it was, and nothing goes there or
 * back twice. How it goes back is in set_back.c.
 */
#include "orchestrator/job/steps/set.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/hook/hook.h"
#include "orchestrator/job/core/work.h"
#include "orchestrator/job/steps/priv.h"
#include "proto/image/link.h"

/* Children come oldest first, so a member before its way back. */
static int set_take(const struct job_row *row, void *arg)
{
	struct set_look *look = arg;

	for (size_t i = 0; i < look->n; i++) {
		struct set_member *member = &look->members[i];

		if (!strcmp(member->row.service, row->service)) {
			member->back = row->id;
			member->back_state = row->state;
			member->back_is_open = !row->ended_us;
			return 0;
		}
	}
	if (look->n < PLAN_SET_MAX) {
		look->members[look->n++] = (struct set_member){.row = *row};
	}
	return 0;
}

static bool set_load(struct job *job, struct set_look *ret)
{
	*ret = (struct set_look){.job = job};
	if (store_job_each_child(job->engine->parts.db, job->row.id, set_take, ret) < 0 ||
	        !ret->n) {
		err_forget();
		job_again(job, SET_MACHINE_USEC);
		return false;
	}
	return true;
}

bool set_stands(const struct job_row *row)
{
	return row->state == JOB_CONFIRMED || row->state == JOB_COMMITTED ||
	       (!row->ended_us && row->step == JOB_STEP_SOAK);
}

bool set_is_open(const struct job_row *row)
{
	return !row->ended_us && row->step != JOB_STEP_SOAK;
}

/*
 * The member that the set fails by: the first that did not end well, but rather one that had a reason of its own
 * than one that was cancelled for it. NULL: none.
 */
static const struct job_row *set_failed(const struct set_look *look)
{
	const struct job_row *found = NULL;

	for (size_t i = 0; i < look->n; i++) {
		const struct job_row *row = &look->members[i].row;
		bool has_failed = row->ended_us && !set_stands(row);

		if (has_failed && (!found || (found->state == JOB_CANCELLED &&
		                                     row->state != JOB_CANCELLED))) {
			found = row;
		}
	}
	return found;
}

/* Made and signed, and nothing but the set keeps it from the machine. */
static bool set_is_ready(const struct set_look *look, const struct job_row *row)
{
	const struct job *member = engine_job_by_id(look->job->engine, row->id);

	return !set_is_open(row) || row->boot_id ||
	       (member && member->phase == JOB_WAITING &&
	               !job_state_is_put_off(member->row.state) &&
	               job_step_needs(job_way(member), member->row.step).turn);
}

/* A member as the plan had it: its releases, and what was found out when they were paired. */
static bool set_forecast(const struct job *job, const struct job_row *row, struct job_forecast *ret)
{
	_cleanup_(pool_fini) struct pool pool;
	struct db *db = job->engine->parts.db;
	Control__Pairing *pairing = NULL;

	pool_init(&pool);
	*ret = (struct job_forecast){.machine_made = row->machine_made, .recipe = LINK_RECIPE};
	snprintf(ret->service, sizeof(ret->service), "%s", row->service);
	if (store_release_by_id(db, row->from_release, &ret->from) ||
	        store_release_by_id(db, row->release, &ret->to) ||
	        store_job_pairing_get(db, row->id, &pool.allocator, &pairing) < 0) {
		err_forget();
		return false;
	}
	if (pairing && pairing->id.len == sizeof(ret->pairing)) {
		job_forecast_pair(ret, pairing->id.data, pairing->n_lost);
	}
	return true;
}

/* All members are paired, so the plan of the set is whole: notes its hash. False: another one was meant. */
static bool set_is_meant(struct set_look *look, struct failure *ret_failure)
{
	struct job *job = look->job;
	const struct job_row *first = &look->members[0].row;
	struct plan_terms terms = {
	        .machine = machine_row(job->machine),
	        .kind = job->row.kind,
	        .quiescent = first->quiescent,
	        .timeout_ms = (uint32_t)first->timeout_ms,
	        .hold_ms = (uint32_t)first->hold_ms,
	};
	struct job_forecast *parts = mem_zero(look->n * sizeof(*parts));
	bool is_known = true, is_meant;

	rules_digest_about(engine_rules(job->engine), terms.machine, terms.policies);
	for (size_t i = 0; is_known && i < look->n; i++) {
		is_known = set_forecast(job, &look->members[i].row, &parts[i]);
	}
	is_meant = (is_known || !job->row.plan_expected) &&
	           job_plan_is_meant(job, &terms, parts, look->n);
	free(parts);
	if (!is_meant) {
		plan_changed(machine_row(job->machine)->name, ret_failure);
	}
	return is_meant;
}

/* The machine was asked for something, so that there may be a way to go back. */
static bool set_has_begun(const struct set_member *member)
{
	return member->row.boot_id || set_stands(&member->row) || member->back;
}

/* One that was put off may come here when some of its jobs are done. */
void job_step_ready(struct job *job)
{
	struct set_look look;
	unsigned int n_ready = 0;
	const struct job_row *failed;
	bool had_begun = false;
	struct failure failure;

	if (!set_load(job, &look)) {
		return;
	}
	failed = set_failed(&look);
	for (size_t i = 0; i < look.n; i++) {
		n_ready += set_is_ready(&look, &look.members[i].row);
		had_begun = had_begun || set_has_begun(&look.members[i]);
	}
	if ((failed || *job->row.cancel) && !had_begun) {
		set_undo(&look, failed);
	} else if (!had_begun && n_ready == look.n && !set_is_meant(&look, &failure)) {
		if (!set_cancel(&look, failure.cause)) {
			job_fail(job, JOB_REFUSED, &failure);
		}
	} else if (n_ready == look.n || failed || *job->row.cancel) {
		job_done(job, "", job_plan_write, job);
	} else {
		job_progress(job, n_ready, look.n, "");
		job_again(job, SET_AGAIN_USEC);
	}
}

/* All stand, and none is open any more. */
static void set_end_good(const struct set_look *look)
{
	struct job_end end = {.state = JOB_COMMITTED};
	char hint[80];

	snprintf(hint, sizeof(hint), "%zu services, one after the other", look->n);
	end.hint = hint;
	job_end(look->job, &end);
}

/* The first that is open has the machine; of those that are watched only, nobody. soaked: that was known already. */
static void set_go_on(struct set_look *look, bool soaked)
{
	struct job *job = look->job;
	int64_t next = 0;
	bool soaks = false;
	unsigned int n_stand = 0;

	for (size_t i = 0; i < look->n; i++) {
		const struct job_row *row = &look->members[i].row;

		next = next ? next : set_is_open(row) ? row->id : 0;
		n_stand += set_stands(row);
		soaks = soaks || !row->ended_us;
	}
	if (!soaks) {
		set_end_good(look);
		return;
	}
	job->set_soaks = !next;
	work_changed(job);
	if (next != job->set_member || job->set_soaks != soaked) {
		job->set_member = next;
		hook_point("set", "let");
		job_progress(job, n_stand, look->n, "");
		engine_wake(job->machine);
	}
	job_again(job, SET_AGAIN_USEC);
}

void job_step_set(struct job *job)
{
	struct set_look look;
	const struct job_row *failed;
	bool soaked = job->set_soaks;

	if (!set_load(job, &look)) {
		return;
	}
	failed = set_failed(&look);
	job->set_soaks = false;
	work_changed(job);
	if (failed || *job->row.cancel) {
		set_undo(&look, failed);
	} else {
		set_go_on(&look, soaked);
	}
}
