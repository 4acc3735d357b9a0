/*
 * One rule says which times in the record move when the host's clock is set: what is open, runs, or will be, keeps its
 * distance; what is over keeps its time. What was asked for an hour ago still was, what has an hour left still
 * has. Times that a person or a calendar names are not durations and stay: the end of a hold, and windows, which are not in
 * the record at all.
 *
 * The row of the table `clocks` says how far the host's clock was from the time since its boot, and in which boot. So
 * a clock that was set while lud was away is told from time that passed, and an old copy of the record that is put back,
 * too.
 */
#include "orchestrator/store/clock.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/base/file.h"
#include "orchestrator/store/priv.h"

/* So far both clocks part by themselves. */
#define CLOCK_SET_USEC INT64_C(2000000)
/* As much of that is left to them before the record is told. */
#define CLOCK_NOTE_USEC INT64_C(500000)
#define CLOCK_BOOT_FILE "/proc/sys/kernel/random/boot_id"

/* One host has one clock. Offsets are times less the time since the host's boot. */
static struct {
	bool is_known;
	int64_t offset_us; /* of lud's time */
	int64_t noted_us;  /* that the record has, of this boot; INT64_MIN: none */
	char boot[40];     /* "": nobody knows, and no boot is the same as that */
} clock_state = {.noted_us = INT64_MIN};

static int64_t clock_read(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

/* Of the host's clock. */
static int64_t clock_offset(void)
{
	return clock_read(CLOCK_REALTIME) - clock_read(CLOCK_BOOTTIME);
}

static void clock_take(int64_t offset_us)
{
	clock_state.offset_us = offset_us;
	clock_state.is_known = true;
}

int64_t store_now_usec(void)
{
	if (!clock_state.is_known) {
		clock_take(clock_offset());
	}
	return clock_read(CLOCK_BOOTTIME) + clock_state.offset_us;
}

static void clock_learn_boot(void)
{
	_cleanup_(fd_closep) int fd = open(CLOCK_BOOT_FILE, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, clock_state.boot, sizeof(clock_state.boot) - 1);

	clock_state.boot[n < 0 ? 0 : n] = '\0';
	clock_state.boot[strcspn(clock_state.boot, "\n")] = '\0';
}

/* What lud has seen last, as far as anything still counts from it. */
#define CLOCK_NEWEST                                                                               \
	"SELECT max(0, coalesce((SELECT max(created_us, state_us) FROM jobs"                       \
	"  ORDER BY id DESC LIMIT 1), 0),"                                                         \
	" coalesce((SELECT max(state_us) FROM jobs WHERE ended_us = 0), 0),"                       \
	" coalesce((SELECT max(max(created_us, last_us, alarm_us)) FROM timers), 0),"              \
	" coalesce((SELECT max(max(ring_us, state_us)) FROM rollouts WHERE is_open), 0),"          \
	" coalesce((SELECT max(created_us) FROM holds WHERE ended_us = 0), 0),"                    \
	" coalesce((SELECT max(created_us) FROM standings WHERE wanted), 0))"

int store_clock_begin(struct db *db)
{
	int64_t offset = clock_offset(), newest;
	struct clock_row row;
	int r = store_one(db, STORE_clock, &row, "LIMIT 1", "");

	if (r < 0) {
		return err_up(r);
	}
	clock_learn_boot();
	if (!r && *row.host_boot && !strcmp(row.host_boot, clock_state.boot)) {
		clock_state.noted_us = row.offset_us;
		clock_take(row.offset_us);
		return 0;
	}
	r = db_query_int(db, &newest, CLOCK_NEWEST, "");
	if (r) {
		return err_fold(r);
	}
	newest -= clock_read(CLOCK_BOOTTIME);
	clock_take(newest > offset ? newest : offset);
	return 0;
}

/* One that was aborted holds its machines back, as long as no other follows. */
_Static_assert(ROLLOUT_DONE == 5, "as below");
#define CLOCK_OPEN_JOBS "(SELECT id FROM jobs WHERE ended_us = 0)"
/* ?1: by how much; a time that is 0 is none. */
#define CLOCK_MOVED(column) #column " = " #column " + iif(" #column " = 0, 0, ?1)"
static const char *const clock_moves[] = {
        "UPDATE jobs SET " CLOCK_MOVED(created_us) ", " CLOCK_MOVED(state_us) ", " CLOCK_MOVED(
                wait_until_us) ", " CLOCK_MOVED(wait_look_us) " WHERE ended_us = 0",
        "UPDATE job_steps SET " CLOCK_MOVED(started_us) ", " CLOCK_MOVED(
                ended_us) " WHERE job IN " CLOCK_OPEN_JOBS,
        "UPDATE soaks SET " CLOCK_MOVED(from_us) ", " CLOCK_MOVED(
                healthy_us) " WHERE job IN " CLOCK_OPEN_JOBS,
        "UPDATE rollouts SET " CLOCK_MOVED(ring_us) ", " CLOCK_MOVED(state_us) ", " CLOCK_MOVED(
                created_us) " WHERE state <> 5",
        /* The end of one with a token is the patience with a command that was not heard again. */
        "UPDATE holds SET created_us = created_us + ?1, until_us = until_us"
        " + iif(until_us = 0 OR token = '', 0, ?1) WHERE ended_us = 0",
        "UPDATE standings SET " CLOCK_MOVED(created_us) ", " CLOCK_MOVED(until_us) " WHERE wanted",
        "UPDATE generations SET " CLOCK_MOVED(committed_us) " WHERE state = 1",
        /* A block counts for what was asked for before it, and not for what came later. */
        "UPDATE releases SET " CLOCK_MOVED(added_us) ", " CLOCK_MOVED(blocked_us),
        "UPDATE services SET " CLOCK_MOVED(seen_us),
        "UPDATE answers SET " CLOCK_MOVED(at_us),
        /* All are looked at: windows are other ones now. */
        "UPDATE timers SET " CLOCK_MOVED(created_us) ", " CLOCK_MOVED(due_us) ", " CLOCK_MOVED(
                last_us) ", " CLOCK_MOVED(alarm_us) ", look_us = 1",
};

static int clock_move(struct db *db, int64_t usec)
{
	int r = 0;

	for (size_t i = 0; !r && i < sizeof(clock_moves) / sizeof(clock_moves[0]); i++) {
		r = db_run(db, clock_moves[i], "i", usec);
	}
	return err_fold(r);
}

/* What the record is to say of the clock, and what follows from it. */
struct clock_change {
	int64_t offset_us, usec;
};

static int clock_change_txn(struct db *db, void *arg)
{
	struct clock_change *change = arg;
	struct clock_row row = {0};
	int r = change->usec ? clock_move(db, change->usec) : 0;

	if (!r) {
		r = store_one(db, STORE_clock, &row, "LIMIT 1", "");
	}
	if (r < 0) {
		return err_up(r);
	}
	row.offset_us = change->offset_us;
	snprintf(row.host_boot, sizeof(row.host_boot), "%s", clock_state.boot);
	return err_fold(r ? store_insert(db, STORE_clock, &row, NULL)
	                  : store_update(db, STORE_clock, &row, NULL));
}

int store_clock_look(struct db *db, int64_t *ret_usec)
{
	int64_t offset = clock_offset(), usec = offset - clock_state.offset_us;
	struct clock_change change = {offset, llabs(usec) < CLOCK_SET_USEC ? 0 : usec};
	int r;

	if (change.usec || clock_state.noted_us == INT64_MIN ||
	        llabs(clock_state.noted_us - offset) >= CLOCK_NOTE_USEC) {
		r = db_txn(db, clock_change_txn, &change);
		if (r) {
			return err_fold(r);
		}
		clock_state.noted_us = offset;
	}
	clock_take(offset);
	*ret_usec = change.usec;
	return 0;
}
