/*
 * Timers that wait for a place: one that comes free has one of each policy looked at, and the next of the same policy only where
 * that one found it. However many wait, nobody else is looked at, or read from the record.
 */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>

#include "host/base/file.h"
#include "orchestrator/job/schedule/priv.h"

#define N_TIMERS 300

static int n_read, n_due;

struct db *engine_db(struct engine *engine)
{
	return NULL;
}

int store_timer_by_id(struct db *db, int64_t id, struct timer_row *ret)
{
	n_read++;
	*ret = (struct timer_row){.id = id};
	return 0;
}

void schedule_in(struct schedule *schedule, int64_t usec)
{
	n_due++;
}

/* Every tenth waits for the limit of another policy than the rest. */
static const char *policy_of(int64_t timer)
{
	return timer % 10 ? "p" : "q";
}

static void wait_for(struct schedule *schedule, int64_t timer)
{
	struct schedule_at at = {.schedule = schedule, .row.id = timer, .now = 5};

	place_add(&at, policy_of(timer));
	assert(place_wait(&at) > 5);
}

/* Looks at all that are woken, of which so many find a place. */
static void look(struct schedule *schedule, int n_free, int n_expected)
{
	struct timer_row row;
	int64_t last = 0;

	n_read = 0;
	schedule_place_free(schedule);
	while (place_next(schedule, &row)) {
		assert(n_read <= n_expected && row.id > last);
		last = row.id;
		if (row.id % 10 && n_free) {
			n_free--;
		} else {
			wait_for(schedule, row.id);
		}
	}
	assert(n_read == n_expected && !n_free);
}

static void test_several(void)
{
	struct schedule schedule = {.n_looks = 0};
	struct schedule_at at = {.schedule = &schedule, .row.id = 1};
	struct timer_row row;

	TAILQ_INIT(&schedule.waiting);
	TAILQ_INIT(&schedule.woken);
	wait_for(&schedule, 2);
	place_add(&at, "p");
	place_add(&at, "p");
	assert(!strcmp(at.for_place, "p"));
	place_add(&at, "q");
	(void)place_wait(&at);
	(void)place_wait(&at); /* no second time */
	schedule_place_free(&schedule);
	/* Whoever waits for one of several policies is looked at, whatever another one found. */
	assert(place_next(&schedule, &row) && row.id == 2);
	wait_for(&schedule, 2);
	assert(place_next(&schedule, &row) && row.id == 1);
	assert(!place_next(&schedule, &row));
	places_fini(&schedule);
}

int main(void)
{
	struct schedule schedule = {.n_looks = 0};

	TAILQ_INIT(&schedule.waiting);
	TAILQ_INIT(&schedule.woken);
	schedule_place_free(&schedule);
	assert(!n_due);
	for (int64_t timer = 1; timer <= N_TIMERS; timer++) {
		wait_for(&schedule, timer);
	}
	look(&schedule, 0, 2);
	look(&schedule, 1, 3);
	look(&schedule, 20, 22);
	look(&schedule, 0, 2);
	assert(n_due == 4);
	places_fini(&schedule);
	test_several();
	return 0;
}
