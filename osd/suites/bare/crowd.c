/* Many processes at once; see crowd.h. */
#include "osd/suites/bare/crowd.h"

/* Of a member: root, space, thread, stack, tables. */
#define MEMBER_TABLES 10u
#define MEMBER_PAGES (4u + MEMBER_TABLES)
#define MEMBER_CLASS 3u
#define STACK_VA (SHARED_VA + 16 * PAGE_SIZE)

struct member {
	endpoint_t ep;
	space_t space;
	uint32_t n_events;
	err_t result;
};

static struct member members[CROWD_MAX];
static uint32_t n_members;
static paddr_t
        frames; /* 0: not taken yet; behind those of the members is the one of their domain */

/* In a member. */
static err_t member_ask(endpoint_t target, struct message *msg)
{
	char name[SERVICE_NAME_LEN] = {'s', 'e', 'r', 'v', 'e', 'r'};
	err_t r = sys_sendrec(target, msg);

	if (r != E_DEAD) {
		return r;
	}
	r = sys_lookup(name);
	return r != E_NOTFOUND ? E_STATE : sys_sendrec(target, msg);
}

static _Noreturn void member_main(uint64_t kind, endpoint_t target)
{
	struct message msg;
	err_t r = E_INVAL;

	msg.type = 1;
	if (kind == CROWD_SENDREC) {
		r = sys_sendrec(target, &msg);
	} else if (kind == CROWD_ASK) {
		r = member_ask(target, &msg);
	} else if (kind == CROWD_RECEIVE) {
		r = sys_receive(target, &msg);
	} else if (kind == CROWD_COPY) {
		r = sys_copy_from_grant(target, 0, 0, &msg, 1);
	}
	sys_exit(r);
}

static void member_native(uint64_t argument)
{
	member_main(argument >> 32, (endpoint_t)(uint32_t)argument);
}

static void member_foreign(uint64_t argument)
{
	for (;;) {
		uint64_t number = 0;

		__asm__ volatile("syscall" : "+a"(number) : : "rcx", "r11", "memory");
	}
}

static void member_map(const struct member *member, struct space_op op, uint32_t *n_tables)
{
	uint32_t i = (uint32_t)(member - members);
	paddr_t tables[MEMBER_TABLES];
	struct space_batch batch = {.ops = &op, .n_ops = 1, .tables = tables};
	uint64_t used;
	err_t r;

	op.space = member->space;
	for (uint32_t t = *n_tables; t < MEMBER_TABLES; t++) {
		tables[batch.n_tables++] = frames + (i * MEMBER_PAGES + 4 + t) * PAGE_SIZE;
	}
	r = sys_space_batch(&batch, &used);
	if (r != E_OK) {
		bare_die("cannot map into one of a crowd", r);
	}
	*n_tables += (uint32_t)used;
}

/* Code, constants, and data with the address of the gate page. */
static bool member_has(const struct boot_region *region)
{
	if (region->prot & PROT_W) {
		return (vaddr_t)&sys_gate - region->va < region->bytes;
	}
	return region->va != bare_start->boot_image && region->va != bare_start->gate;
}

static void member_fill(const struct member *member, bool is_foreign)
{
	uint32_t i = (uint32_t)(member - members), n_tables = 0;
	struct space_op op = {.kind = SPACE_MAP,
	        .va = STACK_VA,
	        .arg = frames + (i * MEMBER_PAGES + 3) * PAGE_SIZE,
	        .n_pages = 1,
	        .prot = PROT_R | PROT_W};

	member_map(member, op, &n_tables);
	for (uint32_t r = 0; child_driver_region(r) != NULL; r++) {
		const struct boot_region *region = child_driver_region(r);

		if (!member_has(region)) {
			continue;
		}
		op.va = region->va;
		op.arg = region->pa;
		op.n_pages = (uint32_t)(region->bytes / PAGE_SIZE);
		op.prot = region->prot & ~(uint32_t)PROT_W;
		member_map(member, op, &n_tables);
	}
	if (!is_foreign) {
		op = (struct space_op){.kind = SPACE_GATE, .va = bare_start->gate, .n_pages = 1};
		member_map(member, op, &n_tables);
	}
}

static void member_check(const char *what, err_t r)
{
	if (r < 0) {
		bare_die(what, r);
	}
}

/* The first one's is that of all. */
static void member_domain(const struct member *member)
{
	struct domain_privileges privileges;

	if (member != members) {
		member_check("space_domain", sys_space_domain(member->space, members[0].space));
		return;
	}
	member_check("domain_create",
	        sys_domain_create(member->space, frames + CROWD_MAX * MEMBER_PAGES * PAGE_SIZE));
	child_privileges(&privileges);
	member_check("domain_set", sys_domain_set(member->space, &privileges));
}

static void member_begin(struct member *member, const struct crowd *crowd)
{
	struct slot_params params = {
	        .flags = SLOT_PROGRAM, .ipc_class = MEMBER_CLASS, .priority = crowd->priority};
	bool is_foreign = crowd->kind == CROWD_FOREIGN;
	paddr_t own = frames + (uint64_t)(member - members) * MEMBER_PAGES * PAGE_SIZE;
	err_t r = sys_space_create(own, own + PAGE_SIZE);

	member_check("no space for one of a crowd", r);
	*member = (struct member){.space = (space_t)r};
	member_check("space_thread", sys_space_thread(member->space, own + 2 * PAGE_SIZE));
	member_domain(member);
	params.space = member->space;
	child_name_set(&params, "crowd");
	r = sys_slot_create(&params);
	member_check("no slot for one of a crowd", r);
	member->ep = (endpoint_t)r;
	member_fill(member, is_foreign);
	if (is_foreign) {
		member_check("slot_foreign", sys_slot_foreign(member->ep, crowd->personality));
	}
	member_check("slot_start",
	        sys_slot_start(member->ep, (vaddr_t)(is_foreign ? member_foreign : member_native),
	                STACK_VA + PAGE_SIZE - 8,
	                (uint64_t)crowd->kind << 32 | (uint32_t)crowd->target));
}

void crowd_begin(const struct crowd *crowd)
{
	if (frames == 0) {
		frames = child_frames_more(CROWD_MAX * MEMBER_PAGES + 1);
	}
	for (n_members = 0; n_members < crowd->n; n_members++) {
		member_begin(&members[n_members], crowd);
	}
}

uint32_t crowd_count(uint32_t state)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < n_members; i++) {
		struct slot_info info;

		n += sys_slot_info(members[i].ep, &info) == E_OK && info.state == state;
	}
	return n;
}

bool crowd_becomes(uint32_t state, uint32_t n)
{
	nsec_t end = sys_clock_read() + CHILD_PATIENCE;

	while (crowd_count(state) != n && sys_clock_read() < end) {
		child_settle(500);
	}
	return crowd_count(state) == n;
}

endpoint_t crowd_endpoint(uint32_t i)
{
	return members[i].ep;
}

static void event_sort(const struct slot_event *event)
{
	for (uint32_t i = 0; i < n_members; i++) {
		if (members[i].ep == event->endpoint) {
			members[i].n_events++;
			members[i].result =
			        (err_t)event->w[event->kind == SLOT_EVENT_FAULT ? 3 : 0];
			return;
		}
	}
	bare_print("# event %u of %x", (uint64_t)event->kind, (uint64_t)event->endpoint);
	bare_die("an event of somebody else", 0);
}

static uint32_t events_count(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < n_members; i++) {
		n += members[i].n_events != 0;
	}
	return n;
}

bool crowd_events(uint32_t n)
{
	nsec_t end = sys_clock_read() + CHILD_PATIENCE;
	struct slot_event event;

	do {
		while (sys_event_next(&event) == E_OK) {
			event_sort(&event);
		}
		if (events_count() >= n) {
			return true;
		}
		child_settle(500);
	} while (sys_clock_read() < end);
	return false;
}

uint32_t crowd_results(err_t result)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < n_members; i++) {
		n += members[i].n_events != 0 && members[i].result == result;
	}
	return n;
}

uint32_t crowd_events_twice(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < n_members; i++) {
		n += members[i].n_events > 1;
	}
	return n;
}

static void member_end(const struct member *member)
{
	paddr_t back[16];
	uint64_t n;
	err_t r;

	member_check("slot_destroy", sys_slot_destroy(member->ep));
	do {
		r = sys_space_destroy(member->space, back, 16, &n);
	} while (r == E_AGAIN);
	member_check("space_destroy", r);
}

void crowd_end(void)
{
	while (n_members > 0) {
		member_end(&members[--n_members]);
	}
}
