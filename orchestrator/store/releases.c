/*
 * Releases that were registered, and variants that were made of them. A release is one row for
 * ever, by its id: adding it again only says where its kit lies now. The newest release is
 * that of the highest counter, and of those the one added last. A variant's payload is a file
 * that may be deleted; the row keeps its hash, and the seed sealed to the audit key.
 */
#include "orchestrator/store/releases.h"

#include <errno.h>
#include <string.h>

#define RELEASE_COLUMNS                                                                            \
	"id, service, release_id, counter, floor, source_id, state_hash, key_id, issued, "         \
	"added_us, path, blocked_us, blocked_job, blocked_why, state_len"

static void store_release_read(sqlite3_stmt *row, struct release_row *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->id = sqlite3_column_int64(row, 0);
	db_column_text(row, 1, ret->service, sizeof(ret->service));
	db_column_blob(row, 2, ret->release_id, sizeof(ret->release_id));
	ret->counter = sqlite3_column_int64(row, 3);
	ret->floor = sqlite3_column_int64(row, 4);
	db_column_blob(row, 5, ret->source_id, sizeof(ret->source_id));
	db_column_blob(row, 6, ret->state_hash, sizeof(ret->state_hash));
	db_column_blob(row, 7, ret->key_id, sizeof(ret->key_id));
	ret->issued = sqlite3_column_int64(row, 8);
	ret->added_us = sqlite3_column_int64(row, 9);
	db_column_text(row, 10, ret->path, sizeof(ret->path));
	ret->blocked_us = sqlite3_column_int64(row, 11);
	ret->blocked_job = sqlite3_column_int64(row, 12);
	db_column_text(row, 13, ret->blocked_why, sizeof(ret->blocked_why));
	ret->state_len = sqlite3_column_int64(row, 14);
}

static int store_release_row(sqlite3_stmt *row, void *arg)
{
	store_release_read(row, arg);
	return 0;
}

int store_release_put(struct db *db, struct release_row *row)
{
	struct release_row known = {0};
	int r;

	row->added_us = store_now_usec();
	r = db_run(db,
	        "INSERT INTO releases(service, release_id, counter, floor, source_id, state_hash,"
	        " key_id, issued, added_us, path, state_len) VALUES(?,?,?,?,?,?,?,?,?,?,?)"
	        " ON CONFLICT(release_id) DO UPDATE SET path = excluded.path",
	        "tbiibbbiiti", row->service, row->release_id, sizeof(row->release_id), row->counter,
	        row->floor, row->source_id, sizeof(row->source_id), row->state_hash,
	        sizeof(row->state_hash), row->key_id, sizeof(row->key_id), row->issued,
	        row->added_us, row->path, row->state_len);
	if (!r) {
		r = store_release_by_hash(db, row->release_id, &known);
	}
	if (!r) {
		*row = known;
	}
	return err_fold(r);
}

int store_release_by_id(struct db *db, int64_t id, struct release_row *ret)
{
	return err_up(db_query(db, store_release_row, ret,
	        "SELECT " RELEASE_COLUMNS " FROM releases WHERE id = ?", "i", id));
}

int store_release_by_hash(struct db *db, const uint8_t release_id[64], struct release_row *ret)
{
	return err_up(db_query(db, store_release_row, ret,
	        "SELECT " RELEASE_COLUMNS " FROM releases WHERE release_id = ?", "b", release_id,
	        (size_t)64));
}

int store_release_newest(struct db *db, const char *service, struct release_row *ret)
{
	return err_up(db_query(db, store_release_row, ret,
	        "SELECT " RELEASE_COLUMNS " FROM releases WHERE service = ?"
	        " ORDER BY counter DESC, added_us DESC, id DESC LIMIT 1",
	        "t", service));
}

int store_release_newest_free(struct db *db, const char *service, struct release_row *ret)
{
	return err_up(db_query(db, store_release_row, ret,
	        "SELECT " RELEASE_COLUMNS " FROM releases WHERE service = ? AND blocked_us = 0"
	        " ORDER BY counter DESC, added_us DESC, id DESC LIMIT 1",
	        "t", service));
}

int store_release_block(struct db *db, int64_t id, int64_t job, const char *why)
{
	return err_fold(db_run(db,
	        "UPDATE releases SET blocked_us = ?, blocked_job = ?, blocked_why = ?"
	        " WHERE id = ?",
	        "iiti", why ? store_now_usec() : 0, why ? job : 0, why ? why : "", id));
}

int store_release_by_prefix(
        struct db *db, const char *service, const char *hex, struct release_row *ret)
{
	int64_t n;
	int r;

	r = db_query_int(db, &n,
	        "SELECT count(*) FROM releases WHERE service = ?1"
	        " AND substr(lower(hex(release_id)), 1, length(?2)) = lower(?2)",
	        "tt", service, hex);
	if (r) {
		return err_fold(r);
	}
	if (n > 1) {
		return STORE_E_AMBIGUOUS;
	}
	return err_up(db_query(db, store_release_row, ret,
	        "SELECT " RELEASE_COLUMNS " FROM releases WHERE service = ?1"
	        " AND substr(lower(hex(release_id)), 1, length(?2)) = lower(?2)",
	        "tt", service, hex));
}

struct store_release_visit {
	store_release_fn fn;
	void *arg;
};

static int store_release_visit_row(sqlite3_stmt *row, void *arg)
{
	struct store_release_visit *visit = arg;
	struct release_row release;

	store_release_read(row, &release);
	return visit->fn(&release, visit->arg);
}

int store_release_each(struct db *db, const char *service, store_release_fn fn, void *arg)
{
	struct store_release_visit visit = {fn, arg};
	int r = db_query(db, store_release_visit_row, &visit,
	        "SELECT " RELEASE_COLUMNS " FROM releases WHERE ?1 = '' OR service = ?1"
	        " ORDER BY service, counter, id",
	        "t", service);

	return r == DB_E_NONE ? 0 : err_up(r);
}

int store_variant_insert(struct db *db, struct variant_row *row)
{
	int r = db_run(db,
	        "INSERT INTO variants(release, seed_sealed, seed_commit, recipe) VALUES(?,?,?,?)",
	        "ibbi", row->release, row->seed_sealed, row->seed_sealed_size, row->seed_commit,
	        sizeof(row->seed_commit), row->recipe);

	if (r) {
		return err_fold(r);
	}
	row->id = db_last_id(db);
	return 0;
}

int store_variant_forged(struct db *db, const struct variant_row *row)
{
	return err_fold(db_run(db,
	        "UPDATE variants SET recipe = ?, base = ?, build_id = ?, payload_hash = ?,"
	        " payload_len = ?, path = ? WHERE id = ?",
	        "iibbiti", row->recipe, (int64_t)row->base, row->build_id, sizeof(row->build_id),
	        row->payload_hash, sizeof(row->payload_hash), row->payload_len, row->path,
	        row->id));
}

static int store_variant_row(sqlite3_stmt *row, void *arg)
{
	struct variant_row *ret = arg;
	size_t sealed = sqlite3_column_bytes(row, 2);

	memset(ret, 0, sizeof(*ret));
	if (sealed > sizeof(ret->seed_sealed)) {
		return err_raise(-EBADMSG);
	}
	ret->id = sqlite3_column_int64(row, 0);
	ret->release = sqlite3_column_int64(row, 1);
	db_column_blob(row, 2, ret->seed_sealed, sizeof(ret->seed_sealed));
	ret->seed_sealed_size = sealed;
	db_column_blob(row, 3, ret->seed_commit, sizeof(ret->seed_commit));
	ret->recipe = sqlite3_column_int64(row, 4);
	ret->base = sqlite3_column_int64(row, 5);
	db_column_blob(row, 6, ret->build_id, sizeof(ret->build_id));
	db_column_blob(row, 7, ret->payload_hash, sizeof(ret->payload_hash));
	ret->payload_len = sqlite3_column_int64(row, 8);
	db_column_text(row, 9, ret->path, sizeof(ret->path));
	return 0;
}

int store_variant_by_id(struct db *db, int64_t id, struct variant_row *ret)
{
	return err_up(db_query(db, store_variant_row, ret,
	        "SELECT id, release, seed_sealed, seed_commit, recipe, base, build_id,"
	        " payload_hash, payload_len, path FROM variants WHERE id = ?",
	        "i", id));
}

struct store_variant_visit {
	store_variant_fn fn;
	void *arg;
};

static int store_variant_visit_row(sqlite3_stmt *row, void *arg)
{
	struct store_variant_visit *visit = arg;
	char path[256];

	db_column_text(row, 1, path, sizeof(path));
	visit->fn(sqlite3_column_int64(row, 0), path, visit->arg);
	return 0;
}

int store_variant_each_stale(
        struct db *db, int64_t service, int64_t kept, store_variant_fn fn, void *arg)
{
	struct store_variant_visit visit = {fn, arg};
	int r = db_query(db, store_variant_visit_row, &visit,
	        "SELECT v.id, v.path FROM variants v JOIN generations g ON g.variant = v.id"
	        " JOIN jobs j ON j.id = g.job"
	        " WHERE g.service = ? AND v.path != '' AND j.ended_us > 0"
	        " ORDER BY g.number DESC LIMIT -1 OFFSET ?",
	        "ii", service, kept);

	return r == DB_E_NONE ? 0 : err_up(r);
}

int store_variant_forget_file(struct db *db, int64_t id)
{
	return err_fold(db_run(db, "UPDATE variants SET path = '' WHERE id = ?", "i", id));
}
