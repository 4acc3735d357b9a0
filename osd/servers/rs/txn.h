#pragma once
/*
 * Update transactions: one record each, in a table that holds one today. The state machine is in
 * txn.c, what each step does in txn_steps.c, what makes an update believable in verify.c.
 */
#include "osd/servers/rs/priv.h"

#define TXN_TABLE_SIZE 1

struct update_txn {
	enum rs_step step; /* RS_STEP_NONE: free; set by txn_set_step only */
	struct rs_update request;
	struct rs_result *result; /* kept after the end, in result.c */
	enum rs_outcome outcome;  /* told in the result when all is done */
	struct service *service;  /* VERIFY finds it */

	struct binary binary; /* of the new instance; after the switch of binaries in COMMIT: of the
	                         old one */
	struct instance instance; /* new one until COMMIT, then the old one */
	uint32_t state;           /* QS_*, resolved */
	bool accepts_loss;    /* the order consents to the pairing of exactly these two binaries */
	bool is_old_prepared; /* it stands in its report and must be resumed */
	bool is_old_ended;    /* the service crashed: recovery follows the transaction */
	bool is_new_behind;   /* the instances have changed places */
	uint64_t heap_backed;
	nsec_t prepared_at;
	nsec_t deadline;       /* of the step */
	nsec_t total_deadline; /* of all steps up to the switch */
	nsec_t poll_at;        /* PREPARE: next try; COMMIT: next look; else NSEC_NEVER */
	nsec_t poll_pause;
	char crash_text[96]; /* of an old instance that ended */
	err_t crash_err;

	uint64_t envelope[RS_ENVELOPE_MAX / 8]; /* private copy: verified, then read */
};

/* Whatever RS does to an instance is done to this one: the slot it is behind at the moment. */
endpoint_t txn_new_endpoint(const struct update_txn *txn);

/* txn.c */
struct update_txn *txn_running(void); /* NULL: none */
/* The only writer of txn->step. */
void txn_set_step(struct update_txn *txn, enum rs_step step);
/* End the transaction from any step before COMMIT: the first cause counts. */
void txn_fail(struct update_txn *txn, err_t err, const char *message);
/* The arena was too small, and there is another try. */
bool txn_will_retry(const struct update_txn *txn);
/* Work on steps that wait for nobody, until one waits or the transaction is over. */
void txn_run(void);
/* Was this event one of a transaction's instances, and dealt with? */
bool txn_event(const struct slot_event *event);
/* Does the running transaction leave this service at work, so that its heartbeat counts? */
bool txn_is_watched(const struct service *service);
/* The service that txn_is_watched gave no sign of life. */
void txn_silent(void);
/* Is the slot behind this endpoint held? A copy through its grants would make RS wait for itself.
 */
bool txn_is_holding(endpoint_t endpoint);
/* SEF_PREPARE_REFUSED */
void txn_refused(const struct message *msg);
void txn_tick(nsec_t now);
nsec_t txn_next_deadline(void);
/* All limits of the running transaction run on by so much. */
void txn_extend(nsec_t by);

/* txn_steps.c: each does one step, and sets the next or fails the transaction. */
void txn_step_create(struct update_txn *txn);
void txn_step_prepare(struct update_txn *txn); /* asks (again) */
void txn_step_switch(struct update_txn *txn);
void txn_step_commit(struct update_txn *txn);
/* COMMIT: has the new instance received? Then clear up and end. */
void txn_step_settle(struct update_txn *txn, bool is_late);
void txn_step_rollback(struct update_txn *txn);
/* Read what the new instance reported of its transfer into the result. */
void txn_read_transfer(struct update_txn *txn, vaddr_t address);

/* verify.c */
/* Check everything that was staged and signed; fill txn->binary. An E_V_* or another reason. */
err_t verify_update(struct update_txn *txn) __must_check;
/* The signed time and root that a verified envelope proves. */
void verify_learn(const struct envelope_view *view);

/* event.c */
err_t event_error(const struct slot_event *event);
