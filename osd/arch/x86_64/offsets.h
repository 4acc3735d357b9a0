#pragma once
/* Offsets that assembly needs; offsets.c asserts each against its structure. */
#define CTX_RDI 0
#define CTX_RSI 8
#define CTX_RDX 16
#define CTX_R10 24
#define CTX_R8 32
#define CTX_R9 40
#define CTX_RAX 48
#define CTX_RBX 56
#define CTX_RBP 64
#define CTX_R12 72
#define CTX_R13 80
#define CTX_R14 88
#define CTX_R15 96
#define CTX_RCX 104
#define CTX_R11 112
#define CTX_VECTOR 120
#define CTX_ERROR 128
#define CTX_RIP 136
#define CTX_CS 144
#define CTX_RFLAGS 152
#define CTX_RSP 160
#define CTX_SS 168
#define CTX_FRAME_END 176
#define CTX_FSBASE 176
#define CTX_GSBASE 184
#define CTX_GATE 192
#define CTX_FPU 208

#define CPU_CURRENT 8
#define CPU_USER_RSP 16
#define CPU_STACK_TOP 24
#define CPU_ROOT 32
#define CPU_REQUEST 48
#define CPU_TSS_RSP0 68

#define CTX_SIZE 224

/* Of the kernel's objects, for the IPC fast path; asserted in osd/kernel/offsets.c. */
#define CPU_READY_MASK 240
#define CPU_CYCLES_LAST 248
#define CPU_IPC_FAST 256
#define SPACE_ROOT 0
#define SLOT_NUMBER_MASK 0x3fff
#define SLOT_ENDPOINT 64
#define SLOT_HELD 69
#define SLOT_PENDING 72
#define SLOT_IPC_INDEX 80
#define OF_SLOT 528 /* from an instance to the slot beside it */
#define INSTANCE_RUN CTX_SIZE
#define INSTANCE_PEER (CTX_SIZE + 4)
#define INSTANCE_SPACE (CTX_SIZE + 16)
#define INSTANCE_RIGHTS (CTX_SIZE + 24)
#define INSTANCE_CYCLES (CTX_SIZE + 32)
#define INSTANCE_ABOVE (CTX_SIZE + 40)
#define RIGHTS_CALLS 0
#define RIGHTS_IPC_TO 8
#define STATE_RUNNABLE 1
#define STATE_RECEIVING 3
#define STATE_WAITING_REPLY 4
#define RUN_RECEIVING_ANY 0xffffffff00000003
#define CALL_FIRST 0x1000
#define CALL_SENDREC 0x1003
#define CALL_REPLY_RECEIVE 0x1007
