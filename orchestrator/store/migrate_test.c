/*
 * Messages that records of before version 30 have as bytes become rows when such a record is opened.
 */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/file.h"
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
	assert(number(db, "SELECT (SELECT count(*) FROM protections)"
	                  " + (SELECT count(*) FROM services WHERE status IS NOT NULL)") == 0);
}

static void test_packed(const char *dir, unsigned version)
{
	_cleanup_(freep) char *path = text_format("%s/packed%u", dir, version);
	struct packed packed;
	struct failure failure = {0};
	struct db *db;

	packed_init(&packed, version);
	assert(store_open_version(path, version, &db, &failure) == 0);
	assert(db_txn(db, fill_packed, &packed) == 0);
	db_close(db);
	assert(store_open(path, &db, &failure) == 0);
	check_packed(db, &packed);
	db_close(db);
}

int main(void)
{
	char dir[] = "/tmp/migrate_test.XXXXXX";

	assert(mkdtemp(dir));
	for (unsigned version = 1; version < PACKED_UNTIL; version++) {
		test_packed(dir, version);
	}
	assert(dir_remove(dir) == 0);
	return 0;
}
