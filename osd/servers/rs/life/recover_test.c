#undef NDEBUG
/*
 * Services that crash, end or fall silent, by a clock of the test's own: each try has a layout of its
 * own, tries have limits, and who crashes too often in a row is given up. Instances, layouts and the
 * start of others are played.
 */
#include "osd/servers/rs/life/recover.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/lib/sys/test/host_gate.h"
#include "osd/servers/rs/base/journal.h"
#include "osd/servers/rs/base/log.h"
#include "osd/servers/rs/base/machine.h"
#include "osd/servers/rs/life/start.h"

#define ENDPOINT EP_MAKE(7, 1)
#define SPARE EP_MAKE(9, 1)
#define CRASHES 3

static struct service *service;
static struct image_header header;
static nsec_t now;
static uint32_t n_remade, n_created, n_swapped, n_pings, n_steps, n_first;
static uint32_t n_events[32];
static err_t remake_err, create_err;

/* The kernel: a clock, and slots that do as they are told. */
void host_enter(struct host_registers *r)
{
	switch ((uint32_t)r->rax) {
	case KCALL_clock_read:
		r->rax = now;
		return;
	case KCALL_slot_swap:
		assert((endpoint_t)r->rdi == ENDPOINT && (endpoint_t)r->rsi == SPARE);
		n_swapped++;
		break;
	case KCALL_asend:
		n_pings++;
		break;
	case KCALL_slot_stop:
	case KCALL_domain_set:
		break;
	default:
		abort();
	}
	r->rax = E_OK;
}

void journal_add(const struct journal_entry *entry)
{
	assert(entry->kind < sizeof(n_events) / sizeof(n_events[0]));
	n_events[entry->kind]++;
}

err_t binary_remake(struct binary *binary)
{
	n_remade += remake_err == E_OK;
	return remake_err;
}

/* Never of a layout that an instance had before. */
err_t instance_create(const struct instance_plan *plan, struct instance *ret_instance)
{
	assert(plan->kind == START_RESTART && plan->self == ENDPOINT);
	assert(n_remade == n_created + n_first + 1);
	if (create_err != E_OK) {
		n_remade--;
		return create_err;
	}
	n_created++;
	*ret_instance = (struct instance){.slot = SPARE};
	return E_OK;
}

err_t instance_start(const struct instance *instance)
{
	assert(instance->slot == ENDPOINT);
	return E_OK;
}

void instance_destroy(struct instance *instance)
{
	instance->slot = EP_NONE;
}

err_t start_service(struct service *s)
{
	assert(s == service && s->state == RS_SERVICE_STARTING);
	assert(n_remade == n_created + n_first + 1);
	n_first++;
	s->endpoint = s->instance.slot = ENDPOINT;
	return E_OK;
}

void start_step(void)
{
	n_steps++;
}

_Noreturn void rs_panic(const char *text)
{
	fprintf(stderr, "panic: %s\n", text);
	abort();
}

/* The service anew: up for an hour, without a crash. */
static void begin(void)
{
	struct binary binary = {.image.header = &header};

	binary.kit.restart = KIT_RESTART_NONE + 1;
	binary.kit.restart_limit = CRASHES;
	binary.kit.heartbeat_ms = 1000;
	now += 3600 * NSEC_SEC;
	*service = (struct service){.state = RS_SERVICE_RUNNING,
	        .endpoint = ENDPOINT,
	        .instance.slot = ENDPOINT,
	        .binary = binary,
	        .started = now - 3600 * NSEC_SEC,
	        .start_deadline = NSEC_NEVER,
	        .retry_at = NSEC_NEVER};
	recover_heartbeat_arm(service, now);
	n_remade = n_created = n_swapped = n_pings = n_steps = n_first = 0;
	memset(n_events, 0, sizeof(n_events));
	remake_err = create_err = E_OK;
}

/* Behind the same endpoint, in another layout; the gap is from the crash to the first sign of life. */
static void test_crash(void)
{
	begin();
	recover_crash(service, E_CRASHED, "");
	assert(service->state == RS_SERVICE_RESTARTING && service->n_restarts == 1);
	assert(n_remade == 1 && n_swapped == 1 && service->endpoint == ENDPOINT);
	assert(service->instance.slot == ENDPOINT && n_events[RS_EVENT_CRASHED] == 1);
	now += 30 * NSEC_MSEC;
	recover_started(service);
	assert(service->state == RS_SERVICE_RUNNING && service->longest_gap == 30 * NSEC_MSEC);
	assert(service->crashed == 0 && service->start_deadline == NSEC_NEVER && n_steps == 1);
	assert(service->ping_at == now + NSEC_SEC && n_events[RS_EVENT_RESTARTED] == 1);
}

/* Too often in a row is the end; who stayed up for long starts counting anew. */
static void test_limit(void)
{
	begin();
	for (uint32_t i = 0; i < CRASHES; i++) {
		recover_crash(service, E_CRASHED, "");
		recover_started(service);
	}
	now += 11 * NSEC_SEC;
	for (uint32_t i = 0; i < CRASHES; i++) {
		recover_crash(service, E_CRASHED, "");
		now += 9 * NSEC_SEC;
		recover_started(service);
	}
	recover_crash(service, E_CRASHED, "");
	assert(service->state == RS_SERVICE_DOWN && service->endpoint == EP_NONE);
	assert(n_events[RS_EVENT_GAVE_UP] == 1 && n_remade == 2 * CRASHES);
	assert(recover_next_deadline() == NSEC_NEVER);
	begin();
	service->binary.kit.restart = KIT_RESTART_NONE;
	recover_crash(service, E_CRASHED, "");
	assert(service->state == RS_SERVICE_DOWN && n_remade == 0);
}

/* Without memory, or a layout, it is tried again soon; one that does not start has crashed again. */
static void test_retry(void)
{
	begin();
	create_err = E_NOMEM;
	recover_crash(service, E_CRASHED, "");
	assert(n_swapped == 0 && recover_next_deadline() == now + 100 * NSEC_MSEC);
	now += 100 * NSEC_MSEC - 1;
	create_err = E_OK;
	remake_err = E_AGAIN;
	recover_tick(now);
	assert(recover_next_deadline() == now + 1);
	recover_tick(++now);
	assert(n_swapped == 0 && recover_next_deadline() == now + 100 * NSEC_MSEC);
	remake_err = E_OK;
	now += 100 * NSEC_MSEC;
	recover_tick(now);
	assert(n_swapped == 1 && n_remade == 1 && service->n_restarts == 1);
	assert(recover_next_deadline() == now + RS_START_TIMEOUT);
	now += RS_START_TIMEOUT;
	recover_tick(now);
	assert(service->n_restarts == 2 && n_remade == 2 && n_events[RS_EVENT_CRASHED] == 2);
}

/* Three signs of life may be missing; an answer makes up for all of them. */
static void test_silent(void)
{
	struct message pong = {.source = ENDPOINT};

	begin();
	for (uint32_t i = 0; i < 3; i++) {
		now += NSEC_SEC;
		recover_tick(now);
		recover_tick(now + NSEC_SEC - 1);
	}
	assert(n_pings == 3 && service->state == RS_SERVICE_RUNNING);
	recover_pong(&pong);
	for (uint32_t i = 0; i < 4; i++) {
		assert(service->state == RS_SERVICE_RUNNING);
		now += NSEC_SEC;
		recover_tick(now);
	}
	assert(n_pings == 6 && service->state == RS_SERVICE_RESTARTING);
	pong.source = SPARE; /* of nobody */
	recover_pong(&pong);
}

/* A sign of life that was asked for: how long it took, from the first time that it was asked for. */
static void test_asked(void)
{
	struct message pong = {.source = ENDPOINT};
	nsec_t asked;

	begin();
	n_pings = 0;
	asked = now;
	recover_ping(service, now);
	now += 5;
	recover_ping(service, now);
	assert(n_pings == 2 && service->ping_open == asked && service->pong_at == 0);
	now += 7;
	recover_pong(&pong);
	assert(service->ping_open == 0 && service->pong_at == asked && service->pong_took == 12);
	now += 100;
	recover_pong(&pong); /* to the second */
	assert(service->pong_at == asked && service->pong_took == 12);
	service->is_kernel_loaded = true;
	recover_ping(service, now);
	assert(n_pings == 2 && service->pong_at == now && service->pong_took == 0);
	service->is_kernel_loaded = false;
	service->state = RS_SERVICE_DOWN;
	recover_ping(service, now + 1);
	assert(n_pings == 2 && service->ping_open == 0 && service->pong_at == now);
}

/* On request, from every state: one that was given up comes in another layout, too, or stays down. */
static void test_restart(void)
{
	begin();
	assert(recover_restart(service) == E_OK && n_remade == 1 && n_swapped == 1);
	recover_started(service);
	recover_ping(service, now);
	service->binary.kit.restart = KIT_RESTART_NONE;
	recover_crash(service, E_CRASHED, "");
	assert(service->state == RS_SERVICE_DOWN && n_remade == 1);
	/* What comes afresh owes nothing for the one before. */
	assert(service->ping_open == 0);
	remake_err = E_NOMEM;
	assert(recover_restart(service) == E_NOMEM && service->state == RS_SERVICE_DOWN);
	remake_err = E_OK;
	assert(recover_restart(service) == E_OK && n_first == 1 && n_remade == 2);
	assert(service->state == RS_SERVICE_STARTING && service->n_crashes_in_row == 0);
	assert(recover_restart(service) == E_STATE);
	recover_started(service);
	service_set_state(service, RS_SERVICE_UPDATING);
	assert(recover_restart(service) == E_BUSY);
	service->binary.image.header = NULL;
	assert(recover_restart(service) == E_NOTFOUND);
	service->is_kernel_loaded = true;
	assert(recover_restart(service) == E_PERM);
}

int main(void)
{
	sys_gate = (vaddr_t)host_gate;
	service = service_add("sample\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
	test_crash();
	test_limit();
	test_retry();
	test_silent();
	test_asked();
	test_restart();
	return 0;
}
