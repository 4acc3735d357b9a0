/*
 * Orders: what the machine does because somebody with the right keys said so. The envelope is
 * verified as a whole first; then the number decides whether the order is new; then everything that
 * could refuse it is asked. Only when nothing does is it accepted: its number counts from there on,
 * and it has a result. A refusal is the answer to the request, uses nothing up and leaves no trace.
 *
 * Without an order anybody on the channel may ask whether a service could be prepared now, and end
 * a transaction that has not come to the switch, unless it is a move. Such a check gives way to an
 * order that needs its place, and so does a move that a standing order asked for; but only when
 * nothing can refuse the order any more. One that is refused keeps its number, so whoever has seen it
 * can send it as often as he likes, and he must not be able to keep a service in its layout by that.
 */
#include "osd/servers/rs/base/handler.h"

#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/life/binary.h"
#include "osd/servers/rs/base/journal.h"
#include "osd/servers/rs/base/log.h"
#include "osd/servers/rs/base/machine.h"
#include "osd/servers/rs/life/recover.h"
#include "osd/servers/rs/update/result.h"
#include "osd/servers/rs/life/service.h"
#include "osd/servers/rs/stage/stage_request.h"
#include "osd/servers/rs/trust/trust.h"
#include "osd/servers/rs/update/hook.h"
#include "osd/servers/rs/update/priv.h"
#include "osd/servers/rs/update/update.h"
#include "proto/envelope/pairing.h"

/* Between prepare checks, which nobody has to sign for. */
#define ORDER_CHECK_PAUSE NSEC_SEC
/* Orders may ask for other limits than the usual, up to this. */
#define ORDER_LIMIT_MAX (3600 * NSEC_SEC)

static struct trust_number order_number(const struct order_manifest *order)
{
	return (struct trust_number){order->epoch, order->transaction};
}

/* The reply to an order: how it stands, by its number. */
static void order_answer(const struct rs_result *result, struct rs_reply *ret_reply)
{
	ret_reply->count = result->outcome;
	ret_reply->a = result->transaction;
	ret_reply->b = result->epoch;
}

/* The reply names who is in the way. */
static err_t order_busy(struct trust_number running, struct rs_reply *ret_reply)
{
	ret_reply->a = running.number;
	ret_reply->b = running.epoch;
	return E_BUSY;
}

/* A move of RS's own has come to the switch: it is over in a moment. */
static err_t order_later(struct rs_reply *ret_reply)
{
	ret_reply->a = UPDATE_MOVE_MS;
	return E_RATE;
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

/* A limit of an order, which counts in ms; 0 stays: the usual. */
static nsec_t order_limit(uint32_t ms)
{
	nsec_t limit = ms * NSEC_MSEC;

	return limit < ORDER_LIMIT_MAX ? limit : ORDER_LIMIT_MAX;
}

static struct update_plan order_plan(const struct order_manifest *order)
{
	return (struct update_plan){
	        .number = order_number(order),
	        .action = order->action,
	        .limit[RS_STEP_PREPARE] = order_limit(order->prepare_ms),
	        .limit[RS_STEP_TRANSFER] = order_limit(order->transfer_ms),
	        .total_limit = order_limit(order->total_ms),
	        .hold = order_limit(order->hold_ms),
	};
}

/*
 * The number of a quiescent state by name. E_UNSUPPORTED: there is none; services have numbers of
 * their own, which only a test can name.
 */
static err_t order_state_find(const char name[SERVICE_NAME_LEN], uint32_t *ret_state)
{
	static const struct {
		const char *name;
		uint32_t state;
	} names[] = {
#define QUIESCENT(name, number, word, use) {word, number},
#include "proto/words/quiescent.def"
#undef QUIESCENT
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strncmp(names[i].name, name, SERVICE_NAME_LEN) == 0) {
			*ret_state = names[i].state;
			return E_OK;
		}
	}
	return hook_state(name, ret_state);
}

err_t order_state(
        const char state[SERVICE_NAME_LEN], const struct service *service, uint32_t *ret_state)
{
	err_t err = order_state_find(state, ret_state);

	if (err == E_OK && *ret_state == QS_DEFAULT) {
		err = order_state_find(service->binary.kit.quiescent, ret_state);
	}
	return err;
}

/* Everything that could refuse this component; ret_component is ready to begin with, or empty. */
static err_t order_component(const struct order_manifest *order, const struct order_component *c,
        struct txn_component *ret_component)
{
	struct trust_number generation = {order->epoch, c->generation};
	struct txn_component component = {.instance = {.slot = EP_NONE}};
	struct trust_variant *variant;
	err_t err = trust_component(&machine.trust, order, c, rs_uptime(), &variant);

	if (err == E_OK) {
		err = verify_service(c->service, &component.service);
	}
	if (err == E_OK) {
		err = order_consent(c, component.service, variant, &component.accepts_loss);
	}
	if (err == E_OK) {
		err = order_state(c->state, component.service, &component.state);
	}
	if (err == E_OK) {
		component.layout_nsec = sys_clock_read();
		err = verify_update(variant, generation, component.service, &component.binary);
		component.layout_nsec = sys_clock_read() - component.layout_nsec;
	}
	if (err == E_OK) {
		component.image_bytes = component.binary.payload_bytes;
		*ret_component = component;
	}
	return err;
}

static void order_release(struct txn_component *components, uint32_t n)
{
	while (n-- > 0) {
		binary_release(&components[n].binary);
	}
}

/* All components or none. */
static err_t order_components_find(
        const struct order_manifest *order, struct txn_component *ret_components)
{
	for (uint32_t i = 0; i < order->n_components; i++) {
		err_t err = order_component(order, &order_components(order)[i], &ret_components[i]);

		if (err != E_OK) {
			order_release(ret_components, i);
			return err;
		}
	}
	return E_OK;
}

/*
 * The record is free for it, or what gives way has it: so the components become ready beside it. A
 * service that crashed while a move was taken back is none that can be updated.
 */
static err_t order_update(const struct order_manifest *order, struct rs_reply *ret_reply)
{
	static struct txn_component ready[TXN_N_COMPONENTS];
	struct update *update = update_record();
	struct update_plan plan = order_plan(order);
	uint32_t n = order->n_components;
	err_t err = order_components_find(order, ready);

	if (err != E_OK) {
		return err;
	}
	update_give_way("an order came");
	for (uint32_t i = 0; i < n; i++) {
		if (ready[i].service->state != RS_SERVICE_RUNNING) {
			order_release(ready, n);
			return E_STATE;
		}
	}
	memcpy(update->txn.components, ready, n * sizeof(ready[0]));
	trust_accept(&machine.trust, order);
	txn_begin(update, &plan, n);
	order_answer(update->txn.result, ret_reply);
	return E_OK;
}

/*
 * Restart afresh: the service loses its state, so the signature of a control key was required. One
 * that is being moved is up, and so nothing refuses its restart.
 */
static err_t order_restart(const struct order_manifest *order)
{
	struct service *service = service_find(order_components(order)->service);

	if (service == NULL) {
		return E_NOTFOUND;
	}
	if (service->state == RS_SERVICE_UPDATING) {
		update_give_way("an order came");
	}
	return recover_restart(service);
}

/* What is to be dropped: a variant, or a kit alone, by its release id. NULL: not admitted. */
static struct trust_variant *order_find(const struct order_component *c)
{
	struct trust_variant *v = trust_find_variant(&machine.trust, c->variant_hash);

	return v != NULL ? v : trust_find_kit(&machine.trust, c->variant_hash);
}

/* All or nothing: look at each before the first is dropped. */
static err_t order_drop(const struct order_manifest *order)
{
	const struct order_component *c = order_components(order);

	for (uint32_t i = 0; i < order->n_components; i++) {
		const struct trust_variant *v = order_find(&c[i]);

		if (v == NULL) {
			return E_V_UNADMITTED;
		}
		if (v->n_users > 0) {
			return E_BUSY;
		}
	}
	for (uint32_t i = 0; i < order->n_components; i++) {
		struct trust_variant *v = order_find(&c[i]);

		if (v != NULL && stage_request_drop(v) != E_OK) {
			rs_panic("a variant that nobody uses is in use");
		}
	}
	return E_OK;
}

/* An order that was verified and is new; what it would need the place of is not there, or gives way. */
static err_t order_act(const struct order_manifest *order, struct rs_reply *ret_reply)
{
	err_t err = E_UNSUPPORTED;

	switch ((enum order_action)order->action) {
	case ORDER_UPDATE:
	case ORDER_PREPARE:
		return order_update(order, ret_reply);
	case ORDER_CONFIRM:
		err = trust_confirm(
		        &machine.trust, (struct trust_number){order->epoch, order->argument});
		break;
	case ORDER_RESTART:
		err = order_restart(order);
		break;
	case ORDER_SHUTDOWN:
		err = sys_machine_off((uint32_t)order->argument);
		break;
	case ORDER_DROP:
		err = order_drop(order);
		break;
	case _ORDER_ACTION_N:
		break;
	}
	if (err == E_OK) {
		order_done(order, ret_reply);
	}
	return err;
}

/* A confirm too: it raises a floor that the running transaction was measured against. */
static bool order_needs_slot(const struct order_manifest *order)
{
	return order->action == ORDER_UPDATE || order->action == ORDER_PREPARE ||
	       order->action == ORDER_RESTART || order->action == ORDER_CONFIRM;
}

/*
 * RS_ORDER. A known number is answered with what is known, also when the order has expired since:
 * whoever lost the answer may ask again. Anything else must be new.
 */
err_t rs_on_order(endpoint_t who, const struct rs_request *request, struct rs_reply *ret_reply)
{
	const struct order_manifest *order = NULL;
	const struct rs_result *known;
	struct trust_number running;
	const void *bytes;
	err_t err = handler_envelope(who, request, &bytes);

	update_record()->asked = sys_clock_read();
	if (err == E_OK) {
		err = trust_order(&machine.trust, bytes, request->bytes, rs_uptime(), &order);
	}
	known = order != NULL ? result_find(order_number(order)) : NULL;
	if (known != NULL) {
		order_answer(known, ret_reply);
		return E_OK;
	}
	if (err == E_OK) {
		err = trust_order_is_new(&machine.trust, order);
	}
	if (err != E_OK) {
		return err;
	}
	if (order->n_components > 1 && order->action != ORDER_DROP) {
		return E_UNSUPPORTED;
	}
	running = update_running();
	if (running.number != 0 && !update_gives_way() && order_needs_slot(order)) {
		return update_is_moving() ? order_later(ret_reply) : order_busy(running, ret_reply);
	}
	return order_act(order, ret_reply);
}

/* RS_PREPARE_CHECK: could this service be prepared now? A transaction that makes nothing. */
err_t rs_on_prepare_check(
        endpoint_t who, const struct rs_request *request, struct rs_reply *ret_reply)
{
	struct update *update = update_record();
	struct update_plan plan = {.action = ORDER_PREPARE};
	struct txn_component component = {.instance = {.slot = EP_NONE}};
	nsec_t now = sys_clock_read();
	struct rs_check check;
	err_t err;

	if (request->bytes < sizeof(check)) {
		return E_INVAL;
	}
	err = sys_copy_from_grant(who, request->grant, 0, &check, sizeof(check));
	if (err != E_OK) {
		return err;
	}
	if (update_running().number != 0 && !update_is_moving()) {
		return order_busy(update_running(), ret_reply);
	}
	if (now < update->next_check || update_is_moving()) {
		return E_AGAIN;
	}
	err = verify_service(check.service, &component.service);
	if (err == E_OK) {
		err = order_state(check.state, component.service, &component.state);
	}
	if (err != E_OK) {
		return err;
	}
	update->next_check = now + ORDER_CHECK_PAUSE;
	update->asked = now;
	plan.number.number = ++update->n_checks;
	update->txn.components[0] = component;
	txn_begin(update, &plan, 1);
	order_answer(update->txn.result, ret_reply);
	return E_OK;
}

/*
 * RS_CANCEL: the running transaction, by its whole number. A move has one of RS's own, which anybody
 * could guess: a standing order was signed for it, and another one ends it.
 */
err_t rs_on_cancel(endpoint_t who, const struct rs_request *request, struct rs_reply *ret_reply)
{
	struct trust_number running = update_running();

	if (running.number == 0 || update_is_moving() || running.number != request->argument ||
	        running.epoch != request->total) {
		return E_NOTFOUND;
	}
	return txn_cancel(&update_record()->txn, "cancelled on request");
}
