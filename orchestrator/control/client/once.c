/*
 * Requests with an id are carried out once, however often they come: luctl, a script or a connection may have ended
 * before the answer came, and so may lud. By whatever way a request comes, what is asked for is compared by its digest,
 * and whose the id is by the principal.
 *
 *   look      an answer in the record: the same is answered again, something else is refused
 *   begin     what the request does is written together with its answer, by db_along() and db_effect()
 *   end       the answer is given. One that changed nothing is written here, before it is given
 *
 * What is kept is what was done and not the words of the answer: which job, release or number; lists are shown as they are
 * now. A refusal is not kept, since nothing was done. A request that makes jobs counts as begun with the first of them,
 * which has the id, too: those jobs are its answer.
 */
#include "orchestrator/control/client/client.h"

#include <string.h>

#include "host/base/file.h"
#include "orchestrator/hook/hook.h"
#include "orchestrator/store/jobs.h"
#include "proto/envelope/envelope_crypto.h"

/* A request with an id that is not answered yet. */
struct control_once {
	LIST_ENTRY(control_once) link; /* in client->once */
	uint64_t id;                   /* of the request in its session */
	uint64_t uid;
	struct answer_row row;
	bool is_written;
};

void control_request_digest(const Control__Request *request, uint8_t ret_digest[64])
{
	Control__Request plain = *request;
	size_t size;
	uint8_t *packed;

	plain.id = 0;
	plain.identity = plain.reason = plain.request_id = "";
	size = control__request__get_packed_size(&plain);
	packed = mem_zero(size + 1);
	control__request__pack(&plain, packed);
	envelope_hash(packed, size, ret_digest);
	free(packed);
}

/* The id is known for something else. */
static void once_refuse_other(struct control_client *client, const Control__Request *request)
{
	struct failure failure;

	failure_set(&failure, "request-id", request->request_id,
	        "give each request an id of its own; `luctl jobs` and `luctl history` show what "
	        "was "
	        "done",
	        "the request id %s belongs to another request of yours", request->request_id);
	control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_REFUSED, &failure);
}

static void once_refuse_busy(struct control_client *client, const Control__Request *request)
{
	struct failure failure;

	failure_set(&failure, "in-progress", request->request_id, "ask again in a moment",
	        "the request %s is being carried out, for another connection of yours",
	        request->request_id);
	control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_BUSY, &failure);
}

/* Of those that are carried out now, by whatever connection; NULL: none. */
static struct control_once *once_under_way(
        const struct control *control, const struct answer_row *row)
{
	const struct control_client *client;
	struct control_once *once;

	LIST_FOREACH(client, &control->clients, link)
	{
		LIST_FOREACH(once, &client->once, link)
		{
			if (!strcmp(once->row.principal, row->principal) &&
			        !strcmp(once->row.request_id, row->request_id)) {
				return once;
			}
		}
	}
	return NULL;
}

enum control_once_look control_once_look(
        struct control_client *client, const Control__Request *request, struct answer_row *ret_row)
{
	struct answer_row row = {.kind = (uint32_t)request->body_case};
	const struct control_once *other;
	int r;

	access_key(&client->who, row.principal);
	snprintf(row.request_id, sizeof(row.request_id), "%s", request->request_id);
	control_request_digest(request, row.digest);
	r = store_answer_find(control_db(client), row.principal, row.request_id, ret_row);
	if (r < 0) {
		control_refuse_record(client, request->id);
		return CONTROL_ONCE_REFUSED;
	}
	other = r ? once_under_way(client->control, &row) : NULL;
	if (!r || other) {
		const struct answer_row *known = r ? &other->row : ret_row;

		if (memcmp(known->digest, row.digest, sizeof(row.digest)) != 0) {
			once_refuse_other(client, request);
			return CONTROL_ONCE_REFUSED;
		}
	}
	if (other) {
		once_refuse_busy(client, request);
		return CONTROL_ONCE_REFUSED;
	}
	*ret_row = r ? row : *ret_row;
	return r ? CONTROL_ONCE_NEW : CONTROL_ONCE_KNOWN;
}

void control_once_new(struct control_client *client, const Control__Request *request,
        const struct answer_row *row)
{
	struct control_once *once = mem_zero(sizeof(*once));

	once->id = request->id;
	once->uid = client->who.uid;
	once->row = *row;
	LIST_INSERT_HEAD(&client->once, once, link);
}

static struct control_once *once_find(struct control_client *client, uint64_t id)
{
	struct control_once *once;

	LIST_FOREACH(once, &client->once, link)
	{
		if (once->id == id) {
			return once;
		}
	}
	return NULL;
}

static void once_free(struct control_once *once)
{
	LIST_REMOVE(once, link);
	free(once);
}

static bool once_is_of_jobs(const struct answer_row *row)
{
	return !row->subject &&
	       (row->said == CONTROL__REPLY__BODY_JOB || row->said == CONTROL__REPLY__BODY_JOBS);
}

/* Goes along with the effect. Of a request that makes jobs that is the first transaction which leaves one behind. */
static int once_txn(struct db *db, void *arg)
{
	const struct control_once *once = arg;
	struct answer_row row = once->row;
	int64_t job;
	int r = once_is_of_jobs(&row)
	                ? store_job_of_request(db, row.request_id, once->uid, row.digest, &job)
	                : 0;

	/* No other is there: it was looked for before, and two are never under way under one id. */
	return r ? r : err_fold(store_answer_put(db, &row));
}

void control_once_begin(struct control_client *client, uint64_t id)
{
	struct control_once *once = once_find(client, id);

	client->control->once = once;
	db_along(control_db(client), once && !once->is_written ? once_txn : NULL, once);
}

/* Whatever was answered or has gone meanwhile is not looked at any more. */
void control_once_pause(struct control *control)
{
	struct db *db = engine_db(control->engine);

	if (control->once) {
		control->once->is_written |= db_along_is_taken(db);
	}
	control->once = NULL;
	db_along(db, NULL, NULL);
}

void control_once_says(struct control_client *client, uint32_t said, int64_t subject)
{
	struct control_once *once = client->control->once;

	if (once) {
		once->row.said = said ? said : once->row.said;
		once->row.subject = subject;
	}
}

void control_once_text(struct control_client *client, const char *text)
{
	struct control_once *once = client->control->once;

	if (once) {
		snprintf(once->row.text, sizeof(once->row.text), "%s", text);
	}
}

/*
 * What was done without a change, such as what counts already. A job that was to be changed, and was not, stands still: that
 * is told, and was not done.
 */
static bool once_write_late(
        struct control_client *client, struct control_once *once, const Control__Reply *reply)
{
	bool is_done = reply->body_case != CONTROL__REPLY__BODY_ERROR &&
	               reply->body_case != CONTROL__REPLY__BODY_JOB &&
	               reply->body_case != CONTROL__REPLY__BODY_JOBS;

	if (!is_done || once->is_written) {
		return true;
	}
	once->row.said = reply->body_case;
	if (reply->body_case == CONTROL__REPLY__BODY_DONE) {
		snprintf(once->row.text, sizeof(once->row.text), "%s", reply->done->text);
	}
	return !db_txn(control_db(client), once_txn, once);
}

bool control_once_end(struct control_client *client, uint64_t id, const Control__Reply *reply)
{
	struct control_once *once = once_find(client, id);
	bool is_recorded;

	if (!once) {
		return true;
	}
	if (client->control->once == once) {
		control_once_pause(client->control);
	}
	hook_point("answer", "did");
	is_recorded = once_write_late(client, once, reply);
	once_free(once);
	return is_recorded;
}

void control_once_forget(struct control_client *client)
{
	while (!LIST_EMPTY(&client->once)) {
		if (client->control->once == LIST_FIRST(&client->once)) {
			control_once_pause(client->control);
		}
		once_free(LIST_FIRST(&client->once));
	}
}
