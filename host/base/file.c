/*
 * Whole files. Reading does not follow links, does not wait for a FIFO or device, and refuses
 * what is larger than the caller allows. Writing is beside the place, synced, renamed, and the
 * directory synced, so that after a crash the old bytes are there or the new ones. Two writers
 * of one file are not provided for: the name beside it is fixed.
 */
#include "host/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "host/base/err.h"

static int file_read_all(int fd, uint8_t *data, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, data + done, size - done);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			return err_raise(n < 0 ? -errno : -EIO);
		}
		done += n;
	}
	return 0;
}

/* What is judged is what was opened, never what has the name now. */
static int file_judge(const struct stat *st, size_t limit, mode_t others)
{
	if (!S_ISREG(st->st_mode)) {
		return err_raise(-EINVAL);
	}
	if ((size_t)st->st_size > limit) {
		return err_raise(-EFBIG);
	}
	if (others && (st->st_uid != geteuid() || (st->st_mode & others))) {
		return err_raise(-EPERM);
	}
	return 0;
}

/*
 * The file as it was when it was opened; one that shrinks meanwhile is -EIO. A zero byte
 * follows the data. others: rights that nobody but the caller may have; 0: it may be anybody's.
 */
static int file_read_judged(
        const char *path, size_t limit, mode_t others, uint8_t **ret_data, size_t *ret_size)
{
	_cleanup_(fd_closep) int fd =
	        open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	_cleanup_(freep) uint8_t *data = NULL;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0) {
		return err_raise(-errno);
	}
	r = file_judge(&st, limit, others);
	if (r < 0) {
		return err_up(r);
	}
	data = mem_zero(st.st_size + 1);
	r = file_read_all(fd, data, st.st_size);
	if (r < 0) {
		return err_up(r);
	}
	*ret_data = steal(&data);
	*ret_size = st.st_size;
	return 0;
}

int file_read(const char *path, size_t limit, uint8_t **ret_data, size_t *ret_size)
{
	return file_read_judged(path, limit, 0, ret_data, ret_size);
}

int file_read_secret(const char *path, size_t limit, uint8_t **ret_data, size_t *ret_size)
{
	return file_read_judged(path, limit, S_IRWXG | S_IRWXO, ret_data, ret_size);
}

static int file_write_all(int fd, const uint8_t *data, size_t size)
{
	while (size) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			return err_raise(-errno);
		}
		data += n;
		size -= n;
	}
	return 0;
}

static int file_dir_sync_of(const char *path)
{
	_cleanup_(freep) char *copy = text_copy(path);
	_cleanup_(fd_closep) int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0) {
		return err_raise(-errno);
	}
	return 0;
}

/* A new file with these bytes at `beside`, open. how: O_TRUNC, or O_EXCL and what goes with it. */
static int file_create(const char *beside, int how, const void *data, size_t size, int *ret_fd)
{
	_cleanup_(fd_closep) int fd = open(beside, O_WRONLY | O_CREAT | O_CLOEXEC | how, 0600);
	int r;

	if (fd < 0) {
		return err_raise(-errno);
	}
	r = file_write_all(fd, data, size);
	if (r < 0) {
		(void)unlink(beside);
		return err_up(r);
	}
	*ret_fd = fd_steal(&fd);
	return 0;
}

/* On a full disk what could not be finished would hold the room that somebody has to free. */
static int file_give_up(const char *beside)
{
	int r = err_raise(-errno);

	(void)unlink(beside);
	return r;
}

int file_write(const char *path, const void *data, size_t size)
{
	_cleanup_(freep) char *beside = text_format("%s.new", path);
	_cleanup_(fd_closep) int fd = -1;
	int r = file_create(beside, O_TRUNC, data, size, &fd);

	if (r < 0) {
		return err_up(r);
	}
	if (fsync(fd) < 0 || rename(beside, path) < 0) {
		return file_give_up(beside);
	}
	return err_up(file_dir_sync_of(path));
}

int file_write_unsynced(const char *path, const void *data, size_t size)
{
	_cleanup_(freep) char *beside = text_format("%s.new", path);
	_cleanup_(fd_closep) int fd = -1;
	int r = file_create(beside, O_TRUNC, data, size, &fd);

	if (r < 0) {
		return err_up(r);
	}
	return rename(beside, path) < 0 ? file_give_up(beside) : 0;
}

/*
 * A new file, synced. What was left beside by somebody who was killed goes first; a link or a file that is put there
 * in the same moment is not followed and not written to.
 */
static int file_create_mode(const char *beside, const void *data, size_t size, mode_t mode)
{
	_cleanup_(fd_closep) int fd = -1;
	int r;

	(void)unlink(beside);
	r = file_create(beside, O_EXCL | O_NOFOLLOW, data, size, &fd);
	if (r < 0) {
		return err_up(r);
	}
	return fchmod(fd, mode) < 0 || fsync(fd) < 0 ? file_give_up(beside) : 0;
}

int file_write_mode(const char *path, const void *data, size_t size, mode_t mode)
{
	_cleanup_(freep) char *beside = text_format("%s.new", path);
	int r = file_create_mode(beside, data, size, mode);

	if (r < 0) {
		return err_up(r);
	}
	return rename(beside, path) < 0 ? file_give_up(beside) : err_up(file_dir_sync_of(path));
}

int file_write_first(const char *path, const void *data, size_t size, mode_t mode)
{
	_cleanup_(freep) char *beside = text_format("%s.new", path);
	int r = file_create_mode(beside, data, size, mode);

	if (r < 0) {
		return err_up(r);
	}
	/* A name of its own, which is refused where there is one: renaming would take its place. */
	if (link(beside, path) < 0) {
		return file_give_up(beside);
	}
	(void)unlink(beside);
	return err_up(file_dir_sync_of(path));
}

int file_sync(const char *path)
{
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0) {
		return err_raise(-errno);
	}
	return err_up(file_dir_sync_of(path));
}

int dir_make(const char *path)
{
	_cleanup_(freep) char *copy = text_copy(path);

	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0700) < 0 && errno != EEXIST) {
			return err_raise(-errno);
		}
		*slash = '/';
	}
	if (mkdir(copy, 0700) < 0 && errno != EEXIST) {
		return err_raise(-errno);
	}
	return 0;
}

static int file_remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

int dir_remove(const char *path)
{
	if (nftw(path, file_remove_entry, 16, FTW_DEPTH | FTW_PHYS) < 0 && errno != ENOENT) {
		return err_raise(-errno);
	}
	return 0;
}

void *mem_zero(size_t size)
{
	void *memory = calloc(1, size);

	if (!memory) {
		abort();
	}
	return memory;
}

char *text_copy(const char *text)
{
	return text_format("%s", text);
}

char *text_format(const char *format, ...)
{
	char *text;
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	if (n < 0) {
		abort();
	}
	return text;
}
