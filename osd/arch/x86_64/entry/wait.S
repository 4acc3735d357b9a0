/*
 * A call that finds the lock taken (lock_take of entry.S): take it when it is open. rcx: where to go
 * then; otherwise as at lock_take. What another CPU wants of this one is done meanwhile (remote.c):
 * then all registers must be saved, since it can be that the caller leaves this CPU.
 *
 * In a file of its own so that a kernel that measures itself can measure this (irqoff_wait.S).
 */
#include "osd/arch/x86_64/entry/wait.inc"
#include "osd/arch/x86_64/offsets.h"

	.text
	.globl entry_wait
	.type entry_wait, @function
entry_wait:
.Lwait: /* by this name from here, since the other one is what the linker puts in its place */
	pause
	cmpl $0, %gs:CPU_REQUEST
	jne .Lanswer
	testl $1, kernel_lock(%rip)
	jnz .Lwait
	lock btsl $LOCK_BIT, kernel_lock(%rip)
	jc .Lwait
	jmp *%rcx
.Lanswer:
	save_call_registers
	movq %rsp, %rbx
	movq %rcx, %rbp
	movq %rsp, %rdi
	movq %gs:CPU_STACK_TOP, %rsp
	call entry_answer
	/* It returns when the caller is still here. */
	movq %rbx, %rsp
	movq %rbp, %rcx
	movq CTX_RDI(%rsp), %rdi
	movq CTX_RSI(%rsp), %rsi
	movq CTX_RDX(%rsp), %rdx
	movq CTX_R10(%rsp), %r10
	movq CTX_R8(%rsp), %r8
	movq CTX_R9(%rsp), %r9
	movq CTX_RAX(%rsp), %rax
	movq CTX_RBX(%rsp), %rbx
	movq CTX_RBP(%rsp), %rbp
	jmp .Lwait
	.size entry_wait, . - entry_wait
