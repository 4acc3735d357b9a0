/*
 * Machines and their services. A removed machine keeps its row and name, because its history
 * refers to it. What a service's numbers may not fall below only rises: the last number drawn,
 * the floor, and the newest generation known to have run, so that a machine that was put back
 * to a snapshot cannot lower what the next statement says.
 */
#include "orchestrator/store/machines.h"

#include <string.h>

#define MACHINE_COLUMNS                                                                            \
	"id, name, machine_id, attached, wanted, socket, image, pid, boot_id, event_seq, "         \
	"created_us, removed_us, is_default, line"

static void store_machine_read(sqlite3_stmt *row, struct machine_row *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->id = sqlite3_column_int64(row, 0);
	db_column_text(row, 1, ret->name, sizeof(ret->name));
	ret->has_machine_id = sqlite3_column_type(row, 2) != SQLITE_NULL;
	db_column_blob(row, 2, ret->machine_id, sizeof(ret->machine_id));
	ret->attached = sqlite3_column_int64(row, 3);
	ret->wanted = sqlite3_column_int64(row, 4);
	db_column_text(row, 5, ret->socket, sizeof(ret->socket));
	db_column_text(row, 6, ret->image, sizeof(ret->image));
	ret->pid = sqlite3_column_int64(row, 7);
	ret->boot_id = sqlite3_column_int64(row, 8);
	ret->event_seq = sqlite3_column_int64(row, 9);
	ret->created_us = sqlite3_column_int64(row, 10);
	ret->removed_us = sqlite3_column_int64(row, 11);
	ret->is_default = sqlite3_column_int64(row, 12);
	ret->line = sqlite3_column_int64(row, 13);
}

static int store_machine_row(sqlite3_stmt *row, void *arg)
{
	store_machine_read(row, arg);
	return 0;
}

int store_machine_insert(struct db *db, struct machine_row *row)
{
	int r;

	row->created_us = store_now_usec();
	r = db_run(db,
	        "INSERT INTO machines(name, machine_id, attached, wanted, socket, image, pid,"
	        " boot_id, event_seq, created_us, is_default) VALUES(?,?,?,?,?,?,?,?,?,?,?)",
	        "tbiittiiiii", row->name, row->has_machine_id ? row->machine_id : NULL,
	        sizeof(row->machine_id), (int64_t)row->attached, (int64_t)row->wanted, row->socket,
	        row->image, row->pid, (int64_t)row->boot_id, (int64_t)row->event_seq,
	        row->created_us, (int64_t)row->is_default);
	if (r) {
		return err_up(r);
	}
	row->id = db_last_id(db);
	return 0;
}

int store_machine_update(struct db *db, const struct machine_row *row)
{
	return err_up(db_run(db,
	        "UPDATE machines SET machine_id = ?, attached = ?, wanted = ?, socket = ?,"
	        " image = ?, pid = ?, boot_id = ?, event_seq = ?, removed_us = ?, line = ? WHERE "
	        "id = ?",
	        "biittiiiiii", row->has_machine_id ? row->machine_id : NULL,
	        sizeof(row->machine_id), (int64_t)row->attached, (int64_t)row->wanted, row->socket,
	        row->image, row->pid, (int64_t)row->boot_id, (int64_t)row->event_seq,
	        row->removed_us, (int64_t)row->line, row->id));
}

int store_machine_by_name(struct db *db, const char *name, struct machine_row *ret)
{
	return err_up(db_query(db, store_machine_row, ret,
	        "SELECT " MACHINE_COLUMNS " FROM machines WHERE name = ?", "t", name));
}

int store_machine_remove(struct db *db, int64_t id)
{
	return err_fold(db_run(db,
	        "UPDATE machines SET removed_us = ?, is_default = 0, wanted = 0 WHERE id = ?", "ii",
	        store_now_usec(), id));
}

int store_machine_set_default(struct db *db, int64_t id)
{
	return err_fold(db_run(db, "UPDATE machines SET is_default = (id = ?)", "i", id));
}

int store_machine_by_id(struct db *db, int64_t id, struct machine_row *ret)
{
	return err_up(db_query(db, store_machine_row, ret,
	        "SELECT " MACHINE_COLUMNS " FROM machines WHERE id = ?", "i", id));
}

struct store_machine_visit {
	store_machine_fn fn;
	void *arg;
};

static int store_machine_visit_row(sqlite3_stmt *row, void *arg)
{
	struct store_machine_visit *visit = arg;
	struct machine_row machine;

	store_machine_read(row, &machine);
	return visit->fn(&machine, visit->arg);
}

int store_machine_each(struct db *db, store_machine_fn fn, void *arg)
{
	struct store_machine_visit visit = {fn, arg};
	int r = db_query(db, store_machine_visit_row, &visit,
	        "SELECT " MACHINE_COLUMNS " FROM machines WHERE removed_us = 0 ORDER BY id", "");

	return r == DB_E_NONE ? 0 : err_up(r);
}

#define SERVICE_COLUMNS "id, machine, name, last_number, seen_us, floor, run_epoch, run_number"

static void store_service_read(sqlite3_stmt *row, struct service_row *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->id = sqlite3_column_int64(row, 0);
	ret->machine = sqlite3_column_int64(row, 1);
	db_column_text(row, 2, ret->name, sizeof(ret->name));
	ret->last_number = sqlite3_column_int64(row, 3);
	ret->seen_us = sqlite3_column_int64(row, 4);
	ret->floor = (uint32_t)sqlite3_column_int64(row, 5);
	ret->run_epoch = sqlite3_column_int64(row, 6);
	ret->run_number = sqlite3_column_int64(row, 7);
}

static int store_service_row(sqlite3_stmt *row, void *arg)
{
	store_service_read(row, arg);
	return 0;
}

int store_service_find(struct db *db, int64_t machine, const char *name, struct service_row *ret)
{
	return err_up(db_query(db, store_service_row, ret,
	        "SELECT " SERVICE_COLUMNS " FROM services"
	        " WHERE machine = ? AND name = ?",
	        "it", machine, name));
}

int store_service_ensure(struct db *db, int64_t machine, const char *name, struct service_row *ret)
{
	int r = db_run(db, "INSERT OR IGNORE INTO services(machine, name) VALUES(?,?)", "it",
	        machine, name);

	if (r) {
		return err_fold(r);
	}
	return err_up(store_service_find(db, machine, name, ret));
}

int store_service_floor(struct db *db, int64_t service, uint32_t floor)
{
	return err_fold(db_run(db, "UPDATE services SET floor = max(floor, ?) WHERE id = ?", "ii",
	        (int64_t)floor, service));
}

int store_service_seen(
        struct db *db, const struct service_row *row, const void *status, size_t status_size)
{
	int r = db_run(db,
	        "UPDATE services SET status = ?, last_number = max(last_number, ?), seen_us = ?"
	        " WHERE id = ?",
	        "biii", status, status_size, (int64_t)row->run_number, store_now_usec(), row->id);

	if (!r) {
		r = db_run(db,
		        "UPDATE services SET run_epoch = ?1, run_number = ?2 WHERE id = ?3"
		        " AND (run_epoch, run_number) < (?1, ?2)",
		        "iii", (int64_t)row->run_epoch, (int64_t)row->run_number, row->id);
	}
	if (!r) {
		r = store_service_floor(db, row->id, row->floor);
	}
	return err_fold(r);
}

int store_service_draw(struct db *db, int64_t service, uint64_t *ret_number)
{
	int64_t number;
	int r;

	r = db_run(
	        db, "UPDATE services SET last_number = last_number + 1 WHERE id = ?", "i", service);
	if (!r) {
		r = db_query_int(
		        db, &number, "SELECT last_number FROM services WHERE id = ?", "i", service);
	}
	if (r) {
		return err_fold(r);
	}
	*ret_number = number;
	return 0;
}

struct store_service_visit {
	store_service_fn fn;
	void *arg;
};

static int store_service_visit_row(sqlite3_stmt *row, void *arg)
{
	struct store_service_visit *visit = arg;
	struct service_row service;

	store_service_read(row, &service);
	return visit->fn(
	        &service, sqlite3_column_blob(row, 8), sqlite3_column_bytes(row, 8), visit->arg);
}

int store_service_each(struct db *db, int64_t machine, store_service_fn fn, void *arg)
{
	struct store_service_visit visit = {fn, arg};
	int r = db_query(db, store_service_visit_row, &visit,
	        "SELECT " SERVICE_COLUMNS ", status FROM services"
	        " WHERE machine = ? ORDER BY id",
	        "i", machine);

	return r == DB_E_NONE ? 0 : err_up(r);
}
