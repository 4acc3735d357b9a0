/*
 * What a request would do: the same orders as the request itself would give, planned and not recorded.
 * Nothing is made, signed or sent; only releases that differ are paired, by a worker, as the job
 * would have them paired.
 *
 *   asked -> every part is foreseen -> a worker for each part whose release changes, one after the
 *   other -> one answer, with a hash if nothing would be refused
 *
 * What is told is of this moment. A job is planned again when it begins; the hash is what makes sure that
 * both are the same.
 */
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/control/ask/priv.h"
#include "orchestrator/job/engine/engine.h"
#include "orchestrator/job/pair/pairing.h"

/* A plan while it is put together; all of it is in the wait's pool. */
struct control_plan {
	Control__Plan view;
	struct plan_terms terms;
	enum job_kind kind;                          /* of each part */
	struct job_forecast parts[CONTROL_JOBS_MAX]; /* as ->view.parts */
	size_t at;                                   /* the part that is paired now */
};

static void plan_next(struct control_wait *wait);

/* Why a part would be refused. Only the first reason counts. */
static void plan_refuse(
        struct control_wait *wait, Control__PlanPart *part, const struct failure *failure)
{
	Wire__Cause *cause = pool_zero(wait->pool, sizeof(*cause));

	wire__cause__init(cause);
	cause->component = pool_text(wait->pool, failure->place);
	cause->step = "plan";
	cause->name = pool_text(wait->pool, failure->code);
	cause->message = pool_text(wait->pool, failure->cause);
	part->refused = cause;
	part->hint = pool_text(wait->pool, failure->remedy);
	wait->plan->view.refused = wait->plan->view.refused || !part->skipped;
}

static void plan_view_part(
        struct control_wait *wait, const struct job_forecast *forecast, Control__PlanPart *part)
{
	struct pool *pool = wait->pool;

	control__plan_part__init(part);
	part->service = pool_text(pool, forecast->service);
	part->from_generation = forecast->from_generation;
	if (forecast->from.id) {
		part->from_release = pool_bytes(
		        pool, forecast->from.release_id, sizeof(forecast->from.release_id));
		part->from_counter = (uint32_t)forecast->from.counter;
	}
	if (forecast->to.id) {
		part->to_release =
		        pool_bytes(pool, forecast->to.release_id, sizeof(forecast->to.release_id));
		part->to_counter = (uint32_t)forecast->to.counter;
		part->layout = (char *)view_layout(forecast->machine_made);
	}
	part->layout_why = pool_text(pool, forecast->layout_why);
	if (store_job_blackout(control_db(wait->client), machine_row(wait->machine)->id,
	            forecast->service, &part->blackout_ns, &part->blackout_of) < 0) {
		err_forget();
	}
}

/* What would keep it waiting if it was asked for now. It is of this moment, so the hash has nothing of it. */
static void plan_view_gates(
        struct control_wait *wait, const struct job_order *order, Control__PlanPart *part)
{
	struct job_row row = {.kind = order->kind, .timeout_ms = order->timeout_ms};
	struct rules_gate gates[_RULES_GATE_N];
	const struct rules_gate *shut;

	snprintf(row.service, sizeof(row.service), "%s", order->service);
	engine_gates(control_engine(wait->client), wait->machine, &row, gates);
	shut = engine_gate_shut(gates);
	if (shut) {
		part->held = pool_text(wait->pool, shut->why);
		part->held_until_us = shut->next_us == DECIDE_NEVER ? 0 : shut->next_us;
	}
}

/* An update that is watched by what nobody reports would never be found well: it is no refusal, but is known beforehand. */
static void plan_view_warning(
        struct control_wait *wait, const struct job_order *order, Control__PlanPart *part)
{
	const char *figure = order->kind == JOB_UPDATE
	                             ? plan_unreported(control_engine(wait->client), wait->machine,
	                                       order->service)
	                             : NULL;

	if (figure) {
		part->warning = pool_format(wait->pool,
		        "no service of %s reports the figure `%s`, by which a policy has it "
		        "watched: it "
		        "is never found healthy, and fails when health.healthy is over",
		        machine_row(wait->machine)->name, figure);
	}
}

/* One service's part. What cannot be updated at all is skipped where all are asked for. */
static void plan_part(struct control_wait *wait, const struct job_order *order, bool of_all)
{
	struct control_plan *plan = wait->plan;
	struct job_forecast *forecast = &plan->parts[plan->view.n_parts];
	struct failure failure = {0};
	Control__PlanPart *part;
	int r;

	if (plan->view.n_parts == CONTROL_JOBS_MAX) {
		return;
	}
	r = engine_foresee(control_engine(wait->client), order, forecast, &failure);
	part = pool_zero(wait->pool, sizeof(*part));
	plan_view_part(wait, forecast, part);
	plan_view_gates(wait, order, part);
	plan_view_warning(wait, order, part);
	plan->view.parts[plan->view.n_parts++] = part;
	if (r < 0) {
		failure_set(&failure, "record", "lud", "check the state directory",
		        "what is known of %s cannot be read", order->service);
		err_forget();
	} else if (!r && !forecast->from.id && order->kind != JOB_RERANDOMIZE) {
		pairing_unregistered(order->service, &failure);
		r = ENGINE_E_REFUSED;
	}
	if (r) {
		part->skipped = of_all && r == ENGINE_E_SKIPPED;
		plan_refuse(wait, part, &failure);
	}
}

/* Of all parts that would be carried out, in their order. */
static void plan_hash_parts(const struct control_plan *plan, uint8_t ret_hash[64])
{
	struct job_forecast *parts = mem_zero(sizeof(plan->parts));
	size_t n = 0;

	for (size_t i = 0; i < plan->view.n_parts; i++) {
		if (!plan->view.parts[i]->refused) {
			parts[n++] = plan->parts[i];
		}
	}
	plan_hash(&plan->terms, parts, n, ret_hash);
	free(parts);
}

static void plan_answer(struct control_wait *wait)
{
	Control__Reply reply = CONTROL__REPLY__INIT;
	struct control_plan *plan = wait->plan;
	uint8_t hash[64];

	if (!plan->view.refused) {
		plan_hash_parts(plan, hash);
		plan->view.hash = pool_bytes(wait->pool, hash, sizeof(hash));
	}
	reply.body_case = CONTROL__REPLY__BODY_PLAN;
	reply.plan = &plan->view;
	control_reply(wait->client, wait->id, &reply);
	control_wait_free(wait);
}

/* What a worker says of both ways: the way there may refuse the part; the way back where a policy needs one. */
static void plan_take(struct control_wait *wait, const char *json)
{
	struct control_plan *plan = wait->plan;
	struct job_forecast *forecast = &plan->parts[plan->at];
	Control__PlanPart *part = plan->view.parts[plan->at];
	struct job_way_back way = {
	        .machine = machine_row(wait->machine),
	        .kind = plan->kind,
	        .service = forecast->service,
	        .is_member = plan->terms.kind == JOB_SET,
	        .from = &forecast->from,
	        .to = &forecast->to,
	};
	struct failure failure = {0};

	if (pairing_read(wait->pool, json, PAIRING_FORWARD, &forecast->from, &forecast->to,
	            &part->pairing, &failure) < 0) {
		err_forget();
		plan_refuse(wait, part, &failure);
		return;
	}
	job_forecast_pair(forecast, part->pairing->id.data, part->pairing->n_lost);
	if (pairing_read(wait->pool, json, PAIRING_BACK, &forecast->to, &forecast->from,
	            &part->back, &failure) < 0) {
		err_forget();
		part->back = NULL;
	}
	if (pairing_refuses(part->pairing, plan->kind, forecast->service, plan->terms.accept_loss,
	            &failure) ||
	        plan_no_way_back(control_engine(wait->client), &way, part->back, &failure)) {
		plan_refuse(wait, part, &failure);
	}
}

static void plan_on_paired(const struct failure *failure, void *arg)
{
	struct control_wait *wait = arg;
	_cleanup_(freep) char *json = steal(&wait->json);

	wait->task = NULL;
	if (failure) {
		plan_refuse(wait, wait->plan->view.parts[wait->plan->at], failure);
	} else {
		plan_take(wait, json);
	}
	wait->plan->at++;
	plan_next(wait);
}

/* Has the next part paired whose release changes, or answers. */
static void plan_next(struct control_wait *wait)
{
	struct control_plan *plan = wait->plan;

	for (; plan->at < plan->view.n_parts; plan->at++) {
		const struct job_forecast *part = &plan->parts[plan->at];

		if (plan->view.parts[plan->at]->refused || part->from.id == part->to.id) {
			continue;
		}
		wait->task =
		        forge_task_question(forge_pair(engine_forge(control_engine(wait->client)),
		                part->from.path, part->to.path, &wait->json, plan_on_paired, wait));
		return;
	}
	plan_answer(wait);
}

/* Each service of the request, or of the machine. */
static void plan_rerandomize(struct control_wait *wait, const Control__RerandomizeRequest *request,
        const struct job_asked *asked)
{
	const Machine__Status *status = machine_status(wait->machine);
	struct job_order order;

	for (size_t i = 0; request->all && status && i < status->n_services; i++) {
		order = control_rerandomize_order(
		        request, wait->machine, status->services[i]->name, asked);
		plan_part(wait, &order, true);
	}
	for (size_t i = 0; !request->all && i < request->n_services; i++) {
		order = control_rerandomize_order(
		        request, wait->machine, request->services[i], asked);
		plan_part(wait, &order, false);
	}
}

/* An empty plan, of orders like this one. */
static struct control_plan *plan_begin(struct control_wait *wait, const struct job_order *order)
{
	struct control_plan *plan;

	wait->pool = mem_zero(sizeof(*wait->pool));
	pool_init(wait->pool);
	plan = pool_zero(wait->pool, sizeof(*plan));
	control__plan__init(&plan->view);
	plan->view.machine = pool_text(wait->pool, machine_row(wait->machine)->name);
	plan->view.kind = (Control__JobKind)order->kind;
	plan->view.parts = pool_zero(wait->pool, CONTROL_JOBS_MAX * sizeof(*plan->view.parts));
	plan->terms = plan_terms_of(control_engine(wait->client), order);
	plan->terms.quiescent = pool_text(wait->pool, order->quiescent);
	plan->kind = order->kind;
	return plan;
}

/* All services of a set, in its order. False: it was refused. */
static bool plan_set(
        struct control_wait *wait, const Control__Request *request, const struct control_set *ask)
{
	struct job_order members[PLAN_SET_MAX];
	struct job_set_order set = {.members = members};
	char why[PLAN_WHY_SIZE];

	/* A set that cannot be asked for has no plan either. */
	if (!control_set_orders(wait->client, request, ask, &set)) {
		return false;
	}
	plan_set_sort(control_engine(wait->client), &set, why);
	wait->plan = plan_begin(wait, ask->order);
	wait->plan->terms.kind = JOB_SET;
	wait->plan->view.kind = CONTROL__JOB_KIND__JOB_KIND_SET;
	wait->plan->view.order = pool_text(wait->pool, why);
	for (size_t i = 0; i < set.n; i++) {
		plan_part(wait, &set.members[i], false);
	}
	return true;
}

/* The order that all parts are like, and of one service the part. False: the request has none, and was refused. */
static bool plan_ask(struct control_wait *wait, const Control__Request *request)
{
	static const struct failure nothing = {"invalid", "plan",
	        "the request names nothing to plan", "use the luctl of the same version"};
	const Control__PlanRequest *ask = request->plan;
	struct job_asked asked = {.reason = "", .request_id = ""};
	struct control_set set = {.n = 0};
	struct job_order order;

	switch (ask->asked_case) {
	case CONTROL__PLAN_REQUEST__ASKED_UPDATE:
		order = control_update_order(ask->update, wait->machine, &asked);
		set = control_update_set(ask->update, &order);
		break;
	case CONTROL__PLAN_REQUEST__ASKED_ROLLBACK:
		order = control_rollback_order(ask->rollback, wait->machine, &asked);
		set = control_rollback_set(ask->rollback, &order);
		break;
	case CONTROL__PLAN_REQUEST__ASKED_RERANDOMIZE:
		order = control_rerandomize_order(ask->rerandomize, wait->machine, "", &asked);
		wait->plan = plan_begin(wait, &order);
		plan_rerandomize(wait, ask->rerandomize, &asked);
		return true;
	case CONTROL__PLAN_REQUEST__ASKED__NOT_SET:
	case _CONTROL__PLAN_REQUEST__ASKED__CASE_IS_INT_SIZE:
		control_refuse(wait->client, wait->id, WIRE__ERROR_CLASS__ERROR_INVALID, &nothing);
		return false;
	}
	/* Of several services each is a part, in the order of the set. */
	if (set.n) {
		return plan_set(wait, request, &set);
	}
	wait->plan = plan_begin(wait, &order);
	plan_part(wait, &order, false);
	return true;
}

void control_on_plan(struct control_client *client, const Control__Request *request)
{
	struct machine *machine = control_machine(client, request->id, request->plan->machine);
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
	wait = control_wait_new(client, request->id);
	if (!wait) {
		return;
	}
	wait->machine = machine;
	if (!plan_ask(wait, request)) {
		control_wait_free(wait);
		return;
	}
	plan_next(wait);
}

/*
 * The parts of a rerandomization are not paired, so its whole plan is known at once. Each job then
 * sees to its own part.
 */
bool control_plan_is_meant(
        struct control_client *client, const Control__Request *request, struct machine *machine)
{
	struct job_asked asked = {.reason = "", .request_id = ""};
	struct job_order order =
	        control_rerandomize_order(request->rerandomize, machine, "", &asked);
	struct failure failure;
	struct control_wait *wait;
	uint8_t hash[64];
	bool meant;

	if (!request->expect_plan.len) {
		return true;
	}
	wait = control_wait_new(client, request->id);
	if (!wait) {
		return false;
	}
	wait->machine = machine;
	wait->plan = plan_begin(wait, &order);
	plan_rerandomize(wait, request->rerandomize, &asked);
	plan_hash_parts(wait->plan, hash);
	meant = !wait->plan->view.refused &&
	        memcmp(hash, request->expect_plan.data, sizeof(hash)) == 0;
	control_wait_free(wait);
	if (!meant) {
		plan_changed(machine_row(machine)->name, &failure);
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_REFUSED, &failure);
	}
	return meant;
}
