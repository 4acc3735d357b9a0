/*
 * What a look makes of a rollout: from the jobs of its machines, what each machine is at; from those, what becomes of the
 * ring. It may be repeated at any time.
 */
#include "orchestrator/rollout/priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/store/jobs.h"
#include "orchestrator/store/soaks.h"

/* Deadlines are looked at as often as this. */
#define ROLLOUT_LOOK_SEC 5

/* Whether its soak says so, whatever became of the confirm: a machine that was well does not fail by a lost reply. */
static bool rollout_was_well(struct rollouts *rollouts, int64_t job)
{
	struct soak_row soak;
	int r = store_soak_find(rollouts->db, job, &soak);

	if (r) {
		err_forget();
	}
	return !r && soak.verdict == SOAK_WELL;
}

/* Ended by its set, since another service of that failed: nothing is known of this one there, and nobody left it out. */
static bool rollout_fell(struct rollouts *rollouts, const struct job_row *job)
{
	bool fell = false;

	if (job->parent && store_rollout_set_fell(rollouts->db, job->parent, &fell)) {
		err_forget();
	}
	return fell;
}

/* What a machine is at, by the newest job that counts. */
static enum rollout_member_state rollout_state_of(
        struct rollouts *rollouts, const struct job_row *job)
{
	switch (job->state) {
	case JOB_CONFIRMED:
		return ROLLOUT_IS_WELL;
	case JOB_COMMITTED:
		return rollout_was_well(rollouts, job->id) ? ROLLOUT_IS_WELL : ROLLOUT_IS_UNKNOWN;
	case JOB_REFUSED:
	case JOB_ROLLED_BACK:
	case JOB_FAILED:
	case JOB_INCONSISTENT:
		return ROLLOUT_IS_FAILED;
	case JOB_CANCELLED:
		return rollout_fell(rollouts, job) ? ROLLOUT_IS_UNKNOWN : ROLLOUT_IS_LEFT_OUT;
	case JOB_SUPERSEDED:
		return ROLLOUT_IS_LEFT_OUT;
	case JOB_SOAKING:
		return ROLLOUT_IS_SOAKING;
	case JOB_ORDERED:
	case JOB_PREPARING:
	case JOB_SWITCHING:
	case JOB_PROBATION:
		return ROLLOUT_IS_UPDATING;
	case JOB_PLANNED:
	case JOB_APPROVED:
	case JOB_FORGING:
	case JOB_STAGED:
	case JOB_SCHEDULED:
	case JOB_HELD:
	case JOB_EXPIRED:
	case JOB_SKIPPED:
	case JOB_PREPARED:
	case _JOB_STATE_N:
		break;
	}
	return ROLLOUT_IS_WAITING;
}

/* For itself: a verdict on the ring is made of all members again, whichever of them are written. */
static int rollout_member_txn(struct db *db, void *arg)
{
	return err_up(store_rollout_member_update(db, arg));
}

static void rollout_count(struct rollout_look *look, const struct rollout_member_row *member)
{
	bool is_here = member->ring == look->row->ring;
	bool has_failed = member->state == ROLLOUT_IS_FAILED && !look->again;

	look->n_failed += has_failed;
	if (has_failed || member->state == ROLLOUT_IS_WELL) {
		look->n_tried += is_here;
	} else if (member->state == ROLLOUT_IS_LEFT_OUT && !look->again) {
		look->n_left_out += is_here;
	} else if (member->ring <= look->row->ring) {
		look->n_pending++;
	}
}

/*
 * Writes what the machine is at where that changed, and counts it. Without a job it is what it was: it has none yet, or
 * the record keeps that job no longer. A machine that was removed holds nobody up and fails nobody.
 */
static int rollout_look_member(const struct rollout_member_row *was, void *arg)
{
	struct rollout_look *look = arg;
	struct rollout_member_row member = *was;
	struct job_row job;
	int r = store_rollout_job(look->rollouts->db, was->machine, look->row->service,
	        look->row->release, was->after, &job);

	if (r < 0 || was->removed_us) {
		return r < 0 ? err_up(r) : 0;
	}
	if (!r) {
		member.state = rollout_state_of(look->rollouts, &job);
		member.job = job.id;
	}
	r = 0;
	if (member.state != was->state || member.job != was->job) {
		r = db_txn(look->rollouts->db, rollout_member_txn, &member);
	}
	rollout_count(look, &member);
	return err_up(r);
}

/* Whether the machine has none of its jobs to show that failed; of one that joined since, there is none. */
static bool rollout_has_not_failed(struct rollouts *rollouts, const struct machine_row *machine,
        const struct release_row *release, int64_t after)
{
	struct job_row job;
	int r = store_rollout_job(
	        rollouts->db, machine->id, release->service, release->id, after, &job);

	return r == DB_E_NONE || (!r && rollout_state_of(rollouts, &job) != ROLLOUT_IS_FAILED);
}

bool rollouts_spares(struct rollouts *rollouts, const struct machine_row *machine,
        const struct release_row *release)
{
	struct decide_subject subject = {
	        machine->name, machine->groups, machine->labels, release->service};
	struct rollout_member_row member = {0};
	struct rollout_row row;
	bool spares, is_by_hand;
	size_t n;
	const struct policy *const *policies = rules_policies(rollouts->rules, &n);
	const struct policy *by = decide_by(policies, n, &subject, POLICY_ROLLOUT);
	int r = store_release_by_hand(rollouts->db, release, &is_by_hand);

	if (r || is_by_hand) {
		err_forget();
		return false;
	}
	r = store_rollout_member(rollouts->db, release->id, machine->id, &row, &member);
	if (r == DB_E_NONE && by) {
		r = store_rollout_of(rollouts->db, release->id, policy_name(by), &row);
	}
	spares = !r && row.is_open &&
	         rollout_has_not_failed(rollouts, machine, release, member.after);
	err_forget();
	return spares;
}

bool rollout_has_ring(const struct rollout_look *look, uint32_t n)
{
	struct rollout_ring_row ring;
	int r = store_rollout_ring(look->rollouts->db, look->row->id, n, &ring);

	err_forget();
	return !r;
}

bool rollout_is_approved(const struct rollout_look *look)
{
	int64_t approved = 0;

	if (store_rollout_approvals(
	            look->rollouts->db, look->row->id, look->row->ring, &approved)) {
		err_forget();
		return false;
	}
	return approved >= look->ring.approvals;
}

/* Nobody has the release of those by whom it was to be tried before others get it. */
static bool rollout_is_untried(const struct rollout_look *look)
{
	return look->n_left_out && !look->n_tried && rollout_has_ring(look, look->row->ring + 1);
}

/* Every machine of the ring is well, failed within the budget, or was left out by somebody. */
static void rollout_ring_done(struct rollout_look *look)
{
	char why[160];

	if (!rollout_has_ring(look, look->row->ring + 1)) {
		rollout_set(look->row, ROLLOUT_DONE, "");
		look->what = ROLLOUT_WAS_DONE;
	} else if (look->ring.pauses && !(look->ring.approvals && rollout_is_approved(look))) {
		snprintf(why, sizeof(why), "ring %.40s is done, and %s", look->ring.name,
		        look->ring.approvals ? "approvals are needed" : "a person lets it go on");
		rollout_set(look->row, ROLLOUT_PAUSED, why);
		look->what = ROLLOUT_WAS_PAUSED;
	} else {
		rollout_ring_begin(look->row, look->row->ring + 1);
		look->what = ROLLOUT_WAS_NEXT;
	}
}

/* One that waits at the end of a ring for approvals has them now. Who paused it resumes it. */
static void rollout_paused(struct rollout_look *look)
{
	bool is_by_hand = true;
	char why[sizeof(look->row->why)];

	if (store_rollout_by_hand(look->rollouts->db, look->row->id, &is_by_hand)) {
		err_forget();
	}
	if (!is_by_hand && !rollout_is_blocked(look->rollouts, look->row, why) &&
	        !look->n_pending && !rollout_is_untried(look) && look->ring.approvals &&
	        rollout_is_approved(look) && rollout_has_ring(look, look->row->ring + 1)) {
		rollout_ring_begin(look->row, look->row->ring + 1);
		look->what = ROLLOUT_WAS_NEXT;
	}
}

/*
 * What follows from what the machines are at. Reasons have no names of machines: whoever sees one member reads them, and the
 * list of members has those that may be seen.
 */
static void rollout_judge(struct rollout_look *look)
{
	struct rollout_row *row = look->row;
	int64_t now = store_now_usec();
	char why[160];

	if (look->n_failed > look->ring.budget && row->state != ROLLOUT_PAUSED) {
		snprintf(why, sizeof(why), "%u failed, and %u may", look->n_failed,
		        look->ring.budget);
		rollout_set(row, ROLLOUT_ABORTED, why);
		look->what = ROLLOUT_WAS_ABORTED;
	} else if (row->state == ROLLOUT_PAUSED) {
		rollout_paused(look);
	} else if (rollout_is_blocked(look->rollouts, row, why)) {
		rollout_set(row, ROLLOUT_PAUSED, why);
		look->what = ROLLOUT_WAS_PAUSED;
	} else if (!look->n_pending && rollout_is_untried(look)) {
		snprintf(why, sizeof(why),
		        "no machine of ring %.40s has tried it: somebody ended their jobs",
		        look->ring.name);
		rollout_set(row, ROLLOUT_PAUSED, why);
		look->what = ROLLOUT_WAS_PAUSED;
	} else if (!look->n_pending) {
		rollout_ring_done(look);
	} else if (row->state == ROLLOUT_RUNNING && now >= row->ring_us + look->ring.deadline_us) {
		snprintf(why, sizeof(why), "ring %.40s is not done in time: %u to go",
		        look->ring.name, look->n_pending);
		rollout_set(row, ROLLOUT_PAUSED, why);
		look->what = ROLLOUT_WAS_PAUSED;
	} else if (now < row->ring_us) {
		/* This host's clock was set back: the ring begins anew. */
		row->ring_us = now;
	}
}

int rollout_look_machines(struct rollout_look *look)
{
	int r = store_rollout_ring(look->rollouts->db, look->row->id, look->row->ring, &look->ring);

	return r ? err_fold(r)
	         : err_up(store_rollout_member_each(
	                   look->rollouts->db, look->row->id, rollout_look_member, look));
}

/* A look that fails changes nothing, and is repeated. */
static void rollout_look_at(struct rollouts *rollouts, const struct rollout_row *was)
{
	struct rollout_row row = *was;
	struct rollout_look look = {.rollouts = rollouts, .row = &row};
	struct rollout_change_row change;
	struct rollout_txn txn = {&row, NULL, false};
	int r = rollout_look_machines(&look);

	if (!r) {
		rollout_judge(&look);
		change = rollout_change_of(&row, look.what, NULL);
		txn.change = look.what ? &change : NULL;
	}
	if (!r && (look.what || row.ring_us != was->ring_us)) {
		r = rollout_write(rollouts, &txn);
	}
	if (r) {
		log_warn("rollout %" PRId64 " cannot be looked at: %s", row.id, err_trace());
		err_forget();
	} else if (look.what) {
		rollout_tell(rollouts, &row, look.what);
		rollouts_kick(rollouts);
	}
}

/* All that are open, before any of them is changed: one that waits for a person keeps no other waiting. */
struct rollout_list {
	struct rollout_row *rows;
	size_t n, room;
};

static int rollout_list_add(const struct rollout_row *row, void *arg)
{
	struct rollout_list *list = arg;

	if (list->n == list->room) {
		list->room = list->room ? 2 * list->room : 16;
		list->rows = realloc(list->rows, list->room * sizeof(list->rows[0]));
		if (!list->rows) {
			abort();
		}
	}
	list->rows[list->n++] = *row;
	return 0;
}

void rollouts_on_look(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval again = {ROLLOUT_LOOK_SEC, 0};
	struct rollouts *rollouts = arg;
	struct rollout_list list = {0};
	int r = store_rollout_each_open(rollouts->db, rollout_list_add, &list);

	err_forget();
	if (r || list.n) {
		evtimer_add(rollouts->look, &again);
	}
	for (size_t i = 0; i < list.n; i++) {
		rollout_look_at(rollouts, &list.rows[i]);
	}
	free(list.rows);
	rollouts->ops.looked(rollouts->arg);
}
