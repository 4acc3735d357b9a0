#pragma once
/*
 * The open jobs, found by their machine and by their id, in a few steps however many there are; which machines jobs are at work
 * on; and which jobs wait for a place of a fleet's `limits`.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/event.h>

struct engine;
struct job;
struct machine;
struct machine_row;
struct machine_work;
struct place;

/* In the engine. */
struct works {
	struct job **by_id; /* sorted */
	size_t n, room;
	LIST_HEAD(, machine_work) changed; /* may be at work, or not any more: looked at soon */
	LIST_HEAD(, machine_work) at_work;
	LIST_HEAD(, place) places;            /* for which jobs wait */
	struct event *timer;                  /* looks at what changed, and at who waits */
	bool is_free;                         /* and says that places are free */
	void (*freed)(struct engine *engine); /* a place is free: tells who else waits for one */
};

/* The lists of an engine, and their end; no job is in them then. */
void works_init(struct engine *engine);
void works_fini(struct engine *engine);

/* Into the lists of the engine and of its machine, and out of them. */
void work_add(struct job *job);
void work_remove(struct job *job);
/* Something changed of what job_is_at_work() looks at. */
void work_changed(struct job *job);
/* Looks at all that did. */
void works_settle(struct engine *engine);
/* Asserts that nobody forgot to say so; of one, and between two turns of the loop all that is kept here, for tests. */
void work_check(const struct job *job);
void works_check(const struct engine *engine);

/* Those of a machine, oldest first; NULL: there is none, or no more. */
struct job *work_first(const struct machine *machine);
struct job *work_next(const struct job *job);
/* NULL: no open job has this id. */
struct job *engine_job_by_id(const struct engine *engine, int64_t id);

/*
 * It has begun, and neither waits for a gate nor is only watched: it takes a place of the fleet's limits. A set has it
 * from its first job to its last.
 */
bool job_is_at_work(const struct job *job);
/* Whether there is such a job on this machine; calls fn for all machines of which that was true when it was asked last. */
bool work_is_on(struct engine *engine, const struct machine *machine);
void work_each_machine(const struct engine *engine,
        void (*fn)(const struct machine_row *row, void *arg), void *arg);

/*
 * place.c. The job waits for a place of the policy of this name; NULL: it does not, any more. Those who wait longest, of the
 * highest priority, are looked at when a place comes free, one after the other until one finds none.
 */
void job_place_wait(struct job *job, const char *policy);
/* Places may be free, or more than before. */
void places_free(struct engine *engine);
void place_on_timer(evutil_socket_t fd, short what, void *arg);
