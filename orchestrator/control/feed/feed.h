#pragma once
/*
 * What happens, as one numbered sequence for whoever watches: jobs, machines, services, what is amiss. The newest events
 * are kept in a ring, which is all the memory that there is for them: a reader has a number and no queue of its own.
 */
#include <event2/event.h>

#include "orchestrator/job/core/core.h"
#include "proto/control/control.pb-c.h"

#define FEED_RUN_SIZE 17u /* of a run's name, with its end */

struct feed;
struct feed_reader;

/* Begins to number, from 1, under a name of its own; borrows both. */
struct feed *feed_new(struct event_base *base, struct engine *engine);
/* Readers are freed before. */
struct feed *feed_free(struct feed *feed);
/* An event; its number and time are filled in, and it is copied. */
void feed_add(struct feed *feed, Control__Event *event);

/* Who reads. */
struct feed_ops {
	/*
	 * Gets chunks, the first one soon, with events or without; the last one is_cut, where it did not read for so long
	 * that what it has not seen is not kept any more. It may free the reader. chunk->id is not set.
	 */
	void (*take)(Control__EventChunk *chunk, void *arg);
	/* Bytes that it took and did not read yet. */
	size_t (*backlog)(const void *arg);
	/* Whether it may see what happens to a machine of this name; "": to none in particular. */
	bool (*sees)(const char *machine, const void *arg);
};
/*
 * Reads from behind `after` of `run`; where that is "", from now on; of another run, all that is kept. machine: only this
 * one's events and those of none; "": all. ops and arg are borrowed.
 */
struct feed_reader *feed_read(struct feed *feed, const Control__WatchRequest *from,
        const struct feed_ops *ops, void *arg);
struct feed_reader *feed_reader_free(struct feed_reader *reader);
