/*
 * The machines of the record: taken up, made, made the default, removed. What a
 * machine is at is in state.c; its session and its process have files of their own below this.
 */
#include "orchestrator/machine/machine.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/link/link.h"
#include "orchestrator/machine/priv.h"

/* There are none until machines_load(). */
int machines_new(struct event_base *base, struct db *db, const struct config *config,
        const struct machines_ops *ops, void *arg, struct machines **ret_machines)
{
	struct machines *machines = mem_zero(sizeof(*machines));

	machines->base = base;
	machines->db = db;
	machines->config = config;
	machines->ops = ops;
	machines->arg = arg;
	machines->buffers = link_buffers_new(db);
	*ret_machines = machines;
	return 0;
}

/* The phase is set without telling anybody: the owner of all machines may be half gone. */
static void machine_free(struct machine *machine)
{
	machines_unindex(machine);
	machine->phase = MACHINE_IS_OFF; /* nobody is told any more */
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
	while (machines->n) {
		machine_free(machines->by_id[machines->n - 1]);
	}
	free(machines->by_name);
	free(machines->by_id);
	free(machines->notable);
	link_buffers_free(machines->buffers);
	free(machines);
	return NULL;
}

/* A machine in memory, for a row that is in the record. It is OFF until it is found to run. */
static struct machine *machine_take(struct machines *machines, const struct machine_row *row)
{
	struct machine *machine = mem_zero(sizeof(*machine));

	machine->machines = machines;
	machine->row = *row;
	machine->was_heard = row->boot_id != 0;
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
	machines_index(machine);
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

/*
 * A machine that is wanted is looked for: ours by its process, an attached one by its socket. It
 * is down, and never an error of lud's, where it is not there.
 */
static int machine_load_row(const struct machine_row *row, void *arg)
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
		machine_set_phase(machine, MACHINE_IS_GONE, "its process ended while lud was away");
		return 0;
	}
	r = machine_connect(machine);
	if (r < 0) {
		log_error("machine %s: cannot connect: %s", row->name, err_trace());
		machine_set_phase(machine, MACHINE_IS_GONE, strerror(-r));
	}
	return 0;
}

int machines_load(struct machines *machines)
{
	return err_up(store_machine_each(machines->db, machine_load_row, machines));
}

/*
 * Ends at the first write that fails: the record's health is told again then, and this is called
 * once more.
 */
void machines_recorded(struct machines *machines)
{
	for (size_t i = 0; i < machines->n; i++) {
		struct machine *machine = machines->by_id[i];

		if (machine_save(machine)) {
			log_error("machine %s: %s", machine->row.name, err_trace());
			err_forget();
			return;
		}
		machine_session_recorded(machine);
	}
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

/*
 * An identity is drawn once and is in the machine's signed boot image: it never changes after
 * that.
 */
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

struct machine_kernel_draw {
	const struct machine *machine;
	bool drawn;
	uint64_t generation;
};

static int machine_kernel_txn(struct db *db, void *arg)
{
	struct machine_kernel_draw *draw = arg;

	return store_machine_kernel(db, draw->machine->row.id, draw->drawn, &draw->generation);
}

int machine_draw_kernel(struct machine *machine, bool drawn)
{
	struct machine_kernel_draw draw = {.machine = machine, .drawn = drawn};
	int r = db_txn(machine->machines->db, machine_kernel_txn, &draw);

	if (!r) {
		machine->row.kernel = draw.generation;
	}
	return err_fold(r);
}

/*
 * All that a machine of ours has lies under its name in the state directory; of an attached one
 * only the socket is known.
 */
static void machine_new_row(
        struct machines *machines, const char *name, const char *socket, struct machine_row *ret)
{
	*ret = (struct machine_row){.attached = socket != NULL, .is_default = !machines->n};
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
	int r = db_effect(machines->db, machine_insert_txn, row);

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

/* Without an identity: the machine says its own when it is asked, as an attached one does. */
int machine_new_found(struct machines *machines, const char *name, struct machine **ret_machine)
{
	struct machine_row row;

	machine_new_row(machines, name, NULL, &row);
	return err_up(machine_insert(machines, &row, ret_machine));
}

static int machine_default_txn(struct db *db, void *arg)
{
	const struct machine *machine = arg;

	return store_machine_set_default(db, machine->row.id);
}

/* The record has one default by its own rule; the rows in memory follow. */
int machine_set_default(struct machine *machine)
{
	struct machine **by_default = &machine->machines->by_default;
	int r = db_effect(machine->machines->db, machine_default_txn, machine);

	if (r) {
		return err_fold(r);
	}
	if (*by_default) {
		(*by_default)->row.is_default = false;
	}
	machine->row.is_default = true;
	*by_default = machine;
	return 0;
}

static int machine_marks_txn(struct db *db, void *arg)
{
	return store_machine_marks(db, arg);
}

/* In memory they follow what is recorded. */
int machine_set_marks(struct machine *machine, const char *groups, const char *labels)
{
	struct machine_row row = machine->row;
	int r;

	snprintf(row.groups, sizeof(row.groups), "%s", groups);
	snprintf(row.labels, sizeof(row.labels), "%s", labels);
	r = db_effect(machine->machines->db, machine_marks_txn, &row);
	if (r) {
		return err_fold(r);
	}
	machine->row = row;
	machine->machines->version++;
	return 0;
}

static int machine_remove_txn(struct db *db, void *arg)
{
	const struct machine_row *row = arg;

	return store_machine_remove(db, row->id);
}

/*
 * Its rows stay, so that its history does; its directory does not. A directory that cannot be
 * removed is told and left.
 */
int machine_remove(struct machine *machine)
{
	int r;

	machine_check(machine);
	assert(machine_state(machine) == MACHINE_STOPPED || machine_state(machine) == MACHINE_DOWN);
	r = db_effect(machine->machines->db, machine_remove_txn, &machine->row);
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

const struct machine_row *machine_row(const struct machine *machine)
{
	return &machine->row;
}

struct machine_work *machine_work(const struct machine *machine)
{
	return machine->work;
}

void machine_set_work(struct machine *machine, struct machine_work *work)
{
	machine->work = work;
}

bool machine_was_heard(const struct machine *machine)
{
	return machine->was_heard;
}

struct standing_watch *machine_standing(const struct machine *machine)
{
	return machine->standing;
}

void machine_set_standing(struct machine *machine, struct standing_watch *standing)
{
	machine->standing = standing;
}

const char *machine_dir(const struct machine *machine)
{
	return machine->dir;
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
	return machine_state(machine) == MACHINE_UP ? machine->protocol : 0;
}

/* A machine that is not up says nothing of what it can do. */
bool machine_makes_layouts(const struct machine *machine)
{
	return machine_state(machine) == MACHINE_UP &&
	       machine->features & WIRE__FEATURE__FEATURE_LAYOUTS;
}

static void machine_clock_set(struct machine *machine, int64_t usec)
{
	machine->since += usec / 1000000;
	machine->heard_usec += machine->heard_usec ? usec : 0;
	machine->status_usec += machine->status_usec ? usec : 0;
	if (machine->channel) {
		channel_clock_set(machine->channel, usec);
	}
	machine_tally(machine);
}

void machines_clock_set(struct machines *machines, int64_t usec)
{
	for (size_t i = 0; i < machines->n; i++) {
		machine_clock_set(machines->by_id[i], usec);
	}
}

/* Whoever is about to be freed calls this with what it passed as arg, for any request. */
void machine_forget(struct machine *machine, const void *arg)
{
	/* Who waited for the end has left; the end itself still counts. */
	if (machine->stop_done && machine->stop_arg == arg) {
		machine->stop_done = NULL;
	}
	if (machine->launch_done && machine->launch_arg == arg) {
		machine->launch_done = NULL;
	}
	machine_refreshing_forget(machine, arg);
	if (machine->channel) {
		channel_forget(machine->channel, arg);
	}
}
