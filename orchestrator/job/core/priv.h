#pragma once
/* Inside core: what its files do to a job for each other. */
#include "orchestrator/job/core/job.h"
#include "orchestrator/job/core/set.h"
#include "orchestrator/job/core/standing.h"
#include "orchestrator/job/core/work.h"

/* job.c */
/* The only writer of ->phase: the move must be in its table. */
void job_set_phase(struct job *job, enum job_phase phase);
/* Nothing that was asked for answers to this job any more; its timers are off. */
void job_settle_calls(struct job *job);

/* record.c: a write failed: all that the job does is let go of, until the record can be written. */
void job_stall(struct job *job);

/* wait.c */
/* The job was to go to a state that no rule lets it go to: that is logged, and it ends as INCONSISTENT. */
void job_defect(struct job *job, enum job_state to);
/* Whether what it waits for, by its row, is its turn. */
bool job_wait_is_turn(const struct job_row *row);
/* The job waits for its turn, in memory; at a step, in the state of a job that has not begun it. */
void job_wait_begin(struct job *job);
bool __must_check job_wait_at(struct job *job, enum job_step step);
/* It waits for its turn, in the record too, until that comes or its deadline. */
void job_wait_turn(struct job *job);
/* Whether the gate lets it go on. False: it is put off, or stalled; the caller leaves it alone. */
bool __must_check job_gate_is_open(struct job *job);
/* Whether another job goes first. */
bool job_must_wait(const struct job *job);
void job_on_look(evutil_socket_t fd, short what, void *arg);

/* limit.c */
/* When the limit that runs ends, unix. */
int64_t job_limit_at_usec(const struct job *job);
void job_limit_init(struct job *job);
void job_limit_fini(struct job *job);
/* Begins the step's limit, and the job's own time, unless that was done for this step. */
void job_limit_begin(struct job *job);
/* From the step's begin to its being on disk no time passes. */
void job_limit_pause(struct job *job);
void job_limit_resume(struct job *job);
/* No limit runs any more. */
void job_limit_end(struct job *job);
/* The step waits for the machine before it begins its work: no longer than others do. */
void job_unheard(struct job *job);

/* block.c */
/* Blocks or clears the job's release by how it ends; inside db_txn(). */
int __must_check job_block(struct db *db, const struct job *job, const struct job_end *end);
/* parts.c */
/* Deletes old payload files of a service (store id); inside db_txn(). */
int __must_check job_parts_tidy(struct db *db, int64_t service, int64_t kept);

/* standing_give.c */
int __must_check standing_put(struct engine *engine, struct standing_row *row);
/*
 * Has a standing order made of the row and of what the machine runs, signed, and sent; one that is on
 * its way to this machine ends for it. The number is in the record before anybody signs it.
 */
void standing_give(struct engine *engine, struct machine *machine, const struct standing_row *row,
        standing_fn fn, void *arg);
/* The host's clock was set by so much: what is on its way is recorded again when it was given. */
void standing_clock_set(struct engine *engine, int64_t usec);
/* Ends the one that is on its way to the machine, if there is one: whoever waits for it is told. */
void standing_supersede(struct engine *engine, const struct machine *machine);
/* The one that is on its way to the machine; NULL. */
struct engine_standing *standing_under_way(
        const struct engine *engine, const struct machine *machine);
/* standing_make.c: fills the order and, in the row, what it is tied to; 0, or the keyring cannot be read. */
int __must_check standing_make(struct engine *engine, const struct machine *machine,
        struct standing_row *row, struct signer_standing *ret);
/* How many services it would list; they and their releases in few bytes. */
uint32_t standing_releases(const struct engine *engine, const struct standing_row *row,
        const struct machine *machine, uint8_t ret_digest[64]);
/* standing_quiet.c: whether holds and policies let a service move now; else ret_shut does not */
bool standing_may_move(const struct engine *engine, const struct machine *machine,
        const char *service, struct rules_gate *ret_shut);
/* Fills the manifest's quiet times in: those of the row, and when windows close for its services. */
void standing_quiet(const struct engine *engine, const struct machine *machine,
        const struct standing_row *row, struct standing_manifest *manifest);
/* standing.c: what a machine that says what it has is to have; false: nothing is known of either. */
bool standing_find(
        struct engine *engine, const struct machine *machine, struct standing_row *ret_row);
/* Why the machine did not get the one that is wanted; NULL: nothing is in its way. */
const struct failure *standing_trouble(const struct engine *engine, const struct machine *machine);
/* The machine's status is asked for: it shows what became of an order. */
void standing_refresh(struct machine *machine);
