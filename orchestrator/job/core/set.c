/*
 * Jobs of a set. A set is a job without a service of its own: its members are jobs as any others, planned with it in one
 * transaction, and found again as its children, the oldest first. Nothing of a set is in memory that its step
 * (steps/set.c) does not find out anew from the record.
 *
 *   the set waits, or is put off      its members wait for it
 *   the set is in step ready          members are paired, made and signed, and wait before the first step that needs
 *                                     the machine for itself
 *   the set is in step set            one member at a time has the machine: ->set_member
 *   one of them failed, or somebody   the set goes back, and cannot be put off any more; one that is goes on
 *   ends the set
 *   the set is over                   members that were not sent end as CANCELLED
 *
 * So nothing is asked of the machine before all members are ready, and the end of one member is looked at by the set before
 * the next one goes on.
 */
#include "orchestrator/job/core/set.h"

#include "orchestrator/job/core/job.h"
#include "orchestrator/job/core/work.h"

struct job *job_set(const struct job *job)
{
	struct job *set = job->row.parent ? engine_job_by_id(job->engine, job->row.parent) : NULL;

	return set && set->row.kind == JOB_SET ? set : NULL;
}

static bool set_needs_turn(const struct job *job)
{
	return job_step_needs(job_way(job), job->row.step).turn;
}

/* Over a restart an order that was sent says who has the machine. */
static bool set_has_machine(const struct job *job)
{
	return job->turn || job->row.boot_id;
}

bool job_set_keeps(const struct job *job)
{
	const struct job *set = job_set(job);

	if (!set || set_has_machine(job) || set->set_goes_back) {
		return false;
	}
	return job_state_is_put_off(set->row.state) || set->row.state == JOB_APPROVED ||
	       (set_needs_turn(job) &&
	               (set->row.step != JOB_STEP_SET || set->set_member != job->row.id));
}

bool job_set_prepares(const struct job *job)
{
	return job_set(job) && !set_needs_turn(job);
}

bool job_set_is_put_off(const struct job *job)
{
	const struct job *set = job_set(job);

	return set && job_state_is_put_off(set->row.state) && !set_has_machine(job);
}

/* Children of other kinds of jobs go on without them. */
bool job_set_is_over(const struct job *job)
{
	struct job_row set;

	if (!job->row.parent || engine_job_by_id(job->engine, job->row.parent)) {
		return false;
	}
	if (store_job_find(job->engine->parts.db, job->row.parent, &set) != 0) {
		err_forget();
		return false;
	}
	return set.kind == JOB_SET;
}

static int set_count_sent(const struct job_row *row, void *arg)
{
	unsigned int *n = arg;

	*n += row->boot_id != 0;
	return 0;
}

/* What cannot be read may have been sent. */
bool job_set_has_begun(const struct engine *engine, int64_t set)
{
	unsigned int n = 0;

	if (store_job_each_child(engine->parts.db, set, set_count_sent, &n) < 0) {
		err_forget();
		return true;
	}
	return n > 0;
}

static int set_find_failed(const struct job_row *row, void *arg)
{
	bool *has_failed = arg;

	*has_failed = *has_failed ||
	              (row->ended_us && row->state != JOB_CONFIRMED && row->state != JOB_COMMITTED);
	return 0;
}

bool job_set_is_to_end(const struct job *set)
{
	bool is_to_end = *set->row.cancel != '\0';

	if (set->row.kind != JOB_SET) {
		return false;
	}
	if (store_job_each_child(set->engine->parts.db, set->row.id, set_find_failed, &is_to_end) <
	        0) {
		err_forget();
	}
	return is_to_end;
}

void job_set_tell(const struct job *job)
{
	struct job *set = job_set(job);

	if (set && set->phase == JOB_WORKING) {
		job_again(set, 0);
	}
}
