#undef NDEBUG
/*
 * What of an order reaches the transaction. The envelope is taken as verified: trust, verification
 * and the engine are played, and keep what they are given.
 */
#include "osd/servers/rs/base/handler.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/lib/sys/test/host_gate.h"
#include "osd/servers/rs/base/journal.h"
#include "osd/servers/rs/base/log.h"
#include "osd/servers/rs/life/recover.h"
#include "osd/servers/rs/stage/stage_request.h"
#include "osd/servers/rs/update/priv.h"
#include "osd/servers/rs/update/result.h"
#include "osd/servers/rs/update/update.h"
#include "proto/envelope/pairing.h"

struct machine machine;

/* An order with its only component behind it. */
static struct {
	struct order_manifest head;
	struct order_component component;
} order;
static struct service service = {.binary.kit.quiescent = "work-free"};
static struct trust_variant variant;
static struct update record;
static struct update_plan plan; /* that the transaction was begun with */
static uint32_t n_begun;
static nsec_t now;
static struct rs_result result = {.transaction = 4, .epoch = 3};
static struct trust_number running; /* number 0: nothing */
static bool is_move, is_switched;
static uint32_t n_given_way, n_cancelled, n_released;
static err_t refusal;    /* of whatever an order asks for */
static bool is_hurt;     /* what gives way leaves the service crashed */
static bool is_accepted; /* its number is used up */

/* The kernel: a clock that moves on with each look at it, and nothing else to ask for. */
void host_enter(struct host_registers *r)
{
	assert(r->rax == KCALL_clock_read);
	r->rax = ++now;
}

err_t handler_envelope(endpoint_t who, const struct rs_request *request, const void **ret_bytes)
{
	*ret_bytes = &order;
	return E_OK;
}

uint64_t rs_uptime(void)
{
	return 0;
}

err_t trust_order(struct trust_state *t, const void *bytes, size_t len, uint64_t uptime,
        const struct order_manifest **ret_order)
{
	*ret_order = bytes;
	return E_OK;
}

err_t trust_order_is_new(const struct trust_state *t, const struct order_manifest *head)
{
	return E_OK;
}

err_t trust_component(struct trust_state *t, const struct order_manifest *head,
        const struct order_component *component, uint64_t uptime,
        struct trust_variant **ret_variant)
{
	*ret_variant = &variant;
	return E_OK;
}

void trust_accept(struct trust_state *t, const struct order_manifest *head)
{
	is_accepted = true;
}

err_t trust_confirm(struct trust_state *t, struct trust_number number)
{
	return refusal;
}

struct trust_variant *trust_find_variant(struct trust_state *t, const uint8_t hash[RS_HASH_LEN])
{
	return refusal == E_OK ? &variant : NULL;
}

struct trust_variant *trust_find_kit(struct trust_state *t, const uint8_t release_id[RS_HASH_LEN])
{
	return NULL;
}

err_t stage_request_drop(struct trust_variant *v)
{
	return E_OK;
}

void envelope_pairing_id(
        const uint8_t old_state[64], const uint8_t new_state[64], uint8_t ret_id[64])
{
	memset(ret_id, 1, 64);
}

err_t verify_service(const char name[SERVICE_NAME_LEN], struct service **ret_service)
{
	*ret_service = &service;
	return E_OK;
}

err_t verify_update(struct trust_variant *v, struct trust_number generation,
        const struct service *s, struct binary *ret_binary)
{
	return refusal;
}

void binary_release(struct binary *binary)
{
	n_released++;
}

struct service *service_find(const char name[SERVICE_NAME_LEN])
{
	return &service;
}

err_t recover_restart(struct service *s)
{
	return s->state == RS_SERVICE_UPDATING ? E_BUSY : refusal;
}

struct rs_result *result_find(struct trust_number number)
{
	return NULL;
}

struct rs_result *result_open(struct trust_number number)
{
	return &result;
}

void journal_add(const struct journal_entry *entry)
{
}

struct update *update_record(void)
{
	return &record;
}

struct trust_number update_running(void)
{
	return running;
}

bool update_is_moving(void)
{
	return running.number != 0 && running.epoch == 0 && is_move;
}

bool update_gives_way(void)
{
	return running.number != 0 && running.epoch == 0 && !is_switched;
}

/* The record is the transaction's until then, and no order may have written to it. */
void update_give_way(const char *why)
{
	if (update_gives_way()) {
		assert(record.txn.components[0].service == NULL);
		running = (struct trust_number){0, 0};
		service.state = is_hurt ? RS_SERVICE_RESTARTING : RS_SERVICE_RUNNING;
		n_given_way++;
	}
}

err_t txn_cancel(struct update_txn *txn, const char *why)
{
	n_cancelled++;
	return E_OK;
}

void txn_begin(struct update *update, const struct update_plan *wanted, uint32_t n)
{
	assert(update == &record && n == 1);
	plan = *wanted;
	n_begun++;
	record.txn.result = &result;
}

void rs_panic(const char *text)
{
	abort();
}

/* Send an order with these limits to a service that is at work; it is accepted. */
static void ask(uint32_t total, uint32_t prepare, uint32_t transfer, uint32_t hold)
{
	const struct rs_request request = {.bytes = sizeof(order)};
	struct rs_reply reply;

	memset(&order, 0, sizeof(order));
	order.head.epoch = 3;
	order.head.transaction = 4;
	order.head.action = ORDER_UPDATE;
	order.head.n_components = 1;
	order.head.total_ms = total;
	order.head.prepare_ms = prepare;
	order.head.transfer_ms = transfer;
	order.head.hold_ms = hold;
	n_begun = 0;
	record.asked = 0;
	service.state = RS_SERVICE_RUNNING;
	assert(rs_on_order(10, &request, &reply) == E_OK && n_begun == 1);
	assert(record.asked != 0 && record.txn.components[0].layout_nsec != 0);
	assert(plan.number.epoch == 3 && plan.number.number == 4 && plan.action == ORDER_UPDATE);
}

/* Each limit of an order is that of the transaction; 0 stays 0, and an hour is the most. */
static void test_limits(void)
{
	ask(4, 3, 2, 1);
	assert(plan.total_limit == 4 * NSEC_MSEC);
	assert(plan.limit[RS_STEP_PREPARE] == 3 * NSEC_MSEC);
	assert(plan.limit[RS_STEP_TRANSFER] == 2 * NSEC_MSEC && plan.hold == NSEC_MSEC);
	ask(0, 0, 0, 0);
	assert(plan.total_limit == 0 && plan.limit[RS_STEP_PREPARE] == 0);
	assert(plan.limit[RS_STEP_TRANSFER] == 0 && plan.hold == 0);
	ask(UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX);
	assert(plan.total_limit == 3600 * NSEC_SEC && plan.hold == 3600 * NSEC_SEC);
	assert(plan.limit[RS_STEP_PREPARE] == 3600 * NSEC_SEC);
	assert(plan.limit[RS_STEP_TRANSFER] == 3600 * NSEC_SEC);
}

/* Show an order again, whatever is in its way. */
static err_t show(struct rs_reply *ret_reply)
{
	const struct rs_request request = {.bytes = sizeof(order)};

	*ret_reply = (struct rs_reply){0};
	n_begun = n_given_way = n_released = 0;
	is_accepted = false;
	return rs_on_order(10, &request, ret_reply);
}

/* A transaction of RS's own has the service; a move, or else a check. */
static void occupy(bool by_move)
{
	is_move = by_move;
	running = (struct trust_number){0, 8};
	service.state = RS_SERVICE_UPDATING;
	memset(record.txn.components, 0, sizeof(record.txn.components));
}

/*
 * What stands in the way: RS's own gives way. Behind the switch a move is over in a moment, so the
 * order may come again; an order that runs is named.
 */
static void test_way(void)
{
	struct rs_reply reply;

	ask(0, 0, 0, 0);
	for (int by_move = 0; by_move < 2; by_move++) {
		occupy(by_move);
		assert(show(&reply) == E_OK && n_begun == 1 && n_given_way == 1);
		assert(is_accepted && reply.a == 4 && reply.b == 3);
		assert(record.txn.components[0].service == &service && n_released == 0);
	}
	occupy(true);
	is_switched = true;
	assert(show(&reply) == E_RATE && n_begun == 0 && reply.a == UPDATE_MOVE_MS);
	is_move = false; /* a prepare check never gets there; were it so, it is busy */
	assert(show(&reply) == E_BUSY && reply.a == 8 && reply.b == 0);
	running = (struct trust_number){3, 2};
	assert(show(&reply) == E_BUSY && n_begun == 0 && reply.a == 2 && reply.b == 3);
	running = (struct trust_number){0, 0};
	is_switched = false;
}

/* A genuine order that is refused can be sent again and again: it ends nothing. */
static void test_refused(void)
{
	static const uint32_t actions[] = {
	        ORDER_UPDATE, ORDER_PREPARE, ORDER_CONFIRM, ORDER_DROP, ORDER_RESTART};
	struct rs_reply reply;

	ask(0, 0, 0, 0);
	refusal = E_V_UNADMITTED;
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		order.head.action = actions[i];
		occupy(true);
		if (actions[i] == ORDER_RESTART) {
			service.state = RS_SERVICE_DOWN; /* another one is moved */
		}
		assert(show(&reply) == E_V_UNADMITTED && !is_accepted);
		assert(n_given_way == 0 && n_begun == 0 && n_released == 0);
		assert(record.txn.components[0].service == NULL && running.number == 8);
	}
	refusal = E_OK;
	running = (struct trust_number){0, 0};
}

/* Only what needs the service, or the record, ends a move. */
static void test_beside(void)
{
	static const struct {
		uint32_t action;
		bool ends;
	} rows[] = {{ORDER_CONFIRM, false}, {ORDER_DROP, false}, {ORDER_RESTART, true}};
	struct rs_reply reply;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		order.head.action = rows[i].action;
		occupy(true);
		assert(show(&reply) == E_OK && is_accepted && n_begun == 0);
		assert(n_given_way == rows[i].ends);
	}
	order.head.action = ORDER_RESTART;
	occupy(true);
	service.state = RS_SERVICE_RUNNING; /* another one is moved */
	assert(show(&reply) == E_OK && is_accepted && n_given_way == 0);
	running = (struct trust_number){0, 0};
}

/* What gave way left a service that is not at work: nothing is begun with it. */
static void test_hurt(void)
{
	struct rs_reply reply;

	ask(0, 0, 0, 0);
	is_hurt = true;
	occupy(true);
	assert(show(&reply) == E_STATE && !is_accepted && n_begun == 0 && n_released == 1);
	is_hurt = false;
}

static err_t cancel(uint64_t epoch, uint64_t number)
{
	const struct rs_request request = {.total = epoch, .argument = number};
	struct rs_reply reply = {0};

	n_cancelled = 0;
	return rs_on_cancel(10, &request, &reply);
}

/* Orders and checks, by their numbers; a move's is RS's own, and nobody else's to end. */
static void test_cancel(void)
{
	running = (struct trust_number){3, 2};
	assert(cancel(3, 1) == E_NOTFOUND && cancel(2, 2) == E_NOTFOUND && n_cancelled == 0);
	assert(cancel(3, 2) == E_OK && n_cancelled == 1);
	running = (struct trust_number){0, 8};
	is_move = false;
	assert(cancel(0, 8) == E_OK && n_cancelled == 1);
	is_move = true;
	assert(cancel(0, 8) == E_NOTFOUND && n_cancelled == 0);
	running = (struct trust_number){0, 0};
	assert(cancel(0, 0) == E_NOTFOUND && n_cancelled == 0);
}

int main(void)
{
	sys_gate = (vaddr_t)host_gate;
	test_limits();
	test_way();
	test_refused();
	test_beside();
	test_hurt();
	test_cancel();
	return 0;
}
