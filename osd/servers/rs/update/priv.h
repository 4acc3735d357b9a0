#pragma once
/*
 * The record of an update transaction. What belongs to the set of services is in struct update_txn,
 * what belongs to one of them in struct txn_component. There is one record, in update.c; everything
 * else here gets it as an argument and keeps nothing of its own.
 *
 *	order.c      fills the components and begins
 *	move.c       the same, for layouts that RS makes by itself
 *	update.c     owns the record; what comes in from outside
 *	txn.c        takes the steps: work, limits, causes
 *	step.c       which move an event makes; questions to the record; pure
 *	component.c  what a step does to one component
 *	report.c     what instances say and how they end
 */
#include "osd/abi/calls.h"
#include "osd/servers/rs/life/service.h"

/* Orders with more are refused. */
#define TXN_N_COMPONENTS 8
#define TXN_CRASH_TEXT 96

/* What the order says of the whole set. */
struct update_plan {
	struct trust_number number; /* of the order; epoch 0: RS's own */
	uint32_t action;            /* ORDER_UPDATE or ORDER_PREPARE */
	bool is_move; /* another layout by RS itself: no order's books, no events, no kept result */
	/* Of each step, of all steps before the switch, and longest time that a service may have
	 * stood prepared when RS comes to it. 0: the usual. */
	nsec_t limit[RS_STEP_N], total_limit, hold;
};

struct txn_component {
	/* What is to be done; set by order.c before the transaction begins. */
	struct service *service;
	uint32_t state;    /* QS_*: where the old instance shall stand */
	bool accepts_loss; /* the order consents to the pairing of exactly these two */
	/* Of the new instance; from the exchange in COMMIT on: of the old one. image.header NULL:
	 * nothing new, preparing is all that is asked. */
	struct binary binary;

	/* Where it is. */
	struct instance instance; /* the new one; from the exchange in COMMIT on: the old one */
	enum rs_step reached;     /* the last step that is done for it; see txn_reach() */
	bool is_same_kit;         /* another layout of what runs */
	bool is_shown;            /* its view of the old memory was made for the switch */
	bool is_new_behind;       /* the instances have changed places */
	bool is_old_prepared;     /* the old one stands in its report and must be resumed */
	bool is_lost;             /* the service crashed: recovery follows the transaction */
	uint32_t n_arena_lacks;   /* times that its arena turned out too small */
	nsec_t prepared_at;
	nsec_t poll_at;    /* when the step's poll is due; NSEC_NEVER: nothing to poll */
	nsec_t poll_pause; /* until the next one; doubles */
	err_t crash_err;   /* is_lost: as what recovery takes it */
	char crash_text[TXN_CRASH_TEXT];

	/* Figures for the result. */
	uint64_t image_bytes, arena_bytes, n_vm_faults;
	uint32_t n_prepare_tries, n_arena_tries;
	nsec_t blackout, layout_nsec;
	struct layout_kept
	        kept; /* of the layout that runs by the one that is to run, where RS made both */
	struct sef_transfer_result transfer;
};

struct update_txn {
	enum rs_step step; /* RS_STEP_NONE: nothing runs; set by txn_set_step() only */
	uint32_t n_phases; /* of the step that have begun, for all components */
	struct update_plan plan;
	uint64_t ticket;               /* another one each time: instances and RS name it by this */
	struct rs_result *result;      /* kept after the end, in result.c */
	enum rs_outcome outcome;       /* goes into the result when all is done */
	err_t err;                     /* first cause of a failure */
	struct txn_component *culprit; /* whose failure that was; NULL: nobody's yet */
	nsec_t deadline;               /* of the step */
	nsec_t total_deadline;         /* of all steps before the switch */
	uint32_t n_components;
	struct txn_component components[TXN_N_COMPONENTS];
};

/* Everything of this room that outlives a message. */
struct update {
	struct update_txn txn;
	uint64_t n_begun;       /* transactions since boot: gives tickets */
	uint64_t n_checks;      /* prepare checks since boot: gives their numbers */
	uint64_t n_moves;       /* the same of moves */
	nsec_t next_check;      /* earliest time of the next one */
	nsec_t asked;           /* when the present request came */
	struct rs_result moved; /* of the last move */
};

/* update.c */
struct update *update_record(void);

/* step.c: pure */
/* What can happen to a transaction as a whole. */
enum txn_event {
	TXN_BEGIN,
	TXN_REACHED,  /* every component has done the step */
	TXN_NO_NEWS,  /* verified, and no component brings anything new: only asked */
	TXN_ANSWERED, /* all stand prepared, and that was all that was asked */
	TXN_FAILED,
	TXN_RETRY, /* rolled back, and worth another try */
	_TXN_EVENT_N
};
/* The step that an event leads to. RS_STEP_N: it cannot happen in this one. */
enum rs_step txn_next(enum rs_step step, enum txn_event event);
/* This component has done what the present step asks of it. */
void txn_reach(const struct update_txn *txn, struct txn_component *c);
/* Is the present step still to be done for it? */
bool txn_is_awaited(const struct update_txn *txn, const struct txn_component *c);
/* The barrier: has every component done the present step? */
bool txn_is_reached(const struct update_txn *txn);
/* The component that the transaction waits for, or the first: who is late. */
struct txn_component *txn_slowest(struct update_txn *txn);
/* The component that the result speaks of: the culprit, else the first. */
struct txn_component *txn_subject(struct update_txn *txn);
/* The arena of the culprit was too small, and there is another try. */
bool txn_will_retry(const struct update_txn *txn);
/*
 * The slot that the new instance, or the old one, is behind at the moment. EP_NONE: there is none.
 */
endpoint_t txn_new_endpoint(const struct txn_component *c);
endpoint_t txn_old_endpoint(const struct txn_component *c);

/* txn.c */
/*
 * Begin what order.c put into the first n components, while no transaction runs; txn_run() goes on.
 * The binaries are taken over with what they refer to.
 */
void txn_begin(struct update *update, const struct update_plan *plan, uint32_t n);
/* The only writer of txn->step. An event that cannot happen now is a panic. */
void txn_set_step(struct update_txn *txn, enum txn_event event);
/* A component fails: the transaction goes back. The first cause counts. text may be empty. */
void txn_fail(struct update_txn *txn, struct txn_component *c, err_t err, const char *text);
/*
 * The running instance is lost before it was replaced: a failure, and recovery follows the
 * rollback.
 */
void txn_lost(struct update_txn *txn, struct txn_component *c, err_t err, const char *why);
/* Work until the transaction waits for somebody, or is over. */
void txn_run(struct update_txn *txn);
/* Limits, polls and heartbeats. */
void txn_tick(struct update_txn *txn, nsec_t now);
/* The kernel notified; all events have been taken. Has a new instance received? */
void txn_signal(struct update_txn *txn, nsec_t now);
/* End it on somebody's word. E_STATE: it has come to the switch. */
__must_check err_t txn_cancel(struct update_txn *txn, const char *why);
/* Do the old instances still work in this step? Then it can be cancelled, and heartbeats go on. */
bool txn_is_open(const struct update_txn *txn);
/* Does the step wait for what instances report? */
bool txn_is_waiting(const struct update_txn *txn);
nsec_t txn_next_deadline(const struct update_txn *txn);
void txn_extend(struct update_txn *txn, nsec_t by);

/*
 * component.c: the work of the steps, for one component. What returns an error has left nothing
 * that component_restore() and component_clear() do not take back.
 */
typedef err_t txn_work(struct update_txn *txn, struct txn_component *c);
txn_work component_claim;                    /* VERIFY */
txn_work component_create;                   /* CREATE */
txn_work component_ask;                      /* PREPARE */
txn_work component_show, component_swap;     /* SWITCH */
txn_work component_go;                       /* TRANSFER */
txn_work component_ready, component_commit;  /* COMMIT */
txn_work component_restore, component_clear; /* ROLLBACK */
txn_work component_end;                      /* DONE */
/* Polls of PREPARE and COMMIT. */
typedef void txn_poll(struct update_txn *txn, struct txn_component *c, nsec_t now);
txn_poll component_ask_again, component_look;
/* COMMIT: clear up behind the new instance, whether it has received yet or not. */
void component_settle(struct update_txn *txn, struct txn_component *c);

/* report.c */
/* An event of a slot. False: of no component, or the service's own affair. */
bool report_event(struct update_txn *txn, const struct slot_event *event);
/* SEF_PREPARE_REFUSED */
void report_refused(struct update_txn *txn, const struct message *msg);

/* order.c */
/* Quiescent state by name; the service's own, when none is named. E_UNSUPPORTED. */
__must_check err_t order_state(
        const char state[SERVICE_NAME_LEN], const struct service *service, uint32_t *ret_state);

/* verify.c */
/*
 * The service, if it can be updated now, or as soon as what gives way has ended. E_NOTFOUND,
 * E_NOT_UPDATABLE, E_STATE.
 */
__must_check err_t verify_service(const char name[SERVICE_NAME_LEN], struct service **ret_service);
/*
 * Check what is staged for a variant or a kit that is to become this generation of the service, and
 * make the layout of a kit; *ret_binary holds references to it. E_NOTFOUND: it is not staged.
 */
__must_check err_t verify_update(struct trust_variant *variant, struct trust_number generation,
        const struct service *service, struct binary *ret_binary);
