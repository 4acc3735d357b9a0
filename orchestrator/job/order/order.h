#pragma once
/*
 * One signed order of a job, from its making to the machine's word on it, and what the machine
 * answers to whatever a job asks. The steps order, run and confirm are built on this; a step that
 * waits for the result of ->order gets it by job_step_ops.result, whichever way it comes.
 */
#include "orchestrator/job/core/job.h"
#include "proto/envelope/envelope.h"

/* order.c: making one */
/*
 * Whether the machine's time, from a fresh status, is not so far ahead that it would take all that
 * is signed now for expired; else the job failed.
 */
bool __must_check job_time_fits(struct job *job);
/*
 * Makes ->order and ->order_envelope with a fresh number, signed by the order key, and ->proposal,
 * the signed part alone. done is called, later, or the job failed. The machine's status must be
 * fresh: the number is above all that it has seen.
 */
typedef void (*job_ordered_fn)(struct job *job);
void job_order_make(struct job *job, uint32_t action, uint64_t argument, job_ordered_fn done);
/*
 * Adds a control key's signature to what was proposed: ->order_envelope has both. On an error
 * ret_failure is filled in and the job cannot go on; the caller ends it.
 */
int __must_check job_order_countersign(
        struct job *job, const struct envelope_signature *signature, struct failure *ret_failure);
void job_order_drop_proposal(struct job *job);
/* How long the machine may take to run the order: what was given for the job, or as configured. */
uint32_t job_order_timeout_ms(const struct job *job);
/* Says that an order cannot be made, and ends the job. r: what went wrong, a negative errno. */
void job_order_fail(struct job *job, const char *what, int r);

/* send.c: giving it to the machine */
/* Whether ->order is for this boot, will live long enough, and nothing came after it. */
bool job_order_is_current(const struct job *job);
/* Inside db_txn(), with the job as arg: a new order; that ->order is about to be sent now. */
int __must_check job_order_insert(struct db *db, void *arg);
int __must_check job_order_mark_sent(struct db *db, void *arg);
/* Sends the recorded ->order; fn gets the answer. Where there is no session the job is parked. */
void job_order_send(struct job *job, channel_reply_fn fn);
/*
 * Asks the machine to let go of ->order, which was sent; what comes of it is the order's result. Where there is
 * no session it is asked when the job is taken up again.
 */
void job_order_cancel(struct job *job);
/* The end of ->order: to the step that waits for it. */
void job_order_result(struct job *job, const Machine__Result *result);
/* The machine took it: that is recorded, and its result is waited for. */
void job_order_accepted(struct job *job);
/* Whether the answer to ->order itself was its acceptance or result; then it is dealt with. */
bool __must_check job_order_taken(struct job *job, int r, const Machine__Reply *reply);

/* ask.c: asking the machine */
typedef void (*job_refreshed_fn)(struct job *job);
/* Calls fn when the machine's status is fresh; else the job is parked. */
void job_refresh(struct job *job, job_refreshed_fn fn);
/*
 * Asks what became of ->order, and goes on with its result, or waits for it. Of an order that the
 * machine has forgotten, forgotten is called, with a fresh status.
 */
void job_order_ask(struct job *job, job_refreshed_fn forgotten);
/*
 * The machine has no statement of its newest root: now and then it is sent one. False: that was
 * done for long enough.
 */
bool __must_check job_state_again(struct job *job);

/* refuse.c: an answer that is not what was asked for */
/*
 * Lets a failed request to the machine end the step: r and reply are those of its callback, and
 * the reply is not of the type that was asked for.
 */
void job_answer_bad(struct job *job, int r, const Machine__Reply *reply);
/* Whether the order was offered to a machine that is up for as long as its answers are waited for. */
bool job_offer_is_over(const struct job *job);
/* Whether an order is refused because the machine was told nothing under its newest root yet. */
bool job_is_unstated(int r, const Machine__Reply *reply);
/* What to do about a cause that the machine named; a general remedy when nothing is known. */
const char *job_hint(const Wire__Cause *cause);

/* renew.c */
/*
 * Whether the machine refused because a newer root was seen than what it got was signed under,
 * while the keyring has a newer one too: then the job has gone back to sign again.
 */
bool __must_check job_sign_again(struct job *job, const Wire__Cause *cause);
