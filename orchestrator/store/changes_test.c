/* What machines tell besides: crashes of services, and events. */
#undef NDEBUG
#include "orchestrator/store/changes.h"

#include <assert.h>
#include <string.h>

#include "orchestrator/store/jobs.h"
#include "orchestrator/store/machines.h"
#include "orchestrator/store/schema.h"

/* ds crashes and comes back, crashes again in another boot, and comes back in none. */
static int changes_make(struct db *db, void *arg)
{
	struct machine_row *machine = arg;
	struct change_row row = {.machine = machine->id,
	        .boot_id = UINT64_MAX,
	        .service = "ds",
	        .generation = 7,
	        .made = 2,
	        .message = "it read address 0"};

	for (row.kind = 2, row.seq = 1; row.seq <= 4; row.seq++) {
		row.clock_ns = 100 * row.seq;
		row.kind = row.seq % 2 ? 2 : 3;
		row.boot_id = row.seq < 4 ? UINT64_MAX : 5;
		assert(store_change_insert(db, &row) == 0);
	}
	assert(store_change_insert(db, &row) == 0);
	assert(store_change_insert(db, &row) == DB_E_EXISTS);
	return 0;
}

static int changes_trim(struct db *db, void *arg)
{
	const struct machine_row *machine = arg;

	return store_change_trim(db, machine->id, 3);
}

static int crash_seen(const struct change_row *row, void *arg)
{
	uint64_t *seen = arg;

	assert(!strcmp(row->message, "it read address 0") && row->generation == 7 &&
	        row->made == 2);
	*seen = 1000 * *seen + row->back_ns + row->seq;
	return 0;
}

static void test_changes(struct db *db, struct machine_row *machine)
{
	struct crash_filter filter = {machine->id, "", 0, 10};
	uint64_t seen = 0;
	int64_t n;

	assert(db_txn(db, changes_make, machine) == 0);
	/* Newest first: the second, after which nothing came in its boot; the first, which was gone 100 ns. */
	assert(store_crash_each(db, &filter, crash_seen, &seen) == 0 && seen == 3101);
	filter.service = "ds";
	seen = 0;
	assert(store_crash_each(db, &filter, crash_seen, &seen) == 0 && seen == 3101);
	filter.service = "tty";
	seen = 0;
	assert(store_crash_each(db, &filter, crash_seen, &seen) == 0 && seen == 0);
	assert(db_txn(db, changes_trim, machine) == 0);
	assert(db_query_int(db, &n, "SELECT count(*) * 100 + min(seq) FROM changes", "") == 0 &&
	        n == 303);
}

static int events_make(struct db *db, void *arg)
{
	struct machine_row *machine = arg;
	struct event_row event = {.machine = machine->id, .boot_id = UINT64_MAX};

	for (event.seq = 1; event.seq <= 10; event.seq++) {
		assert(store_event_insert(db, &event) == 0);
	}
	event.seq = 4;
	assert(store_event_insert(db, &event) == DB_E_EXISTS);
	event.line = 1;
	assert(store_event_insert(db, &event) == 0);
	assert(store_event_trim(db, machine->id, 3) == 0);
	return 0;
}

static void test_events(struct db *db, struct machine_row *machine)
{
	int64_t n;

	assert(db_txn(db, events_make, machine) == 0);
	assert(db_query_int(db, &n, "SELECT count(*) * 100 + min(seq) FROM events", "") == 0);
	assert(n == 304);
}

static int machine_make(struct db *db, void *arg)
{
	return store_machine_insert(db, arg);
}

int main(void)
{
	struct machine_row machine = {.name = "demo", .socket = "/s", .wanted = true};
	struct failure failure = {0};
	struct db *db;

	assert(store_open(":memory:", &db, &failure) == 0);
	assert(db_txn(db, machine_make, &machine) == 0);
	test_events(db, &machine);
	test_changes(db, &machine);
	db_close(db);
	return 0;
}
