/*
 * From what a person asks to a recorded job, or to why not. Everything that can be refused
 * without making anything is refused here, by the record and the machine's last status: a
 * service or release that is not there, a release that is blocked or below the floor, a state
 * that does not exist. Nothing is written before all of it is good; then the job is recorded
 * with its step `plan` done, in one transaction.
 *
 *   kind                 what is found out                         what may refuse it
 *   update, prepare      the newest release, or the one named      no release, ambiguous, blocked
 *   rollback             the release of a generation that ran      no generation
 *   rerandomize          the release that runs                     not registered
 *   all of these         the service, who makes the layout         not up, no service, below floor
 *   restart              the service                               not up, no service
 *   shutdown, move, set  nothing                                   not up
 *   start                nothing: the step seed picks releases     attached, running, busy
 *
 * A set has jobs of its own, which are planned with it: set.c. Who makes the layout is found out in layout.c, and noted with the reason in the job's first step.
 *
 * What is found here may be over when the job comes to its turn. The steps look again, and the
 * machine has the last word.
 */
#include "orchestrator/job/plan/plan.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "host/base/log.h"
#include "orchestrator/job/core/job.h"
#include "orchestrator/job/plan/priv.h"
#include "proto/image/link.h"

int plan_refuse(struct job_plan *plan, const char *code, const char *remedy, const char *cause,
        const char *what)
{
	failure_set(plan->failure, code,
	        *plan->order->service ? plan->order->service
	                              : machine_row(plan->order->machine)->name,
	        remedy, cause, what);
	return ENGINE_E_REFUSED;
}

/*
 * The remedy is that of the machine's state; a machine that is only starting needs none but time.
 */
void engine_not_up(const struct machine *machine, struct failure *ret_failure)
{
	const char *name = machine_row(machine)->name;
	char remedy[sizeof(ret_failure->remedy)];

	machine_remedy(machine, remedy, sizeof(remedy));
	failure_set(ret_failure, "machine-down", name,
	        *remedy ? remedy : "wait until it is up; `luctl machine list` shows it",
	        "machine %s is %s", name, machine_state_name(machine_state(machine)));
}

static int plan_not_up(struct job_plan *plan)
{
	engine_not_up(plan->order->machine, plan->failure);
	return ENGINE_E_REFUSED;
}

/* Nothing holds the state that an update would carry over. */
static int plan_down(struct job_plan *plan)
{
	const char *service = plan->order->service;
	char remedy[240];

	snprintf(remedy, sizeof(remedy),
	        "`luctl log` shows why; `luctl restart %s` starts this release afresh, then ask "
	        "again; if that crashes, too, add another one with a higher counter (the older "
	        "source will do) and start the machine anew",
	        service);
	return plan_refuse(plan, "down", remedy, "%s is down", service);
}

/* What is not updated live has its release from the start of its machine; a layout, or a way back, it has not. */
static const char *plan_cannot_remedy(enum job_kind kind)
{
	return kind == JOB_UPDATE || kind == JOB_PREPARE
	               ? "a start of the machine takes the newest release of each service"
	               : "";
}

/*
 * What every job of a service needs: the machine is up, has it, and can update it. One that it
 * cannot update yet is SKIPPED and no error: `luctl rerandomize --all` goes on with the others.
 */
static int plan_service(struct job_plan *plan)
{
	const struct job_order *order = plan->order;

	if (machine_state(order->machine) != MACHINE_UP) {
		return plan_not_up(plan);
	}
	plan->service = machine_service(order->machine, order->service);
	if (!plan->service) {
		return plan_refuse(plan, "no-service", "`luctl status` lists its services",
		        "the machine has no service %s", order->service);
	}
	if (plan->service->state == MACHINE__SERVICE_STATE__SERVICE_DOWN) {
		return plan_down(plan);
	}
	if (!plan->service->can_update) {
		(void)plan_refuse(plan, "cannot-update", plan_cannot_remedy(order->kind), "%s",
		        *plan->service->why_not ? plan->service->why_not
		                                : "the machine cannot update it yet");
		return ENGINE_E_SKIPPED;
	}
	return 0;
}

/* The release that runs, as far as it is registered. */
static int plan_running(struct job_plan *plan)
{
	return err_up(machine_release(plan->engine->parts.db, plan->service, &plan->running));
}

/* What was rolled back once is not taken again by accident. */
static int plan_refuse_blocked(struct job_plan *plan)
{
	const struct release_row *target = &plan->target;
	char remedy[240], job[32] = "";

	if (target->blocked_job) {
		snprintf(job, sizeof(job), " (job %" PRId64 ")", target->blocked_job);
	}
	snprintf(remedy, sizeof(remedy),
	        "add a newer release; or take this one all the same with --release "
	        "%02x%02x%02x%02x, "
	        "or `luctl release clear %s %02x%02x%02x%02x`",
	        target->release_id[0], target->release_id[1], target->release_id[2],
	        target->release_id[3], target->service, target->release_id[0],
	        target->release_id[1], target->release_id[2], target->release_id[3]);
	failure_set(plan->failure, "blocked", target->service, remedy,
	        "release %" PRId64 ", the newest, is blocked: %s%s", target->counter,
	        target->blocked_why, job);
	return ENGINE_E_REFUSED;
}

bool engine_is_blocked(const struct engine *engine, const struct machine *machine,
        const struct release_row *release)
{
	return release->blocked_us &&
	       !rollouts_spares(engine_rollouts(engine), machine_row(machine), release);
}

/*
 * The release to go to: the one named, by number or by the beginning of its id, or the newest. The newest is
 * refused while it is blocked; one that is blocked and named is taken: whoever names it has read
 * why.
 */
static int plan_update(struct job_plan *plan)
{
	const struct job_order *order = plan->order;
	int r;

	if (!*order->release || !strcmp(order->release, "newest")) {
		r = store_release_newest(plan->engine->parts.db, order->service, &plan->target);
		if (!r && engine_is_blocked(plan->engine, order->machine, &plan->target) &&
		        !(order->asked->overrides & RULES_OVERRIDE_BLOCK)) {
			return plan_refuse_blocked(plan);
		}
	} else {
		r = store_release_named(
		        plan->engine->parts.db, order->service, order->release, &plan->target);
	}
	if (r == DB_E_NONE) {
		return plan_refuse(plan, "no-release",
		        "`luctl release list` shows what is there; `luctl release add` adds one",
		        "no release %s of this service is registered", order->release);
	}
	if (r == STORE_E_AMBIGUOUS) {
		return plan_refuse(plan, "ambiguous",
		        "give (more digits of) the release's id; `luctl release list` shows it",
		        "several releases are called %s", order->release);
	}
	return err_up(r);
}

/*
 * A new layout of what runs. The release must be registered, for its kit is what a layout is made
 * of.
 */
static int plan_rerandomize(struct job_plan *plan)
{
	int r = plan_running(plan);

	if (r == DB_E_NONE) {
		return plan_refuse(plan, "no-release",
		        "add the release that runs with `luctl release add`",
		        "the release that %s runs is not registered", plan->order->service);
	}
	plan->target = plan->running;
	return err_up(r);
}

/*
 * The release of a generation that ran: the one named with --to, or the newest of another release
 * that ran before; or a release that whoever asks knows to have run. It is a new generation of that release and not the old one: numbers only rise,
 * and no layout is used twice.
 */
static int plan_rollback(struct job_plan *plan)
{
	const struct job_order *order = plan->order;
	struct db *db = plan->engine->parts.db;
	struct generation_row row;
	struct service_row service;
	char number[24];
	int r;

	if (order->to_release) {
		return err_fold(store_release_by_id(db, order->to_release, &plan->target));
	}
	if (order->to_generation) {
		snprintf(number, sizeof(number), "%" PRIu64, order->to_generation);
		r = store_generation_find(db, machine_row(order->machine)->id, order->service,
		        order->to_generation, &row);
		if (r == DB_E_NONE || (!r && !row.committed_us)) {
			return plan_refuse(plan, "no-generation",
			        "`luctl history` shows the generations that ran",
			        "generation %s never ran here", number);
		}
	} else {
		r = plan_running(plan);
		if (!r) {
			r = store_service_find(
			        db, machine_row(order->machine)->id, order->service, &service);
		}
		if (!r) {
			r = store_generation_earlier(
			        db, service.id, plan->service->generation, plan->running.id, &row);
		}
		if (r == DB_E_NONE) {
			return plan_refuse(plan, "no-generation",
			        "name one with --to; `luctl history` shows them",
			        "no earlier release of %s ran here", order->service);
		}
	}
	if (!r) {
		r = store_release_by_id(db, row.release, &plan->target);
	}
	return err_fold(r);
}

/* A layout is made of the kit, wherever it is made; so are pairing and refusal. */
static int plan_kit(struct job_plan *plan)
{
	char counter[64];

	if (*plan->target.path) {
		return 0;
	}
	snprintf(counter, sizeof(counter), "the kit of release %" PRId64 " was removed",
	        plan->target.counter);
	return plan_refuse(
	        plan, "no-kit", "`luctl release add` with its kit brings it back", "%s", counter);
}

/* The machine would refuse it, after everything was made. */
static int plan_floor(struct job_plan *plan)
{
	char counter[64];

	if (plan->target.counter >= plan->service->floor) {
		return 0;
	}
	snprintf(counter, sizeof(counter), "release %" PRId64 " is below the floor %u",
	        plan->target.counter, plan->service->floor);
	return plan_refuse(plan, "below-floor",
	        "a newer release raised the floor; this one may not run any more", "%s", counter);
}

/* A misspelt state is told before anything is made; the machine would only say no. */
static int plan_state(struct job_plan *plan)
{
	static const char *const names[] = {
#define QUIESCENT(name, number, word, use) word,
#include "proto/words/quiescent.def"
#undef QUIESCENT
	};
	const char *wanted = plan->order->quiescent;

	for (size_t i = 0; *wanted && i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(names[i], wanted)) {
			return 0;
		}
	}
	return *wanted ? plan_refuse(plan, "no-state",
	                         "leave --state out for the service's own; `luctl(1)` lists them",
	                         "there is no quiescent state %s", wanted)
	               : 0;
}

/* The release that the job goes to, in ->target. Kinds that need none do not come here. */
static int plan_target(struct job_plan *plan)
{
	switch (plan->order->kind) {
	case JOB_UPDATE:
	case JOB_PREPARE:
		return plan_update(plan);
	case JOB_ROLLBACK:
		return plan_rollback(plan);
	case JOB_RERANDOMIZE:
		return plan_rerandomize(plan);
	case JOB_START:
	case JOB_RESTART:
	case JOB_SHUTDOWN:
	case JOB_MOVE:
	case JOB_SET:
	case _JOB_KIND_N:
		break;
	}
	return err_raise(-EINVAL);
}

/*
 * Only a machine of ours can be started, and only one that does not run; a second start beside
 * the first would draw an image for nothing.
 */
static int plan_start(struct job_plan *plan)
{
	const struct machine *machine = plan->order->machine;
	char remedy[120];

	if (machine_row(machine)->attached) {
		return plan_refuse(plan, "attached", "start it where it is run from",
		        "machine %s was not started by lud", machine_row(machine)->name);
	}
	switch (machine_state(machine)) {
	case MACHINE_UP:
	case MACHINE_STARTING:
	case MACHINE_CONNECTING:
	case MACHINE_SILENT:
		snprintf(remedy, sizeof(remedy), "stop it first with `luctl machine stop %s`",
		        machine_row(machine)->name);
		return plan_refuse(plan, "running", remedy, "machine %s runs already",
		        machine_row(machine)->name);
	case MACHINE_DOWN:
	case MACHINE_STOPPED:
	case _MACHINE_STATE_N:
		break;
	}
	if (engine_is_busy(machine)) {
		return plan_refuse(plan, "busy", "wait for it: `luctl machine list`",
		        "machine %s is being started", machine_row(machine)->name);
	}
	return 0;
}

/*
 * The job and its step `plan`, begun and done: the history of each job begins with it. A move is noted
 * at its machine as well, so that no boot has two.
 */
int plan_write(struct db *db, void *arg)
{
	struct job_plan *plan = arg;
	const struct machine_row *machine = machine_row(plan->order->machine);
	int r = store_job_insert(db, &plan->row);

	if (!r) {
		r = store_job_step_begin(db, plan->row.id, JOB_STEP_PLAN);
	}
	if (!r) {
		r = store_job_step_end(db, plan->row.id, JOB_STEP_DONE, plan->layout.why);
	}
	if (!r && plan->text) {
		r = store_plan_put(db, plan->row.plan, plan->text, plan->row.id);
	}
	if (!r && plan->row.kind == JOB_MOVE) {
		r = store_machine_moved(db, machine->id, machine->boot_id, machine->line);
	}
	return err_up(r);
}

/* The generation that it goes from is noted again when the job begins. */
void plan_row(struct job_plan *plan)
{
	const struct job_order *order = plan->order;

	struct job_way way = {order->kind, plan->layout.machine_made};
	struct job_wait turn = job_turn(plan->engine);

	plan->row = (struct job_row){
	        .machine = machine_row(order->machine)->id,
	        .kind = order->kind,
	        .state = job_state_before(way, job_first_step(way)),
	        .step = job_first_step(way),
	        .machine_made = plan->layout.machine_made,
	        .accept_loss = order->accept_loss,
	        .from_generation = plan->service ? plan->service->generation : 0,
	        .release = plan->target.id,
	        /* Others are paired when they begin; here what runs must stay what it is. */
	        .from_release = order->kind == JOB_RERANDOMIZE ? plan->target.id : 0,
	        .prepare_only = order->kind == JOB_PREPARE,
	        .timeout_ms = order->timeout_ms,
	        .hold_ms = order->hold_ms,
	        .parent = order->parent,
	        .scheduled = order->scheduled,
	        .spares = order->spares,
	        .way = order->asked->who.way,
	        .role = order->asked->who.role,
	        .uid = order->asked->who.uid,
	        .state_us = store_now_usec(),
	        .overrides = order->asked->overrides,
	};
	snprintf(plan->row.service, sizeof(plan->row.service), "%s", order->service);
	snprintf(plan->row.quiescent, sizeof(plan->row.quiescent), "%s", order->quiescent);
	snprintf(plan->row.identity, sizeof(plan->row.identity), "%s", order->asked->who.name);
	snprintf(plan->row.reason, sizeof(plan->row.reason), "%s", order->asked->reason);
	snprintf(
	        plan->row.request_id, sizeof(plan->row.request_id), "%s", order->asked->request_id);
	job_row_wait(&plan->row, &turn);
	if (order->plan) {
		plan->row.plan_expected = true;
		memcpy(plan->row.plan, order->plan, sizeof(plan->row.plan));
	}
	if (*plan->row.request_id) {
		memcpy(plan->row.request_hash, order->asked->request_hash,
		        sizeof(plan->row.request_hash));
	}
}

/* It has no service of its own. Of another kind that names none it is a mistake of whoever asks. */
static bool plan_is_of_machine(enum job_kind kind)
{
	return kind == JOB_SHUTDOWN || kind == JOB_MOVE || kind == JOB_SET;
}

/* What only needs the machine: to end it, or to start a service of it afresh. */
static int plan_order(struct job_plan *plan)
{
	const struct job_order *order = plan->order;

	if (machine_state(order->machine) != MACHINE_UP) {
		return plan_not_up(plan);
	}
	if (plan_is_of_machine(order->kind)) {
		return 0;
	}
	plan->service = machine_service(order->machine, order->service);
	return plan->service ? 0
	                     : plan_refuse(plan, "no-service", "`luctl status` lists its services",
	                               "the machine has no service %s", order->service);
}

int plan_resolve(struct job_plan *plan)
{
	int r;

	if (plan->order->kind == JOB_START) {
		return plan_start(plan);
	}
	if (plan->order->kind == JOB_RESTART || plan_is_of_machine(plan->order->kind)) {
		return plan_order(plan);
	}
	r = plan_service(plan);
	if (!r) {
		r = plan_target(plan);
	}
	if (!r) {
		r = plan_kit(plan);
	}
	if (!r) {
		r = plan_floor(plan);
	}
	if (!r) {
		r = plan_state(plan);
	}
	if (!r) {
		r = layout_choose(plan->engine, plan->order, plan->service, &plan->target,
		        &plan->layout, plan->failure);
	}
	return r;
}

/* What planning found out, in the form of which the hash is made. Releases that differ are paired later. */
static struct job_forecast plan_forecast(const struct job_plan *plan)
{
	struct job_forecast forecast = {
	        .from = plan->running,
	        .to = plan->target,
	        .from_generation = plan->service ? plan->service->generation : 0,
	        .machine_made = plan->layout.machine_made,
	        .recipe = LINK_RECIPE,
	};

	snprintf(forecast.service, sizeof(forecast.service), "%s", plan->order->service);
	snprintf(forecast.layout_why, sizeof(forecast.layout_why), "%s", plan->layout.why);
	return forecast;
}

int engine_foresee(struct engine *engine, const struct job_order *order, struct job_forecast *ret,
        struct failure *ret_failure)
{
	struct job_plan plan = {.engine = engine, .order = order, .failure = ret_failure};
	int r = plan_resolve(&plan);

	if (plan.service && plan_running(&plan) < 0) {
		err_forget();
	}
	*ret = plan_forecast(&plan);
	return err_up(r);
}

/*
 * A layout of what runs is paired with nothing, so its plan is whole now. A hash that came with such a
 * request is of all its services together, and was compared before (control/ask/plan.c). The plan of
 * an update is whole when its releases are paired, which is where one that was not meant ends.
 */
static void plan_settle(struct job_plan *plan)
{
	struct plan_terms terms = plan_terms_of(plan->engine, plan->order);
	struct job_forecast forecast = plan_forecast(plan);

	if (plan->order->kind == JOB_RERANDOMIZE) {
		plan->text = plan_text(&terms, &forecast, 1, plan->row.plan);
	}
}

/* An id belongs to the user who gave it: nobody can take one beforehand that somebody else is going to use. */
int plan_again(struct job_plan *plan, int64_t *ret_job)
{
	const struct job_asked *asked = plan->order->asked;
	struct job_row row;
	int r = DB_E_NONE;

	if (*asked->request_id) {
		r = store_job_by_request(plan->engine->parts.db, asked->request_id, asked->who.uid,
		        machine_row(plan->order->machine)->id, plan->order->service, &row);
	}
	if (r) {
		return err_up(r);
	}
	if (memcmp(row.request_hash, asked->request_hash, sizeof(row.request_hash)) != 0) {
		return plan_refuse(plan, "request-id", "give each request an id of its own",
		        "the request id %s belongs to another request of yours", asked->request_id);
	}
	*ret_job = row.id;
	return 0;
}

int plan_join(struct job_plan *plan)
{
	const struct job_order *order = plan->order;
	struct rules_asked asked = {&order->asked->who, order->asked->reason, ""};
	int r;

	if (order->kind != JOB_UPDATE || order->asked->overrides & RULES_OVERRIDE_ROLLOUT) {
		return 0;
	}
	r = rollouts_join(engine_rollouts(plan->engine), machine_row(order->machine),
	        order->service, plan->target.id, &asked, plan->failure);
	return r == ROLLOUT_E_REFUSED ? ENGINE_E_REFUSED : err_up(r);
}

/* Its time comes again. */
static int plan_skip(struct job_plan *plan)
{
	(void)plan_refuse(plan, "busy", "", "machine %s is busy with other jobs",
	        machine_row(plan->order->machine)->name);
	return ENGINE_E_SKIPPED;
}

int engine_plan(struct engine *engine, const struct job_order *order, int64_t *ret_job,
        struct failure *ret_failure)
{
	struct job_plan plan = {.engine = engine, .order = order, .failure = ret_failure};
	struct log_about about;
	int r = plan_again(&plan, ret_job);

	if (r == 0 || r == ENGINE_E_REFUSED) {
		return r;
	}
	if (r == DB_E_NONE) {
		r = order->skipped ? plan_skip(&plan) : plan_resolve(&plan);
	}
	if (!r) {
		r = plan_join(&plan);
	}
	if (!r) {
		plan_row(&plan);
		plan_settle(&plan);
		r = db_effect(engine->parts.db, plan_write, &plan);
		free(steal(&plan.text));
	}
	if (r < 0) {
		failure_set(ret_failure, "record", "lud", "check the state directory",
		        "the job cannot be recorded: %s", strerror(-r));
		return err_up(r);
	}
	if (r) {
		return r;
	}
	about = (struct log_about){.machine = machine_row(order->machine)->name,
	        .service = order->service,
	        .job = plan.row.id};
	log_line(LOG_LEVEL_INFO, &about, "job %" PRId64 ": %s %s on %s for %s%s%s", plan.row.id,
	        job_kind_name(order->kind), order->service, machine_row(order->machine)->name,
	        order->asked->who.name, *plan.layout.why ? "; " : "", plan.layout.why);
	plan_supersede(engine, job_new(engine, &plan.row));
	*ret_job = plan.row.id;
	return 0;
}
