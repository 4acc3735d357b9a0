/*
 * Layouts more often than once a minute: the standing order that a policy wants of a machine. It is a row of the
 * record as a person's is, with the policy's name, and the same code gives it to the machine, again after each
 * boot, and with the windows and holds of the moment as its quiet times. A person's standing order goes first: the
 * policy's comes back when that is over.
 *
 * A machine has one standing order. Of several policies that ask for one the highest decides which; services of
 * the others stay where they are, which the status of their timers says.
 */
#include <inttypes.h>

#include "host/base/log.h"
#include "orchestrator/job/core/standing.h"
#include "orchestrator/job/schedule/priv.h"

/* The policy whose standing order the machine is to have; NULL: none asks for one. */
static const struct policy *standing_policy(const struct schedule *schedule,
        const struct machine *machine, struct section_rerandomize *ret_says,
        struct schedule_services *ret_services)
{
	const struct policy *best = NULL;
	size_t n;
	const struct policy *const *policies = rules_policies(engine_rules(schedule->engine), &n);

	for (size_t i = 0; i < n; i++) {
		struct section_rerandomize says;
		struct schedule_services services;

		if (!section_rerandomize(policies[i], &says) ||
		        says.every_us >= SECTION_STANDING_USEC ||
		        (best && policy_number(policies[i], POLICY_PRIORITY) <=
		                         policy_number(best, POLICY_PRIORITY))) {
			continue;
		}
		schedule_services(schedule, machine, policies[i], DECIDE_RERANDOMIZE, &services);
		if (services.n) {
			best = policies[i];
			*ret_says = says;
			*ret_services = services;
		}
	}
	return best;
}

/* What the policy wants, as a row: its services by name, since others may be decided by another one. */
static void standing_row(const struct schedule *schedule, const struct policy *policy,
        const struct section_rerandomize *says, const struct schedule_services *services,
        struct standing_row *ret)
{
	struct principal who = access_policy(
	        policy_name(policy), rules_version(engine_rules(schedule->engine))->id);
	size_t len = 0;

	*ret = (struct standing_row){
	        .wanted = true,
	        .every_ms = (uint32_t)(says->every_us / 1000),
	        .jitter_ms = (uint32_t)((says->jitter_us < says->every_us ? says->jitter_us
	                                                                  : says->every_us) /
	                                1000),
	};
	snprintf(ret->policy, sizeof(ret->policy), "%s", policy_name(policy));
	snprintf(ret->identity, sizeof(ret->identity), "%s", who.name);
	for (size_t i = 0; i < services->n && len < sizeof(ret->services); i++) {
		len += (size_t)snprintf(ret->services + len, sizeof(ret->services) - len, "%s%s",
		        i ? " " : "", services->list[i]->name);
	}
}

/* Do two of a policy say the same? Who gave it, and in which version, does not matter. */
static bool standing_is_same(const struct standing_row *a, const struct standing_row *b)
{
	return a->wanted == b->wanted && a->every_ms == b->every_ms &&
	       a->jitter_ms == b->jitter_ms && !strcmp(a->policy, b->policy) &&
	       !strcmp(a->services, b->services);
}

/* Nobody waits for it: what keeps it from the machine is in the status. */
static void standing_put(struct schedule *schedule, struct machine *machine,
        const struct standing_row *row, const char *what)
{
	int r = standing_want(schedule->engine, machine, row, NULL, NULL);

	if (r < 0) {
		log_error("standing order: %s", err_trace());
		err_forget();
		return;
	}
	log_info("machine %s: %s the standing order of %s", machine_row(machine)->name, what,
	        row->identity);
}

/* A person's that is over leaves the machine to the policies. */
static bool standing_is_persons(const struct standing_row *row)
{
	return row->wanted && !*row->policy && (!row->until_us || row->until_us > store_now_usec());
}

int64_t schedule_standing(struct schedule *schedule, struct machine *machine)
{
	struct section_rerandomize says;
	struct schedule_services services;
	struct standing_row had = {0}, want;
	const struct policy *policy;

	if (store_standing_find(engine_db(schedule->engine), machine_row(machine)->id, &had) < 0) {
		err_forget();
		return 0;
	}
	if (standing_is_persons(&had)) {
		return had.until_us;
	}
	if (standing_is_awaited(schedule->engine, machine)) {
		return store_now_usec() + SCHEDULE_LOOK_USEC;
	}
	/* What runs on a machine that is not up is not known. */
	if (machine_state(machine) != MACHINE_UP || !machine_status(machine)) {
		return 0;
	}
	policy = standing_policy(schedule, machine, &says, &services);
	if (policy && !machine_status(machine)->no_kits) {
		standing_row(schedule, policy, &says, &services, &want);
		if (!standing_is_same(&had, &want)) {
			standing_put(schedule, machine, &want, "it gets");
		}
	} else if (had.wanted && *had.policy) {
		want = had;
		want.wanted = false;
		standing_put(schedule, machine, &want, "it loses");
	}
	return 0;
}
