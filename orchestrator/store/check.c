/*
 * What must be true of a record beyond what SQLite keeps true of it: each is a query that counts the rows
 * which break it. They are about what lud would otherwise trust: an open job in a state that nothing leaves,
 * a number that could be drawn twice, two generations of which both are said to run.
 *
 * Times are not compared with each other: the clock of a host may have been put back.
 */
#include "orchestrator/store/check.h"

#include <errno.h>
#include <stdio.h>

#include "orchestrator/store/schema.h"

/* "0, 20, 2, ..." : states that a job ends in; and those in which it is open. */
#define CHECK_ENDED_OF_WAITS(number)
#define CHECK_ENDED_OF_WORKS(number)
#define CHECK_ENDED_OF_RUNS(number)
#define CHECK_ENDED_OF_ENDED(number) ", " #number
#define CHECK_OPEN_OF_WAITS(number) ", " #number
#define CHECK_OPEN_OF_WORKS(number) ", " #number
#define CHECK_OPEN_OF_RUNS(number) ", " #number
#define CHECK_OPEN_OF_ENDED(number)
static const char check_ended[] = "-1"
#define JOB_STATE(name, number, word, class) CHECK_ENDED_OF_##class(number)
#include "proto/words/jobs.def"
#undef JOB_STATE
        ;
static const char check_open[] = "-1"
#define JOB_STATE(name, number, word, class) CHECK_OPEN_OF_##class(number)
#include "proto/words/jobs.def"
#undef JOB_STATE
        ;

#define CHECK_RESTORE                                                                              \
	"restore a backup (`luctl db restore FILE`); machines run on meanwhile, and what they "    \
	"have done since is told at the start"

/* sql: how many rows break it; %s is ->states. what: with their number. */
static const struct check_rule {
	const char *sql;
	const char *states;
	const char *what;
} check_rules[] = {
        {"SELECT count(*) FROM jobs WHERE ended_us = 0 AND state NOT IN (%s)", check_open,
                "%lld jobs are open in a state that no open job can have"},
        {"SELECT count(*) FROM jobs WHERE ended_us <> 0 AND state NOT IN (%s)", check_ended,
                "%lld jobs are over in a state that no job ends in"},
        {"SELECT count(*) FROM jobs WHERE state IN (13, 14) AND ended_us = 0"
         " AND wait_until_us = 0%.0s",
                "", "%lld jobs are put off without a time at which they expire"},
        /* way 3: the id of a policy's request says by itself what was asked for: which timer, which round. */
        {"SELECT count(*) FROM jobs WHERE request_id <> '' AND request_hash IS NULL"
         " AND way <> 3%.0s",
                "", "%lld jobs have a request id and not what was asked for under it"},
        {"SELECT count(*) FROM generations g JOIN services s ON s.id = g.service"
         " WHERE g.number > s.last_number%.0s",
                "", "%lld generations have a number that could be drawn again"},
        {"SELECT count(*) FROM (SELECT service FROM generations WHERE state = 1"
         " GROUP BY service HAVING count(*) > 1)%.0s",
                "", "%lld services have several generations that run"},
        {"SELECT count(*) FROM generations g JOIN services s ON s.id = g.service"
         " JOIN jobs j ON j.id = g.job"
         " WHERE j.machine <> s.machine OR (j.service <> '' AND j.service <> s.name)%.0s",
                "", "%lld generations are of a job for another machine or service"},
        {"SELECT count(*) FROM generations g JOIN services s ON s.id = g.service"
         " JOIN variants v ON v.id = g.variant JOIN releases r ON r.id = v.release"
         " WHERE r.service <> s.name%.0s",
                "", "%lld generations are of a release of another service"},
        {"SELECT count(*) FROM generations WHERE head IS NOT NULL"
         " AND head NOT IN (SELECT id FROM heads)%.0s",
                "", "%lld signed variants have lost what they begin with"},
        {"SELECT count(*) FROM order_envelopes WHERE head IS NOT NULL"
         " AND head NOT IN (SELECT id FROM order_heads)%.0s",
                "", "%lld orders have lost what they begin with"},
        {"SELECT count(*) FROM orders o JOIN jobs j ON j.id = o.job"
         " WHERE o.machine <> j.machine%.0s",
                "", "%lld orders are for another machine than their job"},
        {"SELECT count(*) FROM (SELECT id FROM machines WHERE is_default AND removed_us = 0"
         " LIMIT -1 OFFSET 1)%.0s",
                "", "%lld machines are the default one besides another"},
        {"SELECT count(*) FROM holds WHERE machine <> 0"
         " AND machine NOT IN (SELECT id FROM machines)%.0s",
                "", "%lld holds are of a machine that there never was"},
        {"SELECT count(*) FROM policy_versions p WHERE n_policies <>"
         " (SELECT count(*) FROM policy_members m WHERE m.version = p.id)%.0s",
                "", "%lld versions of the policies do not have all of theirs"},
};

/*
 * Bytes of a record of before version 30 that were no message when it was brought over; column 0 says which. They do no harm, so
 * such a record is copied all the same. Before that version there is no such table, and they are as they should be.
 */
static const char *const check_leftovers[] = {
        "SELECT 'jobs.cause of job ' || j.id FROM jobs j LEFT JOIN job_causes t ON t.id = j.id"
        " WHERE j.cause IS NOT NULL",
        "SELECT 'jobs.result of job ' || j.id FROM jobs j LEFT JOIN job_results t ON t.id = j.id"
        " WHERE j.result IS NOT NULL",
        "SELECT 'jobs.pairing of job ' || j.id FROM jobs j LEFT JOIN job_pairings t ON t.id = j.id"
        " WHERE j.pairing IS NOT NULL",
        "SELECT 'services.status of ' || s.name || ' of machine ' || s.machine FROM services s"
        " LEFT JOIN service_states t ON t.id = s.id WHERE s.status IS NOT NULL",
        "SELECT 'protections.measured of release ' || p.release FROM protections p"
        " LEFT JOIN measures t ON t.id = p.release",
};
#define CHECK_LEFTOVERS_MAX 10 /* of each, that are named */

struct check {
	store_finding_fn fn;
	void *arg;
	size_t n;      /* findings with which nothing is copied */
	size_t n_left; /* of the leftovers at hand */
};

static void check_find(struct check *check, const char *what, const char *remedy)
{
	check->n++;
	if (check->fn) {
		check->fn(what, remedy, check->arg);
	}
}

static void check_on_damage(const char *what, void *arg)
{
	check_find(arg, what,
	        "end lud and restore a backup (`luctl db restore FILE`), or save what can be read "
	        "with `lud --recover`");
}

/* A record of an earlier schema may lack what is asked for: there is nothing to find then. */
static void check_rule(struct db *db, const struct check_rule *rule, struct check *check)
{
	char sql[640], what[160];
	int64_t n = 0;

	snprintf(sql, sizeof(sql), rule->sql, rule->states);
	if (db_query_int(db, &n, sql, "") < 0) {
		err_forget();
		return;
	}
	if (n) {
		snprintf(what, sizeof(what), rule->what, (long long)n);
		check_find(check, what, CHECK_RESTORE);
	}
}

static int check_leftover(sqlite3_stmt *row, void *arg)
{
	struct check *check = arg;
	char which[80], what[160];

	db_column_text(row, 0, which, sizeof(which));
	snprintf(what, sizeof(what), "%s has bytes that are no message", which);
	if (check->n_left++ < CHECK_LEFTOVERS_MAX && check->fn) {
		check->fn(what,
		        "nothing reads them, and nothing else is wrong for it: make a backup if "
		        "you "
		        "want to keep them, end lud, and take them out with `lud --recover`",
		        check->arg);
	}
	return 0;
}

static void check_leftovers_all(struct db *db, struct check *check)
{
	for (size_t i = 0; i < sizeof(check_leftovers) / sizeof(check_leftovers[0]); i++) {
		check->n_left = 0;
		if (db_query(db, check_leftover, check, check_leftovers[i], "") < 0) {
			err_forget();
		}
	}
}

static int check_all(const char *path, struct check *check, struct failure *ret_failure)
{
	_cleanup_(db_closep) struct db *db = NULL;
	int64_t version;
	char what[120];
	int r = db_open_read(path, &db, &version, ret_failure);

	if (r) {
		return err_up(r);
	}
	if (version > store_schema_version()) {
		snprintf(what, sizeof(what),
		        "schema version %lld is newer than this lud knows (%u)", (long long)version,
		        store_schema_version());
		check_find(check, what, "use the newer lud");
	}
	if (db_check_all(db, check_on_damage, check) < 0) {
		check_on_damage("it cannot be read to its end", check);
		err_forget();
	}
	for (size_t i = 0; i < sizeof(check_rules) / sizeof(check_rules[0]); i++) {
		check_rule(db, &check_rules[i], check);
	}
	check_leftovers_all(db, check);
	return 0;
}

int store_check(const char *path, store_finding_fn fn, void *arg, struct failure *ret_failure)
{
	struct check check = {.fn = fn, .arg = arg};

	return err_up(check_all(path, &check, ret_failure));
}

int store_copy(const char *from, const char *to, struct failure *ret_failure)
{
	struct check check = {0};
	int r = check_all(from, &check, ret_failure);

	if (!r && check.n) {
		failure_set(ret_failure, "record-damaged", from,
		        "`luctl db check` says what is wrong; take another file",
		        "the record is not whole: nothing was copied%s", "");
		return err_raise(-EBADMSG);
	}
	return r ? err_up(r) : err_up(db_copy(from, to, ret_failure));
}
