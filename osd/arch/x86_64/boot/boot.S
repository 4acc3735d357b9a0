/*
 * PVH entry: 32-bit protected mode without paging, ebx = physical address of the start information. This section
 * is linked at its load address. It enters long mode on tables that map the first GiB at 0, at DIRECT_BASE and
 * at KERNEL_BASE, and goes on in boot_start().
 */
#include "osd/arch/x86_64/offsets.h"

#define EFER 0xc0000080
#define EFER_SCE_LME_NXE 0x901
#define CR0_PG_WP_NE_ET_MP_PE 0x80010033
#define CR4_PAE_PGE_FX 0x6a0

	.section .note.Xen, "a", @note
	.balign 4
	.long 4, 4, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long boot_pvh_entry

	.section .boot, "awx"
	.code32
	.globl boot_pvh_entry
boot_pvh_entry:
	cli
	cld
	movl $0x80000001, %eax
	movl %ebx, %esi
	cpuid
	movl %esi, %ebx
	/* long mode (bit 29) and no-execute (bit 20) or nothing */
	andl $0x20100000, %edx
	cmpl $0x20100000, %edx
	jne boot_unfit
	movl $CR4_PAE_PGE_FX, %eax
	movl %eax, %cr4
	movl $boot_pml4, %eax
	movl %eax, %cr3
	movl $EFER, %ecx
	rdmsr
	orl $EFER_SCE_LME_NXE, %eax
	wrmsr
	movl $CR0_PG_WP_NE_ET_MP_PE, %eax
	movl %eax, %cr0
	lgdt boot_gdt_pointer
	ljmp $SELECTOR_KERNEL_CODE, $boot_long
boot_unfit:
	movb $'!', %al
	outb %al, $0xe9
	movl $0x7f, %eax
	outl %eax, $0xf4
1:	hlt
	jmp 1b

	.code64
boot_long:
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	movl %eax, %ss
	movabsq $boot_stack_top, %rsp
	xorl %ebp, %ebp
	movl %ebx, %edi
	movabsq $boot_start, %rax
	call *%rax
	ud2

	.balign 8
boot_gdt:
	.quad 0
	.quad 0x00af9b000000ffff
boot_gdt_end:
boot_gdt_pointer:
	.word boot_gdt_end - boot_gdt - 1
	.long boot_gdt

	.balign 4096
boot_pml4:
	.quad boot_pdpt + 3
	.fill 255, 8, 0
	.quad boot_pdpt + 3 /* DIRECT_BASE */
	.fill 254, 8, 0
	.quad boot_pdpt_high + 3
boot_pdpt:
	.quad boot_pd + 3
	.fill 511, 8, 0
boot_pdpt_high:
	.fill 510, 8, 0
	.quad boot_pd + 3 /* KERNEL_BASE */
	.quad 0
boot_pd:
	.set page, 0
	.rept 512
	.quad page + 0x83
	.set page, page + 0x200000
	.endr

	.bss
	.balign 4096
	.fill 16384
	.globl boot_stack_top
boot_stack_top:
