/* Whoever waits for a record to be brought up to date is told that it goes on, and how far it is. */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "host/base/file.h"
#include "orchestrator/db/priv.h"

#define WAIT_SEC 100

static int manager = -1; /* where a service manager hears of its services */
static time_t give_up;

/* Whether the manager was told to wait on. */
static bool heard(void)
{
	char text[256] = "";

	if (recv(manager, text, sizeof(text) - 1, MSG_DONTWAIT) < 0) {
		return false;
	}
	assert(!strncmp(text, "EXTEND_TIMEOUT_USEC=", 20) && atoll(text + 20) > 10000000);
	return true;
}

static void on_heard(sqlite3_context *context, int n, sqlite3_value **values)
{
	sqlite3_result_int(context, heard() || time(NULL) > give_up);
}

/* One long statement, which ends when the manager has been told in its middle. */
static int last_long(struct db *db)
{
	int64_t n;

	assert(heard() && !heard());
	db_progress(db, 3, 7);
	assert(sqlite3_create_function(db->sqlite, "heard", 0, SQLITE_UTF8, NULL, on_heard, NULL,
	               NULL) == SQLITE_OK);
	assert(db_query_int(db, &n,
	               "WITH n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE NOT heard())"
	               " SELECT max(i) FROM n",
	               "") == 0);
	assert(time(NULL) <= give_up);
	return 0;
}

static const struct db_migration steps[] = {
        {.sql = "CREATE TABLE a(id INTEGER PRIMARY KEY) STRICT;"},
        {.sql = "", .fn = last_long},
};

static void notify_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	strcpy(address.sun_path, path);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert(manager >= 0);
	assert(bind(manager, (struct sockaddr *)&address, sizeof(address)) == 0);
	setenv("NOTIFY_SOCKET", path, 1);
}

/* What is logged meanwhile goes to a file. */
static void open_logged(const char *path, const char *log)
{
	struct failure failure = {0};
	int was = dup(STDERR_FILENO);
	struct db *db;

	assert(freopen(log, "w", stderr));
	assert(db_open(path, steps, 2, &db, &failure) == 0);
	db_close(db);
	fflush(stderr);
	assert(dup2(was, STDERR_FILENO) == STDERR_FILENO);
	close(was);
}

int main(void)
{
	char dir[] = "/tmp/progress_test.XXXXXX";
	_cleanup_(freep) char *path = NULL, *log = NULL, *socket_path = NULL;
	_cleanup_(freep) uint8_t *text = NULL;
	struct failure failure = {0};
	struct db *db;
	size_t size;

	assert(mkdtemp(dir));
	path = text_format("%s/a.db", dir);
	log = text_format("%s/log", dir);
	socket_path = text_format("%s/notify", dir);
	notify_at(socket_path);
	give_up = time(NULL) + WAIT_SEC;
	/* A new one is made at once. */
	assert(db_open(path, steps, 1, &db, &failure) == 0);
	db_close(db);
	assert(!heard());
	open_logged(path, log);
	assert(file_read(log, 1 << 20, &text, &size) == 0);
	assert(memmem(text, size, "brought from version 1 to 2; nobody", 35));
	assert(memmem(text, size, "from version 1 to 2: 3 of 7 jobs; nobody", 40));
	close(manager);
	assert(dir_remove(dir) == 0);
	return 0;
}
