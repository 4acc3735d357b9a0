#pragma once
/*
 * Rollouts: a release comes to the machines of a policy ring by ring. A rollout starts with the first update to a
 * release that a policy with rings decides, and is in the record; nothing of it is in memory. What its machines
 * are at follows from their jobs.
 */
#include <event2/event.h>

#include "orchestrator/rules/rules.h"
#include "orchestrator/store/releases.h"
#include "orchestrator/store/rollouts.h"

/* At most so many rings count; a policy has few. */
#define ROLLOUT_RINGS_MAX 16u

enum rollout_outcome {
	ROLLOUT_E_REFUSED = 64, /* ret_failure says why, and nothing was changed */
};

struct rollouts;

/*
 * Told of each change, by which gates may be open or shut that were not; and after each look, of which there is one from the start on
 * whenever a job of an update was put off or went on: jobs that wait for a rollout that was aborted are to end
 * (rollouts_is_aborted()).
 */
struct rollouts_ops {
	void (*changed)(const struct rollout_row *row, enum rollout_changed what, void *arg);
	void (*looked)(void *arg);
};

struct rollouts *rollouts_new(struct event_base *base, struct db *db, struct rules *rules,
        const struct rollouts_ops *ops, void *arg);
struct rollouts *rollouts_free(struct rollouts *rollouts);
/* A job of an update, or the policies, changed: all that are open are looked at, in the next turn of the loop. */
void rollouts_kick(struct rollouts *rollouts);

/*
 * An update of this machine to this release is about to be recorded: starts its rollout, or has the machine join it,
 * where a policy has rings. ROLLOUT_E_REFUSED: it was aborted.
 */
int __must_check rollouts_join(struct rollouts *rollouts, const struct machine_row *machine,
        const char *service, int64_t release, const struct rules_asked *asked,
        struct failure *ret_failure);
/* Fills the gate in where the machine has to wait for its ring; else leaves it alone. */
void rollouts_ask(
        struct rollouts *rollouts, int64_t machine, int64_t release, struct rules_gate *gate);
/* Whether the newest rollout of the release that has the machine was aborted. */
bool rollouts_is_aborted(
        struct rollouts *rollouts, int64_t machine, int64_t release, struct rollout_row *ret);
/*
 * Whether an update of the machine goes on although its release was blocked meanwhile: machines may fail, by whose jobs it
 * is blocked, and it is for the error budget of the rollout that it is in how many.
 */
bool rollouts_bears(struct rollouts *rollouts, int64_t machine, const struct release_row *release);
/*
 * Whether the machine may be updated to a release that is blocked, as if it were not: by its rollout, which is open, or
 * which it would join. Not where it is a person who blocked it, nor a machine that has failed: that was its try.
 */
bool rollouts_spares(struct rollouts *rollouts, const struct machine_row *machine,
        const struct release_row *release);
/* How long an update of the machine is watched, by its ring. False: by no ring. */
bool rollouts_times(struct db *db, int64_t machine, int64_t release, int64_t *ret_soak_us,
        int64_t *ret_healthy_us);

/*
 * Somebody changes one: PAUSED, RESUMED, APPROVED, PROMOTED or ABORTED. Enough approvals let one go on that
 * waits for them. ROLLOUT_E_REFUSED; DB_E_NONE: there is no such rollout.
 */
int __must_check rollouts_change(struct rollouts *rollouts, int64_t id, enum rollout_changed what,
        const struct rules_asked *asked, struct failure *ret_failure);
