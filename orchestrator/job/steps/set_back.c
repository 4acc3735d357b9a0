/*
 * A set that goes back. What is done of it is found out anew from the record at each look (set.c), and so is what has
 * to go back, the last one first. A member that goes back by itself, since its health failed, is rolled back already; one
 * whose service runs something else by now, since somebody put it there, is left alone, and named.
 *
 * A way back that cannot be asked for yet is waited for (back.c). One that cannot be gone leaves the service where it is,
 * for a person to look at; the others go back all the same.
 */
#include "orchestrator/job/steps/set.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/base/log.h"
#include "orchestrator/hook/hook.h"
#include "orchestrator/job/core/work.h"
#include "orchestrator/job/steps/priv.h"

/* It was not well, and its policy did not go back, or could not. */
static bool set_runs_on(const struct job_row *row)
{
	return row->state == JOB_FAILED && row->step == JOB_STEP_SOAK;
}

bool set_cancel(const struct set_look *look, const char *why)
{
	bool waits = false;

	for (size_t i = look->n; i-- > 0;) {
		struct job *member = engine_job_by_id(look->job->engine, look->members[i].row.id);

		if (!member || !set_is_open(&member->row)) {
			continue;
		}
		if (member->row.boot_id || member->phase == JOB_STALLED ||
		        !job_state_may_become(member->row.state, JOB_CANCELLED)) {
			waits = true;
			continue;
		}
		snprintf(member->row.cancel, sizeof(member->row.cancel), "%s", why);
		hook_point("set", "cancel");
		job_cancel(member);
	}
	return waits;
}

/* The member's words for why it ended, in the set's pool. */
static Wire__Cause *set_cause(
        const struct set_look *look, const struct job_row *failed, struct pool *pool)
{
	struct job_outcome outcome = {0};
	Wire__Cause *cause;

	if (store_job_outcome_get(
	            look->job->engine->parts.db, failed->id, &pool->allocator, &outcome) < 0) {
		err_forget();
	}
	cause = outcome.cause;
	if (!cause) {
		cause = pool_zero(pool, sizeof(*cause));
		wire__cause__init(cause);
		cause->component = cause->step = cause->name = "";
		cause->message = (char *)job_state_name(failed->state);
	}
	cause->message = pool_format(pool, "%.24s is %s: %.200s", failed->service,
	        job_state_name(failed->state), cause->message);
	return cause;
}

/* How a set ends that is not done, by what failed and by what became of the others. */
static enum job_state set_end_state(const struct set_look *look, const struct job_row *failed)
{
	if (failed && failed->state == JOB_INCONSISTENT) {
		return JOB_INCONSISTENT;
	}
	if (look->n_stay) {
		return JOB_FAILED;
	}
	if (*look->job->row.cancel) {
		return JOB_CANCELLED;
	}
	if (look->n_back) {
		return JOB_ROLLED_BACK;
	}
	return failed->state == JOB_SUPERSEDED &&
	                       !job_state_may_become(look->job->row.state, JOB_SUPERSEDED)
	               ? JOB_CANCELLED
	               : failed->state;
}

/* Of one that was ended: by whom, or by what. */
static void set_cause_ended(const struct job *job, struct pool *pool, Wire__Cause *ret)
{
	bool is_expired = job_is_expired(job);

	wire__cause__init(ret);
	ret->component = (char *)machine_row(job->machine)->name;
	ret->step = (char *)job_step_name(job->row.step);
	ret->name = is_expired ? "expired" : "cancelled";
	ret->message =
	        is_expired ? pool_format(pool, "in the middle of it, it was %s", job->row.cancel)
	                   : (char *)job->row.cancel;
}

static void set_end_failed(const struct set_look *look, const struct job_row *failed)
{
	_cleanup_(pool_fini) struct pool pool;
	struct job *job = look->job;
	struct job_end end = {.state = set_end_state(look, failed)};
	Wire__Cause cancelled;
	char hint[sizeof(job->row.hint)];
	size_t len;

	pool_init(&pool);
	set_cause_ended(job, &pool, &cancelled);
	if (look->n_stay) {
		snprintf(hint, sizeof(hint),
		        "what could not go back runs on: %.120s; `luctl job show %" PRId64
		        "` shows why",
		        look->stay, job->row.id);
	} else if (look->n_back) {
		snprintf(hint, sizeof(hint), "%u of %zu services had it, and went back%s%.120s",
		        look->n_back, look->n,
		        look->n_left ? "; left alone, since somebody updated it: " : "",
		        look->left);
	} else if (look->n_left) {
		snprintf(hint, sizeof(hint), "left alone, since somebody updated it: %.120s",
		        look->left);
	} else {
		snprintf(hint, sizeof(hint), "none of its %zu services was changed%s%.180s",
		        look->n, failed && *failed->hint ? "; " : "", failed ? failed->hint : "");
	}
	len = strlen(hint);
	if (job_is_expired(job) && !look->n_stay) {
		snprintf(hint + len, sizeof(hint) - len,
		        "; ask for it again, or see that it is released in time");
	}
	end.hint = hint;
	end.cause = *job->row.cancel ? &cancelled : set_cause(look, failed, &pool);
	job_end(job, &end);
}

static void set_name(char *list, size_t size, const char *service)
{
	size_t len = strlen(list);

	snprintf(list + len, size - len, "%s%s", len ? ", " : "", service);
}

static void set_stays(struct set_look *look, const struct set_member *member)
{
	look->n_stay++;
	set_name(look->stay, sizeof(look->stay), member->row.service);
}

/* Nothing is there any more that could go back. */
static void set_is_gone(struct set_look *look, const struct set_member *member, enum back_at at)
{
	if (at == BACK_AT_BEFORE) {
		look->n_back++;
		return;
	}
	look->n_left++;
	set_name(look->left, sizeof(look->left), member->row.service);
}

/* False: the record cannot be written. */
static bool set_waits_no_more(struct job *job)
{
	bool waited = *job->row.wait_why;

	job_row_wait(&job->row, NULL);
	return !waited || job_save(job);
}

/* Asks for the way back of one member. True: it is under way, or waited for. */
static bool set_ask_back(struct set_look *look, const struct set_member *member, const char *why)
{
	struct job *job = look->job;
	struct job_asked asked = {.who = access_lud(job->row.id), .reason = why, .request_id = ""};
	struct job_order order =
	        job_order_of(JOB_ROLLBACK, job->machine, member->row.service, &asked);
	struct failure failure;
	int64_t id;
	int r;

	order.layout = "";
	order.parent = job->row.id;
	order.to_release = member->row.from_release;
	order.spares = true;
	hook_point("set", "back");
	if (!set_waits_no_more(job)) {
		return true;
	}
	r = engine_plan(job->engine, &order, &id, &failure);
	if (r < 0) {
		err_forget();
		job_again(job, SET_MACHINE_USEC);
		return true;
	}
	if (r) {
		log_warn("job %" PRId64 ": %s does not go back: %s", job->row.id,
		        member->row.service, failure.cause);
		set_stays(look, member);
		return false;
	}
	hook_point("set", "asked");
	job_again(job, SET_AGAIN_USEC);
	return true;
}

/*
 * The way back of one member, if there is something to go back from. True: it is waited for. In vain only once: those that
 * go back after it would each have it waited for anew.
 */
static bool set_begin_back(struct set_look *look, const struct set_member *member, const char *why)
{
	_Static_assert(PLAN_SET_MAX <= 32, "a bit for each");
	uint32_t bit = UINT32_C(1) << (member - look->members);
	enum back_way way = look->job->set_shut & bit
	                            ? BACK_IS_SHUT
	                            : job_back_way(look->job, member->row.service);
	enum back_at at = job_back_at(look->job, &member->row);

	if (way == BACK_IS_AWAITED) {
		return true;
	}
	if (way == BACK_IS_SHUT) {
		look->job->set_shut |= bit;
		set_stays(look, member);
		return false;
	}
	if (at != BACK_AT_UPDATE) {
		set_is_gone(look, member, at);
		return false;
	}
	return set_ask_back(look, member, why);
}

/* One member's way back. True: it is to be waited for. */
static bool set_go_back(struct set_look *look, const struct set_member *member, const char *why)
{
	if (member->back_is_open) {
		job_again(look->job, SET_AGAIN_USEC);
		return true;
	}
	if (member->back &&
	        (member->back_state == JOB_CONFIRMED || member->back_state == JOB_COMMITTED)) {
		look->n_back++;
	} else if (member->back) {
		set_stays(look, member);
	} else if (set_stands(&member->row)) {
		return set_begin_back(look, member, why);
	} else if (set_runs_on(&member->row) &&
	           job_back_at(look->job, &member->row) == BACK_AT_UPDATE) {
		set_stays(look, member);
	} else if (set_runs_on(&member->row)) {
		set_is_gone(look, member, job_back_at(look->job, &member->row));
	} else if (member->row.state == JOB_ROLLED_BACK) {
		look->n_back++;
	}
	return false;
}

void set_undo(struct set_look *look, const struct job_row *failed)
{
	struct job *job = look->job;
	char why[sizeof(job->row.reason)];

	if (*job->row.cancel) {
		snprintf(why, sizeof(why), "its set was %s", job->row.cancel);
	} else {
		snprintf(why, sizeof(why), "%s of its set is %s, job %" PRId64, failed->service,
		        job_state_name(failed->state), failed->id);
	}
	if (set_cancel(look, why)) {
		job_again(job, SET_AGAIN_USEC);
		return;
	}
	/* Those that were cancelled just now have changed nothing. */
	if (!job->set_goes_back) {
		job->set_goes_back = true;
		engine_wake(job->machine);
	}
	for (size_t i = look->n; i-- > 0;) {
		if (set_go_back(look, &look->members[i], why)) {
			return;
		}
	}
	set_end_failed(look, failed);
}
