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
 * Before its jobs are counted what is kept of a machine's old ones is made less (fold.c), as it is at each job's end:
 * a record of before catches up here.
 *
 * How many rows there are is found by stepping over as many entries of an index as may stay, some
 * hundreds at a time, once a round for each service and machine.
 */
#include "orchestrator/store/retention.h"

#include <stdio.h>
#include <string.h>

#include "orchestrator/store/jobs.h"
#include "orchestrator/store/priv.h"

#define RETENTION_PIECE 32                        /* rows that are looked at in one transaction */
#define RETENTION_STEP 256                        /* rows that are counted in one */
#define RETENTION_LIST_MAX (22 * RETENTION_PIECE) /* their ids, of 20 digits, as a JSON list */

/*
 * One statement each for a page of rows, since to parse one takes longer than to run it: their words are those of the
 * indexes that they go by. Rows that may go are a list of ids.
 */
#define RETENTION_LIST(list) "(SELECT value FROM json_each(" list "))"
static const struct {
	const char *next;  /* the service or machine behind this one */
	const char *upto;  /* the newest row that is too many, by what its index goes on with */
	const char *page;  /* id, whether it may go, and what its index goes on with */
	const char *count; /* they are about to go */
	const char *drop[16];
} retention_table[_RETENTION_N] = {
        [RETENTION_GENERATIONS] =
                {
                        .next = "SELECT id FROM services WHERE id > ? ORDER BY id LIMIT 1",
                        .upto = "SELECT number FROM generations WHERE service = ?"
                                " AND number < ? ORDER BY number DESC LIMIT 1 OFFSET ?",
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
                                ", p.number FROM (SELECT id, number FROM generations"
                                " WHERE service = ? AND number > ? AND number <= ?"
                                " ORDER BY number LIMIT ?) p",
                        .count = "INSERT INTO removals(what, machine, service, n, upto, last_us)"
                                 " SELECT ?1, s.machine, s.name, count(*), max(g.id), ?3"
                                 " FROM generations g JOIN services s ON s.id = g.service"
                                 " WHERE g.id IN " RETENTION_LIST(
                                         "?2") " GROUP BY s.id"
                                               " ON CONFLICT DO UPDATE SET n = n + excluded.n,"
                                               " upto = max(upto, excluded.upto), last_us = "
                                               "excluded.last_us",
                        .drop = {"DELETE FROM folded_runs WHERE id IN " RETENTION_LIST("?"),
                                "DELETE FROM effects WHERE generation IN " RETENTION_LIST("?"),
                                "DELETE FROM generation_envelopes WHERE id IN " RETENTION_LIST("?"),
                                "DELETE FROM generations WHERE id IN " RETENTION_LIST("?")},
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
                                " AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.job = p.id"
                                " AND " STORE_ORDER_COUNTS(
                                        "o") "))"
                                             ", p.id FROM (SELECT id FROM jobs WHERE machine = ? "
                                             "AND id > ?"
                                             " AND id <= ? ORDER BY id LIMIT ?) p",
                        .count = "INSERT INTO removals(what, machine, service, n, upto, last_us)"
                                 " SELECT ?1, machine, service, count(*), max(id), ?3 FROM jobs"
                                 " WHERE id IN " RETENTION_LIST(
                                         "?2") " GROUP BY machine, service"
                                               " ON CONFLICT DO UPDATE SET n = n + excluded.n,"
                                               " upto = max(upto, excluded.upto), last_us = "
                                               "excluded.last_us",
                        .drop = {"DELETE FROM job_causes WHERE id IN " RETENTION_LIST("?"),
                                "DELETE FROM job_result_causes WHERE id IN " RETENTION_LIST("?"),
                                "DELETE FROM job_result_phases WHERE id IN " RETENTION_LIST("?"),
                                "DELETE FROM job_result_removals WHERE id IN " RETENTION_LIST("?"),
                                "DELETE FROM job_results WHERE id IN " RETENTION_LIST("?"),
                                "DELETE FROM job_pairing_findings WHERE id IN " RETENTION_LIST("?"),
                                "DELETE FROM job_pairings WHERE id IN " RETENTION_LIST("?"),
                                "DELETE FROM job_steps WHERE job IN " RETENTION_LIST("?"),
                                "DELETE FROM job_courses WHERE id IN " RETENTION_LIST("?"),
                                "DELETE FROM soaks WHERE job IN " RETENTION_LIST("?"),
                                "DELETE FROM order_envelopes WHERE id IN"
                                " (SELECT id FROM orders WHERE job IN " RETENTION_LIST("?") ")",
                                "DELETE FROM orders WHERE job IN " RETENTION_LIST("?"),
                                "DELETE FROM jobs WHERE id IN " RETENTION_LIST("?"),
                                /* Of those jobs that are left with the same plan, one keeps it. */
                                "UPDATE plans SET job = coalesce((SELECT max(id) FROM jobs"
                                " WHERE plan = plans.hash), 0) WHERE job IN " RETENTION_LIST("?"),
                                "DELETE FROM plans WHERE ? <> '' AND job = 0"},
                },
        [RETENTION_POLICIES] =
                {
                        .next = "SELECT 1 WHERE 1 > ?",
                        .upto = "SELECT id FROM policy_versions WHERE ?"
                                " AND id < ? ORDER BY id DESC LIMIT 1 OFFSET ?",
                        .page = "SELECT id, 1, id FROM policy_versions WHERE ? AND id > ? AND id "
                                "<= ?"
                                " ORDER BY id LIMIT ?",
                        .count = "INSERT INTO removals(what, machine, service, n, upto, last_us)"
                                 " SELECT ?1, 0, '', count(*), max(id), ?3 FROM policy_versions"
                                 " WHERE id IN " RETENTION_LIST(
                                         "?2") " GROUP BY 1"
                                               " ON CONFLICT DO UPDATE SET n = n + excluded.n,"
                                               " upto = max(upto, excluded.upto), last_us = "
                                               "excluded.last_us",
                        .drop = {"DELETE FROM policy_members WHERE version IN " RETENTION_LIST("?"),
                                "DELETE FROM policy_versions WHERE id IN " RETENTION_LIST("?"),
                                "DELETE FROM policy_sources WHERE ? <> '' AND id NOT IN"
                                " (SELECT source FROM policy_members)"},
                },
};

struct retention_page {
	char list[RETENTION_LIST_MAX]; /* of rows that may go */
	int64_t last;                  /* that was looked at; 0: none */
};

static int retention_id(sqlite3_stmt *row, void *arg)
{
	struct retention_page *page = arg;
	size_t used = strlen(page->list);

	page->last = sqlite3_column_int64(row, 2);
	if (sqlite3_column_int(row, 1)) {
		snprintf(page->list + used, sizeof(page->list) - used, "%s%lld", used ? "," : "[",
		        (long long)sqlite3_column_int64(row, 0));
	}
	return 0;
}

static int retention_text(sqlite3_stmt *row, void *arg)
{
	db_column_text(row, 0, arg, RETENTION_LIST_MAX);
	return 0;
}

struct retention_jobs {
	int64_t ids[RETENTION_PIECE];
	int n;
};

static int retention_job(sqlite3_stmt *row, void *arg)
{
	struct retention_jobs *jobs = arg;

	jobs->ids[jobs->n++] = sqlite3_column_int64(row, 0);
	return 0;
}

/* Jobs may be kept for longer than generations: their results are read as they were told. */
static int retention_results(struct db *db, const char *list)
{
	struct retention_jobs jobs = {.n = 0};
	int r = db_query(db, retention_job, &jobs,
	        "SELECT id FROM job_results WHERE id IN"
	        " (SELECT job FROM generations WHERE id IN " RETENTION_LIST("?") ")",
	        "t", list);

	r = r == DB_E_NONE ? 0 : r;
	for (int i = 0; !r && i < jobs.n; i++) {
		r = store_result_whole(db, jobs.ids[i]);
	}
	return err_fold(r);
}

/* Each generation has a variant of its own, which it refers to. */
static int retention_drop(struct db *db, enum retention_what what, const char *list)
{
	char variants[RETENTION_LIST_MAX] = "[]";
	int r = db_run(
	        db, retention_table[what].count, "iti", (int64_t)what, list, store_now_usec());

	if (!r && what == RETENTION_GENERATIONS) {
		r = retention_results(db, list);
	}
	if (!r && what == RETENTION_GENERATIONS) {
		r = db_query(db, retention_text, variants,
		        "SELECT json_group_array(variant) FROM generations WHERE id "
		        "IN " RETENTION_LIST("?"),
		        "t", list);
	}
	for (size_t i = 0; !r && retention_table[what].drop[i]; i++) {
		r = db_run(db, retention_table[what].drop[i], "t", list);
	}
	return r ? err_fold(r)
	         : err_fold(db_run(db, "DELETE FROM variants WHERE id IN " RETENTION_LIST("?"), "t",
	                   variants));
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
	round->folds = round->what == RETENTION_JOBS;
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
	struct retention_page page = {.last = 0};
	int r;

	if (round->folds) {
		r = store_job_fold_old(db, round->of);
		round->folds = !r;
		round->pages += !r;
		return r == DB_E_NONE ? 0 : err_up(r);
	}
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
	round->after = page.last;
	if (!r && *page.list) {
		strcat(page.list, "]");
		r = retention_drop(db, round->what, page.list);
	}
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
