/*
 * Records of before version 30 have messages packed in columns: causes, results and pairings of jobs, what is measured of
 * releases, and services as they were seen. Here they become rows. What no message can be made of stays where it is,
 * for whoever wants to look at it; nobody reads it, and check.c says so.
 *
 * Rows are read in one question and written by statements that are prepared once; columns are emptied at the end, all at once.
 * None of it is in memory for longer than its row.
 *
 * Of results of versions 27 and 28 pieces were cut out that other rows have: which, and where they were, is in `cuts`.
 */
#include <stdlib.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/store/jobs.h"
#include "orchestrator/store/message.h"
#include "orchestrator/store/priv.h"

#define MIGRATE_PIECES 4
static const char *const migrate_columns[MIGRATE_PIECES] = {
        "release_id", "build_id", "commitment", "sealed"};
static const size_t migrate_sizes[MIGRATE_PIECES] = {64, 32, STORE_COMMIT_SIZE, STORE_SEALED_SIZE};

/* Rows of jobs that are to be brought over. */
#define MIGRATE_PACKED "(cause IS NOT NULL OR result IS NOT NULL OR pairing IS NOT NULL)"

struct migrate_job {
	int64_t id;
	uint8_t *cause, *result, *pairing;
	size_t cause_size, result_size, pairing_size;
	uint8_t pieces[MIGRATE_PIECES][80];
	bool known[MIGRATE_PIECES];
	uint8_t cuts[2 *
	             MIGRATE_PIECES]; /* of each, where it was in what the cuts before left, plus 1; 0: nowhere */
	bool is_over;
};

static void migrate_job_fini(struct migrate_job *job)
{
	free(job->cause);
	free(job->result);
	free(job->pairing);
}

static void migrate_job_read(sqlite3_stmt *row, struct migrate_job *job)
{
	job->id = sqlite3_column_int64(row, 0);
	job->cause = db_column_blob_new(row, 1, &job->cause_size);
	job->result = db_column_blob_new(row, 2, &job->result_size);
	job->pairing = db_column_blob_new(row, 3, &job->pairing_size);
	job->is_over = sqlite3_column_int64(row, 4) > 0;
	db_column_blob(row, 5, job->cuts, sizeof(job->cuts));
	for (int i = 0; i < MIGRATE_PIECES; i++) {
		job->known[i] = (size_t)sqlite3_column_bytes(row, 6 + i) == migrate_sizes[i];
		db_column_blob(row, 6 + i, job->pieces[i], migrate_sizes[i]);
	}
}

/* Puts a piece back. False: its place is not in the bytes. */
static bool migrate_mend(struct migrate_job *job, int i)
{
	size_t where = job->cuts[2 * i] + ((size_t)job->cuts[2 * i + 1] << 8);
	size_t size = job->result_size, added = migrate_sizes[i];
	uint8_t *made;

	if (!where) {
		return true;
	}
	if (where - 1 > size) {
		return false;
	}
	made = mem_zero(size + added + 1);
	if (size) {
		memcpy(made, job->result, where - 1);
		memcpy(made + where - 1 + added, job->result + where - 1, size - (where - 1));
	}
	memcpy(made + where - 1, job->pieces[i], added);
	free(job->result);
	job->result = made;
	job->result_size += added;
	return true;
}

/* In the reverse order of the cuts. */
static bool migrate_mend_all(struct migrate_job *job)
{
	for (int i = MIGRATE_PIECES - 1; i >= 0; i--) {
		if (!migrate_mend(job, i)) {
			return false;
		}
	}
	return true;
}

/* What was cut out, and is said by no row any more, is not known: a recovered record lost it. */
static int migrate_lost(struct db *db, const struct migrate_job *job)
{
	int r = 0;

	for (int i = 0; !r && i < MIGRATE_PIECES; i++) {
		if ((job->cuts[2 * i] || job->cuts[2 * i + 1]) && !job->known[i]) {
			_cleanup_(freep) char *sql =
			        text_format("UPDATE job_results SET %s = NULL WHERE id = ?",
			                migrate_columns[i]);

			r = db_run(db, sql, "i", job->id);
		}
	}
	return err_fold(r);
}

/* Messages of jobs while they are brought over. */
struct migrate {
	struct db *db;
	struct message_writer *cause, *result, *pairing;
	uint64_t done, all; /* jobs that have any */
};

static void migrate_fini(struct migrate *migrate)
{
	message_writer_free(migrate->cause);
	message_writer_free(migrate->result);
	message_writer_free(migrate->pairing);
}

static int migrate_init(struct migrate *migrate)
{
	int64_t all = 0;
	int r = message_writer_new(migrate->db, &message_cause, &migrate->cause);

	if (!r) {
		r = message_writer_new(migrate->db, &message_result, &migrate->result);
	}
	if (!r) {
		r = message_writer_new(migrate->db, &message_pairing, &migrate->pairing);
	}
	if (!r) {
		r = db_query_int(
		        migrate->db, &all, "SELECT count(*) FROM jobs WHERE " MIGRATE_PACKED, "");
	}
	migrate->all = (uint64_t)all;
	return err_fold(r);
}

/* Bytes that are no message stay. */
static int migrate_message(struct db *db, const struct message_writer *writer, int64_t id,
        const uint8_t *bytes, size_t size)
{
	int r = bytes ? message_put_packed(db, writer, id, bytes, size) : DB_E_NONE;

	return r == DB_E_NONE ? 0 : err_up(r);
}

static int migrate_result(const struct migrate *migrate, struct migrate_job *job)
{
	int r;

	if (!job->result || !migrate_mend_all(job)) {
		return 0;
	}
	r = message_put_packed(
	        migrate->db, migrate->result, job->id, job->result, job->result_size);
	if (r) {
		return r == DB_E_NONE ? 0 : err_up(r);
	}
	r = migrate_lost(migrate->db, job);
	return r || !job->is_over ? err_up(r) : err_up(store_result_cut(migrate->db, job->id));
}

static int migrate_job(struct migrate *migrate, struct migrate_job *job)
{
	int r = migrate_message(migrate->db, migrate->cause, job->id, job->cause, job->cause_size);

	if (!r) {
		r = migrate_message(
		        migrate->db, migrate->pairing, job->id, job->pairing, job->pairing_size);
	}
	return r ? err_up(r) : err_up(migrate_result(migrate, job));
}

static int migrate_job_row(sqlite3_stmt *row, void *arg)
{
	_cleanup_(migrate_job_fini) struct migrate_job job = {0};
	struct migrate *migrate = arg;

	migrate_job_read(row, &job);
	db_progress(migrate->db, ++migrate->done, migrate->all);
	return err_up(migrate_job(migrate, &job));
}

static int migrate_jobs(struct db *db)
{
	_cleanup_(migrate_fini) struct migrate migrate = {.db = db};
	int r = migrate_init(&migrate);

	if (!r) {
		r = db_query(db, migrate_job_row, &migrate,
		        "SELECT j.id, j.cause, j.result, j.pairing, j.ended_us, j.cuts,"
		        " r.release_id, v.build_id, v.seed_commit, v.seed_sealed"
		        " FROM jobs j LEFT JOIN releases r ON r.id = j.release"
		        " LEFT JOIN generations g ON g.id = (SELECT min(id) FROM generations"
		        " WHERE job = j.id AND number = j.generation)"
		        " LEFT JOIN variants v ON v.id = g.variant WHERE " MIGRATE_PACKED,
		        "");
	}
	return r == DB_E_NONE ? 0 : err_up(r);
}

/* One message of each row, as id and bytes. */
struct migrate_blobs {
	struct db *db;
	struct message_writer *writer;
};

static int migrate_blob_row(sqlite3_stmt *row, void *arg)
{
	const struct migrate_blobs *blobs = arg;
	int r = message_put_packed(blobs->db, blobs->writer, sqlite3_column_int64(row, 0),
	        sqlite3_column_blob(row, 1), (size_t)sqlite3_column_bytes(row, 1));

	return r == DB_E_NONE ? 0 : err_up(r);
}

static int migrate_blobs(struct db *db, const struct message_shape *shape, const char *rows)
{
	_cleanup_(message_writer_freep) struct message_writer *writer = NULL;
	struct migrate_blobs blobs = {.db = db};
	int r = message_writer_new(db, shape, &writer);

	blobs.writer = writer;
	if (!r) {
		r = db_query(db, migrate_blob_row, &blobs, rows, "");
	}
	return r == DB_E_NONE ? 0 : err_up(r);
}

/* Bytes go of what has a row now; none at all say nothing. */
static int migrate_empty(struct db *db)
{
	static const char *const statements[] = {
	        "UPDATE jobs SET cause = NULL WHERE cause = x'' OR (cause IS NOT NULL"
	        " AND id IN (SELECT id FROM job_causes))",
	        "UPDATE jobs SET pairing = NULL WHERE pairing = x'' OR (pairing IS NOT NULL"
	        " AND id IN (SELECT id FROM job_pairings))",
	        "UPDATE jobs SET result = NULL, cuts = NULL WHERE result = x''"
	        " OR (result IS NOT NULL AND id IN (SELECT id FROM job_results))",
	        "UPDATE services SET status = NULL WHERE status IS NOT NULL AND id IN"
	        " (SELECT id FROM service_states)",
	        "DELETE FROM protections WHERE release IN (SELECT id FROM measures)",
	};
	int r = 0;

	for (size_t i = 0; !r && i < sizeof(statements) / sizeof(statements[0]); i++) {
		r = db_run(db, statements[i], "");
	}
	return err_fold(r);
}

int store_migrate_messages(struct db *db)
{
	int r = migrate_jobs(db);

	if (!r) {
		r = migrate_blobs(db, &message_service,
		        "SELECT id, status FROM services WHERE status IS NOT NULL");
	}
	if (!r) {
		r = migrate_blobs(
		        db, &message_measure, "SELECT release, measured FROM protections");
	}
	return r ? err_up(r) : err_up(migrate_empty(db));
}

struct migrate_event {
	struct event_row row;
	uint8_t *body;
	size_t size;
};

static int migrate_event_row(sqlite3_stmt *row, void *arg)
{
	struct migrate_event *event = arg;

	event->row = (struct event_row){.id = sqlite3_column_int64(row, 0)};
	event->body = db_column_blob_new(row, 1, &event->size);
	return 0;
}

/* What is no event, and what no column has, goes: there are as many as record.events, and older ones went, too. */
static int migrate_event(struct db *db, struct migrate_event *at)
{
	Machine__Event *event = machine__event__unpack(NULL, at->size, at->body);
	struct event_row *row = &at->row;

	if (event) {
		store_event_of(
		        event->body_case == MACHINE__EVENT__BODY_RESULT ? event->result : NULL,
		        row);
		machine__event__free_unpacked(event, NULL);
	}
	return err_fold(db_run(db,
	        "UPDATE events SET body = x'', epoch = ?, txn = ?, action = ?, outcome = ?,"
	        " service = ?, generation = ? WHERE id = ?",
	        "iiiitii", (int64_t)row->epoch, (int64_t)row->txn, (int64_t)row->action,
	        (int64_t)row->outcome, row->service, (int64_t)row->generation, row->id));
}

int store_migrate_events(struct db *db)
{
	struct migrate_event event = {.row = {.id = 0}};
	int r;

	while (!(r = db_query(db, migrate_event_row, &event,
	                 "SELECT id, body FROM events WHERE id > ? ORDER BY id LIMIT 1", "i",
	                 event.row.id))) {
		_cleanup_(freep) uint8_t *body = event.body;

		r = migrate_event(db, &event);
		if (r) {
			break;
		}
	}
	return r == DB_E_NONE ? 0 : err_up(r);
}

int store_leftovers_count(struct db *db, int64_t *ret_n)
{
	return err_fold(db_query_int(db, ret_n,
	        "SELECT (SELECT count(cause) + count(result) + count(pairing) FROM jobs)"
	        " + (SELECT count(status) FROM services) + (SELECT count(*) FROM protections)",
	        ""));
}

int store_leftovers_drop(struct db *db, void *arg)
{
	static const char *const statements[] = {
	        "UPDATE jobs SET cause = NULL, result = NULL, cuts = NULL, pairing = NULL "
	        "WHERE " MIGRATE_PACKED,
	        "UPDATE services SET status = NULL WHERE status IS NOT NULL",
	        "DELETE FROM protections",
	};
	int r = 0;

	for (size_t i = 0; !r && i < sizeof(statements) / sizeof(statements[0]); i++) {
		r = db_run(db, statements[i], "");
	}
	return err_fold(r);
}
