#pragma once
/*
 * Kernel calls (osd/abi/calls.def, docs/call) as functions. Every call goes through the gate page; no service holds a
 * `syscall` instruction. Results are err_t: 0 or a value, or a negative E_*. Outputs are untouched on failure.
 */
#include "osd/abi/calls.h"
#include "osd/abi/errors.h"
#include "osd/abi/message.h"
#include "osd/abi/start.h"

/* Address of the gate page; set by the start code. */
extern const void *sys_gate;

/* The bare call: number and up to six arguments; ret_second may be NULL. */
struct sys_result {
	int64_t value;
	uint64_t second;
};
static inline struct sys_result sys_call(
	uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	struct sys_result result;
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;

	__asm__ volatile("call *%[gate]"
			 : "=a"(result.value), "=d"(result.second)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9),
			 [gate] "m"(sys_gate)
			 : "rcx", "r11", "memory", "cc");
	return result;
}

/* IPC. `msg` is sent and, where a message comes back, overwritten by it. */
err_t sys_send(endpoint_t to, const struct message *msg);
err_t sys_receive(endpoint_t from, struct message *ret_msg);
err_t sys_sendrec(endpoint_t to, struct message *msg);
err_t sys_notify(endpoint_t to);
err_t sys_asend(endpoint_t to, const struct message *msg);
err_t sys_reply(endpoint_t to, const struct message *msg);
err_t sys_reply_receive(endpoint_t to, struct message *msg);

/* Reply with a bare result: MSG_REPLY, w[0] = err, other words 0. */
err_t sys_reply_error(endpoint_t to, err_t err);
/* Reply with a structure whose first member is an err_t: type MSG_REPLY, source the receiver of the request. */
#define SYS_REPLY(msg, type, ...) \
	({ \
		*(msg) = (struct message){.type = MSG_REPLY, .source = (msg)->source}; \
		*MSG_AS(type, msg) = (type){__VA_ARGS__}; \
	})
/* Is it a notification from this pseudo endpoint or slot? */
static inline bool message_is_notify(const struct message *msg, endpoint_t from)
{
	return msg->type == MSG_NOTIFY && msg->source == from;
}

#define sys_call0(name) sys_call(KCALL_##name, 0, 0, 0, 0, 0, 0)
#define sys_call1(name, a) sys_call(KCALL_##name, (uint64_t)(a), 0, 0, 0, 0, 0)
#define sys_call2(name, a, b) sys_call(KCALL_##name, (uint64_t)(a), (uint64_t)(b), 0, 0, 0, 0)
#define sys_call3(name, a, b, c) sys_call(KCALL_##name, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), 0, 0, 0)
#define sys_call4(name, a, b, c, d) \
	sys_call(KCALL_##name, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), 0, 0)
#define sys_call5(name, a, b, c, d, e) \
	sys_call(KCALL_##name, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), (uint64_t)(e), 0)
#define sys_call6(name, a, b, c, d, e, f) \
	sys_call(KCALL_##name, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), (uint64_t)(e), \
		(uint64_t)(f))

/* Any process. */
static inline err_t sys_null(void)
{
	return sys_call0(null).value;
}
static inline nsec_t sys_clock(void)
{
	return (nsec_t)sys_call0(clock_read).value;
}
static inline err_t sys_alarm_set(nsec_t at)
{
	return sys_call1(alarm_set, at).value;
}
_Noreturn void sys_exit(int code);
static inline err_t sys_report(uint64_t code, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	return sys_call5(report, code, a, b, c, d).value;
}
static inline err_t sys_copy_from(endpoint_t granter, uint32_t grant, uint64_t offset, void *to, size_t bytes)
{
	return sys_call5(copy_from_grant, granter, grant, offset, to, bytes).value;
}
static inline err_t sys_copy_to(endpoint_t granter, uint32_t grant, uint64_t offset, const void *from, size_t bytes)
{
	return sys_call5(copy_to_grant, granter, grant, offset, from, bytes).value;
}
static inline err_t sys_log_write(const char *text, size_t bytes)
{
	return sys_call2(log_write, text, bytes).value;
}
static inline uint64_t sys_random(void)
{
	return sys_call0(random).second;
}
/* Endpoint of a live service by name (24 bytes, NUL padded), or a negative error. */
err_t sys_lookup(const char *name);

/* Devices. */
static inline err_t sys_port_in(uint16_t port, uint32_t width, uint32_t *ret_value)
{
	struct sys_result r = sys_call2(port_in, port, width);

	if (r.value >= 0) {
		*ret_value = (uint32_t)r.second;
	}
	return r.value;
}
static inline err_t sys_port_out(uint16_t port, uint32_t width, uint32_t value)
{
	return sys_call3(port_out, port, width, value).value;
}
static inline err_t sys_irq_hook(uint32_t line, uint32_t cookie_bit)
{
	return sys_call2(irq_hook, line, cookie_bit).value;
}
static inline err_t sys_irq_enable(uint32_t hook)
{
	return sys_call1(irq_enable, hook).value;
}

/* Supervisor. */
static inline err_t sys_slot_create(const struct slot_params *params)
{
	return sys_call1(slot_create, params).value;
}
static inline err_t sys_slot_start(endpoint_t ep, vaddr_t entry, vaddr_t stack, vaddr_t argument)
{
	return sys_call4(slot_start, ep, entry, stack, argument).value;
}
static inline err_t sys_slot_stop(endpoint_t ep)
{
	return sys_call1(slot_stop, ep).value;
}
static inline err_t sys_slot_resume(endpoint_t ep, uint64_t value)
{
	return sys_call2(slot_resume, ep, value).value;
}
static inline err_t sys_slot_destroy(endpoint_t ep)
{
	return sys_call1(slot_destroy, ep).value;
}
static inline err_t sys_slot_privileges(endpoint_t ep, const struct slot_privileges *privileges)
{
	return sys_call2(slot_privileges, ep, privileges).value;
}
static inline err_t sys_slot_swap(endpoint_t a, endpoint_t b, uint32_t flags)
{
	return sys_call3(slot_swap, a, b, flags).value;
}
static inline err_t sys_slot_commit(endpoint_t ep)
{
	return sys_call1(slot_commit, ep).value;
}
static inline err_t sys_slot_unhold(endpoint_t ep)
{
	return sys_call1(slot_unhold, ep).value;
}
static inline err_t sys_slot_info(endpoint_t ep, struct slot_info *ret_info)
{
	return sys_call2(slot_info, ep, ret_info).value;
}
static inline err_t sys_event_next(struct slot_event *ret_event)
{
	return sys_call1(event_next, ret_event).value;
}
static inline err_t sys_copy(
	endpoint_t from, vaddr_t source, endpoint_t to, vaddr_t target, size_t bytes, uint32_t flags)
{
	return sys_call6(copy, from, source, to, target, bytes, flags).value;
}

/* Memory. */
static inline err_t sys_space_create(paddr_t root)
{
	return sys_call1(space_create, root).value;
}
static inline err_t sys_space_batch(struct space_batch *batch, uint32_t *ret_tables)
{
	struct sys_result r = sys_call1(space_batch, batch);

	*ret_tables = (uint32_t)r.second;
	return r.value;
}
static inline err_t sys_space_destroy(space_t space, paddr_t *frames, uint32_t max, uint32_t *ret_n)
{
	struct sys_result r = sys_call3(space_destroy, space, frames, max);

	*ret_n = (uint32_t)r.second;
	return r.value;
}
static inline err_t sys_fault_next(struct page_fault *ret_fault)
{
	return sys_call1(fault_next, ret_fault).value;
}
static inline err_t sys_fault_done(endpoint_t ep, space_t space, bool resolved)
{
	return sys_call3(fault_done, ep, space, resolved).value;
}
_Noreturn void sys_machine_off(int code);
static inline err_t sys_kernel_stats(struct kernel_stats *ret_stats)
{
	return sys_call1(kernel_stats, ret_stats).value;
}

/* Name ("E_PERM") and one-line text of an error; never NULL. */
const char *sys_error_name(err_t err);
const char *sys_error_text(err_t err);
