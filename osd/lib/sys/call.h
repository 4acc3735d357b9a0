#pragma once
/*
 * Kernel calls for services: one function per row of osd/abi/calls.def; docs/call says what they
 * do. All inline: a message travels in registers, and most calls are a few loads and the gate.
 */
#include "osd/lib/sys/gate.h"

static inline err_t sys_null(void)
{
	return sys_call(KCALL_null, 0);
}

static inline err_t sys_send(endpoint_t to, const struct message *msg)
{
	return sys_ipc_out(KCALL_send, to, msg);
}

/* *ret_msg is left alone on an error. */
static inline err_t sys_receive(endpoint_t from, struct message *ret_msg)
{
	return sys_ipc(KCALL_receive, from, ret_msg);
}

static inline err_t sys_sendrec(endpoint_t to, struct message *msg)
{
	return sys_ipc(KCALL_sendrec, to, msg);
}

static inline err_t sys_notify(endpoint_t to)
{
	return sys_call(KCALL_notify, to);
}

static inline err_t sys_asend(endpoint_t to, const struct message *msg)
{
	return sys_ipc_out(KCALL_asend, to, msg);
}

static inline err_t sys_reply(endpoint_t to, const struct message *msg)
{
	return sys_ipc_out(KCALL_reply, to, msg);
}

static inline err_t sys_reply_receive(endpoint_t to, struct message *msg)
{
	return sys_ipc(KCALL_reply_receive, to, msg);
}

static inline nsec_t sys_clock_read(void)
{
	return (nsec_t)sys_call(KCALL_clock_read, 0);
}

static inline err_t sys_alarm_set(nsec_t at)
{
	return sys_call(KCALL_alarm_set, at);
}

static inline _Noreturn void sys_exit(int64_t code)
{
	(void)sys_call(KCALL_exit, (uint64_t)code);
	__builtin_unreachable();
}

/* Return what the supervisor passed to slot_resume. */
static inline err_t sys_report(uint64_t code, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	return sys_call(KCALL_report, code, a, b, c, d);
}

struct grant;

static inline err_t sys_grant_table_set(const struct grant *table, uint32_t n_entries)
{
	return sys_call(KCALL_grant_table_set, (uint64_t)table, n_entries);
}

static inline err_t sys_copy_from_grant(
        endpoint_t granter, uint32_t grant, uint64_t offset, void *local, uint64_t bytes)
{
	return sys_call(KCALL_copy_from_grant, granter, grant, offset, (uint64_t)local, bytes);
}

static inline err_t sys_copy_to_grant(
        endpoint_t granter, uint32_t grant, uint64_t offset, const void *local, uint64_t bytes)
{
	return sys_call(KCALL_copy_to_grant, granter, grant, offset, (uint64_t)local, bytes);
}

static inline err_t sys_thread_pointer_set(vaddr_t base)
{
	return sys_call(KCALL_thread_pointer_set, base);
}

static inline err_t sys_log_write(const char *text, uint64_t bytes)
{
	return sys_call(KCALL_log_write, (uint64_t)text, bytes);
}

static inline uint64_t sys_random(void)
{
	uint64_t bits;

	(void)sys_call_second(KCALL_random, (const uint64_t[6]){0}, &bits);
	return bits;
}

/* Return the endpoint (positive) or an error. name: SERVICE_NAME_LEN bytes. */
static inline err_t sys_lookup(const char *name)
{
	return sys_call(KCALL_lookup, (uint64_t)name);
}

static inline err_t sys_port_in(uint16_t port, unsigned int width, uint32_t *ret_value)
{
	uint64_t value;
	err_t r = sys_call_second(KCALL_port_in, (const uint64_t[6]){port, width}, &value);

	if (r == E_OK) {
		*ret_value = (uint32_t)value;
	}
	return r;
}

static inline err_t sys_port_out(uint16_t port, unsigned int width, uint32_t value)
{
	return sys_call(KCALL_port_out, port, width, value);
}

/* Return the hook (>= 0) or an error. bit: 0..63, its place in the notification's w[0]. */
static inline err_t sys_irq_hook(unsigned int line, unsigned int bit)
{
	return sys_call(KCALL_irq_hook, line, bit);
}

static inline err_t sys_irq_enable(err_t hook)
{
	return sys_call(KCALL_irq_enable, (uint64_t)hook);
}

/* Return the endpoint (positive) or an error. */
static inline err_t sys_slot_create(const struct slot_params *params)
{
	return sys_call(KCALL_slot_create, (uint64_t)params);
}

static inline err_t sys_slot_start(endpoint_t ep, vaddr_t entry, vaddr_t stack, uint64_t argument)
{
	return sys_call(KCALL_slot_start, ep, entry, stack, argument);
}

static inline err_t sys_slot_stop(endpoint_t ep)
{
	return sys_call(KCALL_slot_stop, ep);
}

static inline err_t sys_slot_resume(endpoint_t ep, uint64_t value)
{
	return sys_call(KCALL_slot_resume, ep, value);
}

static inline err_t sys_slot_destroy(endpoint_t ep)
{
	return sys_call(KCALL_slot_destroy, ep);
}

static inline err_t sys_slot_privileges(endpoint_t ep, const struct slot_privileges *privileges)
{
	return sys_call(KCALL_slot_privileges, ep, (uint64_t)privileges);
}

static inline err_t sys_slot_swap(endpoint_t a, endpoint_t b, uint32_t flags)
{
	return sys_call(KCALL_slot_swap, a, b, flags);
}

static inline err_t sys_slot_commit(endpoint_t ep)
{
	return sys_call(KCALL_slot_commit, ep);
}

static inline err_t sys_slot_unhold(endpoint_t ep)
{
	return sys_call(KCALL_slot_unhold, ep);
}

static inline err_t sys_slot_info(endpoint_t ep, struct slot_info *ret_info)
{
	return sys_call(KCALL_slot_info, ep, (uint64_t)ret_info);
}

static inline err_t sys_event_next(struct slot_event *ret_event)
{
	return sys_call(KCALL_event_next, (uint64_t)ret_event);
}

static inline err_t sys_copy(endpoint_t source, vaddr_t from, endpoint_t target, vaddr_t to,
        uint64_t bytes, uint32_t flags)
{
	return sys_call(KCALL_copy, source, from, target, to, bytes, flags);
}

/* Return the space (>= 0) or an error. */
static inline err_t sys_space_create(paddr_t root)
{
	return sys_call(KCALL_space_create, root);
}

/* *ret_tables: table frames used, or needed when the answer is E_TABLES. */
static inline err_t sys_space_batch(struct space_batch *batch, uint64_t *ret_tables)
{
	return sys_call_second(KCALL_space_batch, (const uint64_t[6]){(uint64_t)batch}, ret_tables);
}

static inline err_t sys_space_destroy(
        space_t space, paddr_t *ret_frames, uint64_t max, uint64_t *ret_n_frames)
{
	return sys_call_second(KCALL_space_destroy,
	        (const uint64_t[6]){space, (uint64_t)ret_frames, max}, ret_n_frames);
}

static inline err_t sys_fault_next(struct page_fault *ret_fault)
{
	return sys_call(KCALL_fault_next, (uint64_t)ret_fault);
}

static inline err_t sys_fault_done(endpoint_t ep, space_t space, bool resolved)
{
	return sys_call(KCALL_fault_done, ep, space, resolved);
}

static inline err_t sys_machine_off(uint32_t code)
{
	return sys_call(KCALL_machine_off, code);
}

static inline err_t sys_kernel_stats(struct kernel_stats *ret_stats)
{
	return sys_call(KCALL_kernel_stats, (uint64_t)ret_stats);
}
