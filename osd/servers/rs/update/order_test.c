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
static struct rs_result result;
static struct trust_number running; /* number 0: nothing */
static bool is_move, is_switched;
static uint32_t n_given_way, n_cancelled;

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
}

err_t trust_confirm(struct trust_state *t, struct trust_number number)
{
	abort();
}

struct trust_variant *trust_find_variant(struct trust_state *t, const uint8_t hash[RS_HASH_LEN])
{
	abort();
}

struct trust_variant *trust_find_kit(struct trust_state *t, const uint8_t release_id[RS_HASH_LEN])
{
	abort();
}

err_t stage_request_drop(struct trust_variant *v)
{
	abort();
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
	return E_OK;
}

void binary_release(struct binary *binary)
{
	abort();
}

struct service *service_find(const char name[SERVICE_NAME_LEN])
{
	abort();
}

err_t recover_restart(struct service *s)
{
	abort();
}

struct rs_result *result_find(struct trust_number number)
{
	return NULL;
}

struct rs_result *result_open(struct trust_number number)
{
	abort();
}

void journal_add(const struct journal_entry *entry)
{
	abort();
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

/* RS's own go, unless they have come to the switch. */
void update_give_way(const char *why)
{
	n_given_way++;
	if (running.epoch == 0 && !is_switched) {
		running = (struct trust_number){0, 0};
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

/* Send an order with these limits; it is accepted. */
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
	n_begun = n_given_way = 0;
	return rs_on_order(10, &request, ret_reply);
}

/*
 * What stands in the way: RS's own gives way. Behind the switch a move is over in a moment, so the
 * order may come again; an order that runs is named.
 */
static void test_way(void)
{
	struct rs_reply reply;

	ask(0, 0, 0, 0);
	is_move = true;
	running = (struct trust_number){0, 8};
	assert(show(&reply) == E_OK && n_begun == 1 && n_given_way == 1);
	running = (struct trust_number){0, 8};
	is_switched = true;
	assert(show(&reply) == E_RATE && n_begun == 0 && reply.a == UPDATE_MOVE_MS);
	is_move = false; /* a prepare check never gets there; were it so, it is busy */
	assert(show(&reply) == E_BUSY && reply.a == 8 && reply.b == 0);
	running = (struct trust_number){3, 2};
	assert(show(&reply) == E_BUSY && n_begun == 0 && reply.a == 2 && reply.b == 3);
	running = (struct trust_number){0, 0};
	is_switched = false;
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
	test_cancel();
	return 0;
}
