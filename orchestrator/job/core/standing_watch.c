/*
 * When which machine is looked at for its standing order. Each that has or had one, and is up, has a watch: they stand in a queue
 * by when they are due, all at the same distance, so that the next one is the first and whoever was looked at goes to the end. A
 * few are looked at in one turn of the loop, and nobody walks all machines.
 *
 *   standing_want(), a machine comes up ---> the end of the queue ---> due ---> a look ---> the end of the queue
 *                                                                       `--> it is not up: it has no watch
 *
 * Those whose last look found another order than is wanted, and those that were not looked at yet, are in a list by name, for
 * whoever asks what is amiss: that is asked of them anew then.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "host/base/elapsed.h"
#include "host/base/file.h"
#include "orchestrator/job/core/priv.h"

#define WATCH_USEC INT64_C(5000000)
/* So many machines in one turn. */
#define WATCH_TURN 16

struct standing_watch {
	TAILQ_ENTRY(standing_watch) due;
	TAILQ_ENTRY(standing_watch) amiss;
	struct machine *machine;
	int64_t due_usec; /* elapsed_usec() */
	bool is_amiss;
};

struct standing_watches {
	struct engine *engine;
	struct event *timer;
	TAILQ_HEAD(standing_due, standing_watch) due;     /* the first is due first */
	TAILQ_HEAD(standing_amiss, standing_watch) amiss; /* by name */
};

static void watch_arm(struct standing_watches *watches)
{
	const struct standing_watch *first = TAILQ_FIRST(&watches->due);
	int64_t left = first ? first->due_usec - elapsed_usec() : 0;
	struct timeval pause = {left > 0 ? left / 1000000 : 0, left > 0 ? left % 1000000 : 0};

	if (first) {
		evtimer_add(watches->timer, &pause);
	} else {
		evtimer_del(watches->timer);
	}
}

static void watch_set_amiss(struct standing_watches *watches, struct standing_watch *it, bool amiss)
{
	struct standing_watch *before = TAILQ_LAST(&watches->amiss, standing_amiss);

	if (it->is_amiss == amiss) {
		return;
	}
	it->is_amiss = amiss;
	if (!amiss) {
		TAILQ_REMOVE(&watches->amiss, it, amiss);
		return;
	}
	while (before &&
	        strcmp(machine_row(before->machine)->name, machine_row(it->machine)->name) > 0) {
		before = TAILQ_PREV(before, standing_amiss, amiss);
	}
	if (before) {
		TAILQ_INSERT_AFTER(&watches->amiss, before, it, amiss);
	} else {
		TAILQ_INSERT_HEAD(&watches->amiss, it, amiss);
	}
}

static void watch_put_last(struct standing_watches *watches, struct standing_watch *it)
{
	it->due_usec = elapsed_usec() + WATCH_USEC;
	TAILQ_INSERT_TAIL(&watches->due, it, due);
}

static void watch_end(struct standing_watches *watches, struct standing_watch *it)
{
	watch_set_amiss(watches, it, false);
	TAILQ_REMOVE(&watches->due, it, due);
	machine_set_standing(it->machine, NULL);
	free(it);
}

/* The status is asked for, too: what moved meanwhile is in the record soon, and releases are known. */
static void watch_look(struct standing_watches *watches, struct standing_watch *it)
{
	struct standing_row row;

	if (machine_state(it->machine) != MACHINE_UP) {
		watch_end(watches, it);
		return;
	}
	TAILQ_REMOVE(&watches->due, it, due);
	watch_put_last(watches, it);
	watch_set_amiss(watches, it, !standing_look(watches->engine, it->machine));
	if (standing_find(watches->engine, it->machine, &row) && row.wanted) {
		standing_refresh(it->machine);
	}
}

static void watch_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct standing_watches *watches = arg;
	struct standing_watch *it;

	for (int i = 0; i < WATCH_TURN && (it = TAILQ_FIRST(&watches->due)) &&
	                it->due_usec <= elapsed_usec();
	        i++) {
		watch_look(watches, it);
		err_forget();
	}
	watch_arm(watches);
}

struct standing_watches *standing_watches_new(struct engine *engine)
{
	struct standing_watches *watches = mem_zero(sizeof(*watches));

	watches->engine = engine;
	TAILQ_INIT(&watches->due);
	TAILQ_INIT(&watches->amiss);
	watches->timer = evtimer_new(engine->parts.base, watch_on_timer, watches);
	if (!watches->timer) {
		abort();
	}
	return watches;
}

struct standing_watches *standing_watches_free(struct standing_watches *watches)
{
	while (!TAILQ_EMPTY(&watches->due)) {
		watch_end(watches, TAILQ_FIRST(&watches->due));
	}
	event_free(watches->timer);
	free(watches);
	return NULL;
}

void standing_watch(struct engine *engine, struct machine *machine)
{
	struct standing_watches *watches = engine->standing_watches;
	struct standing_watch *it = machine_standing(machine);
	struct standing_row row;

	if (!standing_find(engine, machine, &row)) {
		return;
	}
	if (!it) {
		it = mem_zero(sizeof(*it));
		it->machine = machine;
		machine_set_standing(machine, it);
		watch_put_last(watches, it);
		watch_arm(watches);
	}
	watch_set_amiss(watches, it, true);
}

void standing_unwatch(struct engine *engine, struct machine *machine)
{
	struct standing_watch *it = machine_standing(machine);

	if (it) {
		watch_end(engine->standing_watches, it);
		watch_arm(engine->standing_watches);
	}
}

struct machine *standing_amiss_next(const struct engine *engine, const struct machine *after)
{
	const struct standing_watch *it = after ? TAILQ_NEXT(machine_standing(after), amiss)
	                                        : TAILQ_FIRST(&engine->standing_watches->amiss);

	return it ? it->machine : NULL;
}

void standing_watches_check(const struct engine *engine)
{
	const struct standing_watches *watches = engine->standing_watches;
	const struct standing_watch *it, *last = NULL;
	const struct machine *machine = NULL;
	size_t n_due = 0, n_amiss = 0;

	while ((machine = machines_next(engine->machines, (struct machine *)machine))) {
		it = machine_standing(machine);
		n_due += it != NULL;
		n_amiss += it && it->is_amiss;
	}
	TAILQ_FOREACH(it, &watches->due, due)
	{
		assert(machine_standing(it->machine) == it && n_due--);
		assert(!last || last->due_usec <= it->due_usec);
		last = it;
	}
	last = NULL;
	TAILQ_FOREACH(it, &watches->amiss, amiss)
	{
		assert(it->is_amiss && n_amiss--);
		assert(!last || strcmp(machine_row(last->machine)->name,
		                        machine_row(it->machine)->name) < 0);
		last = it;
	}
	assert(!n_due && !n_amiss);
	assert(!TAILQ_FIRST(&watches->due) || evtimer_pending(watches->timer, NULL));
}
