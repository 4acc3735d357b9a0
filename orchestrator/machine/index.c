/*
 * Machines by name and by id: two sorted arrays of the same pointers, so that looking one up is a few
 * steps however many there are, and a list by name can begin anywhere. Adding and removing move
 * pointers, which machines see once in their lives.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/machine/priv.h"

/* How many names sort before this one; with it, if `through`. */
static size_t index_rank_name(const struct machines *machines, const char *name, bool through)
{
	size_t from = 0, until = machines->n;

	while (from < until) {
		size_t middle = (from + until) / 2;
		int order = strcmp(machines->by_name[middle]->row.name, name);

		if (order < 0 || (through && !order)) {
			from = middle + 1;
		} else {
			until = middle;
		}
	}
	return from;
}

static size_t index_rank_id(const struct machines *machines, int64_t id)
{
	size_t from = 0, until = machines->n;

	while (from < until) {
		size_t middle = (from + until) / 2;

		if (machines->by_id[middle]->row.id < id) {
			from = middle + 1;
		} else {
			until = middle;
		}
	}
	return from;
}

static struct machine **index_grow(struct machine **all, size_t n)
{
	all = realloc(all, n * sizeof(struct machine *));
	if (!all) {
		abort();
	}
	return all;
}

static void index_put(struct machine **all, size_t n, size_t at, struct machine *machine)
{
	memmove(all + at + 1, all + at, (n - at) * sizeof(struct machine *));
	all[at] = machine;
}

static void index_take_out(struct machine **all, size_t n, size_t at)
{
	memmove(all + at, all + at + 1, (n - at - 1) * sizeof(struct machine *));
}

void machines_index(struct machine *machine)
{
	struct machines *machines = machine->machines;

	machines->by_name = index_grow(machines->by_name, machines->n + 1);
	machines->by_id = index_grow(machines->by_id, machines->n + 1);
	index_put(machines->by_name, machines->n,
	        index_rank_name(machines, machine->row.name, false), machine);
	index_put(machines->by_id, machines->n, index_rank_id(machines, machine->row.id), machine);
	machines->n++;
	machine_tally(machine);
	machines->version++;
	if (machine->row.is_default) {
		machines->by_default = machine;
	}
}

void machines_unindex(struct machine *machine)
{
	struct machines *machines = machine->machines;
	size_t name = index_rank_name(machines, machine->row.name, false);
	size_t id = index_rank_id(machines, machine->row.id);

	assert(machines->by_name[name] == machine && machines->by_id[id] == machine);
	index_take_out(machines->by_name, machines->n, name);
	index_take_out(machines->by_id, machines->n, id);
	machines->n--;
	machine_tally_end(machine);
	machines->version++;
	if (machines->by_default == machine) {
		machines->by_default = NULL;
	}
}

uint64_t machines_version(const struct machines *machines)
{
	return machines->version;
}

bool machines_are_full(const struct machines *machines)
{
	return machines->n >= machines->config->machine_limit;
}

struct machine *machines_by_id(struct machines *machines, int64_t id)
{
	size_t at = index_rank_id(machines, id);

	return at < machines->n && machines->by_id[at]->row.id == id ? machines->by_id[at] : NULL;
}

struct machine *machines_by_name(struct machines *machines, const char *name)
{
	size_t at = index_rank_name(machines, name, false);

	return at < machines->n && !strcmp(machines->by_name[at]->row.name, name)
	               ? machines->by_name[at]
	               : NULL;
}

struct machine *machines_after(struct machines *machines, const char *name)
{
	size_t at = index_rank_name(machines, name, true);

	return at < machines->n ? machines->by_name[at] : NULL;
}

struct machine *machines_turn(struct machines *machines, const char *name)
{
	struct machine *machine = machines_after(machines, name);

	return machine ? machine : machines_after(machines, "");
}

struct machine *machines_next(struct machines *machines, struct machine *after)
{
	return machines_after(machines, after ? after->row.name : "");
}

/*
 * With one machine there is nothing to name; with several, guessing would be worse than asking.
 */
struct machine *machines_default(struct machines *machines)
{
	return machines->by_default ? machines->by_default
	       : machines->n == 1   ? machines->by_name[0]
	                            : NULL;
}
