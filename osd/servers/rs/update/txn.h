#pragma once
/*
 * Update transactions: one record each, in a table that holds one today. What may begin one is in
 * order.c, the state machine in txn.c, what each step does in txn_steps.c, what can be run at all
 * in verify.c.
 */
#include "osd/abi/calls.h"
#include "osd/servers/rs/life/service.h"

#define TXN_TABLE_SIZE 1

/* What a transaction is to do. */
struct update_plan {
	struct trust_number number; /* of the order; epoch 0: RS's own */
	uint32_t action;            /* ORDER_UPDATE or ORDER_PREPARE */
	char service[SERVICE_NAME_LEN];
	char state[SERVICE_NAME_LEN];  /* quiescent state by name; empty: the service's own */
	struct trust_variant *variant; /* NULL: nothing new, only asked */
	uint64_t generation;           /* inside the order's epoch */
	bool accepts_loss;             /* the order consents to the pairing of exactly these two */
	nsec_t prepare_timeout, transfer_timeout, total_timeout, hold; /* 0: the default */
};

struct update_txn {
	enum rs_step step; /* RS_STEP_NONE: free; set by txn_set_step only */
	struct update_plan plan;
	uint64_t ticket;          /* another one each time: what instances and RS say names it */
	struct rs_result *result; /* kept after the end, in result.c */
	enum rs_outcome outcome;  /* told in the result when all is done */
	struct service *service;

	struct binary binary; /* of the new instance; after the switch of binaries in COMMIT: of the
	                         old one */
	struct instance instance; /* new one until COMMIT, then the old one */
	uint32_t state;           /* QS_*, resolved */
	bool is_old_prepared;     /* it stands in its report and must be resumed */
	bool is_old_ended;        /* the service crashed: recovery follows the transaction */
	bool is_new_behind;       /* the instances have changed places */
	uint64_t heap_backed;
	nsec_t prepared_at;
	nsec_t deadline;       /* of the step */
	nsec_t total_deadline; /* of all steps up to the switch */
	nsec_t poll_at;        /* PREPARE: next try; COMMIT: next look; else NSEC_NEVER */
	nsec_t poll_pause;
	char crash_text[96]; /* of an old instance that ended */
	err_t crash_err;
};

/* Whatever RS does to an instance is done to this one: the slot it is behind at the moment. */
endpoint_t txn_new_endpoint(const struct update_txn *txn);

/* txn.c */
struct update_txn *txn_running(void); /* NULL: none */
/*
 * The number of a quiescent state by name. E_UNSUPPORTED: there is none; services have numbers of
 * their own, which only a test can name.
 */
__must_check err_t txn_state_find(const char name[SERVICE_NAME_LEN], uint32_t *ret_state);
/*
 * Begin what was verified, while none runs. binary: of the new instance, taken over with what it
 * refers to; NULL: only ask. txn_run() goes on.
 */
struct rs_result *txn_begin(const struct update_plan *plan, uint32_t state, struct service *service,
        const struct binary *binary);
/* End the running transaction on somebody's word. E_STATE: it has come to the switch. */
__must_check err_t txn_cancel(const char *why);
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
/*
 * Is the slot behind this endpoint held? A copy through its grants
 * would make RS wait for itself.
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
/* The service, if it can be updated now. E_NOTFOUND, E_NOT_UPDATABLE, E_STATE. */
__must_check err_t verify_service(const struct update_plan *plan, struct service **ret_service);
/* Check what is staged for the plan's variant; *ret_binary holds references to it. */
__must_check err_t verify_update(
        const struct update_plan *plan, const struct service *service, struct binary *ret_binary);
