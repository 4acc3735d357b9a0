#pragma once
/*
 * Dispatch of kernel calls. The table is made from calls.def: one row a call, `do_<name>` (one file
 * each in osd/kernel/call/) and its rights. The dispatcher checks the caller's rights
 * (instance->rights, one bit a call: those of its space's domain, before the commit the
 * UNCOMMITTED ones of them) before the handler runs, and answers E_NOSYS, E_UNCOMMITTED or E_PERM
 * itself.
 *
 * A handler reads args (the six argument registers) and returns the first result. The dispatcher
 * stores it, except KCALL_PENDING: then the handler has made the caller wait (its state is not
 * SLOT_RUNNABLE), and whoever wakes it stores the result, or the call restarts. A handler that
 * returns KCALL_PENDING for a restart has changed nothing, or only instance->call_progress. `self`
 * is the running instance; self->slot its identity. The second result goes through
 * arch_context_result2_set(&self->context, value).
 */
#include "osd/kernel/object/slot.h"

typedef err_t kcall_handler(struct instance *self, const uint64_t *args);

#define KCALL(number, name, ...) kcall_handler do_##name;
#include "osd/abi/calls.def"
#undef KCALL
