/*
 * Where a further CPU begins: in real mode, at the start of a page below 1 MiB that smp.c has copied
 * this into (AP_BASE), from which it goes straight to long mode. What is there to know lies behind the
 * code: ap_root, tables that show this page at its own address and the kernel's half; then stack,
 * function and argument. Nothing here depends on where the kernel is linked.
 */
#include "osd/arch/x86_64/boot/ap.h"
#include "osd/arch/x86_64/registers.h"

	.section .rodata.ap, "a"
	.globl ap_code, ap_code_end, ap_values
	.balign 16
ap_code:
	.code16
	cli
	cld
	movw %cs, %ax
	movw %ax, %ds
	movl $CR4_LONG_MODE, %eax
	movl %eax, %cr4
	movl ap_values - ap_code, %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_LONG_MODE, %eax
	wrmsr
	lgdtl ap_gdt_pointer - ap_code
	/* Paging and protected mode at once: the CPU is in long mode, in a segment that is not yet. */
	movl $CR0_LONG_MODE, %eax
	movl %eax, %cr0
	ljmpl $SELECTOR_KERNEL_CODE, $(AP_BASE + ap_long - ap_code)

	.code64
ap_long:
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movl %eax, %ss
	movq ap_stack(%rip), %rsp
	movq ap_argument(%rip), %rdi
	movq ap_function(%rip), %rax
	xorl %ebp, %ebp
	call *%rax
	ud2

	.balign 8
ap_gdt:
	.quad 0
	.quad DESCRIPTOR_KERNEL_CODE
ap_gdt_end:
ap_gdt_pointer:
	.word ap_gdt_end - ap_gdt - 1
	.long AP_BASE + ap_gdt - ap_code

	.balign 8
ap_values: /* struct ap_values */
	.quad 0
ap_stack:
	.quad 0
ap_function:
	.quad 0
ap_argument:
	.quad 0
ap_code_end:
