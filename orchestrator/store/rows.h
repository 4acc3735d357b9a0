#pragma once
/*
 * A row of each table as a plain struct, made of tables.def, where each field is explained; and
 * the enums that some columns hold. Numbers of job kinds, states and steps are those of the
 * control protocol. A row owns nothing; what was not read or set is zero.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "orchestrator/access/access.h"

enum job_kind {
#define JOB_KIND(name, number, word, priority) JOB_##name = number,
#include "proto/words/jobs.def"
#undef JOB_KIND
	_JOB_KIND_N,
};

enum job_state {
#define JOB_STATE(name, number, word, class) JOB_##name = number,
#include "proto/words/jobs.def"
#undef JOB_STATE
	_JOB_STATE_N,
};

enum job_step {
#define JOB_STEP(name, number, word) JOB_STEP_##name = number,
#include "proto/words/jobs.def"
#undef JOB_STEP
	_JOB_STEP_N,
};

enum job_step_state {
	JOB_STEP_BEGUN,
	JOB_STEP_DONE,
	JOB_STEP_FAILED,
	_JOB_STEP_STATE_N,
};

enum generation_state {
	GENERATION_PLANNED,   /* number drawn; may never run */
	GENERATION_RUNNING,   /* the machine said so */
	GENERATION_PAST,      /* ran, and another runs now */
	GENERATION_REHEARSED, /* prepare-only: could have run */
	GENERATION_REFUSED,   /* the machine refused it */
	GENERATION_UNDONE,    /* begun and rolled back */
	GENERATION_ABANDONED, /* its job ended before the machine was asked */
	GENERATION_UNKNOWN,   /* nobody can say what became of it */
	_GENERATION_N,
};

/* What is known of the health of an update that is watched. */
enum soak_verdict {
	SOAK_UNKNOWN, /* it holds, and never passes */
	SOAK_WELL,
	SOAK_FAILED,
	_SOAK_VERDICT_N,
};

/* The words of proto/words/rollouts.def. */
enum rollout_state {
#define ROLLOUT_STATE(name, number, word, sentence) ROLLOUT_##name = number,
#include "proto/words/rollouts.def"
	_ROLLOUT_STATE_N,
};
enum rollout_member_state {
#define ROLLOUT_MEMBER(name, number, word) ROLLOUT_IS_##name = number,
#include "proto/words/rollouts.def"
	_ROLLOUT_MEMBER_N,
};
enum rollout_changed {
#define ROLLOUT_CHANGE(name, number, word) ROLLOUT_WAS_##name = number,
#include "proto/words/rollouts.def"
	_ROLLOUT_CHANGED_N,
};

/* What was found out of a layout and the one before it. A generation without a row: nothing yet. */
enum effect_found {
	EFFECT_COMPARED,      /* by a worker, byte by byte */
	EFFECT_COUNTED,       /* by the machine, which made both; pieces 0: it could not */
	EFFECT_FIRST,         /* none ran before, as far as the record has it */
	EFFECT_OTHER_RELEASE, /* another release ran before */
	EFFECT_UNSEEN,        /* the machine had made the one before */
	EFFECT_GONE,          /* the payload of the one before is kept no more */
	EFFECT_FAILED,        /* the worker's answer made no sense */
	_EFFECT_FOUND_N,
};

/* Rows that go when they are many and old, in this order: see retention.h. */
enum retention_what {
	RETENTION_GENERATIONS,
	RETENTION_JOBS,
	RETENTION_POLICIES,
	_RETENTION_N,
};

/* struct machine_row, release_row, service_row, variant_row, generation_row, job_row ... */
#define TABLE(row, since, rules, joins) struct row##_row {
#define COLUMN(row, since, name, type, written, declared) typeof(type) name;
#define APART(row, since, name, written, declared)
#define JOINED(row, name, type, expression) typeof(type) name;
#define END(row)                                                                                   \
	}                                                                                          \
	;
#include "orchestrator/store/tables.def"
#undef TABLE
#undef COLUMN
#undef APART
#undef JOINED
#undef END

#define STORE_COMMIT_SIZE 64u
#define STORE_SEALED_SIZE 80u

/* What a machine tells of the seed of a layout, and of those that it made by itself before. */
struct store_seed {
	const uint8_t *commit; /* STORE_COMMIT_SIZE bytes; NULL: made by the host, or not told */
	const uint8_t *sealed; /* STORE_SEALED_SIZE bytes; NULL: there was no audit key */
	/* As in struct folded_run_row. */
	uint64_t first_ns, last_ns;
	int64_t zero_us;
	const uint8_t *head; /* STORE_COMMIT_SIZE bytes */
};
