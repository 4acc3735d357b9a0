/*
 * Jobs, their steps, their orders and the events of machines, each as statements over one or
 * two tables. A job is inserted with what was asked for, which never changes, and updated with
 * what became of it; each begin of a step is a row of its own, so that a job that went back
 * and forth shows every attempt. Causes, results and pairings are kept as packed messages.
 *
 * An order's number is unique for machine and epoch; the insert that draws a number twice
 * fails.
 */
#include "orchestrator/store/jobs.h"

#include <string.h>

#define JOB_COLUMNS                                                                                \
	"id, accept_loss, machine, service, kind, state, step, identity, from_generation, "        \
	"generation,"                                                                              \
	" coalesce(release, 0), prepare_only, quiescent, timeout_ms, hold_ms, boot_id,"            \
	" consent, hint, created_us, ended_us, from_release"

static const char *const job_kind_names[_JOB_KIND_N] = {
#define JOB_KIND(name, number, word) [JOB_##name] = word,
#include "proto/words/jobs.def"
#undef JOB_KIND
};

static const char *const job_state_names[_JOB_STATE_N] = {
#define JOB_STATE(name, number, word) [JOB_##name] = word,
#include "proto/words/jobs.def"
#undef JOB_STATE
};

static const char *const job_step_names[_JOB_STEP_N] = {
#define JOB_STEP(name, number, word) [JOB_STEP_##name] = word,
#include "proto/words/jobs.def"
#undef JOB_STEP
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
	ret->accept_loss = sqlite3_column_int64(row, 1);
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
	db_column_blob(row, 16, ret->consent, sizeof(ret->consent));
	db_column_text(row, 17, ret->hint, sizeof(ret->hint));
	ret->created_us = sqlite3_column_int64(row, 18);
	ret->ended_us = sqlite3_column_int64(row, 19);
	ret->from_release = sqlite3_column_int64(row, 20);
}

static int store_job_row(sqlite3_stmt *row, void *arg)
{
	store_job_read(row, arg);
	return 0;
}

int store_job_insert(struct db *db, struct job_row *row)
{
	int r;

	row->created_us = store_now_usec();
	r = db_run(db,
	        "INSERT INTO jobs(machine, service, kind, state, step, identity, from_generation,"
	        " generation, release, prepare_only, quiescent, timeout_ms, hold_ms, created_us,"
	        " accept_loss) VALUES(?,?,?,?,?,?,?,?,nullif(?,0),?,?,?,?,?,?)",
	        "itiiitiiiitiiii", row->machine, row->service, (int64_t)row->kind,
	        (int64_t)row->state, (int64_t)row->step, row->identity,
	        (int64_t)row->from_generation, (int64_t)row->generation, row->release,
	        (int64_t)row->prepare_only, row->quiescent, row->timeout_ms, row->hold_ms,
	        row->created_us, (int64_t)row->accept_loss);
	if (r) {
		return err_fold(r);
	}
	row->id = db_last_id(db);
	return 0;
}

int store_job_update(struct db *db, const struct job_row *row)
{
	return err_fold(db_run(db,
	        "UPDATE jobs SET state = ?, step = ?, generation = ?, boot_id = ?, consent = ?,"
	        " hint = ?, ended_us = ?, from_release = ? WHERE id = ?",
	        "iiiibtiii", (int64_t)row->state, (int64_t)row->step, (int64_t)row->generation,
	        (int64_t)row->boot_id, row->consent, sizeof(row->consent), row->hint, row->ended_us,
	        row->from_release, row->id));
}

int store_job_from(struct db *db, int64_t id, uint64_t generation)
{
	return err_fold(db_run(db, "UPDATE jobs SET from_generation = ? WHERE id = ?", "ii",
	        (int64_t)generation, id));
}

int store_job_outcome(struct db *db, int64_t id, const void *cause, size_t cause_size,
        const void *result, size_t result_size)
{
	return err_fold(db_run(db,
	        "UPDATE jobs SET cause = coalesce(?, cause), result = coalesce(?, result)"
	        " WHERE id = ?",
	        "bbi", cause, cause_size, result, result_size, id));
}

int store_job_pairing_put(struct db *db, int64_t id, const void *pairing, size_t pairing_size)
{
	return err_fold(db_run(
	        db, "UPDATE jobs SET pairing = ? WHERE id = ?", "bi", pairing, pairing_size, id));
}

struct store_bytes {
	uint8_t *bytes;
	size_t size;
};

static int store_bytes_row(sqlite3_stmt *row, void *arg)
{
	struct store_bytes *ret = arg;

	ret->bytes = db_column_blob_new(row, 0, &ret->size);
	return 0;
}

int store_job_pairing_get(struct db *db, int64_t id, uint8_t **ret_pairing, size_t *ret_size)
{
	struct store_bytes got = {0};
	int r = db_query(
	        db, store_bytes_row, &got, "SELECT pairing FROM jobs WHERE id = ?", "i", id);

	if (r) {
		return err_up(r);
	}
	*ret_pairing = got.bytes;
	*ret_size = got.size;
	return 0;
}

int store_job_find(struct db *db, int64_t id, struct job_row *ret)
{
	return err_up(db_query(
	        db, store_job_row, ret, "SELECT " JOB_COLUMNS " FROM jobs WHERE id = ?", "i", id));
}

int store_job_by_order(
        struct db *db, int64_t machine, uint64_t epoch, uint64_t txn, struct job_row *ret)
{
	return err_up(db_query(db, store_job_row, ret,
	        "SELECT " JOB_COLUMNS " FROM jobs WHERE id = (SELECT job FROM orders"
	        " WHERE machine = ? AND epoch = ? AND txn = ?)",
	        "iii", machine, (int64_t)epoch, (int64_t)txn));
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

int store_job_each(struct db *db, const struct job_filter *filter, store_job_fn fn, void *arg)
{
	struct store_job_visit visit = {fn, arg};
	int r = db_query(db, store_job_visit_row, &visit,
	        "SELECT " JOB_COLUMNS " FROM jobs WHERE (?1 = 0 OR machine = ?1)"
	        " AND (?2 = '' OR service = ?2) AND (?3 = 0 OR id < ?3)"
	        " AND (?4 = 0 OR (ended_us AND NOT EXISTS"
	        " (SELECT 1 FROM generations WHERE generations.job = jobs.id)))"
	        " ORDER BY id DESC LIMIT ?5",
	        "itiii", filter->machine, filter->service, filter->before, (int64_t)filter->bare,
	        (int64_t)filter->limit);

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

int store_job_began(struct db *db, int64_t job, int64_t *ret_usec)
{
	return err_up(db_query_int(db, ret_usec,
	        "SELECT started_us FROM job_steps WHERE job = ? AND step <> ? ORDER BY n LIMIT 1",
	        "ii", job, (int64_t)JOB_STEP_PLAN));
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

#define ORDER_COLUMNS "id, job, machine, boot_id, line, epoch, txn, action, expires, sent, accepted"

static int store_order_row(sqlite3_stmt *row, void *arg)
{
	struct order_row *ret = arg;

	memset(ret, 0, sizeof(*ret));
	ret->id = sqlite3_column_int64(row, 0);
	ret->job = sqlite3_column_int64(row, 1);
	ret->machine = sqlite3_column_int64(row, 2);
	ret->boot_id = sqlite3_column_int64(row, 3);
	ret->line = sqlite3_column_int64(row, 4);
	ret->epoch = sqlite3_column_int64(row, 5);
	ret->txn = sqlite3_column_int64(row, 6);
	ret->action = (uint32_t)sqlite3_column_int64(row, 7);
	ret->expires = sqlite3_column_int64(row, 8);
	ret->sent = sqlite3_column_int64(row, 9);
	ret->accepted = sqlite3_column_int64(row, 10);
	return 0;
}

int store_order_insert(
        struct db *db, struct order_row *row, const void *envelope, size_t envelope_size)
{
	int r = db_run(db,
	        "INSERT INTO orders(job, machine, boot_id, line, epoch, txn, action, expires, sent,"
	        " accepted, envelope, created_us) VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
	        "iiiiiiiiiibi", row->job, row->machine, (int64_t)row->boot_id, (int64_t)row->line,
	        (int64_t)row->epoch, (int64_t)row->txn, (int64_t)row->action, row->expires,
	        (int64_t)row->sent, (int64_t)row->accepted, envelope, envelope_size,
	        store_now_usec());

	if (r) {
		return err_up(r);
	}
	row->id = db_last_id(db);
	return 0;
}

int store_order_update(struct db *db, const struct order_row *row)
{
	return err_fold(
	        db_run(db, "UPDATE orders SET sent = ?, accepted = ?, expires = ? WHERE id = ?",
	                "iiii", (int64_t)row->sent, (int64_t)row->accepted, row->expires, row->id));
}

int store_order_newest(struct db *db, int64_t job, uint32_t action, struct order_row *ret)
{
	return err_up(db_query(db, store_order_row, ret,
	        "SELECT " ORDER_COLUMNS " FROM orders WHERE job = ?1 AND (?2 = 0 OR action = ?2)"
	        " ORDER BY id DESC LIMIT 1",
	        "ii", job, (int64_t)action));
}

static int store_order_blob(sqlite3_stmt *row, void *arg)
{
	void **out = arg;

	*(uint8_t **)out[0] = db_column_blob_new(row, 0, out[1]);
	return 0;
}

int store_order_envelope(struct db *db, int64_t id, uint8_t **ret_envelope, size_t *ret_size)
{
	void *out[] = {ret_envelope, ret_size};

	return err_up(db_query(
	        db, store_order_blob, out, "SELECT envelope FROM orders WHERE id = ?", "i", id));
}

int store_order_highest(struct db *db, int64_t machine, uint64_t epoch, uint64_t *ret_txn)
{
	int64_t highest;
	int r = db_query_int(db, &highest,
	        "SELECT coalesce(max(txn), 0) FROM orders WHERE machine = ? AND epoch = ?", "ii",
	        machine, (int64_t)epoch);

	if (!r) {
		*ret_txn = (uint64_t)highest;
	}
	return err_fold(r);
}

int store_order_accepted(
        struct db *db, int64_t machine, uint64_t boot_id, uint64_t line, struct order_row *ret)
{
	return err_up(db_query(db, store_order_row, ret,
	        "SELECT " ORDER_COLUMNS " FROM orders WHERE machine = ? AND boot_id = ?"
	        " AND line = ? AND accepted = 1 ORDER BY epoch DESC, txn DESC LIMIT 1",
	        "iii", machine, (int64_t)boot_id, (int64_t)line));
}

int store_event_insert(struct db *db, const struct event_row *row)
{
	return err_up(db_run(db,
	        "INSERT INTO events(machine, boot_id, line, seq, clock_ns, seen_us, body)"
	        " VALUES(?,?,?,?,?,?,?)",
	        "iiiiiib", row->machine, (int64_t)row->boot_id, (int64_t)row->line,
	        (int64_t)row->seq, (int64_t)row->clock_ns, store_now_usec(), row->body,
	        row->body_size));
}

int store_event_trim(struct db *db, int64_t machine, int64_t kept)
{
	return err_fold(db_run(db,
	        "DELETE FROM events WHERE machine = ?1 AND id <= (SELECT id FROM events"
	        " WHERE machine = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
	        "ii", machine, kept));
}
