/*
 * The socket of a second signer. It need not know who asks: what it signs, it has made itself of a kit
 * that a release key signed. What a client can do is to keep the others waiting, be it with a byte now and
 * then or with one request after the other. So each has LISTEN_CLIENT_MSEC in all; what it has asked by then
 * is answered, and the next one's turn comes.
 *
 * The socket is made before the user is changed and the sandbox entered; after that there is only
 * accept4() and poll().
 */
#include "keyring/signer/listen.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LISTEN_CLIENT_MSEC 10000
#define LISTEN_QUEUE 8
#define LISTEN_PAUSE_MSEC 1000 /* before the next try, where a client cannot be had */

static int64_t listen_end; /* of the client that was accepted last, as listen_msec() counts */

static int64_t listen_msec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * What a signer that is gone has left there goes; one that answers stays, and so does what nobody can
 * say that of. One whose queue is full (EAGAIN) lives.
 */
static int listen_clear(const struct sockaddr_un *address)
{
	struct stat there;
	int fd, r, why;

	if (lstat(address->sun_path, &there) < 0 || !S_ISSOCK(there.st_mode)) {
		return 0;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return -1;
	}
	r = connect(fd, (const struct sockaddr *)address, sizeof(*address));
	why = r == 0 || errno == EAGAIN ? EBUSY : errno;
	(void)close(fd);
	if (why != ECONNREFUSED) {
		errno = why;
		return -1;
	}
	(void)unlink(address->sun_path);
	return 0;
}

int listen_open(const char *path, uid_t uid, gid_t gid)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	mode_t mask;
	int fd, r;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(address.sun_path, path);
	if (listen_clear(&address) < 0) {
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return -1;
	}
	mask = umask(0117);
	r = bind(fd, (struct sockaddr *)&address, sizeof(address));
	(void)umask(mask);
	if (r < 0 || (uid != 0 && lchown(path, uid, gid) < 0) || listen(fd, LISTEN_QUEUE) < 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* What may be over when it is tried again, and says nothing about the socket. */
static bool listen_may_pass(int why)
{
	return why == EMFILE || why == ENFILE || why == ENOMEM || why == ENOBUFS;
}

int listen_accept(int listener)
{
	bool is_told = false;

	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0 && listen_may_pass(errno)) {
			if (!is_told) {
				(void)fprintf(stderr,
				        "lusign: a client waits for memory or a descriptor, which "
				        "the host or this process has none of (errno %d); "
				        "tried again each second\n",
				        errno);
			}
			is_told = true;
			(void)poll(NULL, 0, LISTEN_PAUSE_MSEC);
		} else if (fd >= 0 || (errno != EINTR && errno != ECONNABORTED)) {
			listen_end = listen_msec() + LISTEN_CLIENT_MSEC;
			return fd;
		}
	}
}

bool listen_is_over(void)
{
	return listen_msec() >= listen_end;
}

bool listen_wait(int fd, short events)
{
	struct pollfd at = {.fd = fd, .events = events};
	int64_t left;
	int n;

	do {
		left = listen_end - listen_msec();
		n = left > 0 ? poll(&at, 1, (int)left) : 0;
	} while (n < 0 && errno == EINTR);
	return n > 0;
}
