/*
 * `update` of a policy on a machine: which of its services run something older than the newest release that
 * is registered and not blocked for this machine, and what is done about that, by the mode:
 *
 *   check   it is told, in `next` and in the status
 *   stage   a job prepares each: it is made, sent and rehearsed, and a person orders the update
 *   apply   a job updates each, in the order that the policy gives; of a set of the policy those that have something newer
 *           go as one. Where one of them has a newer release that is blocked, the others wait, too
 *
 * What is to be done is told from the machine's word and from the record at each look; a release that came, was
 * blocked or cleared has all machines looked at. The same releases are not asked for twice within an hour:
 * what did not work is not going to work at once. An update waits for a busy machine, since it is still due
 * then, but makes no job before that is free.
 *
 * A round is for the services whose gates are open then, and ->tried is a hash of those. A service that is held
 * meanwhile makes another round when its gate opens, which leaves out what has been asked for already.
 */
#include <inttypes.h>

#include "orchestrator/job/plan/plan.h"
#include "orchestrator/job/schedule/priv.h"
#include "proto/envelope/envelope_crypto.h"

/* Until the same releases are asked for again. */
#define UPDATE_AGAIN_USEC INT64_C(3600000000)

/* A service and what it is to run. */
struct update_wanted {
	const Machine__Service *service;
	struct release_row from, to;
	size_t place;
	size_t set; /* of update.sets, from 1; 0: none */
	bool is_blocked;
};

struct update_list {
	struct update_wanted list[SCHEDULE_SERVICES_MAX];
	size_t n;
};

/* Those of one place stay in the order in which the machine names them, which is that of its start. */
static void update_add(struct update_list *all, const struct update_wanted *wanted)
{
	size_t at = all->n++;

	while (at > 0 && all->list[at - 1].place > wanted->place) {
		all->list[at] = all->list[at - 1];
		at--;
	}
	all->list[at] = *wanted;
}

/* Those of a list that are among these services. */
static void update_keep(const struct update_list *all, const struct schedule_services *services,
        struct update_list *ret)
{
	ret->n = 0;
	for (size_t i = 0; i < all->n; i++) {
		for (size_t k = 0; k < services->n; k++) {
			if (services->list[k] == all->list[i].service) {
				ret->list[ret->n++] = all->list[i];
			}
		}
	}
}

/* By service: both lists are of one look, so of one status. */
static bool update_has(const struct update_list *list, const struct update_wanted *wanted)
{
	for (size_t i = 0; i < list->n; i++) {
		if (list->list[i].service == wanted->service) {
			return true;
		}
	}
	return false;
}

/* Whether all that is wanted of its set is in the list. */
static bool update_is_whole(const struct update_list *all, const struct update_list *list,
        const struct update_wanted *wanted)
{
	for (size_t i = 0; wanted->set && i < all->n; i++) {
		if (all->list[i].set == wanted->set && !update_has(list, &all->list[i])) {
			return false;
		}
	}
	return true;
}

/* Where something of a set is left out, the rest of it is, too: it waits for the same. */
static void update_keep_whole(const struct update_list *all, struct update_list *list)
{
	static struct update_list whole;

	whole.n = 0;
	for (size_t i = 0; i < list->n; i++) {
		if (update_is_whole(all, list, &list->list[i])) {
			whole.list[whole.n++] = list->list[i];
		}
	}
	*list = whole;
}

/* One of a set that is blocked keeps the others, which would be alone. */
static bool update_is_kept(const struct update_list *all, const struct update_wanted *wanted)
{
	for (size_t i = 0; i < all->n; i++) {
		const struct update_wanted *other = &all->list[i];

		if (other->is_blocked &&
		        (other == wanted || (wanted->set && other->set == wanted->set))) {
			return true;
		}
	}
	return false;
}

/* Those that are kept are left out. */
static void update_drop(struct update_list *all)
{
	bool kept[SCHEDULE_SERVICES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < all->n; i++) {
		kept[i] = update_is_kept(all, &all->list[i]);
	}
	for (size_t i = 0; i < all->n; i++) {
		if (!kept[i]) {
			all->list[n++] = all->list[i];
		}
	}
	all->n = n;
}

/* Of these services those that have something newer to run. */
static void update_find(const struct schedule_at *at, const struct schedule_services *services,
        struct update_list *ret)
{
	struct db *db = engine_db(at->schedule->engine);

	ret->n = 0;
	for (size_t i = 0; i < services->n; i++) {
		struct update_wanted wanted = {.service = services->list[i]};

		if (machine_release(db, wanted.service, &wanted.from) ||
		        store_release_newest(db, wanted.service->name, &wanted.to)) {
			err_forget();
			continue;
		}
		wanted.place = section_update_place(at->policy, wanted.service->name);
		wanted.is_blocked =
		        engine_is_blocked(at->schedule->engine, at->machine, &wanted.to);
		wanted.set = section_update_set(at->policy, wanted.service->name);
		if (wanted.to.counter > wanted.from.counter) {
			update_add(ret, &wanted);
		}
	}
	update_drop(ret);
}

/* What there is to do in words. */
static void update_tell(struct timer_row *row, const struct update_list *all)
{
	size_t len = 0;

	row->found[0] = '\0';
	for (size_t i = 0; i < all->n && len < sizeof(row->found); i++) {
		const struct update_wanted *wanted = &all->list[i];

		len += (size_t)snprintf(row->found + len, sizeof(row->found) - len,
		        "%s%.24s %" PRId64 " -> %" PRId64, i ? ", " : "", wanted->service->name,
		        wanted->from.counter, wanted->to.counter);
	}
}

/* There is nothing to do: why, where the newest release of a service is blocked, and what ends that. */
static void update_tell_block(struct schedule_at *at, const struct schedule_services *services)
{
	struct db *db = engine_db(at->schedule->engine);
	struct timer_row *row = &at->row;

	row->why[0] = '\0';
	for (size_t i = 0; i < services->n && !*row->why; i++) {
		struct release_row from, to;

		if (machine_release(db, services->list[i], &from) ||
		        store_release_newest(db, services->list[i]->name, &to)) {
			err_forget();
		} else if (to.blocked_us && to.counter > from.counter) {
			snprintf(row->why, sizeof(row->why),
			        "release %" PRId64
			        " of %.24s is blocked until `luctl release clear`: %.60s",
			        to.counter, services->list[i]->name, to.blocked_why);
		}
	}
}

/* Mode and releases: whether a round was for the same. */
static bool update_is_tried(const struct timer_row *row, enum section_mode mode,
        const struct update_list *list, uint8_t ret_hash[64])
{
	static uint8_t bytes[(1 + SCHEDULE_SERVICES_MAX) * 64];

	bytes[0] = (uint8_t)mode;
	for (size_t i = 0; i < list->n; i++) {
		memcpy(bytes + (1 + i) * 64, list->list[i].to.release_id, 64);
	}
	envelope_hash(bytes, (1 + list->n) * 64, ret_hash);
	return !memcmp(ret_hash, row->tried, 64);
}

/* Of what there is to do that which no gate is in the way of; the first gate that is shut, if all are. */
static struct rules_gate update_open(struct schedule_at *at, int64_t limit_us,
        const struct update_list *all, struct update_list *ret)
{
	struct schedule_services services = {.n = 0};
	struct rules_gate gate;

	for (size_t i = 0; i < all->n; i++) {
		services.list[services.n++] = all->list[i].service;
	}
	gate = schedule_gate(at, limit_us, &services);
	update_keep(all, &services, ret);
	update_keep_whole(all, ret);
	return gate;
}

/*
 * Not an hour ago. When the round before this one was the timer knows, whatever somebody sets the clock to meanwhile. What is
 * older has the time of its job, which is over and stays where it was: at worst it is asked for once more.
 */
static bool update_is_recent(
        const struct schedule_at *at, uint64_t round, const struct job_row *asked)
{
	int64_t asked_us = round + 1 >= at->row.round ? at->before_us : asked->created_us;

	return asked_us <= at->now && asked_us > at->now - UPDATE_AGAIN_USEC;
}

/* An earlier round has asked for it, and it is not time to do so again. */
static bool update_was_asked(
        const struct schedule_at *at, enum job_kind kind, const struct update_wanted *wanted)
{
	struct job_row like = {.machine = at->row.machine, .kind = kind, .release = wanted->to.id};
	struct job_row newest;
	uint64_t round;

	snprintf(like.service, sizeof(like.service), "%s", wanted->service->name);
	if (store_job_newest_like(engine_db(at->schedule->engine), &like, &newest)) {
		err_forget();
		return false;
	}
	round = schedule_round_of(at, &newest);
	return round && (kind == JOB_PREPARE || update_is_recent(at, round, &newest));
}

/* By `stage` it is prepared only. Who makes the layout is as configured: a policy says nothing of that. */
static struct job_order update_order(const struct schedule_at *at,
        const struct section_update *says, const char *service, const struct job_asked *asked)
{
	struct job_order order =
	        job_order_of(says->mode == SECTION_APPLY ? JOB_UPDATE : JOB_PREPARE, at->machine,
	                service, asked);

	order.layout = "";
	order.recipe = "";
	order.timeout_ms = (uint32_t)(says->limit_us / 1000);
	return order;
}

/*
 * All that is wanted of the set that this one is of, once: by the first of them; rest: unless an earlier round has asked for
 * all of it. False: it goes by itself.
 */
static bool update_ask_set(struct schedule_at *at, const struct section_update *says,
        const struct update_list *all, size_t first, const struct job_asked *asked, bool rest)
{
	bool is_news = !rest;
	struct job_order members[PLAN_SET_MAX];
	struct job_asked own = *asked;
	struct job_set_order set = {.members = members, .asked = &own};
	char request_id[64];

	for (size_t i = 0; i < all->n && all->list[first].set; i++) {
		if (all->list[i].set != all->list[first].set) {
			continue;
		}
		if (i < first) {
			return true;
		}
		if (set.n < PLAN_SET_MAX) {
			members[set.n++] =
			        update_order(at, says, all->list[i].service->name, asked);
		}
		is_news = is_news || !update_was_asked(at, JOB_UPDATE, &all->list[i]);
	}
	if (set.n < 2 || says->mode != SECTION_APPLY) {
		return false;
	}
	/* One request of a round for each set: a set has no service by which it could be told from others. */
	snprintf(request_id, sizeof(request_id), "%.50s-%zu", asked->request_id,
	        all->list[first].set);
	own.request_id = request_id;
	if (is_news) {
		schedule_plan_set(at, &set);
	}
	return true;
}

/* rest: only for what no earlier round has asked for. */
static void update_ask_for(struct schedule_at *at, bool rest)
{
	static struct update_list all, open;
	struct section_update says;
	struct schedule_services services;
	enum job_kind kind;
	char request_id[64];
	struct job_asked asked;

	/* A round that is found open may be one of a policy that has become another one. */
	if (!section_update(at->policy, &says) || says.mode < SECTION_STAGE) {
		return;
	}
	kind = says.mode == SECTION_APPLY ? JOB_UPDATE : JOB_PREPARE;
	schedule_asked(at, request_id, &asked);
	schedule_services(at->schedule, at->machine, at->policy, DECIDE_UPDATE, &services);
	update_find(at, &services, &all);
	(void)update_open(at, says.limit_us, &all, &open);
	for (size_t i = 0; i < open.n; i++) {
		struct job_order order =
		        update_order(at, &says, open.list[i].service->name, &asked);

		if (!update_ask_set(at, &says, &open, i, &asked, rest) &&
		        (!rest || !update_was_asked(at, kind, &open.list[i]))) {
			schedule_plan(at, &order);
		}
	}
}

static void update_ask(struct schedule_at *at)
{
	update_ask_for(at, false);
}

static void update_ask_rest(struct schedule_at *at)
{
	update_ask_for(at, true);
}

/* A release that is not everywhere in time, by the one that waits longest. */
static void update_deadline(
        struct schedule_at *at, const struct section_update *says, const struct update_list *all)
{
	const struct update_wanted *first = NULL;
	char text[160] = "";
	int64_t ends;

	for (size_t i = 0; i < all->n; i++) {
		if (!first || all->list[i].to.added_us < first->to.added_us) {
			first = &all->list[i];
		}
	}
	if (!first || !says->deadline_us) {
		schedule_alarm(at, false, "");
		return;
	}
	ends = first->to.added_us + says->deadline_us;
	snprintf(text, sizeof(text),
	        "does not run release %" PRId64 " of %.24s within update.deadline",
	        first->to.counter, first->service->name);
	schedule_alarm(at, at->now > ends, text);
	schedule_look_at(&at->row, at->now > ends ? 0 : ends + 1);
}

/* Something is due: now, unless the machine is busy. again: it was tried, and its time has come again. */
static void update_round(struct schedule_at *at, const uint8_t hash[64], bool again)
{
	struct timer_row *row = &at->row;

	row->why[0] = '\0';
	if (!row->open && engine_is_busy(at->machine)) {
		snprintf(row->why, sizeof(row->why), "the machine is busy with other jobs");
		return;
	}
	memcpy(row->tried, hash, sizeof(row->tried));
	if (schedule_round(at, again ? update_ask : update_ask_rest)) {
		row->due_us = row->last_us + UPDATE_AGAIN_USEC;
		schedule_look_at(row, row->due_us);
	}
}

/* There is something to do, and the policy wants it done: now, or when a gate opens, or when it is time again. */
static void update_time(
        struct schedule_at *at, const struct section_update *says, const struct update_list *all)
{
	static struct update_list open;
	struct timer_row *row = &at->row;
	struct rules_gate gate = update_open(at, says->limit_us, all, &open);
	uint8_t hash[64], hash_all[64];
	bool all_tried = update_is_tried(row, says->mode, all, hash_all);
	bool is_tried = update_is_tried(row, says->mode, &open, hash) || all_tried || !open.n;
	int64_t again_us = says->mode == SECTION_APPLY && open.n && row->last_us
	                           ? row->last_us + UPDATE_AGAIN_USEC
	                           : 0;

	row->due_us = is_tried && (all_tried || open.n == all->n) ? again_us : at->now;
	if (row->open || !is_tried || (again_us && again_us <= at->now)) {
		update_round(at, hash, is_tried);
		return;
	}
	schedule_look_at(row, again_us);
	if (open.n < all->n) {
		schedule_look_at(row, gate.next_us);
		if (!all_tried) {
			snprintf(row->why, sizeof(row->why), "%s", gate.why);
		}
	}
}

void update_look(struct schedule_at *at)
{
	static struct update_list all;
	struct timer_row *row = &at->row;
	struct schedule_services services;
	struct section_update says;

	if (!section_update(at->policy, &says) || machine_state(at->machine) != MACHINE_UP) {
		return;
	}
	schedule_services(at->schedule, at->machine, at->policy, DECIDE_UPDATE, &services);
	update_find(at, &services, &all);
	all.n = says.mode == SECTION_NONE ? 0 : all.n;
	if (!*row->found) {
		row->why[0] = '\0'; /* of a block that was lifted */
	}
	update_tell(row, &all);
	update_deadline(at, &says, &all);
	row->due_us = 0;
	if (!all.n && says.mode != SECTION_NONE) {
		update_tell_block(at, &services);
	}
	if (row->open || (all.n && says.mode >= SECTION_STAGE)) {
		update_time(at, &says, &all);
	}
}
