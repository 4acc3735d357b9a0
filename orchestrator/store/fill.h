#pragma once
/*
 * A record as lud leaves it behind after months, for tests and benchmarks: made by the functions
 * that lud uses, row by row. Half of all jobs are of one service of the first machine, so that
 * what walks all rows of a service is as slow as what walks a table.
 */
#include "orchestrator/store/rows.h"
#include "orchestrator/store/schema.h"

#define FILL_SERVICES 7
#define FILL_RELEASES 3

struct fill {
	struct db *db;
	int64_t n_machines;
	int64_t n_jobs;    /* each with two generations, the first of which never ran */
	bool machine_made; /* by the machine, and each job with one generation */
	/* What was made: the busy service and the last job of it. */
	struct service_row busy;
	struct release_row releases[FILL_SERVICES][FILL_RELEASES];
	int64_t done;
	const struct release_row *release;
	struct job_row job;
	struct generation_row generation;
	struct order_row order;
};

extern const char *const fill_services[FILL_SERVICES];

/* ->db and the numbers are the caller's; machines are named m0, m1 ... */
int __must_check fill_record(struct fill *fill);
/* Up to ->n_jobs, which has grown since. */
int __must_check fill_more(struct fill *fill);
