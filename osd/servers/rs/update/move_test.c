#undef NDEBUG
/* Which moves are begun, and as what. Verification and the engine are played. */
#include "osd/servers/rs/update/update.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/lib/sys/test/host_gate.h"
#include "osd/servers/rs/base/machine.h"
#include "osd/servers/rs/life/binary.h"
#include "osd/servers/rs/update/priv.h"

static struct update record;
static struct service service;
static struct trust_variant kit;
static struct trust_number running;
static struct update_plan plan;
static uint32_t n_begun, n_followed;
static err_t service_err, verify_err;
static nsec_t now;

void host_enter(struct host_registers *r)
{
	assert(r->rax == KCALL_clock_read);
	r->rax = ++now;
}

struct update *update_record(void)
{
	return &record;
}

struct trust_number update_running(void)
{
	return running;
}

err_t verify_service(const char name[SERVICE_NAME_LEN], struct service **ret_service)
{
	assert(strcmp(name, "ds") == 0);
	*ret_service = &service;
	return service_err;
}

err_t order_state(const char state[SERVICE_NAME_LEN], const struct service *s, uint32_t *ret_state)
{
	assert(state[0] == '\0' && s == &service);
	*ret_state = 5;
	return E_OK;
}

err_t verify_update(struct trust_variant *v, struct trust_number generation,
        const struct service *s, struct binary *ret_binary)
{
	assert(v == &kit && s == &service && generation.epoch == 3 && generation.number == 9);
	ret_binary->payload_bytes = 4096;
	return verify_err;
}

void binary_follow(struct binary *fresh, const struct binary *old)
{
	assert(old == &service.binary && fresh->payload_bytes == 4096);
	n_followed++;
}

void txn_begin(struct update *update, const struct update_plan *wanted, uint32_t n)
{
	assert(update == &record && n == 1);
	plan = *wanted;
	n_begun++;
}

static err_t move(void)
{
	static const char name[SERVICE_NAME_LEN] = "ds";

	n_begun = n_followed = 0;
	return update_move(name, &kit);
}

/* A transaction of RS's own, of the generation that runs, in the service's own state. */
static void test_begun(void)
{
	const struct txn_component *c = &record.txn.components[0];

	assert(move() == E_OK && n_begun == 1 && n_followed == 1);
	assert(plan.is_move && plan.number.epoch == 0 && plan.number.number == 1);
	assert(plan.action == ORDER_UPDATE && plan.limit[RS_STEP_PREPARE] != 0);
	assert(c->service == &service && c->state == 5 && !c->accepts_loss);
	assert(c->image_bytes == 4096 && c->layout_nsec != 0 && record.asked != 0);
	assert(move() == E_OK && plan.number.number == 2);
}

/* Nothing is begun beside another transaction, of another release, or of what cannot be moved. */
static void test_refused(void)
{
	running = (struct trust_number){3, 4};
	assert(move() == E_BUSY && n_begun == 0);
	running = (struct trust_number){0, 0};
	kit.kit.counter++;
	assert(move() == E_V_RELEASE && n_begun == 0);
	kit.kit.counter--;
	service_err = E_STATE;
	assert(move() == E_STATE && n_begun == 0);
	service_err = E_OK;
	verify_err = E_NOMEM;
	assert(move() == E_NOMEM && n_begun == 0 && n_followed == 0);
	verify_err = E_OK;
}

int main(void)
{
	sys_gate = (vaddr_t)host_gate;
	service.binary.generation = (struct trust_number){3, 9};
	test_begun();
	test_refused();
	return 0;
}
