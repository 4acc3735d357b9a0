/*
 * Sets: several services of a machine, updated or rolled back as one. All of it is planned before any of it is recorded,
 * and recorded at once: the set, and its members as children of it, in the order in which they are carried out. What
 * becomes of them is in steps/set.c.
 *
 * The order is that of `update.order`, where the policies say something; else callers come before what they call, as the kits
 * of the releases to come say it (their IPC targets): a caller is made to get along with what it calls, old or new,
 * and not the other way round. Services that call each other stay as they were named. Rollbacks are carried out the other
 * way round.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/hook/hook.h"
#include "orchestrator/job/core/job.h"
#include "orchestrator/job/plan/priv.h"
#include "orchestrator/work/kit.h"
#include "proto/envelope/envelope.h"

/* A member while the order is found. */
struct set_sort {
	struct job_order order;
	size_t place; /* in update.order */
	char calls[KIT_TARGETS_MAX][SERVICE_NAME_SIZE];
	uint32_t n_calls;
	bool is_taken;
};

/* Whom the release to come calls. What cannot be read calls nobody, and is refused elsewhere. */
static void set_read_calls(struct engine *engine, struct set_sort *one)
{
	_cleanup_(freep) uint8_t *signed_part = NULL;
	struct job_forecast *forecast = mem_zero(sizeof(*forecast));
	struct envelope_part part;
	struct failure failure;
	size_t size;

	if (!engine_foresee(engine, &one->order, forecast, &failure) &&
	        !kit_signed_read(forecast->to.path, &signed_part, &size) &&
	        envelope_part_open(signed_part, size, &part) == ENVELOPE_OK &&
	        part.kind == ENVELOPE_KIT) {
		const struct kit_manifest *kit = (const struct kit_manifest *)part.manifest;

		one->n_calls = kit->n_targets < KIT_TARGETS_MAX ? kit->n_targets : KIT_TARGETS_MAX;
		memcpy(one->calls, kit->targets, sizeof(one->calls));
	}
	err_forget();
	free(forecast);
}

static void set_read_place(const struct engine *engine, struct set_sort *one, char *why)
{
	const struct machine_row *row = machine_row(one->order.machine);
	struct decide_subject subject = {row->name, row->groups, row->labels, one->order.service};
	size_t n;
	const struct policy *const *policies = rules_policies(engine_rules(engine), &n);
	const struct policy *policy = decide_by(policies, n, &subject, POLICY_UPDATE);

	one->place = policy ? section_update_place(policy, one->order.service) : 0;
	if (policy && policy_has(policy, POLICY_ORDER)) {
		snprintf(why, PLAN_WHY_SIZE, "update.order of policy %.60s says so",
		        policy_name(policy));
	}
}

static bool set_calls(const struct set_sort *one, const struct set_sort *other)
{
	for (uint32_t i = 0; i < one->n_calls; i++) {
		if (!strncmp(one->calls[i], other->order.service, sizeof(one->calls[i]))) {
			return true;
		}
	}
	return false;
}

static bool set_is_before(const struct set_sort *one, const struct set_sort *other)
{
	return one->place != other->place ? one->place < other->place : set_calls(one, other);
}

/* Whether something that is left goes before it; of those that go before each other, none does. */
static bool set_has_earlier(const struct set_sort *all, size_t n, size_t at)
{
	for (size_t i = 0; i < n; i++) {
		if (i != at && !all[i].is_taken && set_is_before(&all[i], &all[at]) &&
		        !set_is_before(&all[at], &all[i])) {
			return true;
		}
	}
	return false;
}

/* The first that nothing goes before; of a circle, the first. */
static size_t set_next(const struct set_sort *all, size_t n)
{
	size_t first = n;

	for (size_t i = 0; i < n; i++) {
		if (all[i].is_taken) {
			continue;
		}
		if (!set_has_earlier(all, n, i)) {
			return i;
		}
		first = first == n ? i : first;
	}
	return first;
}

static void set_say_calls(const struct set_sort *all, size_t n, char why[PLAN_WHY_SIZE])
{
	for (size_t i = 0; i < n && !*why; i++) {
		for (size_t k = 0; k < n && !*why; k++) {
			if (i != k && set_calls(&all[i], &all[k]) && !set_calls(&all[k], &all[i])) {
				snprintf(why, PLAN_WHY_SIZE, "%s calls %s", all[i].order.service,
				        all[k].order.service);
			}
		}
	}
}

void plan_set_sort(struct engine *engine, struct job_set_order *set, char ret_why[PLAN_WHY_SIZE])
{
	struct set_sort *all = mem_zero(PLAN_SET_MAX * sizeof(*all));
	bool is_back = set->n && set->members[0].kind == JOB_ROLLBACK;

	*ret_why = '\0';
	for (size_t i = 0; i < set->n; i++) {
		all[i].order = set->members[i];
		set_read_calls(engine, &all[i]);
		set_read_place(engine, &all[i], ret_why);
	}
	set_say_calls(all, set->n, ret_why);
	for (size_t i = 0; i < set->n; i++) {
		size_t next = set_next(all, set->n);

		all[next].is_taken = true;
		set->members[is_back ? set->n - 1 - i : i] = all[next].order;
	}
	if (!*ret_why) {
		snprintf(ret_why, PLAN_WHY_SIZE, "none of them is known to call another");
	} else if (is_back) {
		snprintf(ret_why + strlen(ret_why), PLAN_WHY_SIZE - strlen(ret_why),
		        ", and this is the way back");
	}
	free(all);
}

int plan_set_check(const struct job_set_order *set, struct failure *ret_failure)
{
	/* First: ->members has no room for more. */
	if (set->n < 2 || set->n > PLAN_SET_MAX) {
		failure_set(ret_failure, "invalid", "set",
		        set->n < 2 ? "ask for a single service by itself, as `service`"
		                   : "ask for fewer services at a time",
		        "a set has 2 to %u services, and this one %zu", PLAN_SET_MAX, set->n);
		return ENGINE_E_REFUSED;
	}
	for (size_t i = 0; i < set->n; i++) {
		for (size_t k = i + 1; k < set->n; k++) {
			if (!strcmp(set->members[i].service, set->members[k].service)) {
				failure_set(ret_failure, "invalid", set->members[i].service,
				        "name each service once", "%s is named twice",
				        set->members[i].service);
				return ENGINE_E_REFUSED;
			}
		}
		if (set->members[i].accept_loss) {
			failure_set(ret_failure, "set-loss", set->members[i].service,
			        "update the service that loses state by itself",
			        "a set goes back when one of its services fails, and what was lost "
			        "%s",
			        "does not come back");
			return ENGINE_E_REFUSED;
		}
	}
	return 0;
}

/* All of it while it is planned: the set itself, then its members. */
struct set_plan {
	struct job_plan set;
	struct job_plan members[PLAN_SET_MAX];
	struct job_order orders[PLAN_SET_MAX];
	size_t n;
};

static int set_write(struct db *db, void *arg)
{
	struct set_plan *all = arg;
	int r = plan_write(db, &all->set);

	for (size_t i = 0; !r && i < all->n; i++) {
		all->members[i].row.parent = all->set.row.id;
		r = plan_write(db, &all->members[i]);
	}
	return err_up(r);
}

/* Every member, before anything of any is recorded. */
static int set_resolve(struct set_plan *all)
{
	int r = plan_resolve(&all->set);

	for (size_t i = 0; !r && i < all->n; i++) {
		r = plan_resolve(&all->members[i]);
	}
	for (size_t i = 0; !r && i < all->n; i++) {
		r = plan_join(&all->members[i]);
	}
	return r == ENGINE_E_SKIPPED ? ENGINE_E_REFUSED : err_up(r);
}

/* Their jobs begin only when the set does, which is the first in the list. */
static void set_begin(struct engine *engine, const struct set_plan *all)
{
	(void)job_new(engine, &all->set.row);
	for (size_t i = 0; i < all->n; i++) {
		plan_supersede(engine, job_new(engine, &all->members[i].row));
	}
}

static int set_plan(struct set_plan *all)
{
	struct engine *engine = all->set.engine;
	int r = set_resolve(all);

	if (r) {
		return err_up(r);
	}
	plan_row(&all->set);
	for (size_t i = 0; i < all->n; i++) {
		plan_row(&all->members[i]);
	}
	r = db_effect(engine->parts.db, set_write, all);
	if (r < 0) {
		failure_set(all->set.failure, "record", "lud", "check the state directory",
		        "the set cannot be recorded: %s", strerror(-r));
		return err_up(r);
	}
	hook_point("plan", "set");
	log_info("job %" PRId64 ": a set of %zu services on %s for %s", all->set.row.id, all->n,
	        machine_row(all->set.order->machine)->name, all->set.order->asked->who.name);
	set_begin(engine, all);
	return 0;
}

int engine_plan_set(struct engine *engine, const struct job_set_order *set, int64_t *ret_job,
        struct failure *ret_failure)
{
	struct job_order order = job_order_of(JOB_SET, set->members[0].machine, "", set->asked);
	/* The request is the set's: a member alone is no answer to it. */
	struct job_asked asked = *set->asked;
	struct set_plan *all;
	int r = plan_set_check(set, ret_failure);

	if (r) {
		return r;
	}
	asked.request_id = "";
	order.plan = set->plan;
	all = mem_zero(sizeof(*all));
	all->n = set->n;
	all->set = (struct job_plan){.engine = engine, .order = &order, .failure = ret_failure};
	for (size_t i = 0; i < set->n; i++) {
		all->orders[i] = set->members[i];
		all->orders[i].asked = &asked;
		all->orders[i].plan = NULL; /* it is the set's */
		all->members[i] = (struct job_plan){
		        .engine = engine, .order = &all->orders[i], .failure = ret_failure};
	}
	r = plan_again(&all->set, ret_job);
	if (r == DB_E_NONE) {
		r = set_plan(all);
		*ret_job = r ? *ret_job : all->set.row.id;
	}
	free(all);
	return err_up(r);
}
