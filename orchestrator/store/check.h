#pragma once
/* Whether a record is whole, and says what a record can say; whoever has it open goes on meanwhile. */
#include "orchestrator/db/copy.h"

/* what: a sentence; remedy: what an administrator can do about it. */
typedef void (*store_finding_fn)(const char *what, const char *remedy, void *arg);

/*
 * Reads all of a file. 0, however much was found; else nothing could be read, and ret_failure is filled. A
 * record of an earlier schema is looked at as far as it has what is looked for.
 */
int __must_check store_check(
        const char *path, store_finding_fn fn, void *arg, struct failure *ret_failure);

/* As db_copy(), of a record that was checked: with any finding of which it could matter later none is made. */
int __must_check store_copy(const char *from, const char *to, struct failure *ret_failure);
