/*
 * The heart of an update: exchange what runs behind two slots. Everything that others can
 * name or wait on stays in its slot; registers, address space, grant table, events and
 * faults move with the instances.
 *
 * Both instances are at rest. For an update that means reported or never started: an instance
 * that was stopped inside an IPC would take the wait with it to another identity. Only with
 * SWAP_FRESH, where the old one of `a` is going to be destroyed, its IPC is ended first, and so are, in
 * pieces, the waits for its answers: nobody comes to wait for one who is at rest. Then all else is done
 * in one.
 */
#include "osd/kernel/call/call.h"
#include "osd/kernel/life/life.h"
#include "osd/kernel/ipc/ipc.h"
#include "osd/kernel/object/domain.h"
#include "osd/kernel/sched/state.h"

static err_t check_slot_swap(const struct slot *a, const struct slot *b, uint64_t flags)
{
	if (flags & ~(uint64_t)(SWAP_HOLD | SWAP_FRESH) || a == b) {
		return E_INVAL;
	}
	if (!call_instance_is_at_rest(a->instance) || !call_instance_is_at_rest(b->instance) ||
	        instance_is_in_ipc(b->instance)) {
		return E_STATE;
	}
	if (space_is_shared(a->instance->space) || space_is_shared(b->instance->space)) {
		return E_STATE; /* others would go on in the space of who was exchanged */
	}
	if (!a->async != !b->async) {
		return E_STATE; /* messages could be left without a place */
	}
	return instance_is_in_ipc(a->instance) && !(flags & SWAP_FRESH) ? E_STATE : E_OK;
}

/* The old one of `a`, and who waits for its answers, in pieces. False: there are more. */
static bool swap_waits_end(struct instance *self, struct slot *a)
{
	ipc_cancel(a->instance, E_RESTART);
	return slot_callers_restart(a, &self->call_progress);
}

static void commit_slot_swap(struct slot *a, struct slot *b, uint64_t flags)
{
	slot_instances_exchange(&a, &b);
	if (flags & SWAP_HOLD) {
		slot_hold(a);
	}
	if (flags & SWAP_FRESH) {
		slot_fresh(a);
		a->instance->is_uncommitted = false;
		domain_rights_give(a->instance);
	}
}

err_t do_slot_swap(struct instance *self, const uint64_t *args)
{
	struct slot *a, *b;
	err_t err = slot_supervised(self, call_endpoint(args[0]), &a);

	if (err == E_OK) {
		err = slot_supervised(self, call_endpoint(args[1]), &b);
	}
	if (err == E_OK) {
		err = check_slot_swap(a, b, args[2]);
	}
	if (err == E_OK && args[2] & SWAP_FRESH && !swap_waits_end(self, a)) {
		return call_yield(self);
	}
	self->call_progress = 0;
	if (err == E_OK) {
		commit_slot_swap(a, b, args[2]);
	}
	return err;
}
