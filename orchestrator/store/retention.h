#pragma once
/* Rows that are old enough to go: which they are, and what is said of them afterwards. */
#include "orchestrator/store/rows.h"
#include "orchestrator/store/schema.h"

/*
 * A round over the whole record, in pieces; all zero before it begins. Generations go before jobs,
 * which they refer to.
 */
struct retention {
	enum retention_what what;
	int64_t of;     /* the service or machine whose turn it is; 0: before the first */
	int64_t after;  /* its rows up to this id (generations: number) were looked at */
	int64_t upto;   /* its rows up to this one are too many; 0: that is not known yet */
	int64_t below;  /* until then: its rows from here on were counted; 0: it is not its turn */
	int64_t left;   /* ... and so many more of them stay */
	bool folds;     /* its jobs may have something to fold */
	uint64_t pages; /* of rows that were looked at */
};

/* The newest rows that stay. */
struct retention_limits {
	int64_t kept[_RETENTION_N]; /* of a machine, of a service, of all */
};

/*
 * Looks at a few rows and removes those that may go. Called inside db_txn(). DB_E_NONE: the round is
 * over, and the next one begins with the next call.
 */
int __must_check store_retain(
        struct db *db, struct retention *round, const struct retention_limits *limits);

/* How many rows of a machine (policies: 0) and service ("": all) went, and when the last one did. */
int __must_check store_removed(struct db *db, enum retention_what what, int64_t machine,
        const char *service, uint64_t *ret_n, int64_t *ret_usec);
/* When a job went that is not there any more. DB_E_NONE: it never was there. */
int __must_check store_job_removed(struct db *db, int64_t id, int64_t *ret_usec);
