/*
 * Generations: numbers that a service of a machine ran, or was to run. They are always read
 * together with their service and variant, so one SELECT stands for all readers. At most one
 * generation of a service is RUNNING: store_generation_runs() is the only way to that state,
 * and makes the one before PAST.
 */
#include "orchestrator/store/generations.h"

#include <string.h>

#define GENERATION_SELECT                                                                          \
	"SELECT g.id, g.service, g.number, g.variant, g.job, g.state, g.issued, g.expires,"        \
	" g.committed_us, s.machine, v.release, s.name, g.envelope IS NOT NULL,"                   \
	" v.payload_len > 0, g.epoch"                                                              \
	" FROM generations g JOIN services s ON s.id = g.service"                                  \
	" JOIN variants v ON v.id = g.variant "

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

static int store_generation_row(sqlite3_stmt *row, void *arg)
{
	struct generation_row *ret = arg;

	memset(ret, 0, sizeof(*ret));
	ret->id = sqlite3_column_int64(row, 0);
	ret->service = sqlite3_column_int64(row, 1);
	ret->number = sqlite3_column_int64(row, 2);
	ret->variant = sqlite3_column_int64(row, 3);
	ret->job = sqlite3_column_int64(row, 4);
	ret->state = sqlite3_column_int64(row, 5);
	ret->issued = sqlite3_column_int64(row, 6);
	ret->expires = sqlite3_column_int64(row, 7);
	ret->committed_us = sqlite3_column_int64(row, 8);
	ret->machine = sqlite3_column_int64(row, 9);
	ret->release = sqlite3_column_int64(row, 10);
	db_column_text(row, 11, ret->service_name, sizeof(ret->service_name));
	ret->has_envelope = sqlite3_column_int64(row, 12);
	ret->has_payload = sqlite3_column_int64(row, 13);
	ret->epoch = sqlite3_column_int64(row, 14);
	return 0;
}

int store_generation_insert(struct db *db, struct generation_row *row)
{
	int r = db_run(db,
	        "INSERT INTO generations(service, number, variant, job, state) VALUES(?,?,?,?,?)",
	        "iiiii", row->service, (int64_t)row->number, row->variant, row->job,
	        (int64_t)row->state);

	if (r) {
		return err_fold(r);
	}
	row->id = db_last_id(db);
	return 0;
}

int store_generation_sign(
        struct db *db, const struct generation_row *row, const void *envelope, size_t envelope_size)
{
	return err_fold(db_run(db,
	        "UPDATE generations SET envelope = ?, issued = ?, expires = ?, epoch = ?"
	        " WHERE id = ?",
	        "biiii", envelope, envelope_size, row->issued, row->expires, (int64_t)row->epoch,
	        row->id));
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

int store_generation_find(struct db *db, int64_t machine, const char *service, uint64_t number,
        struct generation_row *ret)
{
	return err_up(db_query(db, store_generation_row, ret,
	        GENERATION_SELECT "WHERE s.machine = ? AND s.name = ? AND g.number = ?", "iti",
	        machine, service, (int64_t)number));
}

int store_generation_earlier(struct db *db, int64_t service, uint64_t number, int64_t release,
        struct generation_row *ret)
{
	return err_up(db_query(db, store_generation_row, ret,
	        GENERATION_SELECT
	        "WHERE g.service = ? AND g.number < ? AND v.release != ? AND g.state = ?"
	        " ORDER BY g.number DESC LIMIT 1",
	        "iiii", service, (int64_t)number, release, (int64_t)GENERATION_PAST));
}

struct store_envelope {
	uint8_t **ret_bytes;
	size_t *ret_size;
};

static int store_envelope_row(sqlite3_stmt *row, void *arg)
{
	struct store_envelope *out = arg;

	*out->ret_bytes = db_column_blob_new(row, 0, out->ret_size);
	return 0;
}

int store_generation_envelope(struct db *db, int64_t id, uint8_t **ret_envelope, size_t *ret_size)
{
	struct store_envelope out = {ret_envelope, ret_size};

	return err_up(db_query(db, store_envelope_row, &out,
	        "SELECT envelope FROM generations WHERE id = ? AND envelope IS NOT NULL", "i", id));
}

struct store_generation_visit {
	store_generation_fn fn;
	void *arg;
};

static int store_generation_visit_row(sqlite3_stmt *row, void *arg)
{
	struct store_generation_visit *visit = arg;
	struct generation_row generation;

	(void)store_generation_row(row, &generation);
	return visit->fn(&generation, visit->arg);
}

int store_generation_each(
        struct db *db, const struct generation_filter *filter, store_generation_fn fn, void *arg)
{
	struct store_generation_visit visit = {fn, arg};
	const char *service = filter->service ? filter->service : "";
	int r;

	r = db_query(db, store_generation_visit_row, &visit,
	        GENERATION_SELECT "WHERE (?1 = 0 OR s.machine = ?1) AND (?2 = 0 OR g.job = ?2)"
	                          " AND (?3 = '' OR s.name = ?3) AND (?4 = 0 OR g.id < ?4)"
	                          " ORDER BY CASE WHEN ?5 > 0 THEN -g.id ELSE g.id END"
	                          " LIMIT CASE WHEN ?5 > 0 THEN ?5 ELSE -1 END",
	        "iitii", filter->machine, filter->job, service, filter->before, filter->limit);
	return r == DB_E_NONE ? 0 : err_up(r);
}
