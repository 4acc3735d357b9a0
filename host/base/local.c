/*
 * A socket file is taken by whoever listens behind it, and by nobody else: the file itself outlives its process, and a
 * child may keep the listener of a process that was killed. So it is asked for an answer, and for who would give it.
 */
#include "host/base/local.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/base/cleanup.h"

/*
 * Whether somebody answers at the socket: then it is not ours to take. What only a child has
 * kept that was forked just before its lud was killed answers nothing: the process that
 * listens (unix(7), SO_PEERCRED) is gone.
 */
static bool local_is_taken(const struct sockaddr_un *address)
{
	_cleanup_(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0) {
		return false;
	}
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || !peer.pid ||
	       kill(peer.pid, 0) == 0 || errno != ESRCH;
}

/* What is no socket is somebody's file, which a mistyped path must not cost. */
static bool local_is_file(const char *path)
{
	struct stat found;

	return lstat(path, &found) == 0 && !S_ISSOCK(found.st_mode);
}

int local_listen(const char *path, int backlog, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_(fd_closep) int fd =
	        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0) {
		return err_raise(-errno);
	}
	if (strlen(path) >= sizeof(address.sun_path)) {
		return err_raise(-ENAMETOOLONG);
	}
	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	if (local_is_taken(&address)) {
		return err_raise(-EADDRINUSE);
	}
	if (local_is_file(path)) {
		return err_raise(-ENOTSOCK);
	}
	if (unlink(path) < 0 && errno != ENOENT) {
		return err_raise(-errno);
	}
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, backlog) < 0) {
		return err_raise(-errno);
	}
	*ret_fd = fd_steal(&fd);
	return 0;
}
