/* Updates that succeed: other layouts, other types and back; what repeats and what is busy. */
#include "osd/suites/update/order.h"
#include "osd/suites/update/priv.h"

#include <string.h>

#include "osd/lib/sef/sef.h"

static void check_committed(const struct rs_result *result, uint64_t checksum)
{
	CHECK_EQUAL(result->err, E_OK);
	if (result->err != E_OK) {
		sef_log("# step %u: %s: %s", result->step, result->transfer.element,
		        result->transfer.message);
	}
	CHECK_EQUAL(result->outcome, RS_OUTCOME_COMMITTED);
	CHECK_EQUAL(result->n_vm_faults, 0);
	CHECK(result->blackout > 0);
	CHECK(result->transfer.bytes > 0);
	CHECK_EQUAL(assist_checksum(), checksum);
}

static unsigned long long us(nsec_t nsec)
{
	return nsec / 1000;
}

static void case_layout(void)
{
	struct assist_reply before = {0}, after = {0};
	struct rs_service old = {0}, new = {0};
	uint64_t checksum = assist_checksum();
	struct rs_result result;

	tap_case("assist moves to another layout with all its state");
	CHECK_EQUAL(assist_ask(ASSIST_LAYOUT, 0, 0, &before), E_OK);
	CHECK(rs_service("assist", &old));
	result = update_run("first", NULL);
	check_committed(&result, checksum);
	CHECK_EQUAL(assist_ask(ASSIST_LAYOUT, 0, 0, &after), E_OK);
	CHECK(rs_service("assist", &new));
	CHECK(before.a != after.a && before.b != after.b && before.c != after.c &&
	        before.d != after.d);
	CHECK(old.base != new.base);
	CHECK_EQUAL(new.endpoint, old.endpoint);
	CHECK_EQUAL(new.n_restarts, old.n_restarts);
	CHECK_EQUAL(new.generation, result.generation);
	CHECK(new.generation > old.generation);
	sef_log("# blackout %llu us: prepare to switch, transfer, commit, first receive: %llu %llu "
	        "%llu %llu",
	        us(result.blackout),
	        us(result.step_at[RS_STEP_SWITCH]) - us(result.step_at[RS_STEP_PREPARE]),
	        us(result.step_at[RS_STEP_TRANSFER] - result.step_at[RS_STEP_SWITCH]),
	        us(result.step_at[RS_STEP_COMMIT] - result.step_at[RS_STEP_TRANSFER]),
	        us(result.transfer.transfer_nsec));
	sef_log("# %llu bytes, %llu objects, pair %llu us, transfer %llu us, check %llu us, arena "
	        "%llu",
	        (unsigned long long)result.transfer.bytes,
	        (unsigned long long)result.transfer.objects, us(result.transfer.pair_nsec),
	        us(result.transfer.transfer_nsec), us(result.transfer.check_nsec),
	        (unsigned long long)result.arena_bytes);
}

static void case_repeat(void)
{
	struct rs_reply reply = {0};
	struct ask ask = {0};
	struct rs_service service = {0};
	uint64_t id = update_last_id();

	tap_case("a repeated transaction is answered, not run");
	CHECK_EQUAL(update_begin_as(id, offer_find("first"), &ask, &reply), E_OK);
	CHECK_EQUAL(reply.count, RS_OUTCOME_COMMITTED);
	CHECK(rs_service("assist", &service));
	CHECK(!service.in_transaction);

	tap_case("an older unknown transaction is never run");
	CHECK_EQUAL(update_begin_as(id - 1, offer_find("second"), &ask, &reply), E_NOTFOUND);

	tap_case("a generation that ran is not run again, and its refusal uses no ids up");
	CHECK_EQUAL(update_begin_as(UINT64_MAX, offer_find("first"), &ask, &reply), E_V_REPLAY);
}

static void case_overlap(void)
{
	struct rs_result result;

	tap_case("a variant whose addresses are taken is refused");
	result = update_run("overlap", NULL);
	CHECK_EQUAL(result.outcome, RS_OUTCOME_REFUSED);
	CHECK_EQUAL(result.err, E_V_OVERLAP);
}

static void case_busy(void)
{
	struct ask slow = {.state = "unreachable", .prepare = 30 * NSEC_MSEC};
	struct rs_reply reply = {0};
	uint64_t running;

	tap_case("a second transaction is refused as busy");
	CHECK_EQUAL(offer_admit(offer_find("busy")), E_OK);
	stage_offer(offer_find("busy"));
	CHECK_EQUAL(update_begin(offer_find("busy"), &slow, NULL), E_OK);
	running = update_last_id();
	CHECK_EQUAL(update_begin(offer_find("busy"), NULL, &reply), E_BUSY);
	CHECK_EQUAL(reply.a, running);
	CHECK_EQUAL(reply.b, order_epoch());
	CHECK_EQUAL(rs_resources().busy, running);
	CHECK_EQUAL(update_wait(running).err, E_TIMEOUT);
}

static void case_release(void)
{
	uint64_t checksum = assist_checksum();
	struct assist_reply reply = {0};
	struct rs_result result;

	tap_case("assist takes its state to changed types");
	result = update_run("release-2", NULL);
	check_committed(&result, checksum);
	CHECK_EQUAL(assist_ask(ASSIST_COUNT, 0, 0, &reply), E_OK);
	CHECK_EQUAL(reply.c, 2);

	tap_case("the way back, where members have no place, is refused by name");
	result = update_run("back", NULL);
	CHECK_EQUAL(result.outcome, RS_OUTCOME_ROLLED_BACK);
	CHECK_EQUAL(result.err, E_STATE_LOSS);
	CHECK_EQUAL(result.n_prepare_tries, 0); /* nothing was stopped for it */
	CHECK(strstr(result.transfer.element, "state would be lost: struct zoo_") != NULL);
	CHECK_EQUAL(assist_checksum(), checksum);

	tap_case("and with consent back, as a new generation of the earlier release");
	result = update_run("back", &(struct ask){.from = "first"});
	CHECK_EQUAL(result.err, E_V_CONSENT);
	result = update_run("back", &(struct ask){.from = "release-2"});
	CHECK_EQUAL(result.outcome, RS_OUTCOME_COMMITTED);
	CHECK_EQUAL(assist_checksum(), checksum);
	CHECK(result.transfer.n_removed > 0);
	CHECK_EQUAL(assist_ask(ASSIST_COUNT, 0, 0, &reply), E_OK);
	CHECK_EQUAL(reply.c, 1);
}

/* The first try gets next to no memory for its heap, the second what it needs. */
static void case_arena(void)
{
	struct rs_result result;
	uint64_t checksum = assist_checksum();

	tap_case("an arena that was too small is tried once more");
	rs_arm(RS_STEP_CREATE, HOOK_NEW, HOOK_STARVE);
	result = update_run("grown", NULL);
	check_committed(&result, checksum);
	CHECK_EQUAL(result.n_arena_tries, 2);
	CHECK(rs_harm_was_done());
	result = update_run("shrunk", &(struct ask){.from = "release-2"});
	CHECK_EQUAL(result.outcome, RS_OUTCOME_COMMITTED);
	CHECK_EQUAL(assist_checksum(), checksum);
	CHECK_EQUAL(result.n_arena_tries, 1);
}

void cases_updates(void)
{
	case_layout();
	case_repeat();
	case_overlap();
	case_busy();
	case_release();
	case_arena();
}

/* Run the offers "many-N" from `first` on, up to `max` of them; returns how many committed. */
static uint32_t run_many(uint32_t first, uint32_t max)
{
	const struct offer *offer;
	uint32_t n_found = 0, n_done = 0;

	for (uint32_t n = 0; (offer = offer_at(n)) != NULL && n_found < first + max; n++) {
		struct rs_result result;

		if (strncmp(offer->name, "many-", 5) != 0 || n_found++ < first) {
			continue;
		}
		CHECK_EQUAL(update_begin(offer, NULL, NULL), E_OK);
		result = update_wait(update_last_id());
		CHECK_EQUAL(result.err, E_OK);
		n_done += result.outcome == RS_OUTCOME_COMMITTED;
	}
	return n_done;
}

void cases_many(void)
{
	struct rs_resources before, after;
	uint64_t checksum = assist_checksum();
	uint64_t frames;
	uint32_t n_done;

	tap_case("many updates leave nothing behind");
	for (uint32_t i = 0; i < 2; i++) {
		const struct offer *offer = offer_find(i == 0 ? "many-0" : "many-1");

		CHECK_EQUAL(offer_admit(offer), E_OK);
		stage_offer(offer);
	}
	CHECK_EQUAL(run_many(0, 2), 2);
	before = rs_resources();
	frames = rs_frames();
	n_done = run_many(2, UINT32_MAX - 2);
	after = rs_resources();
	CHECK_EQUAL(assist_checksum(), checksum);
	CHECK_EQUAL(after.n_slots_free, before.n_slots_free);
	CHECK_EQUAL(after.n_spaces_free, before.n_spaces_free);
	CHECK_EQUAL(after.n_irq_hooks_free, before.n_irq_hooks_free);
	CHECK_EQUAL(after.n_blobs, before.n_blobs);
	/*
	 * The heap is drawn anew each time: a few pages more or less,
	 * whatever the number of updates.
	 */
	CHECK(rs_frames() + 16 > frames && rs_frames() < frames + 16);
	CHECK_EQUAL(after.n_uncommitted_faults, before.n_uncommitted_faults);
	sef_log("# %u updates, frames %llu before, %llu after", n_done, (unsigned long long)frames,
	        (unsigned long long)rs_frames());
}
