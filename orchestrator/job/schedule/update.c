/*
 * `update` of a policy on a machine: which of its services run something older than the newest release that
 * is registered and not blocked, and what is done about that, by the mode:
 *
 *   check   it is told, in `next` and in the status
 *   stage   a job prepares each: it is made, sent and rehearsed, and a person orders the update
 *   apply   a job updates each, in the order that the policy gives
 *
 * What is to be done is told from the machine's word and from the record at each look; a release that came, was
 * blocked or cleared has all machines looked at. The same releases are not asked for twice within an hour:
 * what did not work is not going to work at once. An update waits for a busy machine, since it is still due
 * then, but makes no job before that is free.
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
		if (wanted.to.counter > wanted.from.counter && !wanted.to.blocked_us) {
			update_add(ret, &wanted);
		}
	}
}

/* What there is to do in words, and as a hash of mode and releases. */
static void update_tell(struct timer_row *row, enum section_mode mode,
        const struct update_list *all, uint8_t ret_hash[64])
{
	static uint8_t bytes[(1 + SCHEDULE_SERVICES_MAX) * 64];
	size_t len = 0;

	bytes[0] = (uint8_t)mode;
	row->found[0] = '\0';
	for (size_t i = 0; i < all->n; i++) {
		const struct update_wanted *wanted = &all->list[i];

		memcpy(bytes + (1 + i) * 64, wanted->to.release_id, 64);
		if (len < sizeof(row->found)) {
			len += (size_t)snprintf(row->found + len, sizeof(row->found) - len,
			        "%s%.24s %" PRId64 " -> %" PRId64, i ? ", " : "",
			        wanted->service->name, wanted->from.counter, wanted->to.counter);
		}
	}
	envelope_hash(bytes, (1 + all->n) * 64, ret_hash);
}

static void update_ask(struct schedule_at *at)
{
	static struct update_list all;
	struct section_update says;
	struct schedule_services services;
	char request_id[64];
	struct job_asked asked;

	if (!section_update(at->policy, &says)) {
		return;
	}
	schedule_asked(at, request_id, &asked);
	schedule_services(at->schedule, at->machine, at->policy, DECIDE_UPDATE, &services);
	(void)schedule_gate(at, says.limit_us, &services);
	update_find(at, &services, &all);
	for (size_t i = 0; i < all.n; i++) {
		struct job_order order =
		        job_order_of(says.mode == SECTION_APPLY ? JOB_UPDATE : JOB_PREPARE,
		                at->machine, all.list[i].service->name, &asked);

		order.layout = "";
		order.recipe = "";
		order.timeout_ms = (uint32_t)(says.limit_us / 1000);
		schedule_plan(at, &order);
	}
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

/* Something is due: now, unless something is in the way. */
static void update_time(struct schedule_at *at, const struct section_update *says,
        const uint8_t hash[64], struct schedule_services *services)
{
	struct timer_row *row = &at->row;
	struct rules_gate gate = schedule_gate(at, says->limit_us, services);

	row->why[0] = '\0';
	if (!row->open && !gate.is_open) {
		snprintf(row->why, sizeof(row->why), "%s", gate.why);
		schedule_look_at(row, gate.next_us);
		return;
	}
	if (!row->open && engine_is_busy(at->schedule->engine, at->machine)) {
		snprintf(row->why, sizeof(row->why), "the machine is busy with other jobs");
		return;
	}
	memcpy(row->tried, hash, sizeof(row->tried));
	if (schedule_round(at, update_ask)) {
		row->due_us = row->last_us + UPDATE_AGAIN_USEC;
		schedule_look_at(row, row->due_us);
	}
}

void update_look(struct schedule_at *at)
{
	static struct update_list all;
	struct timer_row *row = &at->row;
	struct schedule_services services;
	struct section_update says;
	uint8_t hash[64];
	bool is_tried;

	if (!section_update(at->policy, &says) || machine_state(at->machine) != MACHINE_UP) {
		return;
	}
	schedule_services(at->schedule, at->machine, at->policy, DECIDE_UPDATE, &services);
	update_find(at, &services, &all);
	all.n = says.mode == SECTION_NONE ? 0 : all.n;
	update_tell(row, says.mode, &all, hash);
	update_deadline(at, &says, &all);
	is_tried = !memcmp(hash, row->tried, sizeof(hash));
	row->due_us = !all.n || says.mode < SECTION_STAGE ? 0
	              : !is_tried                         ? at->now
	              : says.mode == SECTION_STAGE        ? 0
	                                                  : row->last_us + UPDATE_AGAIN_USEC;
	if (row->open || (row->due_us && row->due_us <= at->now)) {
		update_time(at, &says, hash, &services);
	} else {
		schedule_look_at(row, row->due_us);
	}
}
