#pragma once
/*
 * What all jobs stand on, as rooms above see it: the parts that the daemon hands in, look-ups over
 * the open jobs, and news of them. An engine belongs to the daemon; everything here runs in its
 * one event loop, and nothing blocks.
 */
#include "orchestrator/machine/machine.h"
#include "orchestrator/rollout/rollout.h"
#include "orchestrator/rules/rules.h"
#include "orchestrator/store/generations.h"
#include "orchestrator/store/jobs.h"
#include "orchestrator/work/forge.h"
#include "orchestrator/work/signer.h"

struct engine;

/* All are borrowed, and outlive the engine. */
struct engine_parts {
	struct event_base *base;
	struct db *db;
	const struct config *config;
	struct forge *forge;
	struct signer_client *signer;
	struct signer_client *second; /* for machines that keep no kits; NULL: there is none */
};

/* Positive outcomes of what is asked of the engine; ret_failure says why. */
enum engine_outcome {
	ENGINE_E_REFUSED = 32, /* it cannot be done now, and nothing was recorded */
	ENGINE_E_SKIPPED,      /* the machine says that this service cannot be updated */
	_ENGINE_E_N,
};

struct machines *engine_machines(struct engine *engine);
struct rules *engine_rules(const struct engine *engine);
struct rollouts *engine_rollouts(const struct engine *engine);
struct db *engine_db(struct engine *engine);
const struct config *engine_config(struct engine *engine);
struct forge *engine_forge(struct engine *engine);
struct schedule;
/* What policies do by themselves; NULL until the record was loaded. */
struct schedule *engine_schedule(const struct engine *engine);
/* What is amiss with the way in from other hosts, whose state nobody here knows; it begins as nothing. */
struct engine_remote {
	bool is_wrong;  /* it is; else it will be */
	int64_t ends;   /* seconds since 1970; 0: nothing does */
	char text[480]; /* goes on behind "remote"; "": nothing is amiss */
	char remedy[240];
};
void engine_set_remote(struct engine *engine, const struct engine_remote *remote);
const struct engine_remote *engine_remote(const struct engine *engine);
/* Whether a machine has open jobs, besides those that are only watched. */
bool engine_is_busy(const struct machine *machine);
/*
 * Whether nothing keeps a timer from asking for something: no job is at work on the machine or waits for its turn, and
 * none of a timer is open. What a gate or a person puts off leaves the machine to others, and to timers, too.
 */
bool engine_is_idle(const struct machine *machine);
/* What keeps an open job from going on now, in words for people; NULL: nothing, or it is not open. */
const char *engine_job_waits(const struct engine *engine, int64_t id);
/*
 * Looks at the host's clock, which somebody may have set: what waits keeps its distance (store/clock.h). Called every
 * few seconds, and before each request, where nobody has a row in his hands that is to be written.
 */
void engine_clock(struct engine *engine);
/* How many jobs are open, and how many of them wait. */
void engine_count_jobs(const struct engine *engine, uint32_t *ret_open, uint32_t *ret_waiting);
/* Open jobs by their state, and since when the one that has waited longest does, unix us; 0: none waits. */
struct jobs_tally {
	uint32_t in[_JOB_STATE_N];
	int64_t waits_since_us;
};
void engine_tally_jobs(const struct engine *engine, struct jobs_tally *ret_tally);
/* Whether a job is open and taken up, so that its end will come. */
bool engine_has_job(const struct engine *engine, int64_t id);
/* The id of a service's open job, the oldest; 0: none. */
int64_t engine_open_job(const struct machine *machine, const char *service);

/*
 * Jobs that are put off. A job may be, by a rule or by a person, until its order is sent: it gives its machine
 * to others, keeps what was made for it, and waits as SCHEDULED or HELD until it is released or its
 * deadline passes, which ends it as EXPIRED. All of it is in the record.
 */
struct job_hold {
	enum job_state
	        state; /* SCHEDULED: until a time; HELD: until somebody or something releases it */
	bool by_hand;  /* by engine_hold(): no gate lets it go on */
	char why[160]; /* for people: which rule, or who and why; never "" */
	const char *
	        limit; /* the policy whose `limits` have no place for it, while that counts; NULL: another reason */
	int64_t until_us; /* unix: its deadline; in the future */
	int64_t look_us;  /* unix: SCHEDULED: when it goes on; HELD: when the gate is asked again */
};
/* ENGINE_E_REFUSED fills ret_failure: there is no such open job, or its order was sent. */
int __must_check engine_hold(struct engine *engine, int64_t job, const struct job_hold *hold,
        struct failure *ret_failure);
/* ENGINE_E_REFUSED: the job stands still since the record could not be written, so what was asked of it was not done. */
int __must_check engine_stands_still(
        struct engine *engine, int64_t job, struct failure *ret_failure);
/* It goes on where it was, in its turn, unless the gate puts it off again. ENGINE_E_REFUSED: it is not put off, or stands still. */
int __must_check engine_release(struct engine *engine, int64_t job, struct failure *ret_failure);
/*
 * A gate that every job comes to before each of its steps until its order is sent, and when it was put off
 * and is looked at again. False: it may not go on now, and ret_hold says how it waits. It is asked often
 * and answers from memory; it changes no job.
 */
typedef bool (*job_gate_fn)(const struct job_row *row, struct job_hold *ret_hold, void *arg);
/* One at most; NULL: every job may go on. */
void engine_gate(struct engine *engine, job_gate_fn fn, void *arg);
/* What the gate says may have changed: it is asked anew of every job that was put off or waits. */
void engine_gate_changed(struct engine *engine);

/* What happens to a job, for whoever shows it. */
enum job_event {
	JOB_EVENT_STEP,     /* a step begins; the record says so */
	JOB_EVENT_PROGRESS, /* ->done of ->total, or a ->text from the machine */
	JOB_EVENT_NOTICE,   /* a ->text: what keeps it waiting, or does so no more */
	JOB_EVENT_PROPOSED, /* an ->order that needs a control key's signature */
	JOB_EVENT_ENDED,    /* settled: the record has all, and the job is gone */
	JOB_EVENT_STALLED,  /* the record cannot be written: it goes on when it can */
	_JOB_EVENT_N,
};

/* Lives until the callback returns; what does not belong to the event is zero. */
struct job_news {
	enum job_event event;
	const struct job_row *row;
	uint64_t done;
	uint64_t total;
	const char *text;
	const uint8_t *order; /* proposed: the manifest to sign */
	size_t order_size;
	const struct Control__Pairing *pairing; /* proposed: what it consents to; NULL: nothing */
	const char *machine;                    /* proposed: for which one */
};

/* May free its own watch, and no other. */
typedef void (*engine_watch_fn)(const struct job_news *news, void *arg);
struct engine_watch;
/* Calls fn for every job's news until the watch is freed. */
struct engine_watch *engine_watch(struct engine *engine, engine_watch_fn fn, void *arg);
struct engine_watch *engine_watch_free(struct engine_watch *watch);

/*
 * What happens besides jobs, for whoever watches: machines, services, rollouts. Texts live until the callback
 * returns; none is NULL.
 */
struct engine_note {
	const char *kind; /* "machine", "service", "rollout" */
	const char *machine;
	const char *service; /* "": none */
	const char *state;
	const char *text;
};
/* It may not change what it is told of, nor who is told. */
typedef void (*engine_note_fn)(const struct engine_note *note, void *arg);
struct engine_note_watch;
struct engine_note_watch *engine_note_watch(struct engine *engine, engine_note_fn fn, void *arg);
struct engine_note_watch *engine_note_watch_free(struct engine_note_watch *watch);
void engine_note(const struct engine *engine, const struct engine_note *note);
