/*
 * The schema is made of rows; the records that are out there were made by text. Each version that
 * was released is opened here from what its program made, with rows in it.
 *
 * Usage: schema_test RELEASED.SQL
 */
#undef NDEBUG
#include "orchestrator/store/schema.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/store/generations.h"
#include "orchestrator/store/jobs.h"
#include "orchestrator/store/machines.h"
#include "orchestrator/store/priv.h"
#include "orchestrator/store/releases.h"

#define RELEASED_N 4

struct released {
	char *text;
	struct db_migration steps[RELEASED_N];
};

static void released_read(const char *path, struct released *ret)
{
	uint8_t *bytes;
	size_t size;
	char *at;

	assert(file_read(path, 1 << 20, &bytes, &size) == 0);
	ret->text = text_format("%.*s", (int)size, (const char *)bytes);
	free(bytes);
	at = ret->text;
	for (int i = 0; i < RELEASED_N; i++) {
		char mark[32];

		snprintf(mark, sizeof(mark), "-- version %d\n", i + 1);
		at = strstr(at, mark);
		assert(at);
		/* Ends the step before. */
		*at = '\0';
		at += strlen(mark);
		ret->steps[i].sql = at;
	}
}

/* Everything that SQLite knows of the tables but the order of columns. */
#define SHAPE                                                                                      \
	"WITH shape(line) AS (SELECT m.name || '.' || c.name || ' ' || c.type || ' ' ||"           \
	" c.\"notnull\" || ' ' || coalesce(c.dflt_value, 'NULL') || ' ' || c.pk"                   \
	" FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table'"                \
	" UNION SELECT m.name || ' -> ' || f.\"from\" || ' ' || f.\"table\" || ' ' || f.\"to\""    \
	" FROM sqlite_schema m, pragma_foreign_key_list(m.name) f"                                 \
	" UNION SELECT m.name || ' index ' || i.\"unique\" || ' ' || i.partial || ' ' ||"          \
	" (SELECT group_concat(x.name) FROM pragma_index_info(i.name) x)"                          \
	" FROM sqlite_schema m, pragma_index_list(m.name) i"                                       \
	" UNION SELECT t.name || ' ' || t.wr || ' ' || t.strict FROM pragma_table_list t"          \
	" WHERE t.schema = 'main' UNION SELECT name || ' counts ' ||"                              \
	" (sql LIKE '%AUTOINCREMENT%') FROM sqlite_schema)"                                        \
	" SELECT group_concat(line, char(10)) FROM (SELECT line FROM shape ORDER BY line)"

static int shape_row(sqlite3_stmt *row, void *arg)
{
	*(char **)arg = text_copy((const char *)sqlite3_column_text(row, 0));
	return 0;
}

static char *shape(struct db *db)
{
	char *text = NULL;

	assert(db_query(db, shape_row, &text, SHAPE, "") == 0);
	assert(strlen(text) > 4000);
	return text;
}

/* The newest released text and the rows make the same tables, but for what is newer. */
static void test_same(const struct released *released)
{
	struct failure failure = {0};
	struct db *old, *new;
	_cleanup_(freep) char *old_shape = NULL;
	_cleanup_(freep) char *new_shape = NULL;

	assert(db_open(":memory:", released->steps, RELEASED_N, &old, &failure) == 0);
	assert(store_open(":memory:", &new, &failure) == 0);
	old_shape = shape(old);
	new_shape = shape(new);
	if (store_schema_version() == RELEASED_N) {
		assert(!strcmp(old_shape, new_shape));
	}
	for (char *line = strtok(old_shape, "\n"); line; line = strtok(NULL, "\n")) {
		if (!strstr(new_shape, line)) {
			fprintf(stderr, "not made by the rows: %s\n", line);
			abort();
		}
	}
	db_close(old);
	db_close(new);
}

/* Open jobs of earlier records, which had one state, and what they are by their step. */
static const struct {
	enum job_kind kind;
	enum job_step step;
	enum job_state state;
} opens[] = {
        {JOB_UPDATE, JOB_STEP_PAIR, JOB_PLANNED},
        {JOB_UPDATE, JOB_STEP_SEED, JOB_APPROVED},
        {JOB_UPDATE, JOB_STEP_FORGE, JOB_FORGING},
        {JOB_UPDATE, JOB_STEP_SIGN, JOB_FORGING},
        {JOB_UPDATE, JOB_STEP_STAGE, JOB_FORGING},
        {JOB_UPDATE, JOB_STEP_ORDER, JOB_STAGED},
        {JOB_UPDATE, JOB_STEP_RUN, JOB_ORDERED},
        {JOB_UPDATE, JOB_STEP_CHECK, JOB_PROBATION},
        {JOB_UPDATE, JOB_STEP_CONFIRM, JOB_SOAKING},
        {JOB_START, JOB_STEP_IMAGE, JOB_FORGING},
        {JOB_START, JOB_STEP_LAUNCH, JOB_ORDERED},
        {JOB_START, JOB_STEP_CONFIRM, JOB_PROBATION},
        {JOB_RESTART, JOB_STEP_ORDER, JOB_APPROVED},
        {JOB_SHUTDOWN, JOB_STEP_RUN, JOB_ORDERED},
        {JOB_MOVE, JOB_STEP_MOVE, JOB_APPROVED},
};

#define JOB_OVER (2 + (int64_t)(sizeof(opens) / sizeof(opens[0]))) /* committed */

static void check_states(struct db *db)
{
	size_t n = sizeof(opens) / sizeof(opens[0]);
	struct job_row job;

	for (size_t i = 0; i < n; i++) {
		assert(store_job_find(db, 2 + (int64_t)i, &job) == 0);
		assert(job.state == opens[i].state && job.step == opens[i].step);
		assert(!strcmp(job.wait_why, "its turn") && job.wait_look_us == job.wait_until_us);
	}
	assert(store_job_find(db, 2 + (int64_t)n, &job) == 0 && job.state == JOB_COMMITTED);
	assert(!*job.wait_why && !job.wait_until_us);
	assert(store_job_find(db, 3 + (int64_t)n, &job) == 0 && job.state == JOB_INCONSISTENT);
}

/* Steps are folded where the job is over, and told alike. */
static int check_step(const struct job_step_row *row, void *arg)
{
	static const struct job_step_row steps[] = {
	        {.state = JOB_STEP_DONE, .ended_us = 15},
	        {.state = JOB_STEP_FAILED, .ended_us = 16, .detail = "a \"word\""},
	        {.state = JOB_STEP_BEGUN},
	};
	int *n = arg;

	assert(row->n == *n + 1 && (int)row->step == *n + 2 && row->started_us == 11 + *n);
	assert(row->state == steps[*n].state && row->ended_us == steps[*n].ended_us);
	assert(!strcmp(row->detail, steps[*n].detail));
	++*n;
	return 0;
}

static void check_steps(struct db *db, int64_t job, int64_t rows)
{
	int64_t n_rows;
	int n = 0;

	assert(store_job_step_each(db, job, check_step, &n) == 0 && n == 3);
	assert(db_query_int(
	               db, &n_rows, "SELECT count(*) FROM job_steps WHERE job = ?", "i", job) == 0);
	assert(n_rows == rows);
}

/* Of orders of jobs that went well those of the newest jobs stay whole; an open one's stays. */
static int fill_orders(struct db *db, void *arg)
{
	for (int64_t n = 0; n < 10; n++) {
		assert(db_run(db,
		               "INSERT INTO jobs(machine, service, kind, state, step, identity,"
		               " created_us, ended_us) VALUES(1, 'rs', 1, 2, 8, 'uid 0', 9, 10)",
		               "") == 0);
	}
	assert(db_run(db,
	               "INSERT INTO orders(job, machine, boot_id, line, epoch, txn, action, "
	               "expires,"
	               " envelope, created_us) SELECT id, 1, 1, 0, 1, id, 1, 1, x'0708', 9 FROM "
	               "jobs",
	               "") == 0);
	return 0;
}

static void check_orders(struct db *db)
{
	int64_t first = JOB_OVER + 2, n = 0;
	struct order_row order;
	uint8_t *envelope;
	size_t size;

	for (int64_t job = 1; job < first + 10; job++) {
		assert(store_order_newest(db, job, 0, &order) == 0);
		assert(store_order_envelope(db, order.id, &envelope, &size) == 0);
		free(envelope);
		assert(size == 0 || (size == 2 && envelope));
		n += size == 0;
		if (job < JOB_OVER || job > first + 1) {
			assert(size == 2);
		}
	}
	/* The committed one, and of the ten those behind the newest eight. */
	assert(n == 3);
}

static int fill(struct db *db, void *arg)
{
	assert(db_run(db,
	               "INSERT INTO machines(name, attached, wanted, socket, image, created_us)"
	               " VALUES('one', 0, 1, '/s', '/i', 7), ('two', 1, 0, '/t', '', 8)",
	               "") == 0);
	assert(db_run(db,
	               "INSERT INTO jobs(machine, service, kind, state, step, identity, created_us)"
	               " VALUES(1, 'ds', 1, 1, 0, 'uid 0', 9)",
	               "") == 0);
	for (size_t i = 0; i < sizeof(opens) / sizeof(opens[0]); i++) {
		assert(db_run(db,
		               "INSERT INTO jobs(machine, service, kind, state, step, identity,"
		               " created_us) VALUES(1, 'tty', ?, 1, ?, 'uid 0', 9)",
		               "ii", (int64_t)opens[i].kind, (int64_t)opens[i].step) == 0);
	}
	assert(db_run(db,
	               "INSERT INTO jobs(machine, service, kind, state, step, identity, created_us,"
	               " ended_us) VALUES(1, 'vm', 1, 2, 8, 'uid 0', 9, 10), (1, 'vm', 1, 7, 5, "
	               "'uid 0', 9, 10)",
	               "") == 0);
	/* Of one that is over and of one that is open. */
	assert(db_run(db,
	               "INSERT INTO job_steps(job, n, step, state, started_us, ended_us, detail)"
	               " SELECT j.id, s.n, s.n + 1, s.state, 10 + s.n, s.ended, s.detail FROM jobs "
	               "j,"
	               " (SELECT 1 AS n, 1 AS state, 15 AS ended, '' AS detail"
	               " UNION SELECT 2, 2, 16, 'a \"word\"' UNION SELECT 3, 0, 0, '') s"
	               " WHERE j.id IN (2, ?)",
	               "i", (int64_t)JOB_OVER) == 0);
	assert(db_run(db,
	               "INSERT INTO events(machine, boot_id, seq, clock_ns, seen_us, body)"
	               " VALUES(1, 5, 41, 1, 2, x'0102'), (1, 5, 42, 3, 4, x'03')",
	               "") == 0);
	return 0;
}

/* A record of each version opens with its rows, and has the same shape then as a new one. */
static void test_open(const struct released *released, const char *path, int version)
{
	struct failure failure = {0};
	struct machine_row machine;
	struct job_row job;
	struct db *db, *new;
	_cleanup_(freep) char *old_shape = NULL;
	_cleanup_(freep) char *new_shape = NULL;
	int64_t n;

	assert(db_open(path, released->steps, version, &db, &failure) == 0);
	assert(db_txn(db, fill, NULL) == 0);
	if (version >= 3) {
		assert(db_txn(db, fill_orders, NULL) == 0);
	}
	db_close(db);
	assert(store_open(path, &db, &failure) == 0);
	assert(store_machine_by_name(db, "one", &machine) == 0);
	assert(machine.wanted && !machine.attached && machine.created_us == 7);
	assert(machine.is_default == (version < 2) && !machine.has_machine_id);
	assert(store_job_find(db, 1, &job) == 0);
	assert(job.machine == 1 && !strcmp(job.service, "ds") && !job.release && !job.accept_loss);
	assert(job.state == JOB_PLANNED && !strcmp(job.wait_why, "its turn") && job.wait_until_us);
	check_states(db);
	check_steps(db, 2, 3);
	check_steps(db, JOB_OVER, 0);
	if (version >= 3) {
		check_orders(db);
	}
	assert(db_query_int(db, &n, "SELECT sum(seq) * 10 + sum(length(body)) FROM events", "") ==
	        0);
	assert(n == 830);
	assert(db_query_int(db, &n, "SELECT seq FROM sqlite_sequence WHERE name = 'events'", "") ==
	        0);
	assert(n == 2);
	assert(db_query_int(db, &n, "PRAGMA user_version", "") == 0);
	assert(n == store_schema_version());
	assert(store_open(":memory:", &new, &failure) == 0);
	old_shape = shape(db);
	new_shape = shape(new);
	assert(!strcmp(old_shape, new_shape));
	db_close(new);
	db_close(db);
}

/* A job that is over, of which a layout was signed and runs, in the words of version 26. */
static int fill_folded(struct db *db, void *arg)
{
	static const char *const rows[] = {
	        "INSERT INTO machines(name, attached, wanted, socket, image, created_us)"
	        " VALUES('one', 0, 1, '/s', '/i', 7)",
	        "INSERT INTO releases(service, release_id, counter, floor, source_id, state_hash, "
	        "key_id,"
	        " issued, added_us, path) VALUES('ds', x'01', 1, 1, x'', x'', x'', 1, 1, '')",
	        "INSERT INTO services(machine, name, last_number) VALUES(1, 'ds', 2)",
	        "INSERT INTO jobs(machine, service, kind, state, step, identity, created_us, "
	        "ended_us,"
	        " generation, release, result, steps) VALUES(1, 'ds', 3, 20, 8, 'uid 0', 9, 90, 2, "
	        "1,"
	        " x'3007', '[[2,1,2,4],[3,2,3,4,\"a \\\"word\\\"\"],[4,0,4,null]]')",
	        "INSERT INTO variants(release, seed_sealed, seed_commit) VALUES(1, x'', x''), (1, "
	        "x'', x'')",
	        "INSERT INTO heads(release, bytes) VALUES(1, x'0a0b0c0d')",
	        "INSERT INTO generations(service, number, variant, job, state, envelope, head, "
	        "head_len)"
	        " VALUES(1, 1, 1, 1, 2, x'0708', NULL, 0), (1, 2, 2, 1, 1, x'0e', 1, 3)",
	};
	int r = 0;

	for (size_t i = 0; !r && i < sizeof(rows) / sizeof(rows[0]); i++) {
		r = db_run(db, rows[i], "");
	}
	return err_fold(r);
}

static void check_folded(struct db *db)
{
	static const uint8_t envelopes[2][4] = {{7, 8}, {10, 11, 12, 14}};
	struct job_outcome outcome;
	uint8_t *envelope;
	size_t size;
	int64_t n;

	for (int64_t id = 1; id <= 2; id++) {
		assert(store_generation_envelope(db, id, &envelope, &size) == 0);
		assert(size == (id == 1 ? 2 : 4) && !memcmp(envelope, envelopes[id - 1], size));
		free(envelope);
	}
	check_steps(db, 1, 0);
	assert(store_job_outcome_get(db, 1, NULL, &outcome) == 0);
	assert(outcome.result && !outcome.cause);
	job_outcome_fini(&outcome, NULL);
	assert(db_query_int(db, &n, "SELECT count(*) FROM jobs WHERE steps IS NULL AND folded = 0",
	               "") == 0);
	assert(n == 1);
}

static int fill_events(struct db *db, void *arg)
{
	return err_fold(db_run(db,
	        "WITH n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 500)"
	        " INSERT INTO events(machine, line, boot_id, seq, clock_ns, seen_us, body)"
	        " SELECT 1, 0, 1, i, i, 1, zeroblob(200) FROM n",
	        ""));
}

static void recovered(const char *table, int64_t n_rows, bool whole, void *arg)
{
	*(int64_t *)arg += n_rows;
}

/* What is saved of a record of before is told as it was, too; its last page is of events. */
static void test_recover(const char *dir)
{
	_cleanup_(freep) char *path = text_format("%s/recover", dir);
	struct db_recovered done = {.kept = NULL};
	_cleanup_(freep) uint8_t *bytes = NULL;
	struct failure failure = {0};
	struct db *db;
	int64_t n_rows = 0, version;
	size_t size;

	assert(store_open_version(path, 26, &db, &failure) == 0);
	assert(db_txn(db, fill_folded, NULL) == 0 && db_txn(db, fill_events, NULL) == 0);
	db_close(db);
	assert(file_read(path, 1 << 24, &bytes, &size) == 0 && size > 40 * 4096);
	memset(bytes + size - 4096, 0xff, 4096);
	assert(file_write(path, bytes, size) == 0);
	assert(store_open(path, &db, &failure) == -EBADMSG);
	assert(store_recover(path, recovered, &n_rows, &done, &failure) == 0);
	assert(done.kept && done.version == 26 && n_rows > 400);
	free(done.kept);
	assert(store_open(path, &db, &failure) == 0);
	assert(db_query_int(db, &version, "PRAGMA user_version", "") == 0);
	assert(version == store_schema_version());
	check_folded(db);
	db_close(db);
}

/* Records of versions that no release had are out there, too. */
static void test_between(const char *dir, unsigned version, const char *new_shape)
{
	_cleanup_(freep) char *path = text_format("%s/between%u", dir, version);
	_cleanup_(freep) char *old_shape = NULL;
	struct failure failure = {0};
	struct db *db;

	assert(store_open_version(path, version, &db, &failure) == 0);
	if (version == 26) {
		assert(db_txn(db, fill_folded, NULL) == 0);
	}
	db_close(db);
	assert(store_open(path, &db, &failure) == 0);
	old_shape = shape(db);
	assert(!strcmp(old_shape, new_shape));
	if (version == 26) {
		check_folded(db);
	}
	db_close(db);
}

static void test_all_between(const char *dir)
{
	_cleanup_(freep) char *new_shape = NULL;
	struct failure failure = {0};
	struct db *new;

	assert(store_open(":memory:", &new, &failure) == 0);
	new_shape = shape(new);
	db_close(new);
	for (unsigned version = RELEASED_N + 1; version < store_schema_version(); version++) {
		test_between(dir, version, new_shape);
	}
}

static int change(struct db *db, void *arg)
{
	return err_up(db_run(db, arg, ""));
}

/* What another hand did to the tables is an error with a name; what it added is left alone. */
static void test_changed(const char *path)
{
	static const struct {
		const char *sql;
		const char *column; /* NULL: accepted */
	} cases[] = {
	        {"CREATE TABLE notes(text TEXT)", NULL},
	        {"ALTER TABLE jobs ADD COLUMN note TEXT", NULL},
	        {"ALTER TABLE orders RENAME COLUMN line TO row", "orders.line"},
	        {"ALTER TABLE orders RENAME COLUMN row TO line", NULL},
	        {"ALTER TABLE services DROP COLUMN floor", "services.floor"},
	        {"ALTER TABLE services ADD COLUMN floor TEXT", "services.floor"},
	        {"ALTER TABLE services DROP COLUMN floor", "services.floor"},
	        {"ALTER TABLE services ADD COLUMN floor INTEGER NOT NULL DEFAULT 0", NULL},
	        {"DROP TABLE job_steps", "job_steps."},
	};
	struct failure failure = {0};
	struct db *db;

	assert(store_open(path, &db, &failure) == 0);
	db_close(db);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		/* No steps to run: opened as it is. */
		static const struct db_migration none[64];

		assert(db_open(path, none, store_schema_version(), &db, &failure) == 0);
		assert(db_txn(db, change, (void *)cases[i].sql) == 0);
		db_close(db);
		if (!cases[i].column) {
			assert(store_open(path, &db, &failure) == 0);
			db_close(db);
			continue;
		}
		assert(store_open(path, &db, &failure) == -EBADMSG);
		assert(!strcmp(failure.code, "record-changed") && strstr(failure.place, path));
		assert(strstr(failure.cause, cases[i].column) && strstr(failure.remedy, "backup"));
	}
}

int main(int argc, char **argv)
{
	char dir[] = "/tmp/schema_test.XXXXXX";
	struct released released;

	assert(argc == 2 && mkdtemp(dir));
	released_read(argv[1], &released);
	test_same(&released);
	for (int version = 1; version <= RELEASED_N; version++) {
		_cleanup_(freep) char *path = text_format("%s/%d", dir, version);

		test_open(&released, path, version);
		if (version == RELEASED_N) {
			test_changed(path);
		}
	}
	test_all_between(dir);
	test_recover(dir);
	free(released.text);
	assert(dir_remove(dir) == 0);
	return 0;
}
