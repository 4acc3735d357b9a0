#pragma once
/* A set as its steps look at it (set.c), and its way back (set_back.c). */
#include "orchestrator/job/core/job.h"
#include "orchestrator/job/plan/plan.h"

/* A member whose end was not told is looked for after so long. */
#define SET_AGAIN_USEC UINT64_C(30000000)
/* So often is looked whether the machine is heard again, which has a way to go back. */
#define SET_MACHINE_USEC UINT64_C(1000000)

struct set_member {
	struct job_row row;
	int64_t back; /* its way back; 0: none was asked for */
	enum job_state back_state;
	bool back_is_open;
};

struct set_look {
	struct job *job;
	struct set_member members[PLAN_SET_MAX];
	size_t n;
	/* What became of those that were to go back. */
	unsigned int n_back, n_stay, n_left;
	char stay[160], left[160]; /* services, as far as there is room */
};

/* What it was asked for is there: it runs, whether it is watched or not. */
bool set_stands(const struct job_row *row);
/* Not over, and not only watched. */
bool set_is_open(const struct job_row *row);

/* Members whose order was not sent end; whether one that is still open has to be waited for. */
bool set_cancel(const struct set_look *look, const char *why);
/*
 * Something failed, or somebody ended the set: a look at its way back, which ends the step or has it begun again. The
 * reason is the same at each look. failed: the member that the set fails by; NULL: none.
 */
void set_undo(struct set_look *look, const struct job_row *failed);
