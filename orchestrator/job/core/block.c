/*
 * Releases that plain updates pass by. A release that was rolled back, by an operator or
 * by the machine, would be the newest one again at the next `luctl update`; so the end of
 * such a job blocks it. A job that goes to it and commits lifts the block: somebody named it. One
 * that was asked for before the release was blocked does not: nobody knew by then.
 *
 * A release whose health failed is blocked by the step soak; how the job of such an update ends says nothing
 * more.
 *
 * An update that ended before the new release was given the state (verify, create,
 * prepare, or out of time in pair) tells nothing against the release: the machine was
 * busy, or memory short.
 */
#include <inttypes.h>
#include <string.h>

#include "orchestrator/job/core/priv.h"

/* Whom the end of an update is held against; the steps have it in proto/words/steps.def. */
enum blame {
	BLAME_NOTHING,
	BLAME_UNLESS_LATE,
	BLAME_RELEASE,
	_BLAME_N,
};

/*
 * What the end of an update says of the release, by the step where it ended. A step that this lud
 * does not know, of a newer machine, is held against the release: to pass one by in error costs a
 * word of the operator, to take a bad one again costs the service.
 */
static bool block_is_its_fault(const Wire__Cause *cause)
{
	static const struct {
		const char *step;
		enum blame blame;
	} steps[] = {
#define STEP(name, word, blame) {word, BLAME_##blame},
#include "proto/words/steps.def"
#undef STEP
	};

	for (size_t i = 0; cause && i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (!strcmp(cause->step, steps[i].step)) {
			return steps[i].blame == BLAME_RELEASE ||
			       (steps[i].blame == BLAME_UNLESS_LATE &&
			               strcmp(cause->name, "E_TIMEOUT"));
		}
	}
	return true;
}

/* The machine undid the update: it runs another release than the one that was to come. */
static int block_undone(struct db *db, const struct job *job, const struct job_end *end)
{
	const Machine__Service *service = machine_service(job->machine, job->row.service);
	struct release_row release;
	char why[sizeof(release.blocked_why)];
	int r = store_release_by_id(db, job->row.release, &release);

	if (r) {
		return err_fold(r);
	}
	/*
	 * What runs now is the release itself: then it was another layout of it that was undone,
	 * and the release is in use.
	 */
	if (!service || service->release_id.len != sizeof(release.release_id) ||
	        !memcmp(service->release_id.data, release.release_id, sizeof(release.release_id)) ||
	        !block_is_its_fault(end->cause)) {
		return 0;
	}
	snprintf(why, sizeof(why), "the machine rolled it back: %.120s",
	        end->cause ? end->cause->message : "it did not say why");
	return err_up(store_release_block(db, release.id, job->row.id, why));
}

/* An operator went back from a release to an earlier one. */
static int block_left(struct db *db, const struct job *job)
{
	struct generation_row from;
	struct release_row left, target;
	char why[sizeof(left.blocked_why)];
	int r = store_generation_find(
	        db, job->row.machine, job->row.service, job->row.from_generation, &from);

	if (r == DB_E_NONE) {
		return 0;
	}
	if (!r) {
		r = store_release_by_id(db, from.release, &left);
	}
	if (!r) {
		r = store_release_by_id(db, job->row.release, &target);
	}
	/* To a newer release, or to the same: that is no step back, whatever it is called. */
	if (r || !store_release_is_later(&left, &target)) {
		return err_fold(r);
	}
	snprintf(why, sizeof(why), "rolled back for %.60s%s%.80s", job->row.identity,
	        *job->row.reason ? ": " : "", job->row.reason);
	return err_up(store_release_block(db, left.id, job->row.id, why));
}

/*
 * The release runs, and was asked for when it was blocked already. By its rollout it runs although it failed elsewhere: that
 * says nothing of where it failed.
 */
static int block_lift(struct db *db, const struct job *job)
{
	struct release_row release;
	int r = store_release_by_id(db, job->row.release, &release);

	if (r || release.blocked_us > job->row.created_us ||
	        rollouts_spares(
	                engine_rollouts(job->engine), machine_row(job->machine), &release)) {
		return err_fold(r);
	}
	return err_up(store_release_block(db, release.id, 0, NULL));
}

int job_block(struct db *db, const struct job *job, const struct job_end *end)
{
	int r;

	if ((job->row.kind != JOB_UPDATE && job->row.kind != JOB_ROLLBACK) ||
	        job->row.step == JOB_STEP_SOAK) {
		return 0;
	}
	if (job->row.kind == JOB_UPDATE && end->state == JOB_ROLLED_BACK) {
		return err_up(block_undone(db, job, end));
	}
	if (end->state != JOB_CONFIRMED && end->state != JOB_COMMITTED) {
		return 0;
	}
	r = block_lift(db, job);
	if (!r && job->row.kind == JOB_ROLLBACK && !job->row.spares) {
		r = block_left(db, job);
	}
	return err_up(r);
}
