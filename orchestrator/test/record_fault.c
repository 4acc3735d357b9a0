/*
 * By LD_PRELOAD: what lud does to its record, call by call, and its end at any of these calls.
 *
 * Every call that changes a file of the record (lud.db and its log), or brings one to disk, is numbered;
 * so is everything that leaves the process. They are listed in a file, in the order in which they
 * happened, with all that was written: a test finds out from it who waited for the disk, what was
 * said before it was on disk, and what a loss of power could have left.
 *
 *   RECORD_FAULT_LIST=FILE   the list; without it nothing is done here. One line each:
 *                            NUMBER OPERATION THREAD FILE OFFSET SIZE, and behind a write its bytes
 *                            (THREAD: loop, or other; FILE: 0 none, 1 the database, 2 its log, 3 beside it)
 *   RECORD_FAULT_DIE_AT=N    SIGKILL instead of call N; sends do not count
 *   RECORD_FAULT_DIE_IN=FILE the same of the call whose number is in this file, once it is there
 *   RECORD_FAULT_DELAY=MSEC  before each call that brings something to disk
 *   RECORD_FAULT_STUCK=FILE  such a call does not return while this file is there
 *   RECORD_FAULT_FAIL=FILE   such a call fails with EIO while this file is there
 *   RECORD_FAULT_FAIL_AT=N   call N fails with RECORD_FAULT_ERRNO; where that is ENOSPC, each write from there on does
 *   RECORD_FAULT_BESIDE=1    files beside the record count, too: copies, and those that are put in its place
 *   RECORD_FAULT_CHILD=FILE  a child of lud gets no further than its fork while this file is there
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum fault_file {
	FAULT_NONE,
	FAULT_DATABASE,
	FAULT_LOG,
	FAULT_BESIDE,
};

static pthread_mutex_t fault_lock = PTHREAD_MUTEX_INITIALIZER;
static int fault_list = -1;
static unsigned long fault_n, fault_die_at, fault_delay_msec, fault_fail_at, fault_errno;
static bool fault_beside;
static const char *fault_stuck, *fault_fail, *fault_child, *fault_die_in;

static unsigned long fault_number(const char *name)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 10) : 0;
}

/* Only lud itself: what it starts is as ever, and may be in a sandbox that denies what is done here. */
__attribute__((constructor)) static void fault_begin(void)
{
	const char *list = getenv("RECORD_FAULT_LIST");
	char program[256];
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

	program[n > 0 ? n : 0] = '\0';
	if (!list || !strstr(program, "/lud")) {
		return;
	}
	unsetenv("LD_PRELOAD");
	fault_die_at = fault_number("RECORD_FAULT_DIE_AT");
	fault_delay_msec = fault_number("RECORD_FAULT_DELAY");
	fault_fail_at = fault_number("RECORD_FAULT_FAIL_AT");
	fault_errno = fault_number("RECORD_FAULT_ERRNO");
	fault_beside = fault_number("RECORD_FAULT_BESIDE") != 0;
	fault_stuck = getenv("RECORD_FAULT_STUCK");
	fault_fail = getenv("RECORD_FAULT_FAIL");
	fault_child = getenv("RECORD_FAULT_CHILD");
	fault_die_in = getenv("RECORD_FAULT_DIE_IN");
	fault_list = open(list, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

static enum fault_file fault_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	return !strcmp(name, "lud.db")               ? FAULT_DATABASE
	       : !strcmp(name, "lud.db-wal")         ? FAULT_LOG
	       : fault_beside && strstr(name, ".db") ? FAULT_BESIDE
	                                             : FAULT_NONE;
}

static enum fault_file fault_file(int fd)
{
	char link[64], path[512];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	return fault_list < 0 ? FAULT_NONE : fault_name(path);
}

/* Returns once there is no such file. */
static void fault_wait(const char *file)
{
	struct stat status;

	while (file && stat(file, &status) == 0) {
		usleep(10000);
	}
}

static void fault_put(
        const char *operation, enum fault_file file, const void *bytes, off_t offset, size_t size)
{
	char line[128];
	int n = snprintf(line, sizeof(line), "%lu %s %s %d %lld %zu\n", fault_n, operation,
	        syscall(SYS_gettid) == getpid() ? "loop" : "other", file, (long long)offset, size);
	struct iovec parts[2] = {{line, n}, {(void *)bytes, bytes ? size : 0}};

	syscall(SYS_writev, fault_list, parts, 2);
}

/* Whether a file says that this call is the last one. The list of those that were made is without it. */
static bool fault_is_last(void)
{
	char text[24] = "";
	int fd = fault_die_in ? open(fault_die_in, O_RDONLY | O_CLOEXEC) : -1;
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0) {
		close(fd);
	}
	return n > 0 && strtoul(text, NULL, 10) == fault_n;
}

/*
 * Before the call; it is locked until fault_end(), so that the list has the order of what happened. False: it fails,
 * and errno is set.
 */
static bool fault_call(
        const char *operation, enum fault_file file, const void *bytes, off_t offset, size_t size)
{
	pthread_mutex_lock(&fault_lock);
	if (++fault_n == fault_die_at || fault_is_last()) {
		kill(getpid(), SIGKILL);
		pause();
	}
	fault_put(operation, file, bytes, offset, size);
	errno = (int)fault_errno;
	if (fault_errno == ENOSPC) {
		return fault_n < fault_fail_at || strcmp(operation, "write") != 0;
	}
	return fault_n != fault_fail_at;
}

static void fault_end(void)
{
	int error = errno;

	pthread_mutex_unlock(&fault_lock);
	errno = error;
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
	enum fault_file file = fault_file(fd);
	ssize_t n;

	if (!file) {
		return syscall(SYS_pwrite64, fd, bytes, size, offset);
	}
	n = fault_call("write", file, bytes, offset, size)
	            ? syscall(SYS_pwrite64, fd, bytes, size, offset)
	            : -1;
	fault_end();
	return n;
}

int ftruncate(int fd, off_t size)
{
	enum fault_file file = fault_file(fd);
	int r;

	if (!file) {
		return syscall(SYS_ftruncate, fd, size);
	}
	r = fault_call("truncate", file, NULL, size, 0) ? (int)syscall(SYS_ftruncate, fd, size)
	                                                : -1;
	fault_end();
	return r;
}

/* The disk is at work without the lock: others go on writing. Both ends are listed. */
static int fault_sync(int fd, long call)
{
	enum fault_file file = fault_file(fd);
	struct stat status;
	bool works;
	int r;

	if (fault_list < 0) {
		return syscall(call, fd);
	}
	works = fault_call("sync", file, NULL, fd, 0);
	fault_end();
	if (!works) {
		return -1;
	}
	usleep(fault_delay_msec * 1000);
	fault_wait(fault_stuck);
	if (fault_fail && stat(fault_fail, &status) == 0) {
		errno = EIO;
		return -1;
	}
	r = syscall(call, fd);
	pthread_mutex_lock(&fault_lock);
	fault_put("synced", file, NULL, fd, 0);
	fault_end();
	return r;
}

int fdatasync(int fd)
{
	return fault_sync(fd, SYS_fdatasync);
}

int fsync(int fd)
{
	return fault_sync(fd, SYS_fsync);
}

int unlink(const char *path)
{
	enum fault_file file = fault_list < 0 ? FAULT_NONE : fault_name(path);
	int r;

	if (!file) {
		return syscall(SYS_unlink, path);
	}
	r = fault_call("unlink", file, NULL, 0, 0) ? (int)syscall(SYS_unlink, path) : -1;
	fault_end();
	return r;
}

/* Of a file that is put in its place the new name counts. */
static int fault_named(const char *operation, long call, const char *from, const char *to)
{
	enum fault_file file = fault_list < 0 || !fault_beside ? FAULT_NONE : fault_name(to);
	int r;

	if (!file) {
		return syscall(call, from, to);
	}
	r = fault_call(operation, file, NULL, 0, 0) ? (int)syscall(call, from, to) : -1;
	fault_end();
	return r;
}

int rename(const char *from, const char *to)
{
	return fault_named("rename", SYS_rename, from, to);
}

int link(const char *from, const char *to)
{
	return fault_named("link", SYS_link, from, to);
}

/* What leaves the process: to a machine, a client, the signer. The listing is before the call. */
static void fault_leaves(const char *operation, int fd, size_t size)
{
	struct stat status;

	if (fault_list < 0 || (fd >= 0 && (fstat(fd, &status) < 0 || !S_ISSOCK(status.st_mode)))) {
		return;
	}
	pthread_mutex_lock(&fault_lock);
	fault_put(operation, FAULT_NONE, NULL, 0, size);
	pthread_mutex_unlock(&fault_lock);
}

ssize_t writev(int fd, const struct iovec *parts, int n)
{
	size_t size = 0;

	for (int i = 0; i < n; i++) {
		size += parts[i].iov_len;
	}
	fault_leaves("send", fd, size);
	return syscall(SYS_writev, fd, parts, n);
}

ssize_t write(int fd, const void *bytes, size_t size)
{
	fault_leaves("send", fd, size);
	return syscall(SYS_write, fd, bytes, size);
}

ssize_t send(int fd, const void *bytes, size_t size, int flags)
{
	fault_leaves("send", fd, size);
	return syscall(SYS_sendto, fd, bytes, size, flags, NULL, 0);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	fault_leaves("send", fd, 0);
	return syscall(SYS_sendmsg, fd, message, flags);
}

/* A worker, the signer or a machine is started. */
pid_t fork(void)
{
	pid_t (*next)(void) = (pid_t(*)(void))dlsym(RTLD_NEXT, "fork");
	pid_t pid;

	fault_leaves("fork", -1, 0);
	pid = next();
	if (!pid) {
		fault_wait(fault_child);
	}
	return pid;
}
