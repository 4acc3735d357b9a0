#pragma once
/* Rows of machines and their services. Writers are called inside db_txn(). */
#include "orchestrator/store/rows.h"
#include "orchestrator/store/schema.h"
#include "proto/machine/machine.pb-c.h"

/* Fills row->id. May return DB_E_EXISTS (name or machine id taken). */
int __must_check store_machine_insert(struct db *db, struct machine_row *row);
/* Writes all but id and name. */
int __must_check store_machine_update(struct db *db, const struct machine_row *row);
/* DB_E_NONE when there is no such row. */
int __must_check store_machine_by_id(struct db *db, int64_t id, struct machine_row *ret);
/* By name, removed ones included. */
int __must_check store_machine_by_name(struct db *db, const char *name, struct machine_row *ret);
int __must_check store_machine_remove(struct db *db, int64_t id);
/* A job is to move the services out of the layouts of this boot, on this line. */
int __must_check store_machine_moved(struct db *db, int64_t id, uint64_t boot_id, uint64_t line);
/* Counts a time that the machine was too busy for what a timer asked of it. */
int __must_check store_machine_skipped(struct db *db, int64_t id);
/* Draws the next generation of the machine's kernel; or notes that it has none, being the linked one: 0. */
int __must_check store_machine_kernel(
        struct db *db, int64_t id, bool drawn, uint64_t *ret_generation);
/* Makes it the only default. */
int __must_check store_machine_set_default(struct db *db, int64_t id);
/* What policies match: the row's groups and labels. */
int __must_check store_machine_marks(struct db *db, const struct machine_row *row);
/* Calls fn for every machine that is not removed, in order of id. */
typedef int (*store_machine_fn)(const struct machine_row *row, void *arg);
int __must_check store_machine_each(struct db *db, store_machine_fn fn, void *arg);

/* What is wanted of a machine's layouts: of a machine, by its id. DB_E_NONE. */
int __must_check store_standing_find(struct db *db, int64_t machine, struct standing_row *ret);
/* Writes the row, or makes it where its id is 0. */
int __must_check store_standing_put(struct db *db, struct standing_row *row);

/* Finds or makes the row. */
int __must_check store_service_ensure(
        struct db *db, int64_t machine, const char *name, struct service_row *ret);
int __must_check store_service_find(
        struct db *db, int64_t machine, const char *name, struct service_row *ret);
/*
 * Keeps what a machine says of it, never draws a number up to the row's run_number
 * again, and raises what is known of floor and newest generation.
 */
int __must_check store_service_seen(
        struct db *db, const struct service_row *row, const Machine__Service *status);
/* That status: the caller's, of the allocator. DB_E_NONE: it was never seen. */
int __must_check store_service_status(struct db *db, int64_t service, ProtobufCAllocator *allocator,
        Machine__Service **ret_status);
/* Raises the floor. */
int __must_check store_service_floor(struct db *db, int64_t service, uint32_t floor);
/* Draws the next generation number. */
int __must_check store_service_draw(struct db *db, int64_t service, uint64_t *ret_number);
/* Calls fn with each service of the machine. */
typedef int (*store_service_fn)(const struct service_row *row, void *arg);
int __must_check store_service_each(struct db *db, int64_t machine, store_service_fn fn, void *arg);
