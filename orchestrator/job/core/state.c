/*
 * States and moves, made of proto/words/jobs.def, and the setter that all changes go through.
 *
 *   planned -> approved -> forging -> staged -> ordered -> preparing -> switching -> probation -> soaking
 *      ^          ^           ^         |          |           |            |            |           |
 *      '----------'-----------'---------'----------'-----------'            |            |           v
 *        back: the record or the machine lacks something        '-----------'------------'--> ends by outcome
 *
 * A layout of the machine's own skips forging; a job that only orders something skips most. From any
 * of the first five, as long as its order was not sent, a job may be put off (scheduled, held), and goes
 * back to the state of its step when it is released. Every open state may end as inconsistent: that is
 * where a defect of lud's, or a machine that contradicts itself, leads.
 *
 * state_test.c goes through every pair.
 */
#include "orchestrator/job/core/state.h"

#include <assert.h>
#include <stdio.h>

enum job_class job_class(enum job_state state)
{
	static const enum job_class classes[_JOB_STATE_N] = {
#define JOB_STATE(name, number, word, class) [JOB_##name] = JOB_CLASS_##class,
#include "proto/words/jobs.def"
#undef JOB_STATE
	};

	return classes[state];
}

bool job_state_may_become(enum job_state from, enum job_state to)
{
	static const unsigned int moves[_JOB_STATE_N] = {
#define TO(name) | 1u << JOB_##name
#define JOB_MOVES(name, to) [JOB_##name] = 0 to,
#include "proto/words/jobs.def"
#undef JOB_MOVES
#undef TO
	};
	_Static_assert(_JOB_STATE_N <= 8 * sizeof(moves[0]), "a set of states is bits");

	return from < _JOB_STATE_N && to < _JOB_STATE_N && moves[from] & 1u << to;
}

void job_row_wait(struct job_row *row, const struct job_wait *wait)
{
	static const struct job_wait none = {.why = ""};

	wait = wait ? wait : &none;
	snprintf(row->wait_why, sizeof(row->wait_why), "%s", wait->why);
	row->wait_until_us = wait->until_us;
	row->wait_look_us = wait->look_us;
}

bool job_row_move(
        struct job_row *row, enum job_state to, const struct job_wait *wait, int64_t now_us)
{
	bool waits = job_class(to) == JOB_CLASS_WAITS;

	assert(!waits || (wait && *wait->why && wait->until_us && wait->look_us &&
	                         wait->look_us <= wait->until_us));
	if (row->state != to && !job_state_may_become(row->state, to)) {
		return false;
	}
	if (row->state != to) {
		row->state_us = now_us;
	}
	row->state = to;
	job_row_wait(row, waits ? wait : NULL);
	return true;
}

static unsigned int state_priority(const struct job_row *row)
{
	static const unsigned int priorities[_JOB_KIND_N] = {
#define JOB_KIND(name, number, word, priority) [JOB_##name] = priority,
#include "proto/words/jobs.def"
#undef JOB_KIND
	};

	return row->scheduled ? 1 : priorities[row->kind];
}

bool job_goes_before(const struct job_row *one, const struct job_row *other)
{
	unsigned int a = state_priority(one), b = state_priority(other);

	return a != b ? a > b : one->id < other->id;
}
