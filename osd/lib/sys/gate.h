#pragma once
/*
 * The way into the kernel: through the gate page, whose address the start block names. No service
 * holds a `syscall` instruction. The entry pushes a return address: code that includes this is
 * compiled with -mno-red-zone.
 */
#include "osd/abi/calls.h"
#include "osd/abi/errors.h"
#include "osd/abi/message.h"
#include "osd/abi/types.h"
#include "osd/lib/annotate/annotate.h"

/* Address of the gate page; written by the start code before the first call. */
extern vaddr_t sys_gate STATE_SKIP;

/* Any call but IPC. *ret_second gets the second result (rdx), also when an error is returned. */
static inline err_t sys_call_second(enum kcall number, const uint64_t a[6], uint64_t *ret_second)
{
	err_t result = number;
	uint64_t rdx = a[2];
	register uint64_t r10 __asm__("r10") = a[3];
	register uint64_t r8 __asm__("r8") = a[4];
	register uint64_t r9 __asm__("r9") = a[5];

	__asm__ volatile("call *%[gate]"
	        : "+a"(result), "+d"(rdx)
	        : [gate] "m"(sys_gate), "D"(a[0]), "S"(a[1]), "r"(r10), "r"(r8), "r"(r9)
	        : "rcx", "r11", "memory");
	*ret_second = rdx;
	return result;
}

/* The same where there is no second result; missing arguments are zero. */
#define sys_call(number, ...) sys_call_first(number, (const uint64_t[6]){__VA_ARGS__})

static inline err_t sys_call_first(enum kcall number, const uint64_t a[6])
{
	uint64_t second;

	return sys_call_second(number, a, &second);
}

/* An IPC call: the message goes out in eight registers and comes back in the same ones. */
static inline err_t sys_ipc(enum kcall number, endpoint_t to, struct message *msg)
{
	uint64_t *w = (uint64_t *)(void *)msg;
	err_t result = number;
	uint64_t rsi = w[0], rdx = w[1];
	register uint64_t r8 __asm__("r8") = w[2];
	register uint64_t r9 __asm__("r9") = w[3];
	register uint64_t r10 __asm__("r10") = w[4];
	register uint64_t r12 __asm__("r12") = w[5];
	register uint64_t r13 __asm__("r13") = w[6];
	register uint64_t r14 __asm__("r14") = w[7];

	__asm__ volatile("call *%[gate]"
	        : "+a"(result), "+S"(rsi), "+d"(rdx), "+r"(r8), "+r"(r9), "+r"(r10), "+r"(r12),
	        "+r"(r13), "+r"(r14)
	        : [gate] "m"(sys_gate), "D"((int64_t)to)
	        : "rcx", "r11", "memory");
	w[0] = rsi;
	w[1] = rdx;
	w[2] = r8;
	w[3] = r9;
	w[4] = r10;
	w[5] = r12;
	w[6] = r13;
	w[7] = r14;
	return result;
}

/* For calls that do not bring a message back. */
static inline err_t sys_ipc_out(enum kcall number, endpoint_t to, const struct message *msg)
{
	struct message copy = *msg;

	return sys_ipc(number, to, &copy);
}
