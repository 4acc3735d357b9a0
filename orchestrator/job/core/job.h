#pragma once
/*
 * A job at work, as the rooms see it that do the work: the object, and how a step ends.
 *
 * A step is begun by its function in the table of steps, asks for something (the machine, the
 * signer, the forge), and returns. Later, in a callback, it ends by exactly one call of
 * job_done(), job_fail(), job_end(), job_park(), job_again() or job_back(); after any of them, and
 * whenever job_record() or job_save() was false, the caller leaves the job alone: it may be freed.
 */
#include <sys/queue.h>

#include "orchestrator/job/core/chain.h"
#include "orchestrator/job/core/core.h"
#include "orchestrator/job/core/state.h"
#include "orchestrator/job/core/work.h"
#include "orchestrator/job/send/send.h"
#include "orchestrator/store/releases.h"
#include "proto/machine/machine.pb-c.h"

/* The most generations of one job, as many as the start of a machine has services. */
#define JOB_PARTS_MAX 256u
/* How long one request of a step may wait for the machine's answer. */
#define JOB_ANSWER_USEC UINT64_C(10000000)
/* Text that says why a machine put an order off. */
#define JOB_PUT_OFF_SIZE 120

/* A payload that was made before a job asked for it. */
struct job_ahead {
	char *path; /* owned, as is the file; NULL: none */
	uint8_t hash[64];
	int64_t len;
};

/* One generation that a job makes: its variant, its files, its signature. */
struct job_part {
	struct job *job;
	struct generation_row generation;
	struct variant_row variant;
	struct release_row release;
	struct forge_task *task;       /* makes its payload now; owned */
	uint8_t seed[FORGE_SEED_SIZE]; /* nowhere else; wiped with the part, see parts.c */
	bool has_seed;
	struct job_ahead ahead;   /* its payload, if it was made ahead; passed on as the seed is */
	bool forged;              /* its payload is there */
	struct signer_part *once; /* signed by the first signer, until the second has; owned */
	uint8_t *envelope;        /* fresh from signing, until it is recorded; owned */
	size_t envelope_size;
};

/* How far lud is with an open job; job.c has the diagram. Not in the record. */
enum job_phase {
	JOB_WAITING,   /* its step is not begun */
	JOB_BEGINNING, /* the begin is recorded, and not on disk yet: nothing was done */
	JOB_WORKING,   /* its step is begun, and not over */
	JOB_STALLED,   /* the record could not be written: all is let go of until it can */
	JOB_OVER,      /* ended in the record: it is being freed */
	_JOB_PHASE_N,
};

/* The time limit of a step, begun when nothing else stands in the job's way. limit.c */
struct job_limit {
	struct event *timer;
	enum job_limit_kind kind; /* what is waited for, so how long; NONE: the timer is off */
	enum job_step step;       /* the step that it was begun for */
	uint64_t since_usec;      /* monotonic; when that was */
	bool by_deadline;         /* it is what was left of the job's own time */
	uint64_t at_usec;         /* monotonic; when it passes */
	uint64_t paused_usec;     /* monotonic; since then it waits for the disk */
};

/* Owned by the engine's list from job_new() to job_free(). */
struct job {
	TAILQ_ENTRY(job) link;
	TAILQ_ENTRY(job) of_machine;
	struct engine *engine;
	struct machine *machine; /* never NULL; machines outlive their open jobs */
	struct job_row row;      /* as recorded, but for what a step is about to record */
	enum job_phase phase;    /* job_set_phase() is the only writer */
	struct event *kick;      /* looks in the next turn of the loop whether it can go on */
	struct event *timer;     /* begins its step again; see job_again() */
	struct event *look;      /* it waits: the next look, or its deadline; see wait.c */
	struct place *place;     /* NULL: it waits for no place; see place.c */
	TAILQ_ENTRY(job) in_place;
	struct job_limit limit;
	uint64_t deadline_usec; /* monotonic, of the whole job; 0: not begun, or no time given */
	bool turn;              /* it holds the machine, until it ends or stalls */

	/* What it makes: loaded by the steps that need it. */
	struct job_part *parts;
	size_t n_parts;
	size_t n_done;              /* how many parts the step at work is through with */
	unsigned int n_drawn_again; /* layouts that hit the running one */

	/* Of the step stage. */
	struct send send;      /* state description, flat kit, payload */
	uint64_t stage_serial; /* of the root that a kit was shown under; 0: none was */

	bool soak_is_seen;              /* of the step soak: it was looked at in this lud */
	bool soak_looks, soak_has_news; /* by a status under way; and again behind it */
	uint64_t back_usec;             /* monotonic: the first look at a way back; 0: not yet */
	/* Of a set, see set.c: which of its jobs may have the machine now (0: none), and ... */
	int64_t set_member;
	bool set_soaks;     /* all that are open are only watched, as its step at work has found */
	uint32_t set_shut;  /* as bits: members whose way back was waited for in vain */
	bool set_goes_back; /* those that are open are ways back */

	/* Of the step pair. */
	struct forge_task *task; /* owned */
	char *pair_json;
	struct release_row pair_from, pair_to;
	char *plan_text; /* of ->row.plan, while it is not recorded: of the steps pair and ready; owned */

	/* The order under way: of the steps order, run and confirm. */
	struct order_row order;
	uint8_t *order_envelope; /* fresh from signing, until it is recorded; owned */
	size_t order_size;
	struct signer_part *proposal; /* waits for a control key's signature; owned */
	unsigned int n_proposed;
	unsigned int n_unstated;          /* times that the machine had no statement */
	uint64_t offered_usec;            /* monotonic: when it was first sent; 0: never */
	char put_off[JOB_PUT_OFF_SIZE];   /* why the machine said to ask again, last; "" */
	void (*ordered)(struct job *job); /* called when it is signed; see job_order_make() */
	/* See job_refresh() and job_order_ask(). */
	void (*refreshed)(struct job *job);
	void (*forgotten)(struct job *job);
};

/* What a step does. The table comes from the room of the steps: see engine_new(). */
struct job_step_ops {
	/* Called when the begin is on disk; of every step but PLAN. */
	void (*begin)(struct job *job);
	/* The end of ->order, however the machine told it; NULL: the step waits for none. */
	void (*result)(struct job *job, const Machine__Result *result);
};

struct engine_watch {
	LIST_ENTRY(engine_watch) link;
	engine_watch_fn fn;
	void *arg;
};
struct engine_statement;
struct standing_trouble;
struct standing_watches;
struct measure;
struct retain;
struct prebuilt;
struct schedule;
struct engine {
	struct engine_parts parts;
	struct machines *machines;
	struct rules *rules;              /* owned */
	struct rollouts *rollouts;        /* owned */
	const struct job_step_ops *steps; /* [_JOB_STEP_N] */
	TAILQ_HEAD(job_list, job) jobs;   /* open ones, oldest first */
	struct works works;               /* the same, by other keys */
	LIST_HEAD(, engine_watch) watches;
	struct event *resume;                     /* looks whether the record can be written */
	LIST_HEAD(, engine_statement) statements; /* being signed */
	LIST_HEAD(, engine_standing) standings;   /* on their way to machines */
	LIST_HEAD(, standing_trouble) standing_troubles; /* why others did not get there */
	struct standing_watches *standing_watches;       /* owned: when which is looked at */
	job_gate_fn gate; /* NULL: every job may go on; see engine_gate() */
	void *gate_arg;
	LIST_HEAD(, engine_note_watch) note_watches;
	struct engine_remote remote;
	struct measure *measure;   /* owned; NULL until the record was loaded */
	struct prebuilt *prebuilt; /* the same */
	struct schedule *schedule; /* the same */
	struct retain *retain;     /* the same */
};

/* How a job ends. Everything pointed to lives until job_end() returns. */
struct job_end {
	enum job_state state;              /* of the class ENDED */
	enum generation_state generations; /* of those it made and that are still planned */
	const Wire__Cause *cause;          /* NULL when all went well */
	const char *hint;                  /* NULL is "" */
	const Machine__Result *result;     /* NULL when the machine was not asked */
};

/* Which steps it takes. */
static inline struct job_way job_way(const struct job *job)
{
	return (struct job_way){job->row.kind, job->row.machine_made};
}

/* list.c: look-ups, and calls to those who watch. */
/* Tells every watch. */
void engine_tell(struct engine *engine, const struct job_news *news);
/* Lets every job of the machine look again whether it can go on. */
void engine_wake(const struct machine *machine);
/* NULL: no open job of the machine has sent such an order. */
struct job *engine_job_by_order(const struct machine *machine, uint64_t epoch, uint64_t txn);

/* job.c: life, phases, the end of a step */
/* Takes up an open job of the record, at the step of the row; its machine must be known. */
struct job *job_new(struct engine *engine, const struct job_row *row);
/* Ends whatever it waits for, unlinks it and returns NULL; the record is not touched. */
struct job *job_free(struct job *job);
/* Asserts what holds in the phase; at every public entry. */
void job_check(const struct job *job);
/* Whether its step is at work and waits for the result of ->order. */
bool job_awaits_result(const struct job *job);
/* Looks whether the step can begin, in the next turn of the event loop. */
void job_kick(struct job *job);
/*
 * The step is done: recorded with `detail`, in one transaction with what `also` writes (NULL:
 * nothing), and the next one follows. Not for the last step of a kind, which is job_end().
 */
void job_done(struct job *job, const char *detail, db_txn_fn also, void *also_arg);
/* The same, where another event than JOB_ON_DONE leads to what follows. */
void job_done_by(struct job *job, enum job_step_event event, const char *detail, db_txn_fn also,
        void *also_arg);
/* It is watched and nothing else, or all that is open of a set is: it has no turn, and bars nobody. */
bool job_only_soaks(const struct job *job);
/* Gives the machine to others, for as long as the job only soaks. */
void job_leave_turn(struct job *job);
/*
 * The step cannot go on now. It is begun again when the machine's session comes back, or soon
 * when the machine is up. Nothing that was asked for answers any more.
 */
void job_park(struct job *job, const char *why);
/* The step stays at work, and is begun again after so long unless it is over before. */
void job_again(struct job *job, uint64_t usec);
/*
 * The step is over without being done: the job goes back, by job_next(), to where the event
 * leads, and its order counts as never sent. The event must be possible in this step.
 */
void job_back(struct job *job, enum job_step_event event, const char *why);
/* Tells who waits for the job something that keeps it. */
void job_notice(struct job *job, const char *text);
/* The step came forward: tells who watches, and its time limit begins anew. */
void job_progress(struct job *job, uint64_t done, uint64_t total, const char *text);

/* wait.c: states, and what a job waits for */
/*
 * The state of an open job, to be recorded by the caller's next write, in one transaction with what makes it
 * so. A state that waits begins with the wait for its turn. False: no rule has the move, which is a defect of
 * lud or of what the machine says: the job has ended as INCONSISTENT, and the caller leaves it alone.
 */
bool __must_check job_set_state(struct job *job, enum job_state to);
/* The wait of a job for its turn, from now on. */
struct job_wait job_turn(const struct engine *engine);
/* What it waits for now, recorded if that is news. False: the caller leaves the job alone. */
bool __must_check job_waits(struct job *job, const char *why, int64_t until_us);

/* record.c: writes, and what happens when the record cannot be written */
/*
 * Runs fn in a transaction. False: the record cannot be written, and the job is stalled: the caller
 * leaves it alone.
 */
bool __must_check job_record(struct job *job, db_txn_fn fn, void *arg);
/* Writes ->row, as job_record(). */
bool __must_check job_save(struct job *job);
/*
 * Takes a stalled job up again as the record has it, which may be as ended: then it is gone.
 * False: it cannot be read, and stays stalled.
 */
bool __must_check job_resume(struct job *job);

/* end.c */
/* Ends the job, which is freed, and gives its machine to others. */
void job_end(struct job *job, const struct job_end *end);
/*
 * As job_end(), with the failure for a cause and a hint. In the soak and the confirm of an update the job
 * is COMMITTED all the same, and says that it is not confirmed; but FAILED where it is known that it was not well.
 */
void job_fail(struct job *job, enum job_state state, const struct failure *failure);
/*
 * Ends a job that cannot be carried on, by what is known of it: one whose update was committed and
 * checked is COMMITTED, and says that it is not confirmed; one whose order was sent is INCONSISTENT;
 * any other is FAILED.
 */
void job_give_up(struct job *job, const struct failure *failure);
/* Somebody ended it, as ->row.cancel says, and its order was not sent. */
void job_cancel(struct job *job);

/* limit.c: time */
/* elapsed_usec(), as limits count it. */
uint64_t job_elapsed_usec(void);
/* What is left of the time given for the job; UINT64_MAX: no limit, or its order was sent. */
uint64_t job_left_usec(const struct job *job);
/* The step came forward: its time limit begins anew, with so much more. Nothing if none runs. */
void job_limit_again(struct job *job, uint64_t more_usec);
/* The machine answered what the step waited for, which begins its work. */
void job_heard(struct job *job);

/* parts.c: the generations that a job makes */
/* Loads ->parts from the record, seeds kept. -ENODATA: none, or too many. */
int __must_check job_parts_load(struct job *job);
/*
 * Whether the seed of each part is in memory. False: one is not, and the job has gone back to where
 * others are drawn; the caller leaves it alone.
 */
bool __must_check job_parts_have_seeds(struct job *job);
void job_parts_free(struct job *job);
/* Removes the file, if there is one. */
void job_ahead_drop(struct job_ahead *ahead);
/* Where a part's payload lies; the caller frees it. */
char *job_part_path(const struct job_part *part);
