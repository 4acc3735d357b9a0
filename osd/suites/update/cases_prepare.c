/* Reaching a state, or not: time limits, refusals, only asking. */
#include "osd/suites/update/priv.h"

#include <string.h>

#include "osd/lib/sef/sef.h"
#include "osd/lib/sys/sys.h"

static void check_rolled_back(const struct rs_result *result, err_t err)
{
	CHECK_EQUAL(result->outcome, RS_OUTCOME_ROLLED_BACK);
	CHECK_EQUAL(result->err, err);
	CHECK_EQUAL(result->step, RS_STEP_PREPARE);
}

static void case_limit(void)
{
	struct ask ask = {.state = "unreachable", .prepare = 50 * NSEC_MSEC};
	uint64_t checksum = assist_checksum();
	struct rs_result result = update_run("second", &ask);
	nsec_t took = result.step_at[RS_STEP_ROLLBACK] - result.step_at[RS_STEP_PREPARE];

	tap_case("a state that is never reached ends with the time limit");
	check_rolled_back(&result, E_TIMEOUT);
	CHECK(took >= ask.prepare && took < ask.prepare + 10 * NSEC_MSEC);
	CHECK_EQUAL(assist_checksum(), checksum);
	sef_log("# limit 50000 us, took %llu us", (unsigned long long)(took / 1000));
}

static void case_unknown_state(void)
{
	struct rs_result result;

	tap_case("a state that a service does not have is refused");
	result = update_run("second", &(struct ask){.state = "custom-7"});
	check_rolled_back(&result, E_UNSUPPORTED);
}

static void case_only_asked(bool is_check, const char *name)
{
	struct ask ask = {.is_prepare_only = true};
	struct rs_resources before, after;
	struct rs_service old = {0}, new = {0};
	struct rs_result result;
	struct offer offer;
	uint64_t frames, place;

	tap_case(name);
	offer = *offer_find("second");
	CHECK_EQUAL(offer_admit(&offer), E_OK);
	stage_offer(&offer);
	before = rs_resources();
	frames = rs_frames();
	place = assist_place();
	CHECK(rs_service("assist", &old));
	if (is_check) {
		result = check_run("");
	} else {
		CHECK_EQUAL(update_begin(&offer, &ask, NULL), E_OK);
		result = update_wait(update_last_id());
	}
	CHECK_EQUAL(result.outcome, RS_OUTCOME_PREPARED);
	CHECK_EQUAL(result.err, E_OK);
	after = rs_resources();
	CHECK(rs_service("assist", &new));
	CHECK_EQUAL(assist_place(), place);
	CHECK_EQUAL(new.generation, old.generation);
	CHECK_EQUAL(rs_frames(), frames);
	CHECK_EQUAL(after.n_slots_free, before.n_slots_free);
	CHECK_EQUAL(after.n_spaces_free, before.n_spaces_free);
}

/* A request that assist keeps open: request-free is reached only when it is let go. */
static void case_drain(void)
{
	struct message hold = {.type = ASSIST_HOLD};
	struct ask ask = {.state = "request-free", .prepare = 30 * NSEC_MSEC};
	struct assist_reply reply;
	struct rs_result result;

	tap_case("an open request keeps request-free from being reached");
	CHECK_EQUAL(sys_asend(sef_lookup("assist"), &hold), E_OK);
	result = update_run("second", &ask);
	check_rolled_back(&result, E_TIMEOUT);

	tap_case("when it is answered the state is reached");
	CHECK_EQUAL(assist_ask(ASSIST_LET_GO, 0, 0, &reply), E_OK);
	ask.is_prepare_only = true;
	result = update_run("second", &ask);
	CHECK_EQUAL(result.outcome, RS_OUTCOME_PREPARED);
}

/*
 * A service that crashes while it prepares: the transaction ends, then
 * the service starts afresh.
 */
static void case_prepare_crash(const char *state, const char *name)
{
	struct rs_service old = {0}, new = {0};
	struct assist_reply reply;
	uint64_t place = assist_place();
	struct rs_result result;

	tap_case(name);
	CHECK(rs_service("assist", &old));
	result = update_run("second", &(struct ask){.state = state});
	check_rolled_back(&result, E_CRASHED);
	assist_settle();
	CHECK(rs_service("assist", &new));
	CHECK_EQUAL(new.endpoint, old.endpoint);
	CHECK_EQUAL(new.n_restarts, old.n_restarts + 1);
	CHECK(assist_place() != place); /* and where it crashed it never is again */
	CHECK_EQUAL(assist_ask(ASSIST_BUILD, 43, 300, &reply), E_OK);
}

static void case_crash_later(void)
{
	struct assist_reply reply;

	CHECK_EQUAL(assist_ask(ASSIST_CRASH, ASSIST_CRASH_LATER, 0, &reply), E_OK);
	case_prepare_crash(NULL, "a crash in a service's own preparation ends the update");
}

/* It neither answers nor crashes: its heartbeat ends the wait long before the time limit would. */
static void case_prepare_hang(void)
{
	struct rs_service old = {0}, new = {0};
	struct assist_reply reply;
	struct rs_result result;

	tap_case("a service that hangs while it prepares is noticed by its heartbeat");
	CHECK_EQUAL(assist_ask(ASSIST_CRASH, ASSIST_CRASH_HANG_LATER, 0, &reply), E_OK);
	CHECK(rs_service("assist", &old));
	result = update_run("second", NULL);
	check_rolled_back(&result, E_TIMEOUT);
	CHECK(result.step_at[RS_STEP_ROLLBACK] - result.step_at[RS_STEP_PREPARE] < HANG_NOTICED);
	CHECK(strstr(result.transfer.message, "no sign of life") != NULL);
	assist_settle();
	CHECK(rs_service("assist", &new));
	CHECK_EQUAL(new.endpoint, old.endpoint);
	CHECK_EQUAL(new.n_restarts, old.n_restarts + 1);
	CHECK_EQUAL(assist_ask(ASSIST_BUILD, 46, 300, &reply), E_OK);
}

void cases_prepare(void)
{
	case_limit();
	case_unknown_state();
	case_only_asked(true, "asking whether an update could be prepared leaves no trace");
	case_only_asked(false, "preparing a staged update without running it leaves no trace");
	case_drain();
	case_prepare_crash(
	        "prepare-crash", "the state prepare-crash crashes, and the service is back");
	case_crash_later();
	case_prepare_hang();
}
