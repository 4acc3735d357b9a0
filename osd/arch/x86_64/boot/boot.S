/*
 * PVH entry, and from there into long mode.
 *
 * The starter enters at boot_pvh_entry in 32-bit protected mode without paging: ebx is the physical
 * address of its start information, no stack. This section is linked at its load address, since it
 * runs before there are page tables. The tables at its end map the first GiB at 0 for the instructions
 * here, which add two more views for boot_start(): the same at kernel_direct, and the image, page by page,
 * where it is linked. boot_start() replaces them by tables without anything writable and executable
 * (mmu/kmap.c).
 *
 * Where all this lies is in symbols of kernel.ld only, never in a constant: a kernel is moved by its
 * relocations. kernel_direct is a multiple of 1 GiB, the image in the GiB
 * below -1 GiB, and not in the last 4 MiB of it.
 */
#include "osd/arch/x86_64/offsets.h"
#include "osd/arch/x86_64/registers.h"

#define CPUID_NEEDED (CPUID_LONG_MODE | CPUID_NX)

/* Exit code for a CPU that the kernel cannot run on; a panic has another (osd/kernel/panic.c). */
#define UNFIT_EXIT 0x7f

/* Page-table entries: a table, and a page of 2 MiB. */
#define ENTRY_TABLE 0x03 /* present, writable */
#define ENTRY_BIG 0x83   /* and big */
#define BIG_PAGE_BYTES 0x200000
#define N_ENTRIES 512
#define ENTRY_MASK 511
#define ENTRY_BYTES 8
/* What one entry of each level maps, as a power of two. */
#define PAGE_SHIFT 12
#define TABLE_SHIFT 21
#define GIB_SHIFT 30
#define ROOT_SHIFT 39
/* Of the image in the root, and in the table below. */
#define KERNEL_ROOT_INDEX 511
#define KERNEL_INDEX 510
/* Tables for 2 MiB that begin anywhere. */
#define N_KERNEL_TABLES 2

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
	/* The first GiB at kernel_direct, too. */
	movabsq $kernel_direct, %rax
	movq %rax, %rcx
	shrq $ROOT_SHIFT, %rax
	andl $ENTRY_MASK, %eax
	shrq $GIB_SHIFT, %rcx
	andl $ENTRY_MASK, %ecx
	movq $boot_pdpt_direct + ENTRY_TABLE, boot_pml4(, %rax, ENTRY_BYTES)
	movq $boot_pd + ENTRY_TABLE, boot_pdpt_direct(, %rcx, ENTRY_BYTES)
	/* The image: the tables of the pages are one array, in which eax counts them. */
	movq $kernel_text_start, %rax
	shrl $PAGE_SHIFT, %eax
	movl %eax, %ecx
	shrl $TABLE_SHIFT - PAGE_SHIFT, %ecx
	andl $ENTRY_MASK, %ecx
	andl $ENTRY_MASK, %eax
	movq $boot_pt + ENTRY_TABLE, boot_pd_high(, %rcx, ENTRY_BYTES)
	movq $boot_pt + PAGE_BYTES + ENTRY_TABLE, boot_pd_high + ENTRY_BYTES(, %rcx, ENTRY_BYTES)
	movl $kernel_load_text + ENTRY_TABLE, %edx
	movl $kernel_pages, %ecx
.Lpage:
	movq %rdx, boot_pt(, %rax, ENTRY_BYTES)
	addl $PAGE_BYTES, %edx
	incl %eax
	decl %ecx
	jnz .Lpage
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
	.fill KERNEL_ROOT_INDEX - 1, 8, 0
	.quad boot_pdpt_high + ENTRY_TABLE
boot_pdpt:
	.quad boot_pd + ENTRY_TABLE
	.fill N_ENTRIES - 1, 8, 0
boot_pdpt_direct:
	.fill N_ENTRIES, 8, 0
boot_pdpt_high:
	.fill KERNEL_INDEX, 8, 0
	.quad boot_pd_high + ENTRY_TABLE
	.fill N_ENTRIES - KERNEL_INDEX - 1, 8, 0
boot_pd_high:
	.fill N_ENTRIES, 8, 0
boot_pt:
	.fill N_KERNEL_TABLES * N_ENTRIES, 8, 0
boot_pd:
	.set page, 0
	.rept N_ENTRIES
	.quad page + ENTRY_BIG
	.set page, page + BIG_PAGE_BYTES
	.endr

	.section .rodata
	.balign 8
	.globl kmap_place
kmap_place:
	.quad kernel_load, kernel_load_text

	.bss
	.balign PAGE_BYTES
	.fill BOOT_STACK_BYTES
	.globl boot_stack_top
boot_stack_top:
