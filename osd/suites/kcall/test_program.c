/*
 * Programs: slots above those of services, which nobody names one by one. What may be sent to whom, by
 * the short road and by the long one, and what of their endpoints is never used twice.
 */
#include "osd/suites/kcall/kcall.h"

#define CLASS 5u

static struct puppet service, program;

/* A child in a program's slot. */
static err_t program_new(struct child *child, uint32_t class)
{
	struct slot_params params = {.name = "program",
	        .space = child->space,
	        .flags = SLOT_PROGRAM,
	        .priority = CHILD_PRIORITY,
	        .ipc_class = class};

	return sys_slot_create(&params);
}

static void pair_new(void)
{
	struct domain_privileges privileges;

	puppet_new(&service, 0, "service", 0);
	puppet_program_new(&program, 1, CLASS);
	child_privileges(&privileges);
	privileges.ipc_classes = ~(1ul << CLASS);
	IS(E_OK, sys_domain_set(service.child.space, &privileges));
}

static void pair_free(void)
{
	puppet_free(&service);
	puppet_free(&program);
}

static void class_allow(uint64_t classes)
{
	struct domain_privileges privileges = {
	        .calls = {kcalls_ordinary()}, .ipc_classes = classes};

	IS(E_OK, sys_domain_set(service.child.space, &privileges));
}

static const enum kcall sends[] = {KCALL_send, KCALL_sendrec, KCALL_notify, KCALL_asend};

/* A program is sent to by who has its class, and by nobody else; whether it waits or not. */
static void test_class(void)
{
	pair_new();
	OK(EP_SLOT(program.child.ep) >= N_SERVICE_SLOTS);
	OK(EP_SLOT(service.child.ep) < N_SERVICE_SLOTS);
	for (uint32_t i = 0; i < 2 * sizeof(sends) / sizeof(sends[0]); i++) {
		bool is_waiting = i % 2 == 1;

		if (is_waiting) {
			puppet_ipc_begin(&program, KCALL_receive, EP_ANY, 0, 0);
			OK(puppet_waits(&program));
		}
		IS(E_PERM, puppet_ipc(&service, sends[i / 2], program.child.ep, 1, 2));
		IS(i + 1, info_of(service.child.ep).n_ipc_masked);
		if (is_waiting) {
			IS(E_OK, sys_notify(program.child.ep));
			IS(E_OK, puppet_end(&program));
			IS(EP_RS, puppet_order(&program)->msg.source);
		}
	}
	class_allow(1ul << CLASS);
	for (uint32_t i = 0; i < 2; i++) {
		if (i == 1) {
			puppet_ipc_begin(&program, KCALL_receive, EP_ANY, 0, 0);
			OK(puppet_waits(&program));
		}
		puppet_ipc_begin(&service, KCALL_sendrec, program.child.ep, 3, 4);
		IS(E_OK, i == 1 ? puppet_end(&program)
		                : puppet_ipc(&program, KCALL_receive, EP_ANY, 0, 0));
		IS(service.child.ep, puppet_order(&program)->msg.source);
		IS(4, puppet_order(&program)->msg.w[0]);
		IS(E_OK, puppet_ipc(&program, KCALL_reply, service.child.ep, 5, 6));
		IS(E_OK, puppet_end(&service));
		IS(program.child.ep, puppet_order(&service)->msg.source);
	}
	pair_free();
}

/* A program calls a service as others do, and does not notify. */
static void test_sends(void)
{
	struct domain_privileges privileges = {.calls = {kcalls_ordinary()}};

	pair_new();
	puppet_ipc_begin(&service, KCALL_receive, EP_ANY, 0, 0);
	OK(puppet_waits(&service));
	puppet_ipc_begin(&program, KCALL_sendrec, service.child.ep, 7, 8);
	IS(E_OK, puppet_end(&service));
	IS(program.child.ep, puppet_order(&service)->msg.source);
	/* It has no right to send to the program, and needs none. */
	IS(E_OK, puppet_ipc(&service, KCALL_reply, program.child.ep, 9, 10));
	IS(E_OK, puppet_end(&program));
	IS(10, puppet_order(&program)->msg.w[0]);
	IS(E_PERM, puppet_call(&program, KCALL_notify, service.child.ep));
	IS(0, info_of(service.child.ep).n_senders);
	IS(E_OK, puppet_ipc(&program, KCALL_asend, service.child.ep, 11, 12));
	IS(1, info_of(service.child.ep).n_async);
	IS(E_OK, sys_domain_set(program.child.space, &privileges));
	IS(E_PERM, puppet_ipc(&program, KCALL_send, service.child.ep, 1, 1));
	pair_free();
}

/* What waits at a program is ended with it, and what it left at others is not taken for somebody else's. */
static void test_end(void)
{
	pair_new();
	class_allow(1ul << CLASS);
	puppet_ipc_begin(&service, KCALL_sendrec, program.child.ep, 1, 1);
	OK(puppet_waits(&service));
	puppet_free(&program);
	IS(E_DEAD, puppet_end(&service));
	puppet_program_new(&program, 1, CLASS);
	puppet_ipc_begin(&service, KCALL_sendrec, program.child.ep, 1, 1);
	IS(E_OK, puppet_ipc(&program, KCALL_receive, EP_ANY, 0, 0));
	puppet_free(&program);
	IS(E_DEAD, puppet_end(&service));
	puppet_free(&service);
}

/* Names are services'; numbers of programs are not used again soon; classes are the programs'. */
static void test_create(void)
{
	static const char name[SERVICE_NAME_LEN] = "program";
	struct slot_params params = {.name = "other", .priority = 3};
	endpoint_t first, last;
	struct child child;

	child_space_new(&child);
	params.space = child.space;
	params.ipc_class = 1;
	IS(E_INVAL, sys_slot_create(&params)); /* a service's */
	IS(E_INVAL, program_new(&child, N_CLASSES));
	IS(E_INVAL, program_new(&child, UINT32_MAX));
	first = (endpoint_t)program_new(&child, N_CLASSES - 1);
	OK(first > 0);
	IS(E_NOTFOUND, sys_lookup(name));
	for (uint32_t i = 0; i < 3; i++) {
		IS(E_OK, sys_slot_destroy(first));
		IS(E_DEAD, sys_slot_stop(first));
		last = (endpoint_t)program_new(&child, 0);
		OK(EP_SLOT(last) >= N_SERVICE_SLOTS && EP_SLOT(last) != EP_SLOT(first));
		first = last;
	}
	child.ep = first;
	child_free(&child);
	IS(E_DEAD, sys_slot_stop(EP_MAKE(N_SLOTS - 1, 1)));
	IS(E_DEAD, sys_slot_stop(EP_MAKE(N_SERVICE_SLOTS, 0)));
}

/* As a service may: what waits at a program stays through a swap. */
static void test_swap(void)
{
	endpoint_t ep;

	pair_new();
	IS(E_OK, puppet_ipc(&service, KCALL_asend, service.child.ep, 21, 22));
	IS(E_OK, sys_slot_swap(service.child.ep, program.child.ep, 0));
	ep = service.child.ep;
	service.child.ep = program.child.ep;
	program.child.ep = ep;
	/* The rights are the slot's: who runs in that of the program now cannot notify. */
	IS(E_PERM, puppet_call(&service, KCALL_notify, program.child.ep));
	IS(E_OK, puppet_ipc(&program, KCALL_receive, EP_ANY, 0, 0));
	IS(22, puppet_order(&program)->msg.w[0]);
	pair_free();
}

const struct test tests_program[] = {
        {"programs are sent to by class", test_class},
        {"what programs send", test_sends},
        {"the end of a program", test_end},
        {"slots of programs", test_create},
        {"a program's slot in a swap", test_swap},
        {0},
};
