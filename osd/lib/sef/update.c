/*
 * The successor's part of an update: pair the two descriptions and foresee the heap while the old
 * instance still works; report READY and stand still until the switch; carry the state over, and
 * let the service check it; report TRANSFERRED, and go on when RS has committed.
 *
 * Uncommitted until then: it may report, read the clock and log, and use its arena; nothing here
 * can do harm before RS has said yes. What the transfer or the service refuses ends in update_give_up():
 * the result, which names the element, lies in this instance's memory, and RS reads it there.
 * Rolling back is RS's work.
 */
#include "osd/lib/sef/priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "osd/lib/heap/heap.h"
#include "osd/lib/annotate/annotate.h"
#include "osd/lib/state/state_transfer.h"

static struct sef_transfer_result result STATE_SKIP;
static struct state_result engine STATE_SKIP;

err_t sef_check_failed(const char *element, const char *format, ...)
{
	va_list args;

	(void)snprintf(result.element, sizeof(result.element), "%s", element);
	va_start(args, format);
	(void)vsnprintf(result.message, sizeof(result.message), format, args);
	va_end(args);
	return E_CHECK;
}

static _Noreturn void update_give_up(err_t err)
{
	result.err = err;
	(void)sys_report(SEF_REPORT_FAILED, (uintptr_t)&result, 0, 0, 0);
	sys_exit(1);
}

/* Bring the engine's own result into the form that RS reads. */
static void update_take_result(void)
{
	result.bytes = engine.n_bytes;
	result.objects = engine.n_objects;
	result.n_removed = (uint32_t)engine.n_removed;
	result.n_strings_copied = (uint32_t)engine.n_strings;
	(void)snprintf(result.removed, sizeof(result.removed), "%s", engine.notes);
}

static _Noreturn void update_give_up_engine(void)
{
	bool is_room = engine.code == STATE_E_ARENA || engine.code == STATE_E_SCRATCH;
	bool is_loss = engine.code == STATE_E_LOSS;

	update_take_result();
	(void)snprintf(result.element, sizeof(result.element), "%s", engine.error);
	(void)snprintf(result.message, sizeof(result.message), "%s", state_code_text(engine.code));
	update_give_up(is_room ? E_ARENA : is_loss ? E_STATE_LOSS : E_TRANSFER);
}

/* RS has checked the description, and it lies in RS's pages. */
static struct state_side update_side(const struct start_description *given)
{
	return (struct state_side){
	        .desc = (const void *)given->description,
	        .desc_size = given->bytes,
	        .addr = (const uint64_t *)given->addresses,
	        .n_addr = given->n_addresses,
	};
}

static struct state_transfer *update_pair(const struct start_info *info)
{
	struct state_transfer *transfer;
	struct state_pairing *pairing;
	struct state_old_heap old_heap = {info->old_heap_base, info->old_heap_bytes};
	uint64_t seed;
	struct state_setup setup = {
	        .old = update_side(&info->old_state),
	        .new = update_side(&info->new_state),
	        .scratch = (void *)info->scratch,
	        .scratch_size = info->scratch_bytes,
	        .accepts_loss = (info->flags & START_ACCEPT_LOSS) != 0,
	};
	nsec_t begin = sys_clock_read();

	memcpy(&seed, info->random + 16, sizeof(seed));
	if (state_pair(&setup, &engine, &pairing) != STATE_OK ||
	        state_transfer_new(pairing, &old_heap, seed, &transfer) != STATE_OK) {
		update_give_up_engine();
	}
	state_foresee(transfer);
	result.pair_nsec = sys_clock_read() - begin;
	return transfer;
}

/* In the blackout: carry the state over, or let the service do it its own way. */
static void update_take_over(struct state_transfer *transfer)
{
	nsec_t begin = sys_clock_read();
	nsec_t middle;
	err_t err = E_OK;

	if (transfer && state_transfer(transfer) != STATE_OK) {
		update_give_up_engine();
	}
	if (!transfer) {
		err = sef_callbacks->init_update();
	}
	middle = sys_clock_read();
	if (err == E_OK && sef_callbacks->state_check) {
		err = sef_callbacks->state_check();
	}
	update_take_result();
	result.transfer_nsec = middle - begin;
	result.check_nsec = sys_clock_read() - middle;
	if (err != E_OK) {
		update_give_up(err);
	}
}

void sef_update_run(const struct start_info *info)
{
	struct state_transfer *transfer = sef_callbacks->init_update ? NULL : update_pair(info);

	(void)sys_report(SEF_REPORT_READY, engine.n_bytes, engine.n_objects, 0, 0);
	update_take_over(transfer);
	(void)sys_report(SEF_REPORT_TRANSFERRED, (uintptr_t)&result, 0, 0, 0);
	heap_set_usable(info->heap_limit);
	if (sef_callbacks->after_commit) {
		sef_callbacks->after_commit();
	}
}
