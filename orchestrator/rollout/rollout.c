/*
 * Rollouts.
 *
 *     start -> RUNNING --- a ring is done ---> the next ring, ... -> DONE
 *                 |  ^                    `--> PAUSED, where the policy says so --- a person, or enough of them ---.
 *                 |  `------------------------------------------------------------------------------------'
 *                 |--- its deadline, a person ----> PAUSED
 *                 |--- more failed than may ------> ABORTED --- a person: those that failed are tried again -> RUNNING
 *                 `--- a person ------------------> PROMOTED: all rings at once
 *
 * Cohorts: machines in the order of a hash of machine and release, so that no machine is always the first, and the
 * same ones are whenever it is asked. Which ring a machine is in is recorded when the rollout starts; one that comes
 * later is in the last.
 *
 * A look makes of the newest update of each machine what the machine is at, and of all machines what becomes of the
 * ring. So it may be repeated, and a lud that dies between a job's end and a look loses nothing. What is not known to
 * be well holds the ring until its deadline, which pauses it.
 */
#include "orchestrator/rollout/rollout.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/rollout/cohort.h"
#include "orchestrator/store/jobs.h"
#include "orchestrator/store/machines.h"
#include "orchestrator/store/soaks.h"

#define ROLLOUT_SEC INT64_C(1000000)
/* Deadlines are looked at as often as this. */
#define ROLLOUT_LOOK_SEC 5

struct rollouts {
	struct db *db;
	struct rules *rules;
	struct rollouts_ops ops;
	void *arg;
	struct event *look;
};

/* lud itself decided, as its policy says. */
static struct rollout_change_row rollout_change_of(
        const struct rollout_row *row, enum rollout_changed what, const struct rules_asked *asked)
{
	struct rollout_change_row change = {.rollout = row->id,
	        .ring = row->ring,
	        .what = what,
	        .at_us = store_now_usec(),
	        .way = ACCESS_WAY_LUD};

	snprintf(change.identity, sizeof(change.identity), "policy %.50s", row->policy);
	snprintf(change.reason, sizeof(change.reason), "%s", row->why);
	if (asked) {
		change.way = asked->who->way;
		change.role = asked->who->role;
		change.uid = asked->who->uid;
		snprintf(change.identity, sizeof(change.identity), "%s", asked->who->name);
		snprintf(change.reason, sizeof(change.reason), "%s", asked->reason);
	}
	return change;
}

/*
 * The only one that moves a rollout. The row is written by the caller, in the transaction that has the change for
 * the history, too.
 */
static void rollout_set(struct rollout_row *row, enum rollout_state state, const char *why)
{
	row->state = state;
	row->state_us = store_now_usec();
	row->is_open = state != ROLLOUT_DONE && state != ROLLOUT_ABORTED;
	snprintf(row->why, sizeof(row->why), "%s", why);
}

/* A ring's deadline counts from here; one that is resumed has all of it again. */
static void rollout_ring_begin(struct rollout_row *row, uint32_t ring)
{
	row->ring = ring;
	row->ring_us = store_now_usec();
	rollout_set(row, ROLLOUT_RUNNING, "");
}

/* A start: the rollout, its rings, its machines. */
struct rollout_start {
	struct rollout_row row;
	const struct policy *by;
	const struct rules_asked *asked;
	struct cohort cohort;
	struct rollouts *rollouts;
};

/* In machines: of a count as it is, of a percentage rounded up; a budget is rounded down. */
static uint32_t rollout_share(
        const struct policy *by, uint32_t i, enum policy_row row, size_t of, bool up)
{
	uint64_t number = policy_list_number(by, POLICY_RINGS, i, row);

	if (policy_list_is_percent(by, POLICY_RINGS, i, row)) {
		number = (number * of + (up ? 99 : 0)) / 100;
	}
	return (uint32_t)(number < of ? number : of);
}

/* What a policy has beyond the limit is left out: the last ring has all machines in any case. */
static uint32_t rollout_n_rings(const struct policy *by)
{
	size_t n = policy_list_size(by, POLICY_RINGS);

	return (uint32_t)(n < ROLLOUT_RINGS_MAX ? n : ROLLOUT_RINGS_MAX);
}

/*
 * Sizes add up: a ring takes, of those drawn, the ones that the rings before it left. The last one takes the rest, whatever
 * its policy says, so that no machine is in none.
 */
static int rollout_start_rings(struct db *db, struct rollout_start *start)
{
	uint32_t n = rollout_n_rings(start->by);
	int r = 0;

	for (uint32_t i = 0; !r && i < n; i++) {
		struct rollout_ring_row ring = {.rollout = start->row.id, .n = i};
		const struct policy *by = start->by;

		ring.size = i + 1 == n
		                    ? (uint32_t)start->cohort.n
		                    : rollout_share(by, i, POLICY_RING_SIZE, start->cohort.n, true);
		ring.budget = rollout_share(by, i, POLICY_RING_BUDGET, ring.size, false);
		ring.soak_us = (int64_t)policy_list_number(by, POLICY_RINGS, i, POLICY_RING_SOAK);
		ring.healthy_us =
		        (int64_t)policy_list_number(by, POLICY_RINGS, i, POLICY_RING_HEALTHY);
		ring.deadline_us =
		        (int64_t)policy_list_number(by, POLICY_RINGS, i, POLICY_RING_DEADLINE);
		ring.pauses =
		        !strcmp(policy_list_text(by, POLICY_RINGS, i, POLICY_RING_THEN), "pause");
		ring.approvals =
		        (uint32_t)policy_list_number(by, POLICY_RINGS, i, POLICY_RING_APPROVALS);
		snprintf(ring.name, sizeof(ring.name), "%s",
		        policy_list_text(by, POLICY_RINGS, i, POLICY_RING_NAME));
		r = store_rollout_ring_insert(db, &ring);
		for (; !r && start->cohort.at < ring.size; start->cohort.at++) {
			struct rollout_member_row member = {.rollout = start->row.id,
			        .machine = start->cohort.list[start->cohort.at].machine,
			        .ring = i,
			        .state = ROLLOUT_IS_WAITING};

			r = store_rollout_member_insert(db, &member);
		}
	}
	return err_up(r);
}

/* All of it or nothing: no rollout is ever without its machines. */
static int rollout_start_txn(struct db *db, void *arg)
{
	struct rollout_start *start = arg;
	struct rollout_change_row change;
	int r = store_rollout_insert(db, &start->row);

	if (!r) {
		r = rollout_start_rings(db, start);
	}
	change = rollout_change_of(&start->row, ROLLOUT_WAS_STARTED, start->asked);
	return r ? err_up(r) : err_up(store_rollout_change_insert(db, &change));
}

/* Machines that the policy decides for, and that have the service. */
static int rollout_start_machine(const struct machine_row *machine, void *arg)
{
	struct rollout_start *start = arg;
	struct decide_subject subject = {
	        machine->name, machine->groups, machine->labels, start->row.service};
	struct service_row service;
	size_t n;
	const struct policy *const *policies = rules_policies(start->rollouts->rules, &n);
	int r;

	if (decide_by(policies, n, &subject, POLICY_ROLLOUT) != start->by) {
		return 0;
	}
	r = store_service_find(start->rollouts->db, machine->id, start->row.service, &service);
	if (!r) {
		cohort_add(&start->cohort, machine->id, machine->name, start->row.release);
	}
	return r == DB_E_NONE ? 0 : err_up(r);
}

/* Draws the machines outside of the transaction, which then writes only. */
static int rollout_begin(struct rollouts *rollouts, const struct policy *by, const char *service,
        int64_t release, const struct rules_asked *asked)
{
	struct rollout_start *start = mem_zero(sizeof(*start));
	int r;

	start->rollouts = rollouts;
	start->by = by;
	start->asked = asked;
	start->row.release = release;
	start->row.created_us = store_now_usec();
	snprintf(start->row.policy, sizeof(start->row.policy), "%s", policy_name(by));
	snprintf(start->row.service, sizeof(start->row.service), "%s", service);
	rollout_ring_begin(&start->row, 0);
	r = store_machine_each(rollouts->db, rollout_start_machine, start);
	if (!r) {
		cohort_sort(&start->cohort);
		r = db_txn(rollouts->db, rollout_start_txn, start);
	}
	if (!r) {
		log_info("rollout %" PRId64 " of %s by policy %s: %zu machines in %u rings",
		        start->row.id, service, start->row.policy, start->cohort.n,
		        rollout_n_rings(by));
	}
	cohort_fini(&start->cohort);
	free(start);
	return err_up(r);
}

static int rollout_join_txn(struct db *db, void *arg)
{
	return err_up(store_rollout_member_insert(db, arg));
}

/* Into the last ring: the others were drawn. */
static int rollout_add(struct rollouts *rollouts, const struct rollout_row *row, int64_t machine)
{
	struct rollout_member_row member = {
	        .rollout = row->id, .machine = machine, .state = ROLLOUT_IS_WAITING};
	struct rollout_ring_row ring;

	for (uint32_t i = 0; i < ROLLOUT_RINGS_MAX; i++) {
		if (store_rollout_ring(rollouts->db, row->id, i, &ring) != 0) {
			break;
		}
		member.ring = i;
	}
	err_forget();
	return err_up(db_txn(rollouts->db, rollout_join_txn, &member));
}

int rollouts_join(struct rollouts *rollouts, const struct machine_row *machine, const char *service,
        int64_t release, const struct rules_asked *asked, struct failure *ret_failure)
{
	struct decide_subject subject = {machine->name, machine->groups, machine->labels, service};
	struct rollout_member_row member;
	struct rollout_row row, mine;
	size_t n;
	const struct policy *const *policies = rules_policies(rollouts->rules, &n);
	const struct policy *by = decide_by(policies, n, &subject, POLICY_ROLLOUT);
	int r;

	if (!by) {
		return 0;
	}
	r = store_rollout_of(rollouts->db, release, policy_name(by), &row);
	if (r == DB_E_NONE) {
		return err_up(rollout_begin(rollouts, by, service, release, asked));
	}
	if (!r && row.state == ROLLOUT_ABORTED) {
		failure_set(ret_failure, "aborted", service,
		        "`luctl rollout status` shows why; `luctl rollout resume` tries again",
		        "the rollout of this release was aborted: %.200s", row.why);
		return ROLLOUT_E_REFUSED;
	}
	if (r || row.state == ROLLOUT_DONE) {
		return err_up(r);
	}
	r = store_rollout_member(rollouts->db, release, machine->id, &mine, &member);
	return r == DB_E_NONE ? err_up(rollout_add(rollouts, &row, machine->id)) : err_up(r);
}

/* "14:20 UTC", with the day where it is another one. */
static void rollout_time(int64_t usec, char ret_text[32])
{
	time_t at = (time_t)(usec / ROLLOUT_SEC);
	struct tm tm;

	gmtime_r(&at, &tm);
	strftime(ret_text, 32, "%Y-%m-%d %H:%M UTC", &tm);
}

void rollouts_ask(
        struct rollouts *rollouts, int64_t machine, int64_t release, struct rules_gate *gate)
{
	struct rollout_member_row member;
	struct rollout_ring_row now, own;
	struct rollout_row row;
	char until[32];
	int r = store_rollout_member(rollouts->db, release, machine, &row, &member);

	if (!r) {
		r = store_rollout_ring(rollouts->db, row.id, row.ring, &now);
	}
	if (!r) {
		r = store_rollout_ring(rollouts->db, row.id, member.ring, &own);
	}
	if (r) {
		err_forget();
		return;
	}
	gate->next_us = DECIDE_NEVER;
	if (row.state == ROLLOUT_PAUSED || row.state == ROLLOUT_ABORTED) {
		gate->is_open = false;
		gate->since_us = row.state_us;
		snprintf(gate->why, sizeof(gate->why), "rollout %" PRId64 " is %s: %.110s", row.id,
		        rollout_state_name(row.state), row.why);
	} else if (row.state == ROLLOUT_RUNNING && member.ring > row.ring) {
		gate->is_open = false;
		gate->next_us = row.ring_us + now.deadline_us;
		rollout_time(gate->next_us, until);
		snprintf(gate->why, sizeof(gate->why),
		        "it is in ring %.28s of rollout %" PRId64 ", and ring %.28s has until %s",
		        own.name, row.id, now.name, until);
	}
}

bool rollouts_times(struct db *db, int64_t machine, int64_t release, int64_t *ret_soak_us,
        int64_t *ret_healthy_us)
{
	struct rollout_member_row member;
	struct rollout_ring_row ring;
	struct rollout_row row;
	int r = store_rollout_member(db, release, machine, &row, &member);

	if (!r) {
		r = store_rollout_ring(db, row.id, member.ring, &ring);
	}
	if (r) {
		err_forget();
		return false;
	}
	*ret_soak_us = ring.soak_us;
	*ret_healthy_us = ring.healthy_us;
	return true;
}

/* One look at a rollout. */
struct rollout_look {
	struct rollouts *rollouts;
	struct rollout_row *row;
	struct rollout_ring_row ring;
	uint32_t n_failed;              /* of all rings */
	uint32_t n_pending;             /* of the rings that are open: neither well nor failed */
	char pending[100], failed[100]; /* names */
	enum rollout_changed what;      /* what follows; 0: nothing */
};

/* Adds a name as far as there is room; n_failed and n_pending are exact. */
static void rollout_name(char *list, size_t size, const char *name)
{
	size_t len = strlen(list);

	snprintf(list + len, size - len, "%s%s", len ? ", " : "", name);
}

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
	case JOB_CANCELLED:
	case JOB_SUPERSEDED:
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

/*
 * Writes what the machine is at where that changed, and counts it. A machine that was removed holds nobody up and fails
 * nobody.
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
	member.state = r ? ROLLOUT_IS_WAITING : rollout_state_of(look->rollouts, &job);
	member.job = r ? 0 : job.id;
	r = 0;
	if (member.state != was->state || member.job != was->job) {
		r = db_txn(look->rollouts->db, rollout_member_txn, &member);
	}
	if (member.state == ROLLOUT_IS_FAILED) {
		look->n_failed++;
		rollout_name(look->failed, sizeof(look->failed), member.machine_name);
	} else if (member.state != ROLLOUT_IS_WELL && member.ring <= look->row->ring) {
		look->n_pending++;
		rollout_name(look->pending, sizeof(look->pending), member.machine_name);
	}
	return err_up(r);
}

/* Whether there is a ring of this number, from 0. */
static bool rollout_has_ring(const struct rollout_look *look, uint32_t n)
{
	struct rollout_ring_row ring;
	int r = store_rollout_ring(look->rollouts->db, look->row->id, n, &ring);

	err_forget();
	return !r;
}

/* Every machine of the ring is well, or failed within the budget. */
static void rollout_ring_done(struct rollout_look *look)
{
	char why[160];

	if (!rollout_has_ring(look, look->row->ring + 1)) {
		rollout_set(look->row, ROLLOUT_DONE, "");
		look->what = ROLLOUT_WAS_DONE;
	} else if (look->ring.pauses) {
		snprintf(why, sizeof(why), "ring %.40s is done, and %s", look->ring.name,
		        look->ring.approvals ? "approvals are needed" : "a person lets it go on");
		rollout_set(look->row, ROLLOUT_PAUSED, why);
		look->what = ROLLOUT_WAS_PAUSED;
	} else {
		rollout_ring_begin(look->row, look->row->ring + 1);
		look->what = ROLLOUT_WAS_NEXT;
	}
}

/* What follows from what the machines are at. */
static void rollout_judge(struct rollout_look *look)
{
	struct rollout_row *row = look->row;
	int64_t now = store_now_usec();
	char why[160];

	if (look->n_failed > look->ring.budget && row->state != ROLLOUT_PAUSED) {
		snprintf(why, sizeof(why), "%u failed, and %u may: %s", look->n_failed,
		        look->ring.budget, look->failed);
		rollout_set(row, ROLLOUT_ABORTED, why);
		look->what = ROLLOUT_WAS_ABORTED;
	} else if (row->state == ROLLOUT_PAUSED) {
		return;
	} else if (!look->n_pending) {
		rollout_ring_done(look);
	} else if (row->state == ROLLOUT_RUNNING && now >= row->ring_us + look->ring.deadline_us) {
		snprintf(why, sizeof(why), "ring %.40s is not done in time: %.80s", look->ring.name,
		        look->pending);
		rollout_set(row, ROLLOUT_PAUSED, why);
		look->what = ROLLOUT_WAS_PAUSED;
	} else if (now < row->ring_us) {
		/* This host's clock was set back: the ring begins anew. */
		row->ring_us = now;
	}
}

/* What somebody, or a look, makes of a rollout. */
struct rollout_txn {
	const struct rollout_row *row;
	const struct rollout_change_row *change; /* NULL: nothing for the history */
};

/* The state and its reason in the history stand together, or neither does. */
static int rollout_change_txn(struct db *db, void *arg)
{
	struct rollout_txn *txn = arg;
	int r = store_rollout_update(db, txn->row);

	return r || !txn->change ? err_up(r) : err_up(store_rollout_change_insert(db, txn->change));
}

/* After the transaction: jobs may go, or have to end. */
static void rollout_tell(struct rollouts *rollouts, const struct rollout_row *row)
{
	log_info("rollout %" PRId64 " of %s is %s%s%s", row->id, row->service,
	        rollout_state_name(row->state), *row->why ? ": " : "", row->why);
	if (row->state == ROLLOUT_ABORTED) {
		rollouts->ops.aborted(row, rollouts->arg);
	}
	rollouts->ops.changed(rollouts->arg);
}

/* Counts over all machines, for the ring that the row is at. */
static int rollout_look_machines(struct rollout_look *look)
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
	struct rollout_txn txn = {&row, NULL};
	int r = rollout_look_machines(&look);

	if (!r) {
		rollout_judge(&look);
		change = rollout_change_of(&row, look.what, NULL);
		txn.change = look.what ? &change : NULL;
	}
	if (!r && (look.what || row.ring_us != was->ring_us)) {
		r = db_txn(rollouts->db, rollout_change_txn, &txn);
	}
	if (r) {
		log_warn("rollout %" PRId64 " cannot be looked at: %s", row.id, err_trace());
		err_forget();
	} else if (look.what) {
		rollout_tell(rollouts, &row);
		rollouts_kick(rollouts);
	}
}

/* The open ones, before any of them is changed. */
struct rollout_list {
	struct rollout_row rows[64];
	size_t n;
};

/* What has no room is looked at when those before it are over. */
static int rollout_list_add(const struct rollout_row *row, void *arg)
{
	struct rollout_list *list = arg;

	if (list->n < sizeof(list->rows) / sizeof(list->rows[0])) {
		list->rows[list->n++] = *row;
	}
	return 0;
}

static void rollout_on_look(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval again = {ROLLOUT_LOOK_SEC, 0};
	struct rollouts *rollouts = arg;
	struct rollout_list *list = mem_zero(sizeof(*list));

	if (store_rollout_each(rollouts->db, false, rollout_list_add, list)) {
		err_forget();
	}
	if (list->n) {
		evtimer_add(rollouts->look, &again);
	}
	for (size_t i = 0; i < list->n; i++) {
		rollout_look_at(rollouts, &list->rows[i]);
	}
	free(list);
}

/* In the next turn of the loop: the one who calls may be in the middle of a job's end. */
void rollouts_kick(struct rollouts *rollouts)
{
	static const struct timeval now = {0, 0};

	evtimer_add(rollouts->look, &now);
}

/* Nothing was changed: says what the rollout is that does not go with what was asked. */
static int rollout_refuse(struct failure *ret_failure, const struct rollout_row *row,
        const char *remedy, const char *what)
{
	failure_set(ret_failure, "rollout", row->service, remedy, "the rollout %s", what);
	return ROLLOUT_E_REFUSED;
}

/* One that failed is as if it had not been asked: a new job decides. */
static int rollout_again_member(const struct rollout_member_row *was, void *arg)
{
	struct rollouts *rollouts = arg;
	struct rollout_member_row member = *was;

	if (was->state != ROLLOUT_IS_FAILED) {
		return 0;
	}
	member.after = was->job;
	member.state = ROLLOUT_IS_WAITING;
	return err_up(db_txn(rollouts->db, rollout_member_txn, &member));
}

/* To the next ring where this one is done, else on with it; those that failed count no more after an abort. */
static int rollout_resume(
        struct rollouts *rollouts, struct rollout_row *row, struct failure *ret_failure)
{
	struct rollout_look look = {.rollouts = rollouts, .row = row};
	int64_t approved = 0;
	int r = 0;

	if (row->state != ROLLOUT_PAUSED && row->state != ROLLOUT_ABORTED) {
		return rollout_refuse(
		        ret_failure, row, "`luctl rollout status` shows it", "is not paused");
	}
	if (row->state == ROLLOUT_ABORTED) {
		r = store_rollout_member_each(
		        rollouts->db, row->id, rollout_again_member, rollouts);
	}
	if (!r) {
		r = rollout_look_machines(&look);
	}
	if (!r) {
		r = store_rollout_approvals(rollouts->db, row->id, row->ring, &approved);
	}
	if (!r && !look.n_pending && approved < look.ring.approvals) {
		return rollout_refuse(ret_failure, row,
		        "`luctl rollout approve` by as many persons as the policy asks for",
		        "waits for approvals");
	}
	if (!r) {
		rollout_ring_begin(row,
		        row->ring + (!look.n_pending && rollout_has_ring(&look, row->ring + 1)));
	}
	return err_up(r);
}

/* The one who approves counts already. What is approved before its ring is done goes on by itself then. */
static int rollout_approve(
        struct rollouts *rollouts, struct rollout_row *row, const struct rules_asked *asked)
{
	struct rollout_change_row change = rollout_change_of(row, ROLLOUT_WAS_APPROVED, asked);
	struct rollout_txn txn = {row, &change};
	struct failure none;
	int r = db_txn(rollouts->db, rollout_change_txn, &txn);

	if (!r && row->state == ROLLOUT_PAUSED) {
		r = rollout_resume(rollouts, row, &none);
		if (!r) {
			change = rollout_change_of(row, ROLLOUT_WAS_NEXT, asked);
			r = db_txn(rollouts->db, rollout_change_txn, &txn);
		}
	}
	return r == ROLLOUT_E_REFUSED ? 0 : err_up(r);
}

/* Approvals are not passed by: whoever may promote cannot agree for others. */
static int rollout_promote(
        struct rollouts *rollouts, struct rollout_row *row, struct failure *ret_failure)
{
	struct rollout_look look = {.rollouts = rollouts, .row = row};
	int64_t approved = 0;
	int r = rollout_look_machines(&look);

	if (!r) {
		r = store_rollout_approvals(rollouts->db, row->id, row->ring, &approved);
	}
	if (!r && (!row->is_open || approved < look.ring.approvals)) {
		return rollout_refuse(ret_failure, row, "see `luctl rollout status`",
		        row->is_open ? "waits for approvals" : "is over");
	}
	while (!r && rollout_has_ring(&look, row->ring + 1)) {
		row->ring++;
	}
	rollout_set(row, ROLLOUT_PROMOTED, "");
	return err_up(r);
}

/* What one person decides, with the reason in the row for all who look at it. */
static int rollout_by_hand(struct rollouts *rollouts, struct rollout_row *row,
        enum rollout_changed what, const struct rules_asked *asked, struct failure *ret_failure)
{
	char why[160];

	snprintf(why, sizeof(why), "%.60s%s%.90s", asked->who->name, *asked->reason ? ": " : "",
	        asked->reason);
	if (what == ROLLOUT_WAS_RESUMED) {
		return rollout_resume(rollouts, row, ret_failure);
	}
	if (what == ROLLOUT_WAS_PROMOTED) {
		return rollout_promote(rollouts, row, ret_failure);
	}
	if (!row->is_open) {
		return rollout_refuse(
		        ret_failure, row, "`luctl rollout status` shows it", "is over");
	}
	rollout_set(row, what == ROLLOUT_WAS_PAUSED ? ROLLOUT_PAUSED : ROLLOUT_ABORTED, why);
	return 0;
}

/* An approval has a row of its own even where it changes nothing yet, since it is counted. */
int rollouts_change(struct rollouts *rollouts, int64_t id, enum rollout_changed what,
        const struct rules_asked *asked, struct failure *ret_failure)
{
	struct rollout_change_row change;
	struct rollout_row row;
	struct rollout_txn txn = {&row, &change};
	int r = store_rollout_find(rollouts->db, id, &row);

	if (!r && what == ROLLOUT_WAS_APPROVED) {
		r = rollout_approve(rollouts, &row, asked);
	} else if (!r) {
		r = rollout_by_hand(rollouts, &row, what, asked, ret_failure);
		change = rollout_change_of(&row, what, asked);
		if (!r) {
			r = db_txn(rollouts->db, rollout_change_txn, &txn);
		}
	}
	if (!r) {
		rollout_tell(rollouts, &row);
		rollouts_kick(rollouts);
	}
	return err_up(r);
}

struct rollouts *rollouts_new(struct event_base *base, struct db *db, struct rules *rules,
        const struct rollouts_ops *ops, void *arg)
{
	struct rollouts *rollouts = mem_zero(sizeof(*rollouts));

	*rollouts = (struct rollouts){.db = db, .rules = rules, .ops = *ops, .arg = arg};
	rollouts->look = evtimer_new(base, rollout_on_look, rollouts);
	if (!rollouts->look) {
		abort();
	}
	return rollouts;
}

struct rollouts *rollouts_free(struct rollouts *rollouts)
{
	if (rollouts) {
		event_free(rollouts->look);
		free(rollouts);
	}
	return NULL;
}
