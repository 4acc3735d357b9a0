/*
 * Retention: the record keeps the newest generations of each service, the newest jobs of each machine
 * and the newest versions of the policies, as many as the configuration says. Rows beyond that go,
 * a few at a time, so that nobody waits for it; what went is counted, so that a list can say that it
 * is not the whole.
 *
 * Some rows stay however old they are, because lud decides by them: what runs or ran last and what
 * ran before it, the newest layout of each release that ran (the way back), a layout whose payload
 * is kept, what a block of a release names, jobs that are open, that an open one was asked by or has asked for
 * (a set is as far as those are), and the jobs of the highest orders, above which the next one must lie. They are
 * looked at once a round.
 * The newest version of the policies is the one that is applied, and is never beyond a limit.
 *
 * How many rows there are is found by stepping over as many entries of an index as may stay, some
 * hundreds at a time, once a round for each service and machine.
 */
#include "orchestrator/store/retention.h"

#include "orchestrator/store/priv.h"

#define RETENTION_PIECE 32 /* rows that are looked at in one transaction */
#define RETENTION_STEP 256 /* rows that are counted in one */

/* One statement each: their words are those of the indexes that they go by. */
static const struct {
	const char *next; /* the service or machine behind this one */
	const char *upto; /* the newest row that is too many */
	const char *page;   /* rows, and whether each may go: one statement, which takes longer to parse than to run */
	const char *count;  /* it is about to go */
	const char *drop[6];
} retention_table[_RETENTION_N] = {
        [RETENTION_GENERATIONS] =
                {
                        .next = "SELECT id FROM services WHERE id > ? ORDER BY id LIMIT 1",
                        .upto = "SELECT id FROM generations WHERE service = ?"
                                " AND id < ? ORDER BY id DESC LIMIT 1 OFFSET ?",
                        .page = "SELECT p.id, EXISTS (SELECT 1 FROM generations g"
                                " JOIN variants v ON v.id = g.variant"
                                " JOIN jobs j ON j.id = g.job JOIN services s ON s.id = g.service"
                                " WHERE g.id = p.id AND g.state != 1 AND j.ended_us > 0"
                                " AND v.path = '' AND g.number != s.run_number"
                                " AND NOT (g.state = 2 AND NOT EXISTS (SELECT 1 FROM generations o"
                                " WHERE o.service = g.service AND o.release = g.release"
                                " AND o.state = 2 AND o.number > g.number))"
                                " AND NOT EXISTS (SELECT 1 FROM generations r"
                                " WHERE r.service = g.service AND r.state = 1"
                                " AND r.ran_after = g.id))"
                                " FROM (SELECT id FROM generations WHERE service = ? AND id > ?"
                                " AND id <= ? ORDER BY id LIMIT ?) p",
                        .count = "INSERT INTO removals(what, machine, service, n, upto, last_us)"
                                 " SELECT ?1, s.machine, s.name, 1, ?2, ?3 FROM generations g"
                                 " JOIN services s ON s.id = g.service WHERE g.id = ?2"
                                 " ON CONFLICT DO UPDATE SET n = n + 1,"
                                 " upto = max(upto, excluded.upto), last_us = excluded.last_us",
                        .drop = {"DELETE FROM effects WHERE generation = ?",
                                "DELETE FROM generations WHERE id = ?"},
                },
        [RETENTION_JOBS] =
                {
                        .next = "SELECT id FROM machines WHERE id > ? ORDER BY id LIMIT 1",
                        .upto = "SELECT id FROM jobs WHERE machine = ?"
                                " AND id < ? ORDER BY id DESC LIMIT 1 OFFSET ?",
                        .page = "SELECT p.id, EXISTS (SELECT 1 FROM jobs j WHERE j.id = p.id"
                                " AND j.ended_us > 0"
                                " AND NOT EXISTS (SELECT 1 FROM generations WHERE job = p.id)"
                                " AND NOT EXISTS (SELECT 1 FROM jobs c WHERE c.parent = p.id"
                                " AND c.parent > 0 AND c.ended_us = 0)"
                                " AND NOT EXISTS (SELECT 1 FROM jobs a WHERE a.id = j.parent"
                                " AND a.ended_us = 0)"
                                " AND NOT EXISTS (SELECT 1 FROM releases WHERE blocked_job = p.id)"
                                " AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.job = p.id AND ("
                                "NOT EXISTS (SELECT 1 FROM orders h WHERE h.machine = o.machine"
                                " AND h.epoch = o.epoch AND h.txn > o.txn)"
                                " OR (o.accepted = 1 AND o.boot_id ="
                                " (SELECT boot_id FROM machines WHERE id = o.machine)"
                                " AND NOT EXISTS (SELECT 1 FROM orders h"
                                " WHERE h.machine = o.machine AND h.boot_id = o.boot_id"
                                " AND h.line = o.line AND h.accepted = 1"
                                " AND (h.epoch, h.txn) > (o.epoch, o.txn))))))"
                                " FROM (SELECT id FROM jobs WHERE machine = ? AND id > ?"
                                " AND id <= ? ORDER BY id LIMIT ?) p",
                        .count = "INSERT INTO removals(what, machine, service, n, upto, last_us)"
                                 " SELECT ?1, machine, service, 1, ?2, ?3 FROM jobs WHERE id = ?2"
                                 " ON CONFLICT DO UPDATE SET n = n + 1,"
                                 " upto = max(upto, excluded.upto), last_us = excluded.last_us",
                        .drop = {"DELETE FROM job_steps WHERE job = ?",
                                "DELETE FROM soaks WHERE job = ?",
                                "DELETE FROM order_envelopes WHERE id IN"
                                " (SELECT id FROM orders WHERE job = ?)",
                                "DELETE FROM orders WHERE job = ?",
                                "DELETE FROM jobs WHERE id = ?"},
                },
        [RETENTION_POLICIES] =
                {
                        .next = "SELECT 1 WHERE 1 > ?",
                        .upto = "SELECT id FROM policy_versions WHERE ?"
                                " AND id < ? ORDER BY id DESC LIMIT 1 OFFSET ?",
                        .page = "SELECT id, 1 FROM policy_versions WHERE ? AND id > ? AND id <= ?"
                                " ORDER BY id LIMIT ?",
                        .count = "INSERT INTO removals(what, machine, service, n, upto, last_us)"
                                 " VALUES (?1, 0, '', 1, ?2, ?3)"
                                 " ON CONFLICT DO UPDATE SET n = n + 1,"
                                 " upto = max(upto, excluded.upto), last_us = excluded.last_us",
                        .drop = {"DELETE FROM policy_members WHERE version = ?",
                                "DELETE FROM policy_versions WHERE id = ?",
                                "DELETE FROM policy_sources WHERE ? AND id NOT IN"
                                " (SELECT source FROM policy_members)"},
                },
};

struct retention_page {
	int64_t ids[RETENTION_PIECE]; /* that may go */
	int n;
	int64_t last; /* that was looked at; 0: none */
};

static int retention_id(sqlite3_stmt *row, void *arg)
{
	struct retention_page *page = arg;

	page->last = sqlite3_column_int64(row, 0);
	if (sqlite3_column_int(row, 1)) {
		page->ids[page->n++] = page->last;
	}
	return 0;
}

static int retention_drop(struct db *db, enum retention_what what, int64_t id)
{
	int64_t variant = 0;
	int r = db_run(db, retention_table[what].count, "iii", (int64_t)what, id, store_now_usec());

	if (!r && what == RETENTION_GENERATIONS) {
		r = db_query_int(
		        db, &variant, "SELECT variant FROM generations WHERE id = ?", "i", id);
	}
	for (size_t i = 0; !r && retention_table[what].drop[i]; i++) {
		r = db_run(db, retention_table[what].drop[i], "i", id);
	}
	/* Each generation has a variant of its own. */
	if (!r && variant) {
		r = db_run(db, "DELETE FROM variants WHERE id = ?", "i", variant);
	}
	return err_fold(r);
}

/* The next service or machine. DB_E_NONE: that was the last one. */
static int retention_turn(
        struct db *db, struct retention *round, const struct retention_limits *limits)
{
	int r = db_query_int(db, &round->of, retention_table[round->what].next, "i", round->of);

	if (r) {
		return r == DB_E_NONE ? r : err_up(r);
	}
	round->after = 0;
	round->below = INT64_MAX;
	round->left = limits->kept[round->what];
	return 0;
}

/* Counts a few more of those that stay; with the last of them ->upto is known. */
static int retention_count(struct db *db, struct retention *round)
{
	int64_t step = round->left < RETENTION_STEP ? round->left : RETENTION_STEP;
	int64_t id;
	int r = db_query_int(
	        db, &id, retention_table[round->what].upto, "iii", round->of, round->below, step);

	if (r == DB_E_NONE) {
		round->below = 0;
		return 0;
	}
	if (r) {
		return err_up(r);
	}
	if (step == round->left) {
		round->upto = id;
	}
	round->below = id;
	round->left -= step + 1;
	return 0;
}

int store_retain(struct db *db, struct retention *round, const struct retention_limits *limits)
{
	struct retention_page page = {.n = 0};
	int r;

	if (!round->upto && round->below) {
		return err_up(retention_count(db, round));
	}
	if (!round->upto) {
		r = retention_turn(db, round, limits);
		if (r == DB_E_NONE) {
			*round = (struct retention){
			        .what = (round->what + 1) % _RETENTION_N, .pages = round->pages};
			return round->what ? 0 : DB_E_NONE;
		}
		return err_up(r);
	}
	r = db_query(db, retention_id, &page, retention_table[round->what].page, "iiii", round->of,
	        round->after, round->upto, (int64_t)RETENTION_PIECE);
	if (r == DB_E_NONE) {
		round->upto = round->below = 0;
		return 0;
	}
	round->pages++;
	for (int i = 0; !r && i < page.n; i++) {
		r = retention_drop(db, round->what, page.ids[i]);
	}
	round->after = page.last;
	return err_fold(r);
}

struct retention_removed {
	uint64_t *ret_n;
	int64_t *ret_usec;
};

static int retention_sum(sqlite3_stmt *row, void *arg)
{
	const struct retention_removed *removed = arg;

	*removed->ret_n = (uint64_t)sqlite3_column_int64(row, 0);
	*removed->ret_usec = sqlite3_column_int64(row, 1);
	return 0;
}

int store_removed(struct db *db, enum retention_what what, int64_t machine, const char *service,
        uint64_t *ret_n, int64_t *ret_usec)
{
	struct retention_removed removed = {ret_n, ret_usec};

	return err_fold(db_query(db, retention_sum, &removed,
	        "SELECT coalesce(sum(n), 0), coalesce(max(last_us), 0) FROM removals"
	        " WHERE machine = ?1 AND what = ?2 AND (?3 = '' OR service = ?3)",
	        "iit", machine, (int64_t)what, service));
}

/* Ids are never given twice: one below those that went, and that is not there, went with them. */
int store_job_removed(struct db *db, int64_t id, int64_t *ret_usec)
{
	int r = db_query_int(db, ret_usec,
	        "SELECT min(last_us) FROM removals WHERE what = ?1 AND ?2 BETWEEN 1 AND upto"
	        " HAVING count(*) > 0",
	        "ii", (int64_t)RETENTION_JOBS, id);

	return r == DB_E_NONE ? r : err_up(r);
}
