#pragma once
/*
 * A worker's bench: a directory below lud's own that belongs to the worker's user while
 * it works. What it needs is copied in, what it made is copied or taken out: nothing of
 * it stays in the hands of that user.
 */
#include "host/child/user.h"

/* Makes one below `parent`; the caller frees the path. Errors: mkdtemp. */
int __must_check bench_new(const char *parent, char **ret_bench);
/* Copies a file of lud's in, before the bench is given away. Errors: reading, writing. */
int __must_check bench_put(const char *bench, const char *from, const char *name);
/* To the worker; opened for it. Errors: chown, open. */
int __must_check bench_give(const char *bench, const struct child_user *user, int *ret_fd);
/*
 * Copies a file that the worker made to its place. Errors: reading
 * (regular files only), writing.
 */
int __must_check bench_take_file(const char *bench, const char *name, const char *out);
/*
 * Takes a directory that the worker made into a store, in exchange for one of that name.
 * -EINVAL when there is something else in it than directories and files of one name.
 */
int __must_check bench_take_dir(
        const char *bench, const char *name, const char *store, const struct child_user *user);
/* Takes everything back from the worker and removes it; NULL. */
char *bench_free(char *bench);

/*
 * A directory of what workers may read and not write: lud's, with the group of their
 * user. What is below is made so too, if the directory was not. Errors: making it.
 */
int __must_check bench_store_make(const char *store, const struct child_user *user);
