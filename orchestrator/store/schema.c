/*
 * The schema, made of tables.def. A record of any earlier version is brought up to date step by
 * step, and a new one goes the same way, so that both end up alike. The step to version n is:
 *
 *   what store_steps[n] has to do first
 *   CREATE TABLE   for each table that came with n, with its columns of n
 *   ALTER TABLE    for each other column that came with n
 *   what store_steps[n] does then: indexes, values for the rows that are there
 *
 * A step that was released never changes what it makes; schema_test.c compares each with what the
 * released programs made.
 *
 * When the record is opened its columns are compared with those of an empty one, made by the same
 * steps in memory. Somebody's ALTER TABLE is then an error at the start, with its name, and not
 * one in the middle of a job. Columns and tables that are there besides are left alone.
 */
#include "orchestrator/store/schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/store/priv.h"

/* What rows cannot say, by version. */
static const struct {
	const char *before, *after;
	int (*fn)(struct db *db);
	bool rewrites;
} store_steps[STORE_VERSIONS_MAX + 1] = {
        [1] = {.after = "CREATE INDEX releases_service ON releases(service, counter);"
                        "CREATE INDEX generations_job ON generations(job);"
                        "CREATE INDEX jobs_open ON jobs(machine, id) WHERE ended_us = 0;"
                        "CREATE INDEX jobs_service ON jobs(machine, service, id);"
                        /* As it was before it had lines, which are part of its key. */
                        "CREATE TABLE events("
                        " id INTEGER PRIMARY KEY AUTOINCREMENT,"
                        " machine INTEGER NOT NULL REFERENCES machines(id),"
                        " boot_id INTEGER NOT NULL,"
                        " seq INTEGER NOT NULL,"
                        " clock_ns INTEGER NOT NULL,"
                        " seen_us INTEGER NOT NULL,"
                        " body BLOB NOT NULL,"
                        " UNIQUE(machine, boot_id, seq)) STRICT;"},
        [2] = {.after = "UPDATE machines SET is_default = 1"
                        " WHERE id = (SELECT min(id) FROM machines);"},
        [3] = {.before = "ALTER TABLE events RENAME TO events_without_lines;",
                .after = "CREATE INDEX orders_job ON orders(job, id);"
                         "INSERT INTO events(id, machine, boot_id, seq, clock_ns, seen_us, body)"
                         " SELECT id, machine, boot_id, seq, clock_ns, seen_us, body"
                         " FROM events_without_lines;"
                         "DROP TABLE events_without_lines;"},
        /*
         * No question walks a table. Those that a status or a job's end asks each time have an
         * index of their own; conditions of partial ones stand in the queries word by word.
         */
        [20] = {.after = "UPDATE generations SET"
                         " machine = (SELECT machine FROM services WHERE id = service),"
                         " release = (SELECT release FROM variants WHERE id = variant);"
                         "CREATE INDEX generations_variant ON generations(variant);"
                         "UPDATE variants SET service = coalesce("
                         "(SELECT service FROM generations WHERE variant = variants.id), 0),"
                         " compared = EXISTS (SELECT 1 FROM effects e JOIN generations g"
                         " ON g.id = e.generation WHERE g.variant = variants.id);"
                         "CREATE INDEX generations_time ON generations(service, committed_us)"
                         " WHERE committed_us > 0;"
                         "UPDATE generations SET ran_after = coalesce((SELECT id FROM generations o"
                         " WHERE o.service = generations.service AND o.committed_us > 0"
                         " AND o.committed_us < generations.committed_us"
                         " ORDER BY o.committed_us DESC LIMIT 1), 0) WHERE committed_us > 0;"
                         "DROP INDEX generations_time;"
                         "CREATE INDEX generations_machine ON generations(machine);"
                         "CREATE INDEX generations_service ON generations(service);"
                         "CREATE INDEX generations_running ON generations(service) WHERE state = 1;"
                         "CREATE INDEX generations_past ON generations(service, release, number)"
                         " WHERE state = 2;"
                         "CREATE INDEX variants_kept ON variants(service) WHERE path <> '';"
                         "CREATE INDEX variants_due ON variants(id)"
                         " WHERE path <> '' AND compared = 0;"
                         "CREATE INDEX jobs_machine ON jobs(machine);"
                         "CREATE INDEX jobs_bare ON jobs(machine)"
                         " WHERE ended_us > 0 AND generation = 0;"
                         "CREATE INDEX jobs_child ON jobs(parent) WHERE parent > 0;"
                         "CREATE INDEX jobs_stood ON jobs(machine, service) WHERE blackout_ns > 0;"
                         "CREATE INDEX orders_accepted"
                         " ON orders(machine, boot_id, line, epoch, txn) WHERE accepted = 1;"
                         "CREATE INDEX events_machine ON events(machine);"},
        [22] = {.after = "CREATE INDEX timers_look ON timers(look_us) WHERE look_us > 0;"
                         "CREATE INDEX timers_alarm ON timers(alarm_us) WHERE alarm_us > 0;"},
        [24] = {.after = "CREATE INDEX rollouts_open ON rollouts(id) WHERE is_open;"
                         "CREATE INDEX rollouts_release ON rollouts(release, id);"
                         "CREATE INDEX rollout_changes_of ON rollout_changes(rollout, id);"},
        [17] = {.after = "CREATE INDEX holds_active ON holds(id) WHERE ended_us = 0;"},
        [11] = {.after = "CREATE UNIQUE INDEX jobs_request ON jobs(request_id, machine, service)"
                         " WHERE request_id <> '';"},
        /* An open job had one state, 1; now it has that of its step, and waits for its turn. */
        [14] = {.after = "UPDATE jobs SET state = CASE"
                         " WHEN step IN (2, 3, 6) OR (step = 4 AND NOT machine_made) THEN 11"
                         " WHEN step IN (1, 4, 12) OR (step = 9 AND kind IN (6, 7)) THEN 10"
                         " WHEN step = 9 THEN 12"
                         " WHEN step IN (5, 7) THEN 15"
                         " WHEN step = 10 OR (step = 8 AND kind = 5) THEN 18"
                         " WHEN step = 8 THEN 19"
                         " ELSE 9 END,"
                         " wait_why = 'its turn',"
                         " wait_until_us = (unixepoch() + 86400) * 1000000,"
                         " wait_look_us = (unixepoch() + 86400) * 1000000"
                         " WHERE state = 1;"},
        [26] = {.after = "CREATE INDEX heads_release ON heads(release);"
                         "CREATE INDEX jobs_asked ON jobs(machine, service, release, kind)"
                         " WHERE way = 3;"
                         "UPDATE jobs SET steps = " STORE_STEPS_FOLDED
                         " WHERE ended_us > 0 AND EXISTS"
                         " (SELECT 1 FROM job_steps WHERE job = jobs.id);"
                         "DELETE FROM job_steps WHERE job IN"
                         " (SELECT id FROM jobs WHERE steps IS NOT NULL);"
                         "UPDATE orders SET envelope = x'' WHERE job IN"
                         " (SELECT id FROM jobs WHERE " STORE_IS_PLAIN " AND id <= "
                         "(SELECT n.id FROM jobs n WHERE n.machine = jobs.machine"
                         " ORDER BY n.id DESC LIMIT 1 OFFSET " STORE_ORDERS_WHOLE "));"},
        /*
         * Rows of a service are found by their number, which rises with the id; and the newest blackouts among
         * the newest jobs. Those that are over and whole wait for fold.c; signed variants move.
         */
        [27] = {.after = "DROP INDEX generations_service;"
                         "DROP INDEX jobs_stood;"
                         "DROP INDEX jobs_asked;"
                         "CREATE INDEX jobs_asked ON jobs(machine, service, release, kind)"
                         " WHERE " STORE_BY_POLICY ";"
                         "CREATE INDEX jobs_whole ON jobs(machine, id) WHERE folded = 0;"
                         "INSERT INTO job_courses(id, steps)"
                         " SELECT id, steps FROM jobs WHERE steps IS NOT NULL;"
                         "UPDATE jobs SET steps = NULL WHERE steps IS NOT NULL;"
                         "INSERT INTO generation_envelopes(id, bytes)"
                         " SELECT id, envelope FROM generations WHERE envelope IS NOT NULL;"
                         "UPDATE generations SET envelope = NULL WHERE envelope IS NOT NULL;"},
        /* What was packed in columns is taken apart. */
        [30] = {.fn = store_migrate_messages},
        /* Pages of rows that got smaller by the steps before are no use to others. */
        [32] = {.rewrites = true,
                .after = "CREATE INDEX jobs_plan ON jobs(plan) WHERE plan IS NOT NULL;"
                         "CREATE INDEX order_heads_size ON order_heads(size);"},
        [33] = {.after = "CREATE INDEX answers_principal ON answers(principal);"
                         "CREATE INDEX answers_at ON answers(at_us);"},
        /* What was packed of an event has columns. */
        [34] = {.fn = store_migrate_events},
        [28] = {.after = "CREATE INDEX plans_job ON plans(job);"},
        /* 2 and 4: crashed, and crashed too often. */
        [29] = {.after = "CREATE INDEX changes_machine ON changes(machine);"
                         "CREATE INDEX changes_service ON changes(machine, service);"
                         "CREATE INDEX changes_crash ON changes(machine) WHERE kind IN (2, 4);"},
        /* An id is that of a user: others have their own of the same words. */
        [19] = {.after = "DROP INDEX jobs_request;"
                         "CREATE UNIQUE INDEX jobs_request ON jobs(request_id, machine, service, "
                         "uid)"
                         " WHERE request_id <> '';"},
};

unsigned store_schema_version(void)
{
	unsigned version = 0;

	for (size_t t = 0; t < _STORE_TABLE_N; t++) {
		for (size_t i = 0; i < store_tables[t].n_columns; i++) {
			unsigned since = store_tables[t].columns[i].since;

			version = since > version ? since : version;
		}
	}
	/* One that brings no column. */
	while (version < STORE_VERSIONS_MAX && store_steps[version + 1].after) {
		version++;
	}
	return version;
}

/* A table that came with this version is made whole; others get the columns that came with it. */
static void store_schema_table(FILE *sql, const struct store_table *table, unsigned version)
{
	const char *comma = "";

	if (table->since == version) {
		fprintf(sql, "CREATE TABLE %s(", table->name);
	}
	for (size_t i = 0; i < table->n_columns; i++) {
		const struct store_column *column = &table->columns[i];

		if (!column->declared || column->since != version) {
			continue;
		}
		if (table->since == version) {
			fprintf(sql, "%s%s %s", comma, column->name, column->declared);
			comma = ", ";
		} else {
			fprintf(sql, "ALTER TABLE %s ADD COLUMN %s %s;", table->name, column->name,
			        column->declared);
		}
	}
	if (table->since == version) {
		fprintf(sql, "%s;", table->rules);
	}
}

/* The SQL of one step; the caller frees. */
static char *store_schema_step(unsigned version)
{
	const char *before = store_steps[version].before, *after = store_steps[version].after;
	char *text = NULL;
	size_t size;
	FILE *sql = open_memstream(&text, &size);

	if (!sql) {
		abort();
	}
	fputs(before ? before : "", sql);
	for (size_t t = 0; t < _STORE_TABLE_N; t++) {
		store_schema_table(sql, &store_tables[t], version);
	}
	fputs(after ? after : "", sql);
	if (fclose(sql)) {
		abort();
	}
	return text;
}

void store_migrations_init(struct store_migrations *all)
{
	all->n = store_schema_version();
	for (size_t i = 0; i < all->n; i++) {
		all->texts[i] = store_schema_step(i + 1);
		all->steps[i].sql = all->texts[i];
		all->steps[i].fn = store_steps[i + 1].fn;
		all->steps[i].rewrites = store_steps[i + 1].rewrites;
	}
}

void store_migrations_fini(struct store_migrations *all)
{
	for (size_t i = 0; i < all->n; i++) {
		free(all->texts[i]);
	}
}

/* Every column of every table, as SQLite understood its declaration. */
#define STORE_SHAPE                                                                                \
	"SELECT m.name, c.name, c.type || ' ' || c.\"notnull\" || ' ' || c.pk || ' '"              \
	" || coalesce(c.dflt_value, 'NULL') FROM sqlite_schema m, pragma_table_info(m.name) c"     \
	" WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'"

struct store_comparison {
	struct db *record;
	char what[160]; /* the first difference */
};

/* Looks for one column of the empty record in the one that is opened. */
static int store_compare_column(sqlite3_stmt *row, void *arg)
{
	struct store_comparison *comparison = arg;
	char table[64], column[64], shape[128];
	int r;

	db_column_text(row, 0, table, sizeof(table));
	db_column_text(row, 1, column, sizeof(column));
	db_column_text(row, 2, shape, sizeof(shape));
	r = db_query(comparison->record, NULL, NULL,
	        "WITH shape(t, c, s) AS (" STORE_SHAPE ") SELECT 1 FROM shape"
	        " WHERE t = ? AND c = ? AND s = ?",
	        "ttt", table, column, shape);
	if (r == DB_E_NONE) {
		snprintf(comparison->what, sizeof(comparison->what), "%s.%s", table, column);
		return err_raise(-EBADMSG);
	}
	return err_up(r);
}

static int store_compare(const struct store_migrations *all, struct db *record, const char *path,
        struct failure *ret_failure)
{
	_cleanup_(db_closep) struct db *empty = NULL;
	struct store_comparison comparison = {.record = record};
	int r = db_open(":memory:", all->steps, all->n, &empty, ret_failure);

	if (r) {
		return err_up(r);
	}
	r = db_query(empty, store_compare_column, &comparison, STORE_SHAPE, "");
	if (r && !*comparison.what) {
		db_failure(record, ret_failure);
	} else if (r) {
		failure_set(ret_failure, "record-changed", path,
		        "restore a backup of the file, or undo what was done to its tables; "
		        "machines "
		        "run on meanwhile",
		        "column %s of the record is missing or is not as lud made it",
		        comparison.what);
	}
	return err_fold(r);
}

int store_open(const char *path, struct db **ret_db, struct failure *ret_failure)
{
	_cleanup_(store_migrations_fini) struct store_migrations all = {0};
	_cleanup_(db_closep) struct db *db = NULL;
	int r;

	store_migrations_init(&all);
	r = db_open(path, all.steps, all.n, &db, ret_failure);
	if (!r) {
		r = store_compare(&all, db, path, ret_failure);
	}
	if (r) {
		return err_up(r);
	}
	*ret_db = steal(&db);
	return 0;
}

int store_open_version(
        const char *path, unsigned version, struct db **ret_db, struct failure *ret_failure)
{
	_cleanup_(store_migrations_fini) struct store_migrations all = {0};

	store_migrations_init(&all);
	return err_up(db_open(path, all.steps, version, ret_db, ret_failure));
}

int store_recover(const char *path, db_saved_fn fn, void *arg, struct db_recovered *ret,
        struct failure *ret_failure)
{
	_cleanup_(store_migrations_fini) struct store_migrations all = {0};

	store_migrations_init(&all);
	return err_up(db_recover(path, all.steps, all.n, fn, arg, ret, ret_failure));
}

int store_tidy(const char *path, int64_t *ret_n, struct failure *ret_failure)
{
	_cleanup_(db_closep) struct db *db = NULL;
	int64_t n = 0;
	int r = store_open(path, &db, ret_failure);

	if (r) {
		return err_up(r);
	}
	r = store_leftovers_count(db, &n);
	if (!r && n) {
		r = db_txn(db, store_leftovers_drop, NULL);
	}
	if (r) {
		db_failure(db, ret_failure);
		return err_fold(r);
	}
	*ret_n = n;
	return 0;
}
