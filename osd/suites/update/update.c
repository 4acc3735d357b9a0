/* Running a transaction, with assist asked without a pause: every answer must be there, and be
 * the right one. */
#include "osd/servers/rs/trust/trust.h"
#include "osd/suites/update/order.h"
#include "osd/suites/update/priv.h"
#include "proto/envelope/pairing.h"

#include <string.h>

#include "osd/lib/sef/sef.h"
#include "osd/lib/sys/grant.h"
#include "osd/lib/sys/sys.h"

static uint64_t update_id;
static uint64_t assist_counter;
static endpoint_t assist_endpoint = EP_NONE;
static nsec_t assist_longest;

uint64_t update_last_id(void)
{
	return update_id;
}

uint64_t update_next_id(void)
{
	return ++update_id;
}

static uint32_t update_msec(nsec_t nsec)
{
	return (uint32_t)(nsec / NSEC_MSEC);
}

static err_t offer_admit_as(const struct offer *offer, struct rs_admitted *ret_admitted)
{
	static _Alignas(8) uint8_t envelope[OFFER_ENVELOPE_MAX + RS_SEED_LEN];
	struct rs_reply reply;
	err_t r;

	memcpy(envelope, offer->envelope, offer->envelope_bytes);
	memcpy(envelope + offer->envelope_bytes, offer->seed, RS_SEED_LEN);
	r = rs_ask_with(RS_ADMIT, envelope, offer->envelope_bytes + RS_SEED_LEN,
	        GRANT_READ | GRANT_WRITE, (struct rs_request){.argument = RS_SEED_LEN}, &reply);
	memcpy(ret_admitted, envelope, sizeof(*ret_admitted));
	return r;
}

err_t offer_admit(const struct offer *offer)
{
	struct rs_admitted admitted;

	return offer_admit_as(offer, &admitted);
}

/* The hash of the state description that an offer comes with. */
static const uint8_t *offer_state_hash(const char *name)
{
	static struct offer offer;

	offer = *offer_find(name);
	return offer.description;
}

/* An order for what the offer's envelope says, whoever may believe it. */
static void update_order(
        struct order *order, uint64_t number, const struct offer *offer, const struct ask *ask)
{
	struct order_component *c;
	struct envelope_view view;

	if (envelope_open(offer->envelope, offer->envelope_bytes, &view) != ENVELOPE_OK) {
		sef_panic("the offer %s is not an envelope", offer->name);
	}
	order_init(order, ask->is_prepare_only ? ORDER_PREPARE : ORDER_UPDATE, number);
	c = order_add(order, offer->service);
	memcpy(c->release_id, view.variant->release_id, sizeof(c->release_id));
	variant_manifest_hash(view.variant, c->variant_hash);
	c->generation = offer->generation;
	c->recipe = view.variant->recipe;
	if (ask->from != NULL) {
		envelope_pairing_id(offer_state_hash(ask->from), view.kit->state_hash, c->consent);
		order->by[order->n_by++] = ORDER_KEY_CONTROL;
	}
	if (ask->state != NULL) {
		strncpy(c->state, ask->state, sizeof(c->state) - 1);
	}
	order->head.prepare_ms = update_msec(ask->prepare);
	order->head.transfer_ms = update_msec(ask->transfer);
	order->head.total_ms = update_msec(ask->total);
}

err_t update_begin_as(uint64_t transaction, const struct offer *offer, const struct ask *ask,
        struct rs_reply *ret_reply)
{
	struct order order;
	err_t r = offer_admit(offer);

	if (r != E_OK) {
		return r;
	}
	update_order(&order, transaction, offer, ask);
	return order_send(&order, ret_reply);
}

err_t update_begin(const struct offer *offer, const struct ask *ask, struct rs_reply *ret_reply)
{
	static const struct ask usual;
	struct rs_reply reply;

	return update_begin_as(++update_id, offer, ask != NULL ? ask : &usual,
	        ret_reply != NULL ? ret_reply : &reply);
}

static bool update_is_over(struct trust_number number, struct rs_result *result)
{
	struct rs_reply reply;
	err_t r = rs_ask_with(RS_RESULT, result, sizeof(*result), GRANT_WRITE,
	        (struct rs_request){.argument = number.number, .total = number.epoch}, &reply);

	CHECK_EQUAL(r, E_OK);
	return r != E_OK || result->outcome != RS_OUTCOME_RUNNING;
}

static struct rs_result number_wait(struct trust_number number)
{
	static struct rs_result result;

	memset(&result, 0, sizeof(result));
	while (!update_is_over(number, &result)) {
		assist_count_up();
	}
	return result;
}

struct rs_result update_wait(uint64_t transaction)
{
	return number_wait((struct trust_number){order_epoch(), transaction});
}

struct rs_result update_run(const char *name, const struct ask *ask)
{
	static struct offer offer;
	err_t r;

	offer = *offer_find(name);
	CHECK_EQUAL(offer_admit(&offer), E_OK);
	stage_offer(&offer);
	r = update_begin(&offer, ask, NULL);
	return r == E_OK ? update_wait(update_id)
	                 : (struct rs_result){.outcome = RS_OUTCOME_REFUSED, .err = r};
}

err_t check_begin(const char *state, uint64_t *ret_number)
{
	struct rs_check check = {.service = "assist"};
	struct rs_reply reply = {0};
	err_t r;

	strncpy(check.state, state, sizeof(check.state) - 1);
	r = rs_ask_with(RS_PREPARE_CHECK, &check, sizeof(check), GRANT_READ, (struct rs_request){0},
	        &reply);
	*ret_number = reply.a;
	return r;
}

struct rs_result check_wait(uint64_t number)
{
	return number_wait((struct trust_number){0, number});
}

struct rs_result check_run(const char *state)
{
	uint64_t number;
	err_t r;

	while ((r = check_begin(state, &number)) == E_AGAIN) {
		pause_for(50 * NSEC_MSEC);
	}
	CHECK_EQUAL(r, E_OK);
	return check_wait(number);
}

err_t assist_ask(uint32_t type, uint64_t a, uint64_t b, struct assist_reply *ret_reply)
{
	struct message msg = {.type = type, .w = {a, b}};
	nsec_t begin = sys_clock_read(), gap;
	err_t r;

	if (assist_endpoint == EP_NONE) {
		assist_endpoint = sef_lookup("assist");
	}
	r = sys_sendrec(assist_endpoint, &msg);
	gap = sys_clock_read() - begin;
	assist_longest = gap > assist_longest ? gap : assist_longest;
	if (r != E_OK) {
		return r;
	}
	*ret_reply = *MSG_AS(struct assist_reply, &msg);
	return ret_reply->err;
}

/*
 * E_RESTART is the honest answer of a service that was started afresh: whoever asked must know what
 * it lost.
 */
void assist_count_up(void)
{
	struct assist_reply reply = {0};
	err_t r = assist_ask(ASSIST_COUNT, 1, 0, &reply);

	if (r == E_RESTART) {
		assist_counter = 0;
		return;
	}
	CHECK_EQUAL(r, E_OK);
	if (reply.a == 1) {
		assist_counter = 0; /* afresh while nobody asked */
	}
	CHECK_EQUAL(reply.a, assist_counter + 1);
	assist_counter = reply.a;
}

uint64_t assist_checksum(void)
{
	struct assist_reply reply = {0};

	CHECK_EQUAL(assist_ask(ASSIST_CHECK, 0, 0, &reply), E_OK);
	return reply.a;
}

uint64_t assist_place(void)
{
	struct assist_reply reply = {0};

	CHECK_EQUAL(assist_ask(ASSIST_LAYOUT, 0, 0, &reply), E_OK);
	return reply.a;
}

void service_settle(const char *name)
{
	struct rs_service service;
	uint32_t n = 0;

	do {
		pause_for(NSEC_MSEC);
		CHECK(rs_service(name, &service));
	} while (service.state != RS_SERVICE_RUNNING && ++n < 5000);
	CHECK_EQUAL(service.state, RS_SERVICE_RUNNING);
}

void assist_settle(void)
{
	service_settle("assist");
}

void pause_for(nsec_t nsec)
{
	struct message msg = {0};

	(void)sys_alarm_set(sys_clock_read() + nsec);
	while (!message_is_notify(&msg, EP_CLOCK)) {
		sef_receive(&msg);
	}
}

nsec_t longest_gap(void)
{
	return assist_longest;
}
