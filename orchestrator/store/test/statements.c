/* What SQLite tells of a statement: by a trace of each run, and by EXPLAIN QUERY PLAN. */
#undef NDEBUG
#include "orchestrator/store/test/statements.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATEMENTS_MAX 256
/* A page of 40 rows with all their columns; a walk of the small record takes some ten thousands. */
#define STEPS_MAX 4000
/* One row with all its columns: whoever looks through those of one service for it takes more. */
#define STEPS_ONE_MAX 400

/* Tables with a row for each job, generation or event. */
static const char *const growing[] = {"jobs", "job_steps", "job_courses", "generations", "variants",
        "orders", "order_envelopes", "generation_envelopes", "events", "effects", "rollouts",
        "rollout_rings", "rollout_members", "rollout_changes", "changes"};

struct statement {
	char *sql;
	int steps; /* the most that one run took */
};

static struct {
	sqlite3 *sqlite;
	struct statement all[STATEMENTS_MAX];
	size_t n;
	bool looks;
} seen;

static struct statement *statement_of(const char *sql)
{
	for (size_t i = 0; i < seen.n; i++) {
		if (!strcmp(seen.all[i].sql, sql)) {
			return &seen.all[i];
		}
	}
	assert(seen.n < STATEMENTS_MAX);
	seen.all[seen.n].sql = strdup(sql);
	return &seen.all[seen.n++];
}

static int on_statement(unsigned kind, void *arg, void *statement, void *nsec)
{
	struct statement *it;
	int steps;

	/* Of this run alone: the statement is run again. */
	steps = sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 1);
	if (seen.looks) {
		it = statement_of(sqlite3_sql(statement));
		it->steps = steps > it->steps ? steps : it->steps;
	}
	return 0;
}

/* SQLite calls it for each database that is opened; the first is the record, one that it is compared with follows. */
static int on_open(sqlite3 *sqlite, char **ret_error, const void *api)
{
	seen.sqlite = seen.sqlite ? seen.sqlite : sqlite;
	return sqlite3_trace_v2(sqlite, SQLITE_TRACE_PROFILE, on_statement, NULL);
}

static bool is_growing(const char *name, size_t size)
{
	for (size_t i = 0; i < sizeof(growing) / sizeof(growing[0]); i++) {
		if (strlen(growing[i]) == size && !memcmp(growing[i], name, size)) {
			return true;
		}
	}
	return false;
}

/* A line of a plan: "SCAN jobs", "SEARCH g USING INTEGER PRIMARY KEY (rowid<?)", "USE TEMP ...". */
static bool is_bounded(const char *line)
{
	const char *table = strchr(line, ' ') + 1;

	if (!strncmp(line, "USE TEMP B-TREE", 15)) {
		return false;
	}
	if (!strncmp(line, "SCAN ", 5) && is_growing(table, strcspn(table, " "))) {
		/* Of open jobs alone; and what has a file, is not compared, and has run, is next. */
		return strstr(line, "INDEX jobs_open") || strstr(line, "INDEX variants_due");
	}
	return !strstr(line, "PRIMARY KEY (rowid<?)") && !strstr(line, "PRIMARY KEY (rowid>?)");
}

/* These sort what an index has found, which is a handful: releases, services of a machine, open jobs, a page of retention. */
static bool is_small(const char *sql)
{
	return strstr(sql, " FROM releases ") || strstr(sql, "INSERT INTO removals(") ||
	       strstr(sql, " FROM services ") || strstr(sql, "INDEXED BY jobs_open ") ||
	       strstr(sql, " FROM machines WHERE id > ? ORDER BY id LIMIT 1") ||
	       strstr(sql, " FROM rollouts WHERE id < ? ORDER BY id DESC LIMIT ?");
}

static bool ends_in(const char *sql, const char *end)
{
	return strlen(sql) >= strlen(end) && !strcmp(sql + strlen(sql) - strlen(end), end);
}

/* What is wrong with it is printed; how much that is. */
static int statement_check(const struct statement *statement)
{
	char sql[4096];
	sqlite3_stmt *plan;
	int n_bad = 0, most = ends_in(statement->sql, " DESC LIMIT 1") ? STEPS_ONE_MAX : STEPS_MAX;

	snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s", statement->sql);
	if (sqlite3_prepare_v2(seen.sqlite, sql, -1, &plan, NULL) != SQLITE_OK) {
		fprintf(stderr, "%s\n  %s\n", statement->sql, sqlite3_errmsg(seen.sqlite));
		abort();
	}
	while (sqlite3_step(plan) == SQLITE_ROW) {
		const char *line = (const char *)sqlite3_column_text(plan, 3);

		if (!is_bounded(line) && !is_small(statement->sql)) {
			fprintf(stderr, "%s\n  %s\n", statement->sql, line);
			n_bad++;
		}
	}
	sqlite3_finalize(plan);
	if (statement->steps > most) {
		fprintf(stderr, "%s\n  took %d steps\n", statement->sql, statement->steps);
		n_bad++;
	}
	return n_bad;
}

void statements_watch(void)
{
	assert(sqlite3_auto_extension((void (*)(void))on_open) == SQLITE_OK);
}

sqlite3 *statements_db(void)
{
	return seen.sqlite;
}

void statements_look(bool looks)
{
	seen.looks = looks;
}

int statements_check(void)
{
	int n_bad = 0;

	for (size_t i = 0; i < seen.n; i++) {
		n_bad += statement_check(&seen.all[i]);
	}
	return n_bad;
}
