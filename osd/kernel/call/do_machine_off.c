/* The off switch. */
#include "osd/kernel/call/call.h"

err_t do_machine_off(struct instance *self, const uint64_t *args)
{
	/* The host tells an end that was ordered from one that was not by this line. */
	log_printf("kernel: machine off, code %u\n", (uint32_t)args[0]);
	arch_off((uint32_t)args[0]);
}
