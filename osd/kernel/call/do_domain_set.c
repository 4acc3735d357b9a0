/*
 * Privileges of a domain. An owner gives what it has itself, so that one that was taken over, a
 * process manager say, gets no further through what it makes. What the kernel made has all there is.
 */
#include "osd/kernel/call/call.h"
#include "osd/kernel/fault/usercopy.h"
#include "osd/kernel/object/domain.h"
#include "osd/kernel/object/irq.h"

static err_t check_privileges(const struct domain_privileges *p)
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

static bool domain_set_devices_are_within(
        const struct domain_privileges *p, const struct domain_privileges *own)
{
	bool is_within = true;

	for (unsigned int i = 0; i < p->n_io; i++) {
		is_within &= privileges_have_ports(own, p->io[i].first, p->io[i].last);
	}
	for (unsigned int i = 0; i < p->n_mmio; i++) {
		is_within &= privileges_have_registers(own, p->mmio[i].base, p->mmio[i].bytes);
	}
	for (unsigned int i = 0; i < p->n_irq; i++) {
		is_within &= privileges_have_line(own, p->irq[i]);
	}
	return is_within;
}

static bool domain_set_is_within(
        const struct domain_privileges *p, const struct domain_privileges *own)
{
	uint64_t beyond = p->calls[0] & ~own->calls[0];

	for (unsigned int i = 0; i < N_SERVICE_SLOTS / 64; i++) {
		beyond |= p->ipc_to[i] & ~own->ipc_to[i];
	}
	beyond |= p->ipc_classes & ~own->ipc_classes;
	return beyond == 0 && p->rank <= own->rank && p->n_slots <= own->n_slots &&
	       domain_set_devices_are_within(p, own);
}

static err_t check_domain_set(struct instance *self, const uint64_t *args,
        struct domain **ret_domain, struct domain_privileges *ret_privileges)
{
	const struct space *space = space_of(args[0]);
	err_t err;

	if (!space || space->domain == &domain_none) {
		return E_INVAL;
	}
	if (space->owner != self->slot->endpoint) {
		return E_PERM;
	}
	err = user_read(self, args[1], ret_privileges, sizeof(*ret_privileges));
	if (err == E_OK) {
		err = check_privileges(ret_privileges);
	}
	if (err == E_OK && !slot_is_root(self->slot) &&
	        !domain_set_is_within(ret_privileges, instance_privileges(self))) {
		err = E_PERM;
	}
	if (err == E_OK) {
		*ret_domain = space->domain;
	}
	return err;
}

err_t do_domain_set(struct instance *self, const uint64_t *args)
{
	struct domain_privileges privileges;
	struct domain *domain;
	err_t err = check_domain_set(self, args, &domain, &privileges);

	if (err == E_OK) {
		domain_privileges_set(domain, &privileges);
		irq_review(domain);
	}
	return err;
}
