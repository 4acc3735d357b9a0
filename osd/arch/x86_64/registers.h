#pragma once
/*
 * Numbers of registers, bits and vectors that assembly needs too, so that they are plain numbers
 * here; what only C uses is in x86.h.
 */
#define PAGE_BYTES 4096

/* Segment selectors. sysret wants user data right below user code. */
#define SELECTOR_KERNEL_CODE 0x08
#define SELECTOR_KERNEL_DATA 0x10
#define SELECTOR_USER_DATA 0x23
#define SELECTOR_USER_CODE 0x2b
#define SELECTOR_TSS 0x30
#define SELECTOR_RING 3 /* in a saved cs: not 0 when it was user mode */

/* Descriptors: 64-bit code and flat data, of the kernel and of users. */
#define DESCRIPTOR_KERNEL_CODE 0x00af9b000000ffff
#define DESCRIPTOR_KERNEL_DATA 0x00cf93000000ffff
#define DESCRIPTOR_USER_DATA 0x00cff3000000ffff
#define DESCRIPTOR_USER_CODE 0x00affb000000ffff

#define MSR_EFER 0xc0000080
#define EFER_SCE 0x001
#define EFER_LME 0x100
#define EFER_NXE 0x800
#define MSR_FS_BASE 0xc0000100

#define RFLAGS_FIXED 0x2

#define CR0_PE 0x00000001
#define CR0_MP 0x00000002
#define CR0_TS 0x00000008
#define CR0_ET 0x00000010
#define CR0_NE 0x00000020
#define CR0_WP 0x00010000
#define CR0_PG 0x80000000

#define CR4_PAE 0x020
#define CR4_PGE 0x080
#define CR4_OSFXSR 0x200
#define CR4_OSXMMEXCPT 0x400

/* What long mode needs, and what the kernel always has. */
#define CR0_LONG_MODE (CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE)
#define CR4_LONG_MODE (CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT)
#define EFER_LONG_MODE (EFER_SCE | EFER_LME | EFER_NXE)

/* cpuid 0x80000001, edx */
#define CPUID_EXTENDED 0x80000001
#define CPUID_NX 0x00100000
#define CPUID_LONG_MODE 0x20000000

#define N_VECTORS 256
#define VECTOR_NMI 2
#define VECTOR_BREAKPOINT 3
#define VECTOR_DOUBLE_FAULT 8
#define VECTOR_MACHINE_CHECK 18
#define VECTOR_IRQ_FIRST 0x20
#define VECTOR_TIMER 0xe0
#define VECTOR_CPU 0xe1 /* another CPU wants this one to look at what it has to do */
#define VECTOR_SPURIOUS 0xff
#define VECTOR_SYSCALL 0x100 /* none: marks a context that came in by a call */

/* Double fault, invalid task state to page fault, alignment check, control flow, and two more. */
#define VECTORS_WITH_ERROR 0x60227d00
#define VECTOR_HAS_ERROR(vector) ((vector) < 32 && (VECTORS_WITH_ERROR >> (vector) & 1))
#define TRAP_STUB_BYTES 16

#define INT3_OPCODE 0xcc

/* The debug console and the exit device (tools/run gives the machine both). */
#define PORT_LOG 0xe9
#define PORT_EXIT 0xf4
