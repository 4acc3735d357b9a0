#pragma once
/* Inside core: what its files do to a job for each other. */
#include "orchestrator/job/core/job.h"

/* job.c */
/* The only writer of ->phase: the move must be in its table. */
void job_set_phase(struct job *job, enum job_phase phase);
/* Nothing that was asked for answers to this job any more; its timers are off. */
void job_settle_calls(struct job *job);

/* limit.c */
void job_limit_init(struct job *job);
void job_limit_fini(struct job *job);
/* Begins the step's limit, and the job's own time, unless that was done for this step. */
void job_limit_begin(struct job *job);
/* No limit runs any more. */
void job_limit_end(struct job *job);
/* The step waits for the machine before it begins its work: no longer than others do. */
void job_unheard(struct job *job);

/* block.c */
/* Blocks or unblocks the job's release by how it ends; inside db_txn(). */
int __must_check job_block(struct db *db, const struct job *job, const struct job_end *end);
/* parts.c */
/* Deletes old payload files of a service (store id); inside db_txn(). */
int __must_check job_parts_tidy(struct db *db, int64_t service, int64_t kept);
