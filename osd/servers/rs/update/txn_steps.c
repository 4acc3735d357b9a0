/*
 * What the steps of a transaction do to the machine; when they are taken is decided in txn.c.
 *
 * What may well refuse is asked at CREATE, before anything stops: memory, the view of the old
 * instance, the new kit's privileges. Up to slot_commit every step can be taken back, and
 * txn_step_rollback() does: the old instance goes on before the rest is cleaned up. Behind
 * slot_commit there is no way back: an error there is a crash of the service. Taking back cannot
 * fail; if it does, RS has lost count of the machine, and stops.
 *
 * What the new instance reports is copied and bounded, never followed.
 */
#include "osd/servers/rs/update/txn.h"

#include <string.h>

#include "osd/lib/heap/heap_layout.h"
#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/life/binary.h"
#include "osd/servers/rs/update/hook.h"
#include "osd/servers/rs/life/instance.h"
#include "osd/servers/rs/base/log.h"
#include "osd/servers/rs/base/machine.h"
#include "osd/servers/rs/memory/memory.h"
#include "osd/servers/rs/life/service.h"
#include "osd/servers/rs/base/text.h"
#include "osd/servers/rs/trust/trust.h"

#define TXN_HEAP_SLACK_PAGES 48
#define TXN_COMMIT_POLL (100 * NSEC_USEC)
#define TXN_COMMIT_POLL_MAX (20 * NSEC_MSEC)
#define TXN_COMMIT_WAIT (2 * NSEC_SEC)

static struct vm_region txn_regions[RS_N_REGIONS];

/* Pages that the old heap uses; its word counts only as far as memory is there. */
static uint64_t txn_old_heap_pages(const struct update_txn *txn, uint32_t n_regions)
{
	const struct service *service = txn->service;
	struct heap_root root;
	uint64_t n_backed = 0;

	for (uint32_t i = 0; i < n_regions; i++) {
		if (txn_regions[i].va == service->instance.heap) {
			n_backed = txn_regions[i].resident_pages;
		}
	}
	if (service->binary.heap_root == 0 ||
	        sys_copy(service->endpoint, service->binary.heap_root, EP_SELF, (vaddr_t)&root,
	                sizeof(root), 0) != E_OK) {
		return n_backed;
	}
	return root.n_pages < n_backed ? root.n_pages : n_backed;
}

/* Types may have grown: half as much again, and something; four times that at the second try. */
static uint64_t txn_heap_bytes(const struct update_txn *txn, uint64_t old_pages)
{
	uint64_t pages = (old_pages + old_pages / 2 + TXN_HEAP_SLACK_PAGES)
	                 << 2 * txn->result->n_arena_tries;

	return heap_bytes_for_pages(pages, 1);
}

/* The new slot gets the new kit's privileges now: a kit that asks for too much is refused before
 * anything stops. */
static err_t txn_privileges_try(const struct update_txn *txn)
{
	struct slot_privileges privileges;

	service_privileges(&txn->binary.kit, &privileges);
	return sys_slot_privileges(txn->instance.slot, &privileges) == E_OK ? E_OK : E_V_PRIVILEGE;
}

static err_t txn_create(struct update_txn *txn)
{
	const struct instance *old = &txn->service->instance;
	uint32_t n_regions;
	err_t r = memory_regions(old->space, txn_regions, RS_N_REGIONS, &n_regions);

	if (r != E_OK) {
		return r;
	}
	txn->heap_backed = hook_heap_bytes(txn_heap_bytes(txn, txn_old_heap_pages(txn, n_regions)));
	txn->result->n_arena_tries++;
	r = instance_create(
	        &(struct instance_plan){
	                .binary = &txn->binary,
	                .kind = START_UPDATE,
	                .self = txn->service->endpoint,
	                .old = old,
	                .old_binary = &txn->service->binary,
	                .old_regions = txn_regions,
	                .n_old_regions = n_regions,
	                .asked_state = txn->state,
	                .accepts_loss = txn->plan.accepts_loss,
	                .heap_backed = txn->heap_backed,
	        },
	        &txn->instance);
	if (r != E_OK) {
		return r;
	}
	txn->result->arena_bytes = txn->heap_backed + txn->instance.scratch.bytes;
	/* The costly part of the view is made now; at the switch it is brought up to date. */
	r = memory_mirror(old->space, txn->instance.space);
	return r == E_OK ? txn_privileges_try(txn) : r;
}

void txn_step_create(struct update_txn *txn)
{
	err_t r = txn_create(txn);

	if (r == E_OK) {
		r = instance_start(&txn->instance);
	}
	if (r != E_OK) {
		txn_fail(txn, r, "the new instance could not be made");
		return;
	}
	txn_set_step(txn, RS_STEP_PAIR);
}

void txn_step_prepare(struct update_txn *txn)
{
	struct message msg = {.type = SEF_PREPARE};
	err_t r;

	*MSG_AS(struct sef_prepare, &msg) = (struct sef_prepare){
	        .transaction = txn->ticket,
	        .state = txn->state,
	        .prepare_only = txn->plan.action == ORDER_PREPARE,
	};
	txn->result->n_prepare_tries++;
	r = sys_asend(txn->service->endpoint, &msg);
	/* A full queue drains; ask again. */
	txn->poll_at = r == E_OK ? NSEC_NEVER : sys_clock_read() + txn->poll_pause;
}

void txn_step_switch(struct update_txn *txn)
{
	struct service *service = txn->service;
	err_t r = memory_mirror(service->instance.space, txn->instance.space);

	if (r != E_OK) {
		txn_fail(txn, r, "the old memory could not be shown to the new instance");
		return;
	}
	r = sys_slot_swap(service->endpoint, txn->instance.slot, SWAP_HOLD);
	if (r != E_OK) {
		memory_unmirror(service->instance.space, txn->instance.space);
		txn_fail(txn, r, "the slots could not be swapped");
		return;
	}
	txn->is_new_behind = true;
	txn_set_step(txn, RS_STEP_TRANSFER);
	if (sys_slot_resume(service->endpoint, SEF_RESUME_GO) != E_OK) {
		txn_fail(txn, E_STATE, "the new instance does not stand in its report");
	}
}

static void txn_terminate(char *field)
{
	field[SEF_TEXT_LEN - 1] = '\0';
}

void txn_read_transfer(struct update_txn *txn, vaddr_t address)
{
	struct sef_transfer_result *transfer = &txn->result->transfer;

	if (sys_copy(txn_new_endpoint(txn), address, EP_SELF, (vaddr_t)transfer, sizeof(*transfer),
	            0) != E_OK) {
		memset(transfer, 0, sizeof(*transfer));
		transfer->err = E_TRANSFER;
	}
	transfer->err = transfer->err < 0 ? transfer->err : E_TRANSFER;
	txn_terminate(transfer->element);
	txn_terminate(transfer->message);
	txn_terminate(transfer->removed);
}

/* From here on the new instance is the service: exchange what RS keeps of the two. */
static void txn_exchange(struct update_txn *txn)
{
	struct service *service = txn->service;
	struct binary binary = service->binary;
	struct instance instance = service->instance;
	endpoint_t spare = txn->instance.slot;

	service->binary = txn->binary;
	service->instance = txn->instance;
	service->instance.slot = service->endpoint;
	txn->binary = binary;
	txn->instance = instance;
	txn->instance.slot = spare;
}

static err_t txn_privileges_give(const struct update_txn *txn, const struct binary *binary)
{
	struct slot_privileges privileges;

	service_privileges(&binary->kit, &privileges);
	return sys_slot_privileges(txn->service->endpoint, &privileges);
}

/*
 * Make the new instance the service. On an error nothing has happened: slot_commit is the last that
 * may fail, and the slot has the privileges again that it had before.
 */
static err_t txn_commit_slot(struct update_txn *txn)
{
	const struct service *service = txn->service;
	struct slot_info info;
	err_t r = sys_slot_info(service->endpoint, &info);

	if (r != E_OK) {
		return r;
	}
	if (info.state != SLOT_REPORTED) {
		return E_STATE;
	}
	/* A statement may have raised it since the order was accepted. */
	if (txn->binary.kit.counter < trust_floor(&machine.trust, service->name)) {
		return E_V_FLOOR;
	}
	txn->result->n_vm_faults = info.n_vm_faults;
	r = hook_commit(HOOK_PRIVILEGES);
	if (r == E_OK) {
		r = txn_privileges_give(txn, &txn->binary);
	}
	if (r != E_OK) {
		return r;
	}
	r = hook_commit(HOOK_COMMIT);
	if (r == E_OK) {
		r = sys_slot_commit(service->endpoint);
	}
	if (r != E_OK && txn_privileges_give(txn, &service->binary) != E_OK) {
		rs_panic("privileges that were accepted once are refused");
	}
	return r;
}

/* Committed, but it cannot go on: there is no way back, so this is a crash of the service. */
static void txn_stuck(struct update_txn *txn, err_t err)
{
	struct text text = text_init(txn->crash_text, sizeof(txn->crash_text));

	text_add(&text, "cannot be resumed after its commit");
	txn->crash_err = err;
	txn->is_old_ended = true;
	txn_step_settle(txn, true);
}

void txn_step_commit(struct update_txn *txn)
{
	struct service *service = txn->service;
	err_t r = txn_commit_slot(txn);
	nsec_t now;

	if (r != E_OK) {
		txn_fail(txn, r, "the new instance could not be committed");
		return;
	}
	r = hook_commit(HOOK_RESUME);
	if (r == E_OK) {
		r = sys_slot_resume(service->endpoint, SEF_RESUME_COMMITTED);
	}
	txn->result->transfer.err = E_OK;
	txn_exchange(txn);
	txn->is_old_prepared = false;
	txn->outcome = RS_OUTCOME_COMMITTED;
	trust_commit(&machine.trust, service->name, service->binary.generation, txn->plan.number,
	        service->binary.kit.floor);
	/*
	 * RS waits now, so that the service runs; what is left to do comes
	 * after its first receive.
	 */
	now = sys_clock_read();
	service->started = now;
	txn->deadline = now + TXN_COMMIT_WAIT;
	txn->poll_pause = TXN_COMMIT_POLL;
	txn->poll_at = now + txn->poll_pause;
	if (r != E_OK) {
		txn_stuck(txn, r);
	}
}

static void txn_measure(struct update_txn *txn, nsec_t first_receive)
{
	struct service *service = txn->service;
	nsec_t blackout = first_receive - txn->prepared_at;

	txn->result->blackout = blackout;
	service->last_blackout = blackout;
	service->longest_gap = blackout > service->longest_gap ? blackout : service->longest_gap;
	service->state_bytes = txn->result->transfer.bytes;
	service->state_objects = txn->result->transfer.objects;
}

void txn_step_settle(struct update_txn *txn, bool is_late)
{
	struct service *service = txn->service;
	nsec_t now = sys_clock_read();
	struct slot_info info = {0};

	(void)sys_slot_info(service->endpoint, &info);
	if (info.first_receive_nsec == 0 && !is_late && now < txn->deadline) {
		if (txn->poll_pause < TXN_COMMIT_POLL_MAX) {
			txn->poll_pause *= 2;
		}
		txn->poll_at = now + txn->poll_pause;
		return;
	}
	txn_measure(txn, info.first_receive_nsec != 0 ? info.first_receive_nsec : now);
	memory_unmirror(txn->instance.space, service->instance.space);
	instance_settle(&service->instance);
	instance_destroy(&txn->instance);
	txn->is_new_behind = false;
	txn_set_step(txn, RS_STEP_DONE);
}

/* Put the old instance back behind the service's endpoint. */
static void txn_swap_back(struct update_txn *txn)
{
	endpoint_t endpoint = txn->service->endpoint;

	if (sys_slot_stop(endpoint) != E_OK ||
	        sys_slot_swap(endpoint, txn->instance.slot, 0) != E_OK ||
	        sys_slot_unhold(endpoint) != E_OK) {
		rs_panic("a rollback failed");
	}
	txn->is_new_behind = false;
}

static uint64_t txn_resume_reason(const struct update_txn *txn)
{
	if (txn->outcome == RS_OUTCOME_PREPARED) {
		return SEF_RESUME_PREPARE_ONLY;
	}
	return txn_will_retry(txn) ? SEF_RESUME_RETRY : SEF_RESUME_ROLLED_BACK;
}

void txn_step_rollback(struct update_txn *txn)
{
	struct message cancel = {.type = SEF_CANCEL, .w = {txn->ticket}};
	struct service *service = txn->service;
	bool was_behind = txn->is_new_behind;

	if (was_behind) {
		txn_swap_back(txn);
	}
	if (txn->is_old_prepared) {
		txn->is_old_prepared = false;
		if (sys_slot_resume(service->endpoint, txn_resume_reason(txn)) != E_OK) {
			rs_panic("a prepared service cannot be resumed");
		}
	} else if (!txn->is_old_ended && txn->result->n_prepare_tries > 0) {
		(void)sys_asend(service->endpoint, &cancel);
	}
	if (was_behind) {
		memory_unmirror(service->instance.space, txn->instance.space);
	}
	instance_destroy(&txn->instance);
}
