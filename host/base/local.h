#pragma once
/* Listening at a UNIX socket, in the place of one that nobody answers at. */
#include "host/base/err.h"

/*
 * A listener that does not block. A file that was left behind is replaced. Between the look and the bind another one could take
 * the place: two must have been given one path by hand. -EADDRINUSE: somebody answers there; -ENOTSOCK: a file is there;
 * -ENAMETOOLONG; else of bind(2).
 */
int __must_check local_listen(const char *path, int backlog, int *ret_fd);
