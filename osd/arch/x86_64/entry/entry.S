/*
 * The ways into the kernel and out of it. Interrupts are off from here to the way out.
 *
 * A call stores every register into the current context, so that it may block anywhere; when the same instance goes
 * on at once, only what the kernel changes or clobbers is loaded again. Interrupts and exceptions from user mode push
 * straight into the context: the TSS points at its end.
 */
#include "osd/arch/x86_64/offsets.h"

	.macro save_call_registers
	movq %rdi, CTX_RDI(%rsp)
	movq %rsi, CTX_RSI(%rsp)
	movq %rdx, CTX_RDX(%rsp)
	movq %r10, CTX_R10(%rsp)
	movq %r8, CTX_R8(%rsp)
	movq %r9, CTX_R9(%rsp)
	movq %rax, CTX_RAX(%rsp)
	movq %r12, CTX_R12(%rsp)
	movq %r13, CTX_R13(%rsp)
	movq %r14, CTX_R14(%rsp)
	.endm

	.text
	.globl entry_syscall
	.type entry_syscall, @function
entry_syscall:
	swapgs
	movq %rsp, %gs:CPU_USER_RSP
	movq %gs:CPU_CURRENT, %rsp
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
1:	lock btsl $0, kernel_lock(%rip)
	jc 2f
	leaq -CALL_SENDREC(%rax), %rbx
	testq $~(CALL_SENDREC ^ CALL_REPLY_RECEIVE), %rbx
	jz entry_fast
entry_plain:
	save_call_registers
	movq %rsp, %rbx
	movq %gs:CPU_STACK_TOP, %rsp
	movq %rbx, %rdi
	movq %rax, %rsi
	call kcall_dispatch
	movl $0, kernel_lock(%rip)
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
2:	pause
	jmp 1b

/* A `syscall` that is not the gate page's. rsp: self's instance; rcx and r11 are saved. */
entry_stray:
	movq %gs:CPU_USER_RSP, %rcx
	movq %rcx, CTX_RSP(%rsp)
	save_call_registers
1:	lock btsl $0, kernel_lock(%rip)
	jc 2f
	movq %rsp, %rdi
	movq %gs:CPU_STACK_TOP, %rsp
	xorl %ebp, %ebp
	call kcall_stray
	ud2
2:	pause
	jmp 1b

/*
 * A request to a receiver that waits, and the answer to its caller: both sides ready for each other, nothing else
 * to receive, nobody more urgent. The message stays in its registers. Whatever is not plain goes to entry_slow,
 * before anything was changed; the result there is the same.
 *
 * rsp: self's instance. rbx: 0 for sendrec. rdi: endpoint. rax and the message registers are as the caller set
 * them; rcx, r11, rbp, r15, rbx are saved and free (the kernel's C code keeps rbp and r15). Here rbx: the partner's
 * instance, r11: self's slot, r15: the partner's slot, rcx: scratch.
 */
entry_slow:
	movq CTX_RBP(%rsp), %rbp
	movq CTX_R15(%rsp), %r15
	jmp entry_plain
entry_fast:
	movzbl %dil, %ebp
	imulq $SLOT_SIZE, %rbp, %r15
	addq $slots, %r15
	cmpl %edi, SLOT_ENDPOINT(%r15)
	jne entry_slow
	movq INSTANCE_SLOT(%rsp), %r11
	testl %ebx, %ebx
	movq SLOT_INSTANCE(%r15), %rbx
	jnz 1f

	btq $(CALL_SENDREC - CALL_FIRST), INSTANCE_CALLS(%rsp)
	jnc entry_slow
	btq %rbp, SLOT_IPC_TO(%r11)
	jnc entry_slow
	movabsq $RUN_RECEIVING_ANY, %rcx
	cmpq %rcx, INSTANCE_RUN(%rbx)
	jne entry_slow
	cmpb $0, SLOT_HELD(%r15)
	jne entry_slow
	movl INSTANCE_ABOVE(%rbx), %ecx
	testl %ecx, %gs:CPU_READY_MASK
	jnz entry_slow
	movb $STATE_WAITING_REPLY, INSTANCE_RUN(%rsp)
	movl %edi, INSTANCE_PEER(%rsp)
	jmp 2f

1:	btq $(CALL_REPLY_RECEIVE - CALL_FIRST), INSTANCE_CALLS(%rsp)
	jnc entry_slow
	cmpl $STATE_WAITING_REPLY, INSTANCE_RUN(%rbx)
	jne entry_slow
	movl SLOT_ENDPOINT(%r11), %ebp
	cmpl %ebp, INSTANCE_PEER(%rbx)
	jne entry_slow
	cmpl $0, SLOT_PENDING(%r11)
	jne entry_slow
	movl INSTANCE_ABOVE(%rbx), %ecx
	testl %ecx, %gs:CPU_READY_MASK
	jnz entry_slow
	movabsq $RUN_RECEIVING_ANY, %rcx
	movq %rcx, INSTANCE_RUN(%rsp)

2:	movb $STATE_RUNNABLE, INSTANCE_RUN(%rbx)
	movq %rdi, CTX_RDI(%rsp)
	/* the source above the type */
	movl SLOT_ENDPOINT(%r11), %r11d
	shlq $32, %r11
	movl %esi, %esi
	orq %r11, %rsi
	/* charge self until now; the partner runs on with the same quantum; rdtsc and wrmsr take rdx */
	movq %rdx, %r15
	rdtsc
	shlq $32, %rdx
	orq %rdx, %rax
	movq %rax, %r11
	subq %gs:CPU_CYCLES_LAST, %rax
	movq %r11, %gs:CPU_CYCLES_LAST
	addq %rax, INSTANCE_CYCLES(%rsp)
	incq kernel_stats + STATS_IPC_FAST(%rip)
	/* as arch_resume does */
	movq %rbx, %gs:CPU_CURRENT
	leaq CTX_FRAME_END(%rbx), %rax
	movq %rax, %gs:CPU_TSS_RSP0
	movq INSTANCE_SPACE(%rbx), %rax
	movq SPACE_ROOT(%rax), %rax
	cmpq %gs:CPU_ROOT, %rax
	je 3f
	movq %rax, %gs:CPU_ROOT
	movq %rax, %cr3
3:	movl %fs, %eax
	testl %eax, %eax
	jnz 7f
	movq CTX_FSBASE(%rbx), %rax
	testq %rax, %rax
	jz 8f
4:	movq %rax, %gs:CPU_FSBASE
	movq %rax, %rdx
	shrq $32, %rdx
	movl $MSR_FS_BASE, %ecx
	wrmsr
5:	xorl %eax, %eax
	cmpq %rbx, %gs:CPU_FPU_OWNER
	setne %al
	cmpl %eax, %gs:CPU_FPU_OFF
	jne 9f
6:	movl $0, kernel_lock(%rip)
	movq %r15, %rdx
	movq CTX_RBP(%rbx), %rbp
	movq CTX_R15(%rbx), %r15
	movq CTX_RDI(%rbx), %rdi
	movq CTX_RFLAGS(%rbx), %r11
	movq CTX_RSP(%rbx), %rsp
	movq CTX_RIP(%rbx), %rcx
	movq CTX_RBX(%rbx), %rbx
	xorl %eax, %eax
	swapgs
	sysretq

	/* fsbase_switch() in context.c says why. */
7:	xorl %eax, %eax
	movl %eax, %fs
	movq CTX_FSBASE(%rbx), %rax
	jmp 4b
8:	cmpq %rax, %gs:CPU_FSBASE
	je 5b
	jmp 4b
9:	movl %eax, %gs:CPU_FPU_OFF
	testl %eax, %eax
	jz 10f
	movq %cr0, %rax
	orq $CR0_TS, %rax
	movq %rax, %cr0
	jmp 6b
10:	clts
	jmp 6b
	.size entry_syscall, . - entry_syscall

/* Load the context in rdi and go there; the lock is released here. */
	.globl context_resume
	.type context_resume, @function
context_resume:
	movl $0, kernel_lock(%rip)
	cmpl $VECTOR_SYSCALL, CTX_VECTOR(%rdi)
	jne 1f
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
1:	movq %rdi, %rsp
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
	addq $16, %rsp
	swapgs
	iretq
	.size context_resume, . - context_resume

/* Wait for an interrupt, from the top of the kernel stack; trap_kernel throws the stack away. */
	.globl idle_wait
	.type idle_wait, @function
idle_wait:
	movq %gs:CPU_STACK_TOP, %rsp
	movl $0, kernel_lock(%rip)
1:	sti
	hlt
	cli
	jmp 1b
	.size idle_wait, . - idle_wait

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

/* Stack: vector, error, and what the CPU pushed. */
	.type trap_common, @function
trap_common:
	push_registers
	cld
	movq %rsp, %rdi
	xorl %ebp, %ebp
	testb $3, CTX_CS(%rsp)
	jz 2f
	swapgs
	movq %gs:CPU_STACK_TOP, %rsp
1:	lock btsl $0, kernel_lock(%rip)
	jc 3f
	call trap_user
	ud2
2:	call trap_kernel
	ud2
3:	pause
	jmp 1b
	.size trap_common, . - trap_common

/* NMI, double fault, machine check: on stacks of their own, whatever gs is; they only report. */
	.type trap_fatal_common, @function
trap_fatal_common:
	push_registers
	cld
	movq %rsp, %rdi
	xorl %ebp, %ebp
	call trap_fatal
	ud2
	.size trap_fatal_common, . - trap_fatal_common

/* One stub a vector, 16 bytes each; those without an error code push 0. */
	.globl trap_stubs
	.balign 16
trap_stubs:
	.set vector, 0
	.rept 256
	.balign 16
	.if (vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || (vector == 21) || (vector == 29) || (vector == 30)
	.else
	pushq $0
	.endif
	pushq $vector
	.if (vector == 2) || (vector == 8) || (vector == 18)
	jmp trap_fatal_common
	.else
	jmp trap_common
	.endif
	.set vector, vector + 1
	.endr

/* The page through which services call. */
	.section .rodata.gate, "a"
	.balign 4096
	.globl gate_page
gate_page:
	syscall
	ret
	.fill 4096 - 3, 1, 0xcc
	.globl zero_page
zero_page:
	.fill 4096, 1, 0

	.bss
	.balign 64
	.globl kernel_lock
kernel_lock:
	.fill 64
