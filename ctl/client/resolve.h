#pragma once
/* From a name to an open connection, within a time and until Ctrl-C. */
#include <stdint.h>

/*
 * Connect to HOST:PORT, to each of its addresses in turn. CTL_OK: the descriptor does not block. Else an exit code, told:
 * CTL_UNREACHABLE, CTL_INTERRUPTED. name: the place of errors; until: by wait_now_msec().
 */
int resolve_connect(
        const char *name, const char *host, const char *port, int64_t until, int *ret_fd);
/* Until the descriptor is ready for these events of poll(). 1: it is; 0: the time is over; -1: Ctrl-C. */
int resolve_wait(int fd, short events, int64_t until);
