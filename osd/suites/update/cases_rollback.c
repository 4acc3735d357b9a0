/*
 * New instances that fail, crash, hang or end while state arrives;
 * instances killed at every step.
 */
#include "osd/suites/update/priv.h"

#include <stdio.h>

#include "osd/lib/sef/sef.h"

static void case_bad_release(const char *name, err_t err)
{
	struct ask ask = {.transfer = 50 * NSEC_MSEC};
	uint64_t checksum = assist_checksum(), place = assist_place();
	struct rs_service old = {0}, new = {0};
	struct rs_result result;

	tap_case(name);
	CHECK(rs_service("assist", &old));
	result = update_run(name, &ask);
	CHECK_EQUAL(result.outcome, RS_OUTCOME_ROLLED_BACK);
	CHECK_EQUAL(result.err, err);
	CHECK_EQUAL(result.step, RS_STEP_TRANSFER);
	CHECK_EQUAL(result.generation, old.generation);
	sef_log("# cause: %s %s", result.transfer.element, result.transfer.message);
	CHECK_EQUAL(assist_checksum(), checksum);
	CHECK(rs_service("assist", &new));
	CHECK_EQUAL(assist_place(), place);
	CHECK_EQUAL(new.n_restarts, old.n_restarts);
	stage_drop_all();
}

/* A wild pointer in the old state: the update is rolled back and names it; the service goes on as
 * it was. */
static void case_damage(void)
{
	struct assist_reply reply;
	struct rs_service old = {0}, new = {0};
	uint64_t place = assist_place();
	struct rs_result result;

	tap_case("a wild pointer in the state ends the update by name");
	CHECK_EQUAL(assist_ask(ASSIST_CRASH, ASSIST_CRASH_DAMAGE, 0, &reply), E_OK);
	CHECK(rs_service("assist", &old));
	result = update_run("second", NULL);
	CHECK_EQUAL(result.outcome, RS_OUTCOME_ROLLED_BACK);
	CHECK_EQUAL(result.err, E_TRANSFER);
	CHECK_EQUAL(result.step, RS_STEP_TRANSFER);
	CHECK(result.transfer.element[0] != '\0');
	sef_log("# cause: %s: %s", result.transfer.element, result.transfer.message);
	CHECK(rs_service("assist", &new));
	CHECK_EQUAL(assist_place(), place);
	CHECK_EQUAL(new.n_restarts, old.n_restarts);
	CHECK_EQUAL(assist_ask(ASSIST_CRASH, ASSIST_CRASH_NULL, 0, &reply), E_RESTART);
	assist_settle();
	CHECK_EQUAL(assist_ask(ASSIST_BUILD, 44, 300, &reply), E_OK);
}

void cases_rollback(void)
{
	case_bad_release("fails", E_CHECK);
	case_bad_release("crashes", E_CRASHED);
	case_bad_release("hangs", E_TIMEOUT);
	case_bad_release("exits", E_EXITED);
	case_damage();
}

struct kill {
	enum rs_step step;
	enum hook_who who;
	enum hook_how how;
	uint32_t outcome; /* 0: cannot be killed there */
	err_t err;
	bool is_restarted; /* the service is started afresh afterwards */
};

/*
 * An old instance that is killed while it is prepared notices only when it is let go. A new one
 * killed at COMMIT is the service already.
 */
static const struct kill kills[] = {
        {RS_STEP_CREATE, HOOK_OLD, HOOK_CRASH, RS_OUTCOME_ROLLED_BACK, E_CRASHED, true},
        {RS_STEP_PAIR, HOOK_OLD, HOOK_CRASH, RS_OUTCOME_ROLLED_BACK, E_CRASHED, true},
        {RS_STEP_PREPARE, HOOK_OLD, HOOK_CRASH, RS_OUTCOME_ROLLED_BACK, E_CRASHED, true},
        {RS_STEP_SWITCH, HOOK_OLD, HOOK_CRASH, RS_OUTCOME_COMMITTED, E_OK, false},
        {RS_STEP_TRANSFER, HOOK_OLD, HOOK_CRASH, RS_OUTCOME_COMMITTED, E_OK, false},
        {RS_STEP_PAIR, HOOK_NEW, HOOK_CRASH, RS_OUTCOME_ROLLED_BACK, E_CRASHED, false},
        {RS_STEP_PAIR, HOOK_NEW, HOOK_HANG, RS_OUTCOME_ROLLED_BACK, E_TIMEOUT, false},
        {RS_STEP_PREPARE, HOOK_NEW, HOOK_CRASH, RS_OUTCOME_ROLLED_BACK, E_CRASHED, false},
        {RS_STEP_SWITCH, HOOK_NEW, HOOK_CRASH, RS_OUTCOME_ROLLED_BACK, E_CRASHED, false},
        {RS_STEP_TRANSFER, HOOK_NEW, HOOK_CRASH, RS_OUTCOME_ROLLED_BACK, E_CRASHED, false},
        {RS_STEP_COMMIT, HOOK_NEW, HOOK_CRASH, RS_OUTCOME_COMMITTED, E_OK, true},
};

static void kill_check(const struct kill *kill, const struct rs_result *result,
        const struct rs_service *old, uint64_t checksum)
{
	struct rs_service new = {0};

	CHECK_EQUAL(result->outcome, kill->outcome);
	CHECK_EQUAL(result->err, kill->err);
	CHECK(rs_harm_was_done());
	assist_settle();
	CHECK(rs_service("assist", &new));
	CHECK_EQUAL(new.endpoint, old->endpoint);
	CHECK_EQUAL(new.n_restarts, old->n_restarts + kill->is_restarted);
	if (kill->is_restarted) {
		struct assist_reply reply;

		CHECK_EQUAL(assist_ask(ASSIST_BUILD, 7, 100, &reply), E_OK);
	} else {
		CHECK_EQUAL(assist_checksum(), checksum);
	}
}

/*
 * Kernel calls that fail in the commit. As long as it can be undone it is; what cannot go on after
 * it is a crash.
 */
static void case_commit_fails(enum hook_operation operation, const char *name)
{
	bool is_back = operation != HOOK_RESUME;
	uint64_t checksum = assist_checksum(), place = assist_place();
	struct rs_service old = {0}, new = {0};
	struct assist_reply reply;
	struct rs_result result;

	tap_case(name);
	CHECK(rs_service("assist", &old));
	rs_arm(RS_STEP_COMMIT, (enum hook_who)operation, HOOK_FAIL);
	result = update_run(is_back ? "second" : "commit-fails", NULL);
	CHECK(rs_harm_was_done());
	CHECK_EQUAL(result.outcome, is_back ? RS_OUTCOME_ROLLED_BACK : RS_OUTCOME_COMMITTED);
	CHECK_EQUAL(result.err, is_back ? E_STATE : E_OK);
	CHECK_EQUAL(result.step, RS_STEP_COMMIT);
	assist_settle();
	CHECK(rs_service("assist", &new));
	CHECK_EQUAL(new.endpoint, old.endpoint);
	CHECK_EQUAL(new.n_restarts, old.n_restarts + !is_back);
	CHECK_EQUAL(assist_place() == place, is_back);
	if (is_back) {
		CHECK_EQUAL(assist_checksum(), checksum);
	} else {
		CHECK_EQUAL(assist_ask(ASSIST_BUILD, 45, 300, &reply), E_OK);
	}
	assist_count_up();
}

void cases_commit_fails(void)
{
	case_commit_fails(HOOK_COMMIT, "a commit that the kernel refuses is rolled back");
	case_commit_fails(HOOK_RESUME, "a new instance that cannot be resumed starts afresh");
}

void cases_kills(void)
{
	static const char *const who[] = {"", "old", "new"}, *const how[] = {"", "crash", "hang"};
	static char name[64];
	struct ask ask = {.transfer = 50 * NSEC_MSEC, .total = 100 * NSEC_MSEC};

	for (uint32_t i = 0; i < sizeof(kills) / sizeof(kills[0]); i++) {
		struct rs_service old = {0};
		struct rs_result result;
		char offer[24];
		uint64_t checksum;

		(void)snprintf(name, sizeof(name), "%s instance: %s at step %u", who[kills[i].who],
		        how[kills[i].how], kills[i].step);
		tap_case(name);
		(void)snprintf(offer, sizeof(offer), "kill-%u", i);
		checksum = assist_checksum();
		CHECK(rs_service("assist", &old));
		rs_arm(kills[i].step, kills[i].who, kills[i].how);
		result = update_run(offer, &ask);
		kill_check(&kills[i], &result, &old, checksum);
	}
	stage_drop_all();
}
