/*
 * Jobs, their steps, their orders and the events of machines, each as statements over one or
 * two tables. A job is inserted with what was asked for, which never changes, and updated with
 * what became of it; each begin of a step is a row of its own, so that a job that went back
 * and forth shows every attempt. Causes, results and pairings are messages, see message.h.
 *
 * An order's number is unique for machine and epoch; the insert that draws a number twice
 * fails.
 */
#include "orchestrator/store/jobs.h"

#include <assert.h>
#include <stdio.h>

#include "orchestrator/store/priv.h"

STORE_VISITOR(job)

static const char *const job_kind_names[_JOB_KIND_N] = {
#define JOB_KIND(name, number, word, priority) [JOB_##name] = word,
#include "proto/words/jobs.def"
#undef JOB_KIND
};

static const char *const job_state_names[_JOB_STATE_N] = {
#define JOB_STATE(name, number, word, class) [JOB_##name] = word,
#include "proto/words/jobs.def"
#undef JOB_STATE
};

static const char *const job_step_names[_JOB_STEP_N] = {
#define JOB_STEP(name, number, word) [JOB_STEP_##name] = word,
#include "proto/words/jobs.def"
#undef JOB_STEP
};

/* Numbers are read from the record: a newer lud may have left others there. */
const char *job_kind_name(enum job_kind kind)
{
	return kind < _JOB_KIND_N ? job_kind_names[kind] : "unknown";
}

const char *job_state_name(enum job_state state)
{
	return state < _JOB_STATE_N && job_state_names[state] ? job_state_names[state] : "unknown";
}

const char *job_step_name(enum job_step step)
{
	return step < _JOB_STEP_N ? job_step_names[step] : "unknown";
}

int store_job_insert(struct db *db, struct job_row *row)
{
	int r;

	row->created_us = store_now_usec();
	r = store_insert(db, STORE_job, row, NULL);
	if (r) {
		return err_fold(r);
	}
	row->id = db_last_id(db);
	return 0;
}

int store_job_update(struct db *db, const struct job_row *row)
{
	return err_fold(store_update(db, STORE_job, row, NULL));
}

/* What the service runs when the job begins: while it waited, another may have changed that. */
int store_job_from(struct db *db, int64_t id, uint64_t generation)
{
	return err_fold(db_run(db, "UPDATE jobs SET from_generation = ? WHERE id = ?", "ii",
	        (int64_t)generation, id));
}

/* Cause and result come at different moments; each call keeps what the other has written. */
int store_job_outcome(
        struct db *db, int64_t id, const Wire__Cause *cause, const Machine__Result *result)
{
	int r = cause ? message_put(db, &message_cause, id, &cause->base) : 0;

	return r || !result ? err_up(r)
	                    : err_up(message_put(db, &message_result, id, &result->base));
}

int store_job_stood(struct db *db, int64_t id, uint64_t blackout_ns)
{
	return err_fold(db_run(db, "UPDATE jobs SET blackout_ns = ? WHERE id = ?", "ii",
	        (int64_t)blackout_ns, id));
}

int store_job_pairing_put(struct db *db, int64_t id, const Control__Pairing *pairing)
{
	return pairing ? err_up(message_put(db, &message_pairing, id, &pairing->base))
	               : err_up(message_drop(db, &message_pairing, id));
}

int store_job_pairing_get(
        struct db *db, int64_t id, ProtobufCAllocator *allocator, Control__Pairing **ret_pairing)
{
	ProtobufCMessage *pairing;
	int r = message_get(db, &message_pairing, id, allocator, &pairing, NULL);

	if (!r) {
		*ret_pairing = (Control__Pairing *)pairing;
	}
	return err_up(r);
}

int store_plan_put(struct db *db, const uint8_t hash[64], const char *text, int64_t job)
{
	return err_fold(db_run(db,
	        "INSERT INTO plans(hash, job, text) VALUES (?, ?, ?)"
	        " ON CONFLICT(hash) DO UPDATE SET job = max(job, excluded.job)",
	        "bit", hash, (size_t)64, job, text));
}

int store_plan_get(struct db *db, int64_t job, uint8_t **ret_text, size_t *ret_size)
{
	return err_up(store_blob(db, ret_text, ret_size,
	        "SELECT CAST(text AS BLOB) FROM plans"
	        " WHERE hash = (SELECT plan FROM jobs WHERE id = ?)",
	        job));
}

int store_job_find(struct db *db, int64_t id, struct job_row *ret)
{
	return err_up(store_one(db, STORE_job, ret, "WHERE id = ?", "i", id));
}

int store_job_by_request(struct db *db, const char *request_id, uint64_t uid, int64_t machine,
        const char *service, struct job_row *ret)
{
	return err_up(store_one(db, STORE_job, ret,
	        "WHERE request_id = ? AND request_id <> '' AND machine = ? AND service = ?"
	        " AND uid = ?",
	        "titi", request_id, machine, service, (int64_t)uid));
}

int store_job_of_request(struct db *db, const char *request_id, uint64_t uid,
        const uint8_t hash[64], int64_t *ret_job)
{
	return err_up(db_query_int(db, ret_job,
	        "SELECT id FROM jobs WHERE request_id = ? AND request_id <> '' AND uid = ?"
	        " AND request_hash = ? LIMIT 1",
	        "tib", request_id, (int64_t)uid, hash, (size_t)64));
}

static_assert(ACCESS_WAY_POLICY == 3 && JOB_RERANDOMIZE == 3, "STORE_BY_POLICY");

int store_job_newest_like(struct db *db, const struct job_row *like, struct job_row *ret)
{
	return err_up(store_one(db, STORE_job, ret,
	        "WHERE machine = ? AND service = ? AND release = ? AND kind = ?"
	        " AND " STORE_BY_POLICY " ORDER BY id DESC LIMIT 1",
	        "itii", like->machine, like->service, like->release, (int64_t)like->kind));
}

/* In the order of the index; what is sorted are the newest few. */
#define STORE_BLACKOUTS 9
#define STORE_BLACKOUTS_OF 64 /* jobs that are looked at */
struct store_blackouts {
	uint64_t ns[STORE_BLACKOUTS];
	uint32_t n;
};

static int store_blackout_visit(const struct job_row *row, void *arg)
{
	struct store_blackouts *all = arg;
	uint32_t at = all->n++;

	for (; at && all->ns[at - 1] > row->blackout_ns; at--) {
		all->ns[at] = all->ns[at - 1];
	}
	all->ns[at] = row->blackout_ns;
	return 0;
}

int store_job_blackout(
        struct db *db, int64_t machine, const char *service, uint64_t *ret_ns, uint32_t *ret_of)
{
	struct store_blackouts all = {.n = 0};
	int r = store_each(db, STORE_job, store_job_visit, STORE_VISIT(store_blackout_visit, &all),
	        "WHERE id IN (SELECT id FROM jobs INDEXED BY jobs_service WHERE machine = ? AND"
	        " service = ? ORDER BY id DESC LIMIT ?) AND blackout_ns > 0 AND state IN (?, ?)"
	        " ORDER BY id DESC LIMIT ?",
	        "itiiii", machine, service, (int64_t)STORE_BLACKOUTS_OF, (int64_t)JOB_CONFIRMED,
	        (int64_t)JOB_COMMITTED, (int64_t)STORE_BLACKOUTS);

	*ret_of = all.n;
	*ret_ns = all.n ? all.ns[all.n / 2] : 0;
	return err_up(r);
}

/* Which job an order was for: how a result that comes after a restart finds its job. */
int store_job_by_order(
        struct db *db, int64_t machine, uint64_t epoch, uint64_t txn, struct job_row *ret)
{
	return err_up(store_one(db, STORE_job, ret,
	        "WHERE id = (SELECT job FROM orders WHERE machine = ? AND epoch = ? AND txn = ?)",
	        "iii", machine, (int64_t)epoch, (int64_t)txn));
}

/* Jobs without an end, oldest first; machine 0: of all machines. */
int store_job_each_open(struct db *db, int64_t machine, store_job_fn fn, void *arg)
{
	if (!machine) {
		return err_up(store_each(db, STORE_job, store_job_visit, STORE_VISIT(fn, arg),
		        "INDEXED BY jobs_open WHERE ended_us = 0 ORDER BY id", ""));
	}
	return err_up(store_each(db, STORE_job, store_job_visit, STORE_VISIT(fn, arg),
	        "INDEXED BY jobs_open WHERE ended_us = 0 AND machine = ? ORDER BY id", "i",
	        machine));
}

/* The index has those alone that another job asked for, hence both conditions. */
int store_job_child(struct db *db, int64_t parent, const char *service, struct job_row *ret)
{
	return err_up(store_one(db, STORE_job, ret,
	        "WHERE parent = ? AND parent > 0 AND service = ? ORDER BY id DESC LIMIT 1", "it",
	        parent, service));
}

int store_job_each_child(struct db *db, int64_t parent, store_job_fn fn, void *arg)
{
	return err_up(store_each(db, STORE_job, store_job_visit, STORE_VISIT(fn, arg),
	        "WHERE parent = ? AND parent > 0 ORDER BY id", "i", parent));
}

int store_job_children(struct db *db, int64_t parent, int64_t *ret_n)
{
	return err_fold(db_query_int(db, ret_n,
	        "SELECT count(*) FROM jobs WHERE parent = ? AND parent > 0", "i", parent));
}

/*
 * Jobs that ended with no generation drawn; of one that starts a machine the row itself does not say
 * so. Of one service and of all are one question: such jobs are few.
 */
static int store_job_each_bare(
        struct db *db, const struct job_filter *filter, store_job_fn fn, void *arg)
{
	return err_up(store_each(db, STORE_job, store_job_visit, STORE_VISIT(fn, arg),
	        "INDEXED BY jobs_bare WHERE machine = ?1 AND ended_us > 0 AND generation = 0"
	        " AND id < ?3 AND (?2 = '' OR service = ?2)"
	        " AND NOT EXISTS (SELECT 1 FROM generations WHERE generations.job = jobs.id)"
	        " ORDER BY id DESC LIMIT ?4",
	        "itii", filter->machine, filter->service,
	        filter->before ? filter->before : INT64_MAX, (int64_t)filter->limit));
}

/* A statement for each way through an index: one that fits all filters would walk the table. */
int store_job_each(struct db *db, const struct job_filter *filter, store_job_fn fn, void *arg)
{
	int64_t before = filter->before ? filter->before : INT64_MAX;

	if (filter->parent) {
		return err_up(store_each(db, STORE_job, store_job_visit, STORE_VISIT(fn, arg),
		        "INDEXED BY jobs_child WHERE parent = ? AND parent > 0 AND machine = ?"
		        " AND id < ? ORDER BY id DESC LIMIT ?",
		        "iiii", filter->parent, filter->machine, before, (int64_t)filter->limit));
	}
	if (filter->bare) {
		return err_up(store_job_each_bare(db, filter, fn, arg));
	}
	if (!*filter->service) {
		return err_up(store_each(db, STORE_job, store_job_visit, STORE_VISIT(fn, arg),
		        "INDEXED BY jobs_machine WHERE machine = ? AND id < ?"
		        " ORDER BY id DESC LIMIT ?",
		        "iii", filter->machine, before, (int64_t)filter->limit));
	}
	return err_up(store_each(db, STORE_job, store_job_visit, STORE_VISIT(fn, arg),
	        "INDEXED BY jobs_service WHERE machine = ? AND service = ? AND id < ?"
	        " ORDER BY id DESC LIMIT ?",
	        "itii", filter->machine, filter->service, before, (int64_t)filter->limit));
}

int store_job_outcome_get(
        struct db *db, int64_t id, ProtobufCAllocator *allocator, struct job_outcome *ret)
{
	struct job_outcome outcome = {0};
	ProtobufCMessage *cause = NULL, *result = NULL;
	int r = message_get(db, &message_cause, id, allocator, &cause, NULL);

	if (!r || r == DB_E_NONE) {
		r = message_get(db, &message_result, id, allocator, &result, &outcome.lost);
	}
	outcome.cause = (Wire__Cause *)cause;
	outcome.result = (Machine__Result *)result;
	if (r && r != DB_E_NONE) {
		job_outcome_fini(&outcome, allocator);
		return err_up(r);
	}
	*ret = outcome;
	return 0;
}

void job_outcome_fini(struct job_outcome *outcome, ProtobufCAllocator *allocator)
{
	wire__cause__free_unpacked(outcome->cause, allocator);
	machine__result__free_unpacked(outcome->result, allocator);
}

/* Its number follows the last one's of this job. */
int store_job_step_begin(struct db *db, int64_t job, enum job_step step)
{
	return err_fold(db_run(db,
	        "INSERT INTO job_steps(job, n, step, state, started_us)"
	        " SELECT ?1, coalesce(max(n), 0) + 1, ?2, ?3, ?4 FROM job_steps WHERE job = ?1",
	        "iiii", job, (int64_t)step, (int64_t)JOB_STEP_BEGUN, store_now_usec()));
}

/* Steps end in the order in which they begin, so the last one is meant. */
int store_job_step_end(struct db *db, int64_t job, enum job_step_state state, const char *detail)
{
	return err_fold(db_run(db,
	        "UPDATE job_steps SET state = ?2, ended_us = ?3, detail = ?4 WHERE job = ?1"
	        " AND n = (SELECT max(n) FROM job_steps WHERE job = ?1)",
	        "iiit", job, (int64_t)state, store_now_usec(), detail));
}

/*
 * A job that waits in the plan has not begun: the time it took counts from the first step of
 * work.
 */
int store_job_began(struct db *db, int64_t job, int64_t *ret_usec)
{
	return err_up(db_query_int(db, ret_usec,
	        "SELECT started_us FROM job_steps WHERE job = ? AND step <> ? ORDER BY n LIMIT 1",
	        "ii", job, (int64_t)JOB_STEP_PLAN));
}

/* Their length stands before what they have in common. */
static int store_order_head(
        struct db *db, const struct store_bytes *envelope, struct store_head *ret)
{
	const struct order_head_row made = {.size = (int64_t)envelope->size};
	int r = store_head_find(db, envelope, ret,
	        "SELECT id, bytes FROM order_heads WHERE size = ? ORDER BY id DESC LIMIT 1",
	        made.size);

	if (r != DB_E_NONE) {
		return err_up(r);
	}
	r = store_insert(db, STORE_order_head, &made, envelope);
	*ret = (struct store_head){db_last_id(db), envelope->size};
	return err_fold(r);
}

int store_order_insert(
        struct db *db, struct order_row *row, const void *envelope, size_t envelope_size)
{
	const struct store_bytes apart = {"", 0}, bytes = {envelope, envelope_size};
	struct store_head head = {0};
	int r;

	row->created_us = store_now_usec();
	r = store_insert(db, STORE_order, row, &apart);
	if (r) {
		return err_up(r);
	}
	row->id = db_last_id(db);
	r = store_order_head(db, &bytes, &head);
	return r ? err_up(r)
	         : err_fold(db_run(db,
	                   "INSERT INTO order_envelopes(id, bytes, head, head_len)"
	                   " VALUES(?, ?, ?, ?)",
	                   "ibii", row->id, (const uint8_t *)envelope + head.len,
	                   envelope_size - head.len, head.id, (int64_t)head.len));
}

/* What became of an order; what was signed, its number included, is written once. */
int store_order_update(struct db *db, const struct order_row *row)
{
	return err_fold(store_update(db, STORE_order, row, NULL));
}

/* action 0: of whatever action. */
int store_order_newest(struct db *db, int64_t job, uint32_t action, struct order_row *ret)
{
	return err_up(store_one(db, STORE_order, ret,
	        "WHERE job = ?1 AND (?2 = 0 OR action = ?2) ORDER BY id DESC LIMIT 1", "ii", job,
	        (int64_t)action));
}

int store_order_void(struct db *db, int64_t job)
{
	return err_fold(db_run(
	        db, "UPDATE orders SET expires = 0 WHERE job = ? AND NOT accepted", "i", job));
}

int store_order_envelope(struct db *db, int64_t id, uint8_t **ret_envelope, size_t *ret_size)
{
	return err_up(store_blob(db, ret_envelope, ret_size,
	        "SELECT CASE WHEN e.id IS NULL THEN o.envelope WHEN e.head IS NULL THEN e.bytes"
	        " WHEN length(h.bytes) >= e.head_len"
	        " THEN CAST(substr(h.bytes, 1, e.head_len) || e.bytes AS BLOB) END FROM orders o"
	        " LEFT JOIN order_envelopes e ON e.id = o.id"
	        " LEFT JOIN order_heads h ON h.id = e.head WHERE o.id = ?",
	        id));
}

/* The next order must lie above it, whatever job it was for and whatever became of that. */
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

/* The highest order that this boot and line is known to have accepted. DB_E_NONE: none. */
int store_order_accepted(
        struct db *db, int64_t machine, uint64_t boot_id, uint64_t line, struct order_row *ret)
{
	return err_up(store_one(db, STORE_order, ret,
	        "WHERE machine = ? AND boot_id = ? AND line = ? AND accepted = 1"
	        " ORDER BY epoch DESC, txn DESC LIMIT 1",
	        "iii", machine, (int64_t)boot_id, (int64_t)line));
}

/* What a machine says may be of any length. */
void store_event_of(const Machine__Result *result, struct event_row *row)
{
	if (!result) {
		return;
	}
	row->epoch = result->epoch;
	row->txn = result->txn;
	row->action = result->action;
	row->outcome = (uint32_t)result->outcome;
	row->generation = result->generation;
	snprintf(row->service, sizeof(row->service), "%s", result->service);
}

/* A machine repeats events until they are acknowledged: DB_E_EXISTS is how a repeat looks. */
int store_event_insert(struct db *db, const struct event_row *row)
{
	struct store_bytes none = {"", 0};
	struct event_row seen = *row;

	seen.seen_us = store_now_usec();
	return err_up(store_insert(db, STORE_event, &seen, &none));
}

/* Counted by rows: what lud keeps of a machine has a bound, however much it says. */
int store_event_trim(struct db *db, int64_t machine, int64_t kept)
{
	return err_fold(db_run(db,
	        "DELETE FROM events WHERE machine = ?1 AND id <= (SELECT id FROM events"
	        " WHERE machine = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
	        "ii", machine, kept));
}
