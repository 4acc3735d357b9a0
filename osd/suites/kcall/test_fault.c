/* Page faults and exceptions, processor time, and floating-point registers. */
#include "osd/suites/kcall/kcall.h"

static struct puppet p, q;

static err_t touch_many(uint64_t n)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < n; i++) {
		volatile uint64_t *at = (volatile uint64_t *)(DEMAND_VA + i * PAGE_SIZE);

		sum += *at;
		*at = i + 1;
	}
	return (err_t)sum;
}

static void test_demand_zero(void)
{
	struct message msg = {.type = BARE_VM_FAULTS};
	uint64_t before;

	IS(E_OK, sys_sendrec(EP_VM, &msg));
	before = msg.w[1];
	puppet_new(&p, 0, "p", 0);
	IS(0, puppet_call(&p, PUPPET_CALL, (uint64_t)touch_many, 20));
	IS(210, puppet_call(&p, PUPPET_CALL, (uint64_t)touch_many, 20));
	puppet_free(&p);
	msg.type = BARE_VM_FAULTS;
	IS(E_OK, sys_sendrec(EP_VM, &msg));
	IS(before + 20, msg.w[1]);
}

/* A kernel call that meets an absent page asks VM, and goes on. */
static void test_demand_zero_in_call(void)
{
	puppet_new(&p, 0, "p", 0);
	IS(E_OK, puppet_call(&p, KCALL_log_write, DEMAND_VA + 8 * PAGE_SIZE - 3, 6));
	puppet_free(&p);
}

static err_t fault_load(uint64_t address)
{
	return *(volatile uint8_t *)address;
}

static err_t fault_illegal(uint64_t argument)
{
	__asm__ volatile("ud2");
	return E_OK;
}

static err_t fault_privileged(uint64_t argument)
{
	__asm__ volatile("cli");
	return E_OK;
}

static err_t fault_halt(uint64_t argument)
{
	__asm__ volatile("hlt");
	return E_OK;
}

static err_t fault_port(uint64_t argument)
{
	__asm__ volatile("outb %al, $0x80");
	return E_OK;
}

static err_t fault_divide(uint64_t argument)
{
	uint32_t low = 1, high = 0;

	__asm__ volatile("divl %2" : "+a"(low), "+d"(high) : "r"((uint32_t)argument));
	return low;
}

static err_t fault_breakpoint(uint64_t argument)
{
	__asm__ volatile("int3");
	return E_OK;
}

static err_t fault_step(uint64_t argument)
{
	__asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq; nop; nop" ::: "memory", "cc");
	return E_OK;
}

static err_t fault_fpu(uint64_t argument)
{
	uint16_t control = 0x37f & ~4; /* division by zero unmasked */

	__asm__ volatile("fninit; fldcw %0; fld1; fldz; fdivrp; fwait" : : "m"(control));
	return E_OK;
}

static err_t fault_noncanonical(uint64_t argument)
{
	return *(volatile uint8_t *)0x8000000000000000ul;
}

static err_t fault_interrupt(uint64_t argument)
{
	__asm__ volatile("int $0x20");
	return E_OK;
}

static err_t fault_stack(uint64_t address)
{
	__asm__ volatile("movq %0, %%rsp; pushq %%rax" : : "r"(address) : "memory");
	return E_OK;
}

static const struct {
	const char *name;
	err_t (*function)(uint64_t);
	uint64_t argument;
	uint32_t reason;
} exceptions[] = {
        {"read nowhere", fault_load, NOWHERE, FAULT_PAGE},
        {"read NULL", fault_load, 8, FAULT_PAGE},
        {"read the kernel", fault_load, KERNEL_VA, FAULT_PAGE},
        {"push onto nothing", fault_stack, NOWHERE, FAULT_PAGE},
        {"illegal instruction", fault_illegal, 0, FAULT_ILLEGAL},
        {"cli", fault_privileged, 0, FAULT_PROTECTION},
        {"hlt", fault_halt, 0, FAULT_PROTECTION},
        {"out", fault_port, 0, FAULT_PROTECTION},
        {"int", fault_interrupt, 0, FAULT_PROTECTION},
        {"address that is none", fault_noncanonical, 0, FAULT_PROTECTION},
        {"division by zero", fault_divide, 0, FAULT_DIVIDE},
        {"breakpoint", fault_breakpoint, 0, FAULT_DEBUG},
        {"single step", fault_step, 0, FAULT_DEBUG},
        {"floating point", fault_fpu, 0, FAULT_FPU},
};

static void test_exceptions(void)
{
	for (unsigned int i = 0; i < sizeof(exceptions) / sizeof(exceptions[0]); i++) {
		bool good;

		puppet_new(&p, 0, "p", 0);
		good = IS(
		        PUPPET_ENDED, puppet_call(&p, PUPPET_CALL, (uint64_t)exceptions[i].function,
		                              exceptions[i].argument));
		good = good && IS(SLOT_EVENT_FAULT, p.event.kind) &&
		       IS(exceptions[i].reason, p.event.w[0]);
		if (!good) {
			bare_print("# exception: %s", exceptions[i].name);
		}
		IS(SLOT_FAULTED, info_state(p.child.ep));
		puppet_free(&p);
	}
}

/* A system call where none may be, in registers that tell whether it was carried out. */
static err_t stray_call(uint64_t number)
{
	register uint64_t rdi __asm__("rdi") = (uint64_t)p.child.ep;

	__asm__ volatile(".globl stray_instruction\n\tstray_instruction: syscall"
	        : "+a"(number), "+r"(rdi)
	        :
	        : "rcx", "r11", "rsi", "rdx", "r8", "r9", "r10", "r12", "r13", "r14", "memory");
	return (err_t)number;
}

extern const char stray_instruction[];

/* Plain calls, both ways of IPC through the kernel, and a number that is none. */
static void test_stray_calls(void)
{
	static const uint64_t numbers[] = {
	        KCALL_null, KCALL_exit, KCALL_sendrec, KCALL_reply_receive, 39};

	for (unsigned int i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		puppet_new(&p, 0, "p", 0);
		IS(PUPPET_ENDED, puppet_call(&p, PUPPET_CALL, (uint64_t)stray_call, numbers[i]));
		IS(SLOT_EVENT_FAULT, p.event.kind);
		IS(FAULT_STRAY_CALL, p.event.w[0]);
		IS((uint64_t)stray_instruction, p.event.w[1]);
		IS((uint64_t)stray_instruction, p.event.w[2]);
		IS(SLOT_FAULTED, info_state(p.child.ep));
		puppet_free(&p);
	}
	puppet_new(&p, 0, "p", SLOT_UNCOMMITTED);
	IS(PUPPET_ENDED, puppet_call(&p, PUPPET_CALL, (uint64_t)stray_call, KCALL_null));
	IS(FAULT_STRAY_CALL, p.event.w[0]);
	puppet_free(&p);
}

static void test_fault_calls(void)
{
	struct page_fault fault;

	IS(E_AGAIN, sys_fault_next(&fault));
	IS(E_FAULT, sys_fault_next((struct page_fault *)NOWHERE));
	IS(E_DEAD, sys_fault_done(EP_MAKE(200, 1), 0, true));
	puppet_new(&p, 0, "p", 0);
	IS(E_STATE, sys_fault_done(p.child.ep, p.child.space, true));
	puppet_free(&p);
}

/* Two of one priority share the processor, one of a lower waits for both. */
static void test_time_sharing(void)
{
	uint64_t a = 0, b = 0;

	puppet_new(&p, 0, "p", 0);
	puppet_new(&q, 1, "q", 0);
	puppet_begin(&p, PUPPET_SPIN, (const uint64_t[6]){0});
	puppet_begin(&q, PUPPET_SPIN, (const uint64_t[6]){0});
	for (int i = 0; i < 20 && (a == 0 || a >= b * 3 || b >= a * 3); i++) {
		child_settle(100000);
		a = puppet_order(&p)->counter;
		b = puppet_order(&q)->counter;
	}
	OK(a > 0 && b > 0);
	OK(a < b * 3 && b < a * 3);
	puppet_free(&p);
	puppet_free(&q);
}

const struct test tests_fault[] = {
        {"pages filled when touched", test_demand_zero},
        {"pages filled for a kernel call", test_demand_zero_in_call},
        {"exceptions become events", test_exceptions},
        {"a system call outside the gate page", test_stray_calls},
        {"fault_next and fault_done", test_fault_calls},
        {"processor time is shared", test_time_sharing},
        {0},
};
