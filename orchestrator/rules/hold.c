/*
 * Holds. They are few and looked at often, so those that were not taken away are in memory; the record has
 * them all, with who held, who let go, and why. One whose time is over holds nothing any more, without
 * anybody writing that down.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/rules/priv.h"

/* A change of the holds: rows that end or last longer, and rows that begin (id 0), all of them or none. */
struct rules_hold_change {
	struct hold_row rows[2 * RULES_HOLDS_MAX];
	size_t n;
};

static int rules_hold_txn(struct db *db, void *arg)
{
	struct rules_hold_change *change = arg;
	int r = 0;

	for (size_t i = 0; !r && i < change->n; i++) {
		struct hold_row *row = &change->rows[i];

		r = row->id ? store_hold_set(db, row) : store_hold_insert(db, row);
	}
	return r;
}

/* Negative: it could not be recorded. */
static int rules_hold_lost(int r, struct failure *ret_failure)
{
	failure_set(ret_failure, "record", "lud", "check the state directory",
	        "the hold cannot be recorded: %s", strerror(r < 0 ? -r : 0));
	return err_fold(r);
}

bool rules_hold_is_on(const struct hold_row *row, int64_t now_us)
{
	return !row->until_us || row->until_us > now_us;
}

/* Room is made by those whose time is over. */
static void rules_hold_forget(struct rules *rules, int64_t now_us)
{
	size_t n = 0;

	for (size_t i = 0; i < rules->n_holds; i++) {
		if (!rules->holds[i].ended_us && rules_hold_is_on(&rules->holds[i], now_us)) {
			rules->holds[n++] = rules->holds[i];
		}
	}
	rules->n_holds = n;
}

static bool rules_is_by(const struct hold_row *row, const struct principal *who)
{
	return row->way == who->way && row->uid == who->uid;
}

/* The hold of these words, and of no command or of this one, that somebody has already; NULL: none. */
static struct hold_row *rules_hold_mine(
        struct rules *rules, const struct rules_target *target, const struct rules_asked *asked)
{
	for (size_t i = 0; i < rules->n_holds; i++) {
		struct hold_row *row = &rules->holds[i];

		if (row->machine == target->machine && !strcmp(row->service, target->service) &&
		        !strcmp(row->token, asked->token) && rules_is_by(row, asked->who)) {
			return row;
		}
	}
	return NULL;
}

/*
 * The last places are kept for holds of everything: whoever has filled the others with small ones cannot
 * keep anybody from stopping it all. One user has one hold of the same words, so nobody fills those either.
 */
static bool rules_hold_has_room(const struct rules *rules, const struct rules_target *targets,
        size_t n_new, const struct rules_asked *asked)
{
	bool is_all = !targets[0].machine && !*targets[0].service && !*asked->token;

	return !n_new ||
	       rules->n_holds + n_new <= RULES_HOLDS_MAX - (is_all ? 0 : RULES_HOLDS_KEPT);
}

static struct hold_row rules_hold_row(
        const struct rules_target *target, int64_t until_us, const struct rules_asked *asked)
{
	struct hold_row row = {.machine = target->machine, .until_us = until_us};

	snprintf(row.service, sizeof(row.service), "%s", target->service);
	snprintf(row.identity, sizeof(row.identity), "%s", asked->who->name);
	snprintf(row.reason, sizeof(row.reason), "%s", asked->reason);
	snprintf(row.token, sizeof(row.token), "%s", asked->token);
	row.way = asked->who->way;
	row.role = asked->who->role;
	row.uid = asked->who->uid;
	return row;
}

static void rules_hold_end(struct hold_row *row, int64_t now, const struct rules_asked *asked)
{
	row->ended_us = now;
	snprintf(row->ended_by, sizeof(row->ended_by), "%s", asked->who->name);
	snprintf(row->ended_reason, sizeof(row->ended_reason), "%s", asked->reason);
}

/* What is in the record now is in memory, too. */
static void rules_hold_take(struct rules *rules, const struct rules_hold_change *change)
{
	for (size_t i = 0; i < change->n; i++) {
		const struct hold_row *row = &change->rows[i];

		for (size_t k = 0; row->ended_us && k < rules->n_holds; k++) {
			if (rules->holds[k].id == row->id) {
				rules->holds[k] = *row;
			}
		}
		log_info("hold %" PRId64 " %s %s%s%s", row->id,
		        row->ended_us ? "is taken away by" : "by",
		        row->ended_us ? row->ended_by : row->identity,
		        *(row->ended_us ? row->ended_reason : row->reason) ? ": " : "",
		        row->ended_us ? row->ended_reason : row->reason);
	}
	rules_hold_forget(rules, store_now_usec());
	for (size_t i = 0; i < change->n; i++) {
		if (!change->rows[i].ended_us) {
			rules->holds[rules->n_holds++] = change->rows[i];
		}
	}
}

int rules_hold(struct rules *rules, const struct rules_target *targets, size_t n, int64_t until_us,
        const struct rules_asked *asked, struct failure *ret_failure)
{
	_cleanup_(freep) struct rules_hold_change *change = mem_zero(sizeof(*change));
	int64_t now = store_now_usec();
	int r;

	rules_hold_forget(rules, now);
	for (size_t i = 0; i < n; i++) {
		struct hold_row *mine = rules_hold_mine(rules, &targets[i], asked);

		if (mine) {
			change->rows[change->n] = *mine;
			rules_hold_end(&change->rows[change->n++], now, asked);
		}
	}
	if (n > RULES_HOLDS_MAX || !rules_hold_has_room(rules, targets, n - change->n, asked)) {
		failure_set(ret_failure, "too-many", "holds",
		        "`luctl holds` lists them; `luctl unhold` takes them away",
		        "there are too many holds%s", "");
		return RULES_E_REFUSED;
	}
	for (size_t i = 0; i < n; i++) {
		change->rows[change->n++] = rules_hold_row(&targets[i], until_us, asked);
	}
	r = db_effect(rules->db, rules_hold_txn, change);
	if (r) {
		return rules_hold_lost(r, ret_failure);
	}
	rules_hold_take(rules, change);
	return 0;
}

bool rules_is_held(const struct rules *rules, const char *token, const struct principal *who)
{
	for (size_t i = 0; i < rules->n_holds; i++) {
		const struct hold_row *row = &rules->holds[i];

		if (!strcmp(row->token, token) && rules_is_by(row, who) && !row->ended_us) {
			return true;
		}
	}
	return false;
}

/* What cannot be written now is over in memory, and in the record a while after lud's next start. */
void rules_hold_over(struct rules *rules, const char *token, const struct rules_asked *asked)
{
	_cleanup_(freep) struct rules_hold_change *change = mem_zero(sizeof(*change));
	int64_t now = store_now_usec();

	for (size_t i = 0; i < rules->n_holds; i++) {
		const struct hold_row *row = &rules->holds[i];

		if (!strcmp(row->token, token) && rules_is_by(row, asked->who)) {
			change->rows[change->n] = *row;
			rules_hold_end(&change->rows[change->n++], now, asked);
		}
	}
	if (change->n && db_txn(rules->db, rules_hold_txn, change) != 0) {
		err_forget();
	}
	rules_hold_take(rules, change);
}

/* Who made it, or may pass it anyhow. */
static bool rules_may_unhold(const struct hold_row *row, const struct principal *who, bool all)
{
	return all || rules_is_by(row, who);
}

/* Those of exactly this target that may be taken away; how many others hold. */
static size_t rules_unhold_find(const struct rules *rules, const struct rules_target *target,
        bool all, const struct rules_asked *asked, struct rules_hold_change *change)
{
	int64_t now = store_now_usec();
	size_t n_others = 0;

	for (size_t i = 0; i < rules->n_holds; i++) {
		const struct hold_row *row = &rules->holds[i];

		if (row->machine != target->machine || strcmp(row->service, target->service) != 0) {
			continue;
		}
		if (!rules_may_unhold(row, asked->who, all)) {
			n_others++;
			continue;
		}
		change->rows[change->n] = *row;
		rules_hold_end(&change->rows[change->n++], now, asked);
	}
	return n_others;
}

int rules_unhold(struct rules *rules, const struct rules_target *targets, size_t n, bool all,
        const struct rules_asked *asked, struct failure *ret_failure)
{
	_cleanup_(freep) struct rules_hold_change *change = mem_zero(sizeof(*change));
	size_t n_others = 0;
	int r;

	rules_hold_forget(rules, store_now_usec());
	for (size_t i = 0; i < n; i++) {
		size_t n_before = change->n;

		n_others += rules_unhold_find(rules, &targets[i], all, asked, change);
		if (change->n == n_before && !n_others) {
			failure_set(ret_failure, "no-hold", "holds",
			        "`luctl holds` lists them: give the words of the hold",
			        "nothing holds exactly that%s", "");
			return RULES_E_NONE;
		}
	}
	/* Where others hold, too, what was asked for is not done. */
	r = n_others ? db_txn(rules->db, rules_hold_txn, change)
	             : db_effect(rules->db, rules_hold_txn, change);
	if (r) {
		return rules_hold_lost(r, ret_failure);
	}
	rules_hold_take(rules, change);
	if (n_others) {
		failure_set(ret_failure, "held-by-others", "holds",
		        "ask who made it, or have it taken away by somebody with the role override",
		        "somebody else holds it, too%s", "");
	}
	return n_others ? RULES_E_REFUSED : 0;
}

size_t rules_holds(struct rules *rules, int64_t now_us, const struct hold_row **ret_rows)
{
	rules_hold_forget(rules, now_us);
	*ret_rows = rules->holds;
	return rules->n_holds;
}

/*
 * One that lasts as long as a command has lost it: lud was not there. The command has a while to be heard
 * again; then the hold is over, by a time that stands in the record like any other.
 */
static int rules_hold_wait(struct db *db, void *arg)
{
	struct rules *rules = arg;
	int64_t until = store_now_usec() + RULES_HOLD_GRACE_USEC;
	int r = 0;

	for (size_t i = 0; !r && i < rules->n_holds; i++) {
		struct hold_row *row = &rules->holds[i];

		if (*row->token && !row->until_us) {
			row->until_us = until;
			r = store_hold_set(db, row);
		}
	}
	return r;
}

static int rules_hold_load(const struct hold_row *row, void *arg)
{
	struct rules *rules = arg;

	if (rules_hold_is_on(row, store_now_usec()) && rules->n_holds < RULES_HOLDS_MAX) {
		rules->holds[rules->n_holds++] = *row;
	}
	return 0;
}

/* A record that cannot be written now has the holds all the same, and their times in memory. */
int rules_holds_load(struct rules *rules)
{
	int r;

	rules->n_holds = 0;
	r = store_hold_each(rules->db, rules_hold_load, rules);
	if (!r && db_txn(rules->db, rules_hold_wait, rules) != 0) {
		err_forget();
	}
	return err_up(r);
}

/* One that is not in memory any more since its end was over, by a clock that was ahead. */
static int rules_hold_again(const struct hold_row *row, void *arg)
{
	struct rules *rules = arg;

	for (size_t i = 0; i < rules->n_holds; i++) {
		if (rules->holds[i].id == row->id) {
			return 0;
		}
	}
	return *row->token ? 0 : rules_hold_load(row, rules);
}

/*
 * Those of commands are as memory has them: one that is over may not be so in the record yet. Where the record
 * cannot be read the others are, too.
 */
void rules_clock_set(struct rules *rules, int64_t usec)
{
	for (size_t i = 0; i < rules->n_holds; i++) {
		struct hold_row *row = &rules->holds[i];

		row->created_us += usec;
		row->until_us += row->until_us && *row->token ? usec : 0;
	}
	if (store_hold_each(rules->db, rules_hold_again, rules)) {
		err_forget();
	}
}
