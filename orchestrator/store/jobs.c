#include "orchestrator/store/jobs.h"

#include <string.h>

#define JOB_COLUMNS                                                                                \
	"id, coalesce(txn, 0), machine, service, kind, state, step, identity, from_generation, "   \
	"generation,"                                                                              \
	" coalesce(release, 0), prepare_only, quiescent, timeout_ms, hold_ms, boot_id,"            \
	" accepted, hint, created_us, ended_us"

static const char *const job_kind_names[_JOB_KIND_N] = {
        [JOB_UPDATE] = "update",
        [JOB_ROLLBACK] = "rollback",
        [JOB_RERANDOMIZE] = "rerandomize",
        [JOB_PREPARE] = "prepare",
        [JOB_START] = "start",
};

static const char *const job_state_names[_JOB_STATE_N] = {
        [JOB_OPEN] = "open",
        [JOB_COMMITTED] = "committed",
        [JOB_PREPARED] = "prepared",
        [JOB_REFUSED] = "refused",
        [JOB_ROLLED_BACK] = "rolled back",
        [JOB_FAILED] = "failed",
        [JOB_UNKNOWN] = "unknown",
        [JOB_SKIPPED] = "skipped",
};

static const char *const job_step_names[_JOB_STEP_N] = {
        [JOB_STEP_PLAN] = "plan",
        [JOB_STEP_SEED] = "seed",
        [JOB_STEP_FORGE] = "forge",
        [JOB_STEP_SIGN] = "sign",
        [JOB_STEP_STAGE] = "stage",
        [JOB_STEP_RUN] = "run",
        [JOB_STEP_IMAGE] = "image",
        [JOB_STEP_LAUNCH] = "launch",
        [JOB_STEP_CONFIRM] = "confirm",
};

const char *job_kind_name(enum job_kind kind)
{
	return job_kind_names[kind];
}

const char *job_state_name(enum job_state state)
{
	return job_state_names[state];
}

const char *job_step_name(enum job_step step)
{
	return job_step_names[step];
}

static void store_job_read(sqlite3_stmt *row, struct job_row *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->id = sqlite3_column_int64(row, 0);
	ret->txn = sqlite3_column_int64(row, 1);
	ret->machine = sqlite3_column_int64(row, 2);
	db_column_text(row, 3, ret->service, sizeof(ret->service));
	ret->kind = sqlite3_column_int64(row, 4);
	ret->state = sqlite3_column_int64(row, 5);
	ret->step = sqlite3_column_int64(row, 6);
	db_column_text(row, 7, ret->identity, sizeof(ret->identity));
	ret->from_generation = sqlite3_column_int64(row, 8);
	ret->generation = sqlite3_column_int64(row, 9);
	ret->release = sqlite3_column_int64(row, 10);
	ret->prepare_only = sqlite3_column_int64(row, 11);
	db_column_text(row, 12, ret->quiescent, sizeof(ret->quiescent));
	ret->timeout_ms = sqlite3_column_int64(row, 13);
	ret->hold_ms = sqlite3_column_int64(row, 14);
	ret->boot_id = sqlite3_column_int64(row, 15);
	ret->accepted = sqlite3_column_int64(row, 16);
	db_column_text(row, 17, ret->hint, sizeof(ret->hint));
	ret->created_us = sqlite3_column_int64(row, 18);
	ret->ended_us = sqlite3_column_int64(row, 19);
}

static int store_job_row(sqlite3_stmt *row, void *arg)
{
	store_job_read(row, arg);
	return 0;
}

/* A number above all before it, and above those of a record that was lost. */
static int store_job_draw_txn(struct db *db, int64_t now_usec, uint64_t *ret_txn)
{
	int64_t newest;
	int r = db_query_int(db, &newest, "SELECT coalesce(max(txn), 0) FROM jobs", "");

	if (r) {
		return err_fold(r);
	}
	*ret_txn = newest >= now_usec ? newest + 1 : now_usec;
	return 0;
}

int store_job_insert(struct db *db, struct job_row *row)
{
	int r;

	row->created_us = store_now_usec();
	row->txn = 0;
	r = db_run(db,
	        "INSERT INTO jobs(machine, service, kind, state, step, identity, from_generation,"
	        " generation, release, prepare_only, quiescent, timeout_ms, hold_ms, created_us)"
	        " VALUES(?,?,?,?,?,?,?,?,nullif(?,0),?,?,?,?,?)",
	        "itiiitiiiitiii", row->machine, row->service, (int64_t)row->kind,
	        (int64_t)row->state, (int64_t)row->step, row->identity,
	        (int64_t)row->from_generation, (int64_t)row->generation, row->release,
	        (int64_t)row->prepare_only, row->quiescent, row->timeout_ms, row->hold_ms,
	        row->created_us);
	if (r) {
		return err_fold(r);
	}
	row->id = db_last_id(db);
	return 0;
}

int store_job_send(struct db *db, struct job_row *row, uint64_t boot_id)
{
	int r = 0;

	if (!row->txn) {
		r = store_job_draw_txn(db, store_now_usec(), &row->txn);
	}
	if (!r) {
		row->boot_id = boot_id;
		r = db_run(db, "UPDATE jobs SET txn = ?, boot_id = ? WHERE id = ?", "iii",
		        (int64_t)row->txn, (int64_t)boot_id, row->id);
	}
	return err_fold(r);
}

int store_job_update(struct db *db, const struct job_row *row)
{
	return err_fold(db_run(db,
	        "UPDATE jobs SET state = ?, step = ?, generation = ?, boot_id = ?, accepted = ?,"
	        " hint = ?, ended_us = ? WHERE id = ?",
	        "iiiiitii", (int64_t)row->state, (int64_t)row->step, (int64_t)row->generation,
	        (int64_t)row->boot_id, (int64_t)row->accepted, row->hint, row->ended_us, row->id));
}

int store_job_outcome(struct db *db, int64_t id, const void *cause, size_t cause_size,
        const void *result, size_t result_size)
{
	return err_fold(db_run(db,
	        "UPDATE jobs SET cause = coalesce(?, cause), result = coalesce(?, result)"
	        " WHERE id = ?",
	        "bbi", cause, cause_size, result, result_size, id));
}

int store_job_find(struct db *db, int64_t id, struct job_row *ret)
{
	return err_up(db_query(
	        db, store_job_row, ret, "SELECT " JOB_COLUMNS " FROM jobs WHERE id = ?", "i", id));
}

int store_job_by_txn(struct db *db, int64_t machine, uint64_t txn, struct job_row *ret)
{
	return err_up(db_query(db, store_job_row, ret,
	        "SELECT " JOB_COLUMNS " FROM jobs WHERE machine = ? AND txn = ?", "ii", machine,
	        (int64_t)txn));
}

struct store_job_visit {
	store_job_fn fn;
	void *arg;
};

static int store_job_visit_row(sqlite3_stmt *row, void *arg)
{
	struct store_job_visit *visit = arg;
	struct job_row job;

	store_job_read(row, &job);
	return visit->fn(&job, visit->arg);
}

int store_job_each_open(struct db *db, int64_t machine, store_job_fn fn, void *arg)
{
	struct store_job_visit visit = {fn, arg};
	int r = db_query(db, store_job_visit_row, &visit,
	        "SELECT " JOB_COLUMNS " FROM jobs WHERE ended_us = 0"
	        " AND (?1 = 0 OR machine = ?1) ORDER BY id",
	        "i", machine);

	return r == DB_E_NONE ? 0 : err_up(r);
}

static int store_job_outcome_row(sqlite3_stmt *row, void *arg)
{
	struct job_outcome *ret = arg;

	ret->cause = db_column_blob_new(row, 0, &ret->cause_size);
	ret->result = db_column_blob_new(row, 1, &ret->result_size);
	return 0;
}

int store_job_outcome_get(struct db *db, int64_t id, struct job_outcome *ret)
{
	return err_up(db_query(db, store_job_outcome_row, ret,
	        "SELECT cause, result FROM jobs WHERE id = ?", "i", id));
}

void job_outcome_fini(struct job_outcome *outcome)
{
	free(outcome->cause);
	free(outcome->result);
}

int store_job_step_begin(struct db *db, int64_t job, enum job_step step)
{
	return err_fold(db_run(db,
	        "INSERT INTO job_steps(job, n, step, state, started_us)"
	        " SELECT ?1, coalesce(max(n), 0) + 1, ?2, ?3, ?4 FROM job_steps WHERE job = ?1",
	        "iiii", job, (int64_t)step, (int64_t)JOB_STEP_BEGUN, store_now_usec()));
}

int store_job_step_end(struct db *db, int64_t job, enum job_step_state state, const char *detail)
{
	return err_fold(db_run(db,
	        "UPDATE job_steps SET state = ?2, ended_us = ?3, detail = ?4 WHERE job = ?1"
	        " AND n = (SELECT max(n) FROM job_steps WHERE job = ?1)",
	        "iiit", job, (int64_t)state, store_now_usec(), detail));
}

struct store_job_step_visit {
	store_job_step_fn fn;
	void *arg;
};

static int store_job_step_visit_row(sqlite3_stmt *row, void *arg)
{
	struct store_job_step_visit *visit = arg;
	struct job_step_row step = {
	        .n = sqlite3_column_int64(row, 0),
	        .step = sqlite3_column_int64(row, 1),
	        .state = sqlite3_column_int64(row, 2),
	        .started_us = sqlite3_column_int64(row, 3),
	        .ended_us = sqlite3_column_int64(row, 4),
	};

	db_column_text(row, 5, step.detail, sizeof(step.detail));
	return visit->fn(&step, visit->arg);
}

int store_job_step_each(struct db *db, int64_t job, store_job_step_fn fn, void *arg)
{
	struct store_job_step_visit visit = {fn, arg};
	int r = db_query(db, store_job_step_visit_row, &visit,
	        "SELECT n, step, state, started_us, ended_us, detail FROM job_steps"
	        " WHERE job = ? ORDER BY n",
	        "i", job);

	return r == DB_E_NONE ? 0 : err_up(r);
}

int store_event_insert(struct db *db, const struct event_row *row)
{
	return err_up(db_run(db,
	        "INSERT INTO events(machine, boot_id, seq, clock_ns, seen_us, body)"
	        " VALUES(?,?,?,?,?,?)",
	        "iiiiib", row->machine, (int64_t)row->boot_id, (int64_t)row->seq,
	        (int64_t)row->clock_ns, store_now_usec(), row->body, row->body_size));
}

int store_event_trim(struct db *db, int64_t machine, int64_t kept)
{
	return err_fold(db_run(db,
	        "DELETE FROM events WHERE machine = ?1 AND id <= (SELECT id FROM events"
	        " WHERE machine = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
	        "ii", machine, kept));
}
