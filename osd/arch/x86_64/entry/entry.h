#pragma once
/* The ways into the kernel and out of it: entry.S, and the C code that it goes on in. */
#include <stdbool.h>
#include "osd/arch/arch.h"

/* entry.S: the lock of the kernel, a bit that who enters from user mode sets. */
extern volatile uint32_t kernel_lock;
/* entry.S: where `syscall` and the vectors enter; 16 bytes a vector. */
extern const char trap_stubs[], entry_syscall[], entry_syscall_plain[];
/* context.c: users may write the bases of fs and gs, on any CPU. Set once, before there are any. */
extern bool context_has_fsgsbase;
/* trap.c: entry.S comes here, from user mode, from the kernel, and when neither can be. */
_Noreturn void trap_user(struct arch_context *ctx);
_Noreturn void trap_kernel(struct arch_context *ctx);
_Noreturn void trap_fatal(struct arch_context *ctx);
/*
 * fpu.c. What all CPUs have, once; the unit of this CPU, on each; then the CPU goes from one context (NULL: none, or none
 * that used the unit) to another (NULL: it will wait), and the running context, which has not used the
 * unit, wants it.
 */
void fpu_init(void);
void fpu_cpu_init(void);
void context_fpu_switch(const struct arch_context *from, const struct arch_context *to);
void context_fpu_take(struct arch_context *ctx);
/*
 * context.c: this CPU stops running what it runs, whose registers are saved, all; it uses no user's tables
 * afterwards.
 */
void context_leave(struct arch_cpu *cpu);
/*
 * remote.c. Take the lock, fulfilling meanwhile what other CPUs wish: what this one ran may not run
 * here any more afterwards (current is NULL then). The same, and see what there is to do.
 */
void cpu_lock_take(void);
_Noreturn void cpu_enter(void);
/* entry.S comes here from the lock when there is a wish; does not return when ctx has left. */
void entry_answer(struct arch_context *ctx);
/* Fulfil the wish. */
void cpu_answer(struct arch_cpu *cpu);
/* Somebody panics, and everybody else stands still. */
bool cpu_is_halted(void);
/* trap.c: ctx was made to leave its CPU; an exception that it would not meet again becomes its fault now. */
void trap_left(struct arch_context *ctx);
/* entry.S: release the lock, and go to the context or wait for an interrupt. */
_Noreturn void context_resume(struct arch_context *ctx);
_Noreturn void idle_wait(void);
