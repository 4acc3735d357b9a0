#pragma once
/*
 * A signer that is asked at a socket: by `lud` of another user, or by what carries the socket there
 * from another host. One client at a time; who may connect is said by the socket's mode and place.
 */
#include <stdbool.h>
#include <sys/types.h>

/*
 * A socket at this path, with mode 0660 and, unless uid is 0, of this user and group; one that a
 * signer left there is replaced. -1: it cannot be had; errno says why (EBUSY: somebody answers there).
 */
int listen_open(const char *path, uid_t uid, gid_t gid);
/*
 * The next client, not blocking; waits where the host is short of what it takes. -1: the socket is of
 * no use any more.
 */
int listen_accept(int listener);
/* Has the client that was accepted last had its time? */
bool listen_is_over(void);
/* Wait until this descriptor can be read (POLLIN) or written; false: its client's time is over. */
bool listen_wait(int fd, short events);
