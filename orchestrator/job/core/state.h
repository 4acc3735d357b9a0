#pragma once
/*
 * The states of a job as a person and the rules of others see them: which may follow which, as
 * proto/words/jobs.def has it, and the only writer of a row's state. Nothing here knows a machine,
 * the record or the clock. How far the engine is inside a state is the job's step, see chain.h.
 */
#include "orchestrator/store/jobs.h"

enum job_class {
	JOB_CLASS_WAITS,
	JOB_CLASS_WORKS,
	JOB_CLASS_RUNS,
	JOB_CLASS_ENDED,
	_JOB_CLASS_N,
};

/* What a job waits for. */
struct job_wait {
	const char
	        *why; /* a noun phrase: "it waits for" ->why; of SCHEDULED and HELD, the reason */
	int64_t until_us; /* unix: then it expires */
	int64_t look_us;  /* unix: when it is looked at again at the latest; not after ->until_us */
};

enum job_class job_class(enum job_state state);
/*
 * Whether a job may go from one state to another. Nothing opens again; of those that are over only an
 * INCONSISTENT one becomes known, by a result of the machine.
 */
bool job_state_may_become(enum job_state from, enum job_state to);
/* Put off, by somebody or by a rule, until it is released. */
static inline bool job_state_is_put_off(enum job_state state)
{
	return state == JOB_SCHEDULED || state == JOB_HELD;
}

/*
 * The only writer of row->state. A state that waits gets the wait, which must be whole; any other has none.
 * False: no rule has the move, and the row is as it was.
 */
bool __must_check job_row_move(
        struct job_row *row, enum job_state to, const struct job_wait *wait, int64_t now_us);
/* Of two jobs that wait for a machine, whether the first goes before the second: an order of all jobs. */
bool job_goes_before(const struct job_row *one, const struct job_row *other);
/* What it waits for now; NULL: nothing. */
void job_row_wait(struct job_row *row, const struct job_wait *wait);
