#pragma once
/* Inside plan: one job while it is planned, and who makes the layout that it is for. */
#include "orchestrator/job/plan/plan.h"

/* Who makes it, and why: a sentence for people, "" where there is no layout. */
struct layout_choice {
	bool machine_made;
	char why[160];
};

/*
 * Chooses for an order of a service to a release. Whoever wants the machine to make it, and by name
 * (the order, or the configuration), is refused where it cannot: ENGINE_E_REFUSED, *ret_failure says why.
 */
int __must_check layout_choose(struct engine *engine, const struct job_order *order,
        const Machine__Service *service, const struct release_row *target,
        struct layout_choice *ret_choice, struct failure *ret_failure);

/* What planning finds out, before anything is recorded. */
struct job_plan {
	struct engine *engine;
	const struct job_order *order;
	const Machine__Service *service;
	struct release_row running;
	struct release_row target;
	struct layout_choice layout;
	struct failure *failure;
	struct job_row row;
	char *text; /* of ->row.plan, where that is known; owned until it is written */
};

/* plan.c */
/*
 * Fills the failure in, in the words of the one who asked: the place is the service, or the
 * machine where there is none. cause is a format with one %s, which is what. Returns
 * ENGINE_E_REFUSED for the caller to return.
 */
int plan_refuse(struct job_plan *plan, const char *code, const char *remedy, const char *cause,
        const char *what);
/*
 * Whether the request was here before: whoever gave it did not hear the answer, or cannot know. Then
 * its job is the answer, whatever became of it. DB_E_NONE: it was not.
 */
int plan_again(struct job_plan *plan, int64_t *ret_job);
/*
 * Finds the target out and refuses what can be refused; nothing is written. 0, ENGINE_E_*, or an
 * error of the record.
 */
int plan_resolve(struct job_plan *plan);
/* Where a policy has rings, the machine is in one. */
int plan_join(struct job_plan *plan);
/* Fills in what is recorded. */
void plan_row(struct job_plan *plan);
/* Records a job that was resolved; inside db_txn(). */
int plan_write(struct db *db, void *arg);

/* supersede.c: updates that wait and are moot since this later job was planned end as SUPERSEDED. */
void plan_supersede(struct engine *engine, const struct job *job);
