#pragma once
/* The open jobs, found by their machine and by their id, in a few steps however many there are. */
#include <stdint.h>

struct engine;
struct job;
struct machine;

/* Into the lists of the engine and of its machine, and out of them. */
void work_add(struct job *job);
void work_remove(struct job *job);

/* Those of a machine, oldest first; NULL: there is none, or no more. */
struct job *work_first(const struct machine *machine);
struct job *work_next(const struct job *job);
/* NULL: no open job has this id. */
struct job *engine_job_by_id(const struct engine *engine, int64_t id);
