/* Puppets; see kcall.h. */
#include "osd/suites/kcall/kcall.h"

typedef err_t (*puppet_function_t)(uint64_t argument);

static bool number_is_ipc(uint64_t number)
{
	return number >= KCALL_send && number <= KCALL_reply_receive;
}

static void order_run(volatile struct puppet_order *order)
{
	uint64_t a[6], second = 0;

	for (int i = 0; i < 6; i++) {
		a[i] = order->a[i];
	}
	if (order->number == PUPPET_SPIN) {
		for (;;) {
			order->counter++;
		}
	}
	if (order->number == PUPPET_CALL) {
		order->result = ((puppet_function_t)a[0])(a[1]);
	} else if (number_is_ipc(order->number)) {
		order->result = sys_ipc(
		        (enum kcall)order->number, (endpoint_t)a[0], (struct message *)&order->msg);
	} else {
		order->result = sys_call_second((enum kcall)order->number, a, &second);
		order->second = second;
	}
}

static void puppet_main(uint64_t index)
{
	for (;;) {
		(void)sys_report(PUPPET_REPORT, index, 0, 0, 0);
		order_run(&puppet_orders[index]);
	}
}

/* In the space that it has by now. */
static void puppet_go(struct puppet *p, uint32_t index, const struct slot_params *params)
{
	err_t r;

	_Static_assert(1024 + N_PUPPETS * sizeof(struct puppet_order) <= PAGE_SIZE, "one page");
	p->index = index;
	puppet_orders[index] = (struct puppet_order){0};
	r = child_slot_new_with(&p->child, params);
	if (r < 0) {
		bare_die("slot_create for a puppet", r);
	}
	child_fill(&p->child);
	child_start(&p->child, puppet_main, index);
	if (child_event(&p->child, &p->event) != E_OK || p->event.kind != SLOT_EVENT_REPORT) {
		bare_die("a puppet does not start", p->event.kind);
	}
}

static void puppet_new_with(struct puppet *p, uint32_t index, const struct slot_params *params)
{
	*p = (struct puppet){0};
	child_space_new(&p->child);
	puppet_go(p, index, params);
}

void puppet_joined_new(
        struct puppet *p, uint32_t index, const char *name, const struct puppet *other)
{
	struct slot_params params = {.priority = CHILD_PRIORITY};
	err_t r;

	*p = (struct puppet){0};
	child_space_new_bare(&p->child);
	child_fpu_give(&p->child);
	r = sys_space_domain(p->child.space, other->child.space);
	if (r != E_OK) {
		bare_die("space_domain for a puppet", r);
	}
	child_name_set(&params, name);
	puppet_go(p, index, &params);
}

void puppet_new_at(
        struct puppet *p, uint32_t index, const char *name, uint32_t flags, uint32_t priority)
{
	struct slot_params params = {.flags = flags, .priority = priority};

	child_name_set(&params, name);
	puppet_new_with(p, index, &params);
}

void puppet_new(struct puppet *p, uint32_t index, const char *name, uint32_t flags)
{
	puppet_new_at(p, index, name, flags, CHILD_PRIORITY);
}

void puppet_program_new(struct puppet *p, uint32_t index, uint32_t ipc_class)
{
	puppet_new_with(p, index,
	        &(struct slot_params){.name = "program",
	                .flags = SLOT_PROGRAM,
	                .priority = CHILD_PRIORITY,
	                .ipc_class = ipc_class});
}

void puppet_free(struct puppet *p)
{
	child_free(&p->child);
}

void puppet_allow(struct puppet *p, const struct domain_privileges *privileges)
{
	struct domain_privileges all = *privileges, base;
	err_t r;

	child_privileges(&base);
	for (unsigned int i = 0; i < N_SERVICE_SLOTS / 64; i++) {
		all.ipc_to[i] |= base.ipc_to[i];
	}
	all.ipc_classes |= base.ipc_classes;
	all.calls[0] |= base.calls[0];
	r = sys_domain_set(p->child.space, &all);
	if (r != E_OK) {
		bare_die("domain_set for a puppet", r);
	}
}

void privileges_call(struct domain_privileges *privileges, enum kcall number)
{
	uint32_t bit = (uint32_t)number - KCALL_BASE;

	privileges->calls[bit / 64] |= 1ul << bit % 64;
}

void puppet_begin(struct puppet *p, uint64_t number, const uint64_t a[6])
{
	struct puppet_order *order = puppet_order(p);
	err_t r;

	order->number = number;
	for (int i = 0; i < 6; i++) {
		order->a[i] = a[i];
	}
	r = sys_slot_resume(p->child.ep, 0);
	if (r != E_OK) {
		bare_die("a puppet cannot be resumed", r);
	}
}

err_t puppet_end(struct puppet *p)
{
	if (child_event(&p->child, &p->event) != E_OK) {
		return E_TIMEOUT;
	}
	return p->event.kind == SLOT_EVENT_REPORT ? puppet_order(p)->result : PUPPET_ENDED;
}

err_t puppet_call_args(struct puppet *p, uint64_t number, const uint64_t a[6])
{
	puppet_begin(p, number, a);
	return puppet_end(p);
}

void puppet_ipc_begin(
        struct puppet *p, enum kcall number, endpoint_t ep, uint32_t type, uint64_t w0)
{
	puppet_order(p)->msg = (struct message){.type = type, .w = {w0}};
	puppet_begin(p, number, (const uint64_t[6]){(uint64_t)(int64_t)ep});
}

err_t puppet_ipc(struct puppet *p, enum kcall number, endpoint_t ep, uint32_t type, uint64_t w0)
{
	puppet_ipc_begin(p, number, ep, type, w0);
	return puppet_end(p);
}

bool puppet_waits(struct puppet *p)
{
	nsec_t end = sys_clock_read() + CHILD_PATIENCE;
	uint32_t state;

	do {
		child_settle(200);
		state = info_state(p->child.ep);
	} while ((state == SLOT_RUNNABLE || state == SLOT_FAULTED) && sys_clock_read() < end);
	return state != SLOT_REPORTED;
}

struct slot_info info_of(endpoint_t ep)
{
	struct slot_info info = {.state = ~0u};

	IS(E_OK, sys_slot_info(ep, &info));
	return info;
}

bool counter_moves(const volatile uint64_t *counter)
{
	nsec_t end = sys_clock_read() + CHILD_PATIENCE;
	uint64_t before = *counter;

	while (*counter == before && sys_clock_read() < end) {
		child_settle(500);
	}
	return *counter != before;
}

uint32_t info_state(endpoint_t ep)
{
	return info_of(ep).state;
}
