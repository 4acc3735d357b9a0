#pragma once
/*
 * Page faults on their way to VM and back, and exceptions on their way to the supervisor.
 */
#include "osd/kernel/object/slot.h"

/*
 * A kernel copy for self met a page of `space` that is absent or not accessible. Ask VM once for
 * each page of a call: KCALL_PENDING (the call restarts when VM answers), or E_FAULT. Callers have
 * changed nothing yet.
 */
err_t fault_copy(struct instance *self, struct space *space, vaddr_t address, uint32_t flags);
/* For VM. */
bool fault_take(struct page_fault *ret_fault);
/*
 * Answer the fault of this slot's instance in this space. E_STATE: it
 * has none that VM has taken.
 */
err_t fault_answer(struct slot *slot, space_t space, bool resolved);
/* Forget the fault of an instance that ends. */
void fault_drop(struct instance *instance);
