#pragma once
/* Inside job: the engine, a job at work, and the steps. */
#include <sys/queue.h>

#include "host/base/pool.h"
#include "orchestrator/job/core/core.h"
#include "orchestrator/store/releases.h"
#include "proto/control/control.pb-c.h"
#include "proto/machine/machine.pb-c.h"

#define JOB_PARTS_MAX 256u
#define JOB_ANSWER_USEC UINT64_C(10000000)

/* One generation that a job makes: its variant, its files, its signature. */
struct job_part {
	struct job *job;
	struct generation_row generation;
	struct variant_row variant;
	struct release_row release;
	struct forge_task *task;
	uint8_t seed[FORGE_SEED_SIZE]; /* wiped as soon as the worker has it */
	bool has_seed;
	bool forged;       /* its payload is there */
	uint8_t *envelope; /* fresh from signing, until it is recorded */
	size_t envelope_size;
};

/* A file on its way into the machine's staging store. */
struct job_stage {
	uint8_t hash[64];
	uint8_t *bytes;
	size_t size;
	uint64_t offset; /* the machine has everything before */
	bool dropped;    /* room was made once already */
};

struct job {
	TAILQ_ENTRY(job) link;
	struct engine *engine;
	struct machine *machine;
	struct job_row row;
	struct event *kick;
	struct event *timer;
	struct event *limit;      /* of the step; see job_limit() */
	enum job_step limited;    /* the step it was set for; _JOB_STEP_N: none */
	int64_t limited_usec;     /* when that was, unix */
	bool limited_by_deadline; /* the limit is what was left of the job's own time */
	uint64_t deadline_usec;   /* monotonic; 0: not begun, or no time was given */
	bool unheard;             /* its step waits for the machine to be up */
	uint64_t offered_usec;    /* monotonic: when its order was first sent; 0: never */
	char put_off[120];        /* why the machine said to ask again, last; "" */
	bool busy;                /* its step is begun and waits for an answer */
	bool turn;                /* it has the machine for itself */
	bool stalled;             /* the record could not be written: taken up again from there */
	struct job_part *parts;
	size_t n_parts;
	size_t n_done;
	struct job_stage stage[2]; /* state description, payload */
	size_t n_stage;
	size_t stage_at;
	unsigned int n_drawn_again; /* layouts that hit the running one */

	/* Of the step pair. */
	struct forge_task *task;
	char *pair_json;
	struct release_row pair_from, pair_to;

	/* The order under way: of the steps order, run and confirm. */
	struct order_row order;
	uint8_t *order_envelope; /* fresh from signing, until it is recorded */
	size_t order_size;
	struct signer_part *proposal; /* waits for a control key's signature */
	unsigned int n_proposed;
	unsigned int n_unstated;          /* times that the machine had no statement */
	void (*ordered)(struct job *job); /* told when it is signed */
	/* See job_refresh() and job_order_ask(). */
	void (*refreshed)(struct job *job);
	void (*forgotten)(struct job *job);
};

struct engine_watch {
	LIST_ENTRY(engine_watch) link;
	engine_watch_fn fn;
	void *arg;
};

struct engine {
	struct engine_parts parts;
	struct machines *machines;
	TAILQ_HEAD(job_list, job) jobs; /* oldest first */
	LIST_HEAD(, engine_watch) watches;
	struct event *resume; /* looks whether the record can be written again */
	LIST_HEAD(, engine_statement) statements; /* being signed */
};

/* How a job ends. */
struct job_end {
	enum job_state state;
	enum generation_state generations; /* of those it made */
	const Wire__Cause *cause;          /* NULL when all went well */
	const char *hint;
	const Machine__Result *result; /* NULL when the machine was not asked */
};

/* engine.c */
struct job *engine_job_new(struct engine *engine, const struct job_row *row);
void engine_tell(struct engine *engine, const struct job_news *news);
/* Lets every job of the machine look again whether it can go on. */
void engine_wake(struct engine *engine, const struct machine *machine);

/* end.c and job.c: what steps call, exactly one of them, when they are over */
void job_fail(struct job *job, enum job_state state, const struct failure *failure);
void job_end(struct job *job, const struct job_end *end);
void job_done(struct job *job, const char *detail, db_txn_fn also, void *also_arg);
/* The step cannot go on now; it is begun again when the machine is back. */
void job_park(struct job *job, const char *why);
/* The step is begun again after so long. */
void job_again(struct job *job, uint64_t usec);
/* Goes back to an earlier step. */
void job_back(struct job *job, enum job_step step, const char *why);
void job_kick(struct job *job);
/* The step came forward: its time limit begins anew, with so much more. */
void job_limit_again(struct job *job, uint64_t more_usec);
/* The machine answered what the step waited for, which begins its work. */
void job_heard(struct job *job);
/* Monotonic. */
uint64_t job_clock_usec(void);
/* What is left of the time given for the job; UINT64_MAX: no limit, or its order was sent. */
uint64_t job_left_usec(const struct job *job);
/* Tells who waits for the job something that keeps it. */
void job_notice(struct job *job, const char *text);
void job_progress(struct job *job, uint64_t done, uint64_t total, const char *text);
struct job *job_free(struct job *job);
/*
 * Runs fn in a transaction. False: the record cannot be written, and the job is stalled:
 * the caller leaves it alone.
 */
bool __must_check job_record(struct job *job, db_txn_fn fn, void *arg);
/* Writes ->row, as job_record(). */
bool __must_check job_save(struct job *job);
/* Takes a stalled job up again as the record has it; false: it cannot be read. */
bool __must_check job_resume(struct job *job);

/* block.c: blocks or unblocks the job's release by how it ends; inside db_txn() */
int __must_check job_block(struct db *db, const struct job *job, const struct job_end *end);

/* parts.c */
int __must_check job_parts_load(struct job *job);
void job_parts_free(struct job *job);
/* Deletes old payload files of a service (store id); inside db_txn(). */
int __must_check job_parts_tidy(struct db *db, int64_t service, int64_t kept);
char *job_part_path(const struct job_part *part);

/* The steps: each begins its work and ends it by a call of the above. */
void job_step_pair(struct job *job);
void job_step_seed(struct job *job);
void job_step_forge(struct job *job);
void job_step_sign(struct job *job);
void job_step_stage(struct job *job);
void job_step_order(struct job *job);
void job_step_run(struct job *job);
void job_step_check(struct job *job);
void job_step_confirm(struct job *job);
void job_step_image(struct job *job);
void job_step_launch(struct job *job);
void job_step_confirm_start(struct job *job);

/* pair.c */
/* Whether another release runs now than the one that was paired with the job's. */
bool job_pair_is_over(const struct job *job);
/* The pairing that the record has, in the pool; NULL: none. */
Control__Pairing *job_pair_recorded(const struct job *job, struct pool *pool);

/* order.c: one signed order for a job, from its making to the machine's word on it */
/*
 * Whether the machine's time, from a fresh status, is not so far ahead that it would
 * take all that is signed now for expired; else the job failed.
 */
bool __must_check job_time_fits(struct job *job);
typedef void (*job_ordered_fn)(struct job *job);
/*
 * Makes ->order and ->order_envelope with a fresh number, signed by the order key; done
 * is called, or the job failed. The machine's status must be fresh.
 */
void job_order_make(struct job *job, uint32_t action, uint64_t argument, job_ordered_fn done);
/* Whether ->order is for this boot, and nothing came after it. */
bool job_order_is_current(const struct job *job);
/* Inside db_txn(): a new order, or that ->order is about to be sent now. */
int __must_check job_order_insert(struct db *db, void *arg);
int __must_check job_order_mark_sent(struct db *db, void *arg);
/* Sends the recorded ->order. */
void job_order_send(struct job *job, channel_reply_fn fn);
/* The machine took it: recorded, and waited for. */
void job_order_accepted(struct job *job);
/*
 * The machine has no statement of its newest root: now and then it is sent one. False: that was
 * done for long enough.
 */
bool __must_check job_state_again(struct job *job);
/* Adds a control key's signature to what was proposed. On an error the job cannot go on. */
int __must_check job_order_countersign(
        struct job *job, const struct envelope_signature *signature, struct failure *ret_failure);
void job_order_drop_proposal(struct job *job);

/* answer.c: what the machine says when it is asked, and of an order */
typedef void (*job_refreshed_fn)(struct job *job);
/* Calls fn when the machine's status is fresh; else the job is parked. */
void job_refresh(struct job *job, job_refreshed_fn fn);
/*
 * Asks what became of ->order, and goes on with its result, or waits for it. Of an order
 * that the machine has forgotten, forgotten is called, with a fresh status.
 */
void job_order_ask(struct job *job, job_refreshed_fn forgotten);
/* Whether the answer to ->order itself was its acceptance or result; then it is dealt with. */
bool __must_check job_order_taken(struct job *job, int r, const Machine__Reply *reply);
/* The end of ->order, which the step waits for. */
void job_order_result(struct job *job, const Machine__Result *result);

/* run.c, confirm.c: what follows from an order's result */
void job_on_result(struct job *job, const Machine__Result *result);
/* The result of no open job: one that was given up as unknown is known now. */
void job_late_result(struct engine *engine, struct machine *machine, const Machine__Result *result);
/*
 * Whether the job's update is committed and checked, so that the failure is one of its confirm only:
 * then it has ended.
 */
bool __must_check job_confirm_give_up(struct job *job, const struct failure *failure);
void job_on_confirmed(struct job *job, const Machine__Result *result);

/* statement.c */
struct engine_statement;
typedef void (*engine_stated_fn)(
        const struct failure *failure, const uint8_t *envelope, size_t size, void *arg);
/* Has a starting statement signed from the record; fn is called once, later. */
void engine_state(struct engine *engine, struct machine *machine, engine_stated_fn fn, void *arg);
/* Whoever waits with this arg is not called any more. */
void engine_state_forget(struct engine *engine, const void *arg);
/* Sends one to a machine that opened a session. */
void engine_state_machine(struct engine *engine, struct machine *machine);

/* cause.c */
void job_cause_of(const struct failure *failure, enum job_step step, Wire__Cause *ret_cause);
/* What to do about a cause that the machine named; "" when nothing is known. */
const char *job_hint(const Wire__Cause *cause);
/* What to do about a refusal of the signer's. */
const char *job_signer_remedy(const struct signer_reply *reply);
/*
 * Whether the machine refused because a newer root was seen than what it got was signed under,
 * while the keyring has a newer one too: then the job has gone back to sign again.
 */
bool __must_check job_sign_again(struct job *job, const Wire__Cause *cause);
/* Lets a failed request to the machine end the step: park, refuse or fail. */
void job_answer_bad(struct job *job, int r, const Machine__Reply *reply);
/* Whether the order was offered to a machine that is up for as long as its answers are waited for. */
bool job_offer_is_over(const struct job *job);
/* Whether an order is refused because the machine was told nothing under its newest root yet. */
bool job_is_unstated(int r, const Machine__Reply *reply);
