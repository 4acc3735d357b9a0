/*
 * Planning a job, and waiting for jobs. The client hears of each step, each notice and each proposal to sign on the
 * way, and gets its answer when the last of its jobs has ended. The wait is the client's alone:
 * when it leaves, the jobs go on. While the record cannot be written jobs stand still, and nobody
 * is kept waiting for that to end: the answer says so.
 */
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/control/ask/priv.h"

/*
 * The id is the user's, and bound to what is asked for: kind, machine, service and options; not to the
 * reason, or to the number in the session.
 */
struct job_asked control_asked(const struct control_client *client, const Control__Request *request)
{
	struct job_asked asked = {
	        .who = client->who,
	        .reason = request->reason,
	        .request_id = request->request_id,
	        .overrides = request->override,
	};

	if (*request->request_id) {
		control_request_digest(request, asked.request_hash);
	}
	return asked;
}

/* A watch hears of all jobs; a wait is for a few. */
static bool control_waits_for(const struct control_wait *wait, int64_t job)
{
	for (size_t i = 0; i < wait->n_jobs; i++) {
		if (wait->jobs[i] == job) {
			return true;
		}
	}
	return false;
}

/*
 * The jobs as they stand in the record now, in the order in which they were asked for, then what
 * was skipped. Errors: of the record.
 */
static int control_jobs_list(
        struct control_wait *wait, struct pool *pool, Control__JobList *ret_list)
{
	struct engine *engine = control_engine(wait->client);
	int r = 0;

	ret_list->jobs =
	        pool_zero(pool, (wait->n_jobs + wait->n_skipped) * sizeof(*ret_list->jobs));
	for (size_t i = 0; !r && i < wait->n_jobs; i++) {
		r = view_job(pool, engine, wait->jobs[i], false, &ret_list->jobs[ret_list->n_jobs]);
		ret_list->n_jobs += !r;
	}
	for (size_t i = 0; i < wait->n_skipped; i++) {
		ret_list->jobs[ret_list->n_jobs++] =
		        view_skipped(pool, wait->machine, &wait->skipped[i]);
	}
	return err_fold(r);
}

/* All are settled (or the client does not want to wait): answers and ends the wait. */
static void control_jobs_answer(struct control_wait *wait)
{
	_cleanup_(pool_fini) struct pool pool;
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__JobList list = CONTROL__JOB_LIST__INIT;
	int r;

	pool_init(&pool);
	if (!wait->many) {
		reply.body_case = CONTROL__REPLY__BODY_JOB;
		r = view_job(&pool, control_engine(wait->client), wait->jobs[0], true, &reply.job);
	} else {
		reply.body_case = CONTROL__REPLY__BODY_JOBS;
		reply.jobs = &list;
		r = control_jobs_list(wait, &pool, &list);
	}
	if (r) {
		control_refuse_record(wait->client, wait->id);
	} else {
		control_reply(wait->client, wait->id, &reply);
	}
	control_wait_free(wait);
}

/* The record cannot be written: nobody is kept waiting until it can. */
static void control_jobs_stalled(struct control_wait *wait)
{
	_cleanup_(pool_fini) struct pool pool;
	struct engine *engine = control_engine(wait->client);
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__JobList list = CONTROL__JOB_LIST__INIT;

	pool_init(&pool);
	list.jobs = pool_zero(&pool, wait->n_jobs * sizeof(*list.jobs));
	for (size_t i = 0; i < wait->n_jobs; i++) {
		list.jobs[list.n_jobs++] = view_stalled(&pool, engine, wait->jobs[i]);
	}
	if (wait->many) {
		reply.body_case = CONTROL__REPLY__BODY_JOBS;
		reply.jobs = &list;
	} else {
		reply.body_case = CONTROL__REPLY__BODY_JOB;
		reply.job = list.jobs[0];
	}
	control_reply(wait->client, wait->id, &reply);
	control_wait_free(wait);
}

/*
 * Passes one piece of news on. The bytes that a proposal asks to be signed are only borrowed from
 * the job; the message is packed before this returns.
 */
static void control_jobs_news(struct control_wait *wait, const struct job_news *news)
{
	_cleanup_(pool_fini) struct pool pool;
	Control__Progress progress = CONTROL__PROGRESS__INIT;

	pool_init(&pool);
	progress.id = wait->id;
	progress.job = news->row->id;
	progress.service = (char *)news->row->service;
	progress.step = (char *)job_step_name(news->row->step);
	progress.done = news->done;
	progress.total = news->total;
	progress.text = (char *)(news->text ? news->text : "");
	if (news->event == JOB_EVENT_NOTICE) {
		progress.notice = progress.text;
	}
	if (news->event == JOB_EVENT_PROPOSED) {
		progress.proposal = view_proposal(&pool, news);
	}
	if (news->event == JOB_EVENT_ENDED &&
	        view_job(&pool, control_engine(wait->client), news->row->id, false,
	                &progress.finished) != 0) {
		/* The answer itself will say that the record cannot be read. */
		err_forget();
	}
	control_progress(wait->client, &progress);
}

/*
 * Two kinds of news end the wait, and with it the watch that brought them: the last job's end,
 * and that the record cannot be written. Nothing of the wait may be touched after either.
 */
static void control_on_news(const struct job_news *news, void *arg)
{
	struct control_wait *wait = arg;

	if (!control_waits_for(wait, news->row->id)) {
		return;
	}
	if (news->event == JOB_EVENT_STALLED) {
		control_jobs_stalled(wait);
		return;
	}
	control_jobs_news(wait, news);
	if (news->event == JOB_EVENT_ENDED && --wait->n_open == 0) {
		control_jobs_answer(wait);
	}
}

/*
 * The first news of a job that is waited for: its number, by which the client finds it again, and what
 * keeps it waiting, which was told before anybody waited.
 */
static void control_jobs_begin(struct control_wait *wait, int64_t job)
{
	struct engine *engine = control_engine(wait->client);
	const char *why = engine_job_waits(engine, job);
	Control__Progress progress = CONTROL__PROGRESS__INIT;
	char notice[240];
	struct job_row row;

	if (store_job_find(control_db(wait->client), job, &row) != 0) {
		/* The answer itself will say that the record cannot be read. */
		err_forget();
		return;
	}
	progress.id = wait->id;
	progress.job = job;
	progress.service = row.service;
	progress.step = (char *)job_step_name(row.step);
	if (why) {
		snprintf(notice, sizeof(notice), "%s: %s", job_state_name(row.state), why);
		progress.notice = progress.text = notice;
	}
	control_progress(wait->client, &progress);
}

/*
 * Waits for what ->jobs holds; `detach` answers with what is known now. Of a request that came again
 * some may be over.
 */
void control_jobs_wait(struct control_wait *wait, bool detach)
{
	for (size_t i = 0; i < wait->n_jobs; i++) {
		wait->n_open += engine_has_job(control_engine(wait->client), wait->jobs[i]);
	}
	if (detach || !wait->n_open) {
		control_jobs_answer(wait);
		return;
	}
	if (db_health(control_db(wait->client)) != DB_WELL) {
		control_jobs_stalled(wait);
		return;
	}
	wait->watch = engine_watch(control_engine(wait->client), control_on_news, wait);
	for (size_t i = 0; i < wait->n_jobs; i++) {
		if (engine_has_job(control_engine(wait->client), wait->jobs[i])) {
			control_jobs_begin(wait, wait->jobs[i]);
		}
	}
}

/* As control_jobs_wait() for a single job that was recorded just now, or is known to be open. */
void control_wait_job(struct control_client *client, uint64_t id, int64_t job, bool detach)
{
	struct control_wait *wait = control_wait_new(client, id);

	if (wait) {
		wait->jobs[wait->n_jobs++] = job;
		control_jobs_wait(wait, detach);
	}
}

void control_order(
        struct control_client *client, uint64_t id, const struct job_order *order, bool detach)
{
	struct failure failure = {0};
	int64_t job = 0;
	int r = engine_plan(control_engine(client), order, &job, &failure);

	control_planned(client, id, r, &failure, job, detach);
}

/*
 * A record that cannot be written is told as that, whatever planning says of it; of the rest what
 * is positive is a refusal with its reason, and what is negative a fault of lud or the machine.
 */
void control_planned(struct control_client *client, uint64_t id, int r,
        const struct failure *failure, int64_t job, bool detach)
{
	if (r < 0 && db_health(control_db(client)) != DB_WELL) {
		control_refuse_change(client, id);
		return;
	}
	if (r) {
		control_refuse(client, id,
		        r < 0 ? WIRE__ERROR_CLASS__ERROR_INTERNAL
		              : WIRE__ERROR_CLASS__ERROR_REFUSED,
		        failure);
		err_forget();
		return;
	}
	control_wait_job(client, id, job, detach);
}
