/* Orders that a lud may propose, and what a person asked for. */
#undef NDEBUG
#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "ctl/sign/intent.h"

#define NOW UINT64_C(1700000000)

struct order {
	struct order_manifest head;
	struct order_component component[2];
};

static struct order order_of(uint32_t action, const char *service)
{
	struct order order = {.head = {.action = action,
	                              .issued = NOW,
	                              .expires = NOW + 600,
	                              .n_components = service ? 1 : 0}};

	strcpy(order.component[0].service, service ? service : "");
	return order;
}

static bool is_signed(const Control__Request *asked, struct order order)
{
	return intent_refusal(asked, &order.head, NOW) == NULL;
}

static void test_update(void)
{
	Control__UpdateRequest update = CONTROL__UPDATE_REQUEST__INIT;
	Control__Request asked = CONTROL__REQUEST__INIT;

	asked.body_case = CONTROL__REQUEST__BODY_UPDATE;
	asked.update = &update;
	update.service = "echo";
	assert(!is_signed(&asked, order_of(ORDER_UPDATE, "echo"))); /* no loss was accepted */
	assert(!is_signed(&asked, order_of(ORDER_SHUTDOWN, NULL)));
	assert(!is_signed(&asked, order_of(ORDER_RESTART, "echo")));
	update.accept_loss = true;
	assert(is_signed(&asked, order_of(ORDER_UPDATE, "echo")));
	assert(!is_signed(&asked, order_of(ORDER_UPDATE, "ech")));
	assert(!is_signed(&asked, order_of(ORDER_UPDATE, "echo2")));
	assert(!is_signed(&asked, order_of(ORDER_PREPARE, "echo")));
	assert(!is_signed(&asked, order_of(ORDER_RESTART, "echo")));
	assert(!is_signed(&asked, order_of(ORDER_DROP, "echo")));
	update.prepare_only = true;
	assert(is_signed(&asked, order_of(ORDER_PREPARE, "echo")));
	assert(!is_signed(&asked, order_of(ORDER_UPDATE, "echo")));
}

static void test_update_named(void)
{
	Control__UpdateRequest update = CONTROL__UPDATE_REQUEST__INIT;
	Control__Request asked = CONTROL__REQUEST__INIT;
	struct order order = order_of(ORDER_UPDATE, "echo");
	char longer[140];

	asked.body_case = CONTROL__REQUEST__BODY_UPDATE;
	asked.update = &update;
	update.service = "echo";
	update.accept_loss = true;
	memcpy(order.component[0].release_id, "\xa1\xb2\xc3", 3);
	for (size_t i = 0; i < 4; i++) {
		update.release = (char *[]){"", "newest", "a1b2c", "A1B2C300"}[i];
		assert(is_signed(&asked, order));
	}
	memset(longer, '0', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	memcpy(longer, "a1b2c3", 6);
	for (size_t i = 0; i < 4; i++) {
		update.release = (char *[]){"a1b3", "b", "a1x", longer}[i];
		assert(!is_signed(&asked, order));
	}
	longer[128] = '\0'; /* all of it */
	assert(is_signed(&asked, order));
	update.state = "idle";
	assert(!is_signed(&asked, order));
	strcpy(order.component[0].state, "idle");
	assert(is_signed(&asked, order));
	update.timeout_ms = 7000;
	update.hold_ms = 300;
	assert(!is_signed(&asked, order));
	order.head.total_ms = 7000;
	assert(!is_signed(&asked, order));
	order.head.hold_ms = 300;
	assert(is_signed(&asked, order));
	order.head.argument = 1;
	assert(!is_signed(&asked, order));
}

static void test_rollback(void)
{
	Control__RollbackRequest rollback = CONTROL__ROLLBACK_REQUEST__INIT;
	Control__Request asked = CONTROL__REQUEST__INIT;

	asked.body_case = CONTROL__REQUEST__BODY_ROLLBACK;
	asked.rollback = &rollback;
	rollback.service = "echo";
	assert(!is_signed(&asked, order_of(ORDER_UPDATE, "echo")));
	rollback.accept_loss = true;
	assert(is_signed(&asked, order_of(ORDER_UPDATE, "echo")));
	assert(!is_signed(&asked, order_of(ORDER_UPDATE, "store")));
	rollback.state = "idle";
	assert(!is_signed(&asked, order_of(ORDER_UPDATE, "echo")));
}

static void test_restart(void)
{
	Control__RestartRequest restart = CONTROL__RESTART_REQUEST__INIT;
	Control__Request asked = CONTROL__REQUEST__INIT;
	struct order order = order_of(ORDER_RESTART, "echo");

	asked.body_case = CONTROL__REQUEST__BODY_RESTART;
	asked.restart = &restart;
	restart.service = "echo";
	assert(is_signed(&asked, order));
	order.head.n_components = 2;
	assert(!is_signed(&asked, order));
	order = order_of(ORDER_RESTART, "echo");
	order.head.expires = NOW + 86400;
	assert(!is_signed(&asked, order));
	order.head.expires = UINT64_MAX;
	order.head.issued = UINT64_MAX - 600;
	assert(!is_signed(&asked, order));
	assert(!is_signed(&asked, order_of(ORDER_RESTART, "store")));
	restart.service = "a_name_that_is_longer_than_any";
	assert(!is_signed(&asked, order_of(ORDER_RESTART, "a_name_that_is_longer_t")));
}

static void test_stop(void)
{
	Control__MachineStopRequest stop = CONTROL__MACHINE_STOP_REQUEST__INIT;
	Control__Request asked = CONTROL__REQUEST__INIT;

	asked.body_case = CONTROL__REQUEST__BODY_MACHINE_STOP;
	asked.machine_stop = &stop;
	assert(!is_signed(&asked, order_of(ORDER_SHUTDOWN, NULL)));
	stop.clean = true;
	assert(is_signed(&asked, order_of(ORDER_SHUTDOWN, NULL)));
	assert(!is_signed(&asked, order_of(ORDER_RESTART, "echo")));
}

/* Requests that destroy nothing have nothing signed for them. */
static void test_others(void)
{
	Control__RerandomizeRequest rerandomize = CONTROL__RERANDOMIZE_REQUEST__INIT;
	Control__Request asked = CONTROL__REQUEST__INIT;

	asked.body_case = CONTROL__REQUEST__BODY_RERANDOMIZE;
	asked.rerandomize = &rerandomize;
	for (uint32_t action = ORDER_UPDATE; action < _ORDER_ACTION_N; action++) {
		assert(!is_signed(&asked, order_of(action, "echo")));
		assert(!is_signed(&asked, order_of(action, NULL)));
	}
}

int main(void)
{
	test_update();
	test_update_named();
	test_rollback();
	test_restart();
	test_stop();
	test_others();
	return 0;
}
