/*
 * PVH entry, and from there into long mode.
 *
 * The starter enters at boot_pvh_entry in 32-bit protected mode without paging: ebx is the physical
 * address of its start information, no stack. This section is linked at its load address, since it
 * runs before there are page tables. The tables at its end map the first GiB three times: at 0 for
 * the instructions here, at DIRECT_BASE and at KERNEL_BASE for those of boot_start(), which replaces
 * them by tables without anything writable and executable (mmu/kmap.c).
 */
#include "osd/arch/x86_64/offsets.h"
#include "osd/arch/x86_64/registers.h"

#define CR0_LONG_MODE (CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE)
#define CR4_LONG_MODE (CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT)
#define EFER_LONG_MODE (EFER_SCE | EFER_LME | EFER_NXE)
#define CPUID_NEEDED (CPUID_LONG_MODE | CPUID_NX)

/* Exit code for a CPU that the kernel cannot run on; a panic has another (osd/kernel/panic.c). */
#define UNFIT_EXIT 0x7f

/* Page-table entries: a table, and a page of 2 MiB. */
#define ENTRY_TABLE 0x03 /* present, writable */
#define ENTRY_BIG 0x83   /* and big */
#define BIG_PAGE_BYTES 0x200000
#define N_ENTRIES 512
/* Where the two upper views begin in the root, and the kernel's in the table below. */
#define DIRECT_INDEX 256
#define KERNEL_ROOT_INDEX 511
#define KERNEL_INDEX 510

#define BOOT_STACK_BYTES 16384

/* The note by which the starter finds the entry: length of the name, of the value, kind. */
#define NOTE_PHYS32_ENTRY 18
	.section .note.Xen, "a", @note
	.balign 4
	.long 4, 4, NOTE_PHYS32_ENTRY
	.asciz "Xen"
	.long boot_pvh_entry

	.section .boot, "awx"
	.code32
	.globl boot_pvh_entry
boot_pvh_entry:
	cli
	cld
	/* ebx and esi: start information, which cpuid would overwrite in ebx */
	movl $CPUID_EXTENDED, %eax
	movl %ebx, %esi
	cpuid
	movl %esi, %ebx
	andl $CPUID_NEEDED, %edx
	cmpl $CPUID_NEEDED, %edx
	jne boot_unfit
	/* The order is the architecture's: tables, then EFER.LME, then CR0.PG. */
	movl $CR4_LONG_MODE, %eax
	movl %eax, %cr4
	movl $boot_pml4, %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_LONG_MODE, %eax
	wrmsr
	movl $CR0_LONG_MODE, %eax
	movl %eax, %cr0
	lgdt boot_gdt_pointer
	ljmp $SELECTOR_KERNEL_CODE, $boot_long

/* Neither stack nor log: a character, and off. */
boot_unfit:
	movb $'!', %al
	outb %al, $PORT_LOG
	movl $UNFIT_EXIT, %eax
	outl %eax, $PORT_EXIT
.Lhalt:
	hlt
	jmp .Lhalt

/* 64-bit mode, still at the load address. ebx: start information; everything else free. */
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
	/* edi: start information, the argument of boot_start, which does not return */
	movl %ebx, %edi
	movabsq $boot_start, %rax
	call *%rax
	ud2

	.balign 8
boot_gdt:
	.quad 0
	.quad DESCRIPTOR_KERNEL_CODE
boot_gdt_end:
boot_gdt_pointer:
	.word boot_gdt_end - boot_gdt - 1
	.long boot_gdt

	.balign PAGE_BYTES
boot_pml4:
	.quad boot_pdpt + ENTRY_TABLE
	.fill DIRECT_INDEX - 1, 8, 0
	.quad boot_pdpt + ENTRY_TABLE
	.fill KERNEL_ROOT_INDEX - DIRECT_INDEX - 1, 8, 0
	.quad boot_pdpt_high + ENTRY_TABLE
boot_pdpt:
	.quad boot_pd + ENTRY_TABLE
	.fill N_ENTRIES - 1, 8, 0
boot_pdpt_high:
	.fill KERNEL_INDEX, 8, 0
	.quad boot_pd + ENTRY_TABLE
	.fill N_ENTRIES - KERNEL_INDEX - 1, 8, 0
boot_pd:
	.set page, 0
	.rept N_ENTRIES
	.quad page + ENTRY_BIG
	.set page, page + BIG_PAGE_BYTES
	.endr

	.bss
	.balign PAGE_BYTES
	.fill BOOT_STACK_BYTES
	.globl boot_stack_top
boot_stack_top:
