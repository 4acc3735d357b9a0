#pragma once
/*
 * Domains: what may be done by those who run in a space. A domain lies in a frame that VM gives, is one
 * space's at first and that of all that join it, and goes with the last of them. It has no number: any of
 * its spaces stands for it, and the owner of a space for its owner.
 *
 * There are no copies. An instance points into its domain, to what it may do before its commit or since,
 * so what is given or taken away counts at once, for every thread, on every CPU.
 *
 * All fields: big kernel lock.
 */
#include "osd/kernel/object/space.h"

/* What may be done now. */
struct rights {
	uint64_t calls; /* bit n: call KCALL_BASE + n */
	/* By slot.ipc_index of whom may be sent to: services one by one, programs by class. */
	uint64_t ipc_to[N_SERVICE_SLOTS / 64 + 1];
};

struct domain {
	struct rights committed, uncommitted; /* made from the privileges */
	struct domain_privileges privileges;
	uint32_t n_spaces;     /* that have it */
	uint32_t n_supervised; /* of all slots that run in it; kept by slot.c */
	paddr_t frame;         /* in which it lies */
};

/* Of spaces that have none; nothing may be done. */
extern struct domain domain_none;

/*
 * A domain without privileges, in this frame, of a space that has none. E_INVAL, E_PERM: no frame of user
 * memory.
 */
err_t domain_open(struct space *space, paddr_t frame);
/* The space, which has none and in which nobody runs, has the same as the other one, which has one. */
void domain_join(struct space *space, const struct space *other);
/* It has none any more, and nobody runs there. The frame of one that had no other space is user memory; or 0. */
paddr_t domain_leave(struct space *space);
/* Set privileges (already checked). */
void domain_privileges_set(struct domain *domain, const struct domain_privileges *privileges);
/* What the instance may do follows from its space's domain and its commit: when it begins, and at that. */
void domain_rights_give(struct instance *instance);

/* May this much be done with devices? */
bool privileges_have_ports(const struct domain_privileges *p, uint64_t first, uint64_t last);
bool privileges_have_registers(const struct domain_privileges *p, paddr_t base, uint64_t bytes);
bool privileges_have_line(const struct domain_privileges *p, uint64_t line);

/* Those of who runs. */
static inline const struct domain_privileges *instance_privileges(const struct instance *instance)
{
	return &instance->space->domain->privileges;
}
