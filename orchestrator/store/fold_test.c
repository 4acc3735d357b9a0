/*
 * What is kept of jobs that are over and of what was signed for them: less, and all that a reader is told.
 */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/store/fill.h"
#include "orchestrator/store/generations.h"
#include "orchestrator/store/jobs.h"
#include "orchestrator/store/machines.h"
#include "orchestrator/store/releases.h"

#define STEPS 5
#define FILL_COMMIT_BYTE 5
#define WHOLE 8 /* as STORE_ORDERS_WHOLE */

static int64_t count(struct db *db, const char *sql)
{
	int64_t n = -1;

	assert(db_query_int(db, &n, sql, "") == 0);
	return n;
}

struct steps {
	int n;
	struct job_step_row rows[STEPS];
};

static int keep_step(const struct job_step_row *row, void *arg)
{
	struct steps *steps = arg;

	assert(steps->n < STEPS);
	steps->rows[steps->n++] = *row;
	return 0;
}

/* A step that took time, one whose clock went back, one without an end, and what may be said of them. */
static int fold_steps(struct db *db, void *arg)
{
	static const char *const details[STEPS] = {
	        "", "\"a\", [b]\n\\c", "\x01\xc3\xa4\xff", "", "x"};
	struct job_row job = {
	        .machine = 1, .service = "ds", .kind = JOB_UPDATE, .state = JOB_PLANNED};
	struct steps before = {.n = 0}, after = {.n = 0};

	assert(store_job_insert(db, &job) == 0);
	for (int i = 0; i < STEPS; i++) {
		assert(store_job_step_begin(db, job.id, (enum job_step)i) == 0);
		if (i < STEPS - 1) {
			assert(store_job_step_end(db, job.id,
			               i == 2 ? JOB_STEP_FAILED : JOB_STEP_DONE, details[i]) == 0);
		}
	}
	assert(db_run(db,
	               "UPDATE job_steps SET ended_us = started_us + 86400000000 WHERE n = 1 AND "
	               "job = ?",
	               "i", job.id) == 0);
	assert(db_run(db,
	               "UPDATE job_steps SET ended_us = started_us - 3600000000 WHERE n = 2 AND "
	               "job = ?",
	               "i", job.id) == 0);
	assert(store_job_step_each(db, job.id, keep_step, &before) == 0 && before.n == STEPS);
	assert(store_job_fold(db, job.id) == 0);
	assert(count(db, "SELECT count(*) FROM job_steps") == 0);
	assert(store_job_step_each(db, job.id, keep_step, &after) == 0 && after.n == STEPS);
	for (int i = 0; i < STEPS; i++) {
		const struct job_step_row *a = &before.rows[i], *b = &after.rows[i];

		assert(b->job == job.id && b->n == i + 1 && a->step == b->step &&
		        a->state == b->state);
		assert(a->started_us == b->started_us && a->ended_us == b->ended_us);
		assert(!strcmp(a->detail, b->detail) &&
		        !strcmp(b->detail, i < STEPS - 1 ? details[i] : ""));
	}
	/* A second time there is nothing to fold, and nothing is lost. */
	after.n = 0;
	assert(store_job_fold(db, job.id) == 0);
	assert(store_job_step_each(db, job.id, keep_step, &after) == 0 && after.n == STEPS);
	return 0;
}

/* Jobs of which each has an order; ->state 0: it is open. */
static const struct {
	enum job_state state;
	bool consent, goes;
} ends[] = {
        {JOB_CONFIRMED, false, true},
        {JOB_CONFIRMED, true, false},
        {JOB_FAILED, false, false},
        {JOB_INCONSISTENT, false, false},
        {0, false, false},
        {JOB_COMMITTED, false, true},
        {JOB_PREPARED, false, true},
};
#define ENDS (sizeof(ends) / sizeof(ends[0]))

static size_t order_size(struct db *db, int64_t job)
{
	struct order_row order;
	uint8_t *envelope;
	size_t size;

	assert(store_order_newest(db, job, 0, &order) == 0);
	assert(store_order_envelope(db, order.id, &envelope, &size) == 0);
	free(envelope);
	return size;
}

static int64_t order_job(struct db *db, enum job_state state, bool consent)
{
	struct job_row job = {.machine = 1, .service = "ds", .kind = JOB_UPDATE};
	struct order_row order = {.machine = 1, .epoch = 7, .action = 1};

	job.state = state ? state : JOB_ORDERED;
	assert(store_job_insert(db, &job) == 0);
	order.job = job.id;
	order.txn = (uint64_t)job.id;
	assert(store_order_insert(db, &order, "signed", 6) == 0);
	job.ended_us = state ? 1 : 0;
	job.consent[0] = consent;
	assert(store_job_update(db, &job) == 0);
	return job.id;
}

/* Those of the newest jobs stay whole, and of older ones all that went another way than was meant. */
static int fold_orders(struct db *db, void *arg)
{
	int64_t jobs[ENDS], last = 0;

	for (size_t i = 0; i < ENDS; i++) {
		jobs[i] = order_job(db, ends[i].state, ends[i].consent);
		assert(store_job_fold(db, jobs[i]) == 0);
	}
	for (size_t n = ENDS; n < WHOLE + ENDS; n++) {
		last = order_job(db, JOB_CONFIRMED, false);
		assert(store_job_fold(db, last) == 0);
		for (size_t i = 0; i < ENDS; i++) {
			bool is_old = n >= i + WHOLE;

			assert(order_size(db, jobs[i]) == (is_old && ends[i].goes ? 0 : 6));
		}
	}
	for (int64_t job = last - WHOLE + 1; job <= last; job++) {
		assert(order_size(db, job) == 6);
	}
	return 0;
}

/* An envelope that begins like others of its release and root, and ends like none. */
static void envelope_fill(uint8_t *bytes, size_t size, uint8_t head, uint8_t rest)
{
	memset(bytes, head, size);
	memset(bytes + size - 100, rest, 100);
}

static int fold_heads(struct db *db, void *arg)
{
	static const struct {
		uint8_t head, rest;
		size_t size;
		int release;
		int64_t n_heads; /* then */
	} cases[] = {
	        {1, 2, 1000, 0, 1},
	        {1, 3, 1000, 0, 1},
	        {1, 4, 900, 0, 1},
	        {1, 2, 1000, 0, 1},
	        {5, 2, 1000, 0, 2},
	        {5, 1, 1200, 0, 2},
	        {5, 1, 1000, 1, 3},
	        {1, 9, 1000, 0, 4},
	        {1, 9, 100, 0, 5},
	        {9, 9, 1000, 0, 6},
	};
	struct fill *fill = arg;
	struct generation_row rows[sizeof(cases) / sizeof(cases[0])];
	uint8_t bytes[1200], *envelope;
	size_t size;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct variant_row variant = {.release = fill->releases[0][cases[i].release].id};

		rows[i] = (struct generation_row){.service = fill->busy.id, .job = 1};
		assert(store_variant_insert(db, &variant) == 0);
		rows[i].variant = variant.id;
		assert(store_service_draw(db, fill->busy.id, &rows[i].number) == 0);
		assert(store_generation_insert(db, &rows[i]) == 0);
		assert(store_generation_envelope(db, rows[i].id, &envelope, &size) == DB_E_NONE);
		envelope_fill(bytes, cases[i].size, cases[i].head, cases[i].rest);
		assert(store_generation_sign(db, &rows[i], bytes, cases[i].size) == 0);
		assert(count(db, "SELECT count(*) FROM heads") == cases[i].n_heads);
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		envelope_fill(bytes, cases[i].size, cases[i].head, cases[i].rest);
		assert(store_generation_envelope(db, rows[i].id, &envelope, &size) == 0);
		assert(size == cases[i].size && !memcmp(envelope, bytes, size));
		free(envelope);
	}
	/* One whose head is lost is not there, and may be signed again. */
	assert(db_run(db, "DELETE FROM heads", "") == 0);
	assert(store_generation_envelope(db, rows[1].id, &envelope, &size) == DB_E_NONE);
	assert(store_generation_sign(db, &rows[1], bytes, sizeof(bytes)) == 0);
	assert(store_generation_envelope(db, rows[1].id, &envelope, &size) == 0);
	assert(size == sizeof(bytes) && !memcmp(envelope, bytes, size));
	free(envelope);
	return 0;
}

/* Of orders what they begin with is kept once for those of a length, and each is read as it was signed. */
static int fold_order_heads(struct db *db, void *arg)
{
	static const struct {
		uint8_t head, rest;
		size_t size;
		int64_t n_heads; /* then */
	} cases[] = {
	        {1, 2, 1000, 1},
	        {1, 3, 1000, 1},
	        {1, 3, 900, 2},
	        {1, 4, 1000, 2},
	        {1, 5, 900, 2},
	        {6, 5, 900, 3},
	        {6, 7, 900, 3},
	        {1, 5, 150, 4},
	};
	const size_t n = sizeof(cases) / sizeof(cases[0]);
	int64_t first = count(db, "SELECT count(*) FROM order_heads");
	struct order_row rows[8] = {{.job = 1}};
	uint8_t bytes[1000], *envelope;
	size_t size;

	for (size_t i = 0; i < n; i++) {
		rows[i] = (struct order_row){.job = 1, .machine = 1, .epoch = 99, .txn = i + 1};
		envelope_fill(bytes, cases[i].size, cases[i].head, cases[i].rest);
		assert(store_order_insert(db, &rows[i], bytes, cases[i].size) == 0);
		assert(count(db, "SELECT count(*) FROM order_heads") == first + cases[i].n_heads);
	}
	for (size_t i = 0; i < n; i++) {
		envelope_fill(bytes, cases[i].size, cases[i].head, cases[i].rest);
		assert(store_order_envelope(db, rows[i].id, &envelope, &size) == 0);
		assert(size == cases[i].size && !memcmp(envelope, bytes, size));
		free(envelope);
	}
	assert(count(db, "SELECT sum(length(bytes)) FROM order_envelopes e JOIN orders o"
	                 " ON o.id = e.id WHERE o.epoch = 99") <= 500);
	/* What has lost its head is kept no more. */
	assert(db_run(db, "DELETE FROM order_heads", "") == 0);
	assert(store_order_envelope(db, rows[1].id, &envelope, &size) == 0 && !size);
	return 0;
}

#define ROUTINE 40
#define JOB_OPEN 2    /* for long */
#define JOB_HIGHEST 3 /* of all orders */
#define JOB_BOOT 5    /* of those that the machine accepted in this boot */
#define JOB_PERSON 7

static int routine_begin(struct db *db, void *arg)
{
	struct order_row highest = {.job = JOB_HIGHEST,
	        .machine = 1,
	        .boot_id = 1,
	        .epoch = 1,
	        .txn = 1000000,
	        .action = 1};
	struct order_row boot = {.job = JOB_BOOT,
	        .machine = 1,
	        .boot_id = 77,
	        .epoch = 1,
	        .txn = 999999,
	        .action = 1};

	assert(store_order_insert(db, &highest, "x", 1) == 0);
	assert(store_order_insert(db, &boot, "x", 1) == 0);
	boot.accepted = true;
	assert(store_order_update(db, &boot) == 0);
	assert(db_run(db, "UPDATE machines SET boot_id = 77", "") == 0);
	assert(db_run(db, "UPDATE jobs SET ended_us = 0 WHERE id = ?", "i", (int64_t)JOB_OPEN) ==
	        0);
	assert(db_run(db, "UPDATE jobs SET scheduled = 0 WHERE id = ?", "i", (int64_t)JOB_PERSON) ==
	        0);
	return 0;
}

/* Its turn has passed, and its end comes. */
static int routine_end(struct db *db, void *arg)
{
	assert(db_run(db, "UPDATE jobs SET ended_us = 1 WHERE id = ?", "i", (int64_t)JOB_OPEN) ==
	        0);
	assert(store_job_fold(db, JOB_OPEN) == 0);
	return 0;
}

static int count_step(const struct job_step_row *row, void *arg)
{
	++*(int *)arg;
	return 0;
}

static bool is_bytes(const ProtobufCBinaryData *said, const uint8_t *bytes, size_t size)
{
	return said->len == size && !memcmp(said->data, bytes, size);
}

/* What a reader is told of a job's layouts and of its result, however old it is. */
static void check_kept(struct fill *fill, int64_t job)
{
	struct job_outcome outcome = {0};
	struct variant_row never, ran;
	struct release_row release;
	struct job_row row;
	int64_t n = 2 * job;

	assert(store_job_find(fill->db, job, &row) == 0 && !row.plan[0]);
	assert(store_variant_by_id(fill->db, n - 1, &never) == 0 && !never.seed_sealed_size);
	assert(!never.seed_commit[0]);
	assert(store_variant_by_id(fill->db, n, &ran) == 0 &&
	        ran.seed_sealed_size == STORE_SEALED_SIZE);
	assert(ran.seed_commit[0] && ran.payload_hash[0]);
	assert(store_release_by_id(fill->db, row.release, &release) == 0);
	assert(store_job_outcome_get(fill->db, job, NULL, &outcome) == 0 && !outcome.lost.n);
	assert(!strcmp(outcome.result->service, row.service));
	assert(is_bytes(&outcome.result->release_id, release.release_id, 64));
	assert(is_bytes(&outcome.result->build_id, ran.build_id, 32));
	assert(!outcome.result->commitment.len && outcome.result->finished_ns == 84011204331);
	assert(outcome.result->n_phases == 7 && !strcmp(outcome.result->phases[6]->name, "commit"));
	job_outcome_fini(&outcome, NULL);
}

static int64_t n_of(struct db *db, const char *sql, int64_t job)
{
	int64_t n = -1;

	assert(db_query_int(db, &n, sql, "i", job) == 0);
	return n;
}

static void check_routine(struct fill *fill, int64_t job, bool is_open)
{
	bool runs =
	        n_of(fill->db, "SELECT count(*) FROM generations WHERE job = ? AND state = 1", job);
	bool whole = job > ROUTINE - WHOLE || runs || is_open;
	int64_t orders = whole || job == JOB_PERSON ? 2 : 0;
	struct order_row order;
	uint8_t *envelope = NULL;
	size_t size;
	int n = 0;

	assert(store_job_step_each(fill->db, job, count_step, &n) == 0);
	assert(n == (whole || job == JOB_PERSON ? 9 : 0));
	orders += job == JOB_HIGHEST || job == JOB_BOOT;
	assert(n_of(fill->db, "SELECT count(*) FROM orders WHERE job = ?", job) == orders);
	if (orders) {
		assert(store_order_newest(fill->db, job, 0, &order) == 0);
		assert(store_order_envelope(fill->db, order.id, &envelope, &size) == 0);
		assert((envelope != NULL) == whole);
		free(envelope);
	}
	n = store_generation_envelope(fill->db, 2 * job, &envelope, &size);
	assert(n == (whole || job == JOB_PERSON ? 0 : DB_E_NONE));
	if (!n) {
		free(envelope);
	}
}

/* Of many that a timer asked for less is kept; not of what runs, is new, open, a person's, or what lud goes by. */
static void test_routine(void)
{
	struct fill fill = {.n_machines = 1, .n_jobs = JOB_PERSON};
	struct failure failure;
	int64_t n_running = 0;

	assert(store_open(":memory:", &fill.db, &failure) == 0);
	assert(fill_record(&fill) == 0);
	assert(db_txn(fill.db, routine_begin, NULL) == 0);
	fill.n_jobs = ROUTINE;
	assert(fill_more(&fill) == 0);
	for (int64_t job = 1; job <= ROUTINE; job++) {
		check_routine(&fill, job, job == JOB_OPEN);
		check_kept(&fill, job);
		n_running += n_of(fill.db,
		        "SELECT count(*) FROM generations WHERE job = ? AND state = 1", job);
	}
	assert(n_running == FILL_SERVICES);
	assert(db_txn(fill.db, routine_end, NULL) == 0);
	check_routine(&fill, JOB_OPEN, false);
	check_kept(&fill, JOB_OPEN);
	db_close(fill.db);
}

struct once {
	Machine__Result result; /* as it is told */
	uint8_t release[64], commit[64], none[64];
};

/* A result that is told to the record, folded so often, and read. */
static void once_check(struct db *db, const struct once *once, int n_folds, int64_t n_cut)
{
	struct job_outcome outcome;

	assert(store_job_outcome(db, 1, NULL, &once->result) == 0);
	for (int i = 0; i < n_folds; i++) {
		assert(store_job_fold(db, 1) == 0);
	}
	assert(count(db, "SELECT (service IS NULL) + (release_id IS NULL) + (build_id IS NULL) +"
	                 " (commitment IS NULL) + (sealed IS NULL) FROM job_results") == n_cut);
	assert(store_job_outcome_get(db, 1, NULL, &outcome) == 0 && !outcome.lost.n);
	assert(!strcmp(outcome.result->service, once->result.service));
	assert(is_bytes(&outcome.result->release_id, once->result.release_id.data, 64));
	assert(is_bytes(&outcome.result->commitment, once->result.commitment.data,
	        once->result.commitment.len));
	assert(!outcome.result->build_id.len && !outcome.result->sealed.len);
	job_outcome_fini(&outcome, NULL);
}

static int once_make(struct db *db, void *arg)
{
	const struct fill *fill = arg;
	struct once once = {.result = MACHINE__RESULT__INIT};
	struct job_outcome outcome;
	struct job_row job;
	struct release_row release;

	assert(store_job_find(db, 1, &job) == 0 && fill->n_jobs == 1);
	assert(store_release_by_id(db, job.release, &release) == 0);
	memcpy(once.release, release.release_id, 64);
	memset(once.commit, FILL_COMMIT_BYTE, 64);
	once.result.service = job.service;
	once.result.release_id = (ProtobufCBinaryData){64, once.release};
	/* What is told after the end is whole, and what was cut once is not cut again. */
	once_check(db, &once, 0, 0);
	once_check(db, &once, 2, 2);
	/* What another row does not know yet is not cut: it may learn it. */
	assert(db_run(db, "UPDATE variants SET seed_commit = zeroblob(64)", "") == 0);
	once.result.commitment = (ProtobufCBinaryData){64, once.commit};
	once_check(db, &once, 1, 2);
	assert(db_run(db, "UPDATE variants SET seed_commit = ?", "b", once.commit, (size_t)64) ==
	        0);
	once_check(db, &once, 1, 3);
	/* Told otherwise than other rows have it. */
	once.release[0]++;
	once.result.service = "other";
	once_check(db, &once, 1, 1);
	/* Nothing says it any more, as after a recovery; what is empty was never cut. */
	assert(db_run(db, "DELETE FROM generation_envelopes", "") == 0);
	assert(db_run(db, "DELETE FROM generations", "") == 0);
	assert(store_job_outcome_get(db, 1, NULL, &outcome) == 0 && outcome.lost.n == 1);
	assert(!strcmp(outcome.lost.fields[0], "commitment") && !outcome.result->commitment.len);
	assert(is_bytes(&outcome.result->release_id, once.release, 64));
	job_outcome_fini(&outcome, NULL);
	return 0;
}

/* The hash of a plan that somebody saw before stays, and that of a plan which nobody saw goes. */
static int plan_make(struct db *db, void *arg)
{
	const uint8_t hash[64] = {1, 2, 3};
	struct job_row job;

	for (int64_t seen = 1; seen >= 0; seen--) {
		assert(db_run(db, "UPDATE jobs SET plan = ?, plan_expected = ?", "bi", hash,
		               sizeof(hash), seen) == 0);
		assert(store_job_fold(db, 1) == 0);
		assert(store_job_find(db, 1, &job) == 0 && job.plan[0] == seen);
	}
	return 0;
}

static void test_once(void)
{
	struct fill fill = {.n_machines = 1, .n_jobs = 1};
	struct failure failure;

	assert(store_open(":memory:", &fill.db, &failure) == 0);
	assert(fill_record(&fill) == 0);
	assert(db_txn(fill.db, plan_make, NULL) == 0);
	assert(db_txn(fill.db, once_make, &fill) == 0);
	db_close(fill.db);
}

int main(void)
{
	struct fill fill = {.n_machines = 1};
	struct failure failure;

	assert(store_open(":memory:", &fill.db, &failure) == 0);
	assert(fill_record(&fill) == 0);
	assert(db_txn(fill.db, fold_steps, &fill) == 0);
	assert(db_txn(fill.db, fold_orders, &fill) == 0);
	assert(db_txn(fill.db, fold_heads, &fill) == 0);
	assert(db_txn(fill.db, fold_order_heads, &fill) == 0);
	db_close(fill.db);
	test_once();
	test_routine();
	return 0;
}
