/*
 * Holds. They are few and looked at often, so those that were not taken away are in memory; the record has
 * them all, with who held, who let go, and why. One whose time is over holds nothing any more, without
 * anybody writing that down.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/base/log.h"
#include "orchestrator/rules/priv.h"

static int rules_hold_txn(struct db *db, void *arg)
{
	return store_hold_insert(db, arg);
}

static int rules_unhold_txn(struct db *db, void *arg)
{
	return store_hold_end(db, arg);
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

int rules_hold(struct rules *rules, const struct rules_target *target, int64_t until_us,
        const struct rules_asked *asked, struct failure *ret_failure)
{
	struct hold_row row = {.machine = target->machine, .until_us = until_us};
	int r;

	rules_hold_forget(rules, store_now_usec());
	if (rules->n_holds == RULES_HOLDS_MAX) {
		failure_set(ret_failure, "too-many", "holds",
		        "`luctl holds` lists them; `luctl unhold` takes them away",
		        "there are too many holds%s", "");
		return RULES_E_REFUSED;
	}
	snprintf(row.service, sizeof(row.service), "%s", target->service);
	snprintf(row.identity, sizeof(row.identity), "%s", asked->who->name);
	snprintf(row.reason, sizeof(row.reason), "%s", asked->reason);
	row.way = asked->who->way;
	row.role = asked->who->role;
	row.uid = asked->who->uid;
	r = db_txn(rules->db, rules_hold_txn, &row);
	if (r) {
		return rules_hold_lost(r, ret_failure);
	}
	rules->holds[rules->n_holds++] = row;
	log_info("hold %" PRId64 " by %s%s%s", row.id, row.identity, *row.reason ? ": " : "",
	        row.reason);
	return 0;
}

/* Who made it, or may pass it anyhow. */
static bool rules_may_unhold(const struct hold_row *row, const struct principal *who, bool all)
{
	return all || (row->way == who->way && row->uid == who->uid);
}

int rules_unhold(struct rules *rules, const struct rules_target *target, bool all,
        const struct rules_asked *asked, struct failure *ret_failure)
{
	int64_t now = store_now_usec();
	size_t n_others = 0, n = 0;

	for (size_t i = 0; i < rules->n_holds; i++) {
		struct hold_row row = rules->holds[i];
		int r;

		if (row.machine != target->machine || strcmp(row.service, target->service) != 0 ||
		        !rules_hold_is_on(&row, now)) {
			continue;
		}
		if (!rules_may_unhold(&row, asked->who, all)) {
			n_others++;
			continue;
		}
		row.ended_us = now;
		snprintf(row.ended_by, sizeof(row.ended_by), "%s", asked->who->name);
		snprintf(row.ended_reason, sizeof(row.ended_reason), "%s", asked->reason);
		r = db_txn(rules->db, rules_unhold_txn, &row);
		if (r) {
			return rules_hold_lost(r, ret_failure);
		}
		rules->holds[i] = row;
		n++;
		log_info("hold %" PRId64 " is taken away by %s%s%s", row.id, row.ended_by,
		        *row.ended_reason ? ": " : "", row.ended_reason);
	}
	rules_hold_forget(rules, now);
	if (!n || n_others) {
		failure_set(ret_failure, n_others ? "held-by-others" : "no-hold", "holds",
		        n_others ? "ask who made it, or have it taken away by somebody with the "
		                   "role override"
		                 : "`luctl holds` lists them: give the words of the hold",
		        n_others ? "somebody else holds it, too%s" : "nothing holds exactly that%s",
		        "");
	}
	return n_others ? RULES_E_REFUSED : n ? 0 : RULES_E_NONE;
}

size_t rules_holds(struct rules *rules, int64_t now_us, const struct hold_row **ret_rows)
{
	rules_hold_forget(rules, now_us);
	*ret_rows = rules->holds;
	return rules->n_holds;
}

static int rules_hold_load(const struct hold_row *row, void *arg)
{
	struct rules *rules = arg;

	if (rules_hold_is_on(row, store_now_usec()) && rules->n_holds < RULES_HOLDS_MAX) {
		rules->holds[rules->n_holds++] = *row;
	}
	return 0;
}

int rules_holds_load(struct rules *rules)
{
	rules->n_holds = 0;
	return err_up(store_hold_each(rules->db, rules_hold_load, rules));
}
