/*
 * A worker may be hostile, and what it started may live on. So whatever it owned is taken
 * from the top down, by descriptors, links not followed: once a directory is lud's,
 * nobody else can put another thing in the place of an entry. A file may still be open
 * for writing somewhere: what is in a store is verified again before each use, and
 * single files are copied.
 */
#include "orchestrator/work/bench.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/file.h"
#include "host/base/log.h"

/* More than any file for a worker, and any it makes, has; it bounds what lud reads at once. */
#define BENCH_FILE_MAX (UINT64_C(256) << 20)
/* A kit has no directories in it; what goes deeper is no kit, and would cost a descriptor a level. */
#define BENCH_DEPTH 8

/* Whose, and with which modes, a tree is to be. */
struct bench_modes {
	gid_t gid; /* -1: as it is */
	mode_t dir, file;
};

static const struct bench_modes bench_own = {-1, 0700, 0600};

/* For what workers with a user of their own must read, and nobody else: the store of kits. */
static struct bench_modes bench_shared(const struct child_user *user)
{
	return user->separate ? (struct bench_modes){user->gid, 0750, 0640} : bench_own;
}

static void bench_dir_closep(DIR **dir)
{
	if (*dir) {
		closedir(*dir);
	}
}

static int bench_own_fd(int fd, const struct bench_modes *modes, mode_t mode)
{
	return fchown(fd, geteuid(), modes->gid) < 0 || fchmod(fd, mode) < 0 ? -errno : 0;
}

static int bench_own_tree(int fd, const struct bench_modes *modes, unsigned int depth);

/*
 * One entry of a directory that is lud's already. Opened without waiting, since it may be a pipe,
 * and judged by what was opened. A second name means that somebody keeps a way to it.
 */
static int bench_own_entry(
        int dir, const char *name, const struct bench_modes *modes, unsigned int depth)
{
	_cleanup_(fd_closep) int fd =
	        openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		return errno == ELOOP || errno == ENXIO ? -EINVAL : -errno;
	}
	if (S_ISDIR(st.st_mode)) {
		return depth ? bench_own_tree(fd, modes, depth - 1) : -ELOOP;
	}
	return S_ISREG(st.st_mode) && st.st_nlink == 1 ? bench_own_fd(fd, modes, modes->file)
	                                               : -EINVAL;
}

/* The whole tree, whatever is odd in it; the first error. -ELOOP when it is too deep. */
static int bench_own_tree(int fd, const struct bench_modes *modes, unsigned int depth)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(bench_dir_closep) DIR *dir = again < 0 ? NULL : fdopendir(again);
	const struct dirent *entry;
	int r = dir ? bench_own_fd(fd, modes, modes->dir) : -errno;
	int first = r;

	while (r == 0 && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) {
			int one = bench_own_entry(fd, entry->d_name, modes, depth);

			first = !first || one == -ELOOP ? one : first;
		}
	}
	return first;
}

/* -errno, without a trace: the callers judge what they find. */
static int bench_own_path(const char *path, const struct bench_modes *modes)
{
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : bench_own_tree(fd, modes, BENCH_DEPTH);
}

/* 0700 from the first moment, by mkdtemp(): nobody else sees what is laid out. */
int bench_new(const char *parent, char **ret_bench)
{
	_cleanup_(freep) char *path = text_format("%s/work.XXXXXX", parent);
	int r;

	if (!mkdtemp(path)) {
		/* Somebody tidied up: nothing of worth was lost with the directory. */
		r = errno == ENOENT ? dir_make(parent) : err_raise(-errno);
		snprintf(path, strlen(path) + 1, "%s/work.XXXXXX", parent);
		if (r < 0 || !mkdtemp(path)) {
			return r < 0 ? err_up(r) : err_raise(-errno);
		}
		log_warn("%s was gone; it is recreated", parent);
	}
	*ret_bench = steal(&path);
	return 0;
}

/*
 * A copy, so that what the worker does to it harms nothing. A name that is there already is an
 * error of ours, or somebody's trap.
 */
int bench_put(const char *bench, const char *from, const char *name)
{
	_cleanup_(freep) char *path = text_format("%s/%s", bench, name);
	_cleanup_(freep) uint8_t *bytes = NULL;
	_cleanup_(file_closep) FILE *file = NULL;
	size_t size;
	int r = file_read(from, BENCH_FILE_MAX, &bytes, &size);

	if (r < 0) {
		return err_up(r);
	}
	file = fopen(path, "wxe");
	if (!file) {
		r = err_raise(-errno);
	} else if (fwrite(bytes, 1, size, file) != size || fflush(file)) {
		r = err_raise(errno ? -errno : -EIO);
	}
	/* It may be the list with the seed of a machine's random source. */
	explicit_bzero(bytes, size);
	return r;
}

/* The descriptor is of the bench itself: the worker is put there by it, and not by a path. */
int bench_give(const char *bench, const struct child_user *user, int *ret_fd)
{
	_cleanup_(fd_closep) int fd = open(bench, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int again = fd < 0 ? -1 : openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(bench_dir_closep) DIR *dir = again < 0 ? NULL : fdopendir(again);
	const struct dirent *entry;

	if (!dir) {
		return err_raise(-errno);
	}
	/* The files first: the bench is still lud's alone. */
	while (user->separate && (entry = readdir(dir))) {
		if (*entry->d_name != '.' && fchownat(fd, entry->d_name, user->uid, user->gid,
		                                     AT_SYMLINK_NOFOLLOW) < 0) {
			return err_raise(-errno);
		}
	}
	if (user->separate && fchown(fd, user->uid, user->gid) < 0) {
		return err_raise(-errno);
	}
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/*
 * Read, written anew beside its place and renamed: what is taken over is bytes, no file of the
 * worker's. It is not on disk yet: the loop does not wait for that.
 */
int bench_take_file(const char *bench, const char *name, const char *out)
{
	_cleanup_(freep) char *path = text_format("%s/%s", bench, name);
	_cleanup_(freep) uint8_t *bytes = NULL;
	size_t size;
	int r = file_read(path, BENCH_FILE_MAX, &bytes, &size);

	if (r < 0) {
		return err_up(r);
	}
	r = file_write_unsynced(out, bytes, size);
	/* A boot image holds the seed of a machine's random source. */
	explicit_bzero(bytes, size);
	return err_up(r);
}

/*
 * A kit that is there already is exchanged: the other one goes with the bench. In between there
 * is always one.
 */
int bench_take_dir(
        const char *bench, const char *name, const char *store, const struct child_user *user)
{
	_cleanup_(freep) char *from = text_format("%s/%s", bench, name);
	_cleanup_(freep) char *to = text_format("%s/%s", store, name);
	struct bench_modes modes = bench_shared(user);
	/* First the bench, so that the name stays with what is taken. */
	int r = bench_own_path(bench, &bench_own);

	if (!r) {
		r = bench_own_path(from, &modes);
	}
	if (r < 0) {
		return err_raise(r);
	}
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) < 0 &&
	        (errno != EEXIST || renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) < 0)) {
		return err_raise(-errno);
	}
	return 0;
}

/*
 * What a worker left may be anything; what cannot be removed safely is left for a person, and
 * said.
 */
char *bench_free(char *bench)
{
	if (bench && bench_own_path(bench, &bench_own) == -ELOOP) {
		log_error("%s is left: a worker made directories in it that are too deep to remove "
		          "safely; remove it by hand",
		        bench);
	} else if (bench && dir_remove(bench) < 0) {
		log_warn("%s cannot be removed", bench);
		err_forget();
	}
	free(bench);
	return NULL;
}

/*
 * Walks the store only when its own mode shows that it is for another user than now, which is
 * after a change of the configuration.
 */
int bench_store_make(const char *store, const struct child_user *user)
{
	struct bench_modes modes = bench_shared(user);
	struct stat st;
	int r = dir_make(store);

	if (r < 0 || lstat(store, &st) < 0) {
		return r < 0 ? err_up(r) : err_raise(-errno);
	}
	if ((st.st_mode & 07777) == modes.dir && (!user->separate || st.st_gid == modes.gid)) {
		return 0;
	}
	r = bench_own_path(store, &modes);
	if (r == -EINVAL) {
		log_warn("%s: there are things in it that are no files of kits", store);
		r = 0;
	}
	return r < 0 ? err_raise(r) : 0;
}
