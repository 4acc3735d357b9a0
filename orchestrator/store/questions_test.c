/*
 * What the questions to a large record cost. Every statement that SQLite runs here is looked at
 * (test/statements.h).
 *
 *   questions_test                     fills a small record and checks
 *   questions_test FILE JOBS MACHINES TIMES
 *                                      fills FILE, has all of it TIMES times, and prints as JSON what
 *                                      the slowest question takes
 */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "host/base/file.h"
#include "orchestrator/store/answers.h"
#include "orchestrator/store/changes.h"
#include "orchestrator/store/fill.h"
#include "orchestrator/store/generations.h"
#include "orchestrator/store/jobs.h"
#include "orchestrator/store/machines.h"
#include "orchestrator/store/policies.h"
#include "orchestrator/store/releases.h"
#include "orchestrator/store/retention.h"
#include "orchestrator/store/rollouts.h"
#include "orchestrator/store/test/statements.h"

#define PAGE 40
#define ROLLOUTS 600

static int no_generation(const struct generation_row *row, void *arg)
{
	return 0;
}

static int no_job(const struct job_row *row, void *arg)
{
	return 0;
}

static int no_step(const struct job_step_row *row, void *arg)
{
	return 0;
}

static int no_change(const struct change_row *row, void *arg)
{
	return 0;
}

static int no_release(const struct release_row *row, void *arg)
{
	return 0;
}

static int no_service(const struct service_row *row, void *arg)
{
	return 0;
}

static int no_machine(const struct machine_row *row, void *arg)
{
	return 0;
}

static int no_rollout(const struct rollout_row *row, void *arg)
{
	return 0;
}

static int no_rollout_ring(const struct rollout_ring_row *row, void *arg)
{
	return 0;
}

static int no_rollout_member(const struct rollout_member_row *row, void *arg)
{
	return 0;
}

static int no_rollout_change(const struct rollout_change_row *row, void *arg)
{
	return 0;
}

static void no_variant(int64_t id, const char *path, void *arg)
{
}

static double now_msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

struct asking {
	struct fill *fill;
	int64_t machine;
	const char *service;
	int64_t before; /* a cursor in the middle; 0: none */
};

static void ask_history(const struct asking *ask)
{
	struct generation_filter filter = {.machine = ask->machine,
	        .service = ask->service,
	        .before = 2 * ask->before,
	        .limit = PAGE};

	assert(store_generation_each(ask->fill->db, &filter, no_generation, NULL) == 0);
}

static void ask_answer(const struct asking *ask)
{
	struct answer_row row = {.request_id = "none"}, found;
	int64_t job;

	assert(store_job_of_request(ask->fill->db, row.request_id, 0, row.digest, &job) ==
	        DB_E_NONE);
	assert(store_answer_find(ask->fill->db, row.principal, row.request_id, &found) ==
	        DB_E_NONE);
}

/* An answer, with what is dropped for it. */
static int put_answer(struct db *db, void *arg)
{
	return store_answer_put(db, arg);
}

static void ask_jobs(const struct asking *ask)
{
	struct job_filter filter = {.machine = ask->machine,
	        .service = ask->service,
	        .before = ask->before,
	        .limit = PAGE};

	assert(store_job_each(ask->fill->db, &filter, no_job, NULL) == 0);
	filter.parent = 1;
	assert(store_job_each(ask->fill->db, &filter, no_job, NULL) == 0);
}

static void ask_bare(const struct asking *ask)
{
	struct job_filter filter = {.machine = ask->machine,
	        .service = ask->service,
	        .before = ask->before,
	        .bare = true,
	        .limit = PAGE};

	assert(store_job_each(ask->fill->db, &filter, no_job, NULL) == 0);
}

static void ask_open(const struct asking *ask)
{
	assert(store_job_each_open(ask->fill->db, 0, no_job, NULL) == 0);
	assert(store_job_each_open(ask->fill->db, ask->machine, no_job, NULL) == 0);
}

/* show, and what is shown with it */
/* Whether there is such a row is not what is asked here. */
static void either(int r)
{
	assert(r == 0 || r == DB_E_NONE);
}

static void ask_show(const struct asking *ask)
{
	struct db *db = ask->fill->db;
	struct generation_row row, other;
	struct job_row job;
	struct job_outcome outcome = {0};
	struct effect_row effect;
	struct variant_row variant;
	uint64_t number = ask->fill->generation.number;

	either(store_generation_find(db, ask->machine, "ds", number, &row));
	either(store_generation_later(db, ask->machine, "ds", number));
	row = ask->fill->generation;
	assert(store_variant_by_id(db, row.variant, &variant) == 0);
	assert(store_effect_get(db, row.id, &effect) == DB_E_NONE);
	either(store_generation_before(db, &row, &other));
	row.committed_us = 0;
	row.id++;
	either(store_generation_before(db, &row, &other));
	assert(store_job_find(db, ask->fill->job.id, &job) == 0);
	assert(store_job_outcome_get(db, job.id, NULL, &outcome) == 0);
	job_outcome_fini(&outcome, NULL);
	assert(store_job_step_each(db, job.id, no_step, NULL) == 0);
	assert(store_generation_each_of(db, job.id, no_generation, NULL) == 0);
}

static void ask_rollback(const struct asking *ask)
{
	const struct fill *fill = ask->fill;
	struct generation_row row;

	/* Of the busy service all newer generations are of one release. */
	assert(store_generation_earlier(
	               fill->db, fill->busy.id, 1 << 30, fill->releases[0][2].id, &row) == 0);
	assert(row.release == fill->releases[0][1].id);
}

static void ask_plan(const struct asking *ask)
{
	struct job_row job;
	struct order_row order;
	uint64_t txn, ns;
	int64_t began, n;
	uint32_t of;

	assert(store_job_blackout(ask->fill->db, ask->machine, "ds", &ns, &of) == 0);
	assert(store_job_newest_like(ask->fill->db,
	               &(struct job_row){.machine = ask->machine, .service = "ds", .release = 77},
	               &job) == DB_E_NONE);
	assert(store_job_by_request(ask->fill->db, "none", 0, ask->machine, "ds", &job) ==
	        DB_E_NONE);
	/* The steps of one that is over are folded. */
	assert(store_job_began(ask->fill->db, ask->fill->job.id, &began) == DB_E_NONE);
	assert(store_job_child(ask->fill->db, 7, "ds", &job) == DB_E_NONE);
	assert(store_job_children(ask->fill->db, 7, &n) == 0 && !n);
	assert(store_job_each_child(ask->fill->db, 7, no_job, NULL) == 0);
	assert(store_job_by_order(ask->fill->db, 1, 1, 5, &job) != 2);
	assert(store_order_highest(ask->fill->db, ask->machine, 1, &txn) == 0);
	assert(store_order_newest(ask->fill->db, ask->fill->job.id, 0, &order) == 0);
	/* A boot that accepted nothing yet: as all machines ask after each of their boots. */
	assert(store_order_accepted(ask->fill->db, ask->machine, 77, 0, &order) == DB_E_NONE);
}

static void ask_releases(const struct asking *ask)
{
	struct release_row row;
	bool is_wanted;

	assert(store_release_each(ask->fill->db, ask->service, ask->before ? 3 : 0, PAGE,
	               no_release, NULL) == 0);
	assert(store_release_newest_free(ask->fill->db, "ds", &row) == 0);
	assert(store_release_before(ask->fill->db, &ask->fill->releases[0][1], &row) == 0);
	assert(store_release_named(ask->fill->db, "ds", "2", &row) == 0);
	assert(store_release_is_wanted(ask->fill->db, row.id, &is_wanted) == 0);
}

/* A page of rollouts, and one of the machines of the newest. */
static void ask_rollouts(const struct asking *ask)
{
	struct db *db = ask->fill->db;
	int64_t before = ask->before ? ROLLOUTS / 2 : 0;

	assert(store_rollout_page(db, before, PAGE, no_rollout, NULL) == 0);
	assert(store_rollout_ring_each(db, ROLLOUTS, no_rollout_ring, NULL) == 0);
	assert(store_rollout_member_page(
	               db, ROLLOUTS, ask->before ? 2 : 0, PAGE, no_rollout_member, NULL) == 0);
	assert(store_rollout_change_each(db, ROLLOUTS, PAGE, no_rollout_change, NULL) == 0);
}

static void ask_machine(const struct asking *ask)
{
	struct standing_row standing;

	assert(store_machine_each(ask->fill->db, no_machine, NULL) == 0);
	assert(store_service_each(ask->fill->db, ask->machine, no_service, NULL) == 0);
	either(store_standing_find(ask->fill->db, ask->machine, &standing));
}

/* A piece of each kind: rows are looked at, and all of them stay or few go. */
static int ask_retain_txn(struct db *db, void *arg)
{
	const struct asking *ask = arg;
	const struct retention_limits limits = {.kept = {1000000, 1000000, 1000000}};
	struct retention generations = {
	        .what = RETENTION_GENERATIONS, .of = ask->fill->busy.id, .upto = 20};
	struct retention jobs = {.what = RETENTION_JOBS, .of = ask->machine, .upto = 20};
	struct retention next = {.what = RETENTION_GENERATIONS};

	assert(store_retain(db, &generations, &limits) == 0);
	assert(store_retain(db, &jobs, &limits) == 0);
	assert(store_retain(db, &next, &limits) == 0);
	assert(store_retain(db, &next, &limits) == 0);
	next = (struct retention){.what = RETENTION_JOBS};
	assert(store_retain(db, &next, &limits) == 0);
	assert(store_retain(db, &next, &limits) == 0);
	return DB_E_EXISTS; /* nothing went */
}

static void ask_retention(const struct asking *ask)
{
	uint64_t n;
	int64_t usec;

	assert(db_txn(ask->fill->db, ask_retain_txn, (void *)ask) == DB_E_EXISTS);
	assert(store_removed(ask->fill->db, RETENTION_JOBS, ask->machine, "ds", &n, &usec) == 0);
	assert(store_job_removed(ask->fill->db, 1, &usec) == DB_E_NONE);
}

static void ask_crashes(const struct asking *ask)
{
	const struct crash_filter filter = {ask->machine, ask->service, ask->before, PAGE};

	assert(store_crash_each(ask->fill->db, &filter, no_change, NULL) == 0);
}

/* What lud does when nobody asks. */
static void ask_idle(const struct asking *ask)
{
	struct generation_row row;

	assert(store_effect_next(ask->fill->db, INT64_MAX, &row) == DB_E_NONE);
	assert(store_variant_each_stale(ask->fill->db, ask->fill->busy.id, 8, no_variant, NULL) ==
	        0);
}

/* What is written at each status, and at the end of a job. */
static int ask_status_txn(struct db *db, void *arg)
{
	const struct asking *ask = arg;
	const struct generation_row *row = &ask->fill->generation;
	const struct effect_row effect = {.generation = row->id};
	const struct store_seed seed = {0};

	assert(store_generation_runs(db, row->service, row->number) == 0);
	assert(store_generation_layout(db, row->service, row->number, 5, &seed) == 0);
	assert(store_event_trim(db, ask->machine, 1000000) == 0);
	assert(store_change_trim(db, ask->machine, 1000000) == 0);
	assert(store_effect_put(db, &effect) == 0);
	assert(db_run(db, "DELETE FROM effects WHERE generation = ?", "i", row->id) == 0);
	assert(store_order_void(db, row->job) == 0);
	assert(store_job_fold(db, row->job) == 0);
	return 0;
}

static void ask_status(const struct asking *ask)
{
	assert(db_txn(ask->fill->db, ask_status_txn, (void *)ask) == 0);
}

static const struct question {
	const char *name;
	void (*ask)(const struct asking *ask);
} questions[] = {
        {"history", ask_history},
        {"jobs", ask_jobs},
        {"answer", ask_answer},
        {"jobs.bare", ask_bare},
        {"jobs.open", ask_open},
        {"show", ask_show},
        {"rollback", ask_rollback},
        {"plan", ask_plan},
        {"releases", ask_releases},
        {"rollouts", ask_rollouts},
        {"machine", ask_machine},
        {"idle", ask_idle},
        {"crashes", ask_crashes},
        {"retention", ask_retention},
        {"status", ask_status},
};
#define QUESTIONS (sizeof(questions) / sizeof(questions[0]))

/* The longest of each, ms, over a busy and an idle machine, one service and all, first page and another. */
static void ask_all(struct fill *fill, double worst[QUESTIONS])
{
	for (int i = 0; i < 8; i++) {
		const struct asking ask = {fill, i & 1 ? fill->n_machines : 1, i & 2 ? "ds" : "",
		        i & 4 ? fill->n_jobs / 2 : 0};

		for (size_t q = 0; q < QUESTIONS; q++) {
			double took = 1e9;

			/* The best of some: others have the CPU, too. */
			for (int n = 0; n < 3; n++) {
				double from = now_msec();

				questions[q].ask(&ask);
				from = now_msec() - from;
				took = from < took ? from : took;
			}
			worst[q] = took > worst[q] ? took : worst[q];
		}
	}
}

/* Columns that are another number in each copy; the rest is as it was. */
static const struct {
	const char *table, *shifted;
} copied[] = {
        {"jobs", " id "},
        {"job_results", " id "},
        {"job_steps", " job "},
        {"variants", " id "},
        {"generations", " id number variant job ran_after "},
};

/* The select list of a copy: all columns of a table, some of them moved up; and old jobs are folded. */
static void copy_columns(const char *table, const char *shifted, char *ret_list, size_t size)
{
	char sql[128], word[64];
	sqlite3_stmt *columns;

	*ret_list = '\0';
	snprintf(sql, sizeof(sql), "PRAGMA table_info(%s)", table);
	assert(sqlite3_prepare_v2(statements_db(), sql, -1, &columns, NULL) == SQLITE_OK);
	while (sqlite3_step(columns) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(columns, 1);
		size_t used = strlen(ret_list);

		snprintf(word, sizeof(word), " %s ", name);
		snprintf(ret_list + used, size - used, "%s%s%s", used ? ", " : "",
		        strcmp(name, "folded") ? name : "1", strstr(shifted, word) ? " + ?1" : "");
	}
	sqlite3_finalize(columns);
}

/*
 * By lud's own functions 200,000 generations take minutes; what they made is copied instead. Not so events,
 * orders, and what was signed: lud keeps as many of a machine, however long it was.
 */
static void copy_record(int times)
{
	char list[2048], sql[4096];

	assert(sqlite3_exec(statements_db(), "PRAGMA synchronous = OFF; BEGIN", NULL, NULL, NULL) ==
	        0);
	for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]); i++) {
		sqlite3_stmt *copy;

		copy_columns(copied[i].table, copied[i].shifted, list, sizeof(list));
		snprintf(sql, sizeof(sql), "INSERT INTO %s SELECT %s FROM %s WHERE %.*s < 1000000",
		        copied[i].table, list, copied[i].table,
		        (int)strcspn(copied[i].shifted + 1, " "), copied[i].shifted + 1);
		assert(sqlite3_prepare_v2(statements_db(), sql, -1, &copy, NULL) == SQLITE_OK);
		for (int n = 1; n < times; n++) {
			assert(sqlite3_bind_int64(copy, 1, INT64_C(1000000) * n) == SQLITE_OK);
			assert(sqlite3_step(copy) == SQLITE_DONE);
			sqlite3_reset(copy);
		}
		sqlite3_finalize(copy);
	}
	assert(sqlite3_exec(statements_db(), "COMMIT", NULL, NULL, NULL) == 0);
}

/* Rollouts of all machines, in two rings each, with a history that a page has no room for. */
static int fill_rollouts(struct db *db, void *arg)
{
	const struct fill *fill = arg;
	int r = 0;

	for (int64_t i = 1; !r && i <= ROLLOUTS; i++) {
		struct rollout_row row = {.policy = "p",
		        .service = "ds",
		        .release = fill->releases[0][0].id,
		        .state = ROLLOUT_DONE};
		struct rollout_ring_row ring = {.rollout = i, .n = 0};
		struct rollout_member_row member = {.rollout = i, .state = ROLLOUT_IS_WELL};
		struct rollout_change_row change = {.rollout = i, .what = ROLLOUT_WAS_APPROVED};

		r = store_rollout_insert(db, &row);
		assert(row.id == i);
		r = r ? r : store_rollout_ring_insert(db, &ring);
		for (member.machine = 1; !r && member.machine <= fill->n_machines;
		        member.machine++) {
			r = store_rollout_member_insert(db, &member);
		}
		for (int n = 0; !r && n < 3; n++) {
			r = store_rollout_change_insert(db, &change);
		}
	}
	return err_up(r);
}

/* The slowest question, with its name; and how large the record is for each generation in it. */
static void print_figures(const double worst[QUESTIONS], const char *path, int64_t n_generations)
{
	size_t slowest = 0;
	struct stat file;

	for (size_t q = 1; q < QUESTIONS; q++) {
		slowest = worst[q] > worst[slowest] ? q : slowest;
	}
	assert(stat(path, &file) == 0);
	printf("{\"name\": \"lud.query.ms\", \"value\": %.3f, \"unit\": \"ms\", \"better\": "
	       "\"lower\","
	       " \"note\": \"the slowest question (%s) to a record of %lld generations\"}\n",
	        worst[slowest], questions[slowest].name, (long long)n_generations);
	printf("{\"name\": \"lud.record.bytes_per_generation\", \"value\": %lld, \"unit\": \"B\","
	       " \"better\": \"lower\", \"note\": \"with half a job, its steps and two "
	       "orders; half of them never ran\"}\n",
	        (long long)(file.st_size / n_generations));
}

int main(int argc, char **argv)
{
	char dir[] = "/tmp/questions_test.XXXXXX", path[300];
	double worst[QUESTIONS] = {0};
	struct fill fill = {.n_machines = 6, .n_jobs = 1500};
	struct answer_row answer = {.request_id = "one"};
	struct failure failure;
	int n_bad;

	statements_watch();
	if (argc > 4) {
		fill.n_jobs = atoll(argv[2]);
		fill.n_machines = atoll(argv[3]);
		snprintf(path, sizeof(path), "%s", argv[1]);
	} else {
		assert(mkdtemp(dir));
		snprintf(path, sizeof(path), "%s/lud.db", dir);
	}
	assert(store_open(path, &fill.db, &failure) == 0);
	assert(fill_record(&fill) == 0);
	assert(db_txn(fill.db, fill_rollouts, &fill) == 0);
	if (argc > 4) {
		copy_record(atoi(argv[4]));
	}
	statements_look(true);
	ask_all(&fill, worst);
	assert(db_txn(fill.db, put_answer, &answer) == 0);
	statements_look(false);
	n_bad = argc > 4 ? 0 : statements_check();
	db_close(fill.db);
	if (argc > 4) {
		print_figures(worst, path, fill.n_jobs * 2 * atoi(argv[4]));
		return 0;
	}
	assert(!n_bad);
	assert(dir_remove(dir) == 0);
	return 0;
}
