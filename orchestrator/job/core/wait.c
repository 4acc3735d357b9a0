/*
 * States of open jobs, and what keeps one waiting: its turn, the machine, or that it was put off. All of it is
 * in the record, with a deadline, so that a person sees why nothing happens, and that it will not be
 * so for ever.
 *
 *   its turn       other jobs of the machine go first. Until update.wait_timeout; it is looked at whenever one
 *                  of them ends
 *   its set        other jobs of it go first, or it has not begun. Whatever ends that ends the set: the deadline moves on
 *   the machine    does not answer: the limit of the step is the deadline (limit.c)
 *   put off        SCHEDULED or HELD, by engine_hold() or by the gate: until it is released, until the gate
 *                  lets it go on at one of its looks, or until its deadline
 *
 *     any step before its order is sent ---job_put_off---> SCHEDULED, HELD ---job_go_on---> the same step
 *                                                             |   ^ |
 *     order, and run: back to stage, where files that others  |   '-' a look: the gate says so again
 *     had dropped are sent again                              '-----> EXPIRED
 *
 * A job that is put off has no turn, no timer but its look, and nothing that was asked for answers any more: as
 * if lud had ended there. Others of its service go on. A set that has to go back is put off by nobody.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/base/log.h"
#include "orchestrator/hook/hook.h"
#include "orchestrator/job/core/priv.h"

static const char wait_turn[] = "its turn";
static const char wait_set[] = "its set, which lets one job after the other have the machine";

/* No rule has the move. What is known of the job cannot be trusted, so nothing is made of it. */
void job_defect(struct job *job, enum job_state to)
{
	struct failure failure;

	failure_set(&failure, "defect", machine_row(job->machine)->name,
	        "`luctl status` shows what runs; please report this with the log of lud",
	        "job %" PRId64 " was to go from %s to %s in step %s, which no rule allows",
	        job->row.id, job_state_name(job->row.state), job_state_name(to),
	        job_step_name(job->row.step));
	log_error("%s", failure.cause);
	job_fail(job, JOB_INCONSISTENT, &failure);
}

bool job_wait_is_turn(const struct job_row *row)
{
	return !strcmp(row->wait_why, wait_turn);
}

struct job_wait job_turn(const struct engine *engine)
{
	int64_t until = store_now_usec() + (int64_t)engine->parts.config->wait_timeout_usec;

	return (struct job_wait){.why = wait_turn, .until_us = until, .look_us = until};
}

bool job_set_state(struct job *job, enum job_state to)
{
	struct job_wait wait = job_turn(job->engine);

	work_changed(job);
	if (job_row_move(&job->row, to, &wait, store_now_usec())) {
		return true;
	}
	job_defect(job, to);
	return false;
}

void job_wait_begin(struct job *job)
{
	struct job_wait wait = job_turn(job->engine);

	job_row_wait(&job->row, &wait);
}

bool job_wait_at(struct job *job, enum job_step step)
{
	if (!job_set_state(job, job_state_before(job_way(job), step))) {
		return false;
	}
	job_wait_begin(job);
	return true;
}

bool job_waits(struct job *job, const char *why, int64_t until_us)
{
	struct job_wait wait = {.why = why, .until_us = until_us, .look_us = until_us};

	if (!strcmp(job->row.wait_why, why)) {
		return true;
	}
	job_row_wait(&job->row, &wait);
	return job_save(job);
}

/* At the next look, or at the deadline; at once when that has passed. */
static void wait_arm(struct job *job)
{
	int64_t now = store_now_usec();
	int64_t at = job->row.wait_look_us;
	int64_t usec = at > now ? at - now : 0;
	struct timeval pause = {usec / 1000000, usec % 1000000};

	evtimer_add(job->look, &pause);
}

/* It has the machine for itself: in memory, or, over a restart, by an order that was sent. */
static bool wait_has_machine(const struct job *job)
{
	return job->turn || job->row.boot_id;
}

/* Only the machine's turn keeps it from its next step, as far as jobs are concerned. */
static bool wait_wants_turn(const struct job *job)
{
	return job->phase == JOB_WAITING && job_step_needs(job_way(job), job->row.step).turn &&
	       !job_set_keeps(job);
}

/*
 * It has given the machine to others, by itself or with its set, or is only watched: not before its soak has begun,
 * which waits for the disk.
 */
static bool wait_bars_nobody(const struct job *job)
{
	return job_state_is_put_off(job->row.state) || job_set_is_put_off(job) ||
	       (!job->turn && (job->row.step == JOB_STEP_SOAK || job_only_soaks(job)));
}

/*
 * An update of a service follows the one before it also where that stands in a set that has begun, however that is put
 * off: passing by it would be undone when the set goes on (plan/supersede.c).
 */
static bool wait_follows_set(const struct job *job, const struct job *other)
{
	return job->row.kind == JOB_UPDATE && other->row.kind == JOB_UPDATE &&
	       other->row.id < job->row.id && !strcmp(other->row.service, job->row.service) &&
	       !wait_has_machine(other) && job_set(other) &&
	       job_set_has_begun(job->engine, other->row.parent);
}

/* What it has asked for is in the machine, and it asks that for nothing itself: it only looks, whoever has the machine. */
static bool wait_only_looks(const struct job *job)
{
	struct job_step_needs needs = job_step_needs(job_way(job), job->row.step);

	return !needs.turn && !needs.session && job_class(job->row.state) == JOB_CLASS_RUNS;
}

/*
 * Whether another job must go first. Jobs of one service follow each other, and all follow a start; of those that
 * want the machine for themselves one gets it, and keeps it. Who is first is one order for both, or two
 * jobs could wait for each other.
 */
bool job_must_wait(const struct job *job)
{
	bool needs_turn = job_step_needs(job_way(job), job->row.step).turn;
	const struct job *other;

	if (job_set_keeps(job)) {
		return true;
	}
	if (wait_only_looks(job)) {
		return false;
	}
	for (other = work_first(job->machine); other; other = work_next(other)) {
		bool same = !strcmp(other->row.service, job->row.service) ||
		            other->row.kind == JOB_START;

		if (other == job || (wait_bars_nobody(other) && !wait_follows_set(job, other))) {
			continue;
		}
		if (needs_turn && !job->turn &&
		        (other->turn || (other->row.boot_id && !job->row.boot_id))) {
			return true;
		}
		if (!wait_has_machine(job) &&
		        (same ? wait_has_machine(other) || job_goes_before(&other->row, &job->row)
		              : needs_turn && wait_wants_turn(other) &&
		                                job_goes_before(&other->row, &job->row))) {
			return true;
		}
	}
	return false;
}

void job_wait_turn(struct job *job)
{
	const char *why = job_set_keeps(job) ? wait_set : wait_turn;

	if (job_waits(job, why, job_turn(job->engine).until_us)) {
		wait_arm(job);
	}
}

/* Its deadline passed while it was put off, or while others went first. */
static void wait_expire(struct job *job)
{
	bool is_put_off = job_state_is_put_off(job->row.state);
	struct failure failure;

	failure_set(&failure, "expired", machine_row(job->machine)->name,
	        is_put_off
	                ? "ask for it again, or see that it is released in time"
	                : "ask for it again when the others are through: `luctl jobs` lists them",
	        is_put_off ? "it was %s until its deadline: %s"
	                   : "it was %s until its deadline, and waited for %s",
	        job_state_name(job->row.state), job->row.wait_why);
	job_fail(job, JOB_EXPIRED, &failure);
}

/* Whether it may be put off, and at which step it stands then. */
static bool wait_may_be_put_off(const struct job *job, enum job_step *ret_step)
{
	*ret_step = job_step_put_off(job_way(job), job->row.step);
	return !job->row.boot_id && *ret_step != JOB_STEP_PLAN && job->phase != JOB_STALLED &&
	       !job_set_is_to_end(job);
}

/* A turn that it gets at the next look of the loop is not waited for. */
const char *engine_job_waits(const struct engine *engine, int64_t id)
{
	const struct job *job = engine_job_by_id(engine, id);

	if (!job || !*job->row.wait_why ||
	        (!strcmp(job->row.wait_why, wait_turn) && !job_must_wait(job))) {
		return NULL;
	}
	return job->row.wait_why;
}

void engine_count_jobs(const struct engine *engine, uint32_t *ret_open, uint32_t *ret_waiting)
{
	const struct job *job;

	*ret_open = *ret_waiting = 0;
	TAILQ_FOREACH(job, &engine->jobs, link)
	{
		*ret_open += 1;
		*ret_waiting += engine_job_waits(engine, job->row.id) != NULL;
	}
}

void engine_tally_jobs(const struct engine *engine, struct jobs_tally *ret_tally)
{
	struct jobs_tally tally = {0};
	const struct job *job;

	TAILQ_FOREACH(job, &engine->jobs, link)
	{
		int64_t since = job->row.state_us ? job->row.state_us : job->row.created_us;

		tally.in[job->row.state]++;
		if (engine_job_waits(engine, job->row.id) &&
		        (!tally.waits_since_us || since < tally.waits_since_us)) {
			tally.waits_since_us = since;
		}
	}
	*ret_tally = tally;
}

/*
 * Also for one that is put off already, with other words or another time. False: the record could not be
 * written, or there is no job any more.
 */
static bool wait_put_off(struct job *job, enum job_step step, const struct job_hold *hold)
{
	struct job_wait wait = {hold->why, hold->until_us,
	        hold->look_us < hold->until_us ? hold->look_us : hold->until_us};
	bool is_news = job->row.state != hold->state || job->row.by_hand != hold->by_hand ||
	               strcmp(job->row.wait_why, hold->why) != 0 ||
	               job->row.wait_until_us != wait.until_us ||
	               job->row.wait_look_us != wait.look_us;

	work_changed(job);
	if (!job_row_move(&job->row, hold->state, &wait, store_now_usec())) {
		job_defect(job, hold->state);
		return false;
	}
	job->row.step = step;
	job->row.by_hand = hold->by_hand;
	job_settle_calls(job);
	job_limit_end(job);
	job->turn = false;
	if (job->phase == JOB_WORKING || job->phase == JOB_BEGINNING) {
		job_set_phase(job, JOB_WAITING);
	}
	hook_point("hold", "did");
	if (is_news && !job_save(job)) {
		return false;
	}
	hook_point("hold", "end");
	if (is_news) {
		char text[240];

		log_info("job %" PRId64 " is %s: %s", job->row.id, job_state_name(hold->state),
		        hold->why);
		snprintf(text, sizeof(text), "job %" PRId64 " is %s: %s", job->row.id,
		        job_state_name(hold->state), hold->why);
		job_notice(job, text);
	}
	wait_arm(job);
	engine_wake(job->machine);
	return true;
}

/* It waits for its turn, in the state of its step. */
static bool wait_go_on(struct job *job)
{
	job_place_wait(job, NULL);
	job->row.by_hand = false;
	if (!job_wait_at(job, job->row.step)) {
		return false;
	}
	hook_point("release", "did");
	if (!job_save(job)) {
		return false;
	}
	hook_point("release", "end");
	log_info("job %" PRId64 " goes on in step %s", job->row.id, job_step_name(job->row.step));
	evtimer_del(job->look);
	return true;
}

/* How what ends a set at its deadline begins, for people, and for job_is_expired(). */
static const char wait_deadline[] = "until its deadline: ";

bool job_is_expired(const struct job *set)
{
	const char *at = strchr(set->row.cancel, ' ');

	return at && !strncmp(at + 1, wait_deadline, strlen(wait_deadline));
}

/*
 * The deadline of a set of which the machine was asked for something: it goes back, as if somebody had ended it. False: it
 * is none.
 */
static bool wait_undo(struct job *job)
{
	if (job->row.kind != JOB_SET || !job_set_has_begun(job->engine, job->row.id)) {
		return false;
	}
	if (!*job->row.cancel) {
		snprintf(job->row.cancel, sizeof(job->row.cancel), "%.20s %s%.100s",
		        job_state_name(job->row.state), wait_deadline, job->row.wait_why);
	}
	if (wait_go_on(job)) {
		job_kick(job);
	}
	return true;
}

/* Whether somebody said how it is put off; of a job whose order was sent nobody is asked. */
static bool wait_gate_says(struct job *job, enum job_step *ret_step, struct job_hold *ret_hold)
{
	struct engine *engine = job->engine;
	bool is_shut = wait_may_be_put_off(job, ret_step) && engine->gate &&
	               !engine->gate(&job->row, ret_hold, engine->gate_arg);

	job_place_wait(job, is_shut ? ret_hold->limit : NULL);
	return is_shut;
}

bool job_gate_is_open(struct job *job)
{
	struct job_hold hold = {.state = JOB_HELD};
	enum job_step step;

	if (job_state_is_put_off(job->row.state) && job_set_is_to_end(job)) {
		if (wait_go_on(job)) {
			job_kick(job);
		}
		return false;
	}
	if (job_state_is_put_off(job->row.state)) {
		/* A look that is due now, since its gate changed, is not put off to the one that was set before. */
		if (!evtimer_pending(job->look, NULL)) {
			wait_arm(job);
		}
		return false;
	}
	if (wait_gate_says(job, &step, &hold)) {
		(void)wait_put_off(job, step, &hold);
		return false;
	}
	return true;
}

/*
 * One that is put off: the gate may let it go on, or say anew how it waits. One that a person put off is not
 * asked about before it goes on: a scheduled one when its time has come, a held one when it is released.
 */
static void wait_look(struct job *job)
{
	bool is_time = store_now_usec() >= job->row.wait_look_us;
	struct job_hold hold = {.state = JOB_HELD};
	enum job_step step;

	if (!job->row.by_hand && wait_gate_says(job, &step, &hold)) {
		(void)wait_put_off(job, step, &hold);
	} else if (!job->row.by_hand || (is_time && job->row.state == JOB_SCHEDULED)) {
		if (wait_go_on(job)) {
			job_kick(job);
		}
	} else {
		job->row.wait_look_us = is_time ? job->row.wait_until_us : job->row.wait_look_us;
		if (!is_time || job_save(job)) {
			wait_arm(job);
		}
	}
}

/* The deadline counts only for one that cannot go on: lud may have been away meanwhile. */
void job_on_look(evutil_socket_t fd, short what, void *arg)
{
	struct job *job = arg;
	bool is_put_off = job_state_is_put_off(job->row.state);

	job_check(job);
	if (job->phase != JOB_WAITING || (!is_put_off && !job_must_wait(job))) {
		job_kick(job);
		return;
	}
	if (store_now_usec() >= job->row.wait_until_us && job_set_keeps(job) && !is_put_off) {
		job_wait_begin(job);
		job_wait_turn(job);
	} else if (store_now_usec() >= job->row.wait_until_us && wait_undo(job)) {
		/* It goes on, or stalls. */
	} else if (store_now_usec() >= job->row.wait_until_us) {
		wait_expire(job);
	} else if (is_put_off) {
		wait_look(job);
	} else {
		wait_arm(job);
	}
}

void engine_gate(struct engine *engine, job_gate_fn fn, void *arg)
{
	engine->gate = fn;
	engine->gate_arg = arg;
	engine_gate_changed(engine);
}

/* Only sets timers: whoever calls may be in the middle of a job's step. */
void engine_gate_changed(struct engine *engine)
{
	static const struct timeval now = {0, 0};
	struct job *job;

	TAILQ_FOREACH(job, &engine->jobs, link)
	{
		if (job_state_is_put_off(job->row.state)) {
			evtimer_add(job->look, &now);
		} else {
			job_kick(job);
		}
	}
}

static struct job *wait_open_job(struct engine *engine, int64_t id, struct failure *ret_failure)
{
	struct job *job = engine_job_by_id(engine, id);

	if (!job) {
		failure_set(ret_failure, "no-job", "job", "`luctl jobs` lists them",
		        "there is no open job %" PRId64, id);
	}
	return job;
}

int engine_stands_still(struct engine *engine, int64_t id, struct failure *ret_failure)
{
	const struct job *job = engine_job_by_id(engine, id);

	if (!job || job->phase != JOB_STALLED) {
		return 0;
	}
	failure_set(ret_failure, "stalled", "job", "ask again when `luctl status` shows no trouble",
	        "job %" PRId64 " stands still until the record can be written", id);
	return ENGINE_E_REFUSED;
}

int engine_hold(
        struct engine *engine, int64_t id, const struct job_hold *hold, struct failure *ret_failure)
{
	struct job *job = wait_open_job(engine, id, ret_failure);
	struct job_hold by_hand = *hold;
	enum job_step step;

	assert(job_state_is_put_off(hold->state));
	by_hand.by_hand = true;
	if (!job || engine_stands_still(engine, id, ret_failure)) {
		return ENGINE_E_REFUSED;
	}
	job_check(job);
	if (!wait_may_be_put_off(job, &step)) {
		failure_set(ret_failure, "too-late", "job",
		        "wait for its end: `luctl jobs` shows it",
		        "job %" PRId64 " is %s in step %s and cannot be put off", id,
		        job_state_name(job->row.state), job_step_name(job->row.step));
		return ENGINE_E_REFUSED;
	}
	job_place_wait(job, NULL);
	(void)wait_put_off(job, step, &by_hand);
	return engine_stands_still(engine, id, ret_failure);
}

int engine_release(struct engine *engine, int64_t id, struct failure *ret_failure)
{
	struct job *job = wait_open_job(engine, id, ret_failure);

	if (!job || engine_stands_still(engine, id, ret_failure)) {
		return ENGINE_E_REFUSED;
	}
	if (!job_state_is_put_off(job->row.state)) {
		failure_set(ret_failure, "not-held", "job", "`luctl jobs` shows where it stands",
		        "job %" PRId64 " is not put off: it is %s", id,
		        job_state_name(job->row.state));
		return ENGINE_E_REFUSED;
	}
	if (wait_go_on(job)) {
		job_kick(job);
	}
	return engine_stands_still(engine, id, ret_failure);
}
