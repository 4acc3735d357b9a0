/*
 * Generations: numbers that a service of a machine ran, or was to run. They are always read
 * together with their service and variant, so one SELECT stands for all readers. At most one
 * generation of a service is RUNNING: store_generation_runs() is the only way to that state,
 * and makes the one before PAST.
 */
#include "orchestrator/store/generations.h"

#include "orchestrator/store/priv.h"

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

int store_generation_insert(struct db *db, struct generation_row *row)
{
	int r = store_insert(db, STORE_generation, row, NULL);

	if (r) {
		return err_fold(r);
	}
	row->id = db_last_id(db);
	return 0;
}

int store_generation_sign(
        struct db *db, const struct generation_row *row, const void *envelope, size_t envelope_size)
{
	struct store_bytes bytes = {envelope, envelope_size};

	return err_fold(store_update(db, STORE_generation, row, &bytes));
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

/*
 * What ran becomes past before the new one runs, whatever state that was in: the machine's word
 * counts, also of one that the record had given up. A machine says it again and again; committed_us
 * is set when it is news.
 */
int store_generation_runs(struct db *db, int64_t service, uint64_t number)
{
	int r;

	r = db_run(db,
	        "UPDATE generations SET state = ? WHERE service = ? AND state = ? AND number != ?",
	        "iiii", (int64_t)GENERATION_PAST, service, (int64_t)GENERATION_RUNNING,
	        (int64_t)number);
	if (!r) {
		r = db_run(db,
		        "UPDATE generations SET state = ?, committed_us = ?"
		        " WHERE service = ? AND number = ? AND state != ?",
		        "iiiii", (int64_t)GENERATION_RUNNING, store_now_usec(), service,
		        (int64_t)number, (int64_t)GENERATION_RUNNING);
	}
	return err_fold(r);
}

/* A snapshot that was put back counts anew: what the machine says last is what it ran last. */
int store_generation_layout(struct db *db, int64_t service, uint64_t number, uint64_t made,
        const struct store_seed *seed)
{
	static const uint8_t unknown[STORE_COMMIT_SIZE];
	const struct store_seed own = made && seed->commit ? *seed : (struct store_seed){0};
	int r = db_run(db,
	        "UPDATE generations SET made = ?, made_commit = ?, made_sealed = ?"
	        " WHERE service = ? AND number = ?",
	        "ibbii", (int64_t)made, own.commit, own.commit ? sizeof(unknown) : 0, own.sealed,
	        own.sealed ? (size_t)STORE_SEALED_SIZE : 0, service, (int64_t)number);

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

int store_generation_find(struct db *db, int64_t machine, const char *service, uint64_t number,
        struct generation_row *ret)
{
	return err_up(store_one(db, STORE_generation, ret,
	        "WHERE services.machine = ? AND services.name = ? AND generations.number = ?",
	        "iti", machine, service, (int64_t)number));
}

/*
 * Of another release: to go back from a rerandomized layout means the release before, not the
 * layout.
 */
int store_generation_earlier(struct db *db, int64_t service, uint64_t number, int64_t release,
        struct generation_row *ret)
{
	return err_up(store_one(db, STORE_generation, ret,
	        "WHERE generations.service = ? AND generations.number < ?"
	        " AND variants.release != ? AND generations.state = ?"
	        " ORDER BY generations.number DESC LIMIT 1",
	        "iiii", service, (int64_t)number, release, (int64_t)GENERATION_PAST));
}

/*
 * By the time at which each was seen to run, not by number: one that was drawn later may have run first.
 * One that has not been seen to run yet comes after all.
 */
int store_generation_before(
        struct db *db, const struct generation_row *row, struct generation_row *ret)
{
	return err_up(store_one(db, STORE_generation, ret,
	        "WHERE generations.service = ?1 AND generations.id != ?2"
	        " AND generations.committed_us > 0 AND (?3 = 0 OR generations.committed_us < ?3)"
	        " ORDER BY generations.committed_us DESC LIMIT 1",
	        "iii", row->service, row->id, row->committed_us));
}

int store_effect_next(struct db *db, int64_t before, struct generation_row *ret)
{
	return err_up(store_one(db, STORE_generation, ret,
	        "WHERE generations.id < ? AND generations.state IN (?, ?)"
	        " AND generations.committed_us > 0 AND variants.path != ''"
	        " AND generations.id NOT IN (SELECT generation FROM effects)"
	        " ORDER BY generations.id DESC LIMIT 1",
	        "iii", before, (int64_t)GENERATION_RUNNING, (int64_t)GENERATION_PAST));
}

int store_effect_put(struct db *db, const struct effect_row *row)
{
	int r = db_run(db, "DELETE FROM effects WHERE generation = ?", "i", row->generation);

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
	        "SELECT envelope FROM generations WHERE id = ? AND envelope IS NOT NULL", id));
}

/*
 * One statement for all filters: a filter that is 0 is true of every row. Newest first is the
 * order of pages, oldest first the order in which a person reads a whole list.
 */
int store_generation_each(
        struct db *db, const struct generation_filter *filter, store_generation_fn fn, void *arg)
{
	const char *service = filter->service ? filter->service : "";

	return err_up(store_each(db, STORE_generation, store_generation_visit, STORE_VISIT(fn, arg),
	        "WHERE (?1 = 0 OR services.machine = ?1) AND (?2 = 0 OR generations.job = ?2)"
	        " AND (?3 = '' OR services.name = ?3) AND (?4 = 0 OR generations.id < ?4)"
	        " ORDER BY CASE WHEN ?5 > 0 THEN -generations.id ELSE generations.id END"
	        " LIMIT CASE WHEN ?5 > 0 THEN ?5 ELSE -1 END",
	        "iitii", filter->machine, filter->job, service, filter->before, filter->limit));
}
