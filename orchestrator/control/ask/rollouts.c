/*
 * Rollouts: what is known of them, and what people do to them. Every change is answered with the rollout as it is then.
 *
 * What may be changed when is for orchestrator/rollout to say; here is who may ask (access.def), for what a reason must be
 * given, and the form of the answer. A list has rollouts with their rings, by pages; one that is asked for, or was changed,
 * has a page of its machines, and so many of its changes, the newest, that they leave machines their room.
 *
 * A job stands for its rollout in job_approve; job_deny ends the job alone, as job_cancel does, of those that wait for a
 * rollout, in the role of who decides about releases.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/control/ask/priv.h"
#include "orchestrator/job/engine/engine.h"

/* Rollouts of a page, where nobody says how many. */
#define ROLLOUTS_DEFAULT 20
/* An answer has room for so many, and no more bytes of them. */
#define ROLLOUT_CHANGES_MAX 256u
#define ROLLOUT_CHANGES_BYTES 24576u

/* An answer that is put together. */
struct rollout_view {
	const struct control_client *client;
	struct pool *pool;
	struct db *db;
	Control__RolloutList *list;
	Control__Rollout *rollout; /* that is filled now */
	struct control_page page;  /* of rollouts, or of the machines of one */
};

/* Which page of which list. */
struct rollout_ask {
	int64_t which; /* 0: of all rollouts; else of the machines of this one */
	int64_t after;
	uint32_t limit;
};

/* As the policy had it when the rollout started, with those who have approved of its end so far. */
static int rollout_view_ring(const struct rollout_ring_row *row, void *arg)
{
	struct rollout_view *view = arg;
	Control__RolloutRing *ring = pool_zero(view->pool, sizeof(*ring));
	int64_t approved = 0;
	int r = store_rollout_approvals(view->db, row->rollout, row->n, &approved);

	control__rollout_ring__init(ring);
	ring->name = pool_text(view->pool, row->name);
	ring->size = row->size;
	ring->soak_us = (uint64_t)row->soak_us;
	ring->healthy_us = (uint64_t)row->healthy_us;
	ring->deadline_us = (uint64_t)row->deadline_us;
	ring->budget = row->budget;
	ring->pauses = row->pauses;
	ring->approvals = row->approvals;
	ring->approved = (uint32_t)approved;
	if (view->rollout->n_rings < ROLLOUT_RINGS_MAX) {
		view->rollout->rings[view->rollout->n_rings++] = ring;
	}
	return err_up(r);
}

/* The cursor is a machine. */
static void rollout_view_seen(const struct rollout_member_row *row, struct rollout_view *view)
{
	Control__RolloutMember *member = pool_zero(view->pool, sizeof(*member));

	control__rollout_member__init(member);
	member->machine = pool_text(view->pool, row->machine_name);
	member->ring = row->ring;
	member->state = (char *)rollout_member_name(row->state);
	member->job = (uint64_t)row->job;
	if (control_page_takes(&view->page, &member->base)) {
		view->rollout->members[view->rollout->n_members++] = member;
		view->list->next = (uint64_t)row->machine;
	}
}

static const struct machine *rollout_machine(
        const struct rollout_view *view, const struct rollout_member_row *row)
{
	return machines_by_id(engine_machines(control_engine(view->client)), row->machine);
}

/* Machines that were removed are not shown; their jobs are in the list of jobs. */
static int rollout_view_member(const struct rollout_member_row *row, void *arg)
{
	struct rollout_view *view = arg;

	if (!view->page.more && control_sees(view->client, rollout_machine(view, row))) {
		rollout_view_seen(row, view);
	}
	return 0;
}

/* Whether a rollout is shown, while that is found out. */
struct rollout_sight {
	const struct rollout_view *view;
	bool is_seen; /* one of its machines is, or everything */
};

/* All members are visited: what ends a visit early cannot be told from a query without rows. */
static int rollout_sees_member(const struct rollout_member_row *row, void *arg)
{
	struct rollout_sight *sight = arg;

	sight->is_seen |= control_sees(sight->view->client, rollout_machine(sight->view, row));
	return 0;
}

/* A rollout is shown to whoever may see one of its machines. 1, 0, or an error. */
static int rollout_is_seen(struct rollout_view *view, int64_t rollout)
{
	struct rollout_sight sight = {view, control_sees(view->client, NULL)};
	int r = sight.is_seen
	                ? 0
	                : store_rollout_member_each(view->db, rollout, rollout_sees_member, &sight);

	return r ? err_fold(r) : sight.is_seen;
}

/*
 * As it was recorded: the identity is that of the time, whatever users are called now, and the role is empty where lud
 * decided by the policy.
 */
static int rollout_view_change(const struct rollout_change_row *row, void *arg)
{
	struct rollout_view *view = arg;
	Control__RolloutChange *change = pool_zero(view->pool, sizeof(*change));

	control__rollout_change__init(change);
	change->at_us = row->at_us;
	change->what = (char *)rollout_changed_name(row->what);
	change->ring = row->ring;
	change->identity = pool_text(view->pool, row->identity);
	change->role = row->role == ACCESS_NOBODY ? "" : (char *)access_role_word(row->role);
	change->reason = pool_text(view->pool, row->reason);
	view->rollout->changes[view->rollout->n_changes++] = change;
	return 0;
}

/* The oldest are left out where all of them take too much. */
static int rollout_view_changes(struct rollout_view *view)
{
	Control__Rollout *rollout = view->rollout;
	size_t bytes = 0, n_kept = 0;
	int r;

	rollout->changes = pool_zero(view->pool, ROLLOUT_CHANGES_MAX * sizeof(*rollout->changes));
	r = store_rollout_change_each(
	        view->db, (int64_t)rollout->id, ROLLOUT_CHANGES_MAX, rollout_view_change, view);
	while (n_kept < rollout->n_changes) {
		const Control__RolloutChange *change =
		        rollout->changes[rollout->n_changes - n_kept - 1];

		/* With its tag and length. */
		bytes += control__rollout_change__get_packed_size(change) + 8;
		if (bytes > ROLLOUT_CHANGES_BYTES) {
			break;
		}
		n_kept++;
	}
	rollout->changes += rollout->n_changes - n_kept;
	rollout->n_changes = n_kept;
	return err_up(r);
}

/* The rollout and its rings; a release whose kit was removed has number 0. */
static int rollout_view_head(struct rollout_view *view, const struct rollout_row *row)
{
	Control__Rollout *rollout = pool_zero(view->pool, sizeof(*rollout));
	struct release_row release;
	int r = store_release_by_id(view->db, row->release, &release);

	control__rollout__init(rollout);
	rollout->id = (uint64_t)row->id;
	rollout->policy = pool_text(view->pool, row->policy);
	rollout->service = pool_text(view->pool, row->service);
	rollout->counter = r ? 0 : (uint32_t)release.counter;
	rollout->state = (char *)rollout_state_name(row->state);
	rollout->why = pool_text(view->pool, row->why);
	rollout->ring = row->ring;
	rollout->ring_us = row->ring_us;
	rollout->created_us = row->created_us;
	rollout->rings = pool_zero(view->pool, ROLLOUT_RINGS_MAX * sizeof(*rollout->rings));
	view->rollout = rollout;
	r = r ? r : store_rollout_ring_each(view->db, row->id, rollout_view_ring, view);
	return err_fold(r);
}

/* A row of a page of rollouts. */
static int rollout_view_row(const struct rollout_row *row, void *arg)
{
	struct rollout_view *view = arg;
	int seen = view->page.more ? 0 : rollout_is_seen(view, row->id);
	int r = seen > 0 ? rollout_view_head(view, row) : seen;

	if (seen > 0 && !r && !view->page.more &&
	        control_page_takes(&view->page, &view->rollout->base)) {
		view->list->rollouts[view->list->n_rollouts++] = view->rollout;
		view->list->next = (uint64_t)row->id;
	}
	return err_up(r);
}

/* How many rows are read for the page, and one more: of who sees some of them only, all are looked at. */
static int64_t rollouts_limit(const struct rollout_view *view)
{
	return control_sees(view->client, NULL) ? (int64_t)view->page.limit + 1 : INT64_MAX;
}

/* One, with a page of its machines, which have the room that the rest leaves. */
static int rollout_view_one(
        struct rollout_view *view, const struct rollout_row *row, const struct rollout_ask *ask)
{
	int r = rollout_view_head(view, row);

	r = r ? r : rollout_view_changes(view);
	if (r) {
		return err_up(r);
	}
	view->list->rollouts[view->list->n_rollouts++] = view->rollout;
	view->rollout->members =
	        pool_zero(view->pool, view->page.limit * sizeof(*view->rollout->members));
	view->page.bytes = control__rollout__get_packed_size(view->rollout);
	return err_up(store_rollout_member_page(
	        view->db, row->id, ask->after, rollouts_limit(view), rollout_view_member, view));
}

/* Numbers are never given twice, so one that is not found was never a rollout of this record. */
static void rollout_refuse_none(struct control_client *client, uint64_t id)
{
	static const struct failure none = {"no-rollout", "lud", "there is no such rollout",
	        "`luctl rollout status` lists them"};

	control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_NOT_FOUND, &none);
}

/* A page, which always fits: nothing that was asked for, or done, goes without an answer for its size. */
static void rollouts_answer(
        struct control_client *client, uint64_t id, const struct rollout_ask *ask)
{
	_cleanup_(pool_fini) struct pool pool;
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__RolloutList list = CONTROL__ROLLOUT_LIST__INIT;
	struct rollout_view view = {client, &pool, control_db(client), &list, NULL,
	        control_page(ask->limit, ask->which ? CONTROL_PAGE_MAX : ROLLOUTS_DEFAULT)};
	struct rollout_row row;
	int r, seen;

	pool_init(&pool);
	list.rollouts = pool_zero(&pool, view.page.limit * sizeof(*list.rollouts));
	if (!ask->which) {
		r = store_rollout_page(control_db(client), ask->after, rollouts_limit(&view),
		        rollout_view_row, &view);
	} else {
		r = store_rollout_find(control_db(client), ask->which, &row);
		seen = r ? 0 : rollout_is_seen(&view, ask->which);
		r = r          ? r
		    : seen > 0 ? rollout_view_one(&view, &row, ask)
		    : seen < 0 ? seen
		               : DB_E_NONE;
	}
	list.next = view.page.more ? list.next : 0;
	if (r == DB_E_NONE) {
		rollout_refuse_none(client, id);
	} else if (r) {
		control_refuse_record(client, id);
	} else {
		reply.body_case = CONTROL__REPLY__BODY_ROLLOUTS;
		reply.rollouts = &list;
		control_reply(client, id, &reply);
	}
}

void control_rollout_answer(struct control_client *client, uint64_t id, int64_t rollout)
{
	rollouts_answer(client, id, &(struct rollout_ask){.which = rollout});
}

/* `after` is of the kind that the list has: a rollout of rollouts, a machine of machines. */
void control_on_rollout_list(struct control_client *client, const Control__Request *request)
{
	const Control__RolloutListRequest *list = request->rollout_list;
	const struct rollout_ask ask = {(int64_t)list->rollout, (int64_t)list->after, list->limit};

	rollouts_answer(client, request->id, &ask);
}

/* The reply shows the rollout after the change, so nobody has to ask again. */
static void rollout_change(struct control_client *client, const Control__Request *request,
        int64_t rollout, enum rollout_changed what)
{
	struct job_asked asked = control_asked(client, request);
	struct rules_asked by = {&asked.who, asked.reason, ""};
	struct failure failure;
	int r;

	control_once_says(client, 0, rollout);
	r = rollouts_change(engine_rollouts(control_engine(client)), rollout, what, &by, &failure);

	if (r == DB_E_NONE) {
		rollout_refuse_none(client, request->id);
	} else if (r == ROLLOUT_E_REFUSED) {
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_REFUSED, &failure);
	} else if (r) {
		control_refuse_change(client, request->id);
	} else {
		control_rollout_answer(client, request->id, rollout);
	}
}

/* What takes a decision out of the hands of the policy says why. */
void control_on_rollout_change(struct control_client *client, const Control__Request *request)
{
	static const enum rollout_changed may[] = {ROLLOUT_WAS_PAUSED, ROLLOUT_WAS_RESUMED,
	        ROLLOUT_WAS_APPROVED, ROLLOUT_WAS_PROMOTED, ROLLOUT_WAS_ABORTED};
	static const struct failure unknown = {"invalid", "rollout",
	        "there is no such change of a rollout", "use the luctl of the same version"};
	static const struct failure reason = {"no-reason", "rollout",
	        "this has to say why, in the history of the rollout", "give --reason"};

	for (size_t i = 0; i < sizeof(may) / sizeof(may[0]); i++) {
		if (strcmp(request->rollout_change->what, rollout_changed_name(may[i])) != 0) {
			continue;
		}
		if (!*request->reason &&
		        (may[i] == ROLLOUT_WAS_PROMOTED || may[i] == ROLLOUT_WAS_ABORTED)) {
			control_refuse(
			        client, request->id, WIRE__ERROR_CLASS__ERROR_INVALID, &reason);
			return;
		}
		rollout_change(client, request, (int64_t)request->rollout_change->rollout, may[i]);
		return;
	}
	control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_INVALID, &unknown);
}

/* Who approves of a job means what it waits for, which may be something else. */
static void rollout_refuse_job(
        struct control_client *client, uint64_t id, const struct job_row *job)
{
	struct failure failure;
	char what[64];

	snprintf(what, sizeof(what), "job %" PRId64, job->id);
	failure_set(&failure, "no-rollout", what,
	        job->ended_us ? "`luctl job show` says what became of it"
	                      : "`luctl explain` with the number of the job says what keeps it, "
	                        "and `luctl job show` how far it is",
	        "%s (%s%s%s) waits for no rollout: it is %s%s%s", what, job_kind_name(job->kind),
	        *job->service ? " " : "", job->service, job_state_name(job->state),
	        *job->wait_why ? ", and waits for: " : "", job->wait_why);
	control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_NOT_FOUND, &failure);
}

/* A job says which machine and release is meant; it need not wait, since approvals may come early. */
void control_on_job_approve(struct control_client *client, const Control__Request *request)
{
	static const struct failure none = {
	        "no-job", "job", "there is no such job", "`luctl jobs` lists them"};
	struct rollout_member_row member;
	struct rollout_row row;
	struct job_row job;
	if (store_job_find(control_db(client), (int64_t)request->job_approve->job, &job)) {
		err_forget();
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_NOT_FOUND, &none);
		return;
	}
	if (store_rollout_member(control_db(client), job.release, job.machine, &row, &member)) {
		err_forget();
		rollout_refuse_job(client, request->id, &job);
		return;
	}
	rollout_change(client, request, row.id, ROLLOUT_WAS_APPROVED);
}

/* The reason and who denied stand in the end of the job. */
void control_on_job_deny(struct control_client *client, const Control__Request *request)
{
	int64_t job = (int64_t)request->job_deny->job;
	struct failure failure = {0};
	char who[80];

	control_once_says(client, 0, job);
	snprintf(who, sizeof(who), "denial of %.60s", client->who.name);
	if (engine_deny(control_engine(client), job, who, request->reason, &failure)) {
		control_refuse(client, request->id,
		        !strcmp(failure.code, "no-job") ? WIRE__ERROR_CLASS__ERROR_NOT_FOUND
		                                        : WIRE__ERROR_CLASS__ERROR_REFUSED,
		        &failure);
		return;
	}
	control_wait_job(client, request->id, job, false);
}
