/* What a hostile worker may leave on its bench, and what lud takes of it. */
#undef NDEBUG
#include "orchestrator/work/bench.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/file.h"

static char top[] = "/tmp/bench_test.XXXXXX";
static const struct child_user other = {true, 60802, 60802};

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert(lstat(path, &st) == 0 && st.st_uid == geteuid());
	return st.st_mode & 07777;
}

/* Stands on a new bench with a kit to be; the caller leaves and frees it. */
static char *begin(const struct child_user *user)
{
	char *bench;
	int fd;

	assert(bench_new(top, &bench) == 0);
	assert(bench_give(bench, user, &fd) == 0 && fchdir(fd) == 0 && close(fd) == 0);
	assert(mkdir("a.kit", 0777) == 0 && mkdir("a.kit/objects", 0777) == 0);
	put("a.kit/objects/one", "1");
	return bench;
}

/* Takes the kit into the store and clears up, whatever became of it. */
static int end(char *bench, const struct child_user *user)
{
	int r;

	assert(chdir(top) == 0);
	r = bench_take_dir(bench, "a.kit", "store", user);
	assert(access(bench, F_OK) == 0);
	bench_free(bench);
	err_forget();
	return r;
}

static void test_kit(const struct child_user *user)
{
	char *bench;

	assert(dir_remove("store") == 0 && bench_store_make("store", user) == 0);
	bench = begin(user);
	assert(end(bench, user) == 0);
	assert(mode_of("store/a.kit/objects") == (user->separate ? 0750 : 0700));
	assert(mode_of("store/a.kit/objects/one") == (user->separate ? 0640 : 0600));
	/* Again, in exchange. */
	assert(end(begin(user), user) == 0);
}

static void odd_link(void)
{
	put("../secret", "secret");
	assert(chmod("../secret", 0600) == 0 && symlink("../../secret", "a.kit/files") == 0);
}

static void odd_name(void)
{
	put("../secret", "secret");
	assert(chmod("../secret", 0600) == 0 && link("../secret", "a.kit/files") == 0);
}

static void odd_fifo(void)
{
	assert(mkfifo("a.kit/files", 0666) == 0);
}

static void odd_beside(void)
{
	assert(symlink("a.kit", "b.kit") == 0);
}

static void odd_place(void)
{
	assert(rename("a.kit", "b.kit") == 0 && symlink("b.kit", "a.kit") == 0);
}

static void test_odd(void (*spoil)(void), const struct child_user *user)
{
	char *bench;

	assert(dir_remove("store") == 0 && bench_store_make("store", user) == 0);
	bench = begin(user);
	spoil();
	assert(end(bench, user) < 0);
	assert(access("store/a.kit", F_OK) < 0);
}

/* A file that is not lud's to give, and was led to, is as it was. */
static void test_untouched(void)
{
	struct stat st;

	assert(stat("secret", &st) == 0 && (st.st_mode & 07777) == 0600 && st.st_gid == getegid());
	assert(st.st_uid == geteuid() && st.st_nlink == 1 && unlink("secret") == 0);
}

static void test_file(const struct child_user *user)
{
	char *bench;
	int fd;

	assert(bench_new(top, &bench) == 0);
	put("given", "given");
	assert(bench_put(bench, "given", "in") == 0);
	assert(bench_put(bench, "given", "in") == -EEXIST);
	assert(bench_give(bench, user, &fd) == 0 && fchdir(fd) == 0);
	put("out", "made");
	assert(chdir(top) == 0 && close(fd) == 0);
	assert(bench_take_file(bench, "out", "taken") == 0 && mode_of("taken") == 0600);
	assert(bench_take_file(bench, "none", "taken") == -ENOENT);
	bench_free(bench);
	err_forget();
}

/* What is too deep to be taken back safely is left, and said. */
static void test_deep(const struct child_user *user)
{
	char *bench = begin(user);
	_cleanup_(freep) char *kept = text_copy(bench);

	for (int i = 0; i < 12; i++) {
		assert(mkdir("deep", 0777) == 0 && chdir("deep") == 0);
	}
	assert(chdir(top) == 0);
	bench_free(bench);
	assert(access(kept, F_OK) == 0 && dir_remove(kept) == 0);
}

int main(void)
{
	static void (*const odd[])(void) = {odd_link, odd_name, odd_fifo, odd_beside, odd_place};
	static const struct child_user own = {false, 0, 0};
	const struct child_user *user = geteuid() == 0 ? &other : &own;

	umask(0022);
	assert(mkdtemp(top) && chdir(top) == 0);
	test_file(user);
	test_kit(&own);
	test_kit(user);
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		test_odd(odd[i], user);
		if (i < 2) {
			test_untouched();
		}
	}
	test_deep(user);
	assert(chdir("/") == 0 && dir_remove(top) == 0);
	return 0;
}
