/*
 * A boot image with damaged parts: the state descriptions of ds, tty and agent, the flat kit of
 * assist. Nothing of them is used before it was checked, which may be long after the start; and none of them
 * is a reason not to start.
 */
#include "osd/suites/update/order.h"
#include "osd/suites/update/priv.h"

#include <string.h>

#include "osd/lib/sys/grant.h"

/* RS reads what nobody asked for when it has had nothing to do for some ms. */
#define IDLE (20 * NSEC_MSEC)
#define IDLES_MAX 20

static struct rs_service service_now(const char *name)
{
	struct rs_service service = {0};

	CHECK(rs_service(name, &service));
	CHECK_EQUAL(service.state, RS_SERVICE_RUNNING);
	return service;
}

static err_t check_of(const char *name)
{
	struct rs_check check = {0};
	struct rs_reply reply;

	strncpy(check.service, name, sizeof(check.service) - 1);
	return rs_ask_with(RS_PREPARE_CHECK, &check, sizeof(check), GRANT_READ,
	        (struct rs_request){0}, &reply);
}

static void crash(const char *name)
{
	struct rs_service before = service_now(name), after = before;

	rs_kill(name);
	for (uint32_t n = 0; after.n_restarts == before.n_restarts && n < 100; n++) {
		pause_for(NSEC_MSEC);
		CHECK(rs_service(name, &after));
	}
	service_settle(name);
}

/* The first question comes before RS has had time to read anything. */
static void case_description(void)
{
	struct rs_service service;

	tap_case("a damaged state description is refused at the first question");
	CHECK_EQUAL(check_of("ds"), E_NOT_UPDATABLE);
	service = service_now("ds");
	CHECK(!service.is_updatable);

	tap_case("and is no reason to start its service afresh where it was");
	crash("tty");
	service = service_now("tty");
	CHECK(service.is_machine_made && !service.is_layout_kept);
}

static void case_unasked(void)
{
	struct rs_service service = service_now("agent");

	tap_case("a damaged state description is told of before anybody asks");
	for (uint32_t n = 0; service.is_updatable && n < IDLES_MAX; n++) {
		pause_for(IDLE);
		service = service_now("agent");
	}
	CHECK(!service.is_updatable);
	CHECK(service_now("assist").is_updatable);
}

static err_t order_first(const struct kit_manifest *kit)
{
	struct order order;

	order_kit(&order, ORDER_UPDATE, kit, 2);
	return order_send(&order, NULL);
}

static void case_flat(void)
{
	struct kit_manifest kit = kit_of("assist");
	struct rs_service service;

	tap_case("a service whose flat kit is damaged is started afresh where it was");
	crash("assist");
	service = service_now("assist");
	CHECK(service.is_layout_kept && !service.is_machine_made);

	tap_case("a damaged flat kit is refused, and can be staged instead");
	kit_admit(&kit);
	CHECK_EQUAL(order_first(&kit), E_V_HASH);
	CHECK_EQUAL(order_first(&kit), E_NOTFOUND);
	stage_kit("assist-b", &kit);
	CHECK_EQUAL(order_first(&kit), E_OK);
	CHECK_EQUAL(update_wait(update_last_id()).outcome, RS_OUTCOME_COMMITTED);
	service = service_now("assist");
	CHECK(service.is_machine_made && !service.is_layout_kept);
}

void cases_damaged(void)
{
	case_description();
	case_unasked();
	case_flat();
}
