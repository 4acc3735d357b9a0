/*
 * What a machine tells of a job says again what other rows have: which release it was, the build, the commitment to the
 * seed and that seed, sealed. They are most of its bytes and none can be made smaller, so they are cut out of
 * what is kept, and put back where it is read. What was told differently is not found, and stays. Before a generation
 * goes the result of its job is made whole.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/store/priv.h"

#define ONCE_PIECES 4
#define ONCE_CUTS (2 * ONCE_PIECES)

/* In this order they are cut; it never changes. */
static const size_t once_sizes[ONCE_PIECES] = {64, 32, STORE_COMMIT_SIZE, STORE_SEALED_SIZE};

struct once {
	uint8_t *bytes; /* of the result; owned */
	size_t size;
	uint8_t pieces[ONCE_PIECES][80];
	bool known[ONCE_PIECES];
	uint8_t cuts
	        [ONCE_CUTS]; /* of each, where it was in what the cuts before left, plus 1: two bytes; 0: nowhere */
};

static void once_fini(struct once *once)
{
	free(once->bytes);
}

static int once_row(sqlite3_stmt *row, void *arg)
{
	struct once *once = arg;

	once->bytes = db_column_blob_new(row, 0, &once->size);
	db_column_blob(row, 1, once->cuts, sizeof(once->cuts));
	for (int i = 0; i < ONCE_PIECES; i++) {
		static const uint8_t none[80];
		size_t size = (size_t)sqlite3_column_bytes(row, 2 + i);

		db_column_blob(row, 2 + i, once->pieces[i], once_sizes[i]);
		once->known[i] = size == once_sizes[i] && memcmp(once->pieces[i], none, size) != 0;
	}
	return 0;
}

static int once_read(struct db *db, int64_t job, struct once *ret)
{
	return err_up(db_query(db, once_row, ret,
	        "SELECT j.result, j.cuts, r.release_id, v.build_id, v.seed_commit, v.seed_sealed"
	        " FROM jobs j LEFT JOIN releases r ON r.id = j.release"
	        " LEFT JOIN generations g ON g.id = (SELECT min(id) FROM generations"
	        " WHERE job = j.id AND number = j.generation)"
	        " LEFT JOIN variants v ON v.id = g.variant WHERE j.id = ?",
	        "i", job));
}

static bool once_cut(struct once *once, int i)
{
	uint8_t *at = once->known[i] && once->bytes
	                      ? memmem(once->bytes, once->size, once->pieces[i], once_sizes[i])
	                      : NULL;
	size_t where = at ? (size_t)(at - once->bytes) + 1 : 0;

	if (!at || where > UINT16_MAX) {
		return false;
	}
	once->size -= once_sizes[i];
	memmove(at, at + once_sizes[i], once->size - (where - 1));
	once->cuts[2 * i] = (uint8_t)where;
	once->cuts[2 * i + 1] = (uint8_t)(where >> 8);
	return true;
}

int store_result_cut(struct db *db, int64_t job)
{
	static const uint8_t none[ONCE_CUTS];
	_cleanup_(once_fini) struct once once = {0};
	bool any = false;
	int r = once_read(db, job, &once);

	if (r || memcmp(once.cuts, none, sizeof(none)) != 0) {
		return err_fold(r);
	}
	for (int i = 0; i < ONCE_PIECES; i++) {
		any = once_cut(&once, i) || any;
	}
	return any ? err_fold(db_run(db, "UPDATE jobs SET result = ?, cuts = ? WHERE id = ?", "bbi",
	                     once.bytes, once.size, once.cuts, sizeof(once.cuts), job))
	           : 0;
}

/* A place that is not in the bytes is of a row that somebody changed. */
static bool once_mend(struct once *once, int i)
{
	size_t where = once->cuts[2 * i] + ((size_t)once->cuts[2 * i + 1] << 8);
	uint8_t *made;

	if (!where) {
		return true;
	}
	if (where - 1 > once->size) {
		return false;
	}
	made = mem_zero(once->size + once_sizes[i] + 1);
	memcpy(made, once->bytes, where - 1);
	memcpy(made + where - 1, once->pieces[i], once_sizes[i]);
	memcpy(made + where - 1 + once_sizes[i], once->bytes + where - 1, once->size - (where - 1));
	free(once->bytes);
	once->bytes = made;
	once->size += once_sizes[i];
	return true;
}

static bool once_mend_all(struct once *once)
{
	for (int i = ONCE_PIECES - 1; once->bytes && i >= 0; i--) {
		if (!once_mend(once, i)) {
			return false;
		}
	}
	return true;
}

int store_result_whole(struct db *db, int64_t job)
{
	_cleanup_(once_fini) struct once once = {0};
	int r = once_read(db, job, &once);

	if (r) {
		return err_up(r);
	}
	return once.bytes && once_mend_all(&once)
	               ? err_fold(db_run(db, "UPDATE jobs SET result = ?, cuts = NULL WHERE id = ?",
	                         "bi", once.bytes, once.size, job))
	               : 0;
}

int store_result_get(struct db *db, int64_t job, uint8_t **ret_result, size_t *ret_size)
{
	_cleanup_(once_fini) struct once once = {0};
	int r = once_read(db, job, &once);

	if (r) {
		return err_up(r);
	}
	if (!once_mend_all(&once)) {
		return err_raise(-EBADMSG);
	}
	*ret_result = steal(&once.bytes);
	*ret_size = *ret_result ? once.size : 0;
	return 0;
}
