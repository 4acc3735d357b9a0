/*
 * What the steps of a transaction do to one service and its two instances; when, and to which, is
 * decided in txn.c. Every function here is one phase of a step, or what ends one.
 *
 *	           service's slot                    spare slot
 *	CREATE     old, at work                      new, uncommitted: pairs the descriptions
 *	PREPARE    old, stands in its report         new, stands in its report
 *	SWITCH     new, held: senders queue          old
 *	TRANSFER   new: state comes over             old, its memory is being read
 *	COMMIT     new, open                         old, ended when the new one has received
 *	ROLLBACK   old, goes on                      new, ended
 *
 * What may well refuse is asked at CREATE, before anything stops: memory, the view of the old
 * instance, the new kit's privileges. Those are of the domain of the new instance's space, as the old
 * one's are of its own: they change places with the instances. Up to the kernel's slot_commit everything can be taken back,
 * and component_restore() and component_clear() do: the old instance goes on before the rest is
 * cleaned up. Behind slot_commit there is no way back: an error there is a crash of the service.
 * Taking back cannot fail; if it does, RS has lost count of the machine, and stops.
 */
#include "osd/servers/rs/update/priv.h"

#include <string.h>

#include "osd/lib/heap/heap_layout.h"
#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/base/log.h"
#include "osd/servers/rs/base/text.h"
#include "osd/servers/rs/life/recover.h"
#include "osd/servers/rs/memory/memory.h"
#include "osd/servers/rs/update/hook.h"

/* Heap of a new instance: half as much again as the old one uses, since types may have grown, and
 * something for what it needs at once. */
#define COMPONENT_HEAP_SLACK_PAGES 48
/* After a lack of arena: four times as much. */
#define COMPONENT_HEAP_RETRY_SHIFT 2

static struct vm_region component_regions[RS_N_REGIONS]; /* scratch of component_create() */

/* What the new layout has of the old one, while both maps are there. Nobody reads the result of a move. */
static void component_compare(const struct update_txn *txn, struct txn_component *c)
{
	if (c->is_same_kit && !txn->plan.is_move && binary_is_machine_made(&c->binary) &&
	        binary_is_machine_made(&c->service->binary)) {
		layout_compare(
		        &c->binary.flat, &c->service->binary.layout, &c->binary.layout, &c->kept);
	}
}

err_t component_claim(struct update_txn *txn, struct txn_component *c)
{
	service_set_state(c->service, RS_SERVICE_UPDATING);
	c->is_same_kit =
	        memcmp(&c->binary.kit, &c->service->binary.kit, sizeof(c->binary.kit)) == 0;
	component_compare(txn, c);
	return E_OK;
}

/*
 * Pages that the old heap uses. What the old instance's own heap root says counts only as far as
 * memory is there: the instance can write anything into it.
 */
static uint64_t component_old_heap_pages(const struct service *service, uint32_t n_regions)
{
	struct heap_root root;
	uint64_t n_backed = 0;

	for (uint32_t i = 0; i < n_regions; i++) {
		if (component_regions[i].va == service->instance.heap) {
			n_backed = component_regions[i].resident_pages;
		}
	}
	if (service->binary.heap_root == 0 ||
	        sys_copy(service->endpoint, service->binary.heap_root, EP_SELF, (vaddr_t)&root,
	                sizeof(root), 0) != E_OK) {
		return n_backed;
	}
	return root.n_pages < n_backed ? root.n_pages : n_backed;
}

static uint64_t component_heap_bytes(const struct txn_component *c, uint64_t old_pages)
{
	uint64_t pages = (old_pages + old_pages / 2 + COMPONENT_HEAP_SLACK_PAGES)
	                 << COMPONENT_HEAP_RETRY_SHIFT * c->n_arena_lacks;

	return heap_bytes_for_pages(pages, 1);
}

/*
 * The new instance has the new kit's privileges from now on, of which it can use none before its commit: a
 * kit that asks for more than RS may give is refused before anything stops.
 */
static err_t component_privileges_give(const struct txn_component *c)
{
	if (service_privileges_give(&c->binary.kit, c->instance.space) != E_OK) {
		return E_V_PRIVILEGE;
	}
	c->service->next_space = c->instance.space;
	c->service->next_kit = &c->binary.kit;
	return E_OK;
}

/*
 * A layout that RS made went into the instance of the first try, and with that instance it is gone.
 * Nobody has been told of it: the next one takes its place, in a move's chain, too.
 */
static err_t component_layout_again(
        const struct update_txn *txn, struct txn_component *c, uint32_t n_regions)
{
	err_t err;

	if (!binary_is_given(&c->binary)) {
		return E_OK;
	}
	err = binary_renew(&c->binary, component_regions, n_regions);
	if (err == E_OK && c->binary.n_made > 0) {
		binary_follow(&c->binary, &c->service->binary);
	}
	if (err == E_OK) {
		component_compare(txn, c);
	}
	return err;
}

static err_t component_make(const struct update_txn *txn, struct txn_component *c)
{
	const struct service *service = c->service;
	struct instance_plan plan = {
	        .binary = &c->binary,
	        .kind = START_UPDATE,
	        .self = service->endpoint,
	        .old = &service->instance,
	        .old_binary = &service->binary,
	        .old_regions = component_regions,
	        .asked_state = c->state,
	        .accepts_loss = c->accepts_loss,
	};
	err_t err = memory_regions(
	        service->instance.space, component_regions, RS_N_REGIONS, &plan.n_old_regions);

	if (err == E_OK) {
		err = component_layout_again(txn, c, plan.n_old_regions);
	}
	if (err != E_OK) {
		return err;
	}
	plan.heap_backed = hook_heap_bytes(
	        component_heap_bytes(c, component_old_heap_pages(service, plan.n_old_regions)));
	c->n_arena_tries++;
	err = instance_create(&plan, &c->instance);
	if (err == E_OK) {
		c->arena_bytes = plan.heap_backed + c->instance.scratch.bytes;
	}
	return err;
}

/* Make the new instance in a slot of its own, with a view of the old one, and let it run. */
err_t component_create(struct update_txn *txn, struct txn_component *c)
{
	err_t err = component_make(txn, c);

	if (err == E_OK) {
		/* The costly part of the view; at the switch it is only brought up to date. */
		err = memory_mirror(c->service->instance.space, c->instance.space);
	}
	if (err == E_OK) {
		err = component_privileges_give(c);
	}
	return err == E_OK ? instance_start(&c->instance) : err;
}

/* Ask the old instance to reach its state; the answer is a report, or SEF_PREPARE_REFUSED. */
err_t component_ask(struct update_txn *txn, struct txn_component *c)
{
	struct message msg = {.type = SEF_PREPARE};
	err_t err;

	*MSG_AS(struct sef_prepare, &msg) = (struct sef_prepare){
	        .transaction = txn->ticket,
	        .state = c->state,
	        .prepare_only = txn->plan.action == ORDER_PREPARE,
	};
	c->n_prepare_tries++;
	err = sys_asend(c->service->endpoint, &msg);
	/* A full queue drains; ask again. */
	c->poll_at = err == E_OK ? NSEC_NEVER : sys_clock_read() + c->poll_pause;
	return E_OK;
}

void component_ask_again(struct update_txn *txn, struct txn_component *c, nsec_t now)
{
	c->poll_pause *= 2;
	(void)component_ask(txn, c);
}

/* The old memory stands still from now on: bring the view up to date. */
err_t component_show(struct update_txn *txn, struct txn_component *c)
{
	err_t err = memory_mirror(c->service->instance.space, c->instance.space);

	c->is_shown = err == E_OK;
	return err;
}

/* The new instance takes the service's slot, which is held: who sends to it waits. */
err_t component_swap(struct update_txn *txn, struct txn_component *c)
{
	err_t err = sys_slot_swap(c->service->endpoint, c->instance.slot, SWAP_HOLD);

	c->is_new_behind = err == E_OK;
	return err;
}

/* The new instance, which stands in its READY report, goes on and transfers the state. */
err_t component_go(struct update_txn *txn, struct txn_component *c)
{
	return sys_slot_resume(c->service->endpoint, SEF_RESUME_GO) == E_OK ? E_OK : E_STATE;
}

/* All that can still refuse a commit, before the first component is committed. */
err_t component_ready(struct update_txn *txn, struct txn_component *c)
{
	struct slot_info info;
	err_t err = sys_slot_info(c->service->endpoint, &info);

	if (err != E_OK) {
		return err;
	}
	if (info.state != SLOT_REPORTED) {
		return E_STATE;
	}
	/* A statement may have raised it since the order was accepted. */
	if (c->binary.kit.counter < trust_floor(&machine.trust, c->service->name)) {
		return E_V_FLOOR;
	}
	c->n_vm_faults = info.n_vm_faults;
	return E_OK;
}

/* Make the new instance the service. On an error nothing has happened. */
static err_t component_commit_slot(const struct txn_component *c)
{
	err_t err = hook_commit(HOOK_COMMIT);

	return err == E_OK ? sys_slot_commit(c->service->endpoint) : err;
}

/* From here on the new instance is the service: exchange what RS keeps of the two. */
static void component_exchange(struct txn_component *c)
{
	struct service *service = c->service;
	struct binary binary = service->binary;
	struct instance instance = service->instance;
	endpoint_t spare = c->instance.slot;

	service->binary = c->binary;
	service->instance = c->instance;
	service->instance.slot = service->endpoint;
	c->binary = binary;
	c->instance = instance;
	c->instance.slot = spare;
	service->next_kit = NULL;
	c->is_old_prepared = false;
}

/* Committed, but it cannot go on: there is no way back, so this is a crash of the service. */
static void component_stuck(struct update_txn *txn, struct txn_component *c, err_t err)
{
	struct text text = text_init(c->crash_text, sizeof(c->crash_text));

	text_add(&text, "cannot be resumed after its commit");
	c->crash_err = err;
	c->is_lost = true;
	component_settle(txn, c);
}

/*
 * Commit and let the new instance go on. Then RS waits, so that the service runs: what is left to
 * do comes after its first receive, for which component_look() looks.
 *
 * The kernel commits slot by slot, and a second slot that refused could not be taken back together
 * with the first: order.c accepts no set until the kernel commits one in a single step.
 */
err_t component_commit(struct update_txn *txn, struct txn_component *c)
{
	struct service *service = c->service;
	err_t err = component_commit_slot(c);

	if (err != E_OK) {
		return err;
	}
	err = hook_commit(HOOK_RESUME);
	if (err == E_OK) {
		err = sys_slot_resume(service->endpoint, SEF_RESUME_COMMITTED);
	}
	c->transfer.err = E_OK;
	component_exchange(c);
	txn->outcome = RS_OUTCOME_COMMITTED;
	if (!txn->plan.is_move) { /* what an order committed still waits for its confirm */
		trust_commit(&machine.trust, service->name, service->binary.generation,
		        txn->plan.number, service->binary.kit.floor);
	}
	service->started = sys_clock_read();
	if (err != E_OK) {
		component_stuck(txn, c, err);
	}
	return E_OK;
}

static void component_measure(struct txn_component *c, nsec_t first_receive)
{
	struct service *service = c->service;

	c->blackout = first_receive - c->prepared_at;
	service->last_blackout = c->blackout;
	if (c->blackout > service->longest_gap) {
		service->longest_gap = c->blackout;
	}
	service->state_bytes = c->transfer.bytes;
	service->state_objects = c->transfer.objects;
}

void component_settle(struct update_txn *txn, struct txn_component *c)
{
	struct service *service = c->service;
	struct slot_info info = {0};

	(void)sys_slot_info(service->endpoint, &info);
	component_measure(
	        c, info.first_receive_nsec != 0 ? info.first_receive_nsec : sys_clock_read());
	memory_unmirror(c->instance.space, service->instance.space);
	c->is_shown = false;
	instance_settle(&service->instance);
	instance_destroy(&c->instance);
	c->is_new_behind = false;
	txn_reach(txn, c);
}

/* Has the new instance received, of which the kernel notifies? Then, or when the limit is over, clear up. */
void component_look(struct update_txn *txn, struct txn_component *c, nsec_t now)
{
	struct slot_info info = {0};

	(void)sys_slot_info(c->service->endpoint, &info);
	if (info.first_receive_nsec != 0 || now >= txn->deadline) {
		component_settle(txn, c);
	}
}

/* Put the old instance back behind the service's endpoint. */
static void component_swap_back(struct txn_component *c)
{
	endpoint_t endpoint = c->service->endpoint;

	if (sys_slot_stop(endpoint) != E_OK ||
	        sys_slot_swap(endpoint, c->instance.slot, 0) != E_OK ||
	        sys_slot_unhold(endpoint) != E_OK) {
		rs_panic("a rollback failed");
	}
	c->is_new_behind = false;
}

/* What the old instance learns when it goes on. */
static uint64_t component_resume_reason(const struct update_txn *txn)
{
	if (txn->outcome == RS_OUTCOME_PREPARED) {
		return SEF_RESUME_PREPARE_ONLY;
	}
	return txn_will_retry(txn) ? SEF_RESUME_RETRY : SEF_RESUME_ROLLED_BACK;
}

/* First of a rollback: the old instance is at work again, whatever has happened so far. */
err_t component_restore(struct update_txn *txn, struct txn_component *c)
{
	struct message cancel = {.type = SEF_CANCEL, .w = {txn->ticket}};

	if (c->is_new_behind) {
		component_swap_back(c);
	}
	if (c->is_old_prepared) {
		c->is_old_prepared = false;
		if (sys_slot_resume(c->service->endpoint, component_resume_reason(txn)) != E_OK) {
			rs_panic("a prepared service cannot be resumed");
		}
	} else if (!c->is_lost && c->n_prepare_tries > 0) {
		(void)sys_asend(c->service->endpoint, &cancel);
	}
	return E_OK;
}

/* Then the new one goes, with all that was made for it. Takes one that was never made. */
err_t component_clear(struct update_txn *txn, struct txn_component *c)
{
	if (c->is_shown) {
		memory_unmirror(c->service->instance.space, c->instance.space);
		c->is_shown = false;
	}
	c->service->next_kit = NULL;
	instance_destroy(&c->instance);
	return E_OK;
}

/*
 * Let go of the binary that does not run, and of the service. A new kit may have made it a client of
 * others, or no longer; they learn it now that nobody waits.
 */
err_t component_end(struct update_txn *txn, struct txn_component *c)
{
	binary_release(&c->binary);
	if (txn->outcome == RS_OUTCOME_COMMITTED) {
		service_privileges_refresh();
	}
	service_set_state(c->service, RS_SERVICE_RUNNING);
	recover_heartbeat_arm(c->service, sys_clock_read());
	return E_OK;
}
