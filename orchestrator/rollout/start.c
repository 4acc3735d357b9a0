/*
 * How a rollout starts: rings and machines are drawn, and written down, so that a policy that changes later changes nothing
 * of it. The first update to a release starts it; a machine that comes later is in the last ring.
 */
#include "orchestrator/rollout/priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/hook/hook.h"
#include "orchestrator/rollout/cohort.h"
#include "orchestrator/store/machines.h"

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

/* What became of the release there before is history: a failure of then is not one of this rollout. */
static int rollout_member_insert(
        struct db *db, const struct rollout_row *row, struct rollout_member_row *member)
{
	int r = store_rollout_member_brings(db, row, member);

	return r ? err_up(r) : err_up(store_rollout_member_insert(db, member));
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
			        .ring = i};

			r = rollout_member_insert(db, &start->row, &member);
		}
	}
	return err_up(r);
}

/* What has not got the earlier release yet gets this one: a rollout that nobody asks for any more would wait for ever. */
static int rollout_start_replace(struct db *db, const struct rollout_start *start)
{
	struct rollout_change_row change;
	struct rollout_row older;
	char why[sizeof(older.why)];
	int r;

	snprintf(why, sizeof(why), "rollout %" PRId64 " of a newer release takes its place",
	        start->row.id);
	while (!(r = store_rollout_older(db, &start->row, &older))) {
		rollout_set(&older, ROLLOUT_ABORTED, why);
		change = rollout_change_of(&older, ROLLOUT_WAS_ABORTED, NULL);
		r = store_rollout_update(db, &older);
		r = r ? r : store_rollout_change_insert(db, &change);
		if (r) {
			break;
		}
	}
	return r == DB_E_NONE ? 0 : err_up(r);
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
	if (!r) {
		r = rollout_start_replace(db, start);
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
		hook_point("started", "did");
		r = db_txn(rollouts->db, rollout_start_txn, start);
		hook_point("started", "end");
	}
	if (!r) {
		log_info("rollout %" PRId64 " by policy %s: %zu machines in %u rings",
		        start->row.id, start->row.policy, start->cohort.n, rollout_n_rings(by));
		rollout_tell(rollouts, &start->row, ROLLOUT_WAS_STARTED);
	}
	cohort_fini(&start->cohort);
	free(start);
	return err_up(r);
}

struct rollout_join {
	const struct rollout_row *row;
	struct rollout_member_row member;
};

static int rollout_join_txn(struct db *db, void *arg)
{
	struct rollout_join *join = arg;

	return err_up(rollout_member_insert(db, join->row, &join->member));
}

/* Into the last ring: the others were drawn. */
static int rollout_add(struct rollouts *rollouts, const struct rollout_row *row, int64_t machine)
{
	struct rollout_join join = {row, {.rollout = row->id, .machine = machine}};
	struct rollout_ring_row ring;

	for (uint32_t i = 0; i < ROLLOUT_RINGS_MAX; i++) {
		if (store_rollout_ring(rollouts->db, row->id, i, &ring) != 0) {
			break;
		}
		join.member.ring = i;
	}
	err_forget();
	return err_up(db_txn(rollouts->db, rollout_join_txn, &join));
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
