/*
 * Requests that were carried out, and come again with their id: each is answered by what the record has of it. A job is
 * waited for as it was the first time; a list shows what is so now.
 */
#include <inttypes.h>
#include <string.h>

#include "host/base/log.h"
#include "orchestrator/control/ask/priv.h"
#include "orchestrator/job/engine/engine.h"

/* With the word that it was given. */
static void again_done(struct control_client *client, const Control__Request *request,
        const struct answer_row *row)
{
	control_done(client, request->id, row->text);
}

/* The first page of all, as after each change. */
static void again_machines(struct control_client *client, const Control__Request *request,
        const struct answer_row *row)
{
	control_machines_answer(client, request->id);
}

/* Which may be another version by now. */
static void again_policies(struct control_client *client, const Control__Request *request,
        const struct answer_row *row)
{
	control_policies_answer(client, request->id);
}

/* Of which the one that was asked for may be over. */
static void again_holds(struct control_client *client, const Control__Request *request,
        const struct answer_row *row)
{
	control_holds_answer(client, request->id);
}

/* With its history, where the change stands. */
static void again_rollout(struct control_client *client, const Control__Request *request,
        const struct answer_row *row)
{
	control_rollout_answer(client, request->id, row->subject);
}

/* The same number, beside the release that is the newest now. */
static void again_number(struct control_client *client, const Control__Request *request,
        const struct answer_row *row)
{
	control_number_answer(client, request, row->subject);
}

/* Releases stay in the record. */
static void again_release(struct control_client *client, const Control__Request *request,
        const struct answer_row *row)
{
	struct release_row release;

	if (store_release_by_id(control_db(client), row->subject, &release)) {
		control_refuse_record(client, request->id);
		return;
	}
	control_release_answer(client, request->id, &release);
}

/* Whether the answer is the job as it is, and not how it ended. */
static bool again_detaches(const Control__Request *request)
{
	return request->body_case == CONTROL__REQUEST__BODY_JOB_HOLD ||
	       request->body_case == CONTROL__REQUEST__BODY_JOB_RELEASE ||
	       (request->body_case == CONTROL__REQUEST__BODY_UPDATE && request->update->detach) ||
	       (request->body_case == CONTROL__REQUEST__BODY_ROLLBACK &&
	               request->rollback->detach) ||
	       (request->body_case == CONTROL__REQUEST__BODY_MACHINE_START &&
	               request->machine_start->detach);
}

/* The job that it is about, or one of those that it made. DB_E_NONE: the record keeps it no more. */
static int again_find_job(
        struct control_client *client, const struct answer_row *row, int64_t *ret_job)
{
	struct job_row job;
	int r;

	if (!row->subject) {
		return err_up(store_job_of_request(control_db(client), row->request_id,
		        client->who.uid, row->digest, ret_job));
	}
	r = store_job_find(control_db(client), row->subject, &job);
	*ret_job = r ? *ret_job : row->subject;
	return err_up(r);
}

/* False: it made several jobs, of which some may be missing; each is known by the id of the request. */
static bool again_jobs(struct control_client *client, const Control__Request *request,
        const struct answer_row *row)
{
	static const struct failure gone = {"no-job", "lud",
	        "the request was carried out, and its jobs are kept no more",
	        "`luctl history` shows what ran; give a new request an id of its own"};
	int64_t job = 0;
	int r = again_find_job(client, row, &job);

	if (r < 0) {
		control_refuse_record(client, request->id);
	} else if (r) {
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_NOT_FOUND, &gone);
	} else if (row->said == CONTROL__REPLY__BODY_JOBS) {
		return false;
	} else {
		control_wait_job(client, request->id, job, again_detaches(request));
	}
	return true;
}

bool control_again(struct control_client *client, const Control__Request *request,
        const struct answer_row *row)
{
	static const struct {
		Control__Reply__BodyCase said;
		void (*fn)(struct control_client *client, const Control__Request *request,
		        const struct answer_row *row);
	} kinds[] = {
	        {CONTROL__REPLY__BODY_DONE, again_done},
	        {CONTROL__REPLY__BODY_MACHINES, again_machines},
	        {CONTROL__REPLY__BODY_POLICIES, again_policies},
	        {CONTROL__REPLY__BODY_HOLDS, again_holds},
	        {CONTROL__REPLY__BODY_ROLLOUTS, again_rollout},
	        {CONTROL__REPLY__BODY_NUMBER, again_number},
	        {CONTROL__REPLY__BODY_RELEASES, again_release},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (row->said == (uint32_t)kinds[i].said) {
			kinds[i].fn(client, request, row);
			return true;
		}
	}
	return again_jobs(client, request, row);
}
