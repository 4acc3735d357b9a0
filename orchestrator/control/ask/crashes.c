/*
 * Crashes of a machine's services, newest first, from the record: what each machine told, whether somebody watched or not.
 * Works for a machine that is down, or was removed.
 */
#include "orchestrator/control/ask/priv.h"
#include "orchestrator/store/changes.h"

#define CONTROL_CRASHES_DEFAULT 20

/* A page while it is filled. */
struct control_crashes {
	struct pool *pool;
	Control__CrashList *list;
	struct control_page page;
};

static int control_crash_row(const struct change_row *row, void *arg)
{
	struct control_crashes *visit = arg;
	Control__CrashList *list = visit->list;
	Control__Crash *crash = pool_zero(visit->pool, sizeof(*crash));

	control__crash__init(crash);
	crash->id = (uint64_t)row->id;
	crash->service = pool_text(visit->pool, row->service);
	crash->at_us = row->seen_us;
	crash->boot_id = row->boot_id;
	crash->clock_ns = row->clock_ns;
	crash->gave_up = row->kind == MACHINE__SERVICE_CHANGE_KIND__CHANGE_GAVE_UP;
	crash->generation = row->generation;
	crash->made = row->made;
	crash->code = pool_text(visit->pool, row->code);
	crash->message = pool_text(visit->pool, row->message);
	crash->back_ns = row->back_ns;
	if (control_page_takes(&visit->page, &crash->base)) {
		list->crashes[list->n_crashes++] = crash;
		list->next = crash->id;
	}
	return 0;
}

void control_on_crash_list(struct control_client *client, const Control__Request *request)
{
	_cleanup_(pool_fini) struct pool pool;
	const Control__CrashListRequest *ask = request->crash_list;
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__CrashList list = CONTROL__CRASH_LIST__INIT;
	struct control_crashes visit = {
	        &pool, &list, control_page(ask->limit, CONTROL_CRASHES_DEFAULT)};
	struct crash_filter filter = {
	        .machine = control_machine_of_record(client, request->id, ask->machine),
	        .service = ask->service,
	        .before = (int64_t)ask->before,
	        .limit = (int64_t)visit.page.limit + 1,
	};

	pool_init(&pool);
	if (!filter.machine) {
		return;
	}
	list.crashes = pool_zero(&pool, visit.page.limit * sizeof(*list.crashes));
	if (store_crash_each(control_db(client), &filter, control_crash_row, &visit) != 0) {
		control_refuse_record(client, request->id);
		return;
	}
	list.more = visit.page.more;
	list.next = list.more ? list.next : 0;
	reply.body_case = CONTROL__REPLY__BODY_CRASHES;
	reply.crashes = &list;
	control_reply(client, request->id, &reply);
}
