#pragma once
/* The ways into the kernel and out of it: entry.S, and the C code that it goes on in. */
#include "osd/arch/arch.h"

/* entry.S: the lock of the kernel, a bit that who enters from user mode sets. */
extern volatile uint32_t kernel_lock;
/* entry.S: where `syscall` and the vectors enter; 16 bytes a vector. */
extern const char trap_stubs[], entry_syscall[];
/* trap.c: entry.S comes here, from user mode, from the kernel, and when neither can be. */
_Noreturn void trap_user(struct arch_context *ctx);
_Noreturn void trap_kernel(struct arch_context *ctx);
_Noreturn void trap_fatal(struct arch_context *ctx);
/* context.c: give the FPU, which it touched first, to the running context. */
void context_fpu_take(struct arch_context *ctx);
/* entry.S: release the lock, and go to the context or wait for an interrupt. */
_Noreturn void context_resume(struct arch_context *ctx);
_Noreturn void idle_wait(void);
