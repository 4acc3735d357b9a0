/*
 * Page faults: a page of a demand-zero region gets a frame; anything else
 * is the instance's mistake.
 */
#include "osd/servers/vm/priv.h"

static uint32_t fault_prot_needed(uint32_t flags)
{
	if (flags & PAGE_FAULT_EXEC) {
		return PROT_X;
	}
	return flags & PAGE_FAULT_WRITE ? PROT_W : PROT_R;
}

/* A page that is there may still fault: written, while it is the shared zero frame that a mirror
 * asked for. */
static bool fault_resolve(const struct page_fault *fault)
{
	struct space *space = space_of(fault->space);
	struct region *region = space ? region_find(space->regions, fault->address) : NULL;
	err_t err;

	if (!region || region->kind != REGION_ANONYMOUS ||
	        !(region->prot & fault_prot_needed(fault->flags)) ||
	        frame_n_free() <= (fault->endpoint == EP_RS ? 0 : VM_RESERVE_FRAMES)) {
		return false;
	}
	err = map_back_page(space, region, (fault->address - region->va) / PAGE_SIZE);
	/* E_BUSY: an earlier fault on the same page has been answered meanwhile. */
	return err == E_OK || err == E_BUSY;
}

void fault_answer_all(void)
{
	struct page_fault fault;

	while (sys_fault_next(&fault) == E_OK) {
		bool is_resolved = fault_resolve(&fault);

		/* E_DEAD, E_STATE: the instance ended while we worked for it. */
		(void)sys_fault_done(fault.endpoint, fault.space, is_resolved);
	}
}
