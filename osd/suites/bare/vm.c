/*
 * What runs in VM's place under a kernel suite: it owns the free memory the kernel reports, hands
 * out runs of frames, and answers page faults by one rule: inside the range the driver named a
 * page is filled with zeros, anywhere else the fault is refused.
 */
#include "osd/suites/bare/bare.h"

#include "osd/abi/boot.h"

static paddr_t pool_next, pool_end;
static vaddr_t demand_low, demand_high;
static uint64_t n_resolved, n_refused;
static bool is_silent; /* faults stay in the kernel's queue */

static void pool_init(const struct boot_info *info)
{
	for (uint32_t i = 0; i < info->n_free; i++) {
		const struct boot_range *range = &info->free[i];

		if (range->bytes > pool_end - pool_next) {
			pool_next = range->base;
			pool_end = range->base + range->bytes;
		}
	}
}

static err_t pool_take(uint64_t n_frames, paddr_t *ret_pa)
{
	if (n_frames > (pool_end - pool_next) / PAGE_SIZE) {
		return E_NOMEM;
	}
	*ret_pa = pool_next;
	pool_next += n_frames * PAGE_SIZE;
	return E_OK;
}

/* Map one zeroed frame where the fault was. */
static err_t fault_fill(const struct page_fault *fault)
{
	struct space_op op = {.kind = SPACE_MAP,
	        .space = fault->space,
	        .va = fault->address & ~(PAGE_SIZE - 1),
	        .n_pages = 1,
	        .prot = PROT_R | PROT_W | SPACE_OP_ZERO};
	paddr_t tables[3];
	struct space_batch batch = {.ops = &op, .n_ops = 1, .tables = tables, .n_tables = 3};
	uint64_t used;
	err_t r = pool_take(1, &op.arg);

	for (int i = 0; i < 3 && r == E_OK; i++) {
		r = pool_take(1, &tables[i]);
	}
	if (r == E_OK) {
		r = sys_space_batch(&batch, &used);
	}
	return r;
}

static void faults_answer(void)
{
	struct page_fault fault;

	while (!is_silent && sys_fault_next(&fault) == E_OK) {
		bool resolved = fault.address >= demand_low && fault.address < demand_high &&
		                !(fault.flags & PAGE_FAULT_PRESENT) && fault_fill(&fault) == E_OK;

		n_resolved += resolved;
		n_refused += !resolved;
		(void)sys_fault_done(fault.endpoint, fault.space, resolved);
	}
}

static const struct boot_space *driver_space(const struct boot_info *info)
{
	for (uint32_t i = 0; i < info->n_spaces; i++) {
		if (info->spaces[i].endpoint == EP_RS) {
			return &info->spaces[i];
		}
	}
	bare_die("the driver's space is not in boot_info", 0);
}

static void region_answer(struct message *msg, uint32_t n)
{
	const struct boot_space *space =
	        driver_space((const struct boot_info *)bare_start->boot_info);

	if (n >= space->n_regions) {
		msg->w[0] = (uint64_t)E_NOTFOUND;
		return;
	}
	msg->w[1] = space->regions[n].va;
	msg->w[2] = space->regions[n].pa;
	msg->w[3] = space->regions[n].bytes;
	msg->w[4] = space->regions[n].prot;
	msg->w[5] = space->space;
}

static void request_answer(struct message *msg)
{
	uint64_t a = msg->w[0], b = msg->w[1];

	msg->w[0] = E_OK;
	switch (msg->type) {
	case BARE_VM_FRAMES:
		msg->w[0] = (uint64_t)pool_take(a, &msg->w[1]);
		break;
	case BARE_VM_REGION:
		region_answer(msg, (uint32_t)a);
		break;
	case BARE_VM_DEMAND:
		demand_low = a;
		demand_high = b;
		break;
	case BARE_VM_SILENT:
		is_silent = a != 0;
		faults_answer();
		break;
	case BARE_VM_FAULTS:
		msg->w[1] = n_resolved;
		msg->w[2] = n_refused;
		break;
	default:
		msg->w[0] = (uint64_t)E_NOSYS;
	}
	msg->type = MSG_REPLY;
	(void)sys_reply(msg->source, msg);
}

int bare_main(void)
{
	struct message msg;

	pool_init((const struct boot_info *)bare_start->boot_info);
	for (;;) {
		if (sys_receive(EP_ANY, &msg) != E_OK) {
			continue;
		}
		if (msg.type == MSG_NOTIFY) {
			faults_answer();
		} else {
			request_answer(&msg);
		}
	}
}
