/*
 * The other side of the gate, on the host. It saves all registers that the kernel would keep,
 * vector registers included: the compiler does not expect a call there.
 */
#include "osd/lib/sys/test/host_gate.h"

/* Pushed in the order of struct host_registers, the first one last. */
__asm__(".globl host_gate\n"
        "host_gate:\n"
        "	push %r14\n	push %r13\n	push %r12\n	push %r9\n	push %r8\n"
        "	push %r10\n	push %rdx\n	push %rsi\n	push %rdi\n	push %rax\n"
        "	mov %rsp, %rdi\n"
        "	push %rbx\n	mov %rsp, %rbx\n"
        "	sub $512, %rsp\n	and $-64, %rsp\n"
        "	fxsave64 (%rsp)\n"
        "	call host_enter\n"
        "	fxrstor64 (%rsp)\n"
        "	mov %rbx, %rsp\n	pop %rbx\n"
        "	pop %rax\n	pop %rdi\n	pop %rsi\n	pop %rdx\n	pop %r10\n"
        "	pop %r8\n	pop %r9\n	pop %r12\n	pop %r13\n	pop %r14\n"
        "	ret\n");
