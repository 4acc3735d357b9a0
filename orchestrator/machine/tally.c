/*
 * How all machines are, kept where one of them changes, so that whoever asks at a glance walks none that is well: counts, and a
 * list by name of those that are worth a look. That is one with anything about it which a person may have to know; most of a
 * fleet is not in it. machine_check() asserts that nobody forgot to keep it.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/machine/priv.h"

static bool tally_is_down(const Machine__Service *service)
{
	return service->state == MACHINE__SERVICE_STATE__SERVICE_DOWN ||
	       service->state == MACHINE__SERVICE_STATE__SERVICE_RESTARTING;
}

int64_t machine_clock_ahead(const struct machine *machine)
{
	const Machine__Status *said = machine->status;

	return said && said->time && machine_state(machine) == MACHINE_UP
	               ? (int64_t)said->time - machine->status_usec / MACHINE_USEC_PER_SEC
	               : 0;
}

static struct machine_tally tally_of(const struct machine *machine)
{
	const Machine__Status *said = machine->status;
	struct machine_tally tally = {.state = machine_state(machine)};
	int64_t ahead = machine_clock_ahead(machine);
	bool is_up = tally.state == MACHINE_UP;

	tally.is_mute = is_up && !said;
	tally.is_well = is_up && said && said->n_services;
	tally.is_notable = (!is_up && tally.state != MACHINE_STOPPED) || *machine->ahead ||
	                   ahead < -MACHINE_CLOCK_SEC || ahead > MACHINE_CLOCK_SEC;
	for (size_t i = 0; is_up && said && i < said->n_services; i++) {
		bool is_down = tally_is_down(said->services[i]);

		tally.is_well = tally.is_well && !is_down;
		tally.is_notable = tally.is_notable || is_down || said->services[i]->layout_kept;
	}
	return tally;
}

/* How many notable ones have names before this one; with it, if `through`. */
static size_t tally_rank(const struct machines *machines, const char *name, bool through)
{
	size_t from = 0, until = machines->n_notable;

	while (from < until) {
		size_t middle = (from + until) / 2;
		int order = strcmp(machines->notable[middle]->row.name, name);

		if (order < 0 || (through && !order)) {
			from = middle + 1;
		} else {
			until = middle;
		}
	}
	return from;
}

static void tally_list(struct machine *machine)
{
	struct machines *machines = machine->machines;
	size_t at = tally_rank(machines, machine->row.name, false);

	if (machines->n_notable == machines->notable_room) {
		machines->notable_room = machines->notable_room ? 2 * machines->notable_room : 16;
		machines->notable = realloc(
		        machines->notable, machines->notable_room * sizeof(*machines->notable));
		if (!machines->notable) {
			abort();
		}
	}
	memmove(machines->notable + at + 1, machines->notable + at,
	        (machines->n_notable++ - at) * sizeof(*machines->notable));
	machines->notable[at] = machine;
}

static void tally_unlist(struct machine *machine)
{
	struct machines *machines = machine->machines;
	size_t at = tally_rank(machines, machine->row.name, false);

	assert(machines->notable[at] == machine);
	memmove(machines->notable + at, machines->notable + at + 1,
	        (--machines->n_notable - at) * sizeof(*machines->notable));
}

static void tally_count(const struct machine *machine, struct machines_tally *tally, int by)
{
	tally->all += by;
	tally->well += machine->tally.is_well ? by : 0;
	tally->mute += machine->tally.is_mute ? by : 0;
	tally->in[machine->tally.state] += by;
}

void machine_tally_into(const struct machine *machine, struct machines_tally *tally)
{
	tally_count(machine, tally, 1);
}

void machine_tally(struct machine *machine)
{
	bool was_notable = machine->tally.is_notable;

	if (machine->tally.state) {
		tally_count(machine, &machine->machines->tally, -1);
	}
	machine->tally = tally_of(machine);
	tally_count(machine, &machine->machines->tally, 1);
	if (machine->tally.is_notable && !was_notable) {
		tally_list(machine);
	} else if (was_notable && !machine->tally.is_notable) {
		tally_unlist(machine);
	}
}

void machine_tally_end(struct machine *machine)
{
	tally_count(machine, &machine->machines->tally, -1);
	if (machine->tally.is_notable) {
		tally_unlist(machine);
	}
	machine->tally = (struct machine_tally){0};
}

void machine_tally_check(const struct machine *machine)
{
	struct machine_tally tally = tally_of(machine);

	assert(tally.state == machine->tally.state && tally.is_well == machine->tally.is_well &&
	        tally.is_mute == machine->tally.is_mute &&
	        tally.is_notable == machine->tally.is_notable);
}

const struct machines_tally *machines_tally(const struct machines *machines)
{
	return &machines->tally;
}

struct machine *machines_notable_next(struct machines *machines, const struct machine *after)
{
	size_t at = after ? tally_rank(machines, after->row.name, true) : 0;

	return at < machines->n_notable ? machines->notable[at] : NULL;
}

void machines_check(const struct machines *machines)
{
	struct machines_tally tally = {0};
	size_t n_notable = 0;

	for (size_t i = 0; i < machines->n; i++) {
		const struct machine *machine = machines->by_name[i];

		machine_tally_check(machine);
		tally.all++;
		tally.well += machine->tally.is_well;
		tally.mute += machine->tally.is_mute;
		tally.in[machine->tally.state]++;
		assert(!machine->tally.is_notable ||
		        (n_notable < machines->n_notable &&
		                machines->notable[n_notable] == machine));
		n_notable += machine->tally.is_notable;
	}
	assert(!memcmp(&tally, &machines->tally, sizeof(tally)));
	assert(n_notable == machines->n_notable);
}
