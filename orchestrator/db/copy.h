#pragma once
/*
 * A database beside whoever has it open: read without a word written to it, copied as it is at one moment,
 * and put in the place of another. None of it needs db_open(), and none changes a schema.
 */
#include "orchestrator/db/db.h"

/*
 * Opens a file only to read it. ret_version: of its schema. Errors fill ret_failure: it is not there, no
 * database of ours (-EMEDIUMTYPE), damaged so that nothing can be read.
 */
int __must_check db_open_read(
        const char *path, struct db **ret_db, int64_t *ret_version, struct failure *ret_failure);
/* Calls fn for each finding of SQLite's own checks: pages, rows, indices; rows that refer to missing ones. */
typedef void (*db_finding_fn)(const char *what, void *arg);
int __must_check db_check_all(struct db *db, db_finding_fn fn, void *arg);
/*
 * A whole copy of one moment, of a file that others may be writing to. `to` must not be there; it is on the
 * disk when this returns, readable by its owner alone, and gone after an error, which fills ret_failure.
 */
int __must_check db_copy(const char *from, const char *to, struct failure *ret_failure);
/* A file that nobody has open, with what an end in mid-work has left beside it. Nothing has to be there. */
int __must_check db_remove(const char *path);
/*
 * The file gets a second name, its log goes there too, and the fresh file takes the first: at every moment
 * there is a file under that name. Nobody may have either open. path may be missing. -ENOSPC: the last of the fresh
 * one is still in a log beside it, since there was no room to move it.
 */
int __must_check db_replace(const char *path, const char *fresh, const char *kept);
/* PATH.WHAT-TIME, and a number if that is there; the caller frees. */
char *db_kept_name(const char *path, const char *what);
