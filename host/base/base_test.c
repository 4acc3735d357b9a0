/* Files, directories, traces and failures. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/err.h"
#include "host/base/failure.h"
#include "host/base/file.h"
#include "host/base/log.h"
#include "host/base/pool.h"

static void check_file(const char *path, const char *want)
{
	_cleanup_(freep) uint8_t *data = NULL;
	size_t size;

	assert(file_read(path, 100, &data, &size) == 0);
	assert(size == strlen(want) && !strcmp((char *)data, want));
}

static void test_files(const char *dir)
{
	_cleanup_(freep) char *path = text_format("%s/file", dir);
	_cleanup_(freep) char *beside = text_format("%s/file.new", dir);
	uint8_t *data = NULL;
	size_t size = 9;

	assert(file_write(path, "one", 3) == 0);
	assert(file_write(path, "three", 5) == 0);
	assert(access(beside, F_OK) < 0);
	check_file(path, "three");
	assert(file_read(path, 4, &data, &size) == -EFBIG && !data && size == 9);
	assert(file_read(beside, 4, &data, &size) == -ENOENT);
	assert(strstr(err_trace(), "file_read"));
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert(lstat(path, &st) == 0);
	return st.st_mode & 07777;
}

/* Of whom a file is, and who else may read it; a link that lies where the new one is written. */
static void test_modes(const char *dir)
{
	_cleanup_(freep) char *path = text_format("%s/secret", dir);
	_cleanup_(freep) char *beside = text_format("%s/secret.new", dir);
	_cleanup_(freep) char *other = text_format("%s/other", dir);
	uint8_t *data = NULL;
	size_t size;
	mode_t mask = umask(077);

	assert(file_write(other, "other", 5) == 0);
	assert(symlink(other, beside) == 0);
	assert(file_write_first(path, "one", 3, 0600) == 0);
	assert(mode_of(path) == 0600 && access(beside, F_OK) < 0);
	assert(file_write_first(path, "two", 3, 0600) == -EEXIST && access(beside, F_OK) < 0);
	check_file(path, "one");
	assert(file_read_secret(path, 100, &data, &size) == 0 && size == 3);
	free(data);
	assert(symlink(other, beside) == 0);
	assert(file_write_mode(path, "three", 5, 0644) == 0 && mode_of(path) == 0644);
	check_file(path, "three");
	check_file(other, "other");
	for (mode_t right = 1; right <= 040; right <<= 1) {
		data = NULL;
		assert(chmod(path, 0600 | right) == 0);
		assert(file_read_secret(path, 100, &data, &size) == -EPERM && !data);
	}
	assert(file_write_mode("/proc/no", "x", 1, 0600) < 0);
	assert(file_write_first("/proc/no", "x", 1, 0600) < 0);
	umask(mask);
}

/* No room for all of it: the file of before is whole, and nothing beside it holds what room there was. */
static void test_no_room(const char *dir)
{
	_cleanup_(freep) char *path = text_format("%s/room", dir);
	_cleanup_(freep) char *beside = text_format("%s/room.new", dir);
	struct rlimit room = {.rlim_cur = 2, .rlim_max = RLIM_INFINITY};

	assert(file_write(path, "one", 3) == 0);
	assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR && setrlimit(RLIMIT_FSIZE, &room) == 0);
	assert(file_write(path, "three", 5) == -EFBIG && access(beside, F_OK) < 0);
	assert(file_write_unsynced(path, "three", 5) == -EFBIG && access(beside, F_OK) < 0);
	room.rlim_cur = RLIM_INFINITY;
	assert(setrlimit(RLIMIT_FSIZE, &room) == 0);
	check_file(path, "one");
	assert(unlink(path) == 0 && mkdir(path, 0700) == 0);
	assert(file_write(path, "three", 5) == -EISDIR && access(beside, F_OK) < 0);
	assert(rmdir(path) == 0);
	err_forget();
}

static void test_directories(const char *dir)
{
	_cleanup_(freep) char *deep = text_format("%s/a/b/c", dir);
	_cleanup_(freep) char *file = text_format("%s/a/b/c/file", dir);
	_cleanup_(freep) char *top = text_format("%s/a", dir);

	assert(dir_make(deep) == 0 && dir_make(deep) == 0);
	assert(file_write(file, "x", 1) == 0);
	check_file(file, "x");
	assert(dir_remove(top) == 0 && dir_remove(top) == 0);
	assert(access(file, F_OK) < 0);
}

/* What is no regular file is not read, and nobody waits for it. */
static void test_no_files(const char *dir)
{
	_cleanup_(freep) char *fifo = text_format("%s/fifo", dir);
	_cleanup_(freep) char *link = text_format("%s/link", dir);
	uint8_t *data = NULL;
	size_t size;

	(void)alarm(100);
	assert(mkfifo(fifo, 0600) == 0 && symlink("file", link) == 0);
	assert(file_read(fifo, 100, &data, &size) == -EINVAL);
	assert(file_read(link, 100, &data, &size) == -ELOOP);
	assert(file_read(dir, 100, &data, &size) == -EINVAL);
	assert(file_read("/dev/zero", 100, &data, &size) == -EINVAL && !data);
	err_forget();
	(void)alarm(0);
}

/* What a machine says cannot look like another line of the log, nor speak to a terminal. */
static void test_log(const char *dir)
{
	_cleanup_(freep) char *path = text_format("%s/log", dir);
	_cleanup_(freep) uint8_t *data = NULL;
	_cleanup_(fd_closep) int was = dup(STDERR_FILENO);
	size_t size;

	assert(unsetenv("JOURNAL_STREAM") == 0);
	log_init(LOG_LEVEL_INFO);
	assert(was >= 0 && freopen(path, "we", stderr));
	log_info("machine m1: ds crashed: %s", "\x1b[2J\nlud error: all is lost \xff");
	fflush(stderr);
	assert(dup2(was, STDERR_FILENO) >= 0);
	assert(file_read(path, 1000, &data, &size) == 0);
	assert(strstr(
	        (char *)data, "ds crashed: \\x1b[2J\\x0alud error: all is lost \xef\xbf\xbd\n"));
	assert(strchr((char *)data, '\n') == (char *)data + size - 1);
}

static int fails(void)
{
	return err_raise(-EIO);
}

static void test_errors(void)
{
	struct failure failure;
	char code[64];

	assert(err_up(fails()) == -EIO);
	assert(strstr(err_trace(), "fails()") && strstr(err_trace(), "test_errors()"));
	assert(err_fold(7) == -ENOTRECOVERABLE && err_fold(0) == 0 && err_up(3) == 3);
	err_forget();
	assert(!*err_trace());
	memset(code, 'c', sizeof(code));
	code[63] = '\0';
	failure_set(&failure, code, "here", "do this", "%d is wrong", 5);
	assert(strlen(failure.code) == sizeof(failure.code) - 1);
	assert(!strcmp(failure.cause, "5 is wrong"));
}

static void test_pool(void)
{
	struct pool pool;
	ProtobufCBinaryData bytes;

	pool_init(&pool);
	bytes = pool_bytes(&pool, "abc", 3);
	assert(bytes.len == 3 && !memcmp(bytes.data, "abc", 3));
	assert(!strcmp(pool_format(&pool, "%d", 7), "7"));
	pool_fini(&pool);
}

int main(void)
{
	char dir[] = "/tmp/base_test.XXXXXX";

	assert(mkdtemp(dir));
	test_files(dir);
	test_modes(dir);
	test_directories(dir);
	test_no_room(dir);
	test_log(dir);
	test_no_files(dir);
	test_errors();
	test_pool();
	assert(dir_remove(dir) == 0);
	return 0;
}
