/*
 * Writing a kit that is in memory, and listing a directory that becomes one. A copy is
 * made of the bytes that were judged, never of the files they came from.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/kit/priv.h"
#include "proto/envelope/envelope_crypto.h"

#define KIT_DIR_MODE 0700
#define KIT_FILE_MODE 0600

/* All bytes, whatever write() takes at a time. A negative errno may leave a part of them. */
static int kit_fd_write(int fd, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno != EINTR) {
			return -errno;
		}
		bytes += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/*
 * A new file of ours; one that is there already is an error, since the directory is new. It is for
 * the owner only. A negative errno.
 */
static int kit_put(int dir_fd, const char *path, const void *bytes, size_t len)
{
	_cleanup_(kit_fd_closep) int fd = openat(
	        dir_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, KIT_FILE_MODE);

	return fd < 0 ? -errno : kit_fd_write(fd, bytes, len);
}

/*
 * Files, list, manifest, signature: what makes it a kit comes last. Synced whole, since it is
 * renamed next.
 */
static int kit_put_all(const struct kit_dir *dir, int dir_fd)
{
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < dir->list.n; i++) {
		r = kit_put(
		        dir_fd, dir->list.entries[i].path, dir->bytes[i], dir->list.entries[i].len);
	}
	if (r == 0) {
		r = kit_put(dir_fd, KIT_LIST, dir->list_bytes, dir->list_len);
	}
	if (r == 0) {
		r = kit_put(dir_fd, KIT_MANIFEST, &dir->manifest, sizeof(dir->manifest));
	}
	if (r == 0 && dir->signed_part) {
		r = kit_put(dir_fd, KIT_SIGNED, dir->signed_part, dir->signed_len);
	}
	return r == 0 && syncfs(dir_fd) < 0 ? -errno : r;
}

/*
 * Into a directory that is made here. What is half written after a failure is the caller's to
 * remove.
 */
int kit_dir_write(const struct kit_dir *dir, const char *path, struct kit_fault *ret_fault)
{
	_cleanup_(kit_fd_closep) int fd = -1;
	int r = mkdir(path, KIT_DIR_MODE) < 0 ? -errno : 0;

	if (r == 0) {
		r = kit_subdir_open(AT_FDCWD, path, &fd);
	}
	if (r == 0) {
		r = kit_put_all(dir, fd);
	}
	return r == 0 ? 0
	              : kit_fault_set(
	                        ret_fault, r, path, "the kit cannot be written: %s", strerror(-r));
}

/* Who may read a kit may read its signature. */
static int kit_mode_as_list(int dir_fd, const char *name)
{
	struct stat st;

	return fstatat(dir_fd, KIT_LIST, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	                       fchmodat(dir_fd, name, st.st_mode & 0644, 0) < 0
	               ? -errno
	               : 0;
}

/*
 * Beside it and renamed, so that a reader sees the old signature or the new one. A link there
 * is refused, not signed over.
 */
static int kit_replace_signed(int dir_fd, const void *part, size_t len)
{
	struct stat st;
	int r;

	if (fstatat(dir_fd, KIT_SIGNED, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode)) {
		return S_ISLNK(st.st_mode) ? -ELOOP : -EINVAL;
	}
	(void)unlinkat(dir_fd, KIT_SIGNED ".new", 0);
	r = kit_put(dir_fd, KIT_SIGNED ".new", part, len);
	if (r == 0) {
		r = kit_mode_as_list(dir_fd, KIT_SIGNED ".new");
	}
	if (r == 0 && syncfs(dir_fd) < 0) {
		r = -errno;
	}
	if (r == 0 && renameat(dir_fd, KIT_SIGNED ".new", dir_fd, KIT_SIGNED) < 0) {
		r = -errno;
	}
	if (r < 0) {
		(void)unlinkat(dir_fd, KIT_SIGNED ".new", 0);
	}
	return r;
}

int kit_dir_put_signed(const char *path, const void *part, size_t len, struct kit_fault *ret_fault)
{
	_cleanup_(kit_fd_closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? -errno : kit_replace_signed(fd, part, len);

	return r < 0 ? kit_fault_file(ret_fault, r, path, KIT_SIGNED) : 0;
}

/*
 * Every file that is there gets a line; one that is no regular file, or too long, ends the
 * listing.
 */
static int kit_found_file(struct kit_walk *walk, int dir_fd, const char *name)
{
	_cleanup_(kit_bytes_freep) uint8_t *bytes = NULL;
	struct kit_list_entry entry = {0};
	size_t len;
	int r = kit_file_load(dir_fd, name, KIT_FILE_BYTES_MAX, KIT_LENGTH_ANY, &bytes, &len);

	if (r == 0 && strlen(name) > KIT_PATH_MAX) {
		r = -ENAMETOOLONG;
	}
	if (r < 0) {
		return kit_fault_file(walk->fault, r, walk->place, name);
	}
	strcpy(entry.path, name);
	entry.len = len;
	envelope_hash(bytes, len, entry.hash);
	return kit_list_add(walk->list, &entry, walk->place, walk->fault);
}

int kit_dir_list(const char *path, struct kit_list *ret_list, struct kit_fault *ret_fault)
{
	_cleanup_(kit_fd_closep) int fd = -1;
	struct kit_list list = {0};
	struct kit_walk walk = {
	        .place = path, .file = kit_found_file, .list = &list, .fault = ret_fault};
	int r = kit_subdir_open(AT_FDCWD, path, &fd);

	r = r < 0 ? kit_fault_file(ret_fault, r, path, "") : kit_walk_run(&walk, fd);
	if (r < 0) {
		kit_list_fini(&list);
		return r;
	}
	*ret_list = list;
	return 0;
}
