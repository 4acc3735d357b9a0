/*
 * The ways into the kernel and out of it.
 *
 * A call stores every register into the instance that made it, so that it may wait anywhere; when
 * the same instance goes on at once, only what the kernel changes or clobbers is loaded again.
 * Interrupts and exceptions from user mode push straight into the instance: the task state's stack
 * pointer is the end of its trap frame (CTX_FRAME_END). No kernel stack survives the way out, so one
 * a CPU is enough.
 *
 *   entry_syscall ─┬─▶ entry_stray     not the gate page's `syscall`: a fault of the caller
 *                  ├─▶ entry_fast      sendrec, reply_receive: hands the CPU to the partner
 *                  │      └─▶ entry_slow   not a plain case; nothing was changed
 *                  └─▶ entry_plain ◀──┘    any call, in C
 *   entry_syscall_plain ─▶ entry_plain    the same, where the CPU lacks what entry_fast is made of
 *   trap_stubs ────┬─▶ trap_common        exceptions and interrupts, from user mode or idle_wait
 *                  └─▶ trap_fatal_common  NMI, double fault, machine check
 *
 * Interrupts are off from each entry to the way out. Every entry takes kernel_lock (traps do in C),
 * and every way out (entry_plain, entry_fast, context_resume, idle_wait) opens it with a plain
 * store, behind its last read of what the lock guards; loads of the instance that is about to run
 * may follow, since nobody touches the registers of one that runs.
 *
 * Throughout, "instance" is the address of a struct instance, which begins with its context: so
 * CTX_* and INSTANCE_* are offsets from the same register. gs: this CPU's struct cpu (CPU_*)
 * between the two swapgs.
 */
#include "osd/arch/x86_64/entry/wait.inc"
#include "osd/arch/x86_64/offsets.h"
#include "osd/arch/x86_64/registers.h"

#define LOCK_LINE 64 /* the lock has a cache line to itself */

/*
 * Take kernel_lock, with rsp: instance, of a call, rcx and r11 free, and what call_enter saves saved.
 * Clobbers rcx and the flags. Its other half is the store of lock_release.
 */
	.macro lock_take
	lock btsl $LOCK_BIT, kernel_lock(%rip)
	jc .Lspin\@
.Ltaken\@:
	.subsection 1
.Lspin\@:
	leaq .Ltaken\@(%rip), %rcx
	jmp entry_wait
	.subsection 0
	.endm

	.macro lock_release
	movl $0, kernel_lock(%rip)
	.endm

/*
 * A call. As the CPU leaves it: rax number; rdi, rsi, rdx, r10, r8, r9 arguments (of an IPC call: rdi
 * endpoint, rsi source and type, rdx, r8, r9, r10, r12, r13, r14 words of the message); rcx the
 * address behind the `syscall`, r11 the caller's flags; rsp and gs still the caller's.
 */
	.macro call_enter
	swapgs
	movq %rsp, %gs:CPU_USER_RSP
	movq %gs:CPU_CURRENT, %rsp
	/* rsp: instance */
	movq %rbx, CTX_RBX(%rsp)
	movq %rbp, CTX_RBP(%rsp)
	movq %r15, CTX_R15(%rsp)
	movq %rcx, CTX_RIP(%rsp)
	movq %r11, CTX_RFLAGS(%rsp)
	movq $VECTOR_SYSCALL, CTX_VECTOR(%rsp)
	cmpq %rcx, CTX_GATE(%rsp)
	jne entry_stray
	movq %gs:CPU_USER_RSP, %rcx
	movq %rcx, CTX_RSP(%rsp)
	lock_take
	.endm

	.text
	.globl entry_syscall
	.type entry_syscall, @function
entry_syscall:
	call_enter
	/* r11: 0 for sendrec, the one bit in which the two differ for reply_receive, else others */
	leaq -CALL_SENDREC(%rax), %r11
	testq $~(CALL_SENDREC ^ CALL_REPLY_RECEIVE), %r11
	jz entry_fast

/*
 * Any call, in C. rsp: instance; rax, rdi, rsi, rdx, r10, r8, r9, r12, r13, r14 as the caller set
 * them; rbp and r15 too, since kcall_dispatch keeps them for the way back; rbx, rcx, r11 free.
 */
entry_plain:
	save_call_registers
	movq %rsp, %rbx
	movq %gs:CPU_STACK_TOP, %rsp
	movq %rbx, %rdi
	movq %rax, %rsi
	call kcall_dispatch
	/* It returns when self goes on at once. rbx: instance, rbp and r15 the caller's. */
	lock_release
	movq CTX_RIP(%rbx), %rcx
	movq CTX_RFLAGS(%rbx), %r11
	movq CTX_RAX(%rbx), %rax
	movq CTX_RDI(%rbx), %rdi
	movq CTX_RSI(%rbx), %rsi
	movq CTX_RDX(%rbx), %rdx
	movq CTX_R10(%rbx), %r10
	movq CTX_R8(%rbx), %r8
	movq CTX_R9(%rbx), %r9
	movq CTX_R12(%rbx), %r12
	movq CTX_R13(%rbx), %r13
	movq CTX_R14(%rbx), %r14
	movq CTX_RSP(%rbx), %rsp
	movq CTX_RBX(%rbx), %rbx
	swapgs
	sysretq

/*
 * A `syscall` that is not the gate page's. rsp: instance; rbx, rbp, r15, rip and flags are saved, the
 * other registers are the caller's, but for rcx and r11, which are free. Does not return.
 */
entry_stray:
	movq %gs:CPU_USER_RSP, %rcx
	movq %rcx, CTX_RSP(%rsp)
	save_call_registers
	lock_take
	movq %rsp, %rdi
	movq %gs:CPU_STACK_TOP, %rsp
	xorl %ebp, %ebp
	call kcall_stray
	ud2

/* Nothing was changed but rbp and r15, which kcall_dispatch's caller has to find as they were. */
entry_slow:
	movq CTX_RBP(%rsp), %rbp
	movq CTX_R15(%rsp), %r15
	jmp entry_plain

/*
 * A request to a receiver that waits, and the answer to its caller: both sides ready for each other,
 * nothing else to receive, nobody more urgent. The message stays in its registers. Whatever is not
 * plain goes to entry_slow before anything is changed; the result there is the same.
 *
 * rsp: self, an instance, with its slot behind it (OF_SLOT). r11: 0 for sendrec. rdi: endpoint. rax, rsi, rdx, r8, r9, r10, r12, r13, r14
 * as the caller set them. rbx, rcx, rbp, r15 are saved and free.
 */
entry_fast:
	movl %edi, %ebp
	andl $SLOT_NUMBER_MASK, %ebp
	movq slot_table(,%rbp,8), %rbx
	/* rbp: number of the partner's slot; rbx: whoever is behind it, an instance with that slot */
	cmpl %edi, OF_SLOT+SLOT_ENDPOINT(%rbx)
	jne entry_slow
	testl %r11d, %r11d
	jnz .Lreply_receive

.Lsendrec:
	/* May self make this call, and send to that slot? */
	movq INSTANCE_RIGHTS(%rsp), %rcx
	btq $(CALL_SENDREC - CALL_FIRST), RIGHTS_CALLS(%rcx)
	jnc entry_slow
	movl OF_SLOT+SLOT_IPC_INDEX(%rbx), %ebp
	btq %rbp, RIGHTS_IPC_TO(%rcx)
	jnc entry_slow
	/* Does the partner wait for anybody, in a slot that is not held, and nobody more urgent? */
	movabsq $RUN_RECEIVING_ANY, %rcx
	cmpq %rcx, INSTANCE_RUN(%rbx)
	jne entry_slow
	cmpb $0, OF_SLOT+SLOT_HELD(%rbx)
	jne entry_slow
	movl INSTANCE_ABOVE(%rbx), %ecx
	testl %ecx, %gs:CPU_READY_MASK
	jnz entry_slow
	movb $STATE_WAITING_REPLY, INSTANCE_RUN(%rsp)
	movl %edi, INSTANCE_PEER(%rsp)
	movl OF_SLOT+SLOT_ENDPOINT(%rsp), %ebp
	jmp .Lhand_over

.Lreply_receive:
	movq INSTANCE_RIGHTS(%rsp), %rcx
	btq $(CALL_REPLY_RECEIVE - CALL_FIRST), RIGHTS_CALLS(%rcx)
	jnc entry_slow
	/* Does the partner wait for an answer, of self's, and nothing else for self? */
	cmpl $STATE_WAITING_REPLY, INSTANCE_RUN(%rbx)
	jne entry_slow
	movl OF_SLOT+SLOT_ENDPOINT(%rsp), %ebp
	cmpl %ebp, INSTANCE_PEER(%rbx)
	jne entry_slow
	cmpl $0, OF_SLOT+SLOT_PENDING(%rsp)
	jne entry_slow
	movl INSTANCE_ABOVE(%rbx), %ecx
	testl %ecx, %gs:CPU_READY_MASK
	jnz entry_slow
	movabsq $RUN_RECEIVING_ANY, %rcx
	movq %rcx, INSTANCE_RUN(%rsp)

/*
 * The partner runs from here on. rsp: self; rbx: partner; rbp: self's endpoint; rdi: the partner's;
 * rsi, rdx, r8, r9, r10, r12, r13, r14: the message; rax, rcx, r11, r15 free.
 */
.Lhand_over:
	movb $STATE_RUNNABLE, INSTANCE_RUN(%rbx)
	movq %rdi, CTX_RDI(%rsp)
	/* rsi: the source above the type */
	shlq $32, %rbp
	movl %esi, %esi
	orq %rbp, %rsi
	/* r15: word 0 of the message, since rdtsc and wrmsr take rdx */
	movq %rdx, %r15
	/* Charge self until now; the partner runs on with the same quantum. */
	rdtsc
	shlq $32, %rdx
	orq %rdx, %rax
	movq %rax, %r11
	subq %gs:CPU_CYCLES_LAST, %rax
	movq %r11, %gs:CPU_CYCLES_LAST
	addq %rax, INSTANCE_CYCLES(%rsp)
	incq %gs:CPU_IPC_FAST
	/* From here on as arch_resume in context.c, with rax, rcx, rdx, rbp, r11 free. */
	movq %rbx, %gs:CPU_CURRENT
	leaq CTX_FRAME_END(%rbx), %rax
	movq %rax, %gs:CPU_TSS_RSP0
	movq INSTANCE_SPACE(%rbx), %rax
	movq SPACE_ROOT(%rax), %rax
	cmpq %gs:CPU_ROOT, %rax
	je .Lbases
	movq %rax, %gs:CPU_ROOT
	movq %rax, %cr3

	/* As context_switch in context.c. Bases of gs: on the way out, behind the swapgs. */
.Lbases:
	rdfsbase %rax
	movq %rax, CTX_FSBASE(%rsp)
	movl %ds, %eax
	movl %es, %ecx
	movl %fs, %edx
	movl %gs, %ebp
	orl %ecx, %eax
	orl %ebp, %edx
	orl %edx, %eax
	jnz .Lselectors_clear
.Lfsbase_write:
	movq CTX_FSBASE(%rbx), %rax
	wrfsbase %rax

	/* Has either used the FPU? */
	movq CTX_FPU(%rsp), %rax
	orq CTX_FPU(%rbx), %rax
	jnz .Lfpu_switch

.Lleave:
	swapgs
	rdgsbase %rax
	movq %rax, CTX_GSBASE(%rsp)
	movq CTX_GSBASE(%rbx), %rax
	wrgsbase %rax
	lock_release
	movq %r15, %rdx
	movq CTX_RBP(%rbx), %rbp
	movq CTX_R15(%rbx), %r15
	movq CTX_RDI(%rbx), %rdi
	movq CTX_RFLAGS(%rbx), %r11
	movq CTX_RSP(%rbx), %rsp
	movq CTX_RIP(%rbx), %rcx
	movq CTX_RBX(%rbx), %rbx
	xorl %eax, %eax
	sysretq

.Lselectors_clear: /* with that of gs goes the user's base, which is not saved yet */
	xorl %ecx, %ecx
	movl %ecx, %ds
	movl %ecx, %es
	movl %ecx, %fs
	swapgs
	rdgsbase %rax
	movl %ecx, %gs
	wrgsbase %rax
	swapgs
	jmp .Lfsbase_write
.Lfpu_switch: /* self or the partner has used the unit */
	movq %rsi, CTX_RSI(%rbx)
	movq %r8, CTX_R8(%rbx)
	movq %r9, CTX_R9(%rbx)
	movq %r10, CTX_R10(%rbx)
	movq %rsp, %rbp
	movq %rsp, %rdi
	movq %rbx, %rsi
	movq %gs:CPU_STACK_TOP, %rsp
	call context_fpu_switch
	movq %rbp, %rsp
	movq CTX_RSI(%rbx), %rsi
	movq CTX_R8(%rbx), %r8
	movq CTX_R9(%rbx), %r9
	movq CTX_R10(%rbx), %r10
	jmp .Lleave
	.size entry_syscall, . - entry_syscall

/* The same entry on a CPU without FSGSBASE: all calls in C. */
	.globl entry_syscall_plain
	.type entry_syscall_plain, @function
entry_syscall_plain:
	call_enter
	jmp entry_plain
	.size entry_syscall_plain, . - entry_syscall_plain

/*
 * rdi: context. Load its registers and go there. What came in by a call leaves by sysret, which puts
 * rip into rcx and the flags into r11; everything else by iretq, which takes the end of the context
 * for its frame.
 */
	.globl context_resume
	.type context_resume, @function
context_resume:
	lock_release
	cmpl $VECTOR_SYSCALL, CTX_VECTOR(%rdi)
	jne .Lresume_trap
	movq CTX_RIP(%rdi), %rcx
	movq CTX_RFLAGS(%rdi), %r11
	movq CTX_RAX(%rdi), %rax
	movq CTX_RBX(%rdi), %rbx
	movq CTX_RBP(%rdi), %rbp
	movq CTX_RSI(%rdi), %rsi
	movq CTX_RDX(%rdi), %rdx
	movq CTX_R10(%rdi), %r10
	movq CTX_R8(%rdi), %r8
	movq CTX_R9(%rdi), %r9
	movq CTX_R12(%rdi), %r12
	movq CTX_R13(%rdi), %r13
	movq CTX_R14(%rdi), %r14
	movq CTX_R15(%rdi), %r15
	movq CTX_RSP(%rdi), %rsp
	movq CTX_RDI(%rdi), %rdi
	swapgs
	sysretq
.Lresume_trap: /* the order of struct arch_context, which is that of push_registers */
	movq %rdi, %rsp
	popq %rdi
	popq %rsi
	popq %rdx
	popq %r10
	popq %r8
	popq %r9
	popq %rax
	popq %rbx
	popq %rbp
	popq %r12
	popq %r13
	popq %r14
	popq %r15
	popq %rcx
	popq %r11
	addq $(CTX_RIP - CTX_VECTOR), %rsp /* over vector and error */
	swapgs
	iretq
	.size context_resume, . - context_resume

/*
 * Wait for an interrupt, from the top of the kernel stack. Does not return: the interrupt goes to
 * trap_kernel, which leaves by sched_run and so throws the stack away.
 */
	.globl idle_wait
	.type idle_wait, @function
idle_wait:
	movq %gs:CPU_STACK_TOP, %rsp
	lock_release
.Lidle:
	sti
	hlt
	cli
	jmp .Lidle
	.size idle_wait, . - idle_wait

/* Complete a struct arch_context downwards from what a stub and the CPU pushed. */
	.macro push_registers
	pushq %r11
	pushq %rcx
	pushq %r15
	pushq %r14
	pushq %r13
	pushq %r12
	pushq %rbp
	pushq %rbx
	pushq %rax
	pushq %r9
	pushq %r8
	pushq %r10
	pushq %rdx
	pushq %rsi
	pushq %rdi
	.endm

/*
 * Stack, from the top down: vector, error, rip, cs, rflags, rsp, ss. From user mode that is the end
 * of the instance that ran, and gs is the user's; from idle_wait it is the kernel stack, and the lock
 * is open. trap_user and trap_kernel take it; it can also be that the kernel faulted, holding it.
 *
 * An interrupt gate leaves the user's AC as it was, and with it SMAP off: the kernel has flags of its own.
 * The two `lfence` are for CPUs that go on before they know where they came from: nothing is read
 * through gs while that is open (CVE-2019-1125).
 */
	.type trap_common, @function
trap_common:
	push_registers
	cld
	movq %rsp, %rdi
	xorl %ebp, %ebp
	testb $SELECTOR_RING, CTX_CS(%rsp)
	jz .Ltrap_kernel
	swapgs
	lfence
	movq %gs:CPU_STACK_TOP, %rsp
	pushq $RFLAGS_FIXED
	popfq
	call trap_user
	ud2
.Ltrap_kernel:
	lfence
	call trap_kernel
	ud2
	.size trap_common, . - trap_common

/*
 * NMI, double fault, machine check: on stacks of their own, whatever gs is and whoever has the lock;
 * they only report. Stack as for trap_common.
 */
	.type trap_fatal_common, @function
trap_fatal_common:
	push_registers
	cld
	movq %rsp, %rdi
	xorl %ebp, %ebp
	call trap_fatal
	ud2
	.size trap_fatal_common, . - trap_fatal_common

/* One stub a vector, TRAP_STUB_BYTES each; where the CPU pushes no error code, the stub pushes 0. */
	.macro trap_stub vector
	.balign TRAP_STUB_BYTES
	.if VECTOR_HAS_ERROR(\vector) == 0
	pushq $0
	.endif
	pushq $\vector
	.if (\vector == VECTOR_NMI) || (\vector == VECTOR_DOUBLE_FAULT) || (\vector == VECTOR_MACHINE_CHECK)
	jmp trap_fatal_common
	.else
	jmp trap_common
	.endif
	.endm

	.globl trap_stubs
	.balign TRAP_STUB_BYTES
trap_stubs:
	.set vector, 0
	.rept N_VECTORS
	trap_stub vector
	.set vector, vector + 1
	.endr

/* What the page through which services call holds: two instructions, and traps behind them. */
	.section .rodata.gate, "a"
	.balign PAGE_BYTES
	.globl gate_page
gate_page:
	syscall
	ret
.Lgate_end:
	.fill PAGE_BYTES - (.Lgate_end - gate_page), 1, INT3_OPCODE

/* Bit LOCK_BIT: somebody is in the kernel. */
	.bss
	.balign LOCK_LINE
	.globl kernel_lock
kernel_lock:
	.fill LOCK_LINE
