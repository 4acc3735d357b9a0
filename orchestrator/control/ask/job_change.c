/*
 * Requests about one open job: to end it, to hold it, to release it. Each is answered with the job.
 */
#include <inttypes.h>
#include <string.h>

#include "orchestrator/control/ask/priv.h"
#include "orchestrator/job/engine/engine.h"
#include "orchestrator/job/plan/plan.h"

/* How long a job is held when nobody says for how long, and at the most. */
#define CONTROL_HOLD_USEC INT64_C(604800000000)
#define CONTROL_HOLD_MAX_USEC (52 * CONTROL_HOLD_USEC)

/* A time from now; 0 ms: after CONTROL_HOLD_USEC. */
static int64_t control_hold_until(int64_t now, uint64_t ms)
{
	int64_t usec = ms < (uint64_t)CONTROL_HOLD_MAX_USEC / 1000 ? (int64_t)ms * 1000
	                                                           : CONTROL_HOLD_MAX_USEC;

	return now + (usec ? usec : CONTROL_HOLD_USEC);
}

/* The engine knows jobs that are open; of one that is in no record either there is more to say. */
static void control_change_refuse(
        struct control_client *client, uint64_t id, uint64_t job, const struct failure *failure)
{
	bool is_none = !strcmp(failure->code, "no-job");
	struct job_row row;

	if (is_none && store_job_find(control_db(client), (int64_t)job, &row) > 0) {
		control_refuse_job(client, id, job);
		return;
	}
	control_refuse(client, id,
	        is_none ? WIRE__ERROR_CLASS__ERROR_NOT_FOUND : WIRE__ERROR_CLASS__ERROR_REFUSED,
	        failure);
}

/* Waits for the end, which may have come already. */
void control_on_job_cancel(struct control_client *client, const Control__Request *request)
{
	int64_t job = (int64_t)request->job_cancel->job;
	struct failure failure = {0};

	control_once_says(client, 0, job);
	if (engine_cancel(
	            control_engine(client), job, client->who.name, request->reason, &failure)) {
		control_change_refuse(client, request->id, request->job_cancel->job, &failure);
		return;
	}
	control_wait_job(client, request->id, job, false);
}

/* One that is held for a while is scheduled: it goes on by itself. */
void control_on_job_hold(struct control_client *client, const Control__Request *request)
{
	const Control__JobHoldRequest *asked = request->job_hold;
	int64_t now = store_now_usec();
	struct job_hold hold = {.state = asked->for_ms ? JOB_SCHEDULED : JOB_HELD};
	struct failure failure = {0};

	hold.until_us = control_hold_until(now, asked->deadline_ms);
	hold.look_us = control_hold_until(now, asked->for_ms);
	snprintf(hold.why, sizeof(hold.why), "%s%.80s (%.60s)", *request->reason ? "" : "by hand",
	        request->reason, client->who.name);
	control_once_says(client, 0, (int64_t)asked->job);
	if (engine_hold(control_engine(client), (int64_t)asked->job, &hold, &failure)) {
		control_change_refuse(client, request->id, asked->job, &failure);
		return;
	}
	control_wait_job(client, request->id, (int64_t)asked->job, true);
}

/* Answers at once, by where the job stands then: it may be put off again by what holds it. */
void control_on_job_release(struct control_client *client, const Control__Request *request)
{
	int64_t job = (int64_t)request->job_release->job;
	struct failure failure = {0};

	control_once_says(client, 0, job);
	if (engine_release(control_engine(client), job, &failure)) {
		control_change_refuse(client, request->id, request->job_release->job, &failure);
		return;
	}
	control_wait_job(client, request->id, job, true);
}
