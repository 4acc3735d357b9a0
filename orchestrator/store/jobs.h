#pragma once
/*
 * Rows of jobs, their steps and orders, and events of machines. Writers are called inside
 * db_txn().
 */
#include "orchestrator/store/message.h"
#include "orchestrator/store/rows.h"
#include "orchestrator/store/schema.h"
#include "proto/control/control.pb-c.h"

/* Draws the id. */
int __must_check store_job_insert(struct db *db, struct job_row *row);
/* Writes what changes in the course of a job. */
int __must_check store_job_update(struct db *db, const struct job_row *row);
/* The generation that ran when the job started. */
int __must_check store_job_from(struct db *db, int64_t id, uint64_t generation);
/* Why it ended so, and what the machine told of it; NULL leaves what is there. */
int __must_check store_job_outcome(
        struct db *db, int64_t id, const Wire__Cause *cause, const Machine__Result *result);
/* How long the service stood still for the job. */
int __must_check store_job_stood(struct db *db, int64_t id, uint64_t blackout_ns);
/*
 * Keeps what a plan's hash is of, as long as any job that has it. The caller frees what get()
 * gives, which ends in no zero; DB_E_NONE: the job has no plan, or its text went.
 */
int __must_check store_plan_put(
        struct db *db, const uint8_t hash[64], const char *text, int64_t job);
int __must_check store_plan_get(struct db *db, int64_t job, uint8_t **ret_text, size_t *ret_size);
/* What it was paired to; NULL: nothing. What is read is the caller's, of the allocator. DB_E_NONE. */
int __must_check store_job_pairing_put(struct db *db, int64_t id, const Control__Pairing *pairing);
int __must_check store_job_pairing_get(
        struct db *db, int64_t id, ProtobufCAllocator *allocator, Control__Pairing **ret_pairing);
int __must_check store_job_find(struct db *db, int64_t id, struct job_row *ret);
/* The job of a user's request that has an id. DB_E_NONE. */
/* One of the jobs of a request, by its id, its user, and the digest of what was asked for. DB_E_NONE. */
int __must_check store_job_of_request(struct db *db, const char *request_id, uint64_t uid,
        const uint8_t hash[64], int64_t *ret_job);
int __must_check store_job_by_request(struct db *db, const char *request_id, uint64_t uid,
        int64_t machine, const char *service, struct job_row *ret);
/*
 * The newest job of the same machine, service, kind and release that a policy asked for; not of those for
 * fresh layouts. DB_E_NONE.
 */
int __must_check store_job_newest_like(
        struct db *db, const struct job_row *like, struct job_row *ret);
int __must_check store_job_by_order(
        struct db *db, int64_t machine, uint64_t epoch, uint64_t txn, struct job_row *ret);
typedef int (*store_job_fn)(const struct job_row *row, void *arg);
/* Open jobs, oldest first; machine 0: of all. */
int __must_check store_job_each_open(struct db *db, int64_t machine, store_job_fn fn, void *arg);
/* The newest job for this service that another one asked for. DB_E_NONE. */
int __must_check store_job_child(
        struct db *db, int64_t parent, const char *service, struct job_row *ret);
/* The jobs that another one asked for, oldest first. */
int __must_check store_job_each_child(struct db *db, int64_t parent, store_job_fn fn, void *arg);
/* How many jobs another one asked for. */
int __must_check store_job_children(struct db *db, int64_t parent, int64_t *ret_n);
struct job_filter {
	int64_t machine;
	const char *service; /* "": all */
	int64_t before;      /* 0: from the newest on */
	bool bare;           /* ended, and made no generation */
	int64_t parent;      /* that asked for them; 0: any, and nobody */
	size_t limit;
};
/* Newest first. */
int __must_check store_job_each(
        struct db *db, const struct job_filter *filter, store_job_fn fn, void *arg);
/*
 * The median blackout of the newest jobs for a service that committed, ns, and of how many it is; 0 and
 * 0: none of the newest jobs has one.
 */
int __must_check store_job_blackout(
        struct db *db, int64_t machine, const char *service, uint64_t *ret_ns, uint32_t *ret_of);
/* Cause and result, of an allocator; NULL where there is none. lost: fields of the result that nothing says any more. */
struct job_outcome {
	Wire__Cause *cause;
	Machine__Result *result;
	struct message_lost lost;
};
int __must_check store_job_outcome_get(
        struct db *db, int64_t id, ProtobufCAllocator *allocator, struct job_outcome *ret);
void job_outcome_fini(struct job_outcome *outcome, ProtobufCAllocator *allocator);

int __must_check store_job_step_begin(struct db *db, int64_t job, enum job_step step);
/* When the first step after planning was begun, unix us. DB_E_NONE. */
int __must_check store_job_began(struct db *db, int64_t job, int64_t *ret_usec);
/* Ends the step begun last. */
int __must_check store_job_step_end(
        struct db *db, int64_t job, enum job_step_state state, const char *detail);
typedef int (*store_job_step_fn)(const struct job_step_row *row, void *arg);
int __must_check store_job_step_each(struct db *db, int64_t job, store_job_step_fn fn, void *arg);

/* The job is over: less is kept of it, and of some that are older; see fold.c. */
int __must_check store_job_fold(struct db *db, int64_t job);
/* Less is kept of a few jobs of a machine that are over and old. DB_E_NONE: of none that is left. */
int __must_check store_job_fold_old(struct db *db, int64_t machine);

/* Fills row->id. DB_E_EXISTS: the number is taken. */
int __must_check store_order_insert(
        struct db *db, struct order_row *row, const void *envelope, size_t envelope_size);
int __must_check store_order_update(struct db *db, const struct order_row *row);
/* The job's newest order of any action (0) or of one. DB_E_NONE. */
int __must_check store_order_newest(
        struct db *db, int64_t job, uint32_t action, struct order_row *ret);
/* What was ordered by a job and not accepted may not be sent any more. */
int __must_check store_order_void(struct db *db, int64_t job);
/* The caller frees *ret_envelope; NULL: it is kept no more. */
int __must_check store_order_envelope(
        struct db *db, int64_t id, uint8_t **ret_envelope, size_t *ret_size);
/* Highest transaction number signed for a machine in an epoch; 0: none. */
int __must_check store_order_highest(
        struct db *db, int64_t machine, uint64_t epoch, uint64_t *ret_txn);
/* Newest order of a boot and line that the machine is known to have accepted. DB_E_NONE. */
int __must_check store_order_accepted(
        struct db *db, int64_t machine, uint64_t boot_id, uint64_t line, struct order_row *ret);

/* DB_E_EXISTS when it was recorded before. */
int __must_check store_event_insert(struct db *db, const struct event_row *row);
/* What an event says of a result, which may be none (NULL). */
void store_event_of(const Machine__Result *result, struct event_row *row);
/* Forgets all but the newest `kept` events of a machine. */
int __must_check store_event_trim(struct db *db, int64_t machine, int64_t kept);

const char *job_kind_name(enum job_kind kind);
const char *job_state_name(enum job_state state);
const char *job_step_name(enum job_step step);
