/*
 * Orders: what the machine does because somebody with the right keys said so. The envelope is
 * verified as a whole first; then the number decides whether the order is new; then everything that
 * could refuse it is asked. Only when nothing does is it accepted: its number counts from there on,
 * and it has a result. A refusal is the answer to the request, uses nothing up and leaves no trace.
 *
 * Without an order anybody on the channel may ask whether a service could be prepared now, and end
 * a transaction that has not come to the switch. Such a check gives way to an order.
 */
#include "osd/servers/rs/update/order.h"

#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/life/binary.h"
#include "osd/servers/rs/base/handler.h"
#include "osd/servers/rs/base/journal.h"
#include "osd/servers/rs/base/log.h"
#include "osd/servers/rs/base/machine.h"
#include "osd/servers/rs/life/recover.h"
#include "osd/servers/rs/update/result.h"
#include "osd/servers/rs/life/service.h"
#include "osd/servers/rs/stage/stage_request.h"
#include "osd/servers/rs/trust/trust.h"
#include "osd/servers/rs/update/txn.h"
#include "proto/envelope/pairing.h"

#define ORDER_CHECK_PAUSE NSEC_SEC

static struct trust_number order_number(const struct order_manifest *order)
{
	return (struct trust_number){order->epoch, order->transaction};
}

static void order_answer(const struct rs_result *result, struct rs_reply *ret_reply)
{
	ret_reply->count = result->outcome;
	ret_reply->a = result->transaction;
	ret_reply->b = result->epoch;
}

static err_t order_busy(const struct update_txn *txn, struct rs_reply *ret_reply)
{
	ret_reply->a = txn->plan.number.number;
	ret_reply->b = txn->plan.number.epoch;
	return E_BUSY;
}

/* The result of an order that needs no transaction: it is done as soon as it is accepted. */
static void order_done(const struct order_manifest *order, struct rs_reply *ret_reply)
{
	static const char nobody[SERVICE_NAME_LEN];
	const char *service = order->n_components > 0 ? order_components(order)->service : nobody;
	struct rs_result *result;

	trust_accept(&machine.trust, order);
	result = result_open(order_number(order));
	result->action = order->action;
	result->outcome = RS_OUTCOME_COMMITTED;
	result->step = RS_STEP_DONE;
	result->started = result->step_at[RS_STEP_DONE] = sys_clock_read();
	memcpy(result->service, service, SERVICE_NAME_LEN);
	journal_add(&(struct journal_entry){
	        .kind = RS_EVENT_RESULT,
	        .step = RS_STEP_DONE,
	        .transaction = order_number(order),
	        .service = service,
	        .text = "",
	});
	order_answer(result, ret_reply);
}

/* Consent is to the loss of one pairing: of the state that runs with the state that comes. */
static err_t order_consent(const struct order_component *c, const struct service *service,
        const struct trust_variant *variant, bool *ret_accepts_loss)
{
	static const uint8_t none[RS_HASH_LEN];
	uint8_t id[RS_HASH_LEN];

	*ret_accepts_loss = memcmp(c->consent, none, sizeof(none)) != 0;
	envelope_pairing_id(service->binary.kit.state_hash, variant->kit.state_hash, id);
	return !*ret_accepts_loss || memcmp(c->consent, id, sizeof(id)) == 0 ? E_OK : E_V_CONSENT;
}

static nsec_t order_nsec(uint32_t ms)
{
	return ms * NSEC_MSEC;
}

static void order_plan(const struct order_manifest *order, struct trust_variant *variant,
        struct update_plan *ret_plan)
{
	const struct order_component *c = order_components(order);

	*ret_plan = (struct update_plan){
	        .number = order_number(order),
	        .action = order->action,
	        .variant = variant,
	        .generation = c->generation,
	        .prepare_timeout = order_nsec(order->prepare_ms),
	        .transfer_timeout = order_nsec(order->transfer_ms),
	        .total_timeout = order_nsec(order->total_ms),
	        .hold = order_nsec(order->hold_ms),
	};
	memcpy(ret_plan->service, c->service, SERVICE_NAME_LEN);
	memcpy(ret_plan->state, c->state, SERVICE_NAME_LEN);
}

/* State by name; the service's own, when none is named. */
static err_t order_state(
        const struct update_plan *plan, const struct service *service, uint32_t *ret_state)
{
	err_t r = txn_state_find(plan->state, ret_state);

	if (r == E_OK && *ret_state == QS_DEFAULT) {
		r = txn_state_find(service->binary.kit.quiescent, ret_state);
	}
	return r;
}

static err_t order_update(const struct order_manifest *order, struct rs_reply *ret_reply)
{
	const struct order_component *c = order_components(order);
	struct trust_variant *variant;
	struct update_plan plan;
	struct service *service;
	struct binary binary;
	uint32_t state;
	err_t r = trust_component(&machine.trust, order, c, rs_uptime(), &variant);

	if (r != E_OK) {
		return r;
	}
	order_plan(order, variant, &plan);
	r = verify_service(&plan, &service);
	if (r == E_OK) {
		r = order_consent(c, service, variant, &plan.accepts_loss);
	}
	if (r == E_OK) {
		r = order_state(&plan, service, &state);
	}
	if (r == E_OK) {
		r = verify_update(&plan, service, &binary);
	}
	if (r != E_OK) {
		return r;
	}
	trust_accept(&machine.trust, order);
	order_answer(txn_begin(&plan, state, service, &binary), ret_reply);
	return E_OK;
}

static err_t order_restart(const struct order_manifest *order)
{
	struct service *service = service_find(order_components(order)->service);

	return service == NULL ? E_NOTFOUND : recover_restart(service);
}

/* All or nothing: look at each before the first is dropped. */
static err_t order_drop(const struct order_manifest *order)
{
	const struct order_component *c = order_components(order);

	for (uint32_t i = 0; i < order->n_components; i++) {
		const struct trust_variant *v =
		        trust_find_variant(&machine.trust, c[i].variant_hash);

		if (v == NULL) {
			return E_V_UNADMITTED;
		}
		if (v->n_users > 0) {
			return E_BUSY;
		}
	}
	for (uint32_t i = 0; i < order->n_components; i++) {
		struct trust_variant *v = trust_find_variant(&machine.trust, c[i].variant_hash);

		if (v != NULL && stage_request_drop(v) != E_OK) {
			rs_panic("a variant that nobody uses is in use");
		}
	}
	return E_OK;
}

static err_t order_act(const struct order_manifest *order, struct rs_reply *ret_reply)
{
	err_t r = E_UNSUPPORTED;

	switch ((enum order_action)order->action) {
	case ORDER_UPDATE:
	case ORDER_PREPARE:
		return order_update(order, ret_reply);
	case ORDER_CONFIRM:
		r = trust_confirm(
		        &machine.trust, (struct trust_number){order->epoch, order->argument});
		break;
	case ORDER_RESTART:
		r = order_restart(order);
		break;
	case ORDER_SHUTDOWN:
		r = sys_machine_off((uint32_t)order->argument);
		break;
	case ORDER_DROP:
		r = order_drop(order);
		break;
	case _ORDER_ACTION_N:
		break;
	}
	if (r == E_OK) {
		order_done(order, ret_reply);
	}
	return r;
}

/* The transaction that stands in the way of an order; a check gives way. */
static const struct update_txn *order_clear_way(void)
{
	const struct update_txn *txn = txn_running();

	if (txn != NULL && txn->plan.number.epoch == 0) {
		(void)txn_cancel("an order came");
	}
	return txn_running();
}

/* A confirm too: it raises a floor that the running transaction was measured against. */
static bool order_needs_slot(const struct order_manifest *order)
{
	return order->action == ORDER_UPDATE || order->action == ORDER_PREPARE ||
	       order->action == ORDER_RESTART || order->action == ORDER_CONFIRM;
}

err_t order_request(const struct message *msg, struct rs_reply *ret_reply)
{
	const struct rs_request *request = MSG_AS(struct rs_request, msg);
	const struct order_manifest *order = NULL;
	const struct rs_result *known;
	const struct update_txn *running;
	const void *bytes;
	err_t r = handler_envelope(msg, &bytes);

	if (r == E_OK) {
		r = trust_order(&machine.trust, bytes, request->bytes, rs_uptime(), &order);
	}
	known = order != NULL ? result_find(order_number(order)) : NULL;
	if (known != NULL) {
		order_answer(known, ret_reply);
		return E_OK;
	}
	if (r == E_OK) {
		r = trust_order_is_new(&machine.trust, order);
	}
	if (r != E_OK) {
		return r;
	}
	if (order->n_components > 1 && order->action != ORDER_DROP) {
		return E_UNSUPPORTED;
	}
	running = order_clear_way();
	if (running != NULL && order_needs_slot(order)) {
		return order_busy(running, ret_reply);
	}
	return order_act(order, ret_reply);
}

err_t order_prepare_check(const struct message *msg, struct rs_reply *ret_reply)
{
	static uint64_t n_checks;
	static nsec_t next_check;
	const struct rs_request *request = MSG_AS(struct rs_request, msg);
	struct update_plan plan = {.action = ORDER_PREPARE};
	const struct update_txn *running = txn_running();
	nsec_t now = sys_clock_read();
	struct service *service;
	struct rs_check check;
	uint32_t state;
	err_t r;

	if (request->bytes < sizeof(check)) {
		return E_INVAL;
	}
	r = sys_copy_from_grant(msg->source, request->grant, 0, &check, sizeof(check));
	if (r != E_OK) {
		return r;
	}
	if (running != NULL) {
		return order_busy(running, ret_reply);
	}
	if (now < next_check) {
		return E_AGAIN;
	}
	memcpy(plan.service, check.service, SERVICE_NAME_LEN);
	memcpy(plan.state, check.state, SERVICE_NAME_LEN);
	r = verify_service(&plan, &service);
	if (r == E_OK) {
		r = order_state(&plan, service, &state);
	}
	if (r != E_OK) {
		return r;
	}
	next_check = now + ORDER_CHECK_PAUSE;
	plan.number.number = ++n_checks;
	order_answer(txn_begin(&plan, state, service, NULL), ret_reply);
	return E_OK;
}

err_t order_cancel(const struct message *msg, struct rs_reply *ret_reply)
{
	const struct rs_request *request = MSG_AS(struct rs_request, msg);
	const struct update_txn *running = txn_running();

	(void)ret_reply;
	if (running == NULL || running->plan.number.number != request->argument ||
	        running->plan.number.epoch != request->total) {
		return E_NOTFOUND;
	}
	return txn_cancel("cancelled on request");
}
