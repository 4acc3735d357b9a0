/* What a service without rights gets out of RS and of other services: nothing. */
#include "osd/suites/update/priv.h"

#include <string.h>

#include "osd/lib/sef/sef.h"
#include "osd/lib/sys/grant.h"
#include "osd/lib/sys/sys.h"
#include "osd/suites/update/order.h"

/* Everything that RS says to a service, said by one that is not RS. */
static const struct message forged[] = {
        {.type = SEF_PREPARE, .w = {1, QS_PREPARE_CRASH}},
        {.type = SEF_PREPARE, .w = {1, QS_WORK_FREE}},
        {.type = SEF_CANCEL, .w = {1}},
        {.type = SEF_PING, .w = {7}},
        {.type = SEF_SIGNAL, .w = {SEF_SIGNAL_TERMINATE}},
};

static void case_forged(void)
{
	endpoint_t assist = sef_lookup("assist");
	struct rs_service old = {0}, new = {0};

	tap_case("only RS prepares, pings and ends a service");
	CHECK(rs_service("assist", &old));
	for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++) {
		struct message msg = forged[i];

		CHECK_EQUAL(sys_asend(assist, &msg), E_OK);
		CHECK_EQUAL(sys_sendrec(assist, &msg), E_OK);
		CHECK_EQUAL(msg.type, MSG_REPLY);
		CHECK_EQUAL(msg.w[0], E_NOSYS);
		assist_count_up();
	}
	CHECK(rs_service("assist", &new));
	CHECK_EQUAL(new.n_restarts, old.n_restarts);
}

/* Tickets are counted: a third party names every one there may be, for as long as the update runs. */
static void refuse_for_others(void)
{
	while (rs_resources().busy == update_last_id()) {
		for (uint64_t ticket = 1; ticket <= 256; ticket++) {
			struct message msg = {
			        .type = SEF_PREPARE_REFUSED, .w = {ticket, (uint64_t)E_REFUSED}};

			if (sys_send(EP_RS, &msg) != E_OK) {
				CHECK(false);
				return;
			}
		}
	}
}

/* Words that a participant says to RS, and RS to a participant, said by a third party. */
static void case_forged_in_update(void)
{
	struct ask ask = {.state = "unreachable", .prepare = 50 * NSEC_MSEC};
	struct assist_reply reply;
	struct message msg;
	struct rs_result result;

	tap_case("a third party neither ends nor refuses an update, nor does a refusal of another "
	         "one");
	CHECK_EQUAL(offer_admit(offer_find("second")), E_OK);
	stage_offer(offer_find("second"));
	CHECK_EQUAL(update_begin(offer_find("second"), &ask, NULL), E_OK);
	msg = (struct message){.type = SEF_CANCEL, .w = {update_last_id()}};
	CHECK_EQUAL(sys_asend(sef_lookup("assist"), &msg), E_OK);
	CHECK_EQUAL(assist_ask(ASSIST_REFUSE, UINT64_MAX, 0, &reply), E_OK);
	refuse_for_others();
	result = update_wait(update_last_id());
	CHECK_EQUAL(result.err, E_TIMEOUT);
	CHECK(result.step_at[RS_STEP_ROLLBACK] - result.step_at[RS_STEP_PREPARE] >= ask.prepare);
}

struct look {
	uint32_t request;
	err_t err;
};

static const struct look looks[] = {
        {RS_STATUS, E_OK},
        {RS_RESULT, E_OK},
        {RS_EVENTS, E_OK},
        {RS_STAGE_LIST, E_PERM},
        {RS_ENVELOPE, E_PERM},
        {RS_STAGE_DROP, E_PERM},
        {RS_ORDER, E_PERM},
        {RS_ADMIT, E_PERM},
        {RS_PREPARE_CHECK, E_PERM},
        {RS_CANCEL, E_PERM},
        {RS_STATEMENT, E_PERM},
        {RS_TIME, E_PERM},
        {RS_ACKNOWLEDGE, E_PERM},
        {RS_STANDING, E_PERM},
        {RS_STANDING_STATUS, E_PERM},
};

/* With the right there is something to see, so that a blind test would not pass. */
static void check_visible(void)
{
	static struct rs_event events[64];
	struct rs_service service = {0};
	struct rs_reply reply;

	CHECK(rs_service("assist", &service));
	CHECK(service.base != 0);
	CHECK_EQUAL(rs_ask_with(RS_EVENTS, events, sizeof(events), GRANT_WRITE,
	                    (struct rs_request){0}, &reply),
	        E_OK);
	CHECK(reply.count > 0 && events[0].text[0] != '\0');
}

static void case_layouts(void)
{
	struct rs_result result;

	tap_case("layouts of others are not shown to a service without rights");
	result = update_run("second", &(struct ask){.state = "custom-7"});
	CHECK(result.base != 0);
	CHECK(result.image_bytes != 0);
	CHECK(result.transfer.message[0] != '\0');
	check_visible();
	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
		bool of_result = looks[i].request == RS_RESULT;
		uint64_t argument = of_result ? result.transaction : 0;
		uint64_t epoch = of_result ? order_epoch() : 0;
		struct assist_reply reply = {0};

		CHECK_EQUAL(
		        assist_ask(ASSIST_PEEK, epoch << 32 | looks[i].request, argument, &reply),
		        looks[i].err);
		CHECK((reply.a > 0) == (looks[i].err == E_OK));
		CHECK_EQUAL(reply.b, 0);
	}
}

void cases_trust(void)
{
	case_forged();
	case_forged_in_update();
	case_layouts();
}
