#pragma once
/* Jobs of a set, and what holds them together. */
#include <stdbool.h>
#include <stdint.h>

struct engine;
struct job;

/* The open set that a job is of; NULL: of none. */
struct job *job_set(const struct job *job);
/* Whether a set keeps a job of its from its next step: it has not begun, or it is another one's turn. */
bool job_set_keeps(const struct job *job);
/* Whether it is to be made ready only, since its set has not let it have the machine yet. */
bool job_set_prepares(const struct job *job);
/* Whether its set is put off, by somebody or by a rule, and it with it. */
bool job_set_is_put_off(const struct job *job);
/* Whether it is of a set that is over, and that it is therefore no more wanted for. */
bool job_set_is_over(const struct job *job);
/* Whether the machine was asked for something of a set, so that there may be something that has to go back. */
bool job_set_has_begun(const struct engine *engine, int64_t set);
/*
 * Whether a job is a set that cannot come to a good end any more: one of its jobs failed, or somebody ended it. What it has
 * done is to go back, whoever has put it off.
 */
bool job_set_is_to_end(const struct job *set);
/* Its set looks how far its jobs are; nothing for one that is of none. */
void job_set_tell(const struct job *job);
/* It ends since it was put off until its deadline, and not because somebody cancelled it. */
bool job_is_expired(const struct job *set);
/* It was not well, which is in the record, and has not gone back yet: it waits for that, and its set with it. */
bool job_owes_back(const struct job *job);
