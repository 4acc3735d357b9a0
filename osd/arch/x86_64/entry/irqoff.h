#pragma once
/* What the linker puts around functions in a kernel that measures itself: see irqoff.c. */
#include "osd/arch/x86_64/entry/entry.h"

/* The longest that a CPU has waited for the lock; irqoff_wait.S has its part in it. Under the lock. */
extern uint64_t irqoff_wait_max;

/* X as it is, and what is called in its place. */
void __real_cpu_lock_take(void);
void __wrap_cpu_lock_take(void);
void __real_kcall_dispatch(struct instance *self, uint64_t number);
void __wrap_kcall_dispatch(struct instance *self, uint64_t number);
_Noreturn void __real_kcall_stray(struct instance *self);
_Noreturn void __wrap_kcall_stray(struct instance *self);
_Noreturn void __real_trap_user(struct arch_context *ctx);
_Noreturn void __wrap_trap_user(struct arch_context *ctx);
_Noreturn void __real_trap_kernel(struct arch_context *ctx);
_Noreturn void __wrap_trap_kernel(struct arch_context *ctx);
_Noreturn void __real_context_resume(struct arch_context *ctx);
_Noreturn void __wrap_context_resume(struct arch_context *ctx);
_Noreturn void __real_idle_wait(void);
_Noreturn void __wrap_idle_wait(void);
void __real_arch_log_write(const char *text, size_t n);
void __wrap_arch_log_write(const char *text, size_t n);
_Noreturn void __real_arch_off(uint32_t code);
_Noreturn void __wrap_arch_off(uint32_t code);
