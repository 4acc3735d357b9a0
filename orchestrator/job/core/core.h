#pragma once
/*
 * Jobs: long work on machines as state machines in the record. Every step is
 * written before it is done and confirmed after, so that a lud that was killed
 * takes up its open jobs where they were, and asks the machine where that is not
 * enough. job.c has the diagram.
 */
#include "orchestrator/machine/machine.h"
#include "orchestrator/store/generations.h"
#include "orchestrator/store/jobs.h"
#include "orchestrator/work/forge.h"
#include "orchestrator/work/signer.h"
#include "proto/envelope/envelope.h"

struct engine;

struct engine_parts {
	struct event_base *base;
	struct db *db;
	const struct config *config;
	struct forge *forge;
	struct signer_client *signer;
};

int __must_check engine_new(const struct engine_parts *parts, struct engine **ret_engine);
struct engine *engine_free(struct engine *engine);
/* Takes up the machines and open jobs of the record. */
int __must_check engine_load(struct engine *engine);
struct machines *engine_machines(struct engine *engine);
struct db *engine_db(struct engine *engine);
const struct config *engine_config(struct engine *engine);
struct forge *engine_forge(struct engine *engine);

/* What a person asks for, resolved by engine_plan(). */
struct job_order {
	enum job_kind kind;
	struct machine *machine;
	const char *service;    /* "" for JOB_START */
	const char *release;    /* JOB_UPDATE: id prefix, or "" for the newest */
	uint64_t to_generation; /* JOB_ROLLBACK: 0 is the release before */
	const char *quiescent;  /* "" is the service's default */
	uint32_t timeout_ms;    /* 0 is the configured one */
	uint32_t hold_ms;
	bool accept_loss;     /* consent to what the pairing says is lost */
	const char *identity; /* who asks, as verified */
};

/* Positive outcomes of engine_plan(); ret_failure says why. */
enum {
	ENGINE_E_REFUSED = 32, /* makes no sense now */
	ENGINE_E_SKIPPED,      /* the machine says that this service cannot be updated */
};

/* Records a job and lets it begin; its id goes to ret_job. */
int __must_check engine_plan(struct engine *engine, const struct job_order *order, int64_t *ret_job,
        struct failure *ret_failure);

/* Why nothing can be asked of a machine that is not up, and what to do about this one. */
void engine_not_up(const struct machine *machine, struct failure *ret_failure);

/* What happens to a job, for whoever shows it. */
enum job_event {
	JOB_EVENT_STEP,     /* a step begins */
	JOB_EVENT_PROGRESS, /* done of total, or a text from the machine */
	JOB_EVENT_NOTICE,   /* a text: what keeps it waiting, or does so no more */
	JOB_EVENT_PROPOSED, /* an order that needs a control key's signature */
	JOB_EVENT_ENDED,    /* settled; the record has it all */
	JOB_EVENT_STALLED,  /* the record cannot be written: it goes on when it can */
};

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

typedef void (*engine_watch_fn)(const struct job_news *news, void *arg);
struct engine_watch;
/* Calls fn for every job's news until freed. */
struct engine_watch *engine_watch(struct engine *engine, engine_watch_fn fn, void *arg);
struct engine_watch *engine_watch_free(struct engine_watch *watch);
/* A control key's signature over what a job proposed. ENGINE_E_REFUSED fills ret_failure. */
int __must_check engine_countersign(struct engine *engine, int64_t job,
        const struct envelope_signature *signature, struct failure *ret_failure);
/* Nobody will sign what a job proposed: it ends. ENGINE_E_REFUSED fills ret_failure. */
int __must_check engine_decline(
        struct engine *engine, int64_t job, const char *why, struct failure *ret_failure);
/* Whether a machine has open jobs. */
bool engine_is_busy(const struct engine *engine, const struct machine *machine);
/* Ends the open jobs of a machine that went away; not one that is about to start it. */
void engine_abandon(struct engine *engine, struct machine *machine, const char *why);
/* The open job of a service; 0: none. */
int64_t engine_open_job(
        const struct engine *engine, const struct machine *machine, const char *service);
