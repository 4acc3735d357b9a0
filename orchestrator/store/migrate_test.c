/*
 * Messages that records of before version 30 have as bytes become rows when such a record is opened.
 *
 * Usage: migrate_test [JOBS]    (with a number: how long it takes for so many)
 */
#undef NDEBUG
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/base/file.h"
#include "orchestrator/db/copy.h"
#include "orchestrator/store/check.h"
#include "orchestrator/store/jobs.h"
#include "orchestrator/store/machines.h"
#include "orchestrator/store/priv.h"
#include "orchestrator/store/releases.h"

#define PACKED_UNTIL 30 /* since then they are rows */
#define PACKED_RELEASE 64
#define PACKED_BUILD 32
#define CUT_SINCE 27 /* of the results of jobs that are over: what other rows have */

/* What a record of before version 30 has as bytes. */
struct packed {
	unsigned version;
	Wire__Cause cause;
	Machine__Result result;
	Machine__Service service;
	Control__Pairing pairing;
	Control__Entropy measured;
	Machine__Phase phase, *phases[1];
	Machine__Metric metric, *metrics[1];
	uint8_t release[PACKED_RELEASE], build[PACKED_BUILD];
};

static void packed_init(struct packed *p, unsigned version)
{
	*p = (struct packed){.version = version,
	        .cause = WIRE__CAUSE__INIT,
	        .result = MACHINE__RESULT__INIT,
	        .service = MACHINE__SERVICE__INIT,
	        .pairing = CONTROL__PAIRING__INIT,
	        .measured = CONTROL__ENTROPY__INIT,
	        .phase = MACHINE__PHASE__INIT,
	        .metric = MACHINE__METRIC__INIT,
	        .phases = {&p->phase},
	        .metrics = {&p->metric}};
	memset(p->release, 1, sizeof(p->release));
	memset(p->build, 2, sizeof(p->build));
	p->cause.message = "no";
	p->cause.code = -3;
	p->phase.name = "commit";
	p->phase.ns = 5;
	p->result.txn = 41;
	p->result.service = "ds";
	p->result.cause = &p->cause;
	p->result.phases = p->phases;
	p->result.n_phases = 1;
	p->result.release_id = (ProtobufCBinaryData){sizeof(p->release), p->release};
	p->result.build_id = (ProtobufCBinaryData){sizeof(p->build), p->build};
	p->metric.name = "load";
	p->metric.value = 9;
	p->service.name = "ds";
	p->service.state = MACHINE__SERVICE_STATE__SERVICE_DOWN;
	p->service.metrics = p->metrics;
	p->service.n_metrics = 1;
	p->pairing.id = p->result.release_id;
	p->pairing.n_lost = 2;
	p->measured.service = "ds";
	p->measured.release_id = p->result.release_id;
	p->measured.counter = 1;
	p->measured.payload_ratio = 1.5;
}

static uint8_t *pack(const void *message, size_t *ret_size)
{
	uint8_t *bytes = mem_zero(protobuf_c_message_get_packed_size(message) + 1);

	*ret_size = protobuf_c_message_pack(message, bytes);
	return bytes;
}

static void put_bytes(struct db *db, const char *sql, const void *message)
{
	size_t size;
	_cleanup_(freep) uint8_t *bytes = pack(message, &size);

	assert(db_run(db, sql, "b", bytes, size) == 0);
}

/* As versions 27 and 28 have it: without what other rows say, and where that was. */
static void put_cut(struct db *db, const struct packed *p)
{
	size_t size;
	_cleanup_(freep) uint8_t *bytes = pack(&p->result, &size);
	const struct {
		const uint8_t *bytes;
		size_t size;
	} pieces[] = {{p->release, sizeof(p->release)}, {p->build, sizeof(p->build)}};
	uint8_t cuts[8] = {0};

	for (size_t i = 0; i < 2; i++) {
		uint8_t *at = memmem(bytes, size, pieces[i].bytes, pieces[i].size);

		assert(at);
		cuts[2 * i] = (uint8_t)(at - bytes + 1);
		size -= pieces[i].size;
		memmove(at, at + pieces[i].size, size - (size_t)(at - bytes));
	}
	assert(db_run(db, "UPDATE jobs SET result = ?, cuts = ? WHERE id IN (1, 4)", "bb", bytes,
	               size, cuts, sizeof(cuts)) == 0);
}

/* Job 1 is over, 2 is open, 3 has bytes that are no message, 4 is of a generation that a recovery lost. */
static int fill_packed(struct db *db, void *arg)
{
	static const char *const rows[] = {
	        "INSERT INTO machines(name, attached, wanted, socket, image, created_us)"
	        " VALUES('one', 0, 1, '/s', '/i', 7)",
	        "INSERT INTO services(machine, name, last_number) VALUES(1, 'ds', 2)",
	        "INSERT INTO jobs(machine, service, kind, state, step, identity, created_us, "
	        "ended_us, generation, release) VALUES(1, 'ds', 1, 2, 8, 'uid 0', 9, 90, 2, 1),"
	        " (1, 'ds', 1, 1, 8, 'uid 0', 9, 0, 0, 1), (1, 'ds', 1, 6, 8, 'uid 0', 9, 90, 0, "
	        "1),"
	        " (1, 'ds', 1, 2, 8, 'uid 0', 9, 90, 1, 1)",
	        "INSERT INTO variants(release, seed_sealed, seed_commit) VALUES(1, x'', x'')",
	        "INSERT INTO generations(service, number, variant, job, state) VALUES(1, 2, 1, 1, "
	        "1)",
	};
	const struct packed *p = arg;

	assert(db_run(db,
	               "INSERT INTO releases(service, release_id, counter, floor, source_id,"
	               " state_hash, key_id, issued, added_us, path)"
	               " VALUES('ds', ?, 1, 1, x'', x'', x'', 1, 1, '')",
	               "b", p->release, sizeof(p->release)) == 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert(db_run(db, rows[i], "") == 0);
	}
	assert(db_run(db, "UPDATE variants SET build_id = ?", "b", p->build, sizeof(p->build)) ==
	        0);
	put_bytes(db, "UPDATE jobs SET cause = ? WHERE id IN (1, 2)", &p->cause);
	put_bytes(db, "UPDATE jobs SET result = ? WHERE id IN (1, 2)", &p->result);
	put_bytes(db, "UPDATE services SET status = ?", &p->service);
	assert(db_run(db, "UPDATE jobs SET cause = x'0102', result = x'0102' WHERE id = 3", "") ==
	        0);
	if (p->version >= 4) {
		put_bytes(db, "UPDATE jobs SET pairing = ? WHERE id = 2", &p->pairing);
	}
	if (p->version >= 7) {
		put_bytes(db, "INSERT INTO protections(release, measured) VALUES(1, ?)",
		        &p->measured);
	}
	if (p->version >= CUT_SINCE) {
		put_cut(db, p);
		/* One behind the end of the bytes. */
		assert(db_run(db, "UPDATE jobs SET cuts = x'0400' WHERE id = 3", "") == 0);
	}
	return 0;
}

static void check_message(const void *was, const void *is)
{
	size_t was_size, is_size;
	_cleanup_(freep) uint8_t *a = pack(was, &was_size);
	_cleanup_(freep) uint8_t *b = pack(is, &is_size);

	assert(was_size == is_size && !memcmp(a, b, is_size));
}

static int64_t number(struct db *db, const char *sql)
{
	int64_t n = -1;

	assert(db_query_int(db, &n, sql, "") == 0);
	return n;
}

static void check_outcomes(struct db *db, const struct packed *p)
{
	struct job_outcome outcome;

	for (int64_t job = 1; job <= 2; job++) {
		assert(store_job_outcome_get(db, job, NULL, &outcome) == 0 && !outcome.lost.n);
		check_message(&p->cause, outcome.cause);
		check_message(&p->result, outcome.result);
		job_outcome_fini(&outcome, NULL);
	}
	assert(store_job_outcome_get(db, 3, NULL, &outcome) == 0);
	assert(!outcome.cause && !outcome.result);
	assert(store_job_outcome_get(db, 4, NULL, &outcome) == 0);
	if (p->version >= CUT_SINCE) {
		assert(outcome.lost.n == 1 && !strcmp(outcome.lost.fields[0], "build_id"));
		assert(outcome.result->release_id.len == 64 && !outcome.result->build_id.len);
	} else {
		assert(!outcome.result);
	}
	job_outcome_fini(&outcome, NULL);
	assert(number(db, "SELECT sum((build_id IS NULL) * id) FROM job_results WHERE id < 4") ==
	        1);
}

/* Rows have what bytes had, and the bytes are gone but for those that are no message. */
static void check_packed(struct db *db, const struct packed *p)
{
	Machine__Service *service;
	Control__Pairing *pairing;
	Control__Entropy *measured;

	check_outcomes(db, p);
	assert(store_service_status(db, 1, NULL, &service) == 0);
	check_message(&p->service, service);
	machine__service__free_unpacked(service, NULL);
	if (p->version >= 4) {
		assert(store_job_pairing_get(db, 2, NULL, &pairing) == 0);
		check_message(&p->pairing, pairing);
		control__pairing__free_unpacked(pairing, NULL);
	}
	if (p->version >= 7) {
		assert(store_protection_get(db, 1, NULL, &measured) == 0);
		check_message(&p->measured, measured);
		control__entropy__free_unpacked(measured, NULL);
	}
	assert(number(db, "SELECT sum(id) FROM jobs WHERE cause IS NOT NULL OR result IS NOT NULL"
	                  " OR pairing IS NOT NULL OR cuts IS NOT NULL") == 3);
	assert(number(db, "SELECT cause = x'0102' AND result = x'0102' FROM jobs WHERE id = 3") ==
	        1);
	assert(number(db, "SELECT (SELECT count(*) FROM protections)"
	                  " + (SELECT count(*) FROM services WHERE status IS NOT NULL)") == 0);
}

/* A record of an earlier version, with what it has packed. */
static void packed_make(const char *path, unsigned version, struct packed *ret)
{
	struct failure failure = {0};
	struct db *db;

	packed_init(ret, version);
	assert(store_open_version(path, version, &db, &failure) == 0);
	assert(db_txn(db, fill_packed, ret) == 0);
	db_close(db);
}

static void packed_open(const char *path, const struct packed *p)
{
	struct failure failure = {0};
	struct db *db;

	assert(store_open(path, &db, &failure) == 0);
	check_packed(db, p);
	db_close(db);
}

static void test_packed(const char *dir, unsigned version)
{
	_cleanup_(freep) char *path = text_format("%s/packed%u", dir, version);
	struct packed packed;

	packed_make(path, version, &packed);
	packed_open(path, &packed);
}

static void take_out(char *text, const char *words)
{
	char *at = strstr(text, words);

	assert(at);
	memmove(at, at + strlen(words), strlen(at + strlen(words)) + 1);
}

/* A field, an element's column and a table of texts that came with a later step: packed messages are read before there is any. */
static void test_later(const char *dir)
{
	_cleanup_(store_migrations_fini) struct store_migrations all = {0};
	_cleanup_(freep) char *path = text_format("%s/later", dir);
	static const char texts[] = "CREATE TABLE job_result_removals(id INTEGER NOT NULL"
	                            " REFERENCES job_results(id), n INTEGER NOT NULL, text TEXT"
	                            " NOT NULL, PRIMARY KEY(id, n)) STRICT, WITHOUT ROWID;";
	_cleanup_(freep) char *step = text_format(
	        "ALTER TABLE job_results ADD COLUMN arena_retried INTEGER NOT NULL DEFAULT 0;"
	        "ALTER TABLE job_results ADD COLUMN commit_ns INTEGER;%s",
	        texts);
	struct packed packed;
	struct failure failure = {0};
	struct db *db;

	packed_make(path, PACKED_UNTIL - 1, &packed);
	store_migrations_init(&all);
	assert(all.n < STORE_VERSIONS_MAX);
	take_out(all.texts[PACKED_UNTIL - 1], ", arena_retried INTEGER NOT NULL");
	take_out(all.texts[PACKED_UNTIL - 1], ", commit_ns INTEGER");
	take_out(all.texts[PACKED_UNTIL - 1], texts);
	all.steps[all.n].sql = step;
	assert(db_open(path, all.steps, all.n + 1, &db, &failure) == 0);
	check_packed(db, &packed);
	db_close(db);
}

/* Statements on the record, of the process that opens it; after how many it dies. */
static int *n_statements;
static int dies_after;

static int on_statement(unsigned kind, void *arg, void *statement, void *sql)
{
	if ((*n_statements)++ == dies_after) {
		kill(getpid(), SIGKILL);
	}
	return 0;
}

/* The first that is opened is the record; it is compared with another one. */
static int on_open(sqlite3 *sqlite, char **ret_error, const void *api)
{
	return *n_statements ? SQLITE_OK
	                     : sqlite3_trace_v2(sqlite, SQLITE_TRACE_STMT, on_statement, NULL);
}

/* Whether it came to its end. */
static bool open_and_die(const char *path, int n)
{
	struct failure failure = {0};
	struct db *db;
	int status;
	pid_t pid;

	*n_statements = 0;
	dies_after = n;
	pid = fork();
	assert(pid >= 0);
	if (!pid) {
		sqlite3_auto_extension((void (*)(void))on_open);
		_exit(store_open(path, &db, &failure) ? 1 : 0);
	}
	assert(waitpid(pid, &status, 0) == pid);
	assert(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : !WEXITSTATUS(status));
	return !WIFSIGNALED(status);
}

/* All of one version, whichever that is. */
static int64_t check_version(const char *path)
{
	struct failure failure = {0};
	struct db *db;
	int64_t version, n = 0;

	assert(db_open_read(path, &db, &version, &failure) == 0);
	if (version < PACKED_UNTIL) {
		assert(number(db,
		               "SELECT count(*) FROM sqlite_schema WHERE name = 'job_results'") ==
		        0);
		n = number(db, "SELECT count(*) FROM jobs WHERE result IS NOT NULL");
		assert(n == 4);
	}
	db_close(db);
	return version;
}

#define KILLED 20 /* times */

/* Ended in the middle, at any of its statements, a record is one of before, or of a step, and is brought over the next time. */
static void test_killed(const char *dir)
{
	_cleanup_(freep) char *path = text_format("%s/killed", dir);
	_cleanup_(freep) uint8_t *before = NULL;
	struct packed packed;
	size_t size;
	int64_t version;
	int all, n_before = 0, n_after = 0;

	n_statements =
	        mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert(n_statements != MAP_FAILED);
	packed_make(path, PACKED_UNTIL - 1, &packed);
	assert(file_read(path, 1 << 24, &before, &size) == 0);
	assert(open_and_die(path, -1));
	all = *n_statements;
	assert(all > 2 * KILLED);
	for (int i = 0; i < KILLED; i++) {
		assert(db_remove(path) == 0 && file_write(path, before, size) == 0);
		assert(!open_and_die(path, (int)(all * (i + 0.5) / KILLED)));
		version = check_version(path);
		n_before += version == PACKED_UNTIL - 1;
		n_after += version > PACKED_UNTIL - 1;
		packed_open(path, &packed);
	}
	assert(n_before && n_after);
}

static int fill_leftovers(struct db *db, void *arg)
{
	static const char *const rows[] = {
	        "UPDATE jobs SET state = 9 WHERE id = 2",
	        "UPDATE jobs SET pairing = x'0102' WHERE id = 3",
	        "INSERT INTO services(machine, name, status) VALUES(1, 'vm', x'0102')",
	        "INSERT INTO releases(service, release_id, counter, floor, source_id, state_hash,"
	        " key_id, issued, added_us, path) VALUES('vm', x'01', 1, 1, x'', x'', x'', 1, 1, "
	        "'')",
	        "INSERT INTO protections(release, measured) VALUES(2, x'0102')",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert(db_run(db, rows[i], "") == 0);
	}
	return 0;
}

static void find(const char *what, const char *remedy, void *arg)
{
	char *all = arg;

	assert(strstr(what, "no message") && strstr(remedy, "lud --recover"));
	strcat(strcat(all, what), "\n");
}

/* What is no message is named, hinders no copy, and can be taken out; messages stay. */
static void test_leftovers(const char *dir)
{
	static const char *const named[] = {"jobs.cause of job 3 ", "jobs.result of job 3 ",
	        "jobs.pairing of job 3 ", "services.status of vm of machine 1 ",
	        "protections.measured of release 2 "};
	_cleanup_(freep) char *path = text_format("%s/left", dir),
	                      *copy = text_format("%s/copy", dir);
	char found[1024] = "";
	struct failure failure = {0};
	struct packed packed;
	struct db *db;
	int64_t n = 0;

	packed_make(path, PACKED_UNTIL - 1, &packed);
	assert(store_open_version(path, PACKED_UNTIL - 1, &db, &failure) == 0);
	assert(db_txn(db, fill_leftovers, NULL) == 0);
	db_close(db);
	/* Before they are brought over messages are packed, as they should be. */
	assert(store_check(path, find, found, &failure) == 0 && !*found);
	assert(store_open(path, &db, &failure) == 0);
	db_close(db);
	assert(store_check(path, find, found, &failure) == 0);
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		assert(strstr(found, named[i]));
	}
	assert(store_copy(path, copy, &failure) == 0);
	assert(store_tidy(path, &n, &failure) == 0 && n == sizeof(named) / sizeof(named[0]));
	*found = '\0';
	assert(store_check(path, find, found, &failure) == 0 && !*found);
	assert(store_tidy(path, &n, &failure) == 0 && !n);
	assert(store_open(path, &db, &failure) == 0);
	check_outcomes(db, &packed);
	db_close(db);
}

#define EVENTS_UNTIL 34

static int fill_events(struct db *db, void *arg)
{
	Machine__Event event = MACHINE__EVENT__INIT;
	Machine__ServiceChange change = MACHINE__SERVICE_CHANGE__INIT;
	struct packed *p = arg;
	static const char sql[] =
	        "INSERT INTO events(machine, boot_id, seq, clock_ns, seen_us, body)"
	        " SELECT 1, 5, 1 + count(*), 3, 4, ? FROM events";

	p->result.epoch = UINT64_MAX;
	p->result.action = 3;
	p->result.outcome = MACHINE__OUTCOME__OUTCOME_COMMITTED;
	p->result.generation = 9;
	event.body_case = MACHINE__EVENT__BODY_RESULT;
	event.result = &p->result;
	put_bytes(db, sql, &event);
	event.body_case = MACHINE__EVENT__BODY_CHANGE;
	event.change = &change;
	put_bytes(db, sql, &event);
	assert(db_run(db, sql, "b", "\x01\x02", (size_t)2) == 0);
	return 0;
}

/* Of a packed result there are columns; other events stay as numbers. */
static void test_events(const char *dir)
{
	_cleanup_(freep) char *path = text_format("%s/events", dir);
	struct failure failure = {0};
	struct packed packed;
	struct db *db;

	packed_make(path, PACKED_UNTIL - 1, &packed);
	assert(store_open_version(path, EVENTS_UNTIL - 1, &db, &failure) == 0);
	assert(db_txn(db, fill_events, &packed) == 0);
	db_close(db);
	assert(store_open(path, &db, &failure) == 0);
	assert(number(db, "SELECT count(*) * 100 + sum(seq) FROM events WHERE body = x''") == 306);
	assert(number(db, "SELECT epoch = -1 AND txn = 41 AND action = 3 AND generation = 9"
	                  " AND outcome > 0 AND service = 'ds' AND clock_ns = 3 AND seen_us = 4"
	                  " FROM events WHERE seq = 1") == 1);
	assert(number(db,
	               "SELECT count(*) FROM events WHERE seq > 1 AND epoch = 0 AND txn = 0"
	               " AND action = 0 AND outcome = 0 AND service = '' AND generation = 0") == 2);
	db_close(db);
}

static int fill_large(struct db *db, void *arg)
{
	return err_fold(db_run(db,
	        "WITH n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
	        " INSERT INTO jobs(machine, service, kind, state, step, identity, created_us, "
	        "ended_us,"
	        " generation, release, result, cuts, cause)"
	        " SELECT 1, 'ds', 1, 2, 8, 'uid 0', 9, 90, 2, 1, j.result, j.cuts, CASE i % 10 "
	        "WHEN 0 THEN "
	        "j.cause END"
	        " FROM n, jobs j WHERE j.id = 1",
	        "i", *(int64_t *)arg));
}

/* For whoever wants to know how long it takes: so many jobs, of which each has a result, and every tenth a cause. */
static void large(const char *dir, int64_t n)
{
	_cleanup_(freep) char *path = text_format("%s/large", dir);
	struct failure failure = {0};
	struct packed packed;
	struct rusage used;
	int status;
	struct db *db;

	packed_make(path, PACKED_UNTIL - 1, &packed);
	assert(store_open_version(path, PACKED_UNTIL - 1, &db, &failure) == 0);
	assert(db_txn(db, fill_large, &n) == 0);
	db_close(db);
	if (!fork()) {
		_exit(store_open(path, &db, &failure) ? 1 : 0);
	}
	assert(wait4(-1, &status, 0, &used) > 0 && !status);
	assert(store_open(path, &db, &failure) == 0);
	assert(number(db, "SELECT count(*) FROM job_results") >= n);
	db_close(db);
	printf("%lld jobs: %ld.%02ld s, %ld KiB\n", (long long)n, (long)used.ru_utime.tv_sec,
	        (long)used.ru_utime.tv_usec / 10000, used.ru_maxrss);
}

int main(int argc, char **argv)
{
	char dir[] = "/tmp/migrate_test.XXXXXX";

	assert(mkdtemp(dir));
	if (argc > 1) {
		large(dir, atoll(argv[1]));
	} else {
		for (unsigned version = 1; version < PACKED_UNTIL; version++) {
			test_packed(dir, version);
		}
		test_later(dir);
		test_killed(dir);
		test_leftovers(dir);
		test_events(dir);
	}
	assert(dir_remove(dir) == 0);
	return 0;
}
