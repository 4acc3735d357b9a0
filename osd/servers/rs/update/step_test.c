#undef NDEBUG
#include "osd/servers/rs/update/priv.h"

#include <assert.h>
#include <string.h>

/* Every move there is. A pair that is not in here cannot happen. */
static const struct {
	enum rs_step from;
	enum txn_event event;
	enum rs_step to;
} moves[] = {
        {RS_STEP_NONE, TXN_BEGIN, RS_STEP_VERIFY},
        {RS_STEP_VERIFY, TXN_REACHED, RS_STEP_CREATE},
        {RS_STEP_VERIFY, TXN_NO_NEWS, RS_STEP_PREPARE},
        {RS_STEP_CREATE, TXN_REACHED, RS_STEP_PAIR},
        {RS_STEP_CREATE, TXN_FAILED, RS_STEP_ROLLBACK},
        {RS_STEP_PAIR, TXN_REACHED, RS_STEP_PREPARE},
        {RS_STEP_PAIR, TXN_FAILED, RS_STEP_ROLLBACK},
        {RS_STEP_PREPARE, TXN_REACHED, RS_STEP_SWITCH},
        {RS_STEP_PREPARE, TXN_ANSWERED, RS_STEP_ROLLBACK},
        {RS_STEP_PREPARE, TXN_FAILED, RS_STEP_ROLLBACK},
        {RS_STEP_SWITCH, TXN_REACHED, RS_STEP_TRANSFER},
        {RS_STEP_SWITCH, TXN_FAILED, RS_STEP_ROLLBACK},
        {RS_STEP_TRANSFER, TXN_REACHED, RS_STEP_COMMIT},
        {RS_STEP_TRANSFER, TXN_FAILED, RS_STEP_ROLLBACK},
        {RS_STEP_COMMIT, TXN_REACHED, RS_STEP_DONE},
        {RS_STEP_COMMIT, TXN_FAILED, RS_STEP_ROLLBACK},
        {RS_STEP_ROLLBACK, TXN_REACHED, RS_STEP_DONE},
        {RS_STEP_ROLLBACK, TXN_RETRY, RS_STEP_CREATE},
        {RS_STEP_DONE, TXN_REACHED, RS_STEP_NONE},
};
#define N_MOVES (sizeof(moves) / sizeof(moves[0]))

static enum rs_step expected(enum rs_step from, enum txn_event event)
{
	for (size_t i = 0; i < N_MOVES; i++) {
		if (moves[i].from == from && moves[i].event == event) {
			return moves[i].to;
		}
	}
	return RS_STEP_N;
}

static void test_all_pairs(void)
{
	size_t n = 0;

	for (int from = RS_STEP_NONE; from < RS_STEP_N; from++) {
		for (int event = 0; event < _TXN_EVENT_N; event++) {
			enum rs_step to = txn_next((enum rs_step)from, (enum txn_event)event);

			assert(to == expected((enum rs_step)from, (enum txn_event)event));
			n += to != RS_STEP_N;
		}
	}
	assert(n == N_MOVES);
}

/* A step is over when all have done it, in whatever order they come, and not before. */
static void test_barrier(void)
{
	static const uint32_t orders[][3] = {
	        {0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	static struct update_txn txn;

	for (size_t k = 0; k < sizeof(orders) / sizeof(orders[0]); k++) {
		memset(&txn, 0, sizeof(txn));
		txn.n_components = 3;
		for (txn.step = RS_STEP_VERIFY; txn.step < RS_STEP_N; txn.step++) {
			/* What they did in the step before counts for nothing in this one. */
			assert(!txn_is_reached(&txn) && txn_slowest(&txn) == &txn.components[0]);
			for (uint32_t i = 0; i < 3; i++) {
				struct txn_component *c = &txn.components[orders[k][i]];

				assert(!txn_is_reached(&txn) && txn_is_awaited(&txn, c));
				txn_reach(&txn, c);
				assert(!txn_is_awaited(&txn, c));
			}
			assert(txn_is_reached(&txn));
		}
	}
}

static void test_sizes(void)
{
	static struct update_txn txn;

	txn.step = RS_STEP_PAIR;
	txn.n_components = 1;
	assert(!txn_is_reached(&txn));
	txn_reach(&txn, &txn.components[0]);
	assert(txn_is_reached(&txn));
	/* Nobody is waited for: the first stands for all, never one that is not of the set. */
	assert(txn_slowest(&txn) == &txn.components[0]);
	/* A component that is not of the set is not waited for; one more is. */
	txn.n_components = 2;
	assert(!txn_is_reached(&txn) && txn_slowest(&txn) == &txn.components[1]);
	txn_reach(&txn, &txn.components[1]);
	assert(txn_is_reached(&txn));
	/* After a rollback an earlier step is begun anew. */
	txn.step = RS_STEP_CREATE;
	assert(!txn_is_reached(&txn) && txn_slowest(&txn) == &txn.components[0]);
}

static void test_subject(void)
{
	static struct update_txn txn = {.n_components = 3};

	assert(txn_subject(&txn) == &txn.components[0]);
	txn.culprit = &txn.components[2];
	assert(txn_subject(&txn) == &txn.components[2]);
}

int main(void)
{
	test_all_pairs();
	test_barrier();
	test_sizes();
	test_subject();
	return 0;
}
