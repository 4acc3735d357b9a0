/* The table of kernel calls, made from calls.def, and its dispatcher. */
#include "osd/kernel/call/kcall.h"
#include "osd/kernel/foreign/foreign.h"
#include "osd/kernel/object/domain.h"
#include "osd/kernel/object/rights.h"
#include "osd/kernel/sched/cpu.h"
#include "osd/kernel/sched/sched.h"

static kcall_handler *const kcall_handlers[] = {
#define KCALL(number, name, ...) [(number) - KCALL_BASE] = do_##name,
#include "osd/abi/calls.def"
#undef KCALL
};

#define N_CALLS (sizeof(kcall_handlers) / sizeof(kcall_handlers[0]))
_Static_assert(N_CALLS <= 64, "rights.calls has a bit for each call");

/* Why there is no bit in rights->calls for a call. */
static err_t kcall_refusal(const struct instance *self, uint64_t call)
{
	if (call >= N_CALLS || kcall_handlers[call] == NULL) {
		return E_NOSYS;
	}
	return self->is_uncommitted && !(kcall_mask_uncommitted >> call & 1) ? E_UNCOMMITTED
	                                                                     : E_PERM;
}

/*
 * A call that the rights do not have, or has no more, between two pieces of it: the next call begins anew.
 * A number that is not native at all is a named fault.
 */
static void kcall_refuse(struct instance *self, uint64_t number)
{
	if (number < KCALL_BASE) {
		fault_exception(self, FAULT_FOREIGN_CALL, number, 0);
		sched_run();
	}
	self->call_progress = 0;
	arch_context_result_set(&self->context, kcall_refusal(self, number - KCALL_BASE));
}

/* No service holds such an instruction: it is a foreign thread, or somebody else's code runs in it. */
_Noreturn void kcall_stray(struct instance *self)
{
	if (self->is_foreign) {
		foreign_call(self);
		sched_run();
	}
	arch_context_restart(&self->context); /* to the instruction itself, as at any fault */
	fault_exception(self, FAULT_STRAY_CALL, arch_context_pc(&self->context), 0);
	sched_run();
}

void kcall_dispatch(struct instance *self, uint64_t number)
{
	uint64_t call = number - KCALL_BASE;
	err_t result;

	if (__builtin_expect(call >= N_CALLS || !(self->rights->calls >> call & 1), 0)) {
		kcall_refuse(self, number);
		return;
	}
	result = kcall_handlers[call](self, arch_context_args(&self->context));
	if (result != KCALL_PENDING) {
		arch_context_result_set(&self->context, result);
	}
	if (__builtin_expect(cpu_this()->is_resched, 0)) {
		sched_run();
	}
}
