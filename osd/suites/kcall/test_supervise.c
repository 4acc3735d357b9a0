/*
 * Random supervision: processes that make random calls, among them messages and copies between each
 * other, are stopped, resumed, swapped, held, committed, opened, destroyed and made again in random
 * order. Nothing may panic, and every slot, space and frame comes back.
 */
#define KCALL_UNRECORDED
#include "osd/suites/kcall/kcall.h"
#include "osd/suites/kcall/abuse.h"

#define N_CHILDREN 6u

static struct child children[N_CHILDREN];
static uint64_t n_accepted;

static void child_make(struct child *child, uint64_t *state)
{
	uint64_t r = random_next(state);
	uint32_t flags = r & 1 ? SLOT_UNCOMMITTED : 0;

	child_space_new(child);
	if (child_slot_new(child, "wild", flags) < 0) {
		bare_die("slot_create", 0);
	}
	child_fill(child);
	abuser_privileges(child, false);
	if (r & 6) {
		child_start(child, abuse_main, random_next(state));
	}
}

/* The instances of two endpoints were exchanged: spaces and frames go with them. */
static void children_exchange(struct child *a, struct child *b)
{
	endpoint_t ep = a->ep;

	a->ep = b->ep;
	b->ep = ep;
}

static void supervise(uint64_t *state)
{
	uint64_t r = random_next(state);
	struct child *a = &children[(r >> 8) % N_CHILDREN], *b = &children[(r >> 16) % N_CHILDREN];
	struct slot_info info;
	err_t result = E_STATE;

	switch (r % 10) {
	case 0:
	case 1:
		result = sys_slot_stop(a->ep);
		break;
	case 2:
	case 3:
		result = sys_slot_resume(a->ep, r >> 24 & 3);
		break;
	case 4:
	case 5:
		result = sys_slot_swap(a->ep, b->ep, r >> 24 & 3);
		if (result == E_OK) {
			children_exchange(a, b);
		}
		break;
	case 6:
		result = sys_slot_commit(a->ep);
		break;
	case 7:
		result = sys_slot_unhold(a->ep);
		break;
	case 8:
		result = sys_slot_info(a->ep, &info);
		break;
	case 9:
		if ((r >> 32) % 4 == 0) {
			child_free(a);
			child_make(a, state);
		}
		break;
	}
	n_accepted += result == E_OK;
}

static void test_supervision(void)
{
	nsec_t end = sys_clock_read() + bare_option("fuzz_ms", 2000) * 1000000;
	struct slot_event event;
	uint64_t state = seed_choose();

	n_accepted = 0;
	for (unsigned int i = 0; i < N_CHILDREN; i++) {
		child_make(&children[i], &state);
	}
	while (sys_clock_read() < end) {
		uint64_t n = random_next(&state) % 8;

		for (uint64_t i = 0; i < n; i++) {
			supervise(&state);
		}
		while (random_next(&state) % 4 && sys_event_next(&event) == E_OK) {
		}
		child_settle(random_next(&state) % 300);
	}
	for (unsigned int i = 0; i < N_CHILDREN; i++) {
		child_free(&children[i]);
	}
	bare_print("# %u calls were accepted", n_accepted);
	OK(n_accepted > 100);
}

const struct test tests_supervise[] = {
        {"random supervision", test_supervision},
        {0},
};
