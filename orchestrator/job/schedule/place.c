/*
 * Timers that wait for a place of a fleet's `limits`. Nobody knows when one comes free, so they are not looked at again and
 * again: they are remembered here, and looked at when a job has left its place, and when a machine is there that was not, since a
 * limit may be a share of all. What else changes a limit has all timers looked at anyway: other policies, a machine that is
 * removed, a clock that is set, and the start of lud, which remembers none of this.
 *
 *   look: a gate is shut by a limit ---> place_wait() ---> schedule_place_free() ---> woken, a few in each turn of the loop
 *
 * A place may be free for one of them and not for another, whose limit is another one; so one after the other is looked at, but
 * none for whose policy one before it found no place: that one waits on, at no cost. Its row does not change by that.
 */
#include <stdlib.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/job/schedule/priv.h"

/* When one is looked at all the same, should a wake-up have been missed. */
#define PLACE_WAIT_USEC INT64_C(600000000)

struct schedule_place {
	TAILQ_ENTRY(schedule_place) link;
	int64_t timer;
	char *policy; /* whose limit it is, "" of several; owned */
	bool is_full; /* it was looked at since a place came free, and found none */
};

static void place_free(struct schedule_places *places, struct schedule_place *it)
{
	TAILQ_REMOVE(places, it, link);
	free(it->policy);
	free(it);
}

void place_add(struct schedule_at *at, const char *policy)
{
	bool is_other = at->for_place && strcmp(at->for_place, policy) != 0;

	at->for_place = is_other ? "" : policy;
}

int64_t place_wait(const struct schedule_at *at)
{
	struct schedule_places *waiting = &at->schedule->waiting;
	struct schedule_place *it = TAILQ_FIRST(waiting);

	while (it && it->timer != at->row.id) {
		it = TAILQ_NEXT(it, link);
	}
	if (it) {
		place_free(waiting, it);
	}
	it = mem_zero(sizeof(*it));
	it->timer = at->row.id;
	it->policy = text_copy(at->for_place);
	it->is_full = *it->policy != '\0';
	TAILQ_INSERT_TAIL(waiting, it, link);
	return at->was_look_us > at->now ? at->was_look_us : at->now + PLACE_WAIT_USEC;
}

/* Those that are woken already and not looked at yet stay so. */
void schedule_place_free(struct schedule *schedule)
{
	struct schedule_place *it;

	if (TAILQ_EMPTY(&schedule->waiting)) {
		return;
	}
	TAILQ_FOREACH(it, &schedule->waiting, link)
	{
		it->is_full = false;
	}
	TAILQ_CONCAT(&schedule->woken, &schedule->waiting, link);
	schedule_in(schedule, 0);
}

static bool place_is_full(const struct schedule *schedule, const struct schedule_place *like)
{
	const struct schedule_place *it;

	TAILQ_FOREACH(it, &schedule->waiting, link)
	{
		if (it->is_full && !strcmp(it->policy, like->policy)) {
			return true;
		}
	}
	return false;
}

bool place_next(struct schedule *schedule, struct timer_row *ret_row)
{
	struct schedule_place *it;

	while ((it = TAILQ_FIRST(&schedule->woken))) {
		int64_t timer = it->timer;

		if (place_is_full(schedule, it)) {
			TAILQ_REMOVE(&schedule->woken, it, link);
			TAILQ_INSERT_TAIL(&schedule->waiting, it, link);
			continue;
		}
		place_free(&schedule->woken, it);
		if (!store_timer_by_id(engine_db(schedule->engine), timer, ret_row)) {
			return true;
		}
		err_forget();
	}
	return false;
}

void places_fini(struct schedule *schedule)
{
	TAILQ_CONCAT(&schedule->waiting, &schedule->woken, link);
	while (!TAILQ_EMPTY(&schedule->waiting)) {
		place_free(&schedule->waiting, TAILQ_FIRST(&schedule->waiting));
	}
}
