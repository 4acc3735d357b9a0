#undef NDEBUG
/*
 * What the rest of RS gets to know of the running transaction; the engine behind it is played.
 */
#include "osd/servers/rs/update/update.h"

#include <assert.h>
#include <string.h>

#include "osd/servers/rs/update/priv.h"

#define N 2

static struct service services[N];
static uint32_t n_calls, n_cancelled;

void txn_run(struct update_txn *txn)
{
	n_calls++;
}

void txn_tick(struct update_txn *txn, nsec_t now)
{
	n_calls++;
}

void txn_signal(struct update_txn *txn, nsec_t now)
{
	n_calls++;
}

nsec_t txn_next_deadline(const struct update_txn *txn)
{
	return 5;
}

void txn_extend(struct update_txn *txn, nsec_t by)
{
	n_calls++;
}

bool txn_is_open(const struct update_txn *txn)
{
	return txn->step == RS_STEP_PAIR;
}

err_t txn_cancel(struct update_txn *txn, const char *why)
{
	n_cancelled++;
	return E_OK;
}

bool report_event(struct update_txn *txn, const struct slot_event *event)
{
	n_calls++;
	return true;
}

void report_refused(struct update_txn *txn, const struct message *msg)
{
	n_calls++;
}

/* Everything that can come from outside, once. */
static void ask_all(void)
{
	const struct slot_event event = {.endpoint = 10};
	const struct message msg = {.source = 10};

	n_calls = 0;
	update_run();
	update_tick(1);
	update_signal(1);
	update_extend(1);
	update_refused(&msg);
	assert(update_event(&event) == (update_running().number != 0));
}

/* Where nothing runs, nothing comes through to a record that is left over. */
static void test_none(void)
{
	struct update_txn *txn = &update_record()->txn;

	txn->plan.number = (struct trust_number){3, 4};
	txn->n_components = N;
	txn->components[0].is_new_behind = true;
	ask_all();
	assert(n_calls == 0 && update_next_deadline() == NSEC_NEVER);
	assert(update_running().number == 0 && update_running().epoch == 0);
	assert(!update_is_holding(10));
	txn->step = RS_STEP_PAIR;
	ask_all();
	assert(n_calls == 6 && update_next_deadline() == 5);
	assert(update_running().number == 4 && update_running().epoch == 3);
}

/*
 * A service is held from the exchange of the instances until the new one is committed or the old
 * one is back: each of a set for itself, and nobody else.
 */
static void test_holding(void)
{
	struct update_txn *txn = &update_record()->txn;

	for (enum rs_step step = RS_STEP_NONE; step < RS_STEP_N; step++) {
		for (uint32_t behind = 0; behind < 1u << N; behind++) {
			bool may_hold = step != RS_STEP_NONE && step != RS_STEP_COMMIT;

			txn->step = step;
			for (uint32_t i = 0; i < N; i++) {
				txn->components[i].is_new_behind = behind >> i & 1;
			}
			for (uint32_t i = 0; i < N; i++) {
				bool is_behind = behind >> i & 1;

				assert(update_is_holding(services[i].endpoint) ==
				        (may_hold && is_behind));
			}
			assert(!update_is_holding(77));
		}
	}
}

/* RS's own transactions give way, orders never; a move is one of them. */
static void test_give_way(void)
{
	struct update_txn *txn = &update_record()->txn;

	n_cancelled = 0;
	txn->step = RS_STEP_PAIR;
	txn->plan = (struct update_plan){.number = {3, 4}};
	update_give_way("an order came");
	assert(n_cancelled == 0 && !update_is_moving() && !update_gives_way());
	txn->plan = (struct update_plan){.number = {0, 4}};
	assert(update_gives_way());
	update_give_way("an order came");
	assert(n_cancelled == 1 && !update_is_moving());
	txn->plan.is_move = true;
	assert(update_is_moving() && update_gives_way());
	txn->step = RS_STEP_TRANSFER;
	update_give_way("an order came");
	assert(n_cancelled == 1 && update_is_moving() && !update_gives_way());
	txn->step = RS_STEP_NONE;
	update_give_way("an order came");
	assert(n_cancelled == 1 && !update_is_moving());
}

int main(void)
{
	for (uint32_t i = 0; i < N; i++) {
		services[i].endpoint = 10 + (endpoint_t)i;
		update_record()->txn.components[i].service = &services[i];
	}
	test_give_way();
	test_none();
	test_holding();
	return 0;
}
