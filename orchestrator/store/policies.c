/*
 * Policies as they were given, and the versions that they made up. A version is never changed: what
 * counts is the newest, and going back makes a new one of the same policies. Policies that stay from
 * version to version are stored once, by their digest.
 */
#include "orchestrator/store/policies.h"

#include <string.h>

#include "host/base/file.h"
#include "orchestrator/store/priv.h"

STORE_VISITOR(policy_version)
STORE_VISITOR(hold)

int store_policy_source(struct db *db, const uint8_t digest[64], const void *body, size_t body_size,
        int64_t *ret_id)
{
	struct policy_source_row row = {0};
	struct store_bytes bytes = {body, body_size};
	int r;

	memcpy(row.digest, digest, sizeof(row.digest));
	r = store_insert(db, STORE_policy_source, &row, &bytes);
	if (r && r != DB_E_EXISTS) {
		return err_up(r);
	}
	return err_fold(db_query_int(db, ret_id, "SELECT id FROM policy_sources WHERE digest = ?",
	        "b", digest, sizeof(row.digest)));
}

int store_policy_version(struct db *db, struct policy_version_row *row)
{
	int r;

	row->created_us = store_now_usec();
	r = store_insert(db, STORE_policy_version, row, NULL);
	if (r) {
		return err_fold(r);
	}
	row->id = db_last_id(db);
	return 0;
}

int store_policy_member(struct db *db, int64_t version, int64_t source)
{
	return err_fold(db_run(db, "INSERT INTO policy_members(version, source) VALUES(?, ?)", "ii",
	        version, source));
}

int store_policy_find(struct db *db, int64_t version, struct policy_version_row *ret)
{
	return err_up(store_one(db, STORE_policy_version, ret,
	        "WHERE ?1 = 0 OR id = ?1 ORDER BY id DESC LIMIT 1", "i", version));
}

struct store_policy_visit {
	store_policy_fn fn;
	void *arg;
};

static int store_policy_visit_row(sqlite3_stmt *row, void *arg)
{
	struct store_policy_visit *visit = arg;
	size_t size;
	_cleanup_(freep) uint8_t *body = db_column_blob_new(row, 0, &size);

	return visit->fn(body, size, visit->arg);
}

int store_policy_each(struct db *db, int64_t version, store_policy_fn fn, void *arg)
{
	struct store_policy_visit visit = {fn, arg};
	int r = db_query(db, store_policy_visit_row, &visit,
	        "SELECT s.body FROM policy_members m JOIN policy_sources s ON s.id = m.source"
	        " WHERE m.version = ? ORDER BY s.id",
	        "i", version);

	return r == DB_E_NONE ? 0 : err_up(r);
}

int store_policy_versions(
        struct db *db, int64_t before, int64_t limit, store_policy_version_fn fn, void *arg)
{
	return err_up(store_each(db, STORE_policy_version, store_policy_version_visit,
	        STORE_VISIT(fn, arg), "WHERE ?1 = 0 OR id < ?1 ORDER BY id DESC LIMIT ?2", "ii",
	        before, limit));
}

int store_hold_insert(struct db *db, struct hold_row *row)
{
	int r;

	row->created_us = store_now_usec();
	r = store_insert(db, STORE_hold, row, NULL);
	if (r) {
		return err_fold(r);
	}
	row->id = db_last_id(db);
	return 0;
}

int store_hold_set(struct db *db, const struct hold_row *row)
{
	return err_fold(store_update(db, STORE_hold, row, NULL));
}

int store_hold_each(struct db *db, store_hold_fn fn, void *arg)
{
	return err_up(store_each(db, STORE_hold, store_hold_visit, STORE_VISIT(fn, arg),
	        "WHERE ended_us = 0 ORDER BY id", ""));
}
