/*
 * Privileges of a slot. A supervisor gives what it has itself, so that one that was taken over, a
 * process manager say, gets no further through what it makes. What the kernel made has all there is.
 */
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

static bool privileges_io_has(const struct slot_privileges *own, uint16_t first, uint16_t last)
{
	for (unsigned int i = 0; i < own->n_io; i++) {
		if (first >= own->io[i].first && last <= own->io[i].last) {
			return true;
		}
	}
	return false;
}

static bool privileges_mmio_has(const struct slot_privileges *own, uint64_t base, uint64_t bytes)
{
	for (unsigned int i = 0; i < own->n_mmio; i++) {
		uint64_t offset = base - own->mmio[i].base;

		if (base >= own->mmio[i].base && offset <= own->mmio[i].bytes &&
		        bytes <= own->mmio[i].bytes - offset) {
			return true;
		}
	}
	return false;
}

static bool privileges_irq_has(const struct slot_privileges *own, uint8_t line)
{
	for (unsigned int i = 0; i < own->n_irq; i++) {
		if (own->irq[i] == line) {
			return true;
		}
	}
	return false;
}

static bool privileges_devices_are_within(
        const struct slot_privileges *p, const struct slot_privileges *own)
{
	bool is_within = true;

	for (unsigned int i = 0; i < p->n_io; i++) {
		is_within &= privileges_io_has(own, p->io[i].first, p->io[i].last);
	}
	for (unsigned int i = 0; i < p->n_mmio; i++) {
		is_within &= privileges_mmio_has(own, p->mmio[i].base, p->mmio[i].bytes);
	}
	for (unsigned int i = 0; i < p->n_irq; i++) {
		is_within &= privileges_irq_has(own, p->irq[i]);
	}
	return is_within;
}

static bool privileges_are_within(
        const struct slot_privileges *p, const struct slot_privileges *own)
{
	uint64_t beyond = p->calls[0] & ~own->calls[0];

	for (unsigned int i = 0; i < N_SERVICE_SLOTS / 64; i++) {
		beyond |= p->ipc_to[i] & ~own->ipc_to[i];
	}
	beyond |= p->ipc_classes & ~own->ipc_classes;
	return beyond == 0 && p->rank <= own->rank && p->n_slots <= own->n_slots &&
	       privileges_devices_are_within(p, own);
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
	if (err == E_OK && !slot_is_root(self->slot) &&
	        !privileges_are_within(&privileges, &self->slot->privileges)) {
		err = E_PERM;
	}
	if (err == E_OK) {
		slot_privileges_set(slot, &privileges);
	}
	return err;
}
