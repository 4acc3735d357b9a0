/*
 * Records of before version 30 have messages packed in columns: causes, results and pairings of jobs, what is measured of
 * releases, and services as they were seen. Here they become rows. What no message can be made of stays where it is,
 * for whoever wants to look at it; nobody reads it.
 *
 * Of results of versions 27 and 28 pieces were cut out that other rows have: which, and where they were, is in `cuts`.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/store/message.h"
#include "orchestrator/store/priv.h"

#define MIGRATE_TOLD 10000 /* jobs, some seconds of work: that it goes on is told as often */
#define MIGRATE_PIECES 4
static const char *const migrate_columns[MIGRATE_PIECES] = {
        "release_id", "build_id", "commitment", "sealed"};
static const size_t migrate_sizes[MIGRATE_PIECES] = {64, 32, STORE_COMMIT_SIZE, STORE_SEALED_SIZE};

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

static int migrate_job_row(sqlite3_stmt *row, void *arg)
{
	struct migrate_job *job = arg;

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
	return 0;
}

/* The next job behind this one that has any of them. DB_E_NONE. */
static int migrate_job_next(struct db *db, int64_t after, struct migrate_job *ret)
{
	return err_up(db_query(db, migrate_job_row, ret,
	        "SELECT j.id, j.cause, j.result, j.pairing, j.ended_us, j.cuts,"
	        " r.release_id, v.build_id, v.seed_commit, v.seed_sealed"
	        " FROM jobs j LEFT JOIN releases r ON r.id = j.release"
	        " LEFT JOIN generations g ON g.id = (SELECT min(id) FROM generations"
	        " WHERE job = j.id AND number = j.generation)"
	        " LEFT JOIN variants v ON v.id = g.variant"
	        " WHERE j.id > ? AND (j.cause IS NOT NULL OR j.result IS NOT NULL"
	        " OR j.pairing IS NOT NULL) ORDER BY j.id LIMIT 1",
	        "i", after));
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
		_cleanup_(freep) char *sql = text_format(
		        "UPDATE job_results SET %s = NULL WHERE id = ?", migrate_columns[i]);

		if ((job->cuts[2 * i] || job->cuts[2 * i + 1]) && !job->known[i]) {
			r = db_run(db, sql, "i", job->id);
		}
	}
	return err_fold(r);
}

/* The column is emptied where its message has become rows. */
static int migrate_message(struct db *db, const struct message_shape *shape, int64_t id,
        const uint8_t *bytes, size_t size, const char *empty)
{
	int r = message_put_packed(db, shape, id, bytes, size);

	if (r == DB_E_NONE) {
		return 0;
	}
	return r ? err_up(r) : err_fold(db_run(db, empty, "i", id));
}

static int migrate_job(struct db *db, struct migrate_job *job)
{
	int r = 0;

	if (job->cause) {
		r = migrate_message(db, &message_cause, job->id, job->cause, job->cause_size,
		        "UPDATE jobs SET cause = NULL WHERE id = ?");
	}
	if (!r && job->pairing) {
		r = migrate_message(db, &message_pairing, job->id, job->pairing, job->pairing_size,
		        "UPDATE jobs SET pairing = NULL WHERE id = ?");
	}
	if (!r && job->result && migrate_mend_all(job)) {
		r = migrate_message(db, &message_result, job->id, job->result, job->result_size,
		        "UPDATE jobs SET result = NULL, cuts = NULL WHERE id = ?");
		r = r ? r : migrate_lost(db, job);
	}
	return r || !job->is_over ? err_up(r) : err_up(store_result_cut(db, job->id));
}

static int migrate_jobs(struct db *db)
{
	uint64_t n = 0;
	int64_t after = 0;
	int r;

	do {
		_cleanup_(migrate_job_fini) struct migrate_job job = {0};

		r = migrate_job_next(db, after, &job);
		after = job.id;
		if (!r) {
			r = migrate_job(db, &job);
			if (++n % MIGRATE_TOLD == 0) {
				log_info("%" PRIu64 " jobs of the record are brought over", n);
			}
		}
	} while (!r);
	return r == DB_E_NONE ? 0 : err_up(r);
}

struct migrate_blob {
	int64_t id;
	uint8_t *bytes;
	size_t size;
};

static int migrate_blob_row(sqlite3_stmt *row, void *arg)
{
	struct migrate_blob *blob = arg;

	blob->id = sqlite3_column_int64(row, 0);
	blob->bytes = db_column_blob_new(row, 1, &blob->size);
	return 0;
}

/* One message of each row: next is the row behind ?1, as id and bytes; empty takes them away from it. */
static int migrate_blobs(
        struct db *db, const struct message_shape *shape, const char *next, const char *empty)
{
	struct migrate_blob blob = {0};
	int r;

	while (!(r = db_query(db, migrate_blob_row, &blob, next, "i", blob.id))) {
		_cleanup_(freep) uint8_t *bytes = blob.bytes;

		r = migrate_message(db, shape, blob.id, bytes, blob.size, empty);
		if (r) {
			break;
		}
	}
	return r == DB_E_NONE ? 0 : err_up(r);
}

int store_migrate_messages(struct db *db)
{
	int r = migrate_jobs(db);

	if (!r) {
		r = migrate_blobs(db, &message_service,
		        "SELECT id, status FROM services WHERE id > ? AND status IS NOT NULL"
		        " ORDER BY id LIMIT 1",
		        "UPDATE services SET status = NULL WHERE id = ?");
	}
	if (!r) {
		r = migrate_blobs(db, &message_measure,
		        "SELECT release, measured FROM protections WHERE release > ?"
		        " ORDER BY release LIMIT 1",
		        "DELETE FROM protections WHERE release = ?");
	}
	return err_up(r);
}
