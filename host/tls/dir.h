#pragma once
/*
 * A directory that one program works in at a time, and a CA's directory, which nobody else may change. The lock ends
 * with the descriptor, and so with the program, however that ends.
 */
#include <stdbool.h>

#include "host/base/cleanup.h"

struct failure;

#define TLS_DIR_WAIT_MSEC 10000u

/*
 * Opens a directory and locks it; the caller closes it. -EBUSY: another one works in it for so long already. -ENOENT:
 * there is none.
 */
int __must_check tls_dir_lock(
        const char *dir, unsigned int wait_msec, int *ret_fd, struct failure *ret_failure);
/* -EPERM: it is not the caller's, or others may write to it: who can would swap what is signed. */
int __must_check tls_dir_check(const char *dir, int fd, struct failure *ret_failure);
