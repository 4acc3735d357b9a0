/*
 * What the linker puts in front of entry_wait in a kernel that measures itself (irqoff.c): how long a call
 * waits for the lock. Of a context that came by a call rcx and r11 mean nothing: they keep where to go,
 * and since when it waits. One that has to leave its CPU meanwhile is not counted: it calls again.
 */
#include "osd/arch/x86_64/offsets.h"

/* rax: the time. Clobbers rdx, which is kept in the context, as rax is. */
	.macro time_read
	movq %rax, CTX_RAX(%rsp)
	movq %rdx, CTX_RDX(%rsp)
	rdtsc
	shlq $32, %rdx
	orq %rdx, %rax
	.endm

	.macro time_end
	movq CTX_RAX(%rsp), %rax
	movq CTX_RDX(%rsp), %rdx
	.endm

	.text
	.globl __wrap_entry_wait
	.type __wrap_entry_wait, @function
__wrap_entry_wait:
	movq %rcx, CTX_RCX(%rsp)
	time_read
	movq %rax, CTX_R11(%rsp)
	time_end
	leaq .Ltaken(%rip), %rcx
	jmp __real_entry_wait
.Ltaken:
	time_read
	subq CTX_R11(%rsp), %rax
	cmpq %rax, irqoff_wait_max(%rip)
	jae .Lshorter
	movq %rax, irqoff_wait_max(%rip)
.Lshorter:
	time_end
	jmp *CTX_RCX(%rsp)
	.size __wrap_entry_wait, . - __wrap_entry_wait
