/*
 * Which step follows which. A job takes the steps of its kind one after the other:
 *
 *   update, rollback, prepare; rerandomize without pair, for the release stays the same:
 *     plan -> pair -> seed -> forge -> sign -> stage -> order -> run -> check -> confirm
 *   the same where the machine makes the layout: nothing is drawn, made or signed before the order
 *     plan -> pair -> stage -> order -> run -> check -> confirm
 *   start:
 *     plan -> seed -> forge -> sign -> image -> launch -> confirm
 *   restart, shutdown:
 *     plan -> order -> run
 *   move:
 *     plan -> move
 *   set:
 *     plan -> ready -> set
 *
 * and goes back to an earlier one when the record or the machine turns out to lack something:
 *
 *   forge, sign, stage -> seed   the seed is lost: all three need it
 *   image -> sign    the root was renewed
 *   stage -> forge   the payload's file is lost
 *   stage -> sign    nothing is signed in the record, or the root was renewed
 *   order -> pair    another release runs than the one that was paired
 *   order -> seed    a later number of its service ran meanwhile; where none is drawn: to stage
 *   run -> seed      the layout hits the one that runs
 *   run -> sign      the root was renewed; without a variant to sign: to order, or to stage, where
 *                    the kit is shown under the newer one (stage itself begins again so)
 *   run -> stage     the machine has never seen the order; with nothing to stage: to order
 *   run -> order     the order is too old, of another boot, or not in the record
 *
 * A job that is put off gives the machine to others, who may have its files dropped: so
 *   order, run -> stage   it is put off before its order was sent; with nothing to stage: to order
 *   set -> ready          the same of a set, whose jobs that have the machine go on
 *
 * What a policy has watched takes one step more:
 *   check -> soak -> confirm
 *
 * Nothing leads back from check, soak or confirm: what a machine committed is never made again. A step
 * that is begun again comes to the same end, or to one that replaces what was made before.
 */
#include "orchestrator/job/core/chain.h"

#include "orchestrator/job/core/state.h"

/* The kinds that share an order of steps. */
enum chain {
	CHAIN_UPDATE,
	CHAIN_MADE,
	CHAIN_START,
	CHAIN_ORDER,
	CHAIN_MOVE,
	CHAIN_SET,
	_CHAIN_N,
};

/* A step in a chain; next JOB_STEP_PLAN: the chain does not have it. */
struct chain_link {
	enum job_step next;
	struct job_step_needs needs;
	/* The job's state until the step is begun, and from then on. */
	struct {
		enum job_state before, begun;
	} states;
};

/* From the order on it does not matter any more who makes the layout. */
#define CHAIN_ORDERED                                                                              \
	[JOB_STEP_ORDER] = {JOB_STEP_RUN, {true, true, JOB_LIMIT_MACHINE},                         \
	        {JOB_STAGED, JOB_STAGED}},                                                         \
	[JOB_STEP_RUN] = {JOB_STEP_CHECK, {true, true, JOB_LIMIT_MACHINE},                         \
	        {JOB_ORDERED, JOB_ORDERED}},                                                       \
	[JOB_STEP_CHECK] = {JOB_STEP_CONFIRM, {true, true, JOB_LIMIT_MACHINE},                     \
	        {JOB_PROBATION, JOB_PROBATION}},                                                   \
	[JOB_STEP_SOAK] = {JOB_STEP_CONFIRM, {false, false, JOB_LIMIT_NONE},                       \
	        {JOB_SOAKING, JOB_SOAKING}},                                                       \
	[JOB_STEP_CONFIRM] = {                                                                     \
	        _JOB_STEP_N, {true, true, JOB_LIMIT_MACHINE}, {JOB_SOAKING, JOB_SOAKING}}

/* next, {turn, session, limit}, {before, begun} */
static const struct chain_link chain_links[_CHAIN_N][_JOB_STEP_N] =
        {
                [CHAIN_UPDATE] =
                        {
                                [JOB_STEP_PAIR] = {JOB_STEP_SEED, {false, true, JOB_LIMIT_WORK},
                                        {JOB_PLANNED, JOB_PLANNED}},
                                [JOB_STEP_SEED] = {JOB_STEP_FORGE, {false, false, JOB_LIMIT_WORK},
                                        {JOB_APPROVED, JOB_FORGING}},
                                [JOB_STEP_FORGE] = {JOB_STEP_SIGN, {false, false, JOB_LIMIT_WORK},
                                        {JOB_FORGING, JOB_FORGING}},
                                [JOB_STEP_SIGN] = {JOB_STEP_STAGE, {false, true, JOB_LIMIT_WORK},
                                        {JOB_FORGING, JOB_FORGING}},
                                [JOB_STEP_STAGE] = {JOB_STEP_ORDER, {true, true, JOB_LIMIT_MACHINE},
                                        {JOB_FORGING, JOB_STAGED}},
                                CHAIN_ORDERED,
                        },
                [CHAIN_MADE] =
                        {
                                [JOB_STEP_PAIR] = {JOB_STEP_STAGE, {false, true, JOB_LIMIT_WORK},
                                        {JOB_PLANNED, JOB_PLANNED}},
                                [JOB_STEP_STAGE] = {JOB_STEP_ORDER, {true, true, JOB_LIMIT_MACHINE},
                                        {JOB_APPROVED, JOB_STAGED}},
                                CHAIN_ORDERED,
                        },
                [CHAIN_START] =
                        {
                                [JOB_STEP_SEED] = {JOB_STEP_FORGE, {true, false, JOB_LIMIT_WORK},
                                        {JOB_APPROVED, JOB_FORGING}},
                                [JOB_STEP_FORGE] = {JOB_STEP_SIGN, {true, false, JOB_LIMIT_WORK},
                                        {JOB_FORGING, JOB_FORGING}},
                                [JOB_STEP_SIGN] = {JOB_STEP_IMAGE, {true, false, JOB_LIMIT_WORK},
                                        {JOB_FORGING, JOB_FORGING}},
                                [JOB_STEP_IMAGE] = {JOB_STEP_LAUNCH, {true, false, JOB_LIMIT_WORK},
                                        {JOB_FORGING, JOB_FORGING}},
                                [JOB_STEP_LAUNCH] = {JOB_STEP_CONFIRM,
                                        {true, false, JOB_LIMIT_BOOT}, {JOB_ORDERED, JOB_ORDERED}},
                                [JOB_STEP_CONFIRM] = {_JOB_STEP_N, {true, false, JOB_LIMIT_BOOT},
                                        {JOB_PROBATION, JOB_PROBATION}},
                        },
                [CHAIN_ORDER] =
                        {
                                [JOB_STEP_ORDER] = {JOB_STEP_RUN, {true, true, JOB_LIMIT_MACHINE},
                                        {JOB_APPROVED, JOB_STAGED}},
                                [JOB_STEP_RUN] = {_JOB_STEP_N, {true, true, JOB_LIMIT_MACHINE},
                                        {JOB_ORDERED, JOB_ORDERED}},
                        },
                /* Without the turn: the jobs that it asks for need it. */
                [CHAIN_MOVE] = {[JOB_STEP_MOVE] = {_JOB_STEP_N, {false, true, JOB_LIMIT_WORK},
                                        {JOB_APPROVED, JOB_ORDERED}}},
                /* The same; and its jobs have the limits. */
                [CHAIN_SET] = {[JOB_STEP_READY] = {JOB_STEP_SET, {false, false, JOB_LIMIT_NONE},
                                       {JOB_APPROVED, JOB_STAGED}},
                        [JOB_STEP_SET] = {_JOB_STEP_N, {false, false, JOB_LIMIT_NONE},
                                {JOB_STAGED, JOB_ORDERED}}},
};
#undef CHAIN_ORDERED

#define STEP(name) (1u << JOB_STEP_##name)
/* Where each other event may happen, and where it leads; JOB_STEP_PLAN: not in this chain. */
static const struct {
	unsigned int from; /* steps */
	enum job_step to[_CHAIN_N];
} chain_backs[_JOB_ON_N] = {
        [JOB_ON_OTHER_RELEASE] = {STEP(ORDER),
                {[CHAIN_UPDATE] = JOB_STEP_PAIR, [CHAIN_MADE] = JOB_STEP_PAIR}},
        [JOB_ON_SEED_LOST] = {STEP(FORGE) | STEP(SIGN) | STEP(STAGE),
                {[CHAIN_UPDATE] = JOB_STEP_SEED, [CHAIN_START] = JOB_STEP_SEED}},
        [JOB_ON_OVERLAP] = {STEP(RUN), {[CHAIN_UPDATE] = JOB_STEP_SEED}},
        [JOB_ON_OVERTAKEN] = {STEP(ORDER),
                {[CHAIN_UPDATE] = JOB_STEP_SEED, [CHAIN_MADE] = JOB_STEP_STAGE}},
        [JOB_ON_PAYLOAD_LOST] = {STEP(STAGE), {[CHAIN_UPDATE] = JOB_STEP_FORGE}},
        [JOB_ON_UNSIGNED] = {STEP(STAGE), {[CHAIN_UPDATE] = JOB_STEP_SIGN}},
        [JOB_ON_NEW_ROOT] = {STEP(STAGE) | STEP(RUN) | STEP(IMAGE),
                {[CHAIN_UPDATE] = JOB_STEP_SIGN,
                        [CHAIN_MADE] = JOB_STEP_STAGE,
                        [CHAIN_START] = JOB_STEP_SIGN,
                        [CHAIN_ORDER] = JOB_STEP_ORDER}},
        [JOB_ON_UNSEEN] = {STEP(RUN), {[CHAIN_UPDATE] = JOB_STEP_STAGE,
                                              [CHAIN_MADE] = JOB_STEP_STAGE,
                                              [CHAIN_ORDER] = JOB_STEP_ORDER}},
        [JOB_ON_WATCHED] = {STEP(CHECK),
                {[CHAIN_UPDATE] = JOB_STEP_SOAK, [CHAIN_MADE] = JOB_STEP_SOAK}},
        [JOB_ON_PUT_OFF] = {STEP(ORDER) | STEP(RUN) | STEP(SET),
                {[CHAIN_UPDATE] = JOB_STEP_STAGE,
                        [CHAIN_MADE] = JOB_STEP_STAGE,
                        [CHAIN_ORDER] = JOB_STEP_ORDER,
                        [CHAIN_SET] = JOB_STEP_READY}},
        [JOB_ON_STALE_ORDER] = {STEP(RUN), {[CHAIN_UPDATE] = JOB_STEP_ORDER,
                                                   [CHAIN_MADE] = JOB_STEP_ORDER,
                                                   [CHAIN_ORDER] = JOB_STEP_ORDER}},
};
#undef STEP
_Static_assert(
        JOB_STEP_PLAN == 0, "what a table leaves out leads to plan, which is no step to go to");

static enum chain chain_of(struct job_way way)
{
	switch (way.kind) {
	case JOB_START:
		return CHAIN_START;
	case JOB_RESTART:
	case JOB_SHUTDOWN:
		return CHAIN_ORDER;
	case JOB_MOVE:
		return CHAIN_MOVE;
	case JOB_SET:
		return CHAIN_SET;
	case JOB_UPDATE:
	case JOB_ROLLBACK:
	case JOB_RERANDOMIZE:
	case JOB_PREPARE:
	case _JOB_KIND_N:
		break;
	}
	return way.machine_made ? CHAIN_MADE : CHAIN_UPDATE;
}

bool job_step_is_of(struct job_way way, enum job_step step)
{
	/* The release of a rerandomization stays, so there is nothing to pair it with. */
	if (way.kind == JOB_RERANDOMIZE && step == JOB_STEP_PAIR) {
		return false;
	}
	return chain_links[chain_of(way)][step].next != JOB_STEP_PLAN;
}

enum job_step job_first_step(struct job_way way)
{
	static const enum job_step firsts[_CHAIN_N] = {
	        [CHAIN_UPDATE] = JOB_STEP_PAIR,
	        [CHAIN_MADE] = JOB_STEP_PAIR,
	        [CHAIN_START] = JOB_STEP_SEED,
	        [CHAIN_ORDER] = JOB_STEP_ORDER,
	        [CHAIN_MOVE] = JOB_STEP_MOVE,
	        [CHAIN_SET] = JOB_STEP_READY,
	};

	enum job_step first = firsts[chain_of(way)];

	return job_step_is_of(way, first) ? first : chain_links[chain_of(way)][first].next;
}

enum job_step job_next(struct job_way way, enum job_step step, enum job_step_event event)
{
	enum chain chain = chain_of(way);

	if (!job_step_is_of(way, step)) {
		return JOB_STEP_PLAN;
	}
	if (event == JOB_ON_DONE) {
		return chain_links[chain][step].next;
	}
	if (!(chain_backs[event].from & 1u << step) ||
	        !job_step_is_of(way, chain_backs[event].to[chain])) {
		return JOB_STEP_PLAN;
	}
	return chain_backs[event].to[chain];
}

struct job_step_needs job_step_needs(struct job_way way, enum job_step step)
{
	return chain_links[chain_of(way)][step].needs;
}

enum job_state job_state_before(struct job_way way, enum job_step step)
{
	return chain_links[chain_of(way)][step].states.before;
}

/* In the step run the machine says how far it is; a step that is begun again stays where that led. */
enum job_state job_state_begun(struct job_way way, enum job_step step, enum job_state now)
{
	bool is_further = step == JOB_STEP_RUN && (now == JOB_PREPARING || now == JOB_SWITCHING);

	return is_further ? now : chain_links[chain_of(way)][step].states.begun;
}

enum job_step job_step_put_off(struct job_way way, enum job_step step)
{
	enum job_step back = job_next(way, step, JOB_ON_PUT_OFF);
	enum job_class class = job_class(job_state_begun(way, step, JOB_PLANNED));

	if (back == JOB_STEP_PLAN && (class == JOB_CLASS_WAITS || class == JOB_CLASS_WORKS)) {
		return step;
	}
	return back;
}

bool job_state_is_of(struct job_way way, enum job_step step, enum job_state state)
{
	if (job_state_is_put_off(state)) {
		return job_step_put_off(way, step) == step;
	}
	return state == job_state_before(way, step) || state == job_state_begun(way, step, state);
}
