/* A supervisor reads and writes the registers of an instance that does not run. */
#include "osd/suites/kcall/kcall.h"

#define RFLAGS_PLAIN 0x202ul
#define MXCSR_AT 24u
#define HEADER_AT 512u
#define XMM9_AT (160u + 9 * 16)

static struct puppet p, q;
static struct child child;
static uint8_t state[SLOT_FPU_BYTES_MAX] __attribute__((aligned(64)));

/* Count in the shared word for ever, with a pattern in every register that it does not need. */
__attribute__((naked)) static void spin_patterned(uint64_t argument)
{
	__asm__ volatile("movq $0x1011, %rax; movq $0x1012, %rbx; movq $0x1013, %rcx\n\t"
	                 "movq $0x1014, %rdx; movq $0x1015, %rsi; movq $0x1016, %rbp\n\t"
	                 "movq $0x1018, %r8; movq $0x1019, %r9; movq $0x101a, %r10\n\t"
	                 "movq $0x101b, %r11; movq $0x101c, %r12; movq $0x101d, %r13\n\t"
	                 "movq $0x101e, %r14; movq $0x101f, %r15\n\t"
	                 "movq %rax, %xmm9\n\t"
	                 "1: incq (%rdi); jmp 1b");
}

/* Leave all of them at the word of the argument and behind. */
__attribute__((naked, used)) static void store_all(void)
{
	__asm__ volatile("movq %rax, 0(%rdi); movq %rbx, 8(%rdi); movq %rcx, 16(%rdi)\n\t"
	                 "movq %rdx, 24(%rdi); movq %rsi, 32(%rdi); movq %rdi, 40(%rdi)\n\t"
	                 "movq %rbp, 48(%rdi); movq %rsp, 56(%rdi); movq %r8, 64(%rdi)\n\t"
	                 "movq %r9, 72(%rdi); movq %r10, 80(%rdi); movq %r11, 88(%rdi)\n\t"
	                 "movq %r12, 96(%rdi); movq %r13, 104(%rdi); movq %r14, 112(%rdi)\n\t"
	                 "movq %r15, 120(%rdi); movq %xmm9, %rax; movq %rax, 128(%rdi)\n\t"
	                 "stmxcsr 136(%rdi)\n\t"
	                 "1: incq 144(%rdi); jmp 1b");
}

static void spinner_stop(void)
{
	shared->w[0] = 0;
	child_run(&child, "spinner", spin_patterned, SHARED_VA);
	OK(counter_moves((uint64_t *)SHARED_VA));
	IS(E_OK, sys_slot_stop(child.ep));
}

static void test_registers(void)
{
	static const uint64_t flags[] = {0x202, 0xad7};
	struct slot_registers r, back;

	for (uint32_t i = 0; i < 2; i++) {
		spinner_stop();
		IS(E_OK, sys_slot_registers(child.ep, &r));
		IS(0x1011, r.rax);
		IS(0x1012, r.rbx);
		IS(0x1013, r.rcx);
		IS(0x1014, r.rdx);
		IS(0x1015, r.rsi);
		IS(SHARED_VA, r.rdi);
		IS(0x1016, r.rbp);
		IS(0x1018, r.r8);
		IS(0x101b, r.r11);
		IS(0x101f, r.r15);
		for (uint64_t *w = (uint64_t *)&r, n = 0; n < 16; n++) {
			w[n] = 0x2000 + n;
		}
		r.rdi = SHARED_VA + 8;
		r.rip = (uint64_t)store_all;
		r.rflags = flags[i] & ~0x100ul;
		shared->w[19] = 0;
		IS(E_OK, sys_slot_registers_set(child.ep, &r));
		IS(E_OK, sys_slot_registers(child.ep, &back));
		for (uint32_t n = 0; n < 20; n++) {
			IS(((uint64_t *)&r)[n], ((uint64_t *)&back)[n]);
		}
		IS(E_OK, sys_slot_resume(child.ep, 0));
		OK(counter_moves((uint64_t *)SHARED_VA + 19));
		for (uint32_t n = 0; n < 16; n++) {
			IS(((uint64_t *)&r)[n], shared->w[1 + n]);
		}
		child_free(&child);
	}
}

/* One that came in by a call gets all of them, also those that a call loses. */
static void test_reported(void)
{
	struct slot_registers r;

	puppet_new(&p, 0, "p", 0);
	IS(E_OK, sys_slot_registers(p.child.ep, &r));
	IS(r.rip, r.rcx);
	r.rcx = 0x77;
	r.r11 = 0x78;
	r.rdi = SHARED_VA;
	r.rip = (uint64_t)store_all;
	shared->w[18] = 0;
	IS(E_OK, sys_slot_registers_set(p.child.ep, &r));
	IS(E_OK, sys_slot_resume(p.child.ep, 0x99));
	OK(counter_moves((uint64_t *)SHARED_VA + 18));
	IS(0x99, shared->w[0]);
	IS(0x77, shared->w[2]);
	IS(0x78, shared->w[11]);
	puppet_free(&p);
}

static void touch_nothing(uint64_t argument)
{
	*(volatile uint64_t *)argument = 1;
}

static bool child_faults(void)
{
	nsec_t end = sys_clock_read() + CHILD_PATIENCE;

	while (info_state(child.ep) != SLOT_FAULTED && sys_clock_read() < end) {
		child_settle(200);
	}
	return info_state(child.ep) == SLOT_FAULTED;
}

/* One that faulted goes on with other registers, with its event taken or not, and with no others. */
static void test_faulted(void)
{
	struct slot_registers r;
	struct slot_event event;

	for (uint32_t is_taken = 0; is_taken < 2; is_taken++) {
		shared->w[18] = 0;
		child_run(&child, "child", touch_nothing, KERNEL_VA);
		OK(child_faults());
		if (is_taken) {
			IS(E_OK, child_event(&child, &event));
			IS(SLOT_EVENT_FAULT, event.kind);
		}
		IS(E_STATE, sys_slot_resume(child.ep, 0));
		IS(E_OK, sys_slot_registers(child.ep, &r));
		IS(E_OK, sys_slot_registers_set(child.ep, &r));
		IS(E_OK, sys_slot_resume(child.ep, 0)); /* it faults again */
		IS(E_OK, child_event(&child, &event));
		IS(SLOT_EVENT_FAULT, event.kind);
		IS(E_STATE, sys_slot_resume(child.ep, 0));
		r.rip = (uint64_t)store_all;
		r.rdi = SHARED_VA;
		IS(E_OK, sys_slot_registers_set(child.ep, &r));
		IS(E_OK, sys_slot_resume(child.ep, 0));
		OK(counter_moves((uint64_t *)SHARED_VA + 18));
		IS(E_STATE, sys_slot_resume(child.ep, 0));
		child_free(&child);
	}
}

static void vm_silent(bool is_silent)
{
	struct message msg = {.type = BARE_VM_SILENT, .w = {is_silent}};

	IS(E_OK, sys_sendrec(EP_VM, &msg));
	IS(E_OK, msg.w[0]);
}

/* Go on where it touches what is not there. */
static void child_touches_nowhere(void)
{
	struct slot_registers r;

	IS(E_OK, sys_slot_registers(child.ep, &r));
	r.rip = (uint64_t)touch_nothing;
	r.rdi = NOWHERE;
	IS(E_OK, sys_slot_registers_set(child.ep, &r));
	IS(E_OK, sys_slot_resume(child.ep, 0));
}

/* Registers that were set before mend no fault that VM has yet to answer, whatever they were for. */
static void test_faulted_again(void)
{
	struct slot_event event;

	for (uint32_t is_fault = 0; is_fault < 2; is_fault++) {
		if (is_fault) {
			child_run(&child, "child", touch_nothing, KERNEL_VA);
			OK(child_faults());
			IS(E_OK, child_event(&child, &event));
		} else {
			spinner_stop();
		}
		vm_silent(true);
		child_touches_nowhere();
		OK(child_faults());
		IS(E_STATE, sys_slot_resume(child.ep, 0));
		IS(SLOT_FAULTED, info_state(child.ep));
		vm_silent(false);
		IS(E_OK, child_event(&child, &event));
		IS(SLOT_EVENT_FAULT, event.kind);
		IS(NOWHERE, event.w[1]);
		IS(E_STATE, sys_slot_resume(child.ep, 0));
		child_free(&child);
	}
}

/* What may not be set; nothing of it is changed. */
static void test_registers_refused(void)
{
	struct slot_registers plain, r, back;

	spinner_stop();
	IS(E_OK, sys_slot_registers(child.ep, &plain));
	for (uint32_t bit = 0; bit < 64; bit++) {
		bool is_always = bit == 1 || bit == 9;
		bool is_user = (0x254fd7ul >> bit & 1) && !is_always;

		r = plain;
		r.rax = 77;
		r.rflags = RFLAGS_PLAIN ^ 1ul << bit;
		IS(is_user ? E_OK : E_INVAL, sys_slot_registers_set(child.ep, &r));
		IS(E_OK, sys_slot_registers(child.ep, &back));
		IS(is_user ? 77 : plain.rax, back.rax);
		IS(E_OK, sys_slot_registers_set(child.ep, &plain));
	}
	r = plain;
	r.rip = KERNEL_VA;
	IS(E_INVAL, sys_slot_registers_set(child.ep, &r));
	r.rip = 0x800000000000ul;
	IS(E_INVAL, sys_slot_registers_set(child.ep, &r));
	r = plain;
	r.fsbase = 0x800000000000ul;
	IS(E_INVAL, sys_slot_registers_set(child.ep, &r));
	r = plain;
	r.gsbase = 1ul << 63;
	IS(E_INVAL, sys_slot_registers_set(child.ep, &r));
	r.gsbase = ~0ul << 47;
	IS(E_OK, sys_slot_registers_set(child.ep, &r));
	IS(E_FAULT, sys_slot_registers(child.ep, (struct slot_registers *)NOWHERE));
	IS(E_FAULT, sys_slot_registers_set(child.ep, (struct slot_registers *)NOWHERE));
	IS(E_OK, sys_slot_resume(child.ep, 0));
	OK(counter_moves((uint64_t *)SHARED_VA));
	IS(E_STATE, sys_slot_registers(child.ep, &r));
	IS(E_STATE, sys_slot_registers_set(child.ep, &plain));
	IS(E_STATE, sys_slot_fpu(child.ep, state, sizeof(state)));
	IS(E_STATE, sys_slot_fpu_set(child.ep, state, 512));
	child_free(&child);
	IS(E_DEAD, sys_slot_registers(child.ep, &r));
	IS(E_DEAD, sys_slot_registers_set(child.ep, &plain));
	IS(E_DEAD, sys_slot_fpu(child.ep, state, sizeof(state)));
	IS(E_DEAD, sys_slot_fpu_set(child.ep, state, 512));
}

/* Who waits inside a call will be written to by others. */
static void test_waiting(void)
{
	struct slot_registers r;

	puppet_new(&p, 0, "p", 0);
	puppet_new(&q, 1, "q", 0);
	puppet_ipc_begin(&p, KCALL_receive, EP_ANY, 0, 0);
	OK(puppet_waits(&p));
	IS(E_OK, sys_slot_stop(p.child.ep));
	IS(E_OK, sys_slot_registers(p.child.ep, &r));
	IS(E_STATE, sys_slot_registers_set(p.child.ep, &r));
	puppet_free(&p);
	/* Not one's own puppet: another supervisor's. */
	puppet_new(&p, 0, "p", 0);
	{
		struct domain_privileges privileges = {0};

		privileges_call(&privileges, KCALL_slot_registers);
		privileges_call(&privileges, KCALL_slot_registers_set);
		privileges_call(&privileges, KCALL_slot_fpu);
		privileges_call(&privileges, KCALL_slot_fpu_set);
		puppet_allow(&q, &privileges);
	}
	for (enum kcall call = KCALL_slot_registers; call <= KCALL_slot_fpu_set; call++) {
		IS(E_PERM, puppet_call(&q, call, (uint64_t)p.child.ep, SHARED_SCRATCH, 512));
	}
	puppet_free(&p);
	puppet_free(&q);
}

/* Bytes of the state, and where a test has xmm9 in it. */
static uint64_t *fpu_read(uint64_t *ret_bytes)
{
	err_t r = sys_slot_fpu(child.ep, state, sizeof(state));

	OK(r >= 512 && r <= (err_t)sizeof(state));
	*ret_bytes = (uint64_t)r;
	return (uint64_t *)(state + XMM9_AT);
}

static void fpu_refuse(uint32_t at, uint64_t bytes)
{
	uint64_t *word = (uint64_t *)(state + at), was = *word;

	if (at < bytes) {
		*word |= 1ul << 31;
		IS(E_INVAL, sys_slot_fpu_set(child.ep, state, bytes));
		*word = was;
	}
}

static void test_fpu(void)
{
	struct slot_registers r;
	uint64_t bytes, *word;

	spinner_stop();
	word = fpu_read(&bytes);
	IS(0x1011, *word);
	*word = 0x3333;
	for (uint32_t at = HEADER_AT; at < HEADER_AT + 64; at += 8) {
		fpu_refuse(at, bytes);
	}
	fpu_refuse(MXCSR_AT, bytes);
	IS(E_INVAL, sys_slot_fpu_set(child.ep, state, bytes - 1));
	IS(E_INVAL, sys_slot_fpu(child.ep, state, bytes - 1));
	*(uint32_t *)(state + MXCSR_AT) = 0x3f80;
	IS(E_OK, sys_slot_fpu_set(child.ep, state, bytes));
	IS(E_OK, sys_slot_registers(child.ep, &r));
	r.rip = (uint64_t)store_all;
	r.rdi = SHARED_VA;
	shared->w[18] = 0;
	IS(E_OK, sys_slot_registers_set(child.ep, &r));
	IS(E_OK, sys_slot_resume(child.ep, 0));
	OK(counter_moves((uint64_t *)SHARED_VA + 18));
	IS(0x3333, shared->w[16]);
	IS(0x3f80, (uint32_t)shared->w[17]);
	/* Not before: the bare VM uses the FPU, too, and its registers would be in the CPU. */
	IS(E_OK, sys_slot_stop(child.ep));
	IS(E_FAULT, sys_slot_fpu(child.ep, (void *)NOWHERE, bytes));
	IS(E_FAULT, sys_slot_fpu_set(child.ep, (void *)NOWHERE, bytes));
	child_free(&child);
	child_space_new_plain(&child);
	IS(E_OK, child_slot_new(&child, "plain", 0));
	IS(E_STATE, sys_slot_fpu(child.ep, state, sizeof(state)));
	child_free(&child);
}

const struct test tests_registers[] = {
        {"registers of a stopped process", test_registers},
        {"registers of one that reported", test_reported},
        {"registers of one that faulted", test_faulted},
        {"a fault after registers were set", test_faulted_again},
        {"registers that may not be set", test_registers_refused},
        {"registers of who waits in a call", test_waiting},
        {"vector registers of a stopped process", test_fpu},
        {0},
};
