/* The system call in which a foreign thread waits comes to an end, without an answer. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/foreign/foreign.h"

err_t do_slot_foreign_end(struct instance *self, const uint64_t *args)
{
	struct slot *slot;
	err_t err = slot_supervised(self, call_endpoint(args[0]), &slot);

	return err == E_OK ? foreign_call_end(slot->instance) : err;
}
