/*
 * Of a fleet in which a few machines are not well, whoever looks visits those few and no others, by name, and counts are right
 * without a walk: however machines come, change and go.
 */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/machine/priv.h"

#define N 1000

static Machine__Service services[2] = {MACHINE__SERVICE__INIT, MACHINE__SERVICE__INIT};
static Machine__Service *list[2] = {&services[0], &services[1]};

static void add(struct machines *machines, struct machine *machine, int i)
{
	*machine = (struct machine){.machines = machines, .pidfd = -1};
	machine->row.id = i + 1;
	snprintf(machine->row.name, sizeof(machine->row.name), "m%03d", i);
	machines_index(machine);
}

/* Up, with a status that says this. */
static void say(struct machine *machine, Machine__Status *status)
{
	machine->phase = MACHINE_IS_OPEN;
	machine->status = status;
	machine->status_usec = 1000 * INT64_C(1000000);
	machine_tally(machine);
}

static size_t visit(struct machines *machines)
{
	struct machine *machine = NULL;
	const char *before = "";
	size_t n = 0;

	while ((machine = machines_notable_next(machines, machine))) {
		assert(strcmp(machine->row.name, before) > 0);
		before = machine->row.name;
		n++;
	}
	return n;
}

static void check(struct machines *machines, size_t n_well, size_t n_notable)
{
	assert(machines_tally(machines)->well == n_well);
	assert(visit(machines) == n_notable);
	for (size_t i = 0; i < machines->n; i++) {
		machine_tally_check(machines->by_id[i]);
	}
}

/* A few at a time: in one round each is visited once, also while one goes and comes. */
static void check_turn(struct machines *machines)
{
	static bool seen[N + 1];
	char name[sizeof(((struct machine *)NULL)->row.name)] = "";
	struct machine *machine;

	for (int i = 0; i < 2 * N; i++) {
		machine = machines_turn(machines, name);
		assert(seen[machine->row.id] == (i >= N));
		seen[machine->row.id] = true;
		snprintf(name, sizeof(name), "%s", machine->row.name);
		machines_unindex(machine);
		machines_index(machine);
	}
}

int main(void)
{
	static struct machine all[N];
	Machine__Status well = MACHINE__STATUS__INIT, down = well, kept = well, clock = well;
	Machine__Service bad = MACHINE__SERVICE__INIT, old = bad;
	Machine__Service *with_bad[2] = {&services[0], &bad}, *with_old[2] = {&old, &services[1]};
	struct machines machines = {.n = 0};
	const struct machines_tally *tally = machines_tally(&machines);

	well.n_services = down.n_services = kept.n_services = 2;
	well.services = list;
	well.time = clock.time = 1000 + MACHINE_CLOCK_SEC;
	bad.state = MACHINE__SERVICE_STATE__SERVICE_DOWN;
	down.services = with_bad;
	old.layout_kept = true;
	kept.services = with_old;
	clock.time++;
	for (int i = 0; i < N; i++) {
		add(&machines, &all[i], i * 7 % N);
	}
	check(&machines, 0, 0); /* stopped by request, all of them */
	assert(tally->all == N && tally->in[MACHINE_STOPPED] == N);
	for (int i = 0; i < N; i++) {
		say(&all[i], NULL);
	}
	check(&machines, 0, 0);
	assert(tally->mute == N && !tally->in[MACHINE_STOPPED]);
	for (int i = 0; i < N; i++) {
		say(&all[i], &well);
	}
	check(&machines, N, 0);
	assert(!tally->mute && tally->in[MACHINE_UP] == N);

	check_turn(&machines);
	say(&all[1], &down);
	say(&all[2], &kept);
	say(&all[3], &clock);
	all[4].phase = MACHINE_IS_HUNG;
	machine_tally(&all[4]);
	snprintf(all[5].ahead, sizeof(all[5].ahead), "it is");
	machine_tally(&all[5]);
	check(&machines, N - 3, 5); /* clock: it runs no services */
	assert(tally->in[MACHINE_SILENT] == 1);

	say(&all[1], &well);
	machines_unindex(&all[2]);
	check(&machines, N - 3, 3);
	assert(tally->all == N - 1);
	for (int i = 0; i < N; i++) {
		if (i != 2) {
			machines_unindex(&all[i]);
		}
	}
	check(&machines, 0, 0);
	assert(!tally->all && !tally->in[MACHINE_UP] && !tally->in[MACHINE_SILENT]);
	free(machines.by_name);
	free(machines.by_id);
	free(machines.notable);
	return 0;
}
