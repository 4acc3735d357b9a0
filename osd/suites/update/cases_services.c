/* Updates and crashes of the services that a machine ships, while the load keeps DS busy. */
#include "osd/lib/sys/grant.h"
#include "osd/suites/update/order.h"
#include "osd/suites/update/priv.h"

#include <string.h>

#include "osd/lib/sef/sef.h"

/* Order of the load's metrics. */
enum { LOAD_OPERATIONS, LOAD_ERRORS, LOAD_GAP_USEC };
#define LOAD_REPORT (30 * NSEC_MSEC) /* a little longer than the load waits between reports */

static struct rs_service load_now(void)
{
	struct rs_service load = {0};

	pause_for(LOAD_REPORT);
	CHECK(rs_service("load", &load));
	return load;
}

static void case_update(const char *offer, const char *name)
{
	struct rs_service before = {0}, after = {0};
	struct rs_service load = load_now();
	struct rs_result result;

	tap_case(offer);
	CHECK(rs_service(name, &before));
	result = update_run(offer, NULL);
	CHECK_EQUAL(result.err, E_OK);
	CHECK_EQUAL(result.outcome, RS_OUTCOME_COMMITTED);
	CHECK_EQUAL(result.n_vm_faults, 0);
	CHECK(rs_service(name, &after));
	CHECK_EQUAL(after.endpoint, before.endpoint);
	CHECK_EQUAL(after.n_restarts, before.n_restarts);
	CHECK(after.base != before.base);
	CHECK(load_now().metrics[LOAD_OPERATIONS] > load.metrics[LOAD_OPERATIONS]);
	CHECK_EQUAL(load_now().metrics[LOAD_ERRORS], 0);
	sef_log("# %s: blackout %llu us, %llu bytes, %llu objects; %s %s", offer,
	        (unsigned long long)(result.blackout / 1000),
	        (unsigned long long)result.transfer.bytes,
	        (unsigned long long)result.transfer.objects, result.transfer.element,
	        result.transfer.message);
}

/* The table of keys has another name, in another file: nobody may think that it is empty now. */
static void case_loss(const char *offer)
{
	struct rs_service before = {0}, after = {0};
	struct rs_result result;

	tap_case("state without a place refuses the update before anything stops");
	CHECK(rs_service("ds", &before));
	result = update_run(offer, NULL);
	CHECK_EQUAL(result.outcome, RS_OUTCOME_ROLLED_BACK);
	CHECK_EQUAL(result.err, E_STATE_LOSS);
	CHECK_EQUAL(result.n_prepare_tries, 0);
	CHECK(strstr(result.transfer.element, "lost: store.c:store_buckets") != NULL);
	sef_log("# %s: %s", offer, result.transfer.element);
	CHECK(rs_service("ds", &after));
	CHECK_EQUAL(after.base, before.base);
	CHECK_EQUAL(after.n_restarts, before.n_restarts);
	CHECK_EQUAL(load_now().metrics[LOAD_ERRORS], 0);
}

static err_t check_of(const char *name)
{
	struct rs_check check = {0};
	struct rs_reply reply;

	strncpy(check.service, name, sizeof(check.service) - 1);
	return rs_ask_with(RS_PREPARE_CHECK, &check, sizeof(check), GRANT_READ,
	        (struct rs_request){0}, &reply);
}

static void case_not_updatable(const char *name)
{
	struct rs_service service = {0};

	CHECK_EQUAL(check_of(name), E_NOT_UPDATABLE);
	CHECK(rs_service(name, &service));
	CHECK_EQUAL(service.is_updatable, 0);
}

static void case_kill(const char *name)
{
	struct rs_service before = {0}, after = {0};
	uint32_t n = 0;

	tap_case(name);
	CHECK(rs_service(name, &before));
	rs_kill(name);
	do {
		pause_for(NSEC_MSEC);
		CHECK(rs_service(name, &after));
	} while (after.n_restarts == before.n_restarts && ++n < 100);
	service_settle(name);
	CHECK(rs_service(name, &after));
	CHECK_EQUAL(after.n_restarts, before.n_restarts + 1);
	CHECK_EQUAL(after.endpoint, before.endpoint);
}

/*
 * A service that crashes again and again is given up; on request it
 * starts afresh, in another slot.
 */
static void case_crash_loop(const char *name)
{
	struct rs_service service = {0};
	uint32_t n = 0, n_restarts;

	tap_case("a service that crashes again and again is given up");
	CHECK(rs_service(name, &service));
	while (service.state != RS_SERVICE_DOWN && n++ < 20) {
		rs_kill(name);
		do {
			pause_for(NSEC_MSEC);
			CHECK(rs_service(name, &service));
		} while (service.state == RS_SERVICE_RESTARTING);
	}
	CHECK_EQUAL(service.state, RS_SERVICE_DOWN);
	CHECK_EQUAL(service.endpoint, EP_NONE);
	CHECK(n <= 11);

	tap_case("and starts again by an order");
	n_restarts = service.n_restarts;
	CHECK_EQUAL(order_simple(ORDER_RESTART, name, 0), E_OK);
	service_settle(name);
	CHECK(rs_service(name, &service));
	CHECK_EQUAL(service.n_restarts, n_restarts + 1);
}

/* DS stays in its preparation; another service hangs meanwhile. */
static void case_watched(void)
{
	struct ask ask = {.state = "unreachable", .prepare = 1500 * NSEC_MSEC};
	struct rs_service before = {0}, after = {0};
	struct assist_reply reply;
	nsec_t begin;

	tap_case("a service that hangs is noticed while another one's update waits");
	CHECK_EQUAL(offer_admit(offer_find("ds-last")), E_OK);
	stage_offer(offer_find("ds-last"));
	CHECK(rs_service("assist", &before));
	begin = sys_clock_read();
	CHECK_EQUAL(update_begin(offer_find("ds-last"), &ask, NULL), E_OK);
	CHECK_EQUAL(assist_ask(ASSIST_CRASH, ASSIST_CRASH_HANG, 0, &reply), E_RESTART);
	CHECK(sys_clock_read() - begin < 2 * HANG_NOTICED);
	assist_settle();
	CHECK_EQUAL(rs_resources().busy, update_last_id());
	CHECK_EQUAL(update_wait(update_last_id()).err, E_TIMEOUT);
	CHECK(rs_service("assist", &after));
	CHECK_EQUAL(after.n_restarts, before.n_restarts + 1);
}

static void case_no_test_states(void)
{
	struct rs_service before = {0}, after = {0};
	struct rs_result result;

	tap_case("what ships does not know the states that tests crash with");
	CHECK(rs_service("ds", &before));
	result = update_run("ds-last", &(struct ask){.state = "prepare-crash"});
	CHECK_EQUAL(result.err, E_UNSUPPORTED);
	CHECK(rs_service("ds", &after));
	CHECK_EQUAL(after.n_restarts, before.n_restarts);
}

void cases_services(void)
{
	static const char *const fixed[] = {"vm", "rs", "load", "virtio_console"};
	static const char *const killed[] = {"tty", "virtio_console", "agent", "load", "ds"};

	case_update("ds-layout", "ds");
	case_update("ds-release-2", "ds");
	case_update("ds-back", "ds");
	case_loss("ds-renamed");
	case_update("ds-moved", "ds");
	case_update("tty-layout", "tty");
	case_update("agent-layout", "agent");
	case_watched();
	case_no_test_states();
	tap_case("what cannot be updated live is refused");
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		case_not_updatable(fixed[i]);
	}
	for (size_t i = 0; i < sizeof(killed) / sizeof(killed[0]); i++) {
		case_kill(killed[i]);
	}
	case_crash_loop("tty");
}
