#undef NDEBUG
/*
 * What a step does to one service, call by call. The kernel, VM and the rooms of RS below are
 * played: what changes something there leaves a word in `trace`, in order.
 */
#include "osd/servers/rs/update/priv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/lib/sys/test/host_gate.h"
#include "osd/servers/rs/base/log.h"
#include "osd/servers/rs/life/recover.h"
#include "osd/servers/rs/memory/memory.h"

#define SERVICE 10 /* endpoint of the service */
#define SPARE 100  /* the other instance's slot */
#define OLD_SPACE 1
#define NEW_SPACE 2
#define OLD_KIT 7 /* release counters: privileges and floors of the two kits */
#define NEW_KIT 8
#define TICKET 77
#define TRACE_SIZE 512

struct machine machine;

static struct service service;
static struct update_txn txn;
static char trace[TRACE_SIZE];
static nsec_t now;
static struct slot_info info; /* of the service's slot */
static enum kcall bad_call;   /* this one fails so */
static err_t bad_error;
static err_t give_error; /* of the new instance's privileges */
static uint32_t floor;

static void note(const char *word)
{
	assert(strlen(trace) + strlen(word) + 2 < sizeof(trace));
	strcat(strcat(trace, word), " ");
}

/* Compare the trace and empty it. */
static bool trace_is(const char *expected)
{
	bool is_same = strcmp(trace, expected) == 0;

	if (!is_same) {
		fprintf(stderr, "trace:    %s\nexpected: %s\n", trace, expected);
	}
	trace[0] = '\0';
	return is_same;
}

/* A message goes out: its first word is in rsi with the type, w[0] in rdx. */
static void play_asend(const struct host_registers *r)
{
	struct message head;

	memcpy(&head, &r->rsi, sizeof(r->rsi));
	assert(r->rdi == SERVICE && r->rdx == TICKET);
	note(head.type == SEF_CANCEL ? "cancel" : "prepare");
}

void host_enter(struct host_registers *r)
{
	enum kcall call = (enum kcall)r->rax;

	r->rax = (uint64_t)(call == bad_call ? bad_error : E_OK);
	switch ((uint32_t)call) {
	case KCALL_clock_read:
		r->rax = now;
		break;
	case KCALL_slot_info:
		assert(r->rdi == SERVICE);
		*(struct slot_info *)r->rsi = info;
		break;
	case KCALL_slot_commit:
		note("commit");
		break;
	case KCALL_slot_resume:
		note("resume");
		break;
	case KCALL_slot_stop:
		note("stop");
		break;
	case KCALL_slot_swap:
		note("swap");
		break;
	case KCALL_slot_unhold:
		note("unhold");
		break;
	case KCALL_asend:
		play_asend(r);
		break;
	default:
		abort();
	}
}

err_t memory_regions(space_t space, struct vm_region *ret_regions, uint32_t max, uint32_t *ret_n)
{
	*ret_n = 0;
	return E_OK;
}

void layout_compare(const struct layout_kit *kit, const struct layout *before,
        const struct layout *after, struct layout_kept *ret_kept)
{
	assert(before == &service.binary.layout && after == &txn.components[0].binary.layout);
	*ret_kept = (struct layout_kept){.pieces = 5, .address = 1, .base = 2};
}

err_t memory_mirror(space_t old, space_t new)
{
	assert(old == OLD_SPACE && new == NEW_SPACE);
	note("mirror");
	return E_OK;
}

void memory_unmirror(space_t old, space_t new)
{
	assert(old == OLD_SPACE && new == NEW_SPACE);
	note("unmirror");
}

err_t binary_renew(struct binary *binary, const struct vm_region *regions, uint32_t n_regions)
{
	note("renew");
	binary->layout = (struct layout){.payload = binary->layout.payload};
	return E_OK;
}

void binary_follow(struct binary *fresh, const struct binary *old)
{
	note("follow");
}

err_t instance_create(const struct instance_plan *plan, struct instance *ret_instance)
{
	note("create");
	return E_OK;
}

err_t instance_start(const struct instance *instance)
{
	note("start");
	return E_OK;
}

void instance_settle(struct instance *instance)
{
	note("settle");
}

void instance_destroy(struct instance *instance)
{
	note("destroy");
}

void service_set_state(struct service *s, enum rs_service_state state)
{
	s->state = state;
}

err_t service_privileges_give(const struct kit_manifest *kit, space_t space)
{
	assert(kit->counter == NEW_KIT && space == NEW_SPACE);
	note("give");
	return give_error;
}

void service_privileges_refresh(void)
{
	note("refresh");
}

uint32_t trust_floor(const struct trust_state *t, const char *name)
{
	return floor;
}

void trust_commit(struct trust_state *t, const char *name, struct trust_number generation,
        struct trust_number order, uint32_t kit_floor)
{
	note("believe");
}

void binary_release(struct binary *binary)
{
	note("release");
}

void recover_heartbeat_arm(struct service *s, nsec_t at)
{
	note("arm");
}

void rs_panic(const char *text)
{
	fprintf(stderr, "panic: %s\n", text);
	abort();
}

/* A transaction that has done what comes before the step. */
static struct txn_component *begin(enum rs_step step)
{
	struct txn_component *c = &txn.components[0];

	memset(&txn, 0, sizeof(txn));
	txn.step = step;
	txn.ticket = TICKET;
	txn.n_components = 1;
	txn.deadline = now + NSEC_SEC;
	service = (struct service){.endpoint = SERVICE,
	        .instance = {.slot = SERVICE, .space = OLD_SPACE},
	        .binary.kit.counter = OLD_KIT};
	*c = (struct txn_component){.service = &service,
	        .instance = {.slot = SPARE, .space = NEW_SPACE},
	        .binary.kit.counter = NEW_KIT,
	        .poll_at = NSEC_NEVER,
	        .poll_pause = NSEC_MSEC};
	info = (struct slot_info){.state = SLOT_REPORTED, .n_vm_faults = 3};
	bad_call = KCALL_receive; /* never made here */
	give_error = E_OK;
	floor = 0;
	return c;
}

/*
 * A layout that RS made goes into the first instance. So another try gets another layout, which in a
 * move's chain takes the place of the one that nobody heard of.
 */
static void test_create_again(void)
{
	static uint8_t payload[1];
	struct txn_component *c = begin(RS_STEP_CREATE);

	assert(component_create(&txn, c) == E_OK && trace_is("create mirror give start "));
	assert(service.next_kit == &c->binary.kit && service.next_space == NEW_SPACE);
	c->binary.layout.is_given = true;
	assert(component_create(&txn, c) == E_OK);
	assert(trace_is("renew create mirror give start ") && !c->binary.layout.is_given);
	/* What it has of the one that runs is counted anew. */
	c->binary.layout = (struct layout){.payload = payload, .is_given = true};
	service.binary.layout.payload = payload;
	c->is_same_kit = true;
	c->kept = (struct layout_kept){0};
	assert(component_create(&txn, c) == E_OK && c->kept.pieces == 5);
	assert(trace_is("renew create mirror give start "));
	service.binary.layout.payload = NULL;
	c->binary.layout.is_given = true;
	c->binary.n_made = 1;
	assert(component_create(&txn, c) == E_OK);
	assert(trace_is("renew follow create mirror give start "));
}

/*
 * Who was asked to be prepared, and does not stand in its report, is told that nobody waits for it
 * any more. Who stands there is resumed; who is gone, or was never asked, hears nothing.
 */
static void test_restore(void)
{
	static const struct {
		uint32_t n_tries;
		bool is_prepared, is_lost;
		const char *trace;
	} cases[] = {
	        {1, false, false, "cancel "},
	        {1, true, false, "resume "},
	        {1, false, true, ""},
	        {0, false, false, ""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct txn_component *c = begin(RS_STEP_ROLLBACK);

		c->n_prepare_tries = cases[i].n_tries;
		c->is_old_prepared = cases[i].is_prepared;
		c->is_lost = cases[i].is_lost;
		assert(component_restore(&txn, c) == E_OK && trace_is(cases[i].trace));
		assert(!c->is_old_prepared);
	}
}

/* From behind the switch the slots are swapped back before the old instance goes on. */
static void test_restore_swapped(void)
{
	struct txn_component *c = begin(RS_STEP_ROLLBACK);

	c->n_prepare_tries = 1;
	c->is_old_prepared = c->is_new_behind = true;
	assert(component_restore(&txn, c) == E_OK && trace_is("stop swap unhold resume "));
	assert(!c->is_new_behind);
}

/* The view of the old memory is brought up to date once that memory stands still. */
static void test_show(void)
{
	struct txn_component *c = begin(RS_STEP_SWITCH);

	assert(component_show(&txn, c) == E_OK && trace_is("mirror ") && c->is_shown);
}

/* A view that was made for the switch goes before the instance that has it. */
static void test_clear(void)
{
	struct txn_component *c = begin(RS_STEP_ROLLBACK);

	service.next_kit = &c->binary.kit;
	assert(component_clear(&txn, c) == E_OK && trace_is("destroy "));
	c->is_shown = true;
	assert(component_clear(&txn, c) == E_OK && trace_is("unmirror destroy "));
	assert(!c->is_shown && service.next_kit == NULL);
}

/* Only an instance that stands in its report is committed, and none below the floor. */
static void test_ready(void)
{
	static const struct {
		enum slot_state state;
		err_t err;
		uint32_t floor;
		err_t result;
	} cases[] = {
	        {SLOT_REPORTED, E_OK, NEW_KIT, E_OK},
	        {SLOT_REPORTED, E_OK, NEW_KIT + 1, E_V_FLOOR},
	        {SLOT_REPORTED, E_DEAD, 0, E_DEAD},
	        {SLOT_RUNNABLE, E_OK, 0, E_STATE},
	        {SLOT_FAULTED, E_OK, 0, E_STATE},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct txn_component *c = begin(RS_STEP_COMMIT);

		info.state = cases[i].state;
		floor = cases[i].floor;
		if (cases[i].err != E_OK) {
			bad_call = KCALL_slot_info;
			bad_error = cases[i].err;
		}
		assert(component_ready(&txn, c) == cases[i].result && trace_is(""));
		assert(c->n_vm_faults == (cases[i].result == E_OK ? 3 : 0));
	}
}

/* A commit that the kernel refuses has not happened; who was to run next is so still. */
static void test_commit_refused(void)
{
	struct txn_component *c = begin(RS_STEP_COMMIT);

	bad_call = KCALL_slot_commit;
	bad_error = E_STATE;
	service.next_kit = &c->binary.kit;
	assert(component_commit(&txn, c) == E_STATE && trace_is("commit "));
	assert(service.next_kit != NULL && txn.outcome != RS_OUTCOME_COMMITTED);
	assert(service.binary.kit.counter == OLD_KIT && c->binary.kit.counter == NEW_KIT);
}

static void test_commit(void)
{
	struct txn_component *c = begin(RS_STEP_COMMIT);

	service.next_kit = &c->binary.kit;
	assert(component_commit(&txn, c) == E_OK && trace_is("commit resume believe "));
	assert(service.next_kit == NULL && txn.outcome == RS_OUTCOME_COMMITTED);
	assert(service.binary.kit.counter == NEW_KIT && c->binary.kit.counter == OLD_KIT);
	assert(service.instance.space == NEW_SPACE && service.instance.slot == SERVICE);
	assert(c->instance.space == OLD_SPACE && c->instance.slot == SPARE);
	assert(c->poll_at == NSEC_NEVER);
}

/* A new instance that asks for more than RS may give never runs, and is nobody's next. */
static void test_create_refused(void)
{
	struct txn_component *c = begin(RS_STEP_CREATE);

	give_error = E_PERM;
	assert(component_create(&txn, c) == E_V_PRIVILEGE && trace_is("create mirror give "));
	assert(service.next_kit == NULL);
}

static void test_claim_same(void)
{
	struct txn_component *c = begin(RS_STEP_COMMIT);

	c->binary.kit = service.binary.kit;
	assert(component_claim(&txn, c) == E_OK && c->is_same_kit);
	c = begin(RS_STEP_COMMIT);
	assert(component_claim(&txn, c) == E_OK && !c->is_same_kit);
}

/* Two maps of one release are compared; a move is not, for its result is told to nobody. */
static void test_claim_kept(void)
{
	static uint8_t payload[2];

	for (uint32_t i = 0; i < 16; i++) {
		struct txn_component *c = begin(RS_STEP_COMMIT);

		c->kept = (struct layout_kept){0};
		if ((i & 1) == 0) {
			c->binary.kit = service.binary.kit;
		}
		service.binary.layout.payload = (i & 2) == 0 ? &payload[0] : NULL;
		c->binary.layout.payload = (i & 4) == 0 ? &payload[1] : NULL;
		txn.plan.is_move = (i & 8) != 0;
		assert(component_claim(&txn, c) == E_OK && c->kept.pieces == (i == 0 ? 5 : 0));
		service.binary.layout.payload = NULL;
		txn.plan.is_move = false;
	}
}

/* A move has no order: what the last order committed waits for its confirm as before. */
static void test_commit_move(void)
{
	struct txn_component *c = begin(RS_STEP_COMMIT);

	txn.plan.is_move = true;
	c->binary.kit = service.binary.kit;
	assert(component_claim(&txn, c) == E_OK && component_commit(&txn, c) == E_OK);
	assert(trace_is("commit resume "));
	txn.plan.is_move = false;
}

/* A component that was committed: RS looks whether the new instance has received. */
static struct txn_component *begin_committed(void)
{
	struct txn_component *c = begin(RS_STEP_COMMIT);

	assert(component_commit(&txn, c) == E_OK);
	trace[0] = '\0';
	return c;
}

/*
 * RS waits for the first receive without asking again, and no longer than the limit: an instance
 * that never receives would keep the slot of all updates.
 */
static void test_look(void)
{
	struct txn_component *c = begin_committed();

	assert(c->poll_at == NSEC_NEVER);
	component_look(&txn, c, now);
	assert(trace_is("") && c->poll_at == NSEC_NEVER && txn_is_awaited(&txn, c));
	component_look(&txn, c, txn.deadline - 1);
	assert(trace_is("") && txn_is_awaited(&txn, c));
	component_look(&txn, c, txn.deadline);
	assert(trace_is("unmirror settle destroy ") && !txn_is_awaited(&txn, c));
}

/* What the service was without: from its report to the first receive. */
static void test_look_received(void)
{
	struct txn_component *c = begin_committed();

	c->prepared_at = now - 5;
	info.first_receive_nsec = now + 2;
	component_look(&txn, c, now + 10);
	assert(trace_is("unmirror settle destroy ") && !txn_is_awaited(&txn, c));
	assert(c->blackout == 7 && service.last_blackout == 7 && service.longest_gap == 7);
}

/* After a commit the service may be another one's client: its kit is another one. */
static void test_end(void)
{
	struct txn_component *c = begin(RS_STEP_DONE);

	txn.outcome = RS_OUTCOME_ROLLED_BACK;
	assert(component_end(&txn, c) == E_OK && trace_is("release arm "));
	txn.outcome = RS_OUTCOME_COMMITTED;
	assert(component_end(&txn, c) == E_OK && trace_is("release refresh arm "));
	assert(service.state == RS_SERVICE_RUNNING);
}

int main(void)
{
	sys_gate = (vaddr_t)host_gate;
	now = 10 * NSEC_SEC;
	test_create_again();
	test_restore();
	test_restore_swapped();
	test_show();
	test_clear();
	test_ready();
	test_commit_refused();
	test_commit();
	test_create_refused();
	test_claim_same();
	test_claim_kept();
	test_commit_move();
	test_look();
	test_look_received();
	test_end();
	return 0;
}
