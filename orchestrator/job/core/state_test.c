/*
 * The states of a job, every pair of them: the moves that are meant stand below, and every other must be
 * refused and change nothing. So a change of the table in proto/words/jobs.def is seen here, whichever way
 * it goes.
 */
#undef NDEBUG
#include "orchestrator/job/core/state.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define NOW 1000

/* One letter a state, in the order of the table below. */
static const struct {
	enum job_state state;
	char letter;
	enum job_class class;
	const char *to; /* letters */
} states[] = {
        {JOB_PLANNED, 'p', JOB_CLASS_WAITS, "adhRFXVEI"},
        {JOB_APPROVED, 'a', JOB_CLASS_WAITS, "fsdhoFXVEI"},
        {JOB_FORGING, 'f', JOB_CLASS_WORKS, "asdhoFXVEI"},
        {JOB_STAGED, 's', JOB_CLASS_WAITS, "pafdhoRFXVEI"},
        {JOB_SCHEDULED, 'd', JOB_CLASS_WAITS, "pafshFXVEI"},
        {JOB_HELD, 'h', JOB_CLASS_WAITS, "pafsdFXVEI"},
        {JOB_ORDERED, 'o', JOB_CLASS_RUNS, "afsdhrwbCPRBFXEI"},
        {JOB_PREPARING, 'r', JOB_CLASS_RUNS, "afswbCPRBFXI"},
        {JOB_SWITCHING, 'w', JOB_CLASS_RUNS, "bCPRBI"},
        {JOB_PROBATION, 'b', JOB_CLASS_RUNS, "kCFI"},
        {JOB_SOAKING, 'k', JOB_CLASS_RUNS, "GCBFI"},
        {JOB_CONFIRMED, 'G', JOB_CLASS_ENDED, ""},
        {JOB_COMMITTED, 'C', JOB_CLASS_ENDED, ""},
        {JOB_PREPARED, 'P', JOB_CLASS_ENDED, ""},
        {JOB_REFUSED, 'R', JOB_CLASS_ENDED, ""},
        {JOB_ROLLED_BACK, 'B', JOB_CLASS_ENDED, ""},
        {JOB_FAILED, 'F', JOB_CLASS_ENDED, ""},
        {JOB_CANCELLED, 'X', JOB_CLASS_ENDED, ""},
        {JOB_SUPERSEDED, 'V', JOB_CLASS_ENDED, ""},
        {JOB_EXPIRED, 'E', JOB_CLASS_ENDED, ""},
        {JOB_INCONSISTENT, 'I', JOB_CLASS_ENDED, "CPRB"},
        {JOB_SKIPPED, 'S', JOB_CLASS_ENDED, ""},
};
#define STATES_N (sizeof(states) / sizeof(states[0]))

static const struct job_wait turn = {.why = "its turn", .until_us = 20, .look_us = 15};

/* Moves a row; what became of it is what the table says, and a refused move leaves no trace. */
static void check_move(size_t from, size_t to)
{
	struct job_row row = {.state = states[from].state, .state_us = 1, .wait_why = "before"};
	bool meant = from == to || strchr(states[from].to, states[to].letter);
	bool waits = states[to].class == JOB_CLASS_WAITS;

	assert(job_state_may_become(states[from].state, states[to].state) == (meant && from != to));
	if (job_row_move(&row, states[to].state, &turn, NOW) != meant) {
		printf("%c to %c\n", states[from].letter, states[to].letter);
		assert(!"a move that is not meant");
	}
	if (!meant) {
		assert(row.state == states[from].state && row.state_us == 1 &&
		        !strcmp(row.wait_why, "before"));
		return;
	}
	assert(row.state == states[to].state && row.state_us == (from == to ? 1 : NOW));
	/* Each state that waits has a reason, a deadline and a next look; no other has any. */
	assert(!strcmp(row.wait_why, waits ? "its turn" : ""));
	assert(row.wait_until_us == (waits ? 20 : 0) && row.wait_look_us == (waits ? 15 : 0));
}

static void test_every_pair(void)
{
	unsigned int seen = 0;

	for (size_t from = 0; from < STATES_N; from++) {
		seen |= 1u << states[from].state;
		assert(job_class(states[from].state) == states[from].class);
		for (size_t to = 0; to < STATES_N; to++) {
			check_move(from, to);
		}
	}
	/* All there are: 0 is none, and 1 was that of open jobs. */
	assert(seen == (1u << _JOB_STATE_N) - 1 - 3);
	assert(!job_state_may_become(0, JOB_PLANNED) && !job_state_may_become(1, JOB_PLANNED));
	assert(!job_state_may_become(_JOB_STATE_N, JOB_FAILED));
	assert(!job_state_may_become(JOB_PLANNED, _JOB_STATE_N));
}

/* Every state that is not over can end, by a defect at least; of those that wait, each can expire. */
static void test_ends(void)
{
	for (size_t i = 0; i < STATES_N; i++) {
		bool open = states[i].class != JOB_CLASS_ENDED;

		assert(job_state_may_become(states[i].state, JOB_INCONSISTENT) == open);
		assert(states[i].class != JOB_CLASS_WAITS ||
		        (job_state_may_become(states[i].state, JOB_EXPIRED) &&
		                job_state_may_become(states[i].state, JOB_CANCELLED)));
	}
}

/* From the first state every other that a job can have is reached, and none of them from an end. */
static void test_reached(void)
{
	unsigned int reached = 1u << JOB_PLANNED, before = 0;

	while (reached != before) {
		before = reached;
		for (enum job_state from = 0; from < _JOB_STATE_N; from++) {
			for (enum job_state to = 0; before & 1u << from && to < _JOB_STATE_N;
			        to++) {
				reached |= job_state_may_become(from, to) ? 1u << to : 0;
			}
		}
	}
	/* All but SKIPPED, which no record has. */
	assert(reached == (1u << _JOB_STATE_N) - 1 - 3 - (1u << JOB_SKIPPED));
}

static void test_put_off(void)
{
	for (size_t i = 0; i < STATES_N; i++) {
		enum job_state state = states[i].state;
		bool is_put_off = state == JOB_SCHEDULED || state == JOB_HELD;

		assert(job_state_is_put_off(state) == is_put_off);
		/* What can be put off can be ended by a person; from the switch on neither. */
		assert(!job_state_may_become(state, JOB_HELD) ||
		        job_state_may_become(state, JOB_CANCELLED));
	}
	assert(!job_state_may_become(JOB_SWITCHING, JOB_CANCELLED));
}

/* The highest first, of one kind the oldest; nothing goes before itself, and of two one goes first. */
static void test_order(void)
{
	static const struct job_row rows[] = {
	        {.id = 7, .kind = JOB_START},
	        {.id = 5, .kind = JOB_ROLLBACK},
	        {.id = 6, .kind = JOB_ROLLBACK},
	        {.id = 8, .kind = JOB_RESTART},
	        {.id = 1, .kind = JOB_PREPARE},
	        {.id = 3, .kind = JOB_UPDATE},
	        {.id = 9, .kind = JOB_SHUTDOWN},
	        {.id = 10, .kind = JOB_MOVE},
	        {.id = 11, .kind = JOB_SET},
	        {.id = 2, .kind = JOB_RERANDOMIZE},
	        {.id = 4, .kind = JOB_RERANDOMIZE},
	        {.id = 0, .kind = JOB_RERANDOMIZE, .scheduled = true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t j = 0; j < sizeof(rows) / sizeof(rows[0]); j++) {
			assert(job_goes_before(&rows[i], &rows[j]) == (i < j));
		}
	}
}

int main(void)
{
	test_order();
	test_every_pair();
	test_ends();
	test_reached();
	test_put_off();
	return 0;
}
