/*
 * What RS answers: one row a request. A request from a process without a right to send to RS never
 * gets here. Signatures cost RS more than everything else it is asked, and anybody on the channel
 * can send some, so checking them has a share of the machine's time; what is above is sent back
 * before it is looked at.
 *
 * The checks that hold for a whole request come first and in here (may the caller, is it too much);
 * handlers check what is in it. They fill the reply and return its error.
 */
#include "osd/servers/rs/priv.h"

#include "osd/lib/sys/share.h"
#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/base/handler.h"
#include "osd/servers/rs/update/hook.h"
#include "osd/servers/rs/base/machine.h"
#include "osd/servers/rs/update/order.h"
#include "osd/servers/rs/tell/request.h"
#include "osd/servers/rs/life/service.h"
#include "osd/servers/rs/stage/stage.h"
#include "osd/servers/rs/stage/stage_request.h"
#include "osd/servers/rs/tell/status.h"
#include "osd/servers/rs/update/update.h"

struct table_row {
	handler *handler;
	bool is_control; /* only for services whose kit has KIT_CONTROL */
	bool is_signed;  /* carries signatures to check */
};

/* An update with its confirm needs ten checks, of less than a ms each under TCG. */
static const struct share_limit table_limit = {.parts = 8, .burst = 250 * NSEC_MSEC};
static struct share table_share;

#define TABLE_ASK(request, function) [request - RS_BASE] = {.handler = function}
#define TABLE_CONTROL(request, function)                                                           \
	[request - RS_BASE] = {.handler = function, .is_control = true}
#define TABLE_SIGNED(request, function)                                                            \
	[request - RS_BASE] = {.handler = function, .is_control = true, .is_signed = true}
static const struct table_row table_rows[] = {
        TABLE_ASK(RS_STATUS, status_services),
        TABLE_CONTROL(RS_STAGE_BEGIN, request_stage_begin),
        TABLE_CONTROL(RS_STAGE_CHUNK, request_stage_chunk),
        TABLE_CONTROL(RS_STAGE_LIST, request_stage_list),
        TABLE_CONTROL(RS_STAGE_DROP, request_stage_drop),
        TABLE_SIGNED(RS_ORDER, order_request),
        TABLE_ASK(RS_RESULT, status_result),
        TABLE_ASK(RS_EVENTS, status_events),
        TABLE_ASK(RS_SUBSCRIBE, request_subscribe),
        TABLE_ASK(RS_REPORT_METRICS, request_metrics),
        TABLE_ASK(RS_RESOURCES, status_resources),
        TABLE_SIGNED(RS_ADMIT, request_admit),
        TABLE_CONTROL(RS_ACKNOWLEDGE, request_acknowledge),
        TABLE_CONTROL(RS_PREPARE_CHECK, order_prepare_check),
        TABLE_CONTROL(RS_ENVELOPE, status_envelope),
        TABLE_CONTROL(RS_CANCEL, order_cancel),
        TABLE_SIGNED(RS_STATEMENT, request_statement),
        TABLE_SIGNED(RS_TIME, request_time),
};
#define TABLE_SIZE (sizeof(table_rows) / sizeof(table_rows[0]))

/* Whose kit has the right, not whose endpoint is known: rights are in what was signed. */
static bool table_is_allowed(const struct table_row *row, endpoint_t caller)
{
	return !row->is_control || service_may_control(caller);
}

/* E_RATE: the share is used up; the reply says after how many ms to come again. */
static err_t table_serve_signed(
        const struct table_row *row, const struct message *msg, struct rs_reply *ret_reply)
{
	nsec_t begun = sys_clock_read(), wait = share_wait(&table_share, &table_limit, begun);
	err_t err;

	if (wait > 0) {
		ret_reply->a = wait / NSEC_MSEC + 1;
		return E_RATE;
	}
	err = row->handler(msg, ret_reply);
	share_charge(&table_share, &table_limit, begun, sys_clock_read());
	return err;
}

/* E_PERM: not for this caller. E_NOSYS: no such request, which hook_request() says. */
static err_t table_handle(const struct message *msg, struct rs_reply *ret_reply)
{
	uint32_t n = msg->type - RS_BASE;

	if (update_is_holding(msg->source)) {
		return E_AGAIN; /* sent without waiting, before it was prepared */
	}
	if (n >= TABLE_SIZE || table_rows[n].handler == NULL) {
		return hook_request(msg, ret_reply);
	}
	if (!table_is_allowed(&table_rows[n], msg->source)) {
		return E_PERM;
	}
	return table_rows[n].is_signed ? table_serve_signed(&table_rows[n], msg, ret_reply)
	                               : table_rows[n].handler(msg, ret_reply);
}

void table_dispatch(const struct message *msg)
{
	struct message answer = {.type = MSG_REPLY};
	struct rs_reply *reply = MSG_AS(struct rs_reply, &answer);

	reply->err = table_handle(msg, reply);
	/* Who does not wait for a reply does not get one. */
	(void)sys_reply(msg->source, &answer);
}
