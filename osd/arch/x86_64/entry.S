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
	movq %rdi, CTX_RDI(%rsp)
	movq %rsi, CTX_RSI(%rsp)
	movq %rdx, CTX_RDX(%rsp)
	movq %r10, CTX_R10(%rsp)
	movq %r8, CTX_R8(%rsp)
	movq %r9, CTX_R9(%rsp)
	movq %rax, CTX_RAX(%rsp)
	movq %rbx, CTX_RBX(%rsp)
	movq %rbp, CTX_RBP(%rsp)
	movq %r12, CTX_R12(%rsp)
	movq %r13, CTX_R13(%rsp)
	movq %r14, CTX_R14(%rsp)
	movq %r15, CTX_R15(%rsp)
	movq $VECTOR_SYSCALL, CTX_VECTOR(%rsp)
	movq %rcx, CTX_RIP(%rsp)
	movq %r11, CTX_RFLAGS(%rsp)
	movq %gs:CPU_USER_RSP, %rcx
	movq %rcx, CTX_RSP(%rsp)
	movq %rsp, %rbx
	movq %gs:CPU_STACK_TOP, %rsp
	movq %rbx, %rdi
	movq %rax, %rsi
1:	lock btsl $0, kernel_lock(%rip)
	jc 2f
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
