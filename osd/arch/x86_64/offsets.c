/* The offsets that assembly uses are those of the structures. */
#include "osd/arch/arch.h"

#define CHECK(type, member, offset) _Static_assert(offsetof(type, member) == (offset), "offsets.h")

CHECK(struct arch_context, args[0], CTX_RDI);
CHECK(struct arch_context, args[5], CTX_R9);
CHECK(struct arch_context, rax, CTX_RAX);
CHECK(struct arch_context, rbx, CTX_RBX);
CHECK(struct arch_context, r15, CTX_R15);
CHECK(struct arch_context, r11, CTX_R11);
CHECK(struct arch_context, vector, CTX_VECTOR);
CHECK(struct arch_context, rip, CTX_RIP);
CHECK(struct arch_context, rsp, CTX_RSP);
CHECK(struct arch_context, fsbase, CTX_FRAME_END);
CHECK(struct arch_context, fsbase, CTX_FSBASE);
CHECK(struct arch_context, gsbase, CTX_GSBASE);
CHECK(struct arch_context, gate, CTX_GATE);
CHECK(struct arch_context, fpu, CTX_FPU);
CHECK(struct arch_cpu, self, 0);
CHECK(struct arch_cpu, current, CPU_CURRENT);
CHECK(struct arch_cpu, user_rsp, CPU_USER_RSP);
CHECK(struct arch_cpu, stack_top, CPU_STACK_TOP);
CHECK(struct arch_cpu, root, CPU_ROOT);
CHECK(struct arch_cpu, request, CPU_REQUEST);
CHECK(struct arch_cpu, tss.rsp[0], CPU_TSS_RSP0);
CHECK(struct arch_space, root, 0);
_Static_assert(sizeof(struct arch_context) == CTX_SIZE, "offsets.h");
_Static_assert(CTX_FRAME_END % 16 == 0, "the CPU aligns the stack before it pushes");
