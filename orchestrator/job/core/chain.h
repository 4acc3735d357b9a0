#pragma once
/*
 * The order of a job's steps, as pure functions of kind, step and event. Nothing here knows a
 * machine, the record or the clock; chain_test.c goes through every combination.
 */
#include "orchestrator/store/jobs.h"

/* How a step is over, as far as the order of steps is concerned. */
enum job_step_event {
	JOB_ON_DONE,          /* its work is done: the next step */
	JOB_ON_OTHER_RELEASE, /* another release runs than the one that was paired */
	JOB_ON_SEED_LOST,     /* the seed is in no memory any more, before the machine has it */
	JOB_ON_OVERLAP,       /* the layout hits the one that runs: another is drawn */
	JOB_ON_OVERTAKEN,     /* a later number of its service ran meanwhile: another is drawn */
	JOB_ON_PAYLOAD_LOST,  /* somebody removed the payload's file */
	JOB_ON_UNSIGNED,      /* the variant's envelope is not in the record */
	JOB_ON_NEW_ROOT,      /* what was signed is of a root that was renewed since */
	JOB_ON_UNSEEN,        /* the machine has never seen the order */
	JOB_ON_STALE_ORDER,   /* the order is too old, of another boot, or not in the record */
	JOB_ON_WATCHED, /* its work is done, and what runs is watched before it is confirmed */
	JOB_ON_PUT_OFF, /* it gives the machine to others, its order not sent */
	_JOB_ON_N,
};

/* What decides which steps a job takes. */
struct job_way {
	enum job_kind kind;
	bool machine_made; /* the machine makes the layout; of kinds that have one */
};

/* What limits the time of a step. */
enum job_limit_kind {
	JOB_LIMIT_NONE,    /* no limit runs */
	JOB_LIMIT_WORK,    /* the signer or a forge worker, which have limits of their own */
	JOB_LIMIT_MACHINE, /* the machine's answers: machine.answer_timeout */
	JOB_LIMIT_BOOT,    /* the machine's start, which machine.boot_timeout limits first */
	_JOB_LIMIT_N,
};

/* What a step needs before it may begin, and what bounds it. */
struct job_step_needs {
	bool turn;    /* the machine for itself, until the job ends */
	bool session; /* an open session with the machine */
	enum job_limit_kind limit;
};

/* Whether jobs of this way have the step at all. PLAN is over when a job is recorded. */
bool job_step_is_of(struct job_way way, enum job_step step);
enum job_step job_first_step(struct job_way way);
/*
 * The step that follows; _JOB_STEP_N: the job is over, which the step says by job_end().
 * JOB_STEP_PLAN: the event cannot happen in this step, which is a caller's error.
 */
enum job_step job_next(struct job_way way, enum job_step step, enum job_step_event event);
/* Of a step that the way has. */
struct job_step_needs job_step_needs(struct job_way way, enum job_step step);
/*
 * The state of a job by its step: until that is begun, and when it is, from the state that it has now.
 * Each step of a way that has it.
 */
enum job_state job_state_before(struct job_way way, enum job_step step);
enum job_state job_state_begun(struct job_way way, enum job_step step, enum job_state now);
/* Where a job stands while it is put off in this step; JOB_STEP_PLAN: it cannot be any more. */
enum job_step job_step_put_off(struct job_way way, enum job_step step);
/* Whether an open job may be in this state at this step. */
bool job_state_is_of(struct job_way way, enum job_step step, enum job_state state);
