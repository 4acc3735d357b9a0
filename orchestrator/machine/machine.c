/*
 * Machines and their states.
 *
 *   STOPPED ----machine_launch--> STARTING ---process runs--> CONNECTING
 *   CONNECTING --session opened--> UP --session lost--> CONNECTING
 *   CONNECTING, UP --not heard for 5 s--> SILENT --heard again--> the one it was
 *   STARTING, CONNECTING, UP, SILENT --process ended, wrong machine--> DOWN
 *   any --machine_stop--> STOPPED         DOWN --machine_launch--> STARTING
 *
 * An attached machine has no process of ours: it is CONNECTING, UP or SILENT until it is
 * stopped, which only detaches it: clients see that as a state of its own.
 */
#include "orchestrator/machine/machine.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/machine/priv.h"

static const char *const machine_state_names[_MACHINE_STATE_N] = {
        [MACHINE_UP] = "up",
        [MACHINE_STARTING] = "starting",
        [MACHINE_CONNECTING] = "connecting",
        [MACHINE_DOWN] = "down",
        [MACHINE_STOPPED] = "stopped",
        [MACHINE_SILENT] = "silent",
};

void machine_set_state(struct machine *machine, enum machine_state state, const char *why)
{
	bool was_ready = machine->ready;

	assert(state != MACHINE_UP || machine->state == MACHINE_CONNECTING ||
	        machine->state == MACHINE_SILENT);
	assert(state != MACHINE_STARTING || machine->state == MACHINE_STOPPED ||
	        machine->state == MACHINE_DOWN);
	if (machine->state == state) {
		return;
	}
	machine->state = state;
	machine->stranger = machine->stranger && state == MACHINE_DOWN;
	machine->since = store_now_usec() / 1000000;
	machine->ready = state == MACHINE_UP || (state == MACHINE_SILENT && was_ready);
	snprintf(machine->why, sizeof(machine->why), "%s", why);
	log_info("machine %s is %s%s%s", machine->row.name, machine_state_names[state],
	        *why ? ": " : "", why);
	if (state == MACHINE_UP) {
		machine->machines->ops->up(machine, machine->machines->arg);
	} else if (state == MACHINE_SILENT) {
		machine->machines->ops->silent(machine, machine->machines->arg);
	} else if (was_ready || state == MACHINE_DOWN || state == MACHINE_STOPPED) {
		machine->machines->ops->down(machine, machine->machines->arg);
	}
}

static int machine_save_txn(struct db *db, void *arg)
{
	return store_machine_update(db, arg);
}

int machine_save(struct machine *machine)
{
	return err_up(db_txn(machine->machines->db, machine_save_txn, &machine->row));
}

int machines_new(struct event_base *base, struct db *db, const struct config *config,
        const struct machines_ops *ops, void *arg, struct machines **ret_machines)
{
	struct machines *machines = mem_zero(sizeof(*machines));

	machines->base = base;
	machines->db = db;
	machines->config = config;
	machines->ops = ops;
	machines->arg = arg;
	LIST_INIT(&machines->list);
	*ret_machines = machines;
	return 0;
}

static void machine_free(struct machine *machine)
{
	LIST_REMOVE(machine, link);
	machine->state = MACHINE_STOPPED; /* nobody is told any more */
	machine_session_fini(machine);
	machine_process_fini(machine);
	machine_log_fini(machine);
	if (machine->status) {
		machine__status__free_unpacked(machine->status, NULL);
	}
	event_free(machine->flush);
	event_free(machine->first_status);
	event_free(machine->stop_limit);
	evbuffer_free(machine->events);
	free(machine->dir);
	free(machine);
}

struct machines *machines_free(struct machines *machines)
{
	if (!machines) {
		return NULL;
	}
	while (!LIST_EMPTY(&machines->list)) {
		machine_free(LIST_FIRST(&machines->list));
	}
	free(machines);
	return NULL;
}

static struct machine *machine_take(struct machines *machines, const struct machine_row *row)
{
	struct machine *machine = mem_zero(sizeof(*machine));

	machine->machines = machines;
	machine->row = *row;
	machine->state = MACHINE_STOPPED;
	machine->since = row->created_us / 1000000;
	machine->pidfd = -1;
	machine->log_file = machine->log_watch = -1;
	machine->dir = text_format("%s/machines/%s", machines->config->state_dir, row->name);
	machine->flush = evtimer_new(machines->base, machine_on_flush, machine);
	machine->first_status = evtimer_new(machines->base, machine_on_first_status_due, machine);
	machine->stop_limit = evtimer_new(machines->base, machine_on_stop_limit, machine);
	machine->events = evbuffer_new();
	LIST_INIT(&machine->listeners);
	LIST_INIT(&machine->refreshing);
	LIST_INSERT_HEAD(&machines->list, machine, link);
	return machine;
}

/* It is stopped, as it is from the start here; only why is news. */
static void machine_off_while_away(struct machine *machine)
{
	machine->row.pid = 0;
	snprintf(machine->why, sizeof(machine->why), "%s", MACHINE_BY_ORDER);
	log_info("machine %s is stopped: " MACHINE_BY_ORDER " while lud was away",
	        machine->row.name);
	machine_expect_end(machine);
}

static int machines_load_row(const struct machine_row *row, void *arg)
{
	struct machine *machine = machine_take(arg, row);
	int r;

	if (!row->wanted) {
		return 0;
	}
	if (!row->attached && machine_process_find(machine) < 0) {
		err_forget();
		if (machine_was_ordered_off(machine)) {
			machine_off_while_away(machine);
			return 0;
		}
		machine_set_state(machine, MACHINE_DOWN, "its process ended while lud was away");
		return 0;
	}
	r = machine_connect(machine);
	if (r < 0) {
		log_error("machine %s: cannot connect: %s", row->name, err_trace());
		machine_set_state(machine, MACHINE_DOWN, strerror(-r));
	}
	return 0;
}

int machines_load(struct machines *machines)
{
	return err_up(store_machine_each(machines->db, machines_load_row, machines));
}

void machines_recorded(struct machines *machines)
{
	struct machine *machine;

	LIST_FOREACH(machine, &machines->list, link)
	{
		if (machine_save(machine)) {
			log_error("machine %s: %s", machine->row.name, err_trace());
			err_forget();
			return;
		}
		machine_session_recorded(machine);
	}
}

struct machine *machines_by_id(struct machines *machines, int64_t id)
{
	struct machine *machine;

	LIST_FOREACH(machine, &machines->list, link)
	{
		if (machine->row.id == id) {
			return machine;
		}
	}
	return NULL;
}

struct machine *machines_by_name(struct machines *machines, const char *name)
{
	struct machine *machine;

	LIST_FOREACH(machine, &machines->list, link)
	{
		if (!strcmp(machine->row.name, name)) {
			return machine;
		}
	}
	return NULL;
}

struct machine *machines_next(struct machines *machines, struct machine *after)
{
	return after ? LIST_NEXT(after, link) : LIST_FIRST(&machines->list);
}

/* Inserts the row, or takes up that of a removed machine of the same name. */
static int machine_insert_txn(struct db *db, void *arg)
{
	struct machine_row *row = arg;
	struct machine_row removed;
	int r = store_machine_by_name(db, row->name, &removed);

	if (r == DB_E_NONE) {
		return store_machine_insert(db, row);
	}
	if (r || !removed.removed_us) {
		return r ? err_up(r) : DB_E_EXISTS;
	}
	row->id = removed.id;
	row->created_us = removed.created_us;
	/* The same name keeps its identity; a machine that runs already says its own. */
	if (row->has_machine_id && removed.has_machine_id && !row->attached && !removed.attached) {
		memcpy(row->machine_id, removed.machine_id, sizeof(row->machine_id));
	}
	r = store_machine_update(db, row);
	return r || !row->is_default ? err_up(r) : err_up(store_machine_set_default(db, row->id));
}

static int machine_draw_id(struct machine_row *row)
{
	if (getrandom(row->machine_id, sizeof(row->machine_id), 0) != sizeof(row->machine_id)) {
		return err_raise(-EIO);
	}
	row->has_machine_id = true;
	return 0;
}

int machine_ensure_id(struct machine *machine)
{
	int r;

	if (machine->row.has_machine_id) {
		return 0;
	}
	r = machine_draw_id(&machine->row);
	if (!r) {
		r = machine_save(machine);
	}
	/* An identity that is in no record is none. */
	machine->row.has_machine_id = !r;
	return err_fold(r);
}

static void machine_new_row(
        struct machines *machines, const char *name, const char *socket, struct machine_row *ret)
{
	*ret = (struct machine_row){
	        .attached = socket != NULL, .is_default = LIST_EMPTY(&machines->list)};
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	if (socket) {
		snprintf(ret->socket, sizeof(ret->socket), "%s", socket);
		return;
	}
	snprintf(ret->socket, sizeof(ret->socket), "%s/machines/%s/" QEMU_SOCKET,
	        machines->config->state_dir, name);
	snprintf(ret->image, sizeof(ret->image), "%s/machines/%s/" QEMU_IMAGE,
	        machines->config->state_dir, name);
}

static int machine_insert(
        struct machines *machines, struct machine_row *row, struct machine **ret_machine)
{
	int r = db_txn(machines->db, machine_insert_txn, row);

	if (r) {
		return err_up(r);
	}
	*ret_machine = machine_take(machines, row);
	return 0;
}

int machine_new(struct machines *machines, const char *name, const char *socket,
        struct machine **ret_machine)
{
	struct machine_row row;
	int r;

	machine_new_row(machines, name, socket, &row);
	r = socket ? 0 : machine_draw_id(&row);
	return r < 0 ? err_up(r) : err_up(machine_insert(machines, &row, ret_machine));
}

int machine_new_found(struct machines *machines, const char *name, struct machine **ret_machine)
{
	struct machine_row row;

	machine_new_row(machines, name, NULL, &row);
	return err_up(machine_insert(machines, &row, ret_machine));
}

struct machine *machines_default(struct machines *machines)
{
	struct machine *first = LIST_FIRST(&machines->list);
	struct machine *machine;

	LIST_FOREACH(machine, &machines->list, link)
	{
		if (machine->row.is_default) {
			return machine;
		}
	}
	return first && !LIST_NEXT(first, link) ? first : NULL;
}

static int machine_default_txn(struct db *db, void *arg)
{
	const struct machine *machine = arg;

	return store_machine_set_default(db, machine->row.id);
}

int machine_set_default(struct machine *machine)
{
	struct machine *other;
	int r = db_txn(machine->machines->db, machine_default_txn, machine);

	if (r) {
		return err_fold(r);
	}
	LIST_FOREACH(other, &machine->machines->list, link)
	{
		other->row.is_default = other == machine;
	}
	return 0;
}

static int machine_remove_txn(struct db *db, void *arg)
{
	const struct machine_row *row = arg;

	return store_machine_remove(db, row->id);
}

int machine_remove(struct machine *machine)
{
	int r;

	assert(machine->state == MACHINE_STOPPED || machine->state == MACHINE_DOWN);
	r = db_txn(machine->machines->db, machine_remove_txn, &machine->row);
	if (r) {
		return err_fold(r);
	}
	if (dir_remove(machine->dir) < 0) {
		log_warn("machine %s: its files stay: %s", machine->row.name, err_trace());
		err_forget();
	}
	log_info("machine %s is removed", machine->row.name);
	machine_free(machine);
	return 0;
}

int machine_connect(struct machine *machine)
{
	int r = 0;

	if (!machine->row.wanted) {
		machine->row.wanted = true;
		r = err_fold(machine_save(machine));
	}
	if (!r && !machine->channel) {
		r = channel_new(machine->machines->base, machine->row.socket, &machine_channel_ops,
		        machine, &machine->channel);
	}
	if (r < 0) {
		return err_up(r);
	}
	if (machine->state != MACHINE_UP && machine->state != MACHINE_SILENT) {
		machine_set_state(machine, MACHINE_CONNECTING, "");
	}
	return 0;
}

const struct machine_row *machine_row(const struct machine *machine)
{
	return &machine->row;
}

enum machine_state machine_state(const struct machine *machine)
{
	return machine->state;
}

const char *machine_state_name(enum machine_state state)
{
	return machine_state_names[state];
}

const char *machine_why(const struct machine *machine)
{
	return machine->why;
}

const char *machine_dir(const struct machine *machine)
{
	return machine->dir;
}

int64_t machine_since(const struct machine *machine)
{
	return machine->since;
}

int64_t machine_heard_usec(const struct machine *machine)
{
	int64_t heard = machine->channel ? channel_heard_usec(machine->channel) : 0;

	return heard ? heard : machine->heard_usec;
}

int64_t machine_status_usec(const struct machine *machine)
{
	return machine->status_usec;
}

const char *machine_ahead(const struct machine *machine)
{
	return machine->ahead;
}

uint32_t machine_protocol(const struct machine *machine)
{
	return machine->state == MACHINE_UP ? machine->protocol : 0;
}
