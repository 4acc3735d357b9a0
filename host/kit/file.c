/*
 * Files of a kit, opened so that nobody can make the reader wait or look elsewhere: no
 * links, no FIFOs, no devices, no more bytes than allowed. A file is judged by its
 * descriptor, read once, and hashed and used from that one reading.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/kit/priv.h"

void kit_fd_closep(int *fd)
{
	if (*fd >= 0) {
		(void)close(*fd);
	}
}

void kit_bytes_freep(uint8_t **bytes)
{
	free(*bytes);
}

/*
 * The sentence for an errno, in the words of kits. errno values come from the readers below:
 * EINVAL is "not a regular file", EBADMSG "not what the list says".
 */
int kit_fault_file(struct kit_fault *ret_fault, int error, const char *dir, const char *name)
{
	char place[sizeof(ret_fault->place)];

	(void)snprintf(place, sizeof(place), "%s%s%s", dir, *name ? "/" : "", name);
	switch (-error) {
	case ELOOP:
		return kit_fault_set(ret_fault, error, place,
		        "a link, and a kit has none; put the file itself there");
	case EINVAL:
		return kit_fault_set(ret_fault, error, place,
		        "not a regular file; a kit has nothing else, make the kit again");
	case EFBIG:
		return kit_fault_set(
		        ret_fault, error, place, "longer than it may be; make the kit again");
	case EBADMSG:
		return kit_fault_set(ret_fault, error, place,
		        "not the file that the kit's list names; make the kit again");
	default:
		return kit_fault_set(ret_fault, error, place, "cannot be read: %s%s",
		        strerror(-error), error == -ENOENT ? "; make the kit again" : "");
	}
}

/*
 * Exactly len bytes. A file that has become shorter since it was judged is not the one that
 * was judged: -EBADMSG.
 */
static int kit_fd_read(int fd, uint8_t *bytes, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, bytes + done, len - done);

		if (n < 0 && errno != EINTR) {
			return -errno;
		}
		if (n == 0) {
			return -EBADMSG;
		}
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/*
 * The length of what is open, if it may be read at all. The length that the list gives is
 * asked before the limit, so that the reason is the better one.
 */
static int kit_fd_judge(int fd, uint64_t limit, uint64_t expect, size_t *ret_len)
{
	struct stat st;

	if (fstat(fd, &st) < 0) {
		return -errno;
	}
	if (!S_ISREG(st.st_mode)) {
		return -EINVAL;
	}
	if (expect != KIT_LENGTH_ANY && (uint64_t)st.st_size != expect) {
		return -EBADMSG;
	}
	if ((uint64_t)st.st_size > limit) {
		return -EFBIG;
	}
	*ret_len = (size_t)st.st_size;
	return 0;
}

/*
 * Open, judge, read, once. O_NOFOLLOW is for the last name only. ENXIO is a FIFO or socket without another end. One zero
 * byte more is allocated, so that texts end.
 */
int kit_file_load(int dir_fd, const char *path, uint64_t limit, uint64_t expect,
        uint8_t **ret_bytes, size_t *ret_len)
{
	_cleanup_(kit_fd_closep) int fd =
	        openat(dir_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	_cleanup_(kit_bytes_freep) uint8_t *bytes = NULL;
	size_t len = 0;
	int r;

	if (fd < 0) {
		return errno == ENXIO ? -EINVAL : -errno;
	}
	r = kit_fd_judge(fd, limit, expect, &len);
	if (r < 0) {
		return r;
	}
	bytes = calloc(1, len + 1);
	if (!bytes) {
		return -ENOMEM;
	}
	r = kit_fd_read(fd, bytes, len);
	if (r < 0) {
		return r;
	}
	*ret_bytes = bytes;
	*ret_len = len;
	bytes = NULL;
	return 0;
}

int kit_file_read(const char *path, size_t limit, uint8_t **ret_bytes, size_t *ret_len,
        struct kit_fault *ret_fault)
{
	int r = kit_file_load(AT_FDCWD, path, limit, KIT_LENGTH_ANY, ret_bytes, ret_len);

	return r < 0 ? kit_fault_file(ret_fault, r, path, "") : 0;
}

int kit_subdir_open(int dir_fd, const char *name, int *ret_fd)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0) {
		/* With both flags a link is "not a directory". */
		struct stat st;
		int error = errno;
		bool link =
		        fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);

		return link ? -ELOOP : error == ENOTDIR ? -EINVAL : -error;
	}
	*ret_fd = fd;
	return 0;
}

static void kit_dir_closep(DIR **dir)
{
	if (*dir) {
		(void)closedir(*dir);
	}
}

/*
 * Every name in the directory. Takes over nothing: the stream works on a descriptor of its own.
 */
int kit_walk_run(struct kit_walk *walk, int dir_fd)
{
	int own = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(kit_dir_closep) DIR *dir = own < 0 ? NULL : fdopendir(own);
	struct dirent *entry;
	int r = 0;

	if (!dir) {
		r = -errno;
		kit_fd_closep(&own);
		return kit_fault_file(walk->fault, r, walk->place, "");
	}
	while (r == 0 && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
			r = walk->file(walk, dir_fd, entry->d_name);
		}
	}
	return r;
}
