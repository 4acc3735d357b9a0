#include "osd/suites/vm/vmtest.h"

#include <string.h>

/* What a child does: obey the order at rdi, report, again. Position independent. */
struct order {
	uint64_t gate, kind, va, n, value;
	uint64_t result; /* of sendrec */
	uint64_t pad[2];
	struct message msg; /* at 64 */
};
_Static_assert(offsetof(struct order, msg) == 64, "in the code below");
extern const char vmtest_child_start[], vmtest_child_end[];
__asm__(".pushsection .rodata.vmtest_child,\"a\"\n"
        "vmtest_child_start:\n"
        "	mov %rdi, %rbp\n"
        "0:	mov 0(%rbp), %rbx\n"
        "	mov 16(%rbp), %rsi\n"
        "	mov 24(%rbp), %rcx\n"
        "	mov 32(%rbp), %rdx\n"
        "	xor %r8d, %r8d\n"
        "	cmpq $2, 8(%rbp)\n"
        "	je 3f\n"
        "1:	cmpq $0, 8(%rbp)\n"
        "	jne 2f\n"
        "	movb %dl, (%rsi)\n"
        "2:	movzbl (%rsi), %eax\n"
        "	add %rax, %r8\n"
        "	add $4096, %rsi\n"
        "	dec %rcx\n"
        "	jnz 1b\n"
        "4:	mov %r8, %rsi\n"
        "	mov $0x77, %edi\n"
        "	mov $0x100b, %eax\n"
        "	call *%rbx\n"
        "	jmp 0b\n"
        "3:	mov 64(%rbp), %rsi\n"
        "	mov 72(%rbp), %rdx\n"
        "	mov 80(%rbp), %r8\n"
        "	mov 88(%rbp), %r9\n"
        "	mov 96(%rbp), %r10\n"
        "	mov 104(%rbp), %r12\n"
        "	mov 112(%rbp), %r13\n"
        "	mov 120(%rbp), %r14\n"
        "	mov $0x4000, %edi\n"
        "	mov $0x1003, %eax\n"
        "	call *%rbx\n"
        "	mov %rax, 40(%rbp)\n"
        "	mov %rdx, 72(%rbp)\n"
        "	mov %r8, 80(%rbp)\n"
        "	xor %r8d, %r8d\n"
        "	jmp 4b\n"
        "vmtest_child_end:\n"
        ".popsection\n");
_Static_assert(KCALL_report == 0x100b && KCALL_sendrec == 0x1003 && EP_VM == 0x4000, "in the code");

void child_new(struct child *child, uint64_t shift)
{
	struct slot_params params = {.name = "child", .priority = 4};
	struct domain_privileges only_vm = {.calls = {kcalls_ordinary()}, .ipc_to = {1}};
	vaddr_t stack = CHILD_STACK + shift;
	err_t endpoint;

	child->code = CHILD_CODE + shift;
	CHECK(ask_space_new(&child->space) == E_OK);
	CHECK(ask_map(child->space, child->code, PAGE_SIZE, PROT_R | PROT_X, PAGE_SIZE) == E_OK);
	CHECK(ask_map(child->space, stack, PAGE_SIZE, PROT_R | PROT_W, PAGE_SIZE) == E_OK);
	CHECK(ask_range(VM_GATE, child->space, CHILD_GATE + shift, PAGE_SIZE, 0) == E_OK);
	params.space = child->space;
	endpoint = sys_slot_create(&params);
	CHECK(endpoint > 0);
	child->endpoint = (endpoint_t)endpoint;
	CHECK(sys_domain_set(child->space, &only_vm) == E_OK);
	CHECK(sys_copy(EP_SELF, (vaddr_t)vmtest_child_start, child->endpoint, child->code,
	              (uint64_t)(vmtest_child_end - vmtest_child_start), COPY_FORCE) == E_OK);
}

void child_free(struct child *child)
{
	struct vm_reply reply;

	CHECK(ask_space(VM_SPACE_FREE, child->space, &reply) == E_BUSY);
	CHECK(sys_slot_destroy(child->endpoint) == E_OK);
	CHECK(ask_space(VM_SPACE_FREE, child->space, &reply) == E_OK);
	CHECK(ask_space(VM_SPACE_FREE, child->space, &reply) == E_NOTFOUND);
}

/* Have an order carried out. What it reported, or -1: it faulted. */
static int64_t child_run(struct child *child, const struct order *order)
{
	vaddr_t stack = child->code - CHILD_CODE + CHILD_STACK;
	struct slot_info info;
	struct slot_event event;
	struct message msg;

	CHECK(sys_copy(EP_SELF, (vaddr_t)order, child->endpoint, stack, sizeof(*order), 0) == E_OK);
	CHECK(sys_slot_info(child->endpoint, &info) == E_OK);
	if (info.state == SLOT_NEW) {
		CHECK(sys_slot_start(child->endpoint, child->code, stack + PAGE_SIZE, stack) ==
		        E_OK);
	} else {
		CHECK(sys_slot_resume(child->endpoint, 0) == E_OK);
	}
	while (sys_event_next(&event) != E_OK) {
		CHECK(sys_receive(EP_ANY, &msg) == E_OK && message_is_notify(&msg, EP_KERNEL));
	}
	CHECK(event.endpoint == child->endpoint);
	if (event.kind == SLOT_EVENT_REPORT && event.w[0] == 0x77) {
		return (int64_t)event.w[1];
	}
	CHECK(event.kind == SLOT_EVENT_FAULT && event.w[0] == FAULT_PAGE);
	return -1;
}

int64_t child_touch(
        struct child *child, enum child_order order, vaddr_t va, uint64_t n, uint8_t value)
{
	return child_run(child, &(struct order){.gate = child->code - CHILD_CODE + CHILD_GATE,
	                                .kind = order,
	                                .va = va,
	                                .n = n,
	                                .value = value});
}

err_t child_ask(struct child *child, const struct message *msg, uint64_t *ret_second)
{
	vaddr_t stack = child->code - CHILD_CODE + CHILD_STACK;
	struct order order = {
	        .gate = child->code - CHILD_CODE + CHILD_GATE, .kind = 2, .msg = *msg};

	CHECK(child_run(child, &order) == 0);
	CHECK(sys_copy(child->endpoint, stack, EP_SELF, (vaddr_t)&order, sizeof(order), 0) == E_OK);
	CHECK(order.result == E_OK);
	*ret_second = order.msg.w[1];
	return (err_t)order.msg.w[0];
}
