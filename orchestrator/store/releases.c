/*
 * Releases that were registered, and variants that were made of them. A release is one row for
 * ever, by its id: adding it again only says where its kit lies now. One whose kit was given up has
 * no path, and is not chosen. The newest release is that of the highest counter, and of those the one added last. A variant's payload is a file
 * that may be deleted; the row keeps its hash, and the seed sealed to the audit key.
 */
#include "orchestrator/store/releases.h"

#include <errno.h>
#include <string.h>

#include "orchestrator/store/message.h"
#include "orchestrator/store/priv.h"

#define RELEASE_NEWEST " ORDER BY counter DESC, added_us DESC, id DESC LIMIT 1"
/* Longer ones are beginnings of ids, which are shown with 12 digits. */
#define RELEASE_DIGITS_MAX 7u
#define RELEASE_BY_NUMBER "WHERE service = ?1 AND counter = CAST(?2 AS INTEGER)"
#define RELEASE_BY_PREFIX                                                                          \
	"WHERE service = ?1 AND substr(lower(hex(release_id)), 1, length(?2)) = lower(?2)"

STORE_VISITOR(release)

/*
 * The same release comes again when its kit is added again, or a store has moved. What was
 * recorded of it counts, being blocked included; of the new row only the path is taken.
 */
int store_release_put(struct db *db, struct release_row *row)
{
	struct release_row known = {0};
	int r;

	row->added_us = store_now_usec();
	r = store_insert(db, STORE_release, row, NULL);
	if (r == DB_E_EXISTS) {
		r = db_run(db, "UPDATE releases SET path = ? WHERE release_id = ?", "tb", row->path,
		        row->release_id, sizeof(row->release_id));
	}
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
	return err_up(store_one(db, STORE_release, ret, "WHERE id = ?", "i", id));
}

int store_release_by_hash(struct db *db, const uint8_t release_id[64], struct release_row *ret)
{
	return err_up(store_one(db, STORE_release, ret, "WHERE release_id = ?", "b", release_id,
	        sizeof(ret->release_id)));
}

/* Blocked or not: what is newest is shown, what is free to run is chosen. */
bool store_release_is_later(const struct release_row *a, const struct release_row *b)
{
	if (a->counter != b->counter) {
		return a->counter > b->counter;
	}
	return a->added_us != b->added_us ? a->added_us > b->added_us : a->id > b->id;
}

int store_release_newest(struct db *db, const char *service, struct release_row *ret)
{
	return err_up(store_one(db, STORE_release, ret,
	        "WHERE service = ? AND path <> ''" RELEASE_NEWEST, "t", service));
}

int store_release_newest_free(struct db *db, const char *service, struct release_row *ret)
{
	return err_up(store_one(db, STORE_release, ret,
	        "WHERE service = ? AND blocked_us = 0 AND path <> ''" RELEASE_NEWEST, "t",
	        service));
}

int store_release_by_hand(struct db *db, const struct release_row *release, bool *ret_is_by_hand)
{
	int64_t n = 0;
	int r = db_query_int(db, &n,
	        "SELECT count(*) FROM jobs WHERE id = ? AND (kind != ? OR way = ?)", "iii",
	        release->blocked_job, (int64_t)JOB_ROLLBACK, (int64_t)ACCESS_WAY_LUD);

	if (r) {
		return err_fold(r);
	}
	*ret_is_by_hand = release->blocked_us && !n;
	return 0;
}

/* For plain updates only: who names a release by its id gets it. */
int store_release_block(struct db *db, int64_t id, int64_t job, const char *why)
{
	return err_fold(db_run(db,
	        "UPDATE releases SET blocked_us = ?, blocked_job = ?, blocked_why = ?"
	        " WHERE id = ?",
	        "iiti", why ? store_now_usec() : 0, why ? job : 0, why ? why : "", id));
}

/* A number is never taken for the beginning of an id: who names one that is not there means no other. */
static bool store_release_is_number(const char *name)
{
	size_t digits = strspn(name, "0123456789");

	return digits <= RELEASE_DIGITS_MAX && !name[digits];
}

/* Counts first: a name that fits two must not silently mean one of them. */
int store_release_named(
        struct db *db, const char *service, const char *name, struct release_row *ret)
{
	bool number = store_release_is_number(name);
	int64_t n;
	int r;

	if (!*name || !strcmp(name, "newest")) {
		return err_up(store_release_newest(db, service, ret));
	}
	r = db_query_int(db, &n,
	        number ? "SELECT count(*) FROM releases " RELEASE_BY_NUMBER
	               : "SELECT count(*) FROM releases " RELEASE_BY_PREFIX,
	        "tt", service, name);
	if (r) {
		return err_fold(r);
	}
	if (n > 1) {
		return STORE_E_AMBIGUOUS;
	}
	return err_up(store_one(db, STORE_release, ret,
	        number ? RELEASE_BY_NUMBER : RELEASE_BY_PREFIX, "tt", service, name));
}

int store_release_before(struct db *db, const struct release_row *release, struct release_row *ret)
{
	return err_up(store_one(db, STORE_release, ret,
	        "WHERE service = ? AND counter < ? AND path <> ''" RELEASE_NEWEST, "ti",
	        release->service, release->counter));
}

int store_release_is_wanted(struct db *db, int64_t id, bool *ret_is_wanted)
{
	int64_t n;
	int r = db_query_int(db, &n,
	        "SELECT EXISTS (SELECT 1 FROM jobs WHERE ended_us = 0"
	        " AND (release = ?1 OR from_release = ?1))"
	        " OR EXISTS (SELECT 1 FROM rollouts WHERE release = ?1 AND is_open)",
	        "i", id);

	if (r) {
		return err_fold(r);
	}
	*ret_is_wanted = n != 0;
	return 0;
}

int store_release_forget_kit(struct db *db, int64_t id)
{
	return err_fold(db_run(db, "UPDATE releases SET path = '' WHERE id = ?", "i", id));
}

int store_release_notes_put(struct db *db, int64_t id, const char *notes)
{
	return err_fold(db_run(
	        db, "UPDATE releases SET notes = ? WHERE id = ?", "bi", notes, strlen(notes), id));
}

int store_release_notes(struct db *db, int64_t id, uint8_t **ret_notes, size_t *ret_size)
{
	return err_up(
	        store_blob(db, ret_notes, ret_size, "SELECT notes FROM releases WHERE id = ?", id));
}

int store_number_known(struct db *db, const char *service)
{
	return err_up(
	        db_query(db, NULL, NULL, "SELECT 1 FROM numbers WHERE service = ?", "t", service));
}

/* A release that was added with a number of its own counts as much as a number that was given. */
int store_number_give(struct db *db, const struct number_ask *ask, int64_t *ret_number)
{
	int64_t used, wanted;
	int r = db_query_int(db, &used,
	        "SELECT max(?2, (SELECT coalesce(max(counter), 0) FROM releases WHERE service = "
	        "?1),"
	        " (SELECT coalesce(max(given), 0) FROM numbers WHERE service = ?1))",
	        "ti", ask->service, ask->kits);

	if (r) {
		return err_fold(r);
	}
	*ret_number = used;
	if (ask->above > used + STORE_NUMBER_JUMP) {
		return STORE_E_USED;
	}
	*ret_number = used = ask->above > used ? ask->above : used;
	wanted = ask->wanted ? ask->wanted : used + 1;
	if (wanted <= used || wanted > used + STORE_NUMBER_JUMP || wanted > STORE_NUMBER_MAX) {
		return STORE_E_USED;
	}
	*ret_number = wanted;
	return err_fold(db_run(db,
	        "INSERT INTO numbers (service, given) VALUES (?, ?)"
	        " ON CONFLICT (service) DO UPDATE SET given = excluded.given",
	        "ti", ask->service, wanted));
}

/* By the index of service and number, whose entries of one number are in the order of ids. */
#define RELEASE_AFTER "(counter, id) > ((SELECT counter FROM releases WHERE id = ?2), ?2)"

/* Of all services: the rest of the one that the page before ended in, then those behind it. */
int store_release_each(struct db *db, const char *service, int64_t after, int64_t limit,
        store_release_fn fn, void *arg)
{
	const char *tail =
	        *service && after ? "WHERE service = ?1 AND " RELEASE_AFTER
	                            " ORDER BY service, counter, id LIMIT ?3"
	        : *service ? "WHERE service = ?1 AND ?2 = 0 ORDER BY service, counter, id LIMIT ?3"
	        : after    ? "WHERE ?1 = '' AND (service, counter, id) >"
	                     " ((SELECT service FROM releases WHERE id = ?2),"
	                     " (SELECT counter FROM releases WHERE id = ?2), ?2)"
	                     " ORDER BY service, counter, id LIMIT ?3"
	                   : "WHERE ?1 = '' AND ?2 = 0 ORDER BY service, counter, id LIMIT ?3";

	return err_up(store_each(db, STORE_release, store_release_visit, STORE_VISIT(fn, arg), tail,
	        "tii", service, after, limit));
}

int store_protection_put(struct db *db, int64_t release, const Control__Entropy *measured)
{
	return err_up(message_put(db, &message_measure, release, &measured->base));
}

int store_protection_get(struct db *db, int64_t release, ProtobufCAllocator *allocator,
        Control__Entropy **ret_measured)
{
	ProtobufCMessage *measured;
	int r = message_get(db, &message_measure, release, allocator, &measured, NULL);

	if (!r) {
		*ret_measured = (Control__Entropy *)measured;
	}
	return err_up(r);
}

int store_variant_insert(struct db *db, struct variant_row *row)
{
	struct store_bytes sealed = {row->seed_sealed, row->seed_sealed_size};
	int r = store_insert(db, STORE_variant, row, &sealed);

	if (r) {
		return err_fold(r);
	}
	row->id = db_last_id(db);
	return 0;
}

int store_variant_forged(struct db *db, const struct variant_row *row)
{
	return err_fold(store_update(db, STORE_variant, row, NULL));
}

int store_variant_committed(struct db *db, int64_t id, const struct store_seed *seed)
{
	return err_fold(db_run(db,
	        "UPDATE variants SET seed_commit = ?, seed_sealed = coalesce(?, x'') WHERE id = ?",
	        "bbi", seed->commit, (size_t)STORE_COMMIT_SIZE, seed->sealed,
	        seed->sealed ? (size_t)STORE_SEALED_SIZE : 0, id));
}

/* -EBADMSG: a seed that is longer than any that lud has sealed, so not one of lud's. */
int store_variant_by_id(struct db *db, int64_t id, struct variant_row *ret)
{
	struct variant_row row;
	int r = store_one(db, STORE_variant, &row, "WHERE id = ?", "i", id);

	if (!r && row.seed_sealed_size > sizeof(row.seed_sealed)) {
		r = err_raise(-EBADMSG);
	}
	if (r) {
		return err_up(r);
	}
	*ret = row;
	return 0;
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
	        " WHERE v.service = ? AND v.path <> '' AND j.ended_us > 0"
	        " ORDER BY v.id DESC LIMIT -1 OFFSET ?",
	        "ii", service, kept);

	return r == DB_E_NONE ? 0 : err_up(r);
}

int store_variant_forget_file(struct db *db, int64_t id)
{
	return err_fold(db_run(db, "UPDATE variants SET path = '' WHERE id = ?", "i", id));
}
