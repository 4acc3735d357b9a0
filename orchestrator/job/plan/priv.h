#pragma once
/* Inside plan: who makes the layout that a job is for. */
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

/* supersede.c: updates that wait and are moot since this later job was planned end as SUPERSEDED. */
void plan_supersede(struct engine *engine, const struct job *job);
