/*
 * Directories and their locks. The lock is flock() on the directory itself, so that there is no file of it to be left
 * behind. Waiting is by trying again: a program that was stopped with the lock in its hands must not hold up the next
 * one for ever, and a signal as an alarm belongs to no library.
 */
#include "host/tls/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "host/base/elapsed.h"
#include "host/tls/pem.h"

#define DIR_TRY_NSEC 20000000

int tls_dir_lock(const char *dir, unsigned int wait_msec, int *ret_fd, struct failure *ret_failure)
{
	static const struct timespec pause = {.tv_nsec = DIR_TRY_NSEC};
	_cleanup_(fd_closep) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int64_t until = elapsed_usec() + (int64_t)wait_msec * 1000;

	if (fd < 0) {
		return tls_fail_file(ret_failure, dir, "cannot be opened", err_raise(-errno));
	}
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR) {
			return tls_fail_file(
			        ret_failure, dir, "cannot be locked", err_raise(-errno));
		}
		if (elapsed_usec() >= until) {
			failure_set(ret_failure, "busy", dir,
			        "wait for its end, or see which one hangs (fuser DIRECTORY)",
			        "another luctl works in it");
			return err_raise(-EBUSY);
		}
		(void)nanosleep(&pause, NULL);
	}
	*ret_fd = fd_steal(&fd);
	return 0;
}

int tls_dir_check(const char *dir, int fd, struct failure *ret_failure)
{
	struct stat st;

	if (fstat(fd, &st) < 0) {
		return tls_fail_file(ret_failure, dir, "cannot be opened", err_raise(-errno));
	}
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH))) {
		failure_set(ret_failure, "exposed", dir,
		        "make it yours, with mode 0700; if others could write to it, see with "
		        "`luctl cert list` that nothing is in it which you have not issued",
		        "it is not yours, or others may write to it");
		return err_raise(-EPERM);
	}
	return 0;
}
