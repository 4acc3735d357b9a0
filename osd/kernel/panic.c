/* The end: a dump for whoever reads the debug console. Never returns, never recurses. */
#include <stdarg.h>
#include "osd/kernel/sched/cpu.h"
#include "osd/kernel/base/log.h"

#define PANIC_EXIT 0x3f

static const char *const panic_state_names[SLOT_STATE_N] = {
        [SLOT_NEW] = "new",
        [SLOT_RUNNABLE] = "runnable",
        [SLOT_SENDING] = "sending",
        [SLOT_RECEIVING] = "receiving",
        [SLOT_WAITING_REPLY] = "waiting for a reply",
        [SLOT_FAULTED] = "faulted",
        [SLOT_REPORTED] = "reported",
        [SLOT_STOPPED] = "closed",
        [SLOT_EXITED] = "exited",
        [SLOT_PARKED] = "parked",
};

static void panic_slots_dump(void)
{
	for (uint32_t i = slot_number_next(0); i < N_SLOTS; i = slot_number_next(i + 1)) {
		const struct slot *slot = slot_at(i);
		const struct instance *instance = slot->instance;
		log_printf("slot %u endpoint %x %.24s: %s peer %x%s%s%s pending %x ip %lx\n",
		        slot->number, (uint32_t)slot->endpoint, slot->name,
		        panic_state_names[instance->state], (uint32_t)instance->peer,
		        instance->is_stopped ? " stopped" : "",
		        instance->is_uncommitted ? " uncommitted" : "",
		        slot->is_held ? " held" : "", slot->pending,
		        arch_context_pc(&instance->context));
	}
}

static void panic_dump(void)
{
	for (uint32_t i = 0; i < arch_cpus_count(); i++) {
		const struct instance *current =
		        (const struct instance *)(const void *)cpu_at(i)->arch.current;

		if (current != NULL) {
			log_printf("running on CPU %u: %.24s\n", i, current->slot->name);
			arch_context_dump(&current->context);
		}
	}
	panic_slots_dump();
}

/* A second one: in the first itself it is the end; another CPU waits until the first has said all. */
static _Noreturn void panic_again(bool is_own)
{
	if (is_own) {
		arch_off(PANIC_EXIT);
	}
	for (;;) {
		__builtin_ia32_pause();
	}
}

void panic(const char *format, ...)
{
	static uint32_t who; /* CPU number + 1 */
	uint32_t self = cpu_number(cpu_this()) + 1, nobody = 0;
	va_list args;

	if (!__atomic_compare_exchange_n(
	            &who, &nobody, self, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		panic_again(nobody == self);
	}
	arch_cpus_halt();
	log_printf("\npanic: ");
	va_start(args, format);
	log_vprintf(format, &args);
	va_end(args);
	log_printf("\n");
	panic_dump();
	arch_off(PANIC_EXIT);
}
