#pragma once
/*
 * Saves what can still be read of a damaged database into a fresh one, which takes
 * its place. The damaged file stays beside it under another name.
 */
#include "orchestrator/db/db.h"

/* How many rows of a table were saved; whole: it was read from its start to its end. */
typedef void (*db_saved_fn)(const char *table, int64_t n_rows, bool whole, void *arg);

struct db_recovered {
	char *kept; /* the damaged file's new name, which the caller frees; NULL: the file is not damaged */
	int64_t version; /* of the schema that it had; one of before has been brought up to date */
};

/* Nobody may have the file open. Errors fill ret_failure and leave the file as it was. */
int __must_check db_recover(const char *path, const struct db_migration *migrations,
        size_t n_migrations, db_saved_fn fn, void *arg, struct db_recovered *ret,
        struct failure *ret_failure);
