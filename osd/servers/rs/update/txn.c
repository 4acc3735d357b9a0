/*
 * The engine of an update transaction: it takes the steps that step.c allows, does the work of each
 * for every component, waits at the barrier, and keeps limits and causes. What the work is stands
 * in component.c, one function a phase.
 *
 * A step has up to two phases. A phase is done for all components before the next phase begins: so
 * what may refuse comes first in a step, and is asked of everybody before it is acted on.
 *
 * In every state:
 *  - the services are UPDATING from the work of VERIFY to the work of DONE, RUNNING before and
 *    after;
 *  - every new instance is behind its service's slot (is_new_behind) in TRANSFER and COMMIT, and
 *    none is in any other step but on the way through SWITCH and ROLLBACK;
 *  - an old instance that reported PREPARED is resumed exactly once, unless COMMIT replaces it;
 *  - what the transaction made (instances, references to blobs) is gone in DONE.
 *
 * Work is done in txn_run(), after the reply to whoever caused it. A transaction rests only in
 * steps that wait: for reports (report.c), or for time (txn_tick).
 */
#include "osd/servers/rs/update/priv.h"

#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/base/journal.h"
#include "osd/servers/rs/base/limit.h"
#include "osd/servers/rs/base/log.h"
#include "osd/servers/rs/base/text.h"
#include "osd/servers/rs/life/recover.h"
#include "osd/servers/rs/update/hook.h"
#include "osd/servers/rs/update/result.h"

#define TXN_PAIR_LIMIT (5 * NSEC_SEC)
#define TXN_PREPARE_LIMIT (2 * NSEC_SEC)
#define TXN_TRANSFER_LIMIT (2 * NSEC_SEC)
/* A new instance that has not received by then is slow, not wrong: it is the service already. */
#define TXN_COMMIT_LIMIT (2 * NSEC_SEC)
#define TXN_TOTAL_LIMIT (15 * NSEC_SEC)
#define TXN_PREPARE_POLL NSEC_MSEC
#define TXN_N_PHASES 2

struct txn_step {
	struct {
		txn_work *work;
		const char *failure; /* what it means when the work fails; NULL: it cannot */
	} phases[TXN_N_PHASES];
	nsec_t limit;    /* unless the order has its own; 0: the step does not wait */
	txn_poll *poll;  /* NULL: only reports end the wait */
	nsec_t pause;    /* before the first poll */
	bool looks;      /* poll also when the kernel says that something happened to a slot */
	bool fails_late; /* at its limit; else poll() deals with it */
	bool is_open;    /* the old instances still work */
	bool is_quiet;   /* services are held: subscribers are notified afterwards */
	bool is_reverse; /* the last component first */
};

static const struct txn_step txn_steps[RS_STEP_N] = {
        [RS_STEP_VERIFY] = {.phases = {{component_claim, NULL}}},
        [RS_STEP_CREATE] = {.phases = {{component_create, "the new instance could not be made"}}},
        [RS_STEP_PAIR] = {.limit = TXN_PAIR_LIMIT, .fails_late = true, .is_open = true},
        [RS_STEP_PREPARE] = {.phases = {{component_ask, NULL}},
                .limit = TXN_PREPARE_LIMIT,
                .poll = component_ask_again,
                .pause = TXN_PREPARE_POLL,
                .fails_late = true,
                .is_open = true},
        [RS_STEP_SWITCH] = {.phases = {{component_show,
                                               "the old memory could not be shown to the new "
                                               "instance"},
                                    {component_swap, "the slots could not be swapped"}},
                .is_quiet = true},
        [RS_STEP_TRANSFER] = {.phases = {{component_go,
                                      "the new instance does not stand in its report"}},
                .limit = TXN_TRANSFER_LIMIT,
                .fails_late = true,
                .is_quiet = true},
        [RS_STEP_COMMIT] = {.phases = {{component_ready, "the new instance could not be committed"},
                                    {component_commit, "the new instance could not be committed"}},
                .limit = TXN_COMMIT_LIMIT,
                .poll = component_look,
                .looks = true,
                .is_quiet = true},
        [RS_STEP_ROLLBACK] = {.phases = {{component_restore, NULL}, {component_clear, NULL}},
                .is_quiet = true,
                .is_reverse = true},
        [RS_STEP_DONE] = {.phases = {{component_end, NULL}}},
};

static const char *const txn_step_names[RS_STEP_N] = {
        [RS_STEP_NONE] = "none",
#define STEP(name, word, blame) [RS_STEP_##name] = word,
#include "proto/words/steps.def"
#undef STEP
};

bool txn_is_open(const struct update_txn *txn)
{
	return txn_steps[txn->step].is_open;
}

bool txn_is_waiting(const struct update_txn *txn)
{
	return txn_steps[txn->step].limit != 0;
}

/* The invariants of the top comment, when a step has been entered. */
static void txn_check(const struct update_txn *txn)
{
	bool is_swapped = txn->step == RS_STEP_TRANSFER || txn->step == RS_STEP_COMMIT;
	bool is_over = txn->step == RS_STEP_DONE || txn->step == RS_STEP_NONE;

	for (uint32_t i = 0; i < txn->n_components; i++) {
		const struct txn_component *c = &txn->components[i];

		if ((is_swapped && !c->is_new_behind) ||
		        (is_over && (c->is_new_behind || c->is_old_prepared ||
		                            c->instance.slot != EP_NONE))) {
			rs_panic("a transaction is not what its step says");
		}
	}
}

/* The result as far as it goes, so that it can be asked for while the transaction runs. */
static void txn_show(struct update_txn *txn)
{
	const struct txn_component *c = txn_subject(txn);
	struct rs_result *result = txn->result;

	result->err = txn->err;
	result->blackout = c->blackout;
	result->image_bytes = c->image_bytes;
	result->arena_bytes = c->arena_bytes;
	result->n_vm_faults = c->n_vm_faults;
	result->layout_nsec = c->layout_nsec;
	result->layout_pieces = c->kept.pieces;
	result->layout_kept_address = c->kept.address;
	result->layout_kept_base = c->kept.base;
	result->n_prepare_tries = c->n_prepare_tries;
	result->n_arena_tries = c->n_arena_tries;
	result->transfer = c->transfer;
	memcpy(result->service, c->service->name, SERVICE_NAME_LEN);
}

static nsec_t txn_limit(nsec_t asked, nsec_t usual)
{
	return asked != 0 ? asked : usual;
}

/* What a step begins with: its limit, and the first poll not due before something asks for it. */
static void txn_enter(struct update_txn *txn)
{
	const struct txn_step *step = &txn_steps[txn->step];

	txn->n_phases = 0;
	txn->deadline = NSEC_NEVER;
	if (step->limit != 0) {
		txn->deadline =
		        sys_clock_read() + txn_limit(txn->plan.limit[txn->step], step->limit);
	}
	for (uint32_t i = 0; i < txn->n_components; i++) {
		txn->components[i].poll_at = NSEC_NEVER;
		txn->components[i].poll_pause = step->pause;
	}
}

static void txn_tell_step(const struct update_txn *txn)
{
	journal_add(&(struct journal_entry){
	        .kind = RS_EVENT_STEP,
	        .step = txn->step,
	        .transaction = txn->plan.number,
	        .err = txn->err,
	        .service = txn->result->service,
	        .text = txn_step_names[txn->step],
	});
}

static void txn_tell_result(const struct update_txn *txn)
{
	const struct rs_result *result = txn->result;

	journal_add(&(struct journal_entry){
	        .kind = RS_EVENT_RESULT,
	        .step = result->step,
	        .transaction = txn->plan.number,
	        .err = result->err,
	        .service = result->service,
	        .text = result->transfer.message,
	});
}

void txn_set_step(struct update_txn *txn, enum txn_event event)
{
	enum rs_step step = txn_next(txn->step, event);

	if (step == RS_STEP_N) {
		rs_panic("a transaction made an impossible move");
	}
	txn->step = step;
	txn_enter(txn);
	txn_check(txn);
	if (step == RS_STEP_NONE) {
		return;
	}
	txn_show(txn);
	if (txn->result->step_at[step] == 0) {
		txn->result->step_at[step] = sys_clock_read();
	}
	if (step != RS_STEP_DONE && step != RS_STEP_ROLLBACK) {
		txn->result->step = step;
	}
	journal_quiet(txn_steps[step].is_quiet);
	if (!txn->plan.is_move) {
		txn_tell_step(txn);
	}
	hook_step(txn);
}

void txn_fail(struct update_txn *txn, struct txn_component *c, err_t err, const char *message)
{
	struct text text;

	if (txn->err == E_OK) {
		txn->err = err;
		txn->culprit = c;
		if (c->transfer.message[0] == '\0') {
			text = text_init(c->transfer.message, SEF_TEXT_LEN);
			text_add(&text, message);
		}
	}
	txn->outcome = RS_OUTCOME_ROLLED_BACK;
	txn_set_step(txn, TXN_FAILED);
}

void txn_lost(struct update_txn *txn, struct txn_component *c, err_t err, const char *why)
{
	struct text text = text_init(c->crash_text, sizeof(c->crash_text));

	text_add(&text, why);
	c->crash_err = err;
	c->is_lost = true;
	text = text_init(c->transfer.message, SEF_TEXT_LEN);
	text_add(&text, "the running instance ended: ");
	text_add(&text, why);
	txn_fail(txn, c, err, "");
}

void txn_begin(struct update *update, const struct update_plan *plan, uint32_t n)
{
	struct update_txn *txn = &update->txn;
	nsec_t now = sys_clock_read();

	txn->plan = *plan;
	txn->n_components = n;
	txn->ticket = ++update->n_begun;
	txn->outcome = RS_OUTCOME_RUNNING;
	txn->err = E_OK;
	txn->culprit = NULL;
	txn->total_deadline = now + txn_limit(plan->total_limit, TXN_TOTAL_LIMIT);
	if (plan->is_move) {
		update->moved = (struct rs_result){.transaction = plan->number.number};
		txn->result = &update->moved;
	} else {
		txn->result = result_open(plan->number);
	}
	txn->result->outcome = RS_OUTCOME_RUNNING;
	txn->result->action = plan->action;
	txn->result->started = now;
	txn->result->asked = update->asked;
	txn_set_step(txn, TXN_BEGIN);
}

err_t txn_cancel(struct update_txn *txn, const char *why)
{
	if (!txn_is_open(txn)) {
		return E_STATE;
	}
	txn_fail(txn, txn_slowest(txn), E_CANCELLED, why);
	txn_run(txn);
	return E_OK;
}

/* All is taken back: forget the failure, and let the culprit have more. */
static void txn_retry(struct update_txn *txn)
{
	txn->culprit->n_arena_lacks++;
	memset(&txn->culprit->transfer, 0, sizeof(txn->culprit->transfer));
	txn->culprit = NULL;
	txn->err = E_OK;
	txn->outcome = RS_OUTCOME_RUNNING;
	txn_set_step(txn, TXN_RETRY);
}

/* Does any component bring something that could run? */
static bool txn_has_news(const struct update_txn *txn)
{
	for (uint32_t i = 0; i < txn->n_components; i++) {
		if (txn->components[i].binary.image.header != NULL) {
			return true;
		}
	}
	return false;
}

/* Where it lies, if that is known outside anyway; else what was committed to. */
static void txn_show_layout(const struct binary *binary, struct rs_result *result)
{
	if (binary_is_machine_made(binary)) {
		memcpy(result->commitment, binary->layout.commitment, sizeof(result->commitment));
		memcpy(result->sealed, binary->layout.sealed, sizeof(result->sealed));
		return;
	}
	result->base = binary->image.header->base;
	memcpy(result->build_id, binary->image.header->build_id, sizeof(result->build_id));
}

static void txn_finish_result(struct update_txn *txn)
{
	const struct service *service = txn_subject(txn)->service;
	struct rs_result *result = txn->result;

	txn_show(txn);
	result->outcome = txn->outcome;
	if (service->binary.image.header != NULL) {
		result->generation = service->binary.generation.number;
		result->generation_epoch = service->binary.generation.epoch;
		txn_show_layout(&service->binary, result);
	}
	if (!txn->plan.is_move) {
		txn_tell_result(txn);
	}
}

/* Everybody is back at work; services that crashed meanwhile are recovered now. */
static void txn_finish(struct update_txn *txn)
{
	txn_finish_result(txn);
	txn_set_step(txn, TXN_REACHED);
	for (uint32_t i = 0; i < txn->n_components; i++) {
		struct txn_component *c = &txn->components[i];

		if (c->is_lost) {
			recover_crash(c->service, c->crash_err, c->crash_text);
		}
	}
}

/* Every component has done the step: where to? */
static void txn_leave(struct update_txn *txn)
{
	switch (txn->step) {
	case RS_STEP_VERIFY:
		txn_set_step(txn, txn_has_news(txn) ? TXN_REACHED : TXN_NO_NEWS);
		break;
	case RS_STEP_PREPARE:
		if (txn->plan.action == ORDER_PREPARE) {
			txn->outcome = RS_OUTCOME_PREPARED;
			txn_set_step(txn, TXN_ANSWERED);
		} else {
			txn_set_step(txn, TXN_REACHED);
		}
		break;
	case RS_STEP_ROLLBACK:
		if (txn_will_retry(txn)) {
			txn_retry(txn);
		} else {
			txn_set_step(txn, TXN_REACHED);
		}
		break;
	case RS_STEP_DONE:
		txn_finish(txn);
		break;
	case RS_STEP_CREATE:
	case RS_STEP_PAIR:
	case RS_STEP_SWITCH:
	case RS_STEP_TRANSFER:
	case RS_STEP_COMMIT:
		txn_set_step(txn, TXN_REACHED);
		break;
	case RS_STEP_NONE:
	case RS_STEP_N:
		break;
	}
}

/* One phase for every component. False: one failed, and the transaction is in another step. */
static bool txn_do_phase(struct update_txn *txn, uint32_t phase)
{
	const struct txn_step *step = &txn_steps[txn->step];
	uint32_t n = txn->n_components;

	for (uint32_t i = 0; step->phases[phase].work != NULL && i < n; i++) {
		struct txn_component *c = &txn->components[step->is_reverse ? n - 1 - i : i];
		err_t err = step->phases[phase].work(txn, c);

		if (err != E_OK) {
			txn_fail(txn, c, err, step->phases[phase].failure);
			return false;
		}
	}
	return true;
}

/* The work of a step that was entered; without anybody to wait for, it is reached with that. */
static void txn_do_step(struct update_txn *txn)
{
	while (txn->n_phases < TXN_N_PHASES) {
		if (!txn_do_phase(txn, txn->n_phases++)) {
			return;
		}
	}
	for (uint32_t i = 0; !txn_is_waiting(txn) && i < txn->n_components; i++) {
		txn_reach(txn, &txn->components[i]);
	}
}

void txn_run(struct update_txn *txn)
{
	while (txn->step != RS_STEP_NONE) {
		if (txn->n_phases < TXN_N_PHASES) {
			txn_do_step(txn);
		} else if (txn_is_reached(txn)) {
			txn_leave(txn);
		} else {
			txn_show(txn);
			return;
		}
	}
}

/* Poll what is due, or is_asked: everything. */
static void txn_poll_all(struct update_txn *txn, nsec_t now, bool is_asked)
{
	const struct txn_step *step = &txn_steps[txn->step];

	for (uint32_t i = 0; step->poll != NULL && i < txn->n_components; i++) {
		struct txn_component *c = &txn->components[i];

		if (txn_is_awaited(txn, c) &&
		        (is_asked || now >= c->poll_at || now >= txn->deadline)) {
			step->poll(txn, c, now);
		}
	}
}

/* Is the old instance left at work, so that its heartbeat counts? */
static bool txn_is_watched(const struct update_txn *txn, const struct txn_component *c)
{
	return txn_is_open(txn) && !c->is_old_prepared;
}

static void txn_watch(struct update_txn *txn, nsec_t now)
{
	for (uint32_t i = 0; i < txn->n_components; i++) {
		struct txn_component *c = &txn->components[i];

		if (txn_is_watched(txn, c) && !recover_watch(c->service, now)) {
			txn_lost(txn, c, E_TIMEOUT, RECOVER_SILENT);
		}
	}
}

void txn_tick(struct update_txn *txn, nsec_t now)
{
	if (now >= txn->deadline && txn_steps[txn->step].fails_late) {
		txn_fail(txn, txn_slowest(txn), E_TIMEOUT, "time limit of the step");
	} else if (now >= txn->total_deadline && txn_is_open(txn)) {
		txn_fail(txn, txn_slowest(txn), E_TIMEOUT, "time limit of the transaction");
	} else {
		txn_poll_all(txn, now, false);
	}
	txn_run(txn);
	txn_watch(txn, now);
	txn_run(txn);
}

void txn_signal(struct update_txn *txn, nsec_t now)
{
	if (txn_steps[txn->step].looks) {
		txn_poll_all(txn, now, true);
		txn_run(txn);
	}
}

static nsec_t txn_earlier(nsec_t a, nsec_t b)
{
	return a < b ? a : b;
}

nsec_t txn_next_deadline(const struct update_txn *txn)
{
	nsec_t next = txn->deadline;

	if (txn_is_open(txn)) {
		next = txn_earlier(next, txn->total_deadline);
	}
	for (uint32_t i = 0; i < txn->n_components; i++) {
		const struct txn_component *c = &txn->components[i];

		if (txn_is_awaited(txn, c)) {
			next = txn_earlier(next, c->poll_at);
		}
		if (txn_is_watched(txn, c)) {
			next = txn_earlier(next, c->service->ping_at);
		}
	}
	return next;
}

void txn_extend(struct update_txn *txn, nsec_t by)
{
	txn->deadline = limit_extend(txn->deadline, by);
	txn->total_deadline = limit_extend(txn->total_deadline, by);
	for (uint32_t i = 0; i < txn->n_components; i++) {
		txn->components[i].poll_at = limit_extend(txn->components[i].poll_at, by);
	}
}
