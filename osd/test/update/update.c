/* Running a transaction, with assist asked without a pause: every answer must be there, and be
 * the right one. */
#include "osd/test/update/priv.h"

#include <string.h>

#include "osd/lib/sef/sef.h"
#include "osd/lib/sys/grant.h"
#include "osd/lib/sys/sys.h"

static uint64_t update_id;
static uint64_t assist_counter;
static endpoint_t assist_endpoint = EP_NONE;
static nsec_t assist_longest;

uint64_t update_last_id(void)
{
	return update_id;
}

err_t update_begin_as(uint64_t transaction, const struct offer *offer, const struct ask *ask,
        struct rs_reply *ret_reply)
{
	static struct {
		struct rs_update update;
		uint8_t envelope[OFFER_ENVELOPE_MAX];
	} request;

	memset(&request, 0, sizeof(request));
	request.update.transaction = transaction;
	request.update.flags = ask->flags;
	request.update.state = ask->state;
	memcpy(request.update.service, offer->service, SERVICE_NAME_LEN);
	memcpy(request.update.payload, offer->payload, RS_HASH_LEN);
	memcpy(request.update.description, offer->description, RS_HASH_LEN);
	request.update.prepare_timeout = ask->prepare;
	request.update.transfer_timeout = ask->transfer;
	request.update.total_timeout = ask->total;
	request.update.envelope_bytes = offer->envelope_bytes;
	memcpy(request.envelope, offer->envelope, offer->envelope_bytes);
	return rs_ask_with(RS_UPDATE, &request,
	        (uint32_t)(sizeof(request.update) + offer->envelope_bytes), GRANT_READ,
	        (struct rs_request){0}, ret_reply);
}

err_t update_begin(const struct offer *offer, const struct ask *ask, struct rs_reply *ret_reply)
{
	static const struct ask usual;
	struct rs_reply reply;

	return update_begin_as(++update_id, offer, ask != NULL ? ask : &usual,
	        ret_reply != NULL ? ret_reply : &reply);
}

static bool update_is_over(uint64_t transaction, struct rs_result *result)
{
	struct rs_reply reply;
	err_t r = rs_ask_with(RS_RESULT, result, sizeof(*result), GRANT_WRITE,
	        (struct rs_request){.argument = transaction}, &reply);

	CHECK_EQUAL(r, E_OK);
	return r != E_OK || result->outcome != RS_OUTCOME_RUNNING;
}

struct rs_result update_wait(uint64_t transaction)
{
	static struct rs_result result;

	memset(&result, 0, sizeof(result));
	while (!update_is_over(transaction, &result)) {
		assist_count();
	}
	return result;
}

struct rs_result update_run(const char *name, const struct ask *ask)
{
	stage_offer(offer_find(name));
	CHECK_EQUAL(update_begin(offer_find(name), ask, NULL), E_OK);
	return update_wait(update_id);
}

err_t assist_ask(uint32_t type, uint64_t a, uint64_t b, struct assist_reply *ret_reply)
{
	struct message msg = {.type = type, .w = {a, b}};
	nsec_t begin = sys_clock_read(), gap;
	err_t r;

	if (assist_endpoint == EP_NONE) {
		assist_endpoint = sef_lookup("assist");
	}
	r = sys_sendrec(assist_endpoint, &msg);
	gap = sys_clock_read() - begin;
	assist_longest = gap > assist_longest ? gap : assist_longest;
	if (r != E_OK) {
		return r;
	}
	*ret_reply = *MSG_AS(struct assist_reply, &msg);
	return ret_reply->err;
}

/*
 * E_RESTART is the honest answer of a service that was started afresh: whoever asked must know what
 * it lost.
 */
void assist_count(void)
{
	struct assist_reply reply = {0};
	err_t r = assist_ask(ASSIST_COUNT, 1, 0, &reply);

	if (r == E_RESTART) {
		assist_counter = 0;
		return;
	}
	CHECK_EQUAL(r, E_OK);
	if (reply.a == 1) {
		assist_counter = 0; /* afresh while nobody asked */
	}
	CHECK_EQUAL(reply.a, assist_counter + 1);
	assist_counter = reply.a;
}

uint64_t assist_checksum(void)
{
	struct assist_reply reply = {0};

	CHECK_EQUAL(assist_ask(ASSIST_CHECK, 0, 0, &reply), E_OK);
	return reply.a;
}

void service_settle(const char *name)
{
	struct rs_service service;
	uint32_t n = 0;

	do {
		pause_for(NSEC_MSEC);
		CHECK(rs_service(name, &service));
	} while (service.state != RS_SERVICE_UP && ++n < 5000);
	CHECK_EQUAL(service.state, RS_SERVICE_UP);
}

void assist_settle(void)
{
	service_settle("assist");
}

void pause_for(nsec_t nsec)
{
	struct message msg = {0};

	(void)sys_alarm_set(sys_clock_read() + nsec);
	while (!message_is_notify(&msg, EP_CLOCK)) {
		sef_receive(&msg);
	}
}

nsec_t longest_gap(void)
{
	return assist_longest;
}
