#pragma once
/*
 * What kernel calls share. Each call is a file do_<name>.c. A call is split in two where it changes
 * more than one thing: check_<name>() reads, and may fail; commit_<name>() changes, and cannot
 * fail. Rights, E_UNCOMMITTED and E_NOSYS are the dispatcher's business (kcall.h).
 */
#include "osd/kernel/call/kcall.h"

/* An endpoint argument; its upper half is ignored, as for every 32-bit argument. */
static inline endpoint_t call_endpoint(uint64_t argument)
{
	return (endpoint_t)(uint32_t)argument;
}

/* Is [va, va + n) user memory, as far as addresses go? */
static inline bool call_range_is_user(vaddr_t va, uint64_t n)
{
	return va < ARCH_USER_END && n <= ARCH_USER_END - va;
}

/*
 * Store where user_write_check answered E_OK in this call: so a call may take something off a queue
 * first and store it afterwards without failing.
 */
void call_output(struct instance *self, vaddr_t va, const void *bytes, size_t n);

/* The slot of EP_SELF or of a slot that self supervises: E_DEAD, E_PERM. */
err_t call_slot(struct instance *self, endpoint_t endpoint, struct slot **ret_slot);

/* As call_slot; VM, to whom all memory belongs anyway, may name any slot. */
err_t call_slot_memory(struct instance *self, endpoint_t endpoint, struct slot **ret_slot);

/* Does the instance wait for its supervisor (or has not begun), so that it cannot run by itself? */
bool call_instance_is_at_rest(const struct instance *instance);

/* A supervised slot whose instance is at rest: E_DEAD, E_PERM, E_STATE. */
err_t call_slot_at_rest(struct instance *self, endpoint_t endpoint, struct slot **ret_slot);

/*
 * The same, and nobody else will write the instance's registers: it waits inside no call and for no
 * page, and it has begun and not ended.
 */
err_t call_slot_writable(struct instance *self, endpoint_t endpoint, struct slot **ret_slot);

/*
 * Let others run and make this call again. The caller of this has put what it needs into
 * self->call_progress. Returns KCALL_PENDING.
 */
err_t call_yield(struct instance *self);

/*
 * The rest of a call that has opened the slot, in pieces: what is parked on it goes on. While that is so
 * self->call_progress is 1, and all else was done. err: the call's own.
 */
err_t call_unpark(struct instance *self, err_t err, struct slot *slot);

/* May self use so wide an access to the port? E_INVAL: there is no such port or width; E_PERM. */
err_t call_port_check(const struct instance *self, uint64_t port, uint64_t width);
