/*
 * The order of steps, over all kinds, steps and events: the moves that are meant stand below in
 * words, and every other combination must be refused. So a change of the tables in chain.c is
 * seen here, whichever way it goes.
 */
#undef NDEBUG
#include "orchestrator/job/core/chain.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/job/core/state.h"

static const char *const step_names[_JOB_STEP_N] = {
#define JOB_STEP(name, number, word) [number] = word,
#include "proto/words/jobs.def"
#undef JOB_STEP
};

/*
 * The moves that are meant. Kinds that share their steps are a group, and a row says of which groups it
 * is: u an update, and m one whose layout the machine makes, so that nothing is drawn, made or signed
 * before the order; s a start; o an order alone; v a move; e a set.
 */
static const struct move {
	const char *groups;
	const char *from;
	enum job_step_event event;
	const char *to; /* "": the job is over */
} moves[] = {
        {"u", "pair", JOB_ON_DONE, "seed"},
        {"us", "seed", JOB_ON_DONE, "forge"},
        {"us", "forge", JOB_ON_DONE, "sign"},
        {"u", "sign", JOB_ON_DONE, "stage"},
        {"um", "stage", JOB_ON_DONE, "order"},
        {"umo", "order", JOB_ON_DONE, "run"},
        {"um", "run", JOB_ON_DONE, "check"},
        {"um", "check", JOB_ON_DONE, "confirm"},
        {"um", "check", JOB_ON_WATCHED, "soak"},
        {"um", "soak", JOB_ON_DONE, "confirm"},
        {"ums", "confirm", JOB_ON_DONE, ""},
        {"m", "pair", JOB_ON_DONE, "stage"},
        {"s", "sign", JOB_ON_DONE, "image"},
        {"s", "image", JOB_ON_DONE, "launch"},
        {"s", "launch", JOB_ON_DONE, "confirm"},
        {"o", "run", JOB_ON_DONE, ""},
        {"v", "move", JOB_ON_DONE, ""},
        {"e", "ready", JOB_ON_DONE, "set"},
        {"e", "set", JOB_ON_DONE, ""},
        {"e", "set", JOB_ON_PUT_OFF, "ready"},
        {"um", "order", JOB_ON_OTHER_RELEASE, "pair"},
        {"us", "forge", JOB_ON_SEED_LOST, "seed"},
        {"us", "sign", JOB_ON_SEED_LOST, "seed"},
        {"u", "stage", JOB_ON_SEED_LOST, "seed"},
        {"u", "run", JOB_ON_OVERLAP, "seed"},
        {"u", "order", JOB_ON_OVERTAKEN, "seed"},
        {"m", "order", JOB_ON_OVERTAKEN, "stage"},
        {"u", "stage", JOB_ON_PAYLOAD_LOST, "forge"},
        {"u", "stage", JOB_ON_UNSIGNED, "sign"},
        {"u", "stage", JOB_ON_NEW_ROOT, "sign"},
        {"u", "run", JOB_ON_NEW_ROOT, "sign"},
        {"um", "run", JOB_ON_UNSEEN, "stage"},
        {"umo", "run", JOB_ON_STALE_ORDER, "order"},
        {"um", "order", JOB_ON_PUT_OFF, "stage"},
        {"um", "run", JOB_ON_PUT_OFF, "stage"},
        {"o", "order", JOB_ON_PUT_OFF, "order"},
        {"o", "run", JOB_ON_PUT_OFF, "order"},
        {"m", "stage", JOB_ON_NEW_ROOT, "stage"},
        {"m", "run", JOB_ON_NEW_ROOT, "stage"},
        {"s", "image", JOB_ON_NEW_ROOT, "sign"},
        {"o", "run", JOB_ON_NEW_ROOT, "order"},
        {"o", "run", JOB_ON_UNSEEN, "order"},
};

static const struct {
	struct job_way way;
	char group;
	const char *first;
	const char *without; /* a step that the others of the group have */
} kinds[] = {
        {{JOB_UPDATE, false}, 'u', "pair", ""},
        {{JOB_ROLLBACK, false}, 'u', "pair", ""},
        {{JOB_PREPARE, false}, 'u', "pair", ""},
        {{JOB_RERANDOMIZE, false}, 'u', "seed", "pair"},
        {{JOB_UPDATE, true}, 'm', "pair", ""},
        {{JOB_ROLLBACK, true}, 'm', "pair", ""},
        {{JOB_PREPARE, true}, 'm', "pair", ""},
        {{JOB_RERANDOMIZE, true}, 'm', "stage", "pair"},
        {{JOB_START, false}, 's', "seed", ""},
        {{JOB_RESTART, false}, 'o', "order", ""},
        {{JOB_SHUTDOWN, false}, 'o', "order", ""},
        {{JOB_MOVE, false}, 'v', "move", ""},
        {{JOB_SET, false}, 'e', "ready", ""},
};

static enum job_step step_of(const char *name)
{
	for (enum job_step step = 0; step < _JOB_STEP_N; step++) {
		if (!strcmp(step_names[step], name)) {
			return step;
		}
	}
	assert(!*name);
	return _JOB_STEP_N;
}

/* By the table above; JOB_STEP_PLAN: the move is not meant. */
static enum job_step meant(size_t kind, enum job_step step, enum job_step_event event)
{
	for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
		const struct move *move = &moves[i];

		if (strchr(move->groups, kinds[kind].group) && step_of(move->from) == step &&
		        move->event == event && strcmp(move->from, kinds[kind].without) &&
		        (!*move->to || strcmp(move->to, kinds[kind].without))) {
			return step_of(move->to);
		}
	}
	return JOB_STEP_PLAN;
}

static void test_every_pair(void)
{
	size_t n = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		for (enum job_step step = 0; step < _JOB_STEP_N; step++) {
			for (enum job_step_event event = 0; event < _JOB_ON_N; event++) {
				enum job_step to = job_next(kinds[i].way, step, event);

				if (to != meant(i, step, event)) {
					printf("kind %d, step %s, event %d: goes to %d\n",
					        kinds[i].way.kind, step_names[step], event, to);
					assert(!"an order of steps that is not meant");
				}
				n++;
			}
		}
	}
	assert(n == sizeof(kinds) / sizeof(kinds[0]) * _JOB_STEP_N * _JOB_ON_N);
}

/* The longest way: whatever may be watched is. */
static enum job_step after(struct job_way way, enum job_step step)
{
	enum job_step watched = job_next(way, step, JOB_ON_WATCHED);

	return watched != JOB_STEP_PLAN ? watched : job_next(way, step, JOB_ON_DONE);
}

/* From the first step every job comes to its end, through each step of its kind once. */
static void test_chains_end(void)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		enum job_step step = job_first_step(kinds[i].way);
		unsigned int seen = 0;

		assert(step == step_of(kinds[i].first));
		while (step != _JOB_STEP_N) {
			assert(step != JOB_STEP_PLAN && !(seen & 1u << step));
			seen |= 1u << step;
			step = after(kinds[i].way, step);
		}
		for (step = 0; step < _JOB_STEP_N; step++) {
			assert(job_step_is_of(kinds[i].way, step) == !!(seen & 1u << step));
		}
	}
}

/* A way back leads to a step that is taken before; nothing leads back past a commit. */
static void test_backwards(void)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		for (enum job_step step = 1; step < _JOB_STEP_N; step++) {
			for (enum job_step_event event = 1; event < _JOB_ON_N; event++) {
				enum job_step at = job_next(kinds[i].way, step, event);

				if (event == JOB_ON_WATCHED) {
					continue;
				}
				assert(at == JOB_STEP_PLAN ||
				        (step != JOB_STEP_CHECK && step != JOB_STEP_SOAK &&
				                step != JOB_STEP_CONFIRM));
				while (at != JOB_STEP_PLAN && at != step) {
					assert(at != _JOB_STEP_N);
					at = job_next(kinds[i].way, at, JOB_ON_DONE);
				}
			}
		}
	}
}

/*
 * Once a step has the machine for itself the later ones do too: the turn is not given back. Every job has
 * it in the end but a move and a set, whose jobs would wait for it for ever.
 */
static void test_needs(void)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		enum job_step step = job_first_step(kinds[i].way);
		bool turn = false;

		for (; step != _JOB_STEP_N; step = job_next(kinds[i].way, step, JOB_ON_DONE)) {
			struct job_step_needs needs = job_step_needs(kinds[i].way, step);

			assert(!turn || needs.turn);
			assert((needs.limit == JOB_LIMIT_NONE) == (kinds[i].way.kind == JOB_SET));
			assert(needs.limit < _JOB_LIMIT_N);
			assert(kinds[i].way.kind != JOB_START || (needs.turn && !needs.session));
			turn = needs.turn;
		}
		assert(turn == (kinds[i].way.kind != JOB_MOVE && kinds[i].way.kind != JOB_SET));
	}
}

/*
 * States follow steps: each step has one until it is begun and one from then on, no step leads to a state that
 * may not follow, and only before the order can a job be put off.
 */
static void test_states(void)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		for (enum job_step step = 1; step < _JOB_STEP_N; step++) {
			enum job_state before, begun;

			if (!job_step_is_of(kinds[i].way, step)) {
				continue;
			}
			before = job_state_before(kinds[i].way, step);
			begun = job_state_begun(kinds[i].way, step, before);
			assert(job_class(before) != JOB_CLASS_ENDED);
			assert(before == begun || job_state_may_become(before, begun));
			assert(job_state_is_of(kinds[i].way, step, before));
			assert(job_state_is_of(kinds[i].way, step, begun));
			for (enum job_step_event event = 0; event < _JOB_ON_N; event++) {
				enum job_step to = job_next(kinds[i].way, step, event);
				enum job_state next;

				if (to == JOB_STEP_PLAN || to == _JOB_STEP_N) {
					continue;
				}
				next = job_state_before(kinds[i].way, to);
				assert(next == begun || job_state_may_become(begun, next));
			}
		}
	}
}

/* By kind and step: where a job stands while it is put off; "": it cannot be any more. */
static void test_put_off(void)
{
	static const struct {
		const char *groups, *step, *at;
	} rows[] = {
	        {"um", "pair", "pair"},
	        {"us", "seed", "seed"},
	        {"us", "forge", "forge"},
	        {"us", "sign", "sign"},
	        {"um", "stage", "stage"},
	        {"um", "order", "stage"},
	        {"um", "run", "stage"},
	        {"um", "check", ""},
	        {"um", "soak", ""},
	        {"ums", "confirm", ""},
	        {"s", "image", "image"},
	        {"s", "launch", ""},
	        {"o", "order", "order"},
	        {"o", "run", "order"},
	        {"v", "move", ""},
	        {"e", "ready", "ready"},
	        {"e", "set", "ready"},
	};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
			enum job_step step = step_of(rows[r].step);
			enum job_step at = *rows[r].at ? step_of(rows[r].at) : JOB_STEP_PLAN;

			if (strchr(rows[r].groups, kinds[i].group) &&
			        job_step_is_of(kinds[i].way, step)) {
				assert(job_step_put_off(kinds[i].way, step) == at);
				assert(job_state_is_of(kinds[i].way, step, JOB_HELD) ==
				        (at == step));
				n++;
			}
		}
	}
	assert(n == 4 * 10 - 1 + 4 * 7 - 1 + 6 + 2 * 2 + 1 + 2);
}

int main(void)
{
	test_states();
	test_put_off();
	test_every_pair();
	test_chains_end();
	test_backwards();
	test_needs();
	return 0;
}
