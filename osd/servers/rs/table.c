/* What RS answers: one row a request. A request from a process without a right to send to RS never
 * gets here. */
#include "osd/servers/rs/priv.h"

#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/hook.h"
#include "osd/servers/rs/txn.h"

struct table_row {
	rs_handler *handler;
	bool is_control; /* only for services whose kit has KIT_CONTROL */
};

#define TABLE_ASK(request, function) [request - RS_BASE] = {.handler = function}
#define TABLE_CONTROL(request, function)                                                           \
	[request - RS_BASE] = {.handler = function, .is_control = true}
static const struct table_row table_rows[] = {
        TABLE_ASK(RS_STATUS, status_services),
        TABLE_CONTROL(RS_STAGE_BEGIN, request_stage_begin),
        TABLE_CONTROL(RS_STAGE_CHUNK, request_stage_chunk),
        TABLE_CONTROL(RS_STAGE_LIST, request_stage_list),
        TABLE_CONTROL(RS_STAGE_DROP, request_stage_drop),
        TABLE_CONTROL(RS_ORDER, order_request),
        TABLE_ASK(RS_RESULT, status_result),
        TABLE_ASK(RS_EVENTS, status_events),
        TABLE_ASK(RS_SUBSCRIBE, request_subscribe),
        TABLE_ASK(RS_REPORT_METRICS, request_metrics),
        TABLE_ASK(RS_RESOURCES, status_resources),
        TABLE_CONTROL(RS_ADMIT, request_admit),
        TABLE_CONTROL(RS_ACKNOWLEDGE, request_acknowledge),
        TABLE_CONTROL(RS_PREPARE_CHECK, order_prepare_check),
        TABLE_CONTROL(RS_ENVELOPE, status_envelope),
        TABLE_CONTROL(RS_CANCEL, order_cancel),
        TABLE_CONTROL(RS_STATEMENT, request_statement),
        TABLE_CONTROL(RS_TIME, request_time),
};
#define TABLE_SIZE (sizeof(table_rows) / sizeof(table_rows[0]))

static bool table_is_allowed(const struct table_row *row, endpoint_t caller)
{
	return !row->is_control || service_may_control(caller);
}

static err_t table_handle(const struct message *msg, struct rs_reply *ret_reply)
{
	uint32_t n = msg->type - RS_BASE;

	if (txn_is_holding(msg->source)) {
		return E_AGAIN; /* sent without waiting, before it was prepared */
	}
	if (n >= TABLE_SIZE || table_rows[n].handler == NULL) {
		return hook_request(msg, ret_reply);
	}
	return table_is_allowed(&table_rows[n], msg->source) ? table_rows[n].handler(msg, ret_reply)
	                                                     : E_PERM;
}

void table_dispatch(const struct message *msg)
{
	struct message answer = {.type = MSG_REPLY};
	struct rs_reply *reply = MSG_AS(struct rs_reply, &answer);

	reply->err = table_handle(msg, reply);
	/* Who does not wait for a reply does not get one. */
	(void)sys_reply(msg->source, &answer);
}
