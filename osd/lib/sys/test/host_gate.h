#pragma once
/*
 * The gate on the host: who links it plays the kernel in host_enter(), and puts the address of
 * host_gate() into sys_gate. What makes calls is compiled with -mno-red-zone.
 */
#include <stdint.h>

/* As they were at the call; what host_enter() writes here the caller gets. */
struct host_registers {
	uint64_t rax, rdi, rsi, rdx, r10, r8, r9, r12, r13, r14;
};

void host_gate(void);
/* The kernel: rax is the enum kcall, and takes the result. */
void host_enter(struct host_registers *r);
