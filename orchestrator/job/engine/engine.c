/*
 * All jobs of all machines, and what happens to them from outside: a machine that opens a
 * session, falls silent or goes down, a result that comes as an event, a record that cannot be
 * written. It decides nothing about steps: it wakes, parks or ends jobs.
 *
 *   machine up        its jobs look again; it is sent a statement; once a boot, and where the
 *                     configuration says so, its services move out of their boot layouts
 *   session lost      a job that waits for its result is parked; requests end by themselves
 *   machine down      its jobs end: INCONSISTENT if an order was sent, else FAILED; one that is to
 *                     start it goes on, one that was to end it is COMMITTED, and one that was not well and
 *                     owes a way back waits for the machine, as does its set
 *   machine removed   those end, too
 *   record unwritable jobs stall where they are, and are taken up from the record when a
 *                     write works again
 *
 * A result belongs to the job whose order has its epoch and number; one without an open job
 * corrects a job that was given up as unknown.
 */
#include "orchestrator/job/engine/engine.h"

#include <ctype.h>
#include <string.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/job/core/set.h"
#include "orchestrator/job/core/standing.h"
#include "orchestrator/job/core/statement.h"
#include "orchestrator/job/core/work.h"
#include "orchestrator/job/idle/idle.h"
#include "orchestrator/job/order/order.h"
#include "orchestrator/job/plan/plan.h"
#include "orchestrator/job/schedule/schedule.h"
#include "orchestrator/job/steps/steps.h"
#include "orchestrator/store/clock.h"

/* How often it is looked whether the record can be written again. */
#define ENGINE_RESUME_MSEC 1000

/* Tells who waits for the machine's jobs what became of it. */
static void engine_notice(struct engine *engine, const struct machine *machine, const char *text)
{
	struct job *job;

	for (job = work_first(machine); job; job = work_next(job)) {
		job_notice(job, text);
	}
}

/*
 * Has a job move the services out of the layouts that the machine was booted with, which this host
 * made and knows. Once for each boot, whatever became of it; a machine that was put back to a
 * snapshot is in them again. A start that is under way goes first.
 */
static void engine_move(struct engine *engine, struct machine *machine)
{
	const struct machine_row *now = machine_row(machine);
	struct job_asked asked = {
	        .who = access_lud(0), .reason = "machine.boot_layouts", .request_id = ""};
	struct job_order order = job_order_of(JOB_MOVE, machine, "", &asked);
	struct machine_row row;
	struct failure failure;
	int64_t job;

	if (strcmp(engine->parts.config->machine_boot_layouts, "moved") != 0 ||
	        store_machine_by_id(engine->parts.db, now->id, &row) != 0 ||
	        (row.moved_boot == now->boot_id && row.moved_line == now->line)) {
		err_forget();
		return;
	}
	/* The configuration may be another one than it was started with. */
	if (!machine_makes_layouts(machine) || machine_status(machine)->no_kits) {
		log_warn("machine %s makes no layouts: its services stay in those that it was "
		         "booted with",
		        now->name);
		return;
	}
	if (engine_plan(engine, &order, &job, &failure)) {
		err_forget();
		log_warn("%s: %s; %s", now->name, failure.cause, failure.remedy);
	}
}

/*
 * None before the record was loaded: then all are looked at. One machine more, or one that is matched by others now, changes
 * limits that are shares of all machines.
 */
void engine_policies_look(struct engine *engine, struct machine *machine)
{
	places_free(engine);
	if (engine->schedule) {
		schedule_machine(engine->schedule, machine);
	}
}

void engine_releases_changed(struct engine *engine)
{
	schedule_releases(engine->schedule);
	rollouts_kick(engine->rollouts);
	engine_gate_changed(engine);
}

/*
 * First the statement, then the jobs: the signer answers in turn, so the machine has its floors
 * before an order.
 */
static void engine_on_up(struct machine *machine, void *arg)
{
	char text[120];

	snprintf(text, sizeof(text), "machine %s answers", machine_row(machine)->name);
	engine_notice(arg, machine, text);
	statement_send(arg, machine);
	standing_watch(arg, machine);
	engine_move(arg, machine);
	engine_policies_look(arg, machine);
	engine_wake(machine);
}

/* Requests under way end by themselves, and every step has its limit. */
static void engine_on_silent(struct machine *machine, void *arg)
{
	char text[240];

	snprintf(text, sizeof(text), "machine %s is silent (%.120s); the job waits for it",
	        machine_row(machine)->name, machine_why(machine));
	engine_notice(arg, machine, text);
}

/*
 * Requests under way end by themselves; only a job that waits for its result, which
 * comes unasked, must be told. A machine that is down has forgotten everything.
 */
static void engine_on_down(struct machine *machine, void *arg)
{
	struct engine *engine = arg;
	struct job *job = work_first(machine);

	if (machine_state(machine) == MACHINE_DOWN || machine_state(machine) == MACHINE_STOPPED) {
		engine_abandon(engine, machine, machine_why(machine));
		return;
	}

	while (job) {
		struct job *next = work_next(job);

		if (job_awaits_result(job)) {
			job_park(job, "the session with the machine is lost");
		}
		job = next;
	}
}

/*
 * From the switch on nothing can be let go of; before it RS prepares, and after the commit it tidies up or has
 * undone. Written before it is told, as every change of a state is. False: the job is gone, or stands still.
 */
static bool engine_take_step(struct job *job, const char *word)
{
	enum { /* in their order */
#define STEP(name, word, blame) STEP_##name,
#include "proto/words/steps.def"
#undef STEP
	};
	static const char *const words[] = {
#define STEP(name, word, blame) [STEP_##name] = word,
#include "proto/words/steps.def"
#undef STEP
	};
	size_t at = 0;

	while (at <= STEP_COMMIT && strcmp(words[at], word) != 0) {
		at++;
	}
	if (at > STEP_COMMIT || job->row.step != JOB_STEP_RUN || job->phase != JOB_WORKING ||
	        job->row.state == JOB_SWITCHING ||
	        (at < STEP_SWITCH && job->row.state == JOB_PREPARING)) {
		return true;
	}
	return job_set_state(job, at < STEP_SWITCH ? JOB_PREPARING : JOB_SWITCHING) &&
	       job_save(job);
}

/* A step of RS shows that the machine works on it: the job's own limit begins anew. */
static void engine_on_step(struct machine *machine, const Machine__TxnStep *step, void *arg)
{
	struct job *job = engine_job_by_order(machine, step->epoch, step->txn);

	if (job && engine_take_step(job, step->step)) {
		job_progress(job, 0, 0, step->step);
	}
}

/*
 * A job that asks for the result itself at this moment gets it by that answer; an event that
 * comes between two steps is for nobody, and the job asks when it is begun again.
 */
static void engine_on_result(struct machine *machine, const Machine__Result *result, void *arg)
{
	struct job *job = engine_job_by_order(machine, result->epoch, result->txn);

	if (!job) {
		job_late_result(arg, machine, result);
	} else if (job_awaits_result(job)) {
		job_check(job);
		job_order_result(job, result);
	}
}

static void engine_on_shown(struct machine *machine, void *arg)
{
	engine_note(arg, &(struct engine_note){"machine", machine_row(machine)->name, "",
	                         machine_state_name(machine_state(machine)), machine_why(machine)});
}

/* In the words of proto/words/changes.def; of a kind that this lud does not know, none. */
static void engine_note_change(
        struct engine *engine, const struct machine *machine, const Machine__ServiceChange *change)
{
	static const struct {
		Machine__ServiceChangeKind kind;
		const char *state;
		const char *text;
	} words[] = {
#define CHANGE(NAME, sentence) {MACHINE__SERVICE_CHANGE_KIND__CHANGE_##NAME, #NAME, sentence},
#include "proto/words/changes.def"
#undef CHANGE
	};
	char state[24] = "";

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (words[i].kind != change->kind) {
			continue;
		}
		for (size_t n = 0; words[i].state[n] && n + 1 < sizeof(state); n++) {
			state[n] = (char)tolower((unsigned char)words[i].state[n]);
		}
		engine_note(engine, &(struct engine_note){"service", machine_row(machine)->name,
		                            change->service, state, words[i].text});
	}
}

/* What befell a service says more of an update that is watched than the next look, which may be half a minute away. */
static void engine_look_soaks(const struct machine *machine, const char *service)
{
	for (struct job *job = work_first(machine); job; job = work_next(job)) {
		if (job->row.step == JOB_STEP_SOAK && job->phase == JOB_WORKING &&
		        !strcmp(job->row.service, service)) {
			job_soak_news(job);
		}
	}
}

/* A crash is one that the service came back from: until then nothing can be done with it. */
static void engine_on_change(
        struct machine *machine, const Machine__ServiceChange *change, void *arg)
{
	struct engine *engine = arg;
	char what[80];

	engine_note_change(engine, machine, change);
	engine_look_soaks(machine, change->service);
	if (engine->schedule && change->kind == MACHINE__SERVICE_CHANGE_KIND__CHANGE_RESTARTED) {
		snprintf(what, sizeof(what), "%.30s crashed", change->service);
		schedule_event(engine->schedule, machine, SECTION_CRASH, what);
	}
}

static const struct machines_ops engine_machines_ops = {
        .up = engine_on_up,
        .down = engine_on_down,
        .silent = engine_on_silent,
        .step = engine_on_step,
        .result = engine_on_result,
        .change = engine_on_change,
        .shown = engine_on_shown,
};

/* One timer for all jobs: the record is one. */
static void engine_resume_in(struct engine *engine, unsigned int msec)
{
	struct timeval pause = {msec / 1000, msec % 1000 * 1000};

	evtimer_add(engine->resume, &pause);
}

/* Jobs of machines that are gone have nobody to wait for. */
static void engine_abandon_gone(struct engine *engine)
{
	struct machine *machine = NULL;

	while ((machine = machines_next(engine->machines, machine))) {
		if (machine_state(machine) == MACHINE_DOWN ||
		        machine_state(machine) == MACHINE_STOPPED) {
			const char *why = machine_why(machine);

			engine_abandon(engine, machine, *why ? why : "it is stopped");
		}
	}
}

/* Told in the middle of whatever met the change: what follows from it comes later. */
static void engine_on_health(enum db_health health, void *arg)
{
	struct engine *engine = arg;
	struct failure failure;

	if (health == DB_WELL) {
		log_line(LOG_LEVEL_INFO, &(struct log_about){.message = LOG_RECORD_WELL},
		        "the record can be written again");
		engine_resume_in(engine, 0);
		return;
	}
	db_failure(engine->parts.db, &failure);
	log_line(LOG_LEVEL_ERROR, &(struct log_about){.message = LOG_RECORD_TROUBLE}, "%s: %s; %s",
	        failure.place, failure.cause, failure.remedy);
	if (health == DB_UNWRITABLE) {
		engine_resume_in(engine, ENGINE_RESUME_MSEC);
	}
}

/* Takes up what stands still as soon as the record can be written. */
static void engine_on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct engine *engine = arg;
	struct job *job = TAILQ_FIRST(&engine->jobs);
	bool good = db_try_write(engine->parts.db) == 0;

	err_forget();
	while (good && job) {
		struct job *next = TAILQ_NEXT(job, link);

		good = job->phase != JOB_STALLED || job_resume(job);
		job = next;
	}
	if (good) {
		machines_recorded(engine->machines);
		plan_supersede_all(engine);
		engine_abandon_gone(engine);
		/* What stood still is in no queue. */
		engine_gate_changed(engine);
	} else if (db_health(engine->parts.db) != DB_DAMAGED) {
		engine_resume_in(engine, ENGINE_RESUME_MSEC);
	}
}

static void engine_rollout_changed(
        const struct rollout_row *row, enum rollout_changed what, void *arg)
{
	char text[240];
	struct engine_note note = {"rollout", "", row->service, rollout_changed_name(what), text};

	snprintf(text, sizeof(text), "rollout %lld, ring %u, is %s%s%s", (long long)row->id,
	        row->ring + 1, rollout_state_name(row->state), *row->why ? ": " : "", row->why);
	engine_note(arg, &note);
	engine_gate_changed(arg);
}

/* Whether the job waits for a rollout that was aborted; else the row says nothing. */
static bool engine_rollout_is_over(
        struct engine *engine, const struct job *job, struct rollout_row *ret_rollout)
{
	const struct job_row *row = &job->row;

	return row->kind == JOB_UPDATE &&
	       (job_state_is_put_off(row->state) || job_set_is_put_off(job)) &&
	       !(row->overrides & RULES_OVERRIDE_ROLLOUT) &&
	       rollouts_is_aborted(engine->rollouts, row->machine, row->release, ret_rollout);
}

/* What the machine has goes on; what waits for the rollout ends, also where lud had no time for that when it was aborted. */
static void engine_rollouts_looked(void *arg)
{
	struct engine *engine = arg;
	struct job *job = TAILQ_FIRST(&engine->jobs);

	while (job) {
		struct job *next = TAILQ_NEXT(job, link);
		struct rollout_row rollout;
		struct failure failure;
		char who[40];

		if (engine_rollout_is_over(engine, job, &rollout)) {
			snprintf(who, sizeof(who), "rollout %lld", (long long)rollout.id);
			/* A set that waits for it goes nowhere without this one. */
			if (engine_cancel(engine,
			            job_set_is_put_off(job) ? job->row.parent : job->row.id, who,
			            rollout.why, &failure)) {
				log_warn("%s: %s", failure.place, failure.cause);
			}
		}
		job = next;
	}
}

static const struct rollouts_ops engine_rollout_ops = {
        .changed = engine_rollout_changed, .looked = engine_rollouts_looked};

/* What an update is at is what its machine is at in a rollout; one that was put off may wait for one that is over. */
static void engine_rollout_news(const struct job_news *news, void *arg)
{
	struct engine *engine = arg;

	if (news->row->kind == JOB_UPDATE &&
	        (news->event == JOB_EVENT_STEP || news->event == JOB_EVENT_ENDED ||
	                news->event == JOB_EVENT_NOTICE)) {
		rollouts_kick(engine->rollouts);
	}
}

/*
 * Watches the record's health from here on, so jobs may be taken up when everything else stands.
 */
int engine_new(const struct engine_parts *parts, struct engine **ret_engine)
{
	struct engine *engine = mem_zero(sizeof(*engine));
	int r;

	engine->parts = *parts;
	engine->steps = job_steps;
	TAILQ_INIT(&engine->jobs);
	LIST_INIT(&engine->watches);
	LIST_INIT(&engine->note_watches);
	LIST_INIT(&engine->statements);
	LIST_INIT(&engine->standings);
	LIST_INIT(&engine->standing_troubles);
	works_init(engine);
	r = machines_new(parts->base, parts->db, parts->config, &engine_machines_ops, engine,
	        &engine->machines);
	if (r < 0) {
		works_fini(engine);
		free(engine);
		return err_up(r);
	}
	engine->rules = rules_new(parts->db);
	engine->rollouts =
	        rollouts_new(parts->base, parts->db, engine->rules, &engine_rollout_ops, engine);
	engine_watch(engine, engine_rollout_news, engine);
	engine->resume = evtimer_new(parts->base, engine_on_resume, engine);
	if (!engine->resume) {
		abort();
	}
	engine->standing_watches = standing_watches_new(engine);
	engine_gate(engine, engine_may_go_on, engine);
	engine_gate_fleet(engine);
	db_watch(parts->db, engine_on_health, engine);
	*ret_engine = engine;
	return 0;
}

void engine_check(const struct engine *engine)
{
	machines_check(engine->machines);
	works_check(engine);
	rules_limits_check(engine->rules);
	standing_watches_check(engine);
}

struct engine *engine_free(struct engine *engine)
{
	if (!engine) {
		return NULL;
	}
	db_watch(engine->parts.db, NULL, NULL);
	engine->measure = measure_free(engine->measure);
	engine->retain = retain_free(engine->retain);
	engine->prebuilt = prebuilt_free(engine->prebuilt);
	engine->schedule = schedule_free(engine->schedule);
	event_free(engine->resume);
	while (!TAILQ_EMPTY(&engine->jobs)) {
		job_free(TAILQ_FIRST(&engine->jobs));
	}
	works_fini(engine);
	while (!LIST_EMPTY(&engine->watches)) {
		engine_watch_free(LIST_FIRST(&engine->watches));
	}
	statement_forget(engine, NULL);
	standing_forget(engine, NULL);
	engine->standing_watches = standing_watches_free(engine->standing_watches);
	machines_free(engine->machines);
	rollouts_free(engine->rollouts);
	rules_free(engine->rules);
	free(engine);
	return NULL;
}

/*
 * A job that cannot be taken up stays open in the record, for a person to see, and bars nobody.
 */
static int engine_load_job(const struct job_row *row, void *arg)
{
	struct engine *engine = arg;
	struct job *job;

	if (!machines_by_id(engine->machines, row->machine)) {
		log_error("job %lld stays open: its machine is not in the record",
		        (long long)row->id);
		return 0;
	}
	if (row->kind >= _JOB_KIND_N || row->step >= _JOB_STEP_N ||
	        !job_step_is_of((struct job_way){row->kind, row->machine_made}, row->step)) {
		log_error("job %lld stays open: a job of its kind has no step %d",
		        (long long)row->id, (int)row->step);
		return 0;
	}
	if (!job_state_is_of(
	            (struct job_way){row->kind, row->machine_made}, row->step, row->state)) {
		log_error("job %lld stays open: it cannot be %s in step %s", (long long)row->id,
		        job_state_name(row->state), job_step_name(row->step));
		return 0;
	}
	job = job_new(engine, row);
	log_info("job %lld (%s %s on %s) is taken up again in step %s", (long long)row->id,
	        job_kind_name(row->kind), row->service, machine_row(job->machine)->name,
	        job_step_name(row->step));
	return 0;
}

/*
 * The clock is looked at before anything is taken up that counts by it. Machines come before their jobs, which
 * look them up. Those that are down already will not tell it again. */
int engine_load(struct engine *engine)
{
	int r = store_clock_begin(engine->parts.db);

	if (!r) {
		engine_clock(engine);
		r = rules_load(engine->rules);
	}
	if (!r) {
		r = machines_load(engine->machines);
	}

	if (!r) {
		r = store_job_each_open(engine->parts.db, 0, engine_load_job, engine);
	}
	if (r < 0) {
		return err_up(r);
	}
	plan_supersede_all(engine);
	engine_abandon_gone(engine);
	rollouts_kick(engine->rollouts);
	/* What opened a gate may have been the last that was recorded. */
	engine_gate_changed(engine);
	engine->measure = measure_new(engine);
	engine->retain = retain_new(engine);
	engine->prebuilt = prebuilt_new(engine);
	engine->schedule = schedule_new(engine);
	return 0;
}
