/*
 * Domains: what those who run in a space may do, from its first thread to the frame that comes back. A
 * process manager's are in test_manager.c.
 */
#include "osd/suites/kcall/kcall.h"

#define OLD_LINE 11u
#define NEW_LINE 10u

static struct puppet p, old, new, other;
static struct child child, joined;

static struct domain_privileges with_call(enum kcall number)
{
	struct domain_privileges privileges = {0};

	privileges_call(&privileges, number);
	return privileges;
}

static struct frame_entry domain_entry(space_t space)
{
	struct frame_entry list[FRAME_LIST_MIN];
	uint64_t at;
	err_t n = sys_frame_list(space, 0, list, FRAME_LIST_MIN, &at);

	for (err_t i = 0; i < n; i++) {
		if (list[i].kind == FRAME_LIST_DOMAIN) {
			return list[i];
		}
	}
	return (struct frame_entry){0};
}

/* A space that has no domain; its frames are from the end of `child`'s chunk. */
static space_t space_bare(void)
{
	err_t r = sys_space_create(child_frames(&child, 1), child_frames(&child, 1));

	OK(r >= 0);
	return (space_t)r;
}

static uint64_t space_end(space_t space)
{
	paddr_t frames[8];
	uint64_t n = 0;

	IS(E_OK, sys_space_destroy(space, frames, 8, &n));
	return n;
}

static void test_create_errors(void)
{
	struct slot_params params = {.name = "user", .priority = CHILD_PRIORITY};
	paddr_t frame;
	space_t bare;
	err_t slot;

	child_space_new(&child);
	frame = child_frames(&child, 1);
	bare = params.space = space_bare();
	IS(0, domain_entry(bare).kind);
	IS(E_INVAL, sys_domain_create(N_SPACES, frame));
	IS(E_INVAL, sys_domain_create(bare, frame + 8));
	IS(E_PERM, sys_domain_create(bare, child.chunk)); /* a table */
	IS(E_PERM, sys_domain_create(bare, domain_entry(child.space).pa));
	IS(E_PERM, sys_domain_create(bare, 1ul << 45));
	IS(E_BUSY, sys_domain_create(child.space, frame));
	slot = sys_slot_create(&params);
	OK(slot > 0);
	IS(E_BUSY, sys_domain_create(bare, frame)); /* somebody is there already */
	IS(E_OK, sys_slot_destroy((endpoint_t)slot));
	IS(0, domain_entry(bare).kind);
	IS(E_OK, sys_domain_create(bare, frame));
	IS(frame, domain_entry(bare).pa);
	IS(1, domain_entry(bare).n);
	IS(E_PERM, child_map(&child, (struct space_op){.kind = SPACE_MAP,
	                                     .va = CHILD_FREE_VA,
	                                     .arg = frame,
	                                     .n_pages = 1,
	                                     .prot = PROT_R}));
	IS(3, space_end(bare));
	IS(E_INVAL, sys_domain_create(bare, frame));
	child_free(&child);
}

static void test_set_errors(void)
{
	static const struct domain_privileges bad[] = {{.n_io = PRIV_IO_MAX + 1},
	        {.n_mmio = PRIV_MMIO_MAX + 1}, {.n_irq = PRIV_IRQ_MAX + 1},
	        {.n_io = 1, .io = {{9, 8}}}, {.n_mmio = 1, .mmio = {{PAGE_SIZE, ~0ul}}}};
	struct domain_privileges none = {0};
	space_t bare;

	child_space_new(&child);
	bare = space_bare();
	IS(E_INVAL, sys_domain_set(N_SPACES, &none));
	IS(E_INVAL, sys_domain_set(bare, &none));
	IS(E_PERM, sys_domain_set(info_of(EP_RS).space, &none)); /* the kernel made it */
	IS(E_FAULT, sys_domain_set(child.space, (const struct domain_privileges *)NOWHERE));
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		IS(E_INVAL, sys_domain_set(child.space, &bad[i]));
	}
	IS(2, space_end(bare));
	child_free(&child);
}

/* Rights are taken away as well as given. */
static void test_set(void)
{
	struct domain_privileges some = with_call(KCALL_kernel_stats), none = {0};

	puppet_new(&p, 0, "p", 0);
	puppet_allow(&p, &some);
	IS(E_OK, puppet_call(&p, KCALL_kernel_stats, SHARED_SCRATCH));
	IS(E_PERM, puppet_call(&p, KCALL_machine_off, 0));
	puppet_allow(&p, &none);
	IS(E_PERM, puppet_call(&p, KCALL_kernel_stats, SHARED_SCRATCH));
	puppet_free(&p);
}

#define TRIED ((volatile uint64_t *)SHARED_SCRATCH)
#define ALLOWED ((volatile uint64_t *)SHARED_SCRATCH + 1)

/* In a thread: whether it may ask what the kernel counts is told without a call. */
static void try_main(uint64_t index)
{
	struct kernel_stats stats;

	for (;;) {
		ALLOWED[2 * index] = sys_kernel_stats(&stats) == E_OK;
		TRIED[2 * index]++;
	}
}

/* What it does now, it began to do after the call of this. */
static bool is_allowed(uint32_t index)
{
	OK(counter_moves(&TRIED[2 * index]));
	OK(counter_moves(&TRIED[2 * index]));
	return ALLOWED[2 * index];
}

/* A process without a domain runs, and may do nothing. */
static void test_none(void)
{
	child_space_new(&child);
	joined = (struct child){.ep = EP_NONE, .space = space_bare(), .chunk = child.chunk};
	IS(E_INVAL, child_slot_new(&joined, "none", 0)); /* made, and not to be given anything */
	OK(joined.ep > 0);
	IS(0, info_of(joined.ep).has_devices);
	IS(E_OK, sys_slot_destroy(joined.ep));
	IS(2, space_end(joined.space));
	child_free(&child);
}

/* Two spaces with one domain: what is given or taken is so for the threads of both, while they run. */
static void test_shared(void)
{
	struct domain_privileges some = with_call(KCALL_kernel_stats), none = {0};
	struct slot_params params = {.name = "try", .priority = CHILD_PRIORITY};
	err_t thread;

	child_new(&child, "first");
	child_thread_give(&child);
	params.space = child.space;
	thread = sys_slot_create(&params);
	OK(thread > 0);
	IS(E_OK, child_map(&child, (struct space_op){.kind = SPACE_MAP,
	                                   .va = CHILD_FREE_VA,
	                                   .arg = child_frames(&child, 1),
	                                   .n_pages = 1,
	                                   .prot = PROT_R | PROT_W}));
	child_start(&child, try_main, 0);
	child_thread_start((endpoint_t)thread, CHILD_FREE_VA + PAGE_SIZE, try_main, 1);
	for (uint32_t round = 0; round < 3; round++) {
		IS(E_OK, sys_domain_set(child.space, round == 1 ? &some : &none));
		for (uint32_t i = 0; i < 2; i++) {
			IS(round == 1, is_allowed(i));
		}
	}
	IS(E_OK, sys_slot_destroy((endpoint_t)thread));
	child_free(&child);
}

/* One domain for two spaces: whose it may be, and when its frame comes back. */
static void test_joined_errors(void)
{
	struct slot_params params = {.name = "user", .priority = CHILD_PRIORITY};
	space_t bare, others;
	err_t slot;

	puppet_new(&p, 0, "p", 0);
	child_space_new(&child);
	bare = params.space = space_bare();
	others = space_bare();
	IS(E_INVAL, sys_space_domain(N_SPACES, child.space));
	IS(E_INVAL, sys_space_domain(bare, N_SPACES));
	IS(E_INVAL, sys_space_domain(bare, others)); /* which has none */
	IS(E_PERM, sys_space_domain(bare, info_of(EP_RS).space));
	IS(E_OK, sys_space_give(others, p.child.ep));
	IS(E_PERM, sys_space_domain(others, child.space));
	slot = sys_slot_create(&params);
	IS(E_BUSY, sys_space_domain(bare, child.space)); /* somebody is there already */
	IS(E_OK, sys_slot_destroy((endpoint_t)slot));
	IS(1, domain_entry(child.space).n);
	IS(E_OK, sys_space_domain(bare, child.space));
	IS(E_BUSY, sys_space_domain(bare, child.space));
	IS(2, space_end(others));
	IS(2, space_end(bare));
	child_free(&child);
	puppet_free(&p);
}

static void test_joined(void)
{
	struct domain_privileges privileges = {.n_mmio = 1, .mmio = {{0xfeb00000, PAGE_SIZE}}};
	struct slot_params params = {.name = "user", .priority = CHILD_PRIORITY};
	space_t first, second;
	paddr_t frame;
	err_t slot;

	child_space_new(&child);
	frame = child_frames(&child, 1);
	first = space_bare();
	second = params.space = space_bare();
	IS(E_OK, sys_domain_create(first, frame));
	IS(E_OK, sys_space_domain(second, first));
	for (uint32_t i = 0; i < 2; i++) {
		IS(frame, domain_entry(i == 0 ? first : second).pa);
		IS(2, domain_entry(i == 0 ? first : second).n);
		IS(E_BUSY, sys_space_give(i == 0 ? first : second, EP_RS));
	}
	slot = sys_slot_create(&params);
	OK(slot > 0);
	IS(0, info_of((endpoint_t)slot).has_devices);
	IS(E_OK, sys_domain_set(first, &privileges));
	IS(1, info_of((endpoint_t)slot).has_devices);
	IS(E_OK, sys_slot_destroy((endpoint_t)slot));
	IS(2, space_end(first)); /* but not the domain's */
	IS(1, domain_entry(second).n);
	IS(E_OK, sys_space_give(second, EP_RS));
	IS(3, space_end(second));
	child_free(&child);
}

/* Registers of devices are mapped for a domain, whether anybody runs there yet or not. */
static void test_device(void)
{
	struct domain_privileges privileges = {.n_mmio = 1, .mmio = {{0xfeb00000, PAGE_SIZE}}};
	struct space_op op = {.kind = SPACE_MAP,
	        .va = CHILD_FREE_VA,
	        .arg = 0xfeb00000,
	        .n_pages = 1,
	        .prot = PROT_R | PROT_W | SPACE_OP_DEVICE};

	child_space_new(&child);
	IS(E_PERM, child_map(&child, op));
	IS(E_OK, sys_domain_set(child.space, &privileges));
	IS(E_OK, child_map(&child, op));
	child_free(&child);
}

static void update_new(void)
{
	puppet_new(&other, 2, "other", 0);
	puppet_new(&old, 0, "service", 0);
	puppet_new(&new, 1, "service", SLOT_UNCOMMITTED);
}

static void update_swap(uint32_t flags)
{
	endpoint_t ep = old.child.ep;

	IS(E_OK, sys_slot_swap(old.child.ep, new.child.ep, flags));
	old.child.ep = new.child.ep;
	new.child.ep = ep;
}

/* The service's slot has the old instance again. */
static void update_back(void)
{
	endpoint_t ep = new.child.ep;

	IS(E_OK, sys_slot_swap(new.child.ep, old.child.ep, 0));
	new.child.ep = old.child.ep;
	old.child.ep = ep;
	IS(E_OK, sys_slot_unhold(old.child.ep));
}

static void update_free(void)
{
	puppet_free(&old);
	puppet_free(&new);
	puppet_free(&other);
}

/* What the instance may do, of what either domain has. */
static void update_may(struct puppet *who, err_t stats, err_t event, err_t send)
{
	IS(stats, puppet_call(who, KCALL_kernel_stats, SHARED_SCRATCH));
	IS(event, puppet_call(who, KCALL_event_next, SHARED_SCRATCH));
	IS(send, puppet_call(who, KCALL_notify, (uint64_t)other.child.ep));
}

/*
 * An update brings its domain along: nothing of it before the commit, and that of the old one where it
 * is rolled back.
 */
static void test_update(void)
{
	struct domain_privileges had = with_call(KCALL_kernel_stats);
	struct domain_privileges gets = with_call(KCALL_event_next);

	update_new();
	puppet_allow(&old, &had);
	gets.calls[0] |= kcalls_ordinary(); /* to nobody */
	IS(E_OK, sys_domain_set(new.child.space, &gets));
	update_may(&old, E_OK, E_PERM, E_OK);
	for (uint32_t round = 0; round < 2; round++) {
		update_may(&new, E_UNCOMMITTED, E_UNCOMMITTED, E_UNCOMMITTED);
		update_swap(SWAP_HOLD);
		update_may(&new, E_UNCOMMITTED, E_UNCOMMITTED, E_UNCOMMITTED);
		if (round == 0) {
			update_back();
			update_may(&old, E_OK, E_PERM, E_OK);
		}
	}
	IS(E_OK, sys_slot_commit(new.child.ep));
	update_may(&new, E_PERM, E_AGAIN, E_PERM);
	update_free();
}

/* Of a fresh start, which counts as committed at once. */
static void test_fresh(void)
{
	struct domain_privileges had = with_call(KCALL_kernel_stats);
	struct domain_privileges gets = with_call(KCALL_event_next);

	update_new();
	puppet_allow(&old, &had);
	puppet_allow(&new, &gets);
	update_swap(SWAP_FRESH);
	update_may(&new, E_PERM, E_AGAIN, E_OK);
	update_free();
}

/* A line that the new domain does not have is free at the commit, and was the old one's until then. */
static void test_hooks(void)
{
	struct domain_privileges had = {.n_irq = 2, .irq = {OLD_LINE, NEW_LINE}};
	struct domain_privileges gets = {.n_irq = 1, .irq = {NEW_LINE}};

	privileges_call(&had, KCALL_irq_hook);
	privileges_call(&had, KCALL_irq_enable);
	gets.calls[0] = had.calls[0];
	update_new();
	puppet_allow(&old, &had);
	puppet_allow(&other, &had);
	puppet_allow(&new, &gets);
	IS(OLD_LINE, puppet_call(&old, KCALL_irq_hook, OLD_LINE, 1));
	IS(NEW_LINE, puppet_call(&old, KCALL_irq_hook, NEW_LINE, 2));
	update_swap(SWAP_HOLD);
	puppet_allow(&new, &gets); /* it is not the committed one yet */
	IS(E_BUSY, puppet_call(&other, KCALL_irq_hook, OLD_LINE, 3));
	update_back();
	IS(E_OK, puppet_call(&old, KCALL_irq_enable, OLD_LINE));
	update_swap(SWAP_HOLD);
	IS(E_OK, sys_slot_commit(new.child.ep));
	IS(E_PERM, puppet_call(&new, KCALL_irq_hook, OLD_LINE, 1));
	IS(E_INVAL, puppet_call(&new, KCALL_irq_enable, OLD_LINE));
	IS(E_OK, puppet_call(&new, KCALL_irq_enable, NEW_LINE));
	IS(OLD_LINE, puppet_call(&other, KCALL_irq_hook, OLD_LINE, 3));
	/* And so is one that was taken from it. */
	puppet_allow(&new, &(struct domain_privileges){.calls = {had.calls[0]}});
	IS(E_INVAL, puppet_call(&new, KCALL_irq_enable, NEW_LINE));
	update_free();
}

/* A line that is taken from the old one while the new one is in its place is free when it is back. */
static void test_hooks_back(void)
{
	struct domain_privileges had = {.n_irq = 1, .irq = {OLD_LINE}};

	privileges_call(&had, KCALL_irq_hook);
	privileges_call(&had, KCALL_irq_enable);
	update_new();
	puppet_allow(&old, &had);
	IS(OLD_LINE, puppet_call(&old, KCALL_irq_hook, OLD_LINE, 1));
	update_swap(SWAP_HOLD);
	had.n_irq = 0;
	puppet_allow(&old, &had);
	update_back();
	IS(E_INVAL, puppet_call(&old, KCALL_irq_enable, OLD_LINE));
	update_free();
}

const struct test tests_domain[] = {
        {"errors of domain_create", test_create_errors},
        {"errors of domain_set", test_set_errors},
        {"domain_set", test_set},
        {"without a domain nothing may be done", test_none},
        {"a domain is that of all threads", test_shared},
        {"errors of space_domain", test_joined_errors},
        {"a domain is that of all its spaces", test_joined},
        {"registers of a device are a domain's", test_device},
        {"an update brings its domain along", test_update},
        {"a fresh start brings its domain along", test_fresh},
        {"interrupts that a new domain does not have", test_hooks},
        {"interrupts that an old domain has no more", test_hooks_back},
        {0},
};
