/* The next page fault, for VM. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/fault/usercopy.h"
#include "osd/kernel/fault/fault.h"

err_t do_fault_next(struct instance *self, const uint64_t *args)
{
	struct page_fault fault;
	err_t err = user_write_check(self, args[0], sizeof(fault));

	if (err != E_OK) {
		return err;
	}
	if (!fault_take(&fault)) {
		return E_AGAIN;
	}
	call_output(self, args[0], &fault, sizeof(fault));
	return E_OK;
}
