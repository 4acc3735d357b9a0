/*
 * Timers that wait for a place of a fleet's `limits`. Nobody knows when one comes free, so they are not looked at again and
 * again: they are remembered here, and looked at when a job has left its place, and when a machine is there that was not, since a
 * limit may be a share of all. What else changes a limit has all timers looked at anyway: other policies, a machine that is
 * removed, a clock that is set, and the start of lud, which remembers none of this.
 *
 *   look: a gate is shut by a limit ---> place_wait() ---> schedule_place_free() ---> woken, a few in each turn of the loop
 *
 * A place may be free for one of them and not for another, whose limit is another one; so each is looked at, and waits again
 * where it has to. Its row does not change by that.
 */
#include <stdlib.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/job/schedule/priv.h"

/* When one is looked at all the same, should a wake-up have been missed. */
#define PLACE_WAIT_USEC INT64_C(600000000)

static void place_add(struct schedule_places *places, int64_t timer)
{
	int64_t *ids;

	for (size_t i = 0; i < places->n; i++) {
		if (places->ids[i] == timer) {
			return;
		}
	}
	if (places->n == places->room) {
		places->room = places->room ? 2 * places->room : 16;
		ids = mem_zero(places->room * sizeof(*ids));
		if (places->n) {
			memcpy(ids, places->ids, places->n * sizeof(*ids));
		}
		free(places->ids);
		places->ids = ids;
	}
	places->ids[places->n++] = timer;
}

int64_t place_wait(struct schedule *schedule, const struct timer_row *row, int64_t now)
{
	place_add(&schedule->waiting, row->id);
	return row->look_us > now ? row->look_us : now + PLACE_WAIT_USEC;
}

/* Those that are woken already and not looked at yet stay so. */
void schedule_place_free(struct schedule *schedule)
{
	struct schedule_places *waiting = &schedule->waiting;

	if (!waiting->n) {
		return;
	}
	for (size_t i = 0; i < waiting->n; i++) {
		place_add(&schedule->woken, waiting->ids[i]);
	}
	waiting->n = 0;
	schedule_in(schedule, 0);
}

bool place_next(struct schedule *schedule, struct timer_row *ret_row)
{
	struct schedule_places *woken = &schedule->woken;

	while (woken->n) {
		int64_t id = woken->ids[0];

		memmove(woken->ids, woken->ids + 1, --woken->n * sizeof(id));
		if (!store_timer_by_id(engine_db(schedule->engine), id, ret_row)) {
			return true;
		}
		err_forget();
	}
	return false;
}

void places_fini(struct schedule *schedule)
{
	free(schedule->waiting.ids);
	free(schedule->woken.ids);
}
