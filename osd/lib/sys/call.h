#pragma once
/*
 * Kernel calls for services: sys_NAME() for each row of osd/abi/calls.def, whose column `kind` says
 * what the function looks like; docs/call has a page for each. All inline: a message travels in
 * registers, and most calls are a few loads and the gate.
 */
#include "osd/lib/sys/gate.h"

struct grant;

/*
 * What a row's arguments (type, name, type, name, ...) become: the parameters of a function, and
 * the values of its registers. SYS_PAIRS picks the macro for their number.
 */
#define SYS_PARAMETERS(...) SYS_PAIRS(P, __VA_ARGS__)(__VA_ARGS__)
#define SYS_VALUES(...) SYS_PAIRS(V, __VA_ARGS__)(__VA_ARGS__)
#define SYS_PAIRS(macro, ...)                                                                      \
	SYS_PAIRS_AT(0 __VA_OPT__(, ) __VA_ARGS__, macro##6, , macro##5, , macro##4, , macro##3, , \
	        macro##2, , macro##1, , macro##0)
#define SYS_PAIRS_AT(none, t1, n1, t2, n2, t3, n3, t4, n4, t5, n5, t6, n6, macro, ...) SYS_##macro

#define SYS_P0() void
#define SYS_P1(type, name) type name
#define SYS_P2(type, name, ...) type name, SYS_P1(__VA_ARGS__)
#define SYS_P3(type, name, ...) type name, SYS_P2(__VA_ARGS__)
#define SYS_P4(type, name, ...) type name, SYS_P3(__VA_ARGS__)
#define SYS_P5(type, name, ...) type name, SYS_P4(__VA_ARGS__)
#define SYS_P6(type, name, ...) type name, SYS_P5(__VA_ARGS__)

#define SYS_V0() 0
#define SYS_V1(type, name) (uint64_t)(name)
#define SYS_V2(type, name, ...) (uint64_t)(name), SYS_V1(__VA_ARGS__)
#define SYS_V3(type, name, ...) (uint64_t)(name), SYS_V2(__VA_ARGS__)
#define SYS_V4(type, name, ...) (uint64_t)(name), SYS_V3(__VA_ARGS__)
#define SYS_V5(type, name, ...) (uint64_t)(name), SYS_V4(__VA_ARGS__)
#define SYS_V6(type, name, ...) (uint64_t)(name), SYS_V5(__VA_ARGS__)

#define SYS_CALL(name, arguments)                                                                  \
	static inline err_t sys_##name(SYS_PARAMETERS arguments)                                   \
	{                                                                                          \
		return sys_call(KCALL_##name, SYS_VALUES arguments);                               \
	}
/* *ret_second is written with an error too. */
#define SYS_RDX(name, arguments)                                                                   \
	static inline err_t sys_##name(SYS_PARAMETERS arguments, uint64_t *ret_second)             \
	{                                                                                          \
		return sys_call_second(                                                            \
		        KCALL_##name, (const uint64_t[6]){SYS_VALUES arguments}, ret_second);      \
	}
#define SYS_BITS(name, arguments)                                                                  \
	static inline uint64_t sys_##name(SYS_PARAMETERS arguments)                                \
	{                                                                                          \
		uint64_t second;                                                                   \
                                                                                                   \
		(void)sys_call_second(                                                             \
		        KCALL_##name, (const uint64_t[6]){SYS_VALUES arguments}, &second);         \
		return second;                                                                     \
	}
#define SYS_TIME(name, arguments)                                                                  \
	static inline nsec_t sys_##name(SYS_PARAMETERS arguments)                                  \
	{                                                                                          \
		return (nsec_t)sys_call(KCALL_##name, SYS_VALUES arguments);                       \
	}
#define SYS_END(name, arguments)                                                                   \
	static inline _Noreturn void sys_##name(SYS_PARAMETERS arguments)                          \
	{                                                                                          \
		(void)sys_call(KCALL_##name, SYS_VALUES arguments);                                \
		__builtin_unreachable();                                                           \
	}
#define SYS_SEND(name, arguments)                                                                  \
	static inline err_t sys_##name(SYS_PARAMETERS arguments, const struct message *msg)        \
	{                                                                                          \
		return sys_ipc_out(KCALL_##name, SYS_ENDPOINT arguments, msg);                     \
	}
/* On an error nothing is known of *msg: the entry saves no message that a receiver took at once. */
#define SYS_MESSAGE(name, arguments)                                                               \
	static inline err_t sys_##name(SYS_PARAMETERS arguments, struct message *msg)              \
	{                                                                                          \
		return sys_ipc(KCALL_##name, SYS_ENDPOINT arguments, msg);                         \
	}
#define SYS_ENDPOINT(type, name) name

#define KCALL(number, name, kind, arguments, ...) SYS_##kind(name, arguments)
#include "osd/abi/calls.def"
#undef KCALL
