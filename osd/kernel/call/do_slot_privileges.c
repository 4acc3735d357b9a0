/* Privileges of a slot, as its release was signed for; the supervisor's word is taken. */
#include "osd/kernel/call/call.h"
#include "osd/kernel/fault/usercopy.h"

static err_t check_privileges(const struct slot_privileges *p)
{
	if (p->n_io > PRIV_IO_MAX || p->n_mmio > PRIV_MMIO_MAX || p->n_irq > PRIV_IRQ_MAX) {
		return E_INVAL;
	}
	for (unsigned int i = 0; i < p->n_io; i++) {
		if (p->io[i].first > p->io[i].last) {
			return E_INVAL;
		}
	}
	for (unsigned int i = 0; i < p->n_mmio; i++) {
		if (p->mmio[i].base + p->mmio[i].bytes < p->mmio[i].base) {
			return E_INVAL;
		}
	}
	return E_OK;
}

err_t do_slot_privileges(struct instance *self, const uint64_t *args)
{
	struct slot_privileges privileges;
	struct slot *slot;
	err_t err = slot_supervised(self, call_endpoint(args[0]), &slot);

	if (err == E_OK) {
		err = user_read(self, args[1], &privileges, sizeof(privileges));
	}
	if (err == E_OK) {
		err = check_privileges(&privileges);
	}
	if (err == E_OK) {
		slot_privileges_set(slot, &privileges);
	}
	return err;
}
