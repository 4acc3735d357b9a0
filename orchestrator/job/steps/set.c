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
 * back twice. A member that goes back by itself, since its health failed, is rolled back already; one whose service
 * runs something else by now, since somebody put it there, is left alone, and named.
 *
 * A way back waits for a machine that is not heard and for a service that does not run, as long as any job waits. One that
 * cannot be gone leaves the service where it is, for a person to look at; the others go back all the same.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/hook/hook.h"
#include "orchestrator/job/core/work.h"
#include "orchestrator/job/order/order.h"
#include "orchestrator/job/plan/plan.h"
#include "orchestrator/job/steps/priv.h"
#include "proto/image/link.h"

/* A member whose end was not told is looked for after so long. */
#define SET_AGAIN_USEC UINT64_C(30000000)
/* So often is looked whether the machine is heard again, which has a way to go back. */
#define SET_MACHINE_USEC UINT64_C(1000000)

struct set_member {
	struct job_row row;
	int64_t back; /* its way back; 0: none was asked for */
	enum job_state back_state;
	bool back_is_open;
};

struct set_look {
	struct job *job;
	struct set_member members[PLAN_SET_MAX];
	size_t n;
	/* What became of those that were to go back. */
	unsigned int n_back, n_stay, n_left;
	char stay[160], left[160]; /* services, as far as there is room */
};

/* What a service runs now, seen from a member that stands. */
enum set_at {
	SET_AT_MEMBER,    /* what it put there, or nobody knows */
	SET_AT_BEFORE,    /* what ran before it */
	SET_AT_ELSEWHERE, /* what somebody else put there */
	_SET_AT_N,
};

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

/* What it was asked for is there: it runs, whether it is watched or not. */
static bool set_stands(const struct job_row *row)
{
	return row->state == JOB_CONFIRMED || row->state == JOB_COMMITTED ||
	       (!row->ended_us && row->step == JOB_STEP_SOAK);
}

/* It was not well, and its policy did not go back, or could not. */
static bool set_runs_on(const struct job_row *row)
{
	return row->state == JOB_FAILED && row->step == JOB_STEP_SOAK;
}

static bool set_is_open(const struct job_row *row)
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

/* Members whose order was not sent end; whether one that is still open has to be waited for. */
static bool set_cancel(const struct set_look *look, const char *why)
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
	Wire__Cause *cause = NULL;

	if (store_job_outcome_get(look->job->engine->parts.db, failed->id, &outcome) < 0) {
		err_forget();
	}
	if (outcome.cause) {
		cause = wire__cause__unpack(&pool->allocator, outcome.cause_size, outcome.cause);
	}
	job_outcome_fini(&outcome);
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

static void set_end_failed(const struct set_look *look, const struct job_row *failed)
{
	_cleanup_(pool_fini) struct pool pool;
	struct job *job = look->job;
	struct job_end end = {.state = set_end_state(look, failed)};
	Wire__Cause cancelled = WIRE__CAUSE__INIT;
	char hint[sizeof(job->row.hint)];

	pool_init(&pool);
	cancelled.component = (char *)machine_row(job->machine)->name;
	cancelled.step = (char *)job_step_name(job->row.step);
	cancelled.name = "cancelled";
	cancelled.message = job->row.cancel;
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

static enum set_at set_is_at(const struct set_look *look, const struct set_member *member)
{
	const Machine__Service *service = machine_service(look->job->machine, member->row.service);
	struct release_row runs;
	int r = service ? machine_release(look->job->engine->parts.db, service, &runs) : DB_E_NONE;

	err_forget();
	if (r < 0 || machine_state(look->job->machine) != MACHINE_UP) {
		return SET_AT_MEMBER;
	}
	if (!r && runs.id == member->row.release) {
		return SET_AT_MEMBER;
	}
	return !r && runs.id == member->row.from_release ? SET_AT_BEFORE : SET_AT_ELSEWHERE;
}

/* Nothing is there any more that could go back. */
static void set_is_gone(struct set_look *look, const struct set_member *member, enum set_at at)
{
	if (at == SET_AT_BEFORE) {
		look->n_back++;
		return;
	}
	look->n_left++;
	set_name(look->left, sizeof(look->left), member->row.service);
}

/* Why nothing can be asked for its way back now, though it may be later. False: it can. */
static bool set_is_kept(
        const struct set_look *look, const struct set_member *member, char *why, size_t size)
{
	const struct machine *machine = look->job->machine;
	const Machine__Service *service = machine_service(machine, member->row.service);

	if (machine_state(machine) != MACHINE_UP) {
		snprintf(why, size, "the way back: machine %.64s does not answer",
		        machine_row(machine)->name);
		return true;
	}
	snprintf(why, size, "the way back: %.24s does not run; `luctl restart` starts it afresh",
	        member->row.service);
	return service && service->state != MACHINE__SERVICE_STATE__SERVICE_RUNNING &&
	       service->state != MACHINE__SERVICE_STATE__SERVICE_UPDATING;
}

/* The next look is what it is asked for. */
static void set_on_status(int r, void *arg)
{
}

/* What keeps its way back is waited for, whatever it is, as long as any job waits. False: no longer. */
static bool set_waits(struct set_look *look, const struct set_member *member, const char *why)
{
	struct job *job = look->job;
	int64_t until =
	        *job->row.wait_why ? job->row.wait_until_us : job_turn(job->engine).until_us;

	if (!job_waits(job, why, until)) {
		return true;
	}
	if (store_now_usec() >= job->row.wait_until_us) {
		set_stays(look, member);
		return false;
	}
	if (machine_state(job->machine) == MACHINE_UP &&
	        machine_refresh(job->machine, set_on_status, job) < 0) {
		err_forget();
	}
	job_again(job, SET_MACHINE_USEC);
	return true;
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

/* The way back of one member, if there is something to go back from. True: it is waited for. */
static bool set_begin_back(struct set_look *look, const struct set_member *member, const char *why)
{
	char kept[sizeof(look->job->row.wait_why)];
	enum set_at at = set_is_at(look, member);

	if (set_is_kept(look, member, kept, sizeof(kept))) {
		return set_waits(look, member, kept);
	}
	if (at != SET_AT_MEMBER) {
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
	} else if (set_runs_on(&member->row) && set_is_at(look, member) == SET_AT_MEMBER) {
		set_stays(look, member);
	} else if (set_runs_on(&member->row)) {
		set_is_gone(look, member, set_is_at(look, member));
	} else if (member->row.state == JOB_ROLLED_BACK) {
		look->n_back++;
	}
	return false;
}

/* Something failed, or somebody ended the set. The reason is the same at each look. */
static void set_undo(struct set_look *look, const struct job_row *failed)
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
	_cleanup_(freep) uint8_t *packed = NULL;
	struct db *db = job->engine->parts.db;
	const Control__Pairing *pairing = NULL;
	size_t size = 0;

	pool_init(&pool);
	*ret = (struct job_forecast){.machine_made = row->machine_made, .recipe = LINK_RECIPE};
	snprintf(ret->service, sizeof(ret->service), "%s", row->service);
	if (store_release_by_id(db, row->from_release, &ret->from) ||
	        store_release_by_id(db, row->release, &ret->to) ||
	        store_job_pairing_get(db, row->id, &packed, &size)) {
		err_forget();
		return false;
	}
	if (packed) {
		pairing = control__pairing__unpack(&pool.allocator, size, packed);
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
	        .policies = rules_version(engine_rules(job->engine))->digest,
	};
	struct job_forecast *parts = mem_zero(look->n * sizeof(*parts));
	bool is_known = true, is_meant;

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
