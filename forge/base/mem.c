/*
 * Memory that ends the program when there is none, byte buffers that grow, and files. A file
 * that is written appears whole or not at all: it is made beside its place and renamed. Files
 * are read whole, up to a limit, and only regular ones: a FIFO or a device would hang or
 * never end.
 *
 * struct buf is declared here too, so buf_* are functions of this file.
 */
#include "forge/base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "forge/base/report.h"

static void *mem_check(void *p)
{
	if (!p) {
		report_failed("memory", "out of memory");
		exit(FORGE_EXIT_FAILED);
	}
	return p;
}

/* Never NULL, also for 0 items; a product that does not fit is out of memory. */
void *mem_zalloc(size_t n_items, size_t size)
{
	return mem_check(calloc(n_items ? n_items : 1, size));
}

char *mem_strdup(const char *s)
{
	return mem_check(strdup(s));
}

char *mem_printf(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0) {
		s = NULL;
	}
	va_end(ap);
	return mem_check(s);
}

/* Doubles: appending n items copies fewer than 2n. */
void *mem_grow(void *items, size_t n_items, size_t *capacity, size_t size)
{
	size_t want = *capacity ? *capacity * 2 : 16;

	if (n_items < *capacity) {
		return items;
	}
	items = mem_check(reallocarray(items, want, size));
	*capacity = want;
	return items;
}

void buf_fini(struct buf *b)
{
	free(b->bytes);
	*b = (struct buf){0};
}

/*
 * Room for more bytes and the NUL behind them. Lengths are those of files (BUF_FILE_MAX), so
 * sums do not wrap.
 */
static void mem_buf_reserve(struct buf *b, size_t more)
{
	size_t want = b->len + more + 1;

	if (want <= b->capacity) {
		return;
	}
	if (want < b->capacity * 2) {
		want = b->capacity * 2;
	}
	b->bytes = mem_check(realloc(b->bytes, want));
	b->capacity = want;
}

void buf_add(struct buf *b, const void *bytes, size_t len)
{
	mem_buf_reserve(b, len);
	if (len > 0) {
		memcpy(b->bytes + b->len, bytes, len);
	}
	b->len += len;
	b->bytes[b->len] = 0;
}

void buf_add_zero(struct buf *b, size_t len)
{
	mem_buf_reserve(b, len);
	memset(b->bytes + b->len, 0, len + 1);
	b->len += len;
}

void buf_align(struct buf *b, size_t align)
{
	buf_add_zero(b, (align - b->len % align) % align);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	MEM_FREE char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	mem_check(n < 0 ? NULL : s);
	buf_add(b, s, (size_t)n);
}

/* Reads to the end, whatever fstat() says of the size: files grow. */
static int mem_buf_read_fd(struct buf *b, int fd, const char *path)
{
	char chunk[65536];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0) {
		return report_errno(path, errno, "cannot be looked at");
	}
	if (!S_ISREG(st.st_mode)) {
		return report_refuse(path, "not a regular file; name a file");
	}
	buf_add(b, "", 0);
	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno != EINTR) {
			return report_errno(path, errno, "cannot read");
		}
		buf_add(b, chunk, n > 0 ? (size_t)n : 0);
		if (b->len > BUF_FILE_MAX) {
			return report_refuse(path, "longer than any input may be (%llu bytes)",
			        (unsigned long long)BUF_FILE_MAX);
		}
	}
	return 0;
}

/*
 * *ret_b is set on success only, always followed by a NUL. Links are followed: inputs are
 * named by the caller.
 */
int buf_read_file(struct buf *ret_b, const char *path)
{
	BUF_CLEANUP struct buf b = {0};
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int r;

	if (fd < 0) {
		return report_errno(path, errno, "cannot open");
	}
	r = mem_buf_read_fd(&b, fd, path);
	close(fd);
	if (r == 0) {
		*ret_b = b;
		b = (struct buf){0};
	}
	return r;
}

/* "x": made here, never a file or link that somebody put there. */
static int mem_write_stream(const char *path, const void *bytes, size_t len)
{
	FILE *f = fopen(path, "wxe");
	bool good;

	if (!f) {
		return report_errno(path, errno, "cannot create");
	}
	good = len == 0 || fwrite(bytes, 1, len, f) == len;
	if (fclose(f) != 0 || !good) {
		return report_errno(path, errno, "cannot write");
	}
	return 0;
}

/*
 * By a name with our pid, so that several luforge do not meet; a leftover of that name is
 * removed first. What is there and not a regular file is somebody's: refused.
 */
int mem_write_file(const char *path, const void *bytes, size_t len)
{
	MEM_FREE char *temp = mem_printf("%s.%ld.tmp", path, (long)getpid());
	struct stat st;
	int r;

	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		return report_refuse(path, "there, and not a regular file; it is not replaced");
	}
	(void)unlink(temp);
	r = mem_write_stream(temp, bytes, len);
	if (r == 0 && rename(temp, path) < 0) {
		r = report_errno(path, errno, "cannot rename into place");
	}
	if (r < 0) {
		(void)unlink(temp);
	}
	return r;
}

int buf_write_file(const struct buf *b, const char *path)
{
	return mem_write_file(path, b->bytes, b->len);
}

int mem_make_dir(const char *path)
{
	if (mkdir(path, 0777) < 0 && errno != EEXIST) {
		return report_errno(path, errno, "cannot make the directory");
	}
	return 0;
}

int mem_new_dir(const char *path)
{
	return mkdir(path, 0777) < 0 ? report_errno(path, errno, "cannot make the directory") : 0;
}

/*
 * TMPDIR is obeyed; mkdtemp() makes it 0700. The path is the caller's, and so is the
 * directory.
 */
int mem_temp_dir(char **ret_path)
{
	const char *root = getenv("TMPDIR");
	MEM_FREE char *path = mem_printf("%s/luforge.XXXXXX", root ? root : "/tmp");

	if (!mkdtemp(path)) {
		return report_errno(path, errno, "cannot make a temporary directory");
	}
	*ret_path = path;
	path = NULL;
	return 0;
}

/*
 * Directories of ours are at most three deep. Links are removed, never followed, whatever becomes
 * one meanwhile: each name is opened in the directory it was read from.
 */
static void mem_remove_entries(int at, const char *name, int depth)
{
	const int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) {
			continue;
		}
		if (e->d_type == DT_DIR && depth > 0) {
			mem_remove_entries(dirfd(dir), e->d_name, depth - 1);
			(void)unlinkat(dirfd(dir), e->d_name, AT_REMOVEDIR);
		} else {
			(void)unlinkat(dirfd(dir), e->d_name, 0);
		}
	}
	if (dir) {
		closedir(dir);
	} else if (fd >= 0) {
		close(fd);
	}
}

void mem_remove_dir(const char *path)
{
	mem_remove_entries(AT_FDCWD, path, 2);
	(void)rmdir(path);
}
