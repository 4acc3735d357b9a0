/* Processes of a suite; see child.h. Chunks are taken from and given back to a bitmap. */
#include "osd/suites/bare/child.h"

#define N_CHUNKS 48u
#define DRIVER_TABLES 8u

extern char flat_data_start[], flat_data_end[];

static struct boot_space driver; /* the driver's own regions */
static paddr_t chunks_base, shared_frame, driver_tables[DRIVER_TABLES];
static uint64_t chunks_free;

static uint64_t vm_request(uint32_t type, uint64_t argument)
{
	struct message msg = {.type = type, .w = {argument}};
	err_t r = sys_sendrec(EP_VM, &msg);

	if (r != E_OK || msg.w[0] != E_OK) {
		bare_die("bare VM refused", r != E_OK ? r : (err_t)msg.w[0]);
	}
	return msg.w[1];
}

static void driver_regions_read(void)
{
	struct message msg;

	for (uint32_t i = 0; i < BOOT_REGIONS_MAX; i++) {
		msg = (struct message){.type = BARE_VM_REGION, .w = {i}};
		if (sys_sendrec(EP_VM, &msg) != E_OK || msg.w[0] != E_OK) {
			break;
		}
		driver.regions[driver.n_regions++] =
		        (struct boot_region){msg.w[1], msg.w[2], msg.w[3], (uint32_t)msg.w[4], 0};
		driver.space = (space_t)msg.w[5];
	}
	if (driver.n_regions == 0) {
		bare_die("the bare VM knows no region of the driver", 0);
	}
}

space_t child_driver_space(void)
{
	return driver.space;
}

const struct boot_region *child_driver_region(uint32_t n)
{
	return n < driver.n_regions ? &driver.regions[n] : NULL;
}

paddr_t child_frames_more(uint32_t n)
{
	return vm_request(BARE_VM_FRAMES, n);
}

static void shared_map(void)
{
	struct space_op op = {.kind = SPACE_MAP,
	        .space = driver.space,
	        .va = SHARED_VA,
	        .arg = shared_frame,
	        .n_pages = 1,
	        .prot = PROT_R | PROT_W | SPACE_OP_ZERO};
	struct space_batch batch = {
	        .ops = &op, .n_ops = 1, .tables = driver_tables, .n_tables = DRIVER_TABLES};
	uint64_t used;
	err_t r = sys_space_batch(&batch, &used);

	if (r != E_OK) {
		bare_die("cannot map the shared page", r);
	}
}

void child_init(void)
{
	driver_regions_read();
	for (uint32_t i = 0; i < DRIVER_TABLES; i++) {
		driver_tables[i] = vm_request(BARE_VM_FRAMES, 1);
	}
	shared_frame = vm_request(BARE_VM_FRAMES, 1);
	chunks_base = vm_request(BARE_VM_FRAMES, N_CHUNKS * CHILD_CHUNK_PAGES);
	chunks_free = (1ul << N_CHUNKS) - 1;
	shared_map();
}

uint32_t child_chunks_free(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < N_CHUNKS; i++) {
		n += chunks_free >> i & 1;
	}
	return n;
}

static paddr_t chunk_take(void)
{
	for (uint32_t i = 0; i < N_CHUNKS; i++) {
		if (chunks_free >> i & 1) {
			chunks_free &= ~(1ul << i);
			return chunks_base + i * CHILD_CHUNK_PAGES * PAGE_SIZE;
		}
	}
	bare_die("no chunk left", 0);
}

paddr_t child_frames(struct child *child, uint32_t n)
{
	paddr_t pa = child->chunk + (1 + CHILD_TABLES + child->n_pages) * PAGE_SIZE;

	child->n_pages += n;
	if (1 + CHILD_TABLES + child->n_pages > CHILD_CHUNK_PAGES) {
		bare_die("a child's chunk is too small", child->n_pages);
	}
	return pa;
}

err_t child_map(struct child *child, struct space_op op)
{
	paddr_t tables[CHILD_TABLES];
	struct space_batch batch = {.ops = &op, .n_ops = 1, .tables = tables};
	uint64_t used;
	err_t r;

	op.space = child->space;
	for (uint32_t i = child->n_tables; i < CHILD_TABLES; i++) {
		tables[batch.n_tables++] = child->chunk + (1 + i) * PAGE_SIZE;
	}
	r = sys_space_batch(&batch, &used);
	if (r == E_OK) {
		child->n_tables += (uint32_t)used;
	}
	return r;
}

static void child_map_or_die(struct child *child, struct space_op op)
{
	err_t r = child_map(child, op);

	if (r != E_OK) {
		bare_print("# mapping %u pages at %x", (uint64_t)op.n_pages, op.va);
		bare_die("cannot map into a child", r);
	}
}

void child_space_new_bare(struct child *child)
{
	err_t space;

	*child = (struct child){.ep = EP_NONE, .chunk = chunk_take()};
	space = sys_space_create(child->chunk, child_frames(child, 1));
	if (space < 0) {
		bare_die("space_create", space);
	}
	child->space = (space_t)space;
	child->n_given = 1;
}

void child_domain_give(struct child *child)
{
	err_t r = sys_domain_create(child->space, child_frames(child, 1));

	if (r != E_OK) {
		bare_die("domain_create", r);
	}
	child->n_given++;
}

void child_space_new_plain(struct child *child)
{
	child_space_new_bare(child);
	child_domain_give(child);
}

void child_fpu_give(struct child *child)
{
	err_t r = sys_space_fpu(child->space, child_frames(child, 1));

	if (r != E_OK) {
		bare_die("space_fpu", r);
	}
	child->n_given++;
}

void child_thread_give(struct child *child)
{
	err_t r = sys_space_thread(child->space, child_frames(child, 1));

	if (r != E_OK) {
		bare_die("space_thread", r);
	}
	child->n_given++;
}

void child_space_new(struct child *child)
{
	child_space_new_plain(child);
	child_fpu_give(child);
}

void child_privileges(struct domain_privileges *ret_privileges)
{
	*ret_privileges = (struct domain_privileges){.calls = {kcalls_ordinary()}, .rank = 1};
	for (unsigned int i = 0; i < N_SERVICE_SLOTS / 64; i++) {
		ret_privileges->ipc_to[i] = ~0ul;
	}
	ret_privileges->ipc_classes = ~0ul;
}

void child_name_set(struct slot_params *params, const char *name)
{
	for (unsigned int i = 0; i < SERVICE_NAME_LEN - 1 && name[i]; i++) {
		params->name[i] = name[i];
	}
}

err_t child_slot_new_with(struct child *child, const struct slot_params *with)
{
	struct slot_params params = *with;
	struct domain_privileges privileges;
	err_t r;

	params.space = child->space;
	r = sys_slot_create(&params);
	if (r < 0) {
		return r;
	}
	child->ep = (endpoint_t)r;
	child_privileges(&privileges);
	return sys_domain_set(child->space, &privileges);
}

err_t child_slot_new_at(struct child *child, const char *name, uint32_t flags, uint32_t priority)
{
	struct slot_params params = {.flags = flags, .priority = priority};

	child_name_set(&params, name);
	return child_slot_new_with(child, &params);
}

err_t child_slot_new(struct child *child, const char *name, uint32_t flags)
{
	return child_slot_new_at(child, name, flags, CHILD_PRIORITY);
}

static void data_fill(struct child *child)
{
	uint64_t bytes = (uint64_t)(flat_data_end - flat_data_start);
	struct space_op op = {.kind = SPACE_MAP,
	        .va = (vaddr_t)flat_data_start,
	        .n_pages = (uint32_t)(bytes / PAGE_SIZE),
	        .prot = PROT_R | PROT_W};
	err_t r;

	op.arg = child_frames(child, op.n_pages);
	child_map_or_die(child, op);
	r = sys_copy(EP_SELF, op.va, child->ep, op.va, bytes, 0);
	if (r != E_OK) {
		bare_die("cannot copy data into a child", r);
	}
}

#define STACK_VA (SHARED_VA + 16 * PAGE_SIZE)

void child_fill(struct child *child)
{
	for (uint32_t i = 0; i < driver.n_regions; i++) {
		const struct boot_region *region = &driver.regions[i];

		if (region->prot & PROT_W || region->va == bare_start->boot_image ||
		        region->va == bare_start->gate) {
			continue;
		}
		child_map_or_die(child, (struct space_op){.kind = SPACE_MAP,
		                                .va = region->va,
		                                .arg = region->pa,
		                                .n_pages = (uint32_t)(region->bytes / PAGE_SIZE),
		                                .prot = region->prot});
	}
	data_fill(child);
	child_map_or_die(child,
	        (struct space_op){
	                .kind = SPACE_GATE, .va = bare_start->gate, .n_pages = 1, .prot = 0});
	child_map_or_die(child, (struct space_op){.kind = SPACE_MAP,
	                                .va = SHARED_VA,
	                                .arg = shared_frame,
	                                .n_pages = 1,
	                                .prot = PROT_R | PROT_W});
	child_map_or_die(child, (struct space_op){.kind = SPACE_MAP,
	                                .va = STACK_VA,
	                                .arg = child_frames(child, CHILD_STACK_PAGES),
	                                .n_pages = CHILD_STACK_PAGES,
	                                .prot = PROT_R | PROT_W});
}

void child_new(struct child *child, const char *name)
{
	err_t r;

	child_space_new(child);
	r = child_slot_new(child, name, 0);
	if (r < 0) {
		bare_die("slot_create", r);
	}
	child_fill(child);
}

/* A child whose function returns ends with code 0. */
__attribute__((naked)) static void child_enter(void)
{
	__asm__("xorl %ebp, %ebp\n\t"
	        "popq %rax\n\t"
	        "call *%rax\n\t"
	        "call child_return\n\t"
	        "ud2");
}

__attribute__((used)) static _Noreturn void child_return(void)
{
	sys_exit(0);
}

void child_thread_start(
        endpoint_t thread, vaddr_t stack_end, child_entry_t entry, uint64_t argument)
{
	vaddr_t sp = stack_end - 8;
	err_t r = sys_copy(EP_SELF, (vaddr_t)&entry, thread, sp, sizeof(entry), 0);

	if (r == E_OK) {
		r = sys_slot_start(thread, (vaddr_t)child_enter, sp, argument);
	}
	if (r != E_OK) {
		bare_die("cannot start a child", r);
	}
}

void child_start(struct child *child, child_entry_t entry, uint64_t argument)
{
	child_thread_start(child->ep, STACK_VA + CHILD_STACK_PAGES * PAGE_SIZE, entry, argument);
}

void child_run(struct child *child, const char *name, child_entry_t entry, uint64_t argument)
{
	child_new(child, name);
	child_start(child, entry, argument);
}

/* Events of other children than the one waited for, until somebody asks for them. */
#define N_KEPT 32u
static struct slot_event kept[N_KEPT];
static uint32_t n_kept;

static bool kept_take(endpoint_t ep, struct slot_event *ret_event)
{
	for (uint32_t i = 0; i < n_kept; i++) {
		if (kept[i].endpoint == ep) {
			*ret_event = kept[i];
			kept[i] = kept[--n_kept];
			return true;
		}
	}
	return false;
}

static void events_collect(void)
{
	struct slot_event event;

	while (n_kept < N_KEPT && sys_event_next(&event) == E_OK) {
		kept[n_kept++] = event;
	}
}

err_t child_event(const struct child *child, struct slot_event *ret_event)
{
	nsec_t end = sys_clock_read() + CHILD_PATIENCE;

	while (sys_clock_read() < end) {
		events_collect();
		if (kept_take(child->ep, ret_event)) {
			return E_OK;
		}
		child_settle(200);
	}
	return E_TIMEOUT;
}

/* Frames of its own that the space gives back, of tables, of the space itself, of threads and for the FPU; those that the bare VM added for faults are
 * let go. */
static uint64_t tables_return(const struct child *child)
{
	paddr_t frames[8], size = CHILD_CHUNK_PAGES * PAGE_SIZE;
	uint64_t n = 0, got;
	err_t r;

	do {
		r = sys_space_destroy(child->space, frames, 8, &got);
		if (r != E_OK && r != E_AGAIN) {
			bare_die("space_destroy", r);
		}
		for (uint64_t i = 0; i < got; i++) {
			n += frames[i] - child->chunk < size;
		}
	} while (r == E_AGAIN);
	return n;
}

void child_free(struct child *child)
{
	struct slot_event event;
	uint64_t n, n_given = 1ul + child->n_tables + child->n_given;

	if (child->ep != EP_NONE) {
		(void)sys_slot_destroy(child->ep);
		while (kept_take(child->ep, &event)) {
		}
	}
	n = tables_return(child);
	if (n != n_given) {
		bare_print("# %u table frames came back of %u", n, n_given);
		bare_die("table frames are missing", 0);
	}
	chunks_free |= 1ul << ((child->chunk - chunks_base) / (CHILD_CHUNK_PAGES * PAGE_SIZE));
	child->ep = EP_NONE;
}

void child_settle(uint64_t usec)
{
	struct message msg;

	(void)sys_alarm_set(sys_clock_read() + usec * 1000);
	(void)sys_receive(EP_CLOCK, &msg);
}
