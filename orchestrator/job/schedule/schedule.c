/*
 * Timers of policies. Each machine has one for each policy and action, in the record: when it is looked at
 * next, when its time came last, and why nothing came of it. What has to be done follows from the row, the
 * policies and the machine at that moment, and nothing else: a lud that was away finds its rows due and looks
 * at each of them once, however often their time has come meanwhile.
 *
 *   policies, marks, machine up, standing order ---> schedule_machine(): rows for what matches
 *   a place of `limits` came free               ---> rows that wait for one are looked at now (place.c)
 *   a crash, the end of a job, releases         ---> a row is looked at now
 *   the first look_us of all rows               ---> one timer of the event loop
 *
 *   look ---> not yet: look_us is when
 *        ---> a gate is shut, the machine is down or busy: why, and look_us is when that may be over
 *        ---> a round: recorded as open ---> jobs, by a request id of this round ---> recorded as over
 *
 * A round that is found open is asked for again by the same request id, so that its jobs are made once.
 *
 * The clock: times are unix times, since windows are. The host's is looked at every few seconds; where somebody set
 * it, all that waits moves with it (engine_clock()), timers too, and each is looked at.
 */
#include "orchestrator/job/schedule/schedule.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include <event2/event.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/hook/hook.h"
#include "orchestrator/job/plan/plan.h"
#include "orchestrator/job/schedule/priv.h"
#include "proto/envelope/envelope_crypto.h"

/* A wait is never longer, since the clock may be set meanwhile. */
#define SCHEDULE_WAIT_USEC INT64_C(2000000)
/* Looks in one turn of the event loop. */
#define SCHEDULE_BATCH 16

struct decide_subject schedule_subject(const struct machine *machine, const char *service)
{
	const struct machine_row *row = machine_row(machine);

	return (struct decide_subject){row->name, row->groups, row->labels, service};
}

enum policy_row schedule_section(enum decide_action action)
{
	return action == DECIDE_UPDATE ? POLICY_UPDATE : POLICY_RERANDOMIZE;
}

void schedule_services(const struct schedule *schedule, const struct machine *machine,
        const struct policy *policy, enum decide_action action, struct schedule_services *ret)
{
	const Machine__Status *status = machine_status(machine);
	size_t n_policies;
	const struct policy *const *policies =
	        rules_policies(engine_rules(schedule->engine), &n_policies);

	ret->n = 0;
	for (size_t i = 0; status && i < status->n_services; i++) {
		const Machine__Service *service = status->services[i];
		struct decide_subject subject = schedule_subject(machine, service->name);

		if (service->can_update && ret->n < SCHEDULE_SERVICES_MAX &&
		        decide_by(policies, n_policies, &subject, schedule_section(action)) ==
		                policy) {
			ret->list[ret->n++] = service;
		}
	}
}

/* The first gate that is shut for a service; is_open: none is. */
static struct rules_gate schedule_shut(
        struct schedule_at *at, int64_t limit_us, const char *service)
{
	struct rules_question question = {
	        .machine = machine_row(at->machine),
	        .service = service,
	        .action = at->row.action,
	        .limit_us = limit_us,
	        .is_job = true,
	};
	struct rules_gate gates[_RULES_GATE_N];

	rules_ask(engine_rules(at->schedule->engine), &question, at->now, gates);
	for (enum rules_gate_id gate = 0; gate < _RULES_GATE_N; gate++) {
		if (!gates[gate].is_open) {
			if (gates[gate].limit) {
				place_add(at, gates[gate].limit);
			}
			return gates[gate];
		}
	}
	return (struct rules_gate){.is_open = true};
}

struct rules_gate schedule_gate(
        struct schedule_at *at, int64_t limit_us, struct schedule_services *services)
{
	struct rules_gate shut = {.is_open = true, .next_us = DECIDE_NEVER};
	size_t n = 0;

	for (size_t i = 0; i < services->n; i++) {
		struct rules_gate gate = schedule_shut(at, limit_us, services->list[i]->name);

		if (gate.is_open) {
			services->list[n++] = services->list[i];
		} else if (shut.is_open || gate.next_us < shut.next_us) {
			shut = gate;
		}
	}
	services->n = n;
	shut.is_open = n > 0;
	return shut;
}

int64_t schedule_part(const struct machine *machine, const char *policy, int64_t jitter_us)
{
	const struct machine_row *row = machine_row(machine);
	uint8_t bytes[sizeof(row->machine_id) + sizeof(row->name) + 72] = {0};
	uint8_t hash[64];
	uint64_t part;

	if (row->has_machine_id) {
		memcpy(bytes, row->machine_id, sizeof(row->machine_id));
	} else {
		snprintf((char *)bytes, sizeof(row->name), "%s", row->name);
	}
	snprintf((char *)bytes + sizeof(row->machine_id) + sizeof(row->name), 72, "%s", policy);
	envelope_hash(bytes, sizeof(bytes), hash);
	memcpy(&part, hash, sizeof(part));
	return jitter_us ? (int64_t)(part % (uint64_t)jitter_us) : 0;
}

void schedule_look_at(struct timer_row *row, int64_t look_us)
{
	if (look_us && look_us != DECIDE_NEVER && (!row->look_us || look_us < row->look_us)) {
		row->look_us = look_us;
	}
}

void schedule_asked(const struct schedule_at *at, char request_id[64], struct job_asked *ret)
{
	const struct policy_version_row *version =
	        rules_version(engine_rules(at->schedule->engine));

	snprintf(request_id, 64, "policy-%" PRId64 "-%" PRIu64, at->row.id, at->row.round);
	*ret = (struct job_asked){
	        .who = access_policy(at->row.policy, version->id),
	        .reason = *at->row.event ? at->row.event : "its time has come",
	        .request_id = request_id,
	};
}

uint64_t schedule_round_of(const struct schedule_at *at, const struct job_row *job)
{
	struct job_row set = *job;
	int64_t timer;
	uint64_t round;

	if (job->parent && store_job_find(engine_db(at->schedule->engine), job->parent, &set)) {
		err_forget();
		return 0;
	}
	return sscanf(set.request_id, "policy-%" SCNd64 "-%" SCNu64, &timer, &round) == 2 &&
	                       timer == at->row.id
	               ? round
	               : 0;
}

void schedule_alarm(struct schedule_at *at, bool is_on, const char *text)
{
	struct timer_row *row = &at->row;
	const char *name = machine_row(at->machine)->name;
	struct log_about about = {.machine = name, .policy = row->policy};

	if (is_on && !row->alarm_us) {
		row->alarm_us = at->now;
		about.message = LOG_POLICY_ALARM;
		log_line(LOG_LEVEL_WARN, &about, "machine %s: alarm of policy %s: %s", name,
		        row->policy, text);
	} else if (!is_on && row->alarm_us) {
		row->alarm_us = 0;
		about.message = LOG_POLICY_ALARM_OVER;
		log_line(LOG_LEVEL_INFO, &about, "machine %s: alarm of policy %s is over: %s", name,
		        row->policy, row->alarm);
	}
	snprintf(row->alarm, sizeof(row->alarm), "%s", is_on ? text : "");
}

static int schedule_put_txn(struct db *db, void *arg)
{
	return err_up(store_timer_put(db, arg));
}

/* False: the record could not be written; the row is looked at again when that is over. */
static bool schedule_put(const struct schedule *schedule, struct timer_row *row)
{
	if (db_txn(engine_db(schedule->engine), schedule_put_txn, row)) {
		err_forget();
		return false;
	}
	return true;
}

bool schedule_round(struct schedule_at *at, void (*ask)(struct schedule_at *at))
{
	struct timer_row *row = &at->row;

	if (!row->open) {
		row->round++;
		row->open = true;
		row->last_us = at->now;
		if (!schedule_put(at->schedule, row)) {
			return false;
		}
		hook_point("timer", "begin");
	}
	ask(at);
	hook_point("timer", "did");
	row->open = false;
	row->event[0] = '\0';
	return true;
}

/* r: what planning came to. */
static void schedule_planned(
        struct schedule_at *at, int r, const char *what, const struct failure *failure)
{
	if (r) {
		err_forget();
		snprintf(at->row.why, sizeof(at->row.why), "%.24s: %.120s", what, failure->cause);
		log_warn("policy %s on machine %s: %s: %s; %s", at->row.policy,
		        machine_row(at->machine)->name, what, failure->cause, failure->remedy);
	}
	hook_point("timer", "planned");
}

void schedule_plan(struct schedule_at *at, const struct job_order *order)
{
	struct failure failure;
	int64_t job;
	int r = engine_plan(at->schedule->engine, order, &job, &failure);

	schedule_planned(at, r, order->service, &failure);
}

/* One that is refused is so as a whole: nothing of it is tried by itself. */
void schedule_plan_set(struct schedule_at *at, struct job_set_order *set)
{
	struct engine *engine = at->schedule->engine;
	struct failure failure = {0};
	char why[PLAN_WHY_SIZE];
	int64_t job;

	plan_set_sort(engine, set, why);
	schedule_planned(at, engine_plan_set(engine, set, &job, &failure), "set", &failure);
}

/* A boot that was not seen yet is an event; what was up when the policy came is none. */
static void schedule_boot(struct schedule_at *at)
{
	struct section_rerandomize says;
	uint64_t boot_id = machine_row(at->machine)->boot_id;

	if (machine_state(at->machine) != MACHINE_UP || at->row.boot_id == boot_id) {
		return;
	}
	if (at->row.boot_id && at->row.action == DECIDE_RERANDOMIZE &&
	        section_rerandomize(at->policy, &says) && says.triggers & 1u << SECTION_BOOT) {
		snprintf(at->row.event, sizeof(at->row.event), "the machine was booted");
	}
	at->row.boot_id = boot_id;
}

/* Looks at one row, which is there already, and writes what came of it. */
static void schedule_look(struct schedule *schedule, struct machine *machine,
        const struct policy *policy, const struct timer_row *row)
{
	struct schedule_at at = {
	        .schedule = schedule,
	        .machine = machine,
	        .policy = policy,
	        .row = *row,
	        .now = store_now_usec(),
	        .before_us = row->last_us,
	        .was_look_us = row->look_us,
	};

	schedule_boot(&at);
	at.row.look_us = 0;
	if (at.row.action == DECIDE_UPDATE) {
		update_look(&at);
	} else {
		rerandomize_look(&at);
	}
	if (at.for_place) {
		schedule_look_at(&at.row, place_wait(&at));
	}
	if (at.row.look_us && at.row.look_us <= at.now) {
		at.row.look_us = at.now + SCHEDULE_LOOK_USEC;
	}
	if (memcmp(&at.row, row, sizeof(*row)) != 0) {
		(void)schedule_put(schedule, &at.row);
	}
}

/* They are few. */
const struct policy *schedule_policy(const struct schedule *schedule, const char *name)
{
	size_t n;
	const struct policy *const *policies = rules_policies(engine_rules(schedule->engine), &n);

	for (size_t i = 0; i < n; i++) {
		if (!strcmp(policy_name(policies[i]), name)) {
			return policies[i];
		}
	}
	return NULL;
}

static int schedule_remove_txn(struct db *db, void *arg)
{
	return err_up(store_timer_remove(db, *(const int64_t *)arg));
}

static void schedule_remove(const struct schedule *schedule, int64_t id)
{
	if (db_txn(engine_db(schedule->engine), schedule_remove_txn, &id)) {
		err_forget();
	}
}

/* Whether a policy says something of an action that concerns the machine. */
static bool schedule_wants(
        const struct machine *machine, const struct policy *policy, enum decide_action action)
{
	struct decide_subject subject = schedule_subject(machine, "");

	return policy_has(policy, schedule_section(action)) && decide_matches(policy, &subject);
}

/* A row of a policy that does not count any more, or not here, goes; its alarm with it. */
static void schedule_row(struct schedule *schedule, const struct timer_row *row)
{
	struct machine *machine = machines_by_id(engine_machines(schedule->engine), row->machine);
	const struct policy *policy = schedule_policy(schedule, row->policy);

	if (!machine || !policy || !schedule_wants(machine, policy, row->action)) {
		schedule_remove(schedule, row->id);
	} else {
		schedule_look(schedule, machine, policy, row);
	}
}

void schedule_in(struct schedule *schedule, int64_t usec)
{
	struct timeval pause = {usec / 1000000, usec % 1000000};

	evtimer_add(schedule->timer, &pause);
}

/* Waits for the first row; without any for somebody to make one. */
static void schedule_wait(struct schedule *schedule)
{
	struct timer_row row;
	int64_t left;

	if (!TAILQ_EMPTY(&schedule->woken)) {
		schedule_in(schedule, 0);
		return;
	}
	if (store_timer_first(engine_db(schedule->engine), &row)) {
		err_forget();
		schedule_in(schedule, SCHEDULE_WAIT_USEC);
		return;
	}
	left = row.look_us - store_now_usec();
	schedule_in(schedule, left < 0 ? 0 : left > SCHEDULE_WAIT_USEC ? SCHEDULE_WAIT_USEC : left);
}

static void schedule_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct schedule *schedule = arg;
	struct timer_row row;

	schedule->n_looks = 0;
	if (db_health(engine_db(schedule->engine)) != DB_WELL) {
		schedule_in(schedule, SCHEDULE_WAIT_USEC);
		return;
	}
	engine_clock(schedule->engine);
	for (int i = 0; i < SCHEDULE_BATCH && place_next(schedule, &row); i++) {
		schedule_row(schedule, &row);
	}
	for (int i = 0; i < SCHEDULE_BATCH; i++) {
		if (store_timer_first(engine_db(schedule->engine), &row) ||
		        row.look_us > store_now_usec()) {
			break;
		}
		schedule_row(schedule, &row);
	}
	err_forget();
	schedule_wait(schedule);
}

/*
 * Makes the row if it is not there; then it is looked at: at once, or, where many machines have a policy at once,
 * by the timer, so that nobody waits for all the jobs that they ask for.
 */
static void schedule_ensure(struct schedule *schedule, struct machine *machine,
        const struct policy *policy, enum decide_action action)
{
	struct timer_row row;
	int r = store_timer_find(engine_db(schedule->engine), machine_row(machine)->id,
	        policy_name(policy), action, &row);

	if (r == DB_E_NONE) {
		row = (struct timer_row){
		        .machine = machine_row(machine)->id,
		        .action = action,
		        .created_us = store_now_usec(),
		        .boot_id = machine_row(machine)->boot_id,
		};
		snprintf(row.policy, sizeof(row.policy), "%s", policy_name(policy));
		r = schedule_put(schedule, &row) ? 0 : DB_E_NONE;
	}
	err_forget();
	if (r) {
		return;
	}
	if (schedule->n_looks++ < SCHEDULE_BATCH) {
		schedule_look(schedule, machine, policy, &row);
		return;
	}
	row.look_us = store_now_usec();
	(void)schedule_put(schedule, &row);
}

/* Rows that are there: those of other policies go when they are looked at. */
static int schedule_visit(const struct timer_row *row, void *arg)
{
	struct schedule *schedule = arg;
	struct machine *machine = machines_by_id(engine_machines(schedule->engine), row->machine);
	const struct policy *policy = schedule_policy(schedule, row->policy);

	if (!machine || !policy || !schedule_wants(machine, policy, row->action)) {
		schedule_remove(schedule, row->id);
	}
	return 0;
}

void schedule_machine(struct schedule *schedule, struct machine *machine)
{
	size_t n;
	const struct policy *const *policies = rules_policies(engine_rules(schedule->engine), &n);

	if (db_health(engine_db(schedule->engine)) != DB_WELL ||
	        store_timer_each(engine_db(schedule->engine), machine_row(machine)->id,
	                schedule_visit, schedule)) {
		err_forget();
		schedule_in(schedule, SCHEDULE_WAIT_USEC);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		for (enum decide_action action = 0; action < _DECIDE_ACTION_N; action++) {
			if (schedule_wants(machine, policies[i], action)) {
				schedule_ensure(schedule, machine, policies[i], action);
			}
		}
	}
	(void)schedule_standing(schedule, machine);
	schedule_wait(schedule);
}

/* An event for the rows of a machine whose policies want fresh layouts after it. */
struct schedule_befell {
	struct schedule *schedule;
	enum section_trigger
	        trigger; /* _SECTION_TRIGGER_N: none; they are looked at all the same */
	const char *what;
};

/* One row: the event is recorded with it, so that it is not lost with lud. */
static int schedule_befell(const struct timer_row *row, void *arg)
{
	const struct schedule_befell *befell = arg;
	const struct policy *policy = schedule_policy(befell->schedule, row->policy);
	struct section_rerandomize says;
	struct timer_row changed = *row;

	changed.look_us = store_now_usec();
	if (befell->trigger != _SECTION_TRIGGER_N) {
		if (!policy || row->action != DECIDE_RERANDOMIZE ||
		        !section_rerandomize(policy, &says) ||
		        !(says.triggers & 1u << befell->trigger)) {
			return 0;
		}
		snprintf(changed.event, sizeof(changed.event), "%s", befell->what);
	}
	(void)schedule_put(befell->schedule, &changed);
	return 0;
}

/* All rows of a machine. */
static void schedule_tell(
        struct schedule *schedule, int64_t machine, enum section_trigger trigger, const char *what)
{
	struct schedule_befell befell = {schedule, trigger, what};

	if (store_timer_each(engine_db(schedule->engine), machine, schedule_befell, &befell)) {
		err_forget();
	}
	schedule_in(schedule, 0);
}

void schedule_event(struct schedule *schedule, struct machine *machine,
        enum section_trigger trigger, const char *what)
{
	schedule_tell(schedule, machine_row(machine)->id, trigger, what);
}

/* The end of a job: the machine may be free now, and another release is an event. */
static void schedule_on_news(const struct job_news *news, void *arg)
{
	struct schedule *schedule = arg;
	const struct job_row *row = news->row;
	bool is_update = (row->kind == JOB_UPDATE || row->kind == JOB_ROLLBACK) &&
	                 (row->state == JOB_CONFIRMED || row->state == JOB_COMMITTED);
	char what[80];

	if (news->event != JOB_EVENT_ENDED) {
		return;
	}
	schedule_tell(schedule, row->machine, _SECTION_TRIGGER_N, "");
	if (is_update) {
		snprintf(what, sizeof(what), "%s runs another release", row->service);
		schedule_tell(schedule, row->machine, SECTION_AFTER_UPDATE, what);
	}
}

static int schedule_poke_txn(struct db *db, void *arg)
{
	return err_up(store_timer_poke(db, DECIDE_UPDATE, store_now_usec()));
}

void schedule_releases(struct schedule *schedule)
{
	if (db_txn(engine_db(schedule->engine), schedule_poke_txn, NULL)) {
		err_forget();
	}
	schedule_in(schedule, 0);
}

static int schedule_look_txn(struct db *db, void *arg)
{
	return err_up(store_timer_look(db, store_now_usec()));
}

/* All rows are looked at once: what happened while lud was away is not known. */
struct schedule *schedule_new(struct engine *engine)
{
	struct schedule *schedule = mem_zero(sizeof(*schedule));

	schedule->engine = engine;
	TAILQ_INIT(&schedule->waiting);
	TAILQ_INIT(&schedule->woken);
	schedule->timer = evtimer_new(engine->parts.base, schedule_on_timer, schedule);
	if (!schedule->timer) {
		abort();
	}
	schedule->watch = engine_watch(engine, schedule_on_news, schedule);
	if (db_txn(engine_db(engine), schedule_look_txn, NULL)) {
		err_forget();
	}
	schedule_in(schedule, 0);
	return schedule;
}

struct schedule *schedule_free(struct schedule *schedule)
{
	if (schedule) {
		engine_watch_free(schedule->watch);
		event_free(schedule->timer);
		places_fini(schedule);
		free(schedule);
	}
	return NULL;
}
