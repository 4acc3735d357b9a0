#pragma once
/* Inside steps: the functions of the table, and what one step wants to know of another. */
#include "host/base/pool.h"
#include "orchestrator/job/core/set.h"
#include "orchestrator/job/plan/plan.h"
#include "orchestrator/job/steps/steps.h"
#include "proto/control/control.pb-c.h"

/* Each begins its work, and ends it as job.h says. */
void job_step_pair(struct job *job);
void job_step_seed(struct job *job);
void job_step_forge(struct job *job);
void job_step_sign(struct job *job);
void job_step_stage(struct job *job);
void job_step_order(struct job *job);
void job_step_run(struct job *job);
void job_step_check(struct job *job);
void job_step_soak(struct job *job);
void job_step_confirm(struct job *job);
void job_step_image(struct job *job);
void job_step_launch(struct job *job);
void job_step_confirm_start(struct job *job);
void job_step_move(struct job *job);
void job_step_ready(struct job *job);
void job_step_set(struct job *job);

/* The result of ->order, of the step at work. */
void job_on_result(struct job *job, const Machine__Result *result);
void job_on_confirmed(struct job *job, const Machine__Result *result);

/* seed.c */
/*
 * Has the record hold a generation of the job whose layout the machine makes, unless it does. False:
 * it cannot, and the job has ended or stands still.
 */
bool __must_check job_draw_made(struct job *job);
/* Whether a later number of its service ran, or may have: the machine takes the job's no more. */
bool job_is_overtaken(const struct job *job);

/* pair.c */
/*
 * Whether the plan that is whole now is the one that was meant, where one was; then the job has its hash, and
 * job_plan_write(), a db_txn_fn whose argument is the job, records what the hash is of.
 */
bool __must_check job_plan_is_meant(struct job *job, const struct plan_terms *terms,
        const struct job_forecast *parts, size_t n);
int __must_check job_plan_write(struct db *db, void *job);
/* Whether another release runs now than the one that was paired with the job's. */
bool job_pair_is_over(const struct job *job);
/* The pairing that the record has, in the pool; NULL: none. */
Control__Pairing *job_pair_recorded(const struct job *job, struct pool *pool);

/* run.c */
/*
 * Records of a layout that the machine made what its result says: the commitment to the seed, and what
 * the layout has in common with the one before. Nothing to do for another. Called inside db_txn().
 */
int __must_check job_keep_layout(
        struct db *db, const struct generation_row *row, const Machine__Result *result);

/* confirm.c */
/* Records the floor that the job's release brings; its parts are loaded. */
int __must_check job_floor_txn(struct db *db, void *arg);

/* soak.c */
/* Whether a policy has the update watched; then what has to be known before it is noted. */
void job_soak_early(struct job *job);
/* The same just before the order. False: it is too early, and is looked at again. */
bool __must_check job_soak_before(struct job *job);
/* It runs what it was updated to: it is watched from now on. False: no policy has it watched. */
bool job_soak_begin(struct job *job, const Machine__Service *service);

/* back.c */
/* What a service runs, seen from an update that was to put something else there. */
enum back_at {
	BACK_AT_UPDATE,    /* what that put there, or nobody knows */
	BACK_AT_BEFORE,    /* what ran before it */
	BACK_AT_ELSEWHERE, /* what somebody else put there */
	_BACK_AT_N,
};
enum back_at job_back_at(const struct job *job, const struct job_row *update);
/* Whether a service can be asked to go back. */
enum back_way {
	BACK_IS_OPEN,
	BACK_IS_AWAITED, /* it may be later: the job waits, and its step is begun again; or it stands still */
	BACK_IS_SHUT, /* it waited until its deadline, for what ->row.wait_why says */
	_BACK_WAY_N,
};
enum back_way __must_check job_back_way(struct job *job, const char *service);

/* late.c */
/* The end of a job by what the machine says of its order. */
enum job_state job_outcome_state(Machine__Outcome outcome);
/* What becomes of a generation whose job ends so. */
enum generation_state job_generation_state(enum job_state state);

/* launch.c */
/* Ends the start of a machine because of something on this host. r: a negative errno. */
void job_start_fail(struct job *job, const char *what, int r);
