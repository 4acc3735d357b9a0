/*
 * The ways into the kernel and out of it. Interrupts are off from here to the way out.
 *
 * A call stores every register into the current context, so that it may block anywhere; when the same instance goes
 * on at once, only what the kernel changes or clobbers is loaded again. Interrupts and exceptions from user mode push
 * straight into the context: the TSS points at its end.
 */
#include "osd/arch/x86_64/offsets.h"

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
	movq %gs:CPU_USER_RSP, %rcx
	movq %rcx, CTX_RSP(%rsp)
1:	lock btsl $0, kernel_lock(%rip)
	jc 2f
	leaq -CALL_SENDREC(%rax), %rbx
	testq $~(CALL_SENDREC ^ CALL_REPLY_RECEIVE), %rbx
	jz entry_fast
entry_plain:
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

/*
 * A request to a receiver that waits, and the answer to its caller: both sides ready for each other, nothing else
 * to receive, nobody more urgent. The message stays in its registers. Whatever is not plain goes to entry_slow,
 * before anything was changed; the result there is the same.
 *
 * rsp: self's instance. rbx: 0 for sendrec. rdi: endpoint. rax and the message registers are as the caller set
 * them; rcx, r11, rbp, r15, rbx are saved and free (the kernel's C code keeps rbp and r15). Here rcx: the partner's instance, r11: self's slot,
 * r15: the partner's slot.
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
	movq SLOT_INSTANCE(%r15), %rcx
	movq INSTANCE_SLOT(%rsp), %r11
	testl %ebx, %ebx
	jnz 1f

	btq $(CALL_SENDREC - CALL_FIRST), INSTANCE_CALLS(%rsp)
	jnc entry_slow
	btq %rbp, SLOT_IPC_TO(%r11)
	jnc entry_slow
	movabsq $RUN_RECEIVING_ANY, %rbx
	cmpq %rbx, INSTANCE_RUN(%rcx)
	jne entry_slow
	cmpb $0, SLOT_HELD(%r15)
	jne entry_slow
	movl INSTANCE_ABOVE(%rcx), %ebx
	testl %ebx, %gs:CPU_READY_MASK
	jnz entry_slow
	movb $STATE_WAITING_REPLY, INSTANCE_RUN(%rsp)
	movl %edi, INSTANCE_PEER(%rsp)
	jmp 2f

1:	btq $(CALL_REPLY_RECEIVE - CALL_FIRST), INSTANCE_CALLS(%rsp)
	jnc entry_slow
	cmpl $STATE_WAITING_REPLY, INSTANCE_RUN(%rcx)
	jne entry_slow
	movl SLOT_ENDPOINT(%r11), %ebp
	cmpl %ebp, INSTANCE_PEER(%rcx)
	jne entry_slow
	cmpl $0, SLOT_PENDING(%r11)
	jne entry_slow
	movl INSTANCE_ABOVE(%rcx), %ebx
	testl %ebx, %gs:CPU_READY_MASK
	jnz entry_slow
	movabsq $RUN_RECEIVING_ANY, %rbx
	movq %rbx, INSTANCE_RUN(%rsp)

2:	movb $STATE_RUNNABLE, INSTANCE_RUN(%rcx)
	movq %rdi, CTX_RDI(%rsp)
	/* the source above the type */
	movl SLOT_ENDPOINT(%r11), %r11d
	shlq $32, %r11
	movl %esi, %esi
	orq %r11, %rsi
	/* charge self until now; the partner runs on with the same quantum */
	movq %rdx, %r11
	rdtsc
	shlq $32, %rdx
	orq %rdx, %rax
	movq %r11, %rdx
	movq %rax, %r11
	subq %gs:CPU_CYCLES_LAST, %rax
	movq %r11, %gs:CPU_CYCLES_LAST
	addq %rax, INSTANCE_CYCLES(%rsp)
	incq kernel_stats + STATS_IPC_FAST(%rip)
	/* as arch_resume does */
	movq %rcx, %gs:CPU_CURRENT
	leaq CTX_FRAME_END(%rcx), %rax
	movq %rax, %gs:CPU_TSS_RSP0
	movq INSTANCE_SPACE(%rcx), %rax
	movq SPACE_ROOT(%rax), %rax
	cmpq %gs:CPU_ROOT, %rax
	je 3f
	movq %rax, %gs:CPU_ROOT
	movq %rax, %cr3
3:	movl %fs, %eax
	testl %eax, %eax
	jnz 6f
	movq CTX_FSBASE(%rcx), %rax
	cmpq %gs:CPU_FSBASE, %rax
	jne 7f
4:	xorl %eax, %eax
	cmpq %rcx, %gs:CPU_FPU_OWNER
	setne %al
	cmpl %eax, %gs:CPU_FPU_OFF
	jne 8f
5:	movl $0, kernel_lock(%rip)
	movq CTX_RBX(%rcx), %rbx
	movq CTX_RBP(%rcx), %rbp
	movq CTX_R15(%rcx), %r15
	movq CTX_RDI(%rcx), %rdi
	movq CTX_RFLAGS(%rcx), %r11
	movq CTX_RSP(%rcx), %rsp
	movq CTX_RIP(%rcx), %rcx
	xorl %eax, %eax
	swapgs
	sysretq

	/* The user loaded the fs selector, which changed the base. */
6:	xorl %eax, %eax
	movl %eax, %fs
	movq CTX_FSBASE(%rcx), %rax
7:	movq %rax, %gs:CPU_FSBASE
	movq %rdx, %r11
	movq %rcx, %rbx
	movq %rax, %rdx
	shrq $32, %rdx
	movl $MSR_FS_BASE, %ecx
	wrmsr
	movq %rbx, %rcx
	movq %r11, %rdx
	jmp 4b
8:	movl %eax, %gs:CPU_FPU_OFF
	testl %eax, %eax
	jz 9f
	movq %cr0, %rax
	orq $CR0_TS, %rax
	movq %rax, %cr0
	jmp 5b
9:	clts
	jmp 5b
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
