/*
 * Domains; see domain.h. What runs before its commit has rights of its own, so that the fast path looks
 * at one word, and need not know whether there was a commit.
 */
#include "osd/kernel/object/domain.h"
#include "osd/arch/frame.h"
#include "osd/kernel/base/kassert.h"
#include "osd/kernel/object/rights.h"

_Static_assert(sizeof(struct domain) <= PAGE_SIZE, "a domain lies in a frame");

struct domain domain_none;

static void domain_enter(struct space *space, struct domain *domain)
{
	KASSERT(space->domain == &domain_none && space_instance(space) == NULL);
	space->domain = domain;
	domain->n_spaces++;
}

err_t domain_open(struct space *space, paddr_t frame)
{
	struct domain *domain;
	err_t err = space_frame_check(frame);

	if (err == E_OK) {
		frame_use_set(frame, FRAME_OBJECT);
		domain = arch_frame_ptr(frame);
		*domain = (struct domain){.frame = frame};
		domain_enter(space, domain);
	}
	return err;
}

void domain_join(struct space *space, const struct space *other)
{
	domain_enter(space, other->domain);
}

paddr_t domain_leave(struct space *space)
{
	struct domain *domain = space->domain;

	if (domain == &domain_none) {
		return 0;
	}
	space->domain = &domain_none;
	if (--domain->n_spaces > 0) {
		return 0;
	}
	KASSERT(domain->n_supervised == 0);
	frame_use_set(domain->frame, FRAME_USER);
	return domain->frame;
}

void domain_privileges_set(struct domain *domain, const struct domain_privileges *privileges)
{
	struct rights *rights = &domain->committed;

	domain->privileges = *privileges;
	rights->calls = privileges->calls[0];
	__builtin_memcpy(rights->ipc_to, privileges->ipc_to, sizeof(privileges->ipc_to));
	rights->ipc_to[N_SERVICE_SLOTS / 64] = privileges->ipc_classes;
	domain->uncommitted = (struct rights){.calls = rights->calls & kcall_mask_uncommitted};
}

void domain_rights_give(struct instance *instance)
{
	struct domain *domain = instance->space->domain;

	instance->rights = instance->is_uncommitted ? &domain->uncommitted : &domain->committed;
}

bool privileges_have_ports(const struct domain_privileges *p, uint64_t first, uint64_t last)
{
	for (unsigned int i = 0; i < p->n_io; i++) {
		if (first >= p->io[i].first && last <= p->io[i].last) {
			return true;
		}
	}
	return false;
}

bool privileges_have_registers(const struct domain_privileges *p, paddr_t base, uint64_t bytes)
{
	for (unsigned int i = 0; i < p->n_mmio; i++) {
		uint64_t offset = base - p->mmio[i].base;

		if (base >= p->mmio[i].base && offset <= p->mmio[i].bytes &&
		        bytes <= p->mmio[i].bytes - offset) {
			return true;
		}
	}
	return false;
}

bool privileges_have_line(const struct domain_privileges *p, uint64_t line)
{
	for (unsigned int i = 0; i < p->n_irq; i++) {
		if (p->irq[i] == line) {
			return true;
		}
	}
	return false;
}
