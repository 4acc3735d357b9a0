#pragma once
/* Rows of generations. Writers are called inside db_txn(). */
#include "orchestrator/store/schema.h"

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

struct generation_row {
	int64_t id;
	int64_t service;
	uint64_t number;
	uint64_t epoch; /* serial of the root that it was signed under; 0: not yet */
	int64_t variant;
	int64_t job;
	enum generation_state state;
	int64_t issued;  /* unix s */
	int64_t expires; /* unix s */
	int64_t committed_us;
	/* Joined, read only. */
	int64_t machine;
	int64_t release;
	char service_name[24];
	bool has_envelope;
	bool has_payload;
};

/* Which generations store_generation_each() visits. Zero fields do not restrict. */
struct generation_filter {
	int64_t machine;
	int64_t job;
	const char *service; /* NULL or "": all */
	int64_t before;      /* rows older than this id */
	int64_t limit;       /* at most so many, newest first; 0: all, oldest first */
};

/* Fills row->id. */
int __must_check store_generation_insert(struct db *db, struct generation_row *row);
int __must_check store_generation_sign(struct db *db, const struct generation_row *row,
        const void *envelope, size_t envelope_size);
/* The epoch of an order that names it. */
int __must_check store_generation_set_epoch(struct db *db, int64_t id, uint64_t epoch);
int __must_check store_generation_set_state(struct db *db, int64_t id, enum generation_state state);
/* The machine runs this number: it becomes RUNNING and the one before PAST. */
int __must_check store_generation_runs(struct db *db, int64_t service, uint64_t number);

int __must_check store_generation_find(struct db *db, int64_t machine, const char *service,
        uint64_t number, struct generation_row *ret);
/* The newest generation of another release that ran before `number`. */
int __must_check store_generation_earlier(struct db *db, int64_t service, uint64_t number,
        int64_t release, struct generation_row *ret);
/* The caller frees *ret_envelope. DB_E_NONE when it was never signed. */
int __must_check store_generation_envelope(
        struct db *db, int64_t id, uint8_t **ret_envelope, size_t *ret_size);
typedef int (*store_generation_fn)(const struct generation_row *row, void *arg);
int __must_check store_generation_each(
        struct db *db, const struct generation_filter *filter, store_generation_fn fn, void *arg);

const char *generation_state_name(enum generation_state state);
