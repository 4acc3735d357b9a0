/*
 * The step between the check of an update and its confirm, where a policy has updates watched: lud looks now and
 * then whether the service is well, until it was so for as long as the policy says. The job has no turn meanwhile: a soak may
 * last for days, and its machine has other work. It is not confirmed before that, so the machine's floor is still
 * what it was, and the release before may run again.
 *
 *     a look --- well, for long enough ---------> confirm
 *        |  `--- well, or not known ------------> the next look
 *        |  `--- not known until `healthy` -----.
 *        |  `--- a gate failed -----------------+--> verdict and block are recorded
 *        |                                      |      `-- automatic: machine and service are waited for (back.c), a rollback
 *        |                                      |          is planned, and its end awaited
 *        |                                      |               good: ROLLED_BACK    else: FAILED
 *        |                                      |      `-- else: FAILED
 *         `--- another boot, or another release: COMMITTED, and nobody knows whether it was well
 *
 * A look comes at its time, or when the machine says that something befell the service (engine.c). Each is by a whole status,
 * and ends before the next one begins: however much the machine tells meanwhile, a verdict comes.
 *
 * What is not known holds and never passes. How long it was well is counted by the clock of the machine in one
 * boot, which nobody sets; only how long what is not known may stay so is counted by the time of this host.
 *
 * A verdict is recorded before anything follows from it, and the rollback is found again as the job's child: so a lud that
 * dies anywhere goes back once. A rollback is not watched itself, and one that fails is not tried again.
 */
#include <inttypes.h>
#include <string.h>

#include "host/base/log.h"
#include "orchestrator/hook/hook.h"
#include "orchestrator/job/order/order.h"
#include "orchestrator/job/plan/plan.h"
#include "orchestrator/job/steps/priv.h"
#include "orchestrator/rollout/health.h"

#define SOAK_SEC INT64_C(1000000)
/* Looks: so many in a soak, and not more or less often than this. */
#define SOAK_LOOKS 10
#define SOAK_LOOK_MIN_USEC (SOAK_SEC / 5)
#define SOAK_LOOK_MAX_USEC (30 * SOAK_SEC)
/* lud may have been away: a machine has so long to be heard again. */
#define SOAK_GRACE_USEC (20 * SOAK_SEC)
/* How far apart the samples before an update are, of figures that are compared by how fast they rise. */
#define SOAK_RATE_NSEC (2000 * UINT64_C(1000000))
/* The end of a rollback that was not told is looked for after so long. */
#define SOAK_CHILD_USEC (30 * UINT64_C(1000000))

static void soak_terms(const struct job *job, struct health_terms *ret)
{
	int64_t soak_us, healthy_us;

	*ret = (struct health_terms){0};
	if (job->row.kind == JOB_UPDATE) {
		health_terms(engine_rules(job->engine), machine_row(job->machine), job->row.service,
		        ret);
		if (rollouts_times(job->engine->parts.db, job->row.machine, job->row.release,
		            &soak_us, &healthy_us)) {
			ret->soak_us = soak_us;
			ret->healthy_us = healthy_us;
		}
	}
}

/* The row of the job, or a fresh one. False: the record is not to be had. */
static bool soak_find(const struct job *job, struct soak_row *ret)
{
	int r = store_soak_find(job->engine->parts.db, job->row.id, ret);

	if (r == DB_E_NONE) {
		*ret = (struct soak_row){.job = job->row.id};
		return true;
	}
	if (r) {
		err_forget();
	}
	return !r;
}

static int soak_put_txn(struct db *db, void *arg)
{
	return err_up(store_soak_put(db, arg));
}

/* Nothing depends on it but gates that then are not known: so a failure is not the job's. */
void job_soak_early(struct job *job)
{
	const Machine__Status *status = machine_status(job->machine);
	struct health_terms terms;
	struct soak_row soak;

	soak_terms(job, &terms);
	if (!health_wants_rates(&terms) || !status || !soak_find(job, &soak)) {
		return;
	}
	health_sample(&terms, status, soak.early);
	if (db_txn(job->engine->parts.db, soak_put_txn, &soak)) {
		err_forget();
	}
}

bool job_soak_before(struct job *job)
{
	const Machine__Status *status = machine_status(job->machine);
	struct health_terms terms;
	struct soak_row soak;
	uint64_t nsec;

	soak_terms(job, &terms);
	if (!health_is_watched(&terms) || !soak_find(job, &soak)) {
		return true;
	}
	health_sample(&terms, status, soak.before);
	nsec = health_between_ns(soak.early, soak.before);
	if (health_wants_rates(&terms) && nsec && nsec < SOAK_RATE_NSEC) {
		job_again(job, (SOAK_RATE_NSEC - nsec) / 1000);
		return false;
	}
	return job_record(job, soak_put_txn, &soak);
}

/* The job and its soak, in the transaction that ends the step check. */
bool job_soak_begin(struct job *job, const Machine__Service *service)
{
	const Machine__Status *status = machine_status(job->machine);
	const struct machine_row *machine = machine_row(job->machine);
	int64_t now = store_now_usec();
	struct health_terms terms;
	struct job_row row;
	struct soak_row soak;

	soak_terms(job, &terms);
	if (!health_is_watched(&terms)) {
		return false;
	}
	if (!soak_find(job, &soak) ||
	        store_job_find(job->engine->parts.db, job->row.id, &row) != 0) {
		err_forget();
		job_park(job, "the record gave no job");
		return true;
	}
	soak.from_us = now;
	soak.healthy_us = now + terms.healthy_us;
	soak.soak_us = terms.soak_us;
	soak.clock_ns = status->clock_ns;
	soak.boot_id = machine->boot_id;
	soak.line = machine->line;
	soak.restarts = service->restarts;
	soak.blackout_ns = row.blackout_ns;
	health_sample(&terms, status, soak.since);
	job->soak_is_seen = true;
	job_done_by(job, JOB_ON_WATCHED, "", soak_put_txn, &soak);
	return true;
}

/* Who goes back, in the history: the policy that has it so. */
static struct principal soak_principal(const struct job *job, const struct health_terms *terms)
{
	struct principal who = access_lud(0);
	const struct policy *by = terms->back ? terms->back : terms->gates;

	snprintf(who.name, sizeof(who.name), "policy %.36s version %" PRId64,
	        by ? policy_name(by) : "-", rules_version(engine_rules(job->engine))->id);
	return who;
}

/* An end by what is known of its health. */
static void soak_end(
        struct job *job, enum job_state state, const struct soak_row *soak, const char *hint)
{
	Wire__Cause cause;
	struct job_end end = {.state = state, .cause = &cause, .hint = hint};
	char text[sizeof(soak->why) + 40];

	snprintf(text, sizeof(text), "its health failed: %s", soak->why);
	wire__cause__init(&cause);
	cause.component = job->row.service;
	cause.step = "soak";
	cause.name = "health";
	cause.message = text;
	job_end(job, &end);
}

static void soak_no_way_back(struct job *job, const struct soak_row *soak, const char *why)
{
	char hint[sizeof(job->row.hint)];

	snprintf(hint, sizeof(hint),
	        "it runs on, and `luctl rollback %.24s` goes back: lud did not, since %.140s",
	        job->row.service, why);
	soak_end(job, JOB_FAILED, soak, hint);
}

/* Policies may have become others since the update began. */
static const char *soak_why_stays(const struct health_terms *terms)
{
	const struct policy *by = terms->back ? terms->back : terms->gates;

	return by && !policy_number(by, POLICY_AUTOMATIC)
	               ? "the policy says `rollback: {automatic: false}`"
	               : "no policy has it go back any more";
}

/*
 * Whether there is something to go back from, that can be asked for. False: the job has ended, waits, or stands still.
 */
static bool soak_is_open(struct job *job, const struct soak_row *soak)
{
	enum back_way way = job_back_way(job, job->row.service);
	enum back_at at = job_back_at(job, &job->row);
	char why[sizeof(job->row.wait_why) + 40];

	if (way == BACK_IS_AWAITED) {
		return false;
	}
	if (way == BACK_IS_SHUT) {
		snprintf(why, sizeof(why), "it waited for %s", job->row.wait_why);
		soak_no_way_back(job, soak, why);
		return false;
	}
	if (at == BACK_AT_BEFORE) {
		soak_end(job, JOB_ROLLED_BACK, soak,
		        "what was before the update runs again already");
	} else if (at == BACK_AT_ELSEWHERE) {
		soak_end(job, JOB_FAILED, soak,
		        "left alone, since somebody has put something else there meanwhile");
	}
	return at == BACK_AT_UPDATE;
}

/* Asked for once: whatever becomes of it, there is no other. */
static void soak_go_back(
        struct job *job, const struct soak_row *soak, const struct health_terms *terms)
{
	struct job_asked asked = {
	        .who = soak_principal(job, terms), .reason = soak->why, .request_id = ""};
	struct job_order order = job_order_of(JOB_ROLLBACK, job->machine, job->row.service, &asked);
	struct failure failure;
	int64_t id;
	int r;

	if (!health_back(terms, POLICY_AUTOMATIC)) {
		soak_no_way_back(job, soak, soak_why_stays(terms));
		return;
	}
	if (!soak_is_open(job, soak)) {
		return;
	}
	order.layout = "";
	order.parent = job->row.id;
	order.to_release = job->row.from_release;
	order.spares = !health_back(terms, POLICY_BLOCK);
	hook_point("soak", "failed");
	r = engine_plan(job->engine, &order, &id, &failure);
	if (r < 0) {
		err_forget();
		job_again(job, (uint64_t)SOAK_SEC);
		return;
	}
	if (r) {
		soak_no_way_back(job, soak, failure.cause);
		return;
	}
	hook_point("soak", "planned");
	if (job_waits(job, "the way back", store_now_usec() + 7 * 86400 * SOAK_SEC)) {
		job_again(job, SOAK_CHILD_USEC);
	}
}

/* The way back is under way, or over. */
static void soak_follow(struct job *job, const struct soak_row *soak, const struct job_row *child)
{
	char text[120];

	if (!child->ended_us) {
		job_again(job, SOAK_CHILD_USEC);
		return;
	}
	if (child->state == JOB_CONFIRMED || child->state == JOB_COMMITTED) {
		snprintf(text, sizeof(text), "job %" PRId64 " went back to the release before",
		        child->id);
		soak_end(job, JOB_ROLLED_BACK, soak, text);
		return;
	}
	snprintf(text, sizeof(text),
	        "job %" PRId64 ", which was to go back, is %s: `luctl job show %" PRId64 "`",
	        child->id, job_state_name(child->state), child->id);
	/* What runs is seen when the machine answers. */
	if ((child->state == JOB_INCONSISTENT || machine_state(job->machine) != MACHINE_UP) &&
	        !soak_is_open(job, soak)) {
		return;
	}
	soak_no_way_back(job, soak, text);
}

struct soak_txn {
	struct job *job;
	struct soak_row *soak;
	bool blocks;
};

static int soak_failed_txn(struct db *db, void *arg)
{
	struct soak_txn *txn = arg;
	char why[sizeof((struct release_row){0}.blocked_why)];
	int r = store_soak_put(db, txn->soak);

	if (!r && txn->blocks) {
		/* Whoever sees the release reads it: the job, which is beside it, says on which machine. */
		snprintf(why, sizeof(why), "not well: %.100s", txn->soak->why);
		r = store_release_block(db, txn->job->row.release, txn->job->row.id, why);
	}
	return err_up(r);
}

/* The verdict stands from here on, and the release is passed by. */
static void soak_failed(struct job *job, struct soak_row *soak, const struct health_terms *terms)
{
	struct soak_txn txn = {job, soak, health_back(terms, POLICY_BLOCK)};

	soak->verdict = SOAK_FAILED;
	hook_point("soak", "judged");
	if (!job_record(job, soak_failed_txn, &txn)) {
		return;
	}
	log_warn("job %" PRId64 ": %s on %s is not well: %s", job->row.id, job->row.service,
	        machine_row(job->machine)->name, soak->why);
	soak_go_back(job, soak, terms);
}

static int soak_passed_txn(struct db *db, void *arg)
{
	struct soak_txn *txn = arg;
	int r = store_soak_put(db, txn->soak);

	return r ? err_up(r) : err_up(job_floor_txn(db, txn->job));
}

static void soak_passed(struct job *job, struct soak_row *soak)
{
	struct soak_txn txn = {job, soak, false};

	if (job_parts_load(job) < 0) {
		err_forget();
		job_again(job, (uint64_t)SOAK_SEC);
		return;
	}
	soak->verdict = SOAK_WELL;
	*soak->why = '\0';
	job_done(job, "", soak_passed_txn, &txn);
}

/* lud may have been away: the machine has a while to be heard again, at the first look. */
static void soak_grace(struct job *job, struct soak_row *soak, int64_t now)
{
	if (!job->soak_is_seen && soak->healthy_us < now + SOAK_GRACE_USEC) {
		soak->healthy_us = now + SOAK_GRACE_USEC;
	}
	job->soak_is_seen = true;
}

/* What is left by the machine's clock; as long as that cannot be read, all of it. */
static int64_t soak_left(const struct soak_row *soak, const Machine__Status *status)
{
	int64_t past = status && status->clock_ns > soak->clock_ns
	                       ? (int64_t)((status->clock_ns - soak->clock_ns) / 1000)
	                       : 0;

	return past < soak->soak_us ? soak->soak_us - past : 0;
}

/* The next look, which the record has, too: why, until when, and when. */
static void soak_wait(struct job *job, struct soak_row *soak, int64_t now, int64_t left)
{
	int64_t look = soak->soak_us / SOAK_LOOKS;
	char why[sizeof(job->row.wait_why)];
	struct job_wait wait = {.why = why, .until_us = soak->healthy_us};

	look = look < SOAK_LOOK_MIN_USEC   ? SOAK_LOOK_MIN_USEC
	       : look > SOAK_LOOK_MAX_USEC ? SOAK_LOOK_MAX_USEC
	                                   : look;
	look = job->soak_has_news ? SOAK_LOOK_MIN_USEC : look;
	look = left && left < look ? left : look;
	look = now + look > soak->healthy_us && now < soak->healthy_us ? soak->healthy_us - now
	                                                               : look;
	wait.look_us = now + look < soak->healthy_us ? now + look : soak->healthy_us;
	if (*soak->why) {
		snprintf(why, sizeof(why), "its health, which is not known: %.110s", soak->why);
	} else {
		snprintf(why, sizeof(why), "its soak, well so far");
	}
	job_row_wait(&job->row, &wait);
	if (job_record(job, soak_put_txn, soak) && job_save(job)) {
		job_again(job, (uint64_t)(look > 0 ? look : 1));
	}
}

/* What it was updated to is not what runs, so nobody will know any more whether it was well. */
static bool soak_is_over(struct job *job, const struct soak_row *soak)
{
	const struct machine_row *machine = machine_row(job->machine);
	const Machine__Service *service = machine_service(job->machine, job->row.service);
	struct failure failure;
	struct release_row runs;
	bool is_same_boot = machine->boot_id == soak->boot_id && machine->line == soak->line;
	int r = service && is_same_boot ? machine_release(job->engine->parts.db, service, &runs)
	                                : DB_E_NONE;

	if (r < 0) {
		err_forget();
	}
	if (r < 0 || (!r && runs.id == job->row.release)) {
		return false;
	}
	failure_set(&failure, "not-watched", job->row.service, "ask for it again",
	        is_same_boot ? "something else than %s was updated to runs before its soak was over"
	                     : "the machine was started anew before the soak of %s was over",
	        job->row.service);
	job_fail(job, JOB_COMMITTED, &failure);
	return true;
}

/* r: whether the machine has just said how it is. */
static void soak_on_status(int r, void *arg)
{
	struct job *job = arg;
	int64_t now = store_now_usec();
	const Machine__Status *status = r < 0 ? NULL : machine_status(job->machine);
	enum soak_verdict verdict = SOAK_UNKNOWN;
	struct health_terms terms;
	struct soak_row soak;

	err_forget();
	job->soak_looks = false;
	if (!soak_find(job, &soak) || !soak.from_us) {
		job_again(job, (uint64_t)SOAK_SEC);
		return;
	}
	soak_terms(job, &terms);
	soak_grace(job, &soak, now);
	snprintf(soak.why, sizeof(soak.why), "the machine does not answer");
	if (status && soak_is_over(job, &soak)) {
		return;
	}
	if (status) {
		verdict = health_judge(&terms, &soak, status,
		        machine_service(job->machine, job->row.service), soak.why);
	}
	if (verdict == SOAK_WELL && !soak_left(&soak, status)) {
		soak_passed(job, &soak);
	} else if (verdict == SOAK_FAILED || (verdict == SOAK_UNKNOWN && now >= soak.healthy_us)) {
		soak_failed(job, &soak, &terms);
	} else {
		soak_wait(job, &soak, now, soak_left(&soak, status));
	}
}

/* A verdict that was recorded is not judged again: what follows from it goes on. */
void job_step_soak(struct job *job)
{
	struct health_terms terms;
	struct soak_row soak;
	struct job_row child;
	int r = store_job_child(job->engine->parts.db, job->row.id, job->row.service, &child);

	job->soak_looks = job->soak_has_news = false;
	job_leave_turn(job);
	if (r < 0 || !soak_find(job, &soak)) {
		err_forget();
		job_again(job, (uint64_t)SOAK_SEC);
		return;
	}
	if (soak.verdict == SOAK_FAILED && !r) {
		soak_follow(job, &soak, &child);
	} else if (soak.verdict == SOAK_FAILED) {
		soak_terms(job, &terms);
		soak_go_back(job, &soak, &terms);
	} else if (machine_state(job->machine) == MACHINE_UP &&
	           machine_refresh(job->machine, soak_on_status, job) >= 0) {
		job->soak_looks = true;
	} else {
		soak_on_status(-1, job);
	}
}

void job_soak_news(struct job *job)
{
	job->soak_has_news = job->soak_looks;
	if (!job->soak_looks) {
		job_again(job, 0);
	}
}
