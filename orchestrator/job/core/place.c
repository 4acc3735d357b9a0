/*
 * Jobs that wait for a place of a fleet's `limits`. Nobody knows when one comes free, so they are not looked at again and again:
 * each waits in a queue of the policy whose limit it is, in the order in which jobs go before each other.
 *
 *   the gate: no place ---> job_place_wait() ---> places_free() ---> the first of each queue is looked at
 *                               ^                                   |              |
 *                               '---- it finds none, and stays -----'              | it goes on, or has another reason
 *                                                                                  v
 *                                                           the next one is looked at, after that one has begun
 *
 * So a place that comes free costs a look or two, however many wait. A place is of a machine: whoever waits on a machine that is
 * at work already is looked at by itself (work.c). What changes for all of them, as other policies do, has every job looked at
 * anyway (engine_gate_changed()).
 */
#include <stdlib.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/job/core/priv.h"

/* From a job's leave of its queue to its begin there is a turn of the loop. */
#define PLACE_TURNS 2

struct place {
	LIST_ENTRY(place) link;
	char *policy;                     /* owned */
	TAILQ_HEAD(place_jobs, job) jobs; /* never empty */
	int look; /* turns of the loop until the first is looked at; 0: not wanted */
};

static const struct timeval place_now = {0, 0};

static void place_look(struct engine *engine, struct place *place)
{
	place->look = PLACE_TURNS;
	evtimer_add(engine->works.timer, &place_now);
}

static void place_leave(struct job *job)
{
	struct place *place = job->place;

	if (!place) {
		return;
	}
	job->place = NULL;
	TAILQ_REMOVE(&place->jobs, job, in_place);
	if (!TAILQ_EMPTY(&place->jobs)) {
		place_look(job->engine, place);
		return;
	}
	LIST_REMOVE(place, link);
	free(place->policy);
	free(place);
}

static struct place *place_of(struct engine *engine, const char *policy)
{
	struct place *place;

	LIST_FOREACH(place, &engine->works.places, link)
	{
		if (!strcmp(place->policy, policy)) {
			return place;
		}
	}
	place = mem_zero(sizeof(*place));
	place->policy = text_copy(policy);
	TAILQ_INIT(&place->jobs);
	LIST_INSERT_HEAD(&engine->works.places, place, link);
	return place;
}

void job_place_wait(struct job *job, const char *policy)
{
	struct job *before;

	if (job->place && policy && !strcmp(job->place->policy, policy)) {
		return;
	}
	place_leave(job);
	if (!policy) {
		return;
	}
	job->place = place_of(job->engine, policy);
	before = TAILQ_LAST(&job->place->jobs, place_jobs);
	while (before && job_goes_before(&job->row, &before->row)) {
		before = TAILQ_PREV(before, place_jobs, in_place);
	}
	if (before) {
		TAILQ_INSERT_AFTER(&job->place->jobs, before, job, in_place);
	} else {
		TAILQ_INSERT_HEAD(&job->place->jobs, job, in_place);
	}
}

void places_free(struct engine *engine)
{
	struct place *place;

	LIST_FOREACH(place, &engine->works.places, link)
	{
		place_look(engine, place);
	}
	engine->works.is_free = true;
	evtimer_add(engine->works.timer, &place_now);
}

/* The first of each queue whose turn it is; whoever waits further has the timer come again. */
void place_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct engine *engine = arg;
	struct place *place;

	works_settle(engine);
	LIST_FOREACH(place, &engine->works.places, link)
	{
		if (place->look && !--place->look) {
			evtimer_add(TAILQ_FIRST(&place->jobs)->look, &place_now);
		} else if (place->look) {
			evtimer_add(engine->works.timer, &place_now);
		}
	}
	if (engine->works.is_free && engine->works.freed) {
		engine->works.is_free = false;
		engine->works.freed(engine);
	}
}
