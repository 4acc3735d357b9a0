/*
 * A process manager that was taken over: it may make processes, and tries to be more than that through
 * them. It has no more to give than what it got.
 */
#include "osd/suites/kcall/kcall.h"

#define CLASS 3u
#define PORT_FIRST 0x60u
#define PORT_LAST 0x6fu
#define MMIO_BASE 0xfe000000ul
#define LINE 5u
#define RANK 7u
#define N_MADE 2u
/* Calls that others have for being processes. */
#define WITHHELD (1ul << (KCALL_log_write - KCALL_BASE) | 1ul << (KCALL_random - KCALL_BASE))

static struct puppet manager;
static struct child made;
static struct domain_privileges own; /* what the manager has */

#define PARAMS ((struct slot_params *)SHARED_SCRATCH)
#define GIVEN ((struct domain_privileges *)SHARED_SCRATCH)

static void manager_new(void)
{
	puppet_new(&manager, 0, "manager", 0);
	own = (struct domain_privileges){.calls = {kcalls_ordinary() & ~WITHHELD},
	        .ipc_to = {1ul << EP_SLOT(EP_RS)},
	        .ipc_classes = 1ul << CLASS | 1,
	        .rank = RANK,
	        .n_slots = N_MADE,
	        .n_io = 1,
	        .io = {{PORT_FIRST, PORT_LAST}},
	        .n_mmio = 1,
	        .mmio = {{MMIO_BASE, 2 * PAGE_SIZE}},
	        .n_irq = 1,
	        .irq = {LINE}};
	privileges_call(&own, KCALL_slot_create);
	privileges_call(&own, KCALL_slot_start);
	privileges_call(&own, KCALL_domain_set);
	privileges_call(&own, KCALL_space_domain);
	privileges_call(&own, KCALL_slot_destroy);
	privileges_call(&own, KCALL_space_give);
	IS(E_OK, sys_domain_set(manager.child.space, &own));
	child_space_new(&made);
	IS(E_OK, sys_space_give(made.space, manager.child.ep));
}

static void manager_free(void)
{
	puppet_free(&manager); /* what it supervised is RS's then */
	child_free(&made);
}

static err_t make_by(
        struct puppet *maker, space_t space, uint32_t flags, uint32_t class, uint32_t priority)
{
	*PARAMS = (struct slot_params){.name = "made",
	        .space = space,
	        .flags = flags,
	        .priority = priority,
	        .ipc_class = class};
	return puppet_call(maker, KCALL_slot_create, (uint64_t)PARAMS);
}

static err_t make_in(space_t space, uint32_t flags, uint32_t class, uint32_t priority)
{
	return make_by(&manager, space, flags, class, priority);
}

static err_t make(uint32_t flags, uint32_t class, uint32_t priority)
{
	return make_in(made.space, flags, class, priority);
}

/* By RS, which may make anything. */
static err_t make_here(space_t space)
{
	return sys_slot_create(&(struct slot_params){
	        .name = "made", .space = space, .flags = SLOT_PROGRAM, .priority = CHILD_PRIORITY});
}

static err_t give(space_t to, const struct domain_privileges *privileges)
{
	*GIVEN = *privileges;
	return puppet_call(&manager, KCALL_domain_set, to, (uint64_t)GIVEN);
}

static void test_make(void)
{
	manager_new();
	IS(E_PERM, make(0, 0, CHILD_PRIORITY)); /* a service: with any name, in any number */
	IS(E_PERM, make(SLOT_UNCOMMITTED, 0, CHILD_PRIORITY));
	IS(E_PERM, make(SLOT_PROGRAM, CLASS + 1, CHILD_PRIORITY));
	IS(E_PERM, make(SLOT_PROGRAM, N_CLASSES - 1, CHILD_PRIORITY));
	IS(E_PERM, make(SLOT_PROGRAM, CLASS, CHILD_PRIORITY - 1));
	IS(E_INVAL, make(SLOT_PROGRAM, N_CLASSES, CHILD_PRIORITY));
	made.ep = (endpoint_t)make(SLOT_PROGRAM, CLASS, CHILD_PRIORITY);
	OK(made.ep > 0);
	IS(E_OK, puppet_call(&manager, KCALL_slot_destroy, (uint64_t)made.ep));
	made.ep = EP_NONE;
	manager_free();
}

/* One thing too many each; nothing of it is given. */
static void test_give_more(void)
{
	struct domain_privileges more[15];
	uint32_t n = 0;

	manager_new();
	made.ep = (endpoint_t)make(SLOT_PROGRAM, CLASS, CHILD_PRIORITY + 1);
	OK(made.ep > 0);
	for (uint32_t i = 0; i < 15; i++) {
		more[i] = own;
	}
	privileges_call(&more[n++], KCALL_machine_off);
	privileges_call(&more[n++], KCALL_space_batch);
	privileges_call(&more[n++], KCALL_log_write);
	privileges_call(&more[n++], KCALL_random);
	more[n++].ipc_to[0] |= 1ul << EP_SLOT(EP_VM);
	more[n++].ipc_to[3] |= 1ul << 63;
	more[n++].ipc_classes |= 2;
	more[n++].rank = RANK + 1;
	more[n++].n_slots = N_MADE + 1;
	more[n++].io[0].first = PORT_FIRST - 1;
	more[n++].io[0].last = PORT_LAST + 1;
	more[n++].mmio[0].base = MMIO_BASE - PAGE_SIZE;
	more[n++].mmio[0].bytes = 2 * PAGE_SIZE + 1;
	more[n++].mmio[0].base = MMIO_BASE + PAGE_SIZE;
	more[n++].irq[0] = LINE + 1;
	for (uint32_t i = 0; i < n; i++) {
		IS(E_PERM, give(made.space, &more[i]));
	}
	IS(15, n);
	manager_free();
}

/* All that it has, or parts of it. */
static void test_give(void)
{
	struct domain_privileges part;

	manager_new();
	made.ep = (endpoint_t)make(SLOT_PROGRAM, CLASS, CHILD_PRIORITY);
	part = own;
	IS(E_OK, give(made.space, &part));
	part.io[0].first = part.io[0].last = PORT_LAST;
	part.mmio[0].base += PAGE_SIZE;
	part.mmio[0].bytes = PAGE_SIZE;
	part.n_irq = 0;
	part.rank = 0;
	part.n_slots = N_MADE - 1;
	part.ipc_to[0] = 0;
	IS(E_OK, give(made.space, &part));
	IS(E_OK, give(made.space, &(struct domain_privileges){0}));
	/* What was taken from the manager it gives no more. */
	own.ipc_classes = 0;
	IS(E_OK, sys_domain_set(manager.child.space, &own));
	part.ipc_classes = 1ul << CLASS;
	IS(E_PERM, give(made.space, &part));
	part.ipc_classes = 0;
	IS(E_OK, give(made.space, &part));
	manager_free();
}

/* To spaces that are not its own it gives nothing: not to the one it runs in, either. */
static void test_others(void)
{
	manager_new();
	IS(E_PERM, give(manager.child.space, &own));
	IS(E_PERM, give(info_of(EP_RS).space, &own));
	IS(E_PERM, give(0, &own)); /* the kernel made it */
	made.ep = (endpoint_t)make(SLOT_PROGRAM, CLASS, CHILD_PRIORITY);
	IS(E_PERM, sys_domain_set(made.space, &own)); /* its owner's supervisor neither */
	manager_free();
}

/* It makes nothing in a space that is not its own, and hands nobody else's on. */
static void test_spaces(void)
{
	struct child other;

	manager_new();
	child_space_new(&other);
	IS(E_PERM,
	        puppet_call(&manager, KCALL_space_give, other.space, (uint64_t)manager.child.ep));
	IS(E_PERM, puppet_call(&manager, KCALL_space_give, info_of(EP_RS).space,
	                   (uint64_t)manager.child.ep));
	IS(E_PERM, make_in(other.space, SLOT_PROGRAM, CLASS, CHILD_PRIORITY));
	IS(E_PERM, sys_space_give(made.space, EP_RS)); /* it was, and is not any more */
	IS(E_PERM, make_here(made.space));
	IS(E_INVAL, puppet_call(&manager, KCALL_space_give, 9999, (uint64_t)EP_RS));
	IS(E_DEAD, puppet_call(&manager, KCALL_space_give, made.space, (uint64_t)EP_NONE));
	IS(E_DEAD, puppet_call(&manager, KCALL_space_give, made.space, (uint64_t)EP_SELF));
	IS(E_OK, puppet_call(&manager, KCALL_space_give, made.space, (uint64_t)EP_RS));
	IS(E_PERM, make(SLOT_PROGRAM, CLASS, CHILD_PRIORITY));
	made.ep = (endpoint_t)make_here(made.space);
	OK(made.ep > 0);
	child_free(&other);
	/* What an owner leaves when it ends is nobody's: not of the next one in its slot, either. */
	child_space_new(&other);
	IS(E_OK, sys_space_give(other.space, manager.child.ep));
	manager_free();
	manager_new();
	IS(E_PERM, make_in(other.space, SLOT_PROGRAM, CLASS, CHILD_PRIORITY));
	IS(E_PERM, make_here(other.space));
	manager_free();
	child_free(&other); /* VM has its frames back in any case */
}

static void slots_allow(uint32_t n)
{
	own.n_slots = n;
	IS(E_OK, sys_domain_set(manager.child.space, &own));
}

/* It has as many made as it was given, at a time; what is left of others' is not its own. */
static void test_slots(void)
{
	struct child more[N_MADE + 1];
	struct kernel_stats stats;

	manager_new();
	for (uint32_t i = 0; i <= N_MADE; i++) {
		child_space_new(&more[i]);
		IS(E_OK, sys_space_give(more[i].space, manager.child.ep));
		more[i].ep =
		        (endpoint_t)make_in(more[i].space, SLOT_PROGRAM, CLASS, CHILD_PRIORITY);
		OK(i < N_MADE ? more[i].ep > 0 : more[i].ep == E_FULL);
	}
	IS(E_OK, sys_kernel_stats(&stats));
	OK(stats.n_slots_free > 1);
	IS(E_OK, puppet_call(&manager, KCALL_slot_destroy, (uint64_t)more[0].ep));
	more[0].ep = (endpoint_t)make_in(more[0].space, SLOT_PROGRAM, CLASS, CHILD_PRIORITY);
	OK(more[0].ep > 0);
	slots_allow(N_MADE + 1);
	more[N_MADE].ep =
	        (endpoint_t)make_in(more[N_MADE].space, SLOT_PROGRAM, CLASS, CHILD_PRIORITY);
	OK(more[N_MADE].ep > 0);
	/* Fewer than it has: none of them goes, and none comes. */
	slots_allow(1);
	IS(E_OK, puppet_call(&manager, KCALL_slot_destroy, (uint64_t)more[0].ep));
	more[0].ep = EP_NONE;
	IS(E_FULL, make_in(more[0].space, SLOT_PROGRAM, CLASS, CHILD_PRIORITY));
	puppet_free(&manager);
	for (uint32_t i = 0; i <= N_MADE; i++) {
		child_free(&more[i]);
	}
	child_free(&made);
}

/* Spaces that share a domain have no more made than one of them may. */
static void test_slots_shared(void)
{
	struct child more[N_MADE + 1];
	struct puppet fork;

	manager_new();
	puppet_joined_new(&fork, 1, "fork", &manager);
	IS(E_OK, sys_domain_set(manager.child.space, &own));
	for (uint32_t i = 0; i <= N_MADE; i++) {
		struct puppet *maker = i % 2 == 0 ? &manager : &fork;

		child_space_new(&more[i]);
		IS(E_OK, sys_space_give(more[i].space, maker->child.ep));
		more[i].ep = (endpoint_t)make_by(
		        maker, more[i].space, SLOT_PROGRAM, CLASS, CHILD_PRIORITY);
		OK(i < N_MADE ? more[i].ep > 0 : more[i].ep == E_FULL);
	}
	/* What one of them leaves when it ends is charged to it no more. */
	puppet_free(&fork);
	more[N_MADE].ep =
	        (endpoint_t)make_in(more[N_MADE].space, SLOT_PROGRAM, CLASS, CHILD_PRIORITY);
	OK(more[N_MADE].ep > 0);
	puppet_free(&manager);
	for (uint32_t i = 0; i <= N_MADE; i++) {
		child_free(&more[i]);
	}
	child_free(&made);
}

/* In a puppet, with one page many times behind each other: copy until that is refused, then a word as soon as it is not. */
#define LONG_PAGES 512u
#define WORD 0x600d600dul
#define WORD_TO ((volatile uint64_t *)SHARED_SCRATCH)
#define N_REFUSED ((volatile uint64_t *)SHARED_SCRATCH + 1)

static err_t copy_on(uint64_t page)
{
	static const uint64_t word = WORD;
	err_t r;

	do {
		r = sys_copy(EP_SELF, page, EP_SELF, page, LONG_PAGES * PAGE_SIZE, 0);
	} while (r == E_OK);
	while (r == E_PERM) {
		++*N_REFUSED;
		r = sys_copy(EP_SELF, (vaddr_t)&word, EP_SELF, (vaddr_t)WORD_TO, sizeof(word), 0);
	}
	return r;
}

static void copier_new(struct puppet *copier, struct domain_privileges *with)
{
	paddr_t frame;

	puppet_new(copier, 0, "copier", 0);
	frame = child_frames(&copier->child, 1);
	for (uint32_t i = 0; i < LONG_PAGES; i++) {
		IS(E_OK, child_map(&copier->child, (struct space_op){.kind = SPACE_MAP,
		                                           .va = CHILD_FREE_VA + i * PAGE_SIZE,
		                                           .arg = frame,
		                                           .n_pages = 1,
		                                           .prot = PROT_R | PROT_W}));
	}
	*with = (struct domain_privileges){0};
	privileges_call(with, KCALL_copy);
}

/*
 * A call made in pieces is taken away between two of them: the next one begins anew, and not where that was.
 */
static void test_taken_away(void)
{
	const struct domain_privileges without = {0};
	struct domain_privileges with;
	struct puppet copier;

	copier_new(&copier, &with);
	for (uint32_t i = 0; i < 20; i++) {
		*WORD_TO = 0;
		puppet_allow(&copier, &with);
		puppet_begin(&copier, PUPPET_CALL,
		        (const uint64_t[6]){(uint64_t)copy_on, CHILD_FREE_VA});
		child_settle(500 + 70 * i);
		puppet_allow(&copier, &without);
		OK(counter_moves(N_REFUSED));
		puppet_allow(&copier, &with);
		IS(E_OK, puppet_end(&copier));
		IS(WORD, *WORD_TO);
	}
	puppet_free(&copier);
}

const struct test tests_manager[] = {
        {"what a process manager may make", test_make},
        {"a process manager gives no more than it has", test_give_more},
        {"a process manager gives what it has", test_give},
        {"a process manager gives to its own only", test_others},
        {"a process manager begins in its own spaces only", test_spaces},
        {"a process manager has no more made than it may", test_slots},
        {"processes that share a domain share its budget", test_slots_shared},
        {"a call is taken away between two pieces of it", test_taken_away},
        {0},
};
