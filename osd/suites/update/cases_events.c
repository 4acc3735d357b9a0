/* Events: their order, their numbers, and who is notified. */
#include "osd/suites/update/priv.h"

#include <string.h>

#include "osd/lib/sef/sef.h"
#include "osd/lib/sys/grant.h"
#include "osd/lib/sys/sys.h"

static struct rs_event events[64];

/* Fetch what there is from a number on; returns how many. */
static uint32_t events_fetch(uint64_t sequence, struct rs_reply *ret_reply)
{
	CHECK_EQUAL(rs_ask_with(RS_EVENTS, events, sizeof(events), GRANT_WRITE,
	                    (struct rs_request){.argument = sequence}, ret_reply),
	        E_OK);
	return (uint32_t)ret_reply->count;
}

static void case_order(void)
{
	static const uint32_t steps[] = {
	        RS_STEP_VERIFY, RS_STEP_PREPARE, RS_STEP_ROLLBACK, RS_STEP_DONE};
	struct rs_reply reply = {0};
	uint64_t first = rs_events_next(), number;

	tap_case("every step of a transaction is an event, and so is its result");
	number = check_run("").transaction;
	CHECK_EQUAL(events_fetch(first, &reply), 5);
	for (uint32_t i = 0; i < 5; i++) {
		CHECK_EQUAL(events[i].sequence, first + i);
		CHECK_EQUAL(events[i].transaction, number);
		CHECK_EQUAL(events[i].epoch, 0);
		CHECK(strcmp(events[i].service, "assist") == 0);
	}
	for (uint32_t i = 0; i < 4; i++) {
		CHECK_EQUAL(events[i].kind, RS_EVENT_STEP);
		CHECK_EQUAL(events[i].step, steps[i]);
	}
	CHECK_EQUAL(events[4].kind, RS_EVENT_RESULT);
}

static void case_subscribe(void)
{
	struct message msg = {0};
	struct rs_reply reply = {0};
	uint64_t number;

	tap_case("a subscriber is notified, and acknowledged events go");
	CHECK_EQUAL(rs_ask(RS_SUBSCRIBE, (struct rs_request){0}, &reply), E_OK);
	pause_for(1000 * NSEC_MSEC);
	CHECK_EQUAL(check_begin("", &number), E_OK);
	while (!message_is_notify(&msg, EP_RS)) {
		sef_receive(&msg);
	}
	(void)check_wait(number);
	msg = (struct message){.type = RS_ACKNOWLEDGE, .w = {rs_events_next()}};
	CHECK_EQUAL(sys_sendrec(EP_RS, &msg), E_OK);
	CHECK_EQUAL(events_fetch(0, &reply), 0);
	CHECK_EQUAL(reply.a, reply.b);
}

void cases_events(void)
{
	case_order();
	case_subscribe();
}
