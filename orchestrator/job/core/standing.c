/*
 * Standing orders of machines; see standing.h.
 *
 * No job: nothing of a standing order waits for a person, and the machine carries it out by itself.
 * One rule brings lud back to the truth after it was ended anywhere: the row says what is wanted,
 * and what was given last (boot, root, services with releases, end, and whether the machine said
 * yes). Where that does not fit what is so now, another one is made, with the next number, which is
 * recorded before it is signed. To give the same thing twice does no harm: services that are listed
 * again go on where they were.
 *
 * What the machine has is the machine's word, not the row's: the record may be an old copy, the
 * machine a snapshot, and a clock that jumped makes either end the order before the other. What
 * stands in the way of one is kept for the status until it is given.
 * How one comes to the machine is in standing_give.c, and when it is looked at in standing_watch.c.
 */
#include "orchestrator/job/core/standing.h"

#include <string.h>

#include "orchestrator/job/core/priv.h"
#include "orchestrator/work/kit.h"
#include "proto/envelope/envelope.h"

/* Renewed when so much of its life is left, so that a lud that is away for some hours costs nothing. */
#define STANDING_LEFT_SEC (STANDING_LIFE_SEC_MAX / 4)

int standing_want(struct engine *engine, struct machine *machine, const struct standing_row *want,
        standing_fn fn, void *arg)
{
	struct standing_row row, before;
	int r = store_standing_find(engine->parts.db, machine_row(machine)->id, &before);

	if (r && r != DB_E_NONE) {
		return err_up(r);
	}
	row = *want;
	row.machine = machine_row(machine)->id;
	row.id = r ? 0 : before.id;
	row.number = r ? 0 : before.number;
	row.created_us = store_now_usec();
	standing_supersede(engine, machine);
	r = standing_put(engine, &row);
	if (r) {
		return err_up(r);
	}
	if (machine_state(machine) != MACHINE_UP) {
		return STANDING_E_LATER;
	}
	standing_watch(engine, machine);
	standing_give(engine, machine, &row, fn, arg);
	return 0;
}

/* Does the machine move services by one? */
static bool standing_is_on(const Machine__Standing *has)
{
	return has && (has->state == MACHINE__STANDING_STATE__STANDING_RUNNING ||
	                      has->state == MACHINE__STANDING_STATE__STANDING_QUIET);
}

/* Does the machine have what was given last, and does that still say what is wanted, for long enough? */
static bool standing_is_current(
        struct engine *engine, const struct machine *machine, const struct standing_row *row)
{
	const Machine__Standing *has = machine_status(machine)->standing;
	uint8_t releases[64];
	uint64_t serial;
	uint32_t n_services;

	if (!row->given || row->boot_id != machine_row(machine)->boot_id || !has ||
	        has->epoch != row->epoch || has->number != row->number) {
		return false;
	}
	if (kit_root_serial(engine->parts.config->keyring, &serial)) {
		err_forget();
		return true; /* nothing can be signed now */
	}
	n_services = standing_releases(engine, row, machine, releases);
	return serial == row->epoch && !memcmp(releases, row->releases, sizeof(releases)) &&
	       (standing_is_on(has) || !n_services) &&
	       (row->expires - STANDING_LEFT_SEC > store_now_usec() / 1000000 ||
	               (row->until_us && row->expires >= row->until_us / 1000000));
}

/*
 * Has the machine what is wanted of it by now? A new boot knows of no order, and one that is over is
 * not wanted any more.
 */
static bool standing_is_settled(
        struct engine *engine, const struct machine *machine, struct standing_row *row)
{
	if (row->wanted && row->until_us && row->until_us <= store_now_usec()) {
		row->wanted = row->given = false;
	}
	if (row->wanted) {
		return standing_is_current(engine, machine, row);
	}
	return !standing_is_on(machine_status(machine)->standing) &&
	       (row->given || row->boot_id != machine_row(machine)->boot_id);
}

bool standing_find(
        struct engine *engine, const struct machine *machine, struct standing_row *ret_row)
{
	if (machine_state(machine) != MACHINE_UP || !machine_status(machine)) {
		return false;
	}
	if (store_standing_find(engine->parts.db, machine_row(machine)->id, ret_row)) {
		err_forget();
		return false;
	}
	return true;
}

bool standing_look(struct engine *engine, struct machine *machine)
{
	struct standing_row row;

	if (!standing_find(engine, machine, &row) || standing_is_settled(engine, machine, &row)) {
		return true;
	}
	if (db_health(engine->parts.db) == DB_WELL && !standing_under_way(engine, machine)) {
		standing_give(engine, machine, &row, NULL, NULL);
	}
	return false;
}

bool standing_is_amiss(
        struct engine *engine, const struct machine *machine, struct failure *ret_failure)
{
	const struct failure *trouble = standing_trouble(engine, machine);
	struct standing_row row;

	if (!standing_find(engine, machine, &row) || standing_is_settled(engine, machine, &row)) {
		return false;
	}
	failure_set(ret_failure, "standing", machine_row(machine)->name, "",
	        "it is given to the machine within some seconds");
	if (trouble) {
		*ret_failure = *trouble;
	}
	return true;
}
