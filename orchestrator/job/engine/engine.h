#pragma once
/*
 * The engine: all jobs of all machines. A job is long work on a machine as a state machine in the
 * record: every step is written before it is done and confirmed after, so that a lud that was
 * killed takes up its open jobs where they were, and asks the machine where that is not enough.
 * core.h has what it is made of, look-ups and news; plan.h how a job comes to be.
 */
#include "orchestrator/job/core/core.h"
#include "proto/envelope/envelope.h"

/* Makes an engine with no machines yet, which learns of the record's health from now on. */
int __must_check engine_new(const struct engine_parts *parts, struct engine **ret_engine);
/* Jobs stay open in the record; nobody hears of it. */
struct engine *engine_free(struct engine *engine);
/* Asserts that all that is counted and listed is what a walk finds; between two turns of the loop, for tests. */
void engine_check(const struct engine *engine);
/* Takes up the machines and open jobs of the record, once. */
int __must_check engine_load(struct engine *engine);

/*
 * A control key's signature over what a job proposed. ENGINE_E_REFUSED fills ret_failure: no such
 * job waits for one, or the signature is none, which ends the job.
 */
int __must_check engine_countersign(struct engine *engine, int64_t job,
        const struct envelope_signature *signature, struct failure *ret_failure);
/* Nobody will sign what a job proposed: it ends. ENGINE_E_REFUSED fills ret_failure. */
int __must_check engine_decline(
        struct engine *engine, int64_t job, const char *why, struct failure *ret_failure);
/* The gate of all jobs, see engine_gate(); arg is the engine. */
bool engine_may_go_on(const struct job_row *row, struct job_hold *ret_hold, void *arg);
/* Limits of policies count what the engine's jobs are at work on; once, by engine_new(). */
void engine_gate_fleet(struct engine *engine);
/* Policies, holds or what they are about changed: whatever waits for them is looked at again. */
void engine_rules_changed(struct engine *engine);
/* What a machine is wanted to do by itself may be another than a policy wants: that is made to agree. */
void engine_policies_look(struct engine *engine, struct machine *machine);
/* Releases were added, blocked or cleared. */
void engine_releases_changed(struct engine *engine);
/*
 * The gates that a job of this machine and row (kind, service, limit, parent, overrides) comes to now. And
 * the first of them that is shut; NULL: none is.
 */
void engine_gates(const struct engine *engine, const struct machine *machine,
        const struct job_row *row, struct rules_gate ret_gates[_RULES_GATE_N]);
const struct rules_gate *engine_gate_shut(const struct rules_gate gates[_RULES_GATE_N]);
/*
 * Somebody ends a job: at once, or by asking the machine, whose answer then is the job's end. ENGINE_E_REFUSED
 * fills ret_failure: there is no such job, or nothing lets go of it any more.
 */
int __must_check engine_cancel(struct engine *engine, int64_t job, const char *who,
        const char *reason, struct failure *ret_failure);
/* The same of one that waits for its rollout; any other is refused. */
int __must_check engine_deny(struct engine *engine, int64_t job, const char *who,
        const char *reason, struct failure *ret_failure);
/*
 * Ends the open jobs of a machine that went away, as job_give_up() does; not one that is about to
 * start it, nor those that stand still until the record can be written, nor one that owes a way back.
 */
void engine_abandon(struct engine *engine, struct machine *machine, const char *why);
/* Ends all that a machine which is not busy still has: it is to be removed. False: it cannot be recorded. */
bool __must_check engine_forsake(struct engine *engine, struct machine *machine);
