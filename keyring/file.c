/*
 * Files that hold secrets, and who else could have put them there. A file is judged by the
 * descriptor it was opened with, never by its name, so that what was checked is what is read.
 * Links are not followed: a name in the keyring is the file or nothing.
 *
 * What is checked: the directory is ours (effective uid) and nobody else may write to it; a
 * file is a regular one of at most KEYRING_FILE_MAX bytes; a secret one is ours, and others
 * have no right to it at all. What is not: the directories above (who can rename those can
 * swap the whole keyring, which then has keys that no root names), ACLs, and root.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include <openssl/crypto.h>

#include "keyring/priv.h"

void keyring_file_wipe(struct keyring_file *file)
{
	OPENSSL_cleanse(file, sizeof(*file));
}

/* What errno of open() means here. ELOOP is O_NOFOLLOW's answer to a link. */
static int keyring_open_error(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
		return KEYRING_E_MISSING;
	case ELOOP:
		return KEYRING_E_UNSAFE;
	default:
		return -error;
	}
}

int keyring_dir_open(const char *dir, int *ret_fd)
{
	_cleanup_(fd_closep) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0) {
		return keyring_open_error(errno);
	}
	if (fstat(fd, &st) < 0) {
		return -errno;
	}
	if (st.st_uid != geteuid() || (st.st_mode & 022) != 0) {
		return KEYRING_E_UNSAFE;
	}
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/*
 * The descriptor's file, before a byte of it is read. Its size may still change; the reader
 * has a limit of its own.
 */
static int keyring_file_check(int fd, int secret)
{
	struct stat st;

	if (fstat(fd, &st) < 0) {
		return -errno;
	}
	if (!S_ISREG(st.st_mode)) {
		return KEYRING_E_FORMAT;
	}
	if (secret && (st.st_uid != geteuid() || (st.st_mode & 077) != 0)) {
		return KEYRING_E_UNSAFE;
	}
	return st.st_size > 0 && st.st_size <= (off_t)KEYRING_FILE_MAX ? 0 : KEYRING_E_FORMAT;
}

int keyring_file_read(int dir_fd, const char *name, int secret, struct keyring_file *ret_file)
{
	_cleanup_(fd_closep) int fd =
	        openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	int r;

	if (fd < 0) {
		return keyring_open_error(errno);
	}
	r = keyring_file_check(fd, secret);
	if (r != 0) {
		return r;
	}
	ret_file->len = 0;
	while (ret_file->len < sizeof(ret_file->bytes)) {
		ssize_t n = read(fd, ret_file->bytes + ret_file->len,
		        sizeof(ret_file->bytes) - ret_file->len);

		if (n < 0 && errno != EINTR) {
			return -errno;
		}
		if (n == 0) {
			return 0;
		}
		ret_file->len += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* All of it, and on disk: the caller renames or reports success next. */
static int file_write_all(int fd, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno != EINTR) {
			return -errno;
		}
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/*
 * O_EXCL: never into a file, or through a link, that somebody put there. fchmod() because the
 * umask may have taken rights that the public file should have.
 */
int keyring_file_write(int dir_fd, const char *name, int secret, const void *bytes, size_t len)
{
	mode_t mode = secret ? 0600 : 0644;
	_cleanup_(fd_closep) int fd =
	        openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

	if (fd < 0) {
		return errno == EEXIST ? KEYRING_E_EXISTS : -errno;
	}
	if (fchmod(fd, mode) < 0) {
		return -errno;
	}
	return file_write_all(fd, bytes, len);
}

/*
 * A leftover NAME.new of a run that was killed is removed first. Readers see the old bytes or
 * the new ones; the directory is synced, so that after a crash it is one of them too.
 */
int keyring_file_replace(int dir_fd, const char *name, int secret, const void *bytes, size_t len)
{
	char beside[64];
	int r;

	(void)snprintf(beside, sizeof(beside), "%s.new", name);
	if (unlinkat(dir_fd, beside, 0) < 0 && errno != ENOENT) {
		return -errno;
	}
	r = keyring_file_write(dir_fd, beside, secret, bytes, len);
	if (r == 0 && renameat(dir_fd, beside, dir_fd, name) < 0) {
		r = -errno;
	}
	return r == 0 && fsync(dir_fd) < 0 ? -errno : r;
}
