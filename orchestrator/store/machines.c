/*
 * Machines and their services. A removed machine keeps its row and name, because its history
 * refers to it. What a service's numbers may not fall below only rises: the last number drawn,
 * the floor, and the newest generation known to have run, so that a machine that was put back
 * to a snapshot cannot lower what the next statement says.
 */
#include "orchestrator/store/machines.h"

#include "orchestrator/store/message.h"
#include "orchestrator/store/priv.h"

STORE_VISITOR(machine)
STORE_VISITOR(service)

int store_machine_insert(struct db *db, struct machine_row *row)
{
	int r;

	row->created_us = store_now_usec();
	r = store_insert(db, STORE_machine, row, NULL);
	if (r) {
		return err_up(r);
	}
	row->id = db_last_id(db);
	return 0;
}

int store_machine_update(struct db *db, const struct machine_row *row)
{
	return err_up(store_update(db, STORE_machine, row, NULL));
}

int store_machine_by_name(struct db *db, const char *name, struct machine_row *ret)
{
	return err_up(store_one(db, STORE_machine, ret, "WHERE name = ?", "t", name));
}

/*
 * The row stays, with its name and identity: history refers to it, and a machine may come back. By which policies it was
 * matched does not: one that is started under an old name is a new decision.
 */
int store_machine_remove(struct db *db, int64_t id)
{
	return err_fold(db_run(db,
	        "UPDATE machines SET removed_us = ?, is_default = 0, wanted = 0, groups = '',"
	        " labels = '' WHERE id = ?",
	        "ii", store_now_usec(), id));
}

/* One statement, so that there is never a moment with two of them. */
int store_machine_moved(struct db *db, int64_t id, uint64_t boot_id, uint64_t line)
{
	return err_fold(
	        db_run(db, "UPDATE machines SET moved_boot = ?, moved_line = ? WHERE id = ?", "iii",
	                (int64_t)boot_id, (int64_t)line, id));
}

int store_machine_skipped(struct db *db, int64_t id)
{
	return err_fold(
	        db_run(db, "UPDATE machines SET skipped = skipped + 1 WHERE id = ?", "i", id));
}

int store_machine_kernel(struct db *db, int64_t id, bool drawn, uint64_t *ret_generation)
{
	int64_t generation;
	int r = db_run(db,
	        drawn ? "UPDATE machines SET kernel_last = kernel_last + 1, kernel = kernel_last + "
	                "1"
	                " WHERE id = ?"
	              : "UPDATE machines SET kernel = 0 WHERE id = ?",
	        "i", id);

	if (!r) {
		r = db_query_int(
		        db, &generation, "SELECT kernel FROM machines WHERE id = ?", "i", id);
	}
	if (r) {
		return err_fold(r);
	}
	*ret_generation = (uint64_t)generation;
	return 0;
}

int store_machine_set_default(struct db *db, int64_t id)
{
	return err_fold(db_run(db, "UPDATE machines SET is_default = (id = ?)", "i", id));
}

int store_machine_marks(struct db *db, const struct machine_row *row)
{
	return err_fold(db_run(db, "UPDATE machines SET groups = ?, labels = ? WHERE id = ?", "tti",
	        row->groups, row->labels, row->id));
}

int store_machine_by_id(struct db *db, int64_t id, struct machine_row *ret)
{
	return err_up(store_one(db, STORE_machine, ret, "WHERE id = ?", "i", id));
}

int store_machine_each(struct db *db, store_machine_fn fn, void *arg)
{
	return err_up(store_each(db, STORE_machine, store_machine_visit, STORE_VISIT(fn, arg),
	        "WHERE removed_us = 0 ORDER BY id", ""));
}

int store_service_find(struct db *db, int64_t machine, const char *name, struct service_row *ret)
{
	return err_up(store_one(
	        db, STORE_service, ret, "WHERE machine = ? AND name = ?", "it", machine, name));
}

/* Machines name their services; a name that was never seen gets a row at its first appearance. */
int store_service_ensure(struct db *db, int64_t machine, const char *name, struct service_row *ret)
{
	int r = db_run(db, "INSERT OR IGNORE INTO services(machine, name) VALUES(?,?)", "it",
	        machine, name);

	if (r) {
		return err_fold(r);
	}
	return err_up(store_service_find(db, machine, name, ret));
}

/* A floor never falls: an old backup of a machine cannot bring an old release back. */
int store_service_floor(struct db *db, int64_t service, uint32_t floor)
{
	return err_fold(db_run(db, "UPDATE services SET floor = max(floor, ?) WHERE id = ?", "ii",
	        (int64_t)floor, service));
}

/*
 * What a machine says is kept, but numbers only rise: one that was put back to a snapshot says
 * less than what is known. (epoch, number) is compared as a pair: an epoch starts its numbers
 * anew.
 */
int store_service_seen(struct db *db, const struct service_row *row, const Machine__Service *status)
{
	int r = db_run(db,
	        "UPDATE services SET last_number = max(last_number, ?), seen_us = ? WHERE id = ?",
	        "iii", (int64_t)row->run_number, store_now_usec(), row->id);

	if (!r) {
		r = message_put(db, &message_service, row->id, &status->base);
	}
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

int store_service_status(struct db *db, int64_t service, ProtobufCAllocator *allocator,
        Machine__Service **ret_status)
{
	ProtobufCMessage *status;
	int r = message_get(db, &message_service, service, allocator, &status, NULL);

	if (!r) {
		*ret_status = (Machine__Service *)status;
	}
	return err_up(r);
}

/*
 * Drawn inside the transaction that uses it, so that a number is never given twice, nor after a
 * crash.
 */
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

int store_service_each(struct db *db, int64_t machine, store_service_fn fn, void *arg)
{
	return err_up(store_each(db, STORE_service, store_service_visit, STORE_VISIT(fn, arg),
	        "WHERE machine = ? ORDER BY id", "i", machine));
}

int store_standing_find(struct db *db, int64_t machine, struct standing_row *ret)
{
	return err_up(store_one(db, STORE_standing, ret, "WHERE machine = ?", "i", machine));
}

int store_standing_put(struct db *db, struct standing_row *row)
{
	int r;

	if (row->id) {
		return err_fold(store_update(db, STORE_standing, row, NULL));
	}
	r = store_insert(db, STORE_standing, row, NULL);
	if (r) {
		return err_fold(r);
	}
	row->id = db_last_id(db);
	return 0;
}
