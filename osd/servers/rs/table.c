/* What RS answers: one row a request. A request from a process without a right to send to RS never
 * gets here. */
#include "osd/servers/rs/priv.h"

#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/hook.h"

static rs_handler *const table_handlers[] = {
        [RS_STATUS - RS_BASE] = status_services,
        [RS_STAGE_BEGIN - RS_BASE] = request_stage_begin,
        [RS_STAGE_CHUNK - RS_BASE] = request_stage_chunk,
        [RS_STAGE_LIST - RS_BASE] = request_stage_list,
        [RS_STAGE_DROP - RS_BASE] = request_stage_drop,
        [RS_UPDATE - RS_BASE] = request_update,
        [RS_RESULT - RS_BASE] = status_result,
        [RS_EVENTS - RS_BASE] = status_events,
        [RS_SUBSCRIBE - RS_BASE] = request_subscribe,
        [RS_REPORT_METRICS - RS_BASE] = request_metrics,
        [RS_RESOURCES - RS_BASE] = status_resources,
        [RS_SHUTDOWN - RS_BASE] = request_shutdown,
        [RS_ACKNOWLEDGE - RS_BASE] = request_acknowledge,
        [RS_RESTART - RS_BASE] = request_restart,
        [RS_ENVELOPE - RS_BASE] = status_envelope,
};
#define TABLE_SIZE (sizeof(table_handlers) / sizeof(table_handlers[0]))

void table_dispatch(const struct message *msg)
{
	struct message answer = {.type = MSG_REPLY};
	struct rs_reply *reply = MSG_AS(struct rs_reply, &answer);
	uint32_t row = msg->type - RS_BASE;

	if (row < TABLE_SIZE && table_handlers[row] != NULL) {
		reply->err = table_handlers[row](msg, reply);
	} else {
		reply->err = hook_request(msg, reply);
	}
	/* Who does not wait for a reply does not get one. */
	(void)sys_reply(msg->source, &answer);
}
