/*
 * Requests that only read: versions, history, jobs, one generation, and the log. They ask
 * nothing of a machine. Lists are paged by the id of the last row, newest first (page.c). Following the log ends when the client leaves.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/base/log.h"
#include "orchestrator/control/ask/priv.h"
#include "orchestrator/store/retention.h"
#include "version.h"

#define CONTROL_HISTORY_DEFAULT 20

/*
 * Of this lud: its version, the protocols it speaks and its record's schema. Answered in every
 * state, which makes it the question to find out whether lud is there.
 */
void control_on_version(struct control_client *client, const Control__Request *request)
{
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__Version version = CONTROL__VERSION__INIT;

	version.software = "lud " SAMSARA_VERSION;
	version.protocol = CONTROL_PROTOCOL;
	version.machine_protocol = MACHINE_PROTOCOL;
	version.record = store_schema_version();
	version.build = SAMSARA_BUILD;
	reply.body_case = CONTROL__REPLY__BODY_VERSION;
	reply.version = &version;
	control_reply(client, request->id, &reply);
}

/* A page of the history while it is filled. */
struct control_history {
	struct pool *pool;
	struct engine *engine;
	Control__History *history;
	struct control_page page;
};

/* ->next is where the page ends; whether there is anything behind that shows in the row after it. */
static int control_history_row(const struct generation_row *row, void *arg)
{
	struct control_history *visit = arg;
	Control__History *history = visit->history;
	int r;

	Control__Generation *generation;

	if (visit->page.more) {
		return 0;
	}
	r = view_generation(visit->pool, visit->engine, row, false, &generation);
	if (!r && control_page_takes(&visit->page, &generation->base)) {
		history->generations[history->n_generations++] = generation;
		history->next = (uint64_t)row->id;
	}
	return err_up(r);
}

/*
 * Generations of a machine, newest first, whatever became of them. Works for a machine that was
 * removed: its rows are there under its name.
 */
void control_on_history(struct control_client *client, const Control__Request *request)
{
	_cleanup_(pool_fini) struct pool pool;
	const Control__HistoryRequest *ask = request->history;
	int64_t machine = control_machine_of_record(client, request->id, ask->machine);
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__History history = CONTROL__HISTORY__INIT;
	struct control_history visit = {&pool, control_engine(client), &history,
	        control_page(ask->limit, CONTROL_HISTORY_DEFAULT)};
	struct generation_filter filter = {.service = ask->service, .before = ask->before};
	int r;

	pool_init(&pool);
	if (!machine) {
		return;
	}
	filter.machine = machine;
	filter.limit = (int64_t)visit.page.limit + 1;
	history.generations = pool_zero(&pool, visit.page.limit * sizeof(*history.generations));
	r = store_generation_each(control_db(client), &filter, control_history_row, &visit);
	if (!r) {
		r = store_removed(control_db(client), RETENTION_GENERATIONS, machine, ask->service,
		        &history.removed, &history.removed_us);
	}
	if (r) {
		control_refuse_record(client, request->id);
		return;
	}
	history.more = visit.page.more;
	history.next = history.more ? history.next : 0;
	reply.body_case = CONTROL__REPLY__BODY_HISTORY;
	reply.history = &history;
	control_reply(client, request->id, &reply);
}

/* As control_history, of jobs. */
struct control_job_list {
	struct pool *pool;
	struct engine *engine;
	Control__JobList *list;
	struct control_page page;
};

static int control_job_row(const struct job_row *row, void *arg)
{
	struct control_job_list *visit = arg;
	Control__JobList *list = visit->list;
	int r;

	Control__Job *job;

	if (visit->page.more) {
		return 0;
	}
	r = view_job(visit->pool, visit->engine, row->id, false, &job);
	if (!r && control_page_takes(&visit->page, &job->base)) {
		list->jobs[list->n_jobs++] = job;
		list->next = (uint64_t)row->id;
	}
	return err_fold(r);
}

/*
 * Jobs, newest first, in their short form. `bare` are those that no history shows: they ended
 * before a generation was drawn. Pages as control_on_history().
 */
void control_on_job_list(struct control_client *client, const Control__Request *request)
{
	_cleanup_(pool_fini) struct pool pool;
	const Control__JobListRequest *ask = request->job_list;
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__JobList list = CONTROL__JOB_LIST__INIT;
	struct control_job_list visit = {&pool, control_engine(client), &list,
	        control_page(ask->limit, CONTROL_HISTORY_DEFAULT)};
	struct job_filter filter = {
	        .machine = control_machine_of_record(client, request->id, ask->machine),
	        .service = ask->service,
	        .before = (int64_t)ask->before,
	        .bare = ask->bare,
	        .parent = (int64_t)ask->parent,
	        .limit = visit.page.limit + 1,
	};

	pool_init(&pool);
	if (!filter.machine) {
		return;
	}
	list.jobs = pool_zero(&pool, visit.page.limit * sizeof(*list.jobs));
	if (store_job_each(control_db(client), &filter, control_job_row, &visit) ||
	        store_removed(control_db(client), RETENTION_JOBS, filter.machine, ask->service,
	                &list.removed, &list.removed_us)) {
		control_refuse_record(client, request->id);
		return;
	}
	list.more = visit.page.more;
	list.next = list.more ? list.next : 0;
	reply.body_case = CONTROL__REPLY__BODY_JOBS;
	reply.jobs = &list;
	control_reply(client, request->id, &reply);
}

/*
 * One generation with all that is kept of it: the signed variant, and the seed sealed to the
 * audit key, which lud cannot open. Without a number it is the one that the machine runs, as it
 * said last.
 */
void control_on_show(struct control_client *client, const Control__Request *request)
{
	_cleanup_(pool_fini) struct pool pool;
	const Control__ShowRequest *ask = request->show;
	int64_t row_id = control_machine_of_record(client, request->id, ask->machine);
	struct machine *machine = machines_by_id(engine_machines(control_engine(client)), row_id);
	const Machine__Service *service;
	Control__Reply reply = CONTROL__REPLY__INIT;
	uint64_t number = ask->generation;
	struct generation_row row;
	struct failure failure;
	int r;

	pool_init(&pool);
	if (!row_id) {
		return;
	}
	service = machine ? machine_service(machine, ask->service) : NULL;
	if (!number && service) {
		number = service->generation;
	}
	r = store_generation_find(control_db(client), row_id, ask->service, number, &row);
	if (!r) {
		r = view_generation(&pool, control_engine(client), &row, true, &reply.generation);
	}
	if (r < 0) {
		control_refuse_record(client, request->id);
		return;
	}
	if (r) {
		failure_set(&failure, "no-generation", ask->service,
		        "`luctl history` shows the generations",
		        "there is no generation %" PRIu64 " of this service", number);
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_NOT_FOUND, &failure);
		return;
	}
	reply.body_case = CONTROL__REPLY__BODY_GENERATION;
	control_reply(client, request->id, &reply);
}

/* Lines of the machine, escaped by whoever prints them: here they are bytes. */
static void control_on_lines(const Machine__LogLines *lines, void *arg)
{
	struct control_wait *wait = arg;
	Control__LogChunk chunk = CONTROL__LOG_CHUNK__INIT;

	chunk.id = wait->id;
	chunk.machine = (char *)machine_row(wait->machine)->name;
	chunk.n_lines = lines->n_lines;
	chunk.lines = lines->lines;
	chunk.dropped = lines->dropped;
	control_log(wait->client, &chunk);
}

/*
 * Lines that lud keeps, then new ones as they come. A client that follows has no answer until it
 * leaves or the machine is removed; while all places are taken it loses its own before any client
 * that waits for a job does (clients.c).
 */
void control_on_log_follow(struct control_client *client, const Control__Request *request)
{
	const Control__LogFollowRequest *ask = request->log_follow;
	struct machine *machine = control_machine(client, request->id, ask->machine);
	struct control_wait *wait;

	if (!machine) {
		return;
	}
	wait = control_wait_new(client, request->id);
	if (!wait) {
		return;
	}
	wait->machine = machine;
	wait->log = machine_listen(machine, ask->backlog, control_on_lines, wait);
	if (!ask->follow) {
		control_wait_free(wait);
		control_done(client, request->id, "");
	}
}
