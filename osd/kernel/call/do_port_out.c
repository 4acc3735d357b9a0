/* Write an I/O port of the caller's ranges. */
#include "osd/kernel/call/call.h"

err_t do_port_out(struct instance *self, const uint64_t *args)
{
	err_t err = call_port_check(self, args[0], args[1]);

	if (err == E_OK) {
		arch_port_out((uint16_t)args[0], (uint32_t)args[1], (uint32_t)args[2]);
	}
	return err;
}
