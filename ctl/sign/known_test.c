/* Known machines: the first identity of a name stays. */
#undef NDEBUG
#include "ctl/sign/known.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint8_t one[16] = "identity number1", two[16] = "identity number2";
static char path[64];

static void write_file(const char *text)
{
	FILE *file = fopen(path, "w");

	assert(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void test_pinned(void)
{
	struct stat st;
	unsigned int line;

	assert(known_check(path, "m", one, &line) == KNOWN_NEW);
	assert(known_check(path, "m", one, &line) == KNOWN_SAME);
	assert(known_check(path, "mm", two, &line) == KNOWN_NEW);
	assert(known_check(path, "m", two, &line) == KNOWN_OTHER && line == 1);
	assert(known_check(path, "mm", one, &line) == KNOWN_OTHER && line == 2);
	assert(known_check(path, "mm", two, &line) == KNOWN_SAME);
	assert(known_check(path, "new", one, &line) == KNOWN_NAMED && line == 1);
	assert(known_check(path, "new", two, &line) == KNOWN_NAMED && line == 2);
	assert(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
}

static void test_damaged(void)
{
	unsigned int line;

	write_file("# mine\n\nm 6964656e74697479206e756d62657231\nx 12\n");
	assert(known_check(path, "m", one, &line) == KNOWN_SAME);
	assert(known_check(path, "new", one, &line) == KNOWN_BAD && line == 4);
	write_file("m 6964656e74697479206e756d62657231"); /* a cut line is not added to */
	assert(known_check(path, "new", one, &line) == KNOWN_BAD && line == 1);
	write_file("m 6964656e74697479206e756d6265723100\n");
	assert(known_check(path, "m", one, &line) == KNOWN_BAD && line == 1);
	assert(known_check("/nowhere/known", "m", one, &line) == KNOWN_BAD && line == 0);
}

/* A name that lud gives cannot write lines of its own. */
static void test_names(void)
{
	unsigned int line;

	assert(unlink(path) == 0);
	assert(known_check(path, "", one, &line) == KNOWN_BAD);
	assert(known_check(path, "a b", one, &line) == KNOWN_BAD);
	assert(known_check(path, "a\nb", one, &line) == KNOWN_BAD);
	assert(known_check(path, "#a", one, &line) == KNOWN_BAD);
}

/* The longest name that a line has room for is found again; a longer one is not written. */
static void test_length(void)
{
	char name[223];
	unsigned int line;

	memset(name, 'n', sizeof(name));
	name[222] = '\0';
	assert(known_check(path, name, one, &line) == KNOWN_BAD);
	name[221] = '\0';
	assert(known_check(path, name, one, &line) == KNOWN_NEW);
	assert(known_check(path, name, two, &line) == KNOWN_OTHER && line == 1);
	assert(known_check(path, "m", two, &line) == KNOWN_NEW);
	assert(unlink(path) == 0);
}

/* A name that could not be noted is not taken for known. */
static void test_full(void)
{
	struct rlimit limit, none;
	unsigned int line;

	assert(getrlimit(RLIMIT_FSIZE, &limit) == 0 && signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	none = limit;
	none.rlim_cur = 0;
	assert(setrlimit(RLIMIT_FSIZE, &none) == 0);
	assert(known_check(path, "m", one, &line) == KNOWN_BAD && errno == EFBIG);
	assert(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	assert(known_check(path, "m", two, &line) == KNOWN_NEW);
}

/* A file that is a link, or blocks, is not followed. */
static void test_kind(void)
{
	char other[sizeof(path) + 8];
	unsigned int line;

	(void)snprintf(other, sizeof(other), "%s.other", path);
	assert(rename(path, other) == 0 && symlink(other, path) == 0);
	assert(known_check(path, "new", one, &line) == KNOWN_BAD && line == 0);
	assert(unlink(path) == 0 && unlink(other) == 0);
	assert(mkfifo(path, 0600) == 0);
	(void)alarm(100);
	assert(known_check(path, "m", one, &line) == KNOWN_BAD);
	(void)alarm(0);
	assert(unlink(path) == 0);
}

int main(void)
{
	char dir[] = "/tmp/known_test.XXXXXX";

	assert(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/" KNOWN_MACHINES, dir);
	test_pinned();
	test_damaged();
	test_names();
	test_length();
	test_full();
	test_kind();
	assert(rmdir(dir) == 0);
	return 0;
}
