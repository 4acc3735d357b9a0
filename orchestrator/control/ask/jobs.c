/*
 * Requests that become jobs: each plans one job, or one for each service, and waits for all of
 * them. Of several services one that cannot be rerandomized does not stop the others: it is in
 * the answer with its reason. The other two requests sign what a job has proposed, and show a
 * job.
 */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "host/base/file.h"
#include "orchestrator/control/ask/priv.h"
#include "orchestrator/job/engine/engine.h"
#include "orchestrator/job/plan/plan.h"
#include "orchestrator/store/retention.h"

/* The hash of the one plan that the request is for; NULL: it is for any. */
static const uint8_t *control_expected(const Control__Request *request)
{
	return request->expect_plan.len ? request->expect_plan.data : NULL;
}

/* What a request asks for, as an order for one service; plan.c asks for the same without doing it. */
struct job_order control_update_order(const Control__UpdateRequest *update, struct machine *machine,
        const struct job_asked *asked)
{
	return (struct job_order){
	        .kind = update->prepare_only ? JOB_PREPARE : JOB_UPDATE,
	        .machine = machine,
	        .service = update->service,
	        .release = update->release,
	        .quiescent = update->state,
	        .timeout_ms = update->timeout_ms,
	        .hold_ms = update->hold_ms,
	        .accept_loss = update->accept_loss,
	        .layout = update->layout,
	        .recipe = update->recipe,
	        .asked = asked,
	};
}

/* It has no hold limit of its own: the configured one counts. */
struct job_order control_rollback_order(const Control__RollbackRequest *rollback,
        struct machine *machine, const struct job_asked *asked)
{
	return (struct job_order){
	        .kind = JOB_ROLLBACK,
	        .machine = machine,
	        .service = rollback->service,
	        .release = "",
	        .to_generation = rollback->to_generation,
	        .quiescent = rollback->state,
	        .timeout_ms = rollback->timeout_ms,
	        .accept_loss = rollback->accept_loss,
	        .layout = rollback->layout,
	        .asked = asked,
	};
}

/* One service is no set: ->service has it then. */
struct control_set control_update_set(
        const Control__UpdateRequest *update, const struct job_order *order)
{
	return (struct control_set){.order = order,
	        .services = update->services,
	        .n = update->n_services,
	        .is_of_one = *update->release || update->prepare_only};
}

/* The same; a generation is one of one service. */
struct control_set control_rollback_set(
        const Control__RollbackRequest *rollback, const struct job_order *order)
{
	return (struct control_set){.order = order,
	        .services = rollback->services,
	        .n = rollback->n_services,
	        .is_of_one = rollback->to_generation != 0};
}

struct job_order control_rerandomize_order(const Control__RerandomizeRequest *request,
        struct machine *machine, const char *service, const struct job_asked *asked)
{
	return (struct job_order){
	        .kind = JOB_RERANDOMIZE,
	        .machine = machine,
	        .service = service,
	        .release = "",
	        .quiescent = "",
	        .timeout_ms = request->timeout_ms,
	        .layout = request->layout,
	        .recipe = request->recipe,
	        .asked = asked,
	        .scheduled = request->scheduled,
	};
}

/* What a release, a generation or a rehearsal is named for is one service: of several it is refused. */
bool control_set_orders(struct control_client *client, const Control__Request *request,
        const struct control_set *ask, struct job_set_order *ret)
{
	struct failure failure;

	*ret = (struct job_set_order){.members = ret->members, .asked = ask->order->asked};
	if (ask->is_of_one || *ask->order->service) {
		failure_set(&failure, "invalid", "set", "ask for that service by itself",
		        "a release, a generation or --prepare-only is said of one service, not of "
		        "%zu",
		        ask->n);
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_INVALID, &failure);
		return false;
	}
	for (ret->n = 0; ret->n < ask->n && ret->n < PLAN_SET_MAX; ret->n++) {
		ret->members[ret->n] = *ask->order;
		ret->members[ret->n].service = ask->services[ret->n];
	}
	ret->n = ask->n;
	if (plan_set_check(ret, &failure)) {
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_INVALID, &failure);
		return false;
	}
	return true;
}

/* Planned as one, or refused as one; the answer is the set when it is over, with what became of each. */
static void control_set(struct control_client *client, const Control__Request *request,
        const struct control_set *ask, bool detach)
{
	struct job_order members[PLAN_SET_MAX];
	struct job_set_order set = {.members = members};
	struct failure failure = {0};
	char why[PLAN_WHY_SIZE];
	int64_t job;
	int r;

	if (!control_set_orders(client, request, ask, &set)) {
		return;
	}
	set.plan = control_expected(request);
	/* As it is planned, so that a hash that somebody saw is of the same order. */
	plan_set_sort(control_engine(client), &set, why);
	r = engine_plan_set(control_engine(client), &set, &job, &failure);
	control_planned(client, request->id, r, &failure, job, detach);
}

/*
 * An update to a release, or only its rehearsal (prepare_only). Which release that is, and
 * whether it can be done at all, is decided when the job is planned: what is refused there was
 * not recorded.
 */
void control_on_update(struct control_client *client, const Control__Request *request)
{
	const Control__UpdateRequest *update = request->update;
	struct job_asked asked = control_asked(client, request);
	struct machine *machine = control_machine(client, request->id, update->machine);
	struct job_order order = control_update_order(update, machine, &asked);
	struct control_set set = control_update_set(update, &order);

	order.plan = control_expected(request);
	if (machine && set.n) {
		control_set(client, request, &set, update->detach);
	} else if (machine) {
		control_order(client, request->id, &order, update->detach);
	}
}

/*
 * A rollback is an update to something that ran before: to a generation, or to the release before
 * the one that runs.
 */
void control_on_rollback(struct control_client *client, const Control__Request *request)
{
	const Control__RollbackRequest *rollback = request->rollback;
	struct job_asked asked = control_asked(client, request);
	struct machine *machine = control_machine(client, request->id, rollback->machine);
	struct job_order order = control_rollback_order(rollback, machine, &asked);
	struct control_set set = control_rollback_set(rollback, &order);

	order.plan = control_expected(request);
	if (machine && set.n) {
		control_set(client, request, &set, rollback->detach);
	} else if (machine) {
		control_order(client, request->id, &order, rollback->detach);
	}
}

/*
 * Starts a service afresh. Its state is lost, so the job comes to a proposal that somebody with a
 * control key has to sign before the order is sent.
 */
void control_on_restart(struct control_client *client, const Control__Request *request)
{
	const Control__RestartRequest *restart = request->restart;
	struct job_asked asked = control_asked(client, request);
	struct job_order order = job_order_of(JOB_RESTART,
	        control_machine(client, request->id, restart->machine), restart->service, &asked);

	if (order.machine) {
		control_order(client, request->id, &order, false);
	}
}

/*
 * A signature over what a job has proposed, or a word why there will be none; either ends the
 * proposal. Here only the lengths are looked at: the job puts the signature to its order, and
 * what counts in the end is what the machine says of it. Not bound to the client that was shown
 * the proposal: the key may be on another computer.
 */
void control_on_job_sign(struct control_client *client, const Control__Request *request)
{
	static const struct failure format = {"invalid", "signature",
	        "a key id has 16 bytes and a signature 64", "use the luctl of the same version"};
	const Control__JobSignRequest *sign = request->job_sign;
	struct envelope_signature signature;
	struct failure failure = {0};

	if (*sign->refusal) {
		if (engine_decline(
		            control_engine(client), (int64_t)sign->job, sign->refusal, &failure)) {
			control_refuse(
			        client, request->id, WIRE__ERROR_CLASS__ERROR_REFUSED, &failure);
			return;
		}
		control_done(client, request->id, "not signed");
		return;
	}
	if (sign->key_id.len != sizeof(signature.key_id) ||
	        sign->signature.len != sizeof(signature.sig)) {
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_INVALID, &format);
		return;
	}
	memcpy(signature.key_id, sign->key_id.data, sizeof(signature.key_id));
	memcpy(signature.sig, sign->signature.data, sizeof(signature.sig));
	if (engine_countersign(control_engine(client), (int64_t)sign->job, &signature, &failure)) {
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_REFUSED, &failure);
		return;
	}
	control_done(client, request->id, "signed");
}

/* Plans one service's rerandomization; what cannot be done is kept with its reason. */
static void control_rerandomize_one(struct control_wait *wait, const char *service,
        const Control__RerandomizeRequest *request, const struct job_asked *asked)
{
	struct job_order order = control_rerandomize_order(request, wait->machine, service, asked);
	struct failure failure = {0};
	struct job_skip *skip;
	int64_t job;
	int r;

	order.skipped = wait->is_skipped;
	if (wait->n_jobs + wait->n_skipped >= CONTROL_JOBS_MAX) {
		return;
	}
	r = engine_plan(control_engine(wait->client), &order, &job, &failure);
	err_forget();
	if (!r) {
		wait->jobs[wait->n_jobs++] = job;
		return;
	}
	if (!wait->skipped) {
		wait->skipped = mem_zero(CONTROL_JOBS_MAX * sizeof(*wait->skipped));
	}
	skip = &wait->skipped[wait->n_skipped++];
	snprintf(skip->service, sizeof(skip->service), "%s", service);
	skip->failure = failure;
	skip->refused = r != ENGINE_E_SKIPPED;
}

/*
 * Every service that the machine has named. One that cannot be updated at all, as it says itself,
 * is in the answer as skipped and not as an error.
 */
static void control_rerandomize_all(struct control_wait *wait,
        const Control__RerandomizeRequest *request, const struct job_asked *asked)
{
	const Machine__Status *status = machine_status(wait->machine);

	for (size_t i = 0; status && i < status->n_services; i++) {
		control_rerandomize_one(wait, status->services[i]->name, request, asked);
	}
}

/*
 * New layouts of the releases that run, of some services or of all; one job each. Needs a machine
 * that is up, since only it says what runs. `detach` answers as soon as the jobs are recorded.
 */
void control_on_rerandomize(struct control_client *client, const Control__Request *request)
{
	const Control__RerandomizeRequest *rerandomize = request->rerandomize;
	struct machine *machine = control_machine(client, request->id, rerandomize->machine);
	struct job_asked asked = control_asked(client, request);
	struct failure failure;
	struct control_wait *wait;

	if (!machine) {
		return;
	}
	if (machine_state(machine) != MACHINE_UP) {
		engine_not_up(machine, &failure);
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_UNAVAILABLE, &failure);
		return;
	}
	if (!control_plan_is_meant(client, request, machine)) {
		return;
	}
	wait = control_wait_new(client, request->id);
	if (!wait) {
		return;
	}
	wait->machine = machine;
	wait->many = true;
	wait->is_skipped =
	        rerandomize->scheduled && engine_is_skipped(control_engine(client), machine);
	if (rerandomize->all) {
		control_rerandomize_all(wait, rerandomize, &asked);
	}
	for (size_t i = 0; !rerandomize->all && i < rerandomize->n_services; i++) {
		control_rerandomize_one(wait, rerandomize->services[i], rerandomize, &asked);
	}
	control_jobs_wait(wait, rerandomize->detach);
}

/* It never was there, or went because it was old. */
void control_refuse_job(struct control_client *client, uint64_t id, uint64_t job)
{
	struct failure failure;
	struct tm tm;
	char day[32];
	int64_t usec;
	time_t sec;

	failure_set(&failure, "no-job", "lud", "`luctl job list` shows the jobs",
	        "there is no job %" PRIu64, job);
	if (job <= INT64_MAX && !store_job_removed(control_db(client), (int64_t)job, &usec)) {
		sec = (time_t)(usec / 1000000);
		strftime(day, sizeof(day), "%F", localtime_r(&sec, &tm));
		failure_set(&failure, "job-removed", "lud",
		        "`luctl job list` shows those that are kept; record.jobs of lud's "
		        "configuration says how many",
		        "job %" PRIu64
		        " is kept no more: retention removed it, on %s at the latest",
		        job, day);
	}
	err_forget();
	control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_NOT_FOUND, &failure);
}

/*
 * One job in its long form, with the steps it has taken. `wait` answers when it is settled, for a
 * client that left, or never was, and wants to know the end. One that is open in the record only,
 * because it could not be taken up, is shown as it is: nobody works on it.
 */
void control_on_job_show(struct control_client *client, const Control__Request *request)
{
	_cleanup_(pool_fini) struct pool pool;
	struct engine *engine = control_engine(client);
	Control__Reply reply = CONTROL__REPLY__INIT;
	int r;

	pool_init(&pool);
	reply.body_case = CONTROL__REPLY__BODY_JOB;
	r = view_job(&pool, engine, request->job_show->job, true, &reply.job);
	if (r < 0) {
		control_refuse_record(client, request->id);
		return;
	}
	if (r) {
		control_refuse_job(client, request->id, request->job_show->job);
		return;
	}
	if (request->job_show->wait && engine_has_job(engine, (int64_t)request->job_show->job)) {
		control_wait_job(client, request->id, request->job_show->job, false);
		return;
	}
	control_reply(client, request->id, &reply);
}
