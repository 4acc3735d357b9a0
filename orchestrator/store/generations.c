/*
 * Generations: numbers that a service of a machine ran, or was to run. They are always read
 * together with their service and variant, so one SELECT stands for all readers. At most one
 * generation of a service is RUNNING: store_generation_runs() is the only way to that state,
 * and makes the one before PAST.
 */
#include "orchestrator/store/generations.h"

#include <assert.h>

#include "orchestrator/store/priv.h"

/* In words that the index generations_running has, too. */
#define GENERATION_IS_RUNNING "state = 1"
static_assert(GENERATION_RUNNING == 1, "as written in queries and in the index");

STORE_VISITOR(generation)

static const char *const generation_state_names[_GENERATION_N] = {
        [GENERATION_PLANNED] = "planned",
        [GENERATION_RUNNING] = "running",
        [GENERATION_PAST] = "past",
        [GENERATION_REHEARSED] = "rehearsed",
        [GENERATION_REFUSED] = "refused",
        [GENERATION_UNDONE] = "rolled back",
        [GENERATION_ABANDONED] = "never ran",
        [GENERATION_UNKNOWN] = "unknown",
};

const char *generation_state_name(enum generation_state state)
{
	return generation_state_names[state];
}

/* Whose it is and of which release: told once, by its service and its variant. */
int store_generation_insert(struct db *db, struct generation_row *row)
{
	int r = db_query_int(
	        db, &row->machine, "SELECT machine FROM services WHERE id = ?", "i", row->service);

	if (!r) {
		r = db_query_int(db, &row->release, "SELECT release FROM variants WHERE id = ?",
		        "i", row->variant);
	}
	if (!r) {
		r = db_run(db, "UPDATE variants SET service = ? WHERE id = ?", "ii", row->service,
		        row->variant);
	}
	if (!r) {
		r = store_insert(db, STORE_generation, row, NULL);
	}
	if (r) {
		return err_fold(r);
	}
	row->id = db_last_id(db);
	return 0;
}

/* How much of an envelope a head of its release has. */
static int generation_head(struct db *db, const struct generation_row *row,
        const struct store_bytes *envelope, struct store_head *ret)
{
	const struct head_row made = {.release = row->release};
	int r = store_head_find(db, envelope, ret,
	        "SELECT id, bytes FROM heads WHERE release = ? ORDER BY id DESC LIMIT 1",
	        row->release);

	if (r != DB_E_NONE) {
		return err_up(r);
	}
	r = store_insert(db, STORE_head, &made, envelope);
	*ret = (struct store_head){db_last_id(db), envelope->size};
	return err_fold(r);
}

int store_generation_sign(
        struct db *db, const struct generation_row *row, const void *envelope, size_t envelope_size)
{
	const struct store_bytes bytes = {envelope, envelope_size}, apart = {NULL, 0};
	struct store_head head = {0};
	int r = generation_head(db, row, &bytes, &head);

	if (!r) {
		r = store_update(db, STORE_generation, row, &apart);
	}
	if (!r) {
		r = db_run(db,
		        "INSERT OR REPLACE INTO generation_envelopes(id, bytes) VALUES(?, ?)", "ib",
		        row->id, (const uint8_t *)envelope + head.len, envelope_size - head.len);
	}
	return r ? err_fold(r)
	         : err_fold(db_run(db, "UPDATE generations SET head = ?, head_len = ? WHERE id = ?",
	                   "iii", head.id, (int64_t)head.len, row->id));
}

int store_generation_set_epoch(struct db *db, int64_t id, uint64_t epoch)
{
	return err_fold(db_run(
	        db, "UPDATE generations SET epoch = ? WHERE id = ?", "ii", (int64_t)epoch, id));
}

int store_generation_set_state(struct db *db, int64_t id, enum generation_state state)
{
	return err_fold(db_run(
	        db, "UPDATE generations SET state = ? WHERE id = ?", "ii", (int64_t)state, id));
}

/* What is recorded as running and is not this one. DB_E_NONE. */
static int generation_other(struct db *db, int64_t service, uint64_t number, int64_t *ret_id)
{
	return err_up(db_query_int(db, ret_id,
	        "SELECT id FROM generations WHERE service = ? AND " GENERATION_IS_RUNNING
	        " AND number != ?",
	        "ii", service, (int64_t)number));
}

/*
 * What ran becomes past before the new one runs, whatever state that was in: the machine's word
 * counts, also of one that the record had given up. A machine says it again and again; committed_us
 * is set when it is news, and so is which one ran until then.
 */
int store_generation_runs(struct db *db, int64_t service, uint64_t number)
{
	int64_t before = 0;
	int r = generation_other(db, service, number, &before);

	if (!r) {
		r = db_run(db, "UPDATE generations SET state = ? WHERE id = ?", "ii",
		        (int64_t)GENERATION_PAST, before);
	}
	if (r == DB_E_NONE || !r) {
		r = db_run(db,
		        "UPDATE generations SET state = ?1, committed_us = ?2,"
		        " ran_after = CASE WHEN ?5 THEN ?5 ELSE ran_after END"
		        " WHERE service = ?3 AND number = ?4 AND state != ?1",
		        "iiiii", (int64_t)GENERATION_RUNNING, store_now_usec(), service,
		        (int64_t)number, before);
	}
	return err_fold(r);
}

/* Of a layout that the machine made by itself; what it tells of an ordered one is that of its variant. */
static struct store_seed generation_own_seed(uint64_t made, const struct store_seed *seed)
{
	return made && seed->commit ? *seed : (struct store_seed){0};
}

/* The whole run of layouts that a machine made by itself, as one row. */
static int generation_run(struct db *db, int64_t service, uint64_t number, uint64_t made,
        const struct store_seed *seed)
{
	if (!made) {
		return err_fold(db_run(db,
		        "DELETE FROM folded_runs WHERE id ="
		        " (SELECT id FROM generations WHERE service = ? AND number = ?)",
		        "ii", service, (int64_t)number));
	}
	return err_fold(db_run(db,
	        "INSERT OR REPLACE INTO folded_runs(id, first_ns, last_ns, zero_us, head)"
	        " SELECT id, ?, ?, ?, ? FROM generations WHERE service = ? AND number = ?",
	        "iiibii", (int64_t)seed->first_ns, (int64_t)seed->last_ns, seed->zero_us,
	        seed->head, seed->head ? (size_t)STORE_COMMIT_SIZE : 0, service, (int64_t)number));
}

int store_generation_run_get(struct db *db, int64_t id, struct folded_run_row *ret)
{
	return err_up(store_one(db, STORE_folded_run, ret, "WHERE id = ?", "i", id));
}

/* A snapshot that was put back counts anew: what the machine says last is what it ran last. */
int store_generation_layout(struct db *db, int64_t service, uint64_t number, uint64_t made,
        const struct store_seed *seed)
{
	static const uint8_t unknown[STORE_COMMIT_SIZE];
	const struct store_seed own = generation_own_seed(made, seed);
	int r = db_run(db,
	        "UPDATE generations SET made = ?, made_commit = ?, made_sealed = ?"
	        " WHERE service = ? AND number = ?",
	        "ibbii", (int64_t)made, own.commit, own.commit ? sizeof(unknown) : 0, own.sealed,
	        own.sealed ? (size_t)STORE_SEALED_SIZE : 0, service, (int64_t)number);

	if (!r) {
		r = generation_run(db, service, number, made, seed);
	}
	if (!r && !made && seed->commit) {
		r = db_run(db,
		        "UPDATE variants SET seed_commit = ?, seed_sealed = coalesce(?, x'')"
		        " WHERE seed_commit = ? AND machine_made AND"
		        " id = (SELECT variant FROM generations WHERE service = ? AND number = ?)",
		        "bbbii", seed->commit, sizeof(unknown), seed->sealed,
		        seed->sealed ? (size_t)STORE_SEALED_SIZE : 0, unknown, sizeof(unknown),
		        service, (int64_t)number);
	}
	return err_fold(r);
}

int store_generation_news(struct db *db, int64_t service, uint64_t number, uint64_t made,
        const struct store_seed *seed)
{
	static const uint8_t unknown[STORE_COMMIT_SIZE];
	const struct store_seed own = generation_own_seed(made, seed);
	int64_t id;
	int r = generation_other(db, service, number, &id);

	if (r == DB_E_NONE) {
		r = db_query_int(db, &id,
		        "SELECT g.id FROM generations g JOIN variants v ON v.id = g.variant"
		        " LEFT JOIN folded_runs f ON f.id = g.id"
		        " WHERE g.service = ? AND g.number = ? AND (g.state != ? OR g.made != ?"
		        " OR g.made_commit IS NOT ? OR g.made_sealed IS NOT ?"
		        " OR (g.made > 0 AND (f.first_ns IS NOT ? OR f.last_ns IS NOT ?"
		        " OR f.head IS NOT ?))"
		        " OR (? AND v.machine_made AND v.seed_commit = ?))",
		        "iiiibbiibib", service, (int64_t)number, (int64_t)GENERATION_RUNNING,
		        (int64_t)made, own.commit, own.commit ? sizeof(unknown) : 0, own.sealed,
		        own.sealed ? (size_t)STORE_SEALED_SIZE : 0, (int64_t)seed->first_ns,
		        (int64_t)seed->last_ns, seed->head, seed->head ? sizeof(unknown) : 0,
		        (int64_t)(!made && seed->commit), unknown, sizeof(unknown));
	}
	return err_up(r);
}

int store_generation_find(struct db *db, int64_t machine, const char *service, uint64_t number,
        struct generation_row *ret)
{
	return err_up(store_one(db, STORE_generation, ret,
	        "WHERE services.machine = ? AND services.name = ? AND generations.number = ?",
	        "iti", machine, service, (int64_t)number));
}

/* The numbers above those of an open job are few. */
int store_generation_later(struct db *db, int64_t machine, const char *service, uint64_t number)
{
	int64_t later;

	return err_up(db_query_int(db, &later,
	        "SELECT g.number FROM generations g WHERE g.service ="
	        " (SELECT id FROM services WHERE machine = ? AND name = ?)"
	        " AND g.number > ? AND g.state IN (?, ?, ?, ?) LIMIT 1",
	        "itiiiii", machine, service, (int64_t)number, (int64_t)GENERATION_RUNNING,
	        (int64_t)GENERATION_PAST, (int64_t)GENERATION_UNDONE, (int64_t)GENERATION_UNKNOWN));
}

/*
 * Of another release: to go back from a rerandomized layout means the release before, not the
 * layout. A release may have had thousands of layouts, so each other release is asked for its last.
 */
int store_generation_earlier(struct db *db, int64_t service, uint64_t number, int64_t release,
        struct generation_row *ret)
{
	return err_up(store_one(db, STORE_generation, ret,
	        "WHERE generations.service = ?1 AND generations.number = (SELECT max((SELECT "
	        "g.number"
	        " FROM generations g WHERE g.service = ?1 AND g.release = releases.id"
	        " AND g.number < ?2 AND g.state = 2 ORDER BY g.number DESC LIMIT 1)) FROM releases"
	        " WHERE releases.service = (SELECT name FROM services WHERE id = ?1)"
	        " AND releases.id != ?3)",
	        "iii", service, (int64_t)number, release));
}
static_assert(GENERATION_PAST == 2, "as written in the query and in its index");

/*
 * As it was seen to run, not by number: one that was drawn later may have run first. One that has not
 * been seen to run yet comes after all.
 */
int store_generation_before(
        struct db *db, const struct generation_row *row, struct generation_row *ret)
{
	if (row->committed_us) {
		return err_up(store_one(db, STORE_generation, ret, "WHERE generations.id = ?", "i",
		        row->ran_after));
	}
	return err_up(store_one(db, STORE_generation, ret,
	        "WHERE generations.service = ? AND generations.id != ?"
	        " AND generations." GENERATION_IS_RUNNING,
	        "ii", row->service, row->id));
}

/* Those that are due are few: of each a file is kept, and it has not been compared. */
int store_effect_next(struct db *db, int64_t before, struct generation_row *ret)
{
	return err_up(store_one(db, STORE_generation, ret,
	        "WHERE generations.id = (SELECT max(g.id) FROM variants v INDEXED BY variants_due"
	        " CROSS JOIN generations g INDEXED BY generations_variant ON g.variant = v.id"
	        " WHERE v.path <> '' AND v.compared = 0 AND g.id < ? AND g.state IN (?, ?) AND "
	        "g.committed_us > 0)",
	        "iii", before, (int64_t)GENERATION_RUNNING, (int64_t)GENERATION_PAST));
}

int store_effect_put(struct db *db, const struct effect_row *row)
{
	int r = db_run(db, "DELETE FROM effects WHERE generation = ?", "i", row->generation);

	if (!r) {
		r = db_run(db,
		        "UPDATE variants SET compared = 1"
		        " WHERE id = (SELECT variant FROM generations WHERE id = ?)",
		        "i", row->generation);
	}
	return r ? err_fold(r) : err_fold(store_insert(db, STORE_effect, row, NULL));
}

int store_effect_get(struct db *db, int64_t generation, struct effect_row *ret)
{
	return err_up(
	        store_one(db, STORE_effect, ret, "WHERE effects.generation = ?", "i", generation));
}

int store_generation_envelope(struct db *db, int64_t id, uint8_t **ret_envelope, size_t *ret_size)
{
	return err_up(store_blob(db, ret_envelope, ret_size,
	        "SELECT CASE WHEN g.head IS NULL THEN e.bytes"
	        " ELSE CAST(substr(h.bytes, 1, g.head_len) || e.bytes AS BLOB) END"
	        " FROM generation_envelopes e JOIN generations g ON g.id = e.id"
	        " LEFT JOIN heads h ON h.id = g.head"
	        " WHERE e.id = ? AND (g.head IS NULL OR length(h.bytes) >= g.head_len)",
	        id));
}

int store_generation_each_of(struct db *db, int64_t job, store_generation_fn fn, void *arg)
{
	return err_up(store_each(db, STORE_generation, store_generation_visit, STORE_VISIT(fn, arg),
	        "WHERE generations.job = ? ORDER BY generations.id", "i", job));
}

/*
 * A statement for each way through an index: one that fits all filters would walk the table. Numbers of a
 * service rise with ids: those below a cursor's are found by it, and by its id where its row is gone.
 */
int store_generation_each(
        struct db *db, const struct generation_filter *filter, store_generation_fn fn, void *arg)
{
	int64_t before = filter->before ? filter->before : INT64_MAX;

	if (!filter->service || !*filter->service) {
		return err_up(store_each(db, STORE_generation, store_generation_visit,
		        STORE_VISIT(fn, arg),
		        "WHERE generations.machine = ? AND generations.id < ?"
		        " ORDER BY generations.id DESC LIMIT ?",
		        "iii", filter->machine, before, filter->limit));
	}
	return err_up(store_each(db, STORE_generation, store_generation_visit, STORE_VISIT(fn, arg),
	        "WHERE generations.service ="
	        " (SELECT id FROM services WHERE machine = ?1 AND name = ?2)"
	        " AND generations.number < coalesce((SELECT c.number FROM generations c"
	        " JOIN services s ON s.id = c.service WHERE c.id = ?3 AND s.machine = ?1"
	        " AND s.name = ?2), 9223372036854775807)"
	        " AND (generations.id < ?3 OR EXISTS (SELECT 1 FROM generations WHERE id = ?3))"
	        " ORDER BY generations.number DESC LIMIT ?4",
	        "itii", filter->machine, filter->service, before, filter->limit));
}
