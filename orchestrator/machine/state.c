/*
 * What a machine is at, and the only place that changes it. A phase is finer than the state that
 * people see (machine_state(), the numbers of the control protocol): whether a silent machine had
 * a session, and whether one that is down ended or was replaced, decides what may follow.
 *
 *          launch              connect              first status
 *   OFF --------> LAUNCHED ------------> SOUGHT ----------------> OPEN
 *   GONE                                 |  ^  <----------------  |  ^
 *                                        |  |    session lost     |  |
 *                                 silent |  | heard        silent |  | heard
 *                                        v  |                     v  |
 *                                        MUTE                     HUNG
 *
 *   from SOUGHT besides: FOREIGN, another machine answers; ENDING, it is asked to end;
 *   GONE and OFF, its process has ended
 *
 *   OFF, GONE, FOREIGN -> LAUNCHED   machine_launch: the process is being started
 *   OFF, GONE, FOREIGN, LAUNCHED -> SOUGHT   machine_connect: its process runs, or it is attached
 *   SOUGHT -> OPEN                   machine_on_first_status: a session, and its first status
 *   MUTE -> OPEN                     the same, of a machine that was silent until then
 *   SOUGHT -> MUTE, OPEN -> HUNG     machine_on_silent: not heard for CHANNEL_SILENT_SEC
 *   MUTE -> SOUGHT, HUNG -> OPEN     machine_on_heard
 *   OPEN, HUNG -> SOUGHT             machine_on_down: the session is lost; machine_session_fini
 *   MUTE -> SOUGHT                   machine_session_fini
 *   SOUGHT, LAUNCHED -> FOREIGN      machine_on_up: somebody else answers at the socket
 *   any with a process -> ENDING     machine_stop: it is asked to end
 *   any but OPEN, HUNG, MUTE -> OFF  machine_stopped: no process is left, or it was never ours
 *   OFF, LAUNCHED, SOUGHT, FOREIGN -> GONE   machine_on_exit (which closes the session first),
 *                                    machine_launch_end, machines_load: its process ended or was
 *                                    never there, and nobody asked for that
 *
 * What holds (machine_check() asserts it):
 *
 *   OPEN, HUNG    there is a channel and a status
 *   SOUGHT, MUTE  there is a channel
 *   LAUNCHED      it is ours, and a launcher runs, which no other phase has; no process is taken
 *                 up yet, and there is no channel
 *   ENDING        it is ours, has a process, and no channel
 *   OFF           no channel
 *
 * An attached machine has no process of ours: it is never LAUNCHED or ENDING, and to stop it is
 * only to detach it, which clients see as a state of its own. machine_free() alone sets OFF without
 * telling anybody.
 */
#include <assert.h>
#include <string.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/machine/priv.h"

#define TO(name) (1u << MACHINE_IS_##name)

static const struct {
	const char *name;
	enum machine_state shown;
	unsigned int to; /* phases that may follow, as bits */
} machine_phases[_MACHINE_PHASE_N] = {
        [MACHINE_IS_OFF] = {"off", MACHINE_STOPPED,
                TO(LAUNCHED) | TO(SOUGHT) | TO(GONE) | TO(ENDING)},
        [MACHINE_IS_LAUNCHED] = {"launched", MACHINE_STARTING,
                TO(SOUGHT) | TO(FOREIGN) | TO(GONE) | TO(OFF)},
        [MACHINE_IS_SOUGHT] = {"sought", MACHINE_CONNECTING,
                TO(OPEN) | TO(MUTE) | TO(FOREIGN) | TO(GONE) | TO(ENDING) | TO(OFF)},
        [MACHINE_IS_OPEN] = {"open", MACHINE_UP, TO(SOUGHT) | TO(HUNG)},
        [MACHINE_IS_MUTE] = {"mute", MACHINE_SILENT, TO(SOUGHT) | TO(OPEN)},
        [MACHINE_IS_HUNG] = {"hung", MACHINE_SILENT, TO(SOUGHT) | TO(OPEN)},
        [MACHINE_IS_ENDING] = {"ending", MACHINE_CONNECTING, TO(OFF)},
        [MACHINE_IS_GONE] = {"gone", MACHINE_DOWN,
                TO(LAUNCHED) | TO(SOUGHT) | TO(ENDING) | TO(OFF)},
        [MACHINE_IS_FOREIGN] = {"foreign", MACHINE_DOWN,
                TO(LAUNCHED) | TO(SOUGHT) | TO(GONE) | TO(ENDING) | TO(OFF)},
};
#undef TO

static const char *const machine_state_names[_MACHINE_STATE_N] = {
        [MACHINE_UP] = "up",
        [MACHINE_STARTING] = "starting",
        [MACHINE_CONNECTING] = "connecting",
        [MACHINE_DOWN] = "down",
        [MACHINE_STOPPED] = "stopped",
        [MACHINE_SILENT] = "silent",
};

bool machine_is_open(const struct machine *machine)
{
	return machine->phase == MACHINE_IS_OPEN || machine->phase == MACHINE_IS_HUNG;
}

void machine_check(const struct machine *machine)
{
	bool sought = machine->phase == MACHINE_IS_SOUGHT || machine->phase == MACHINE_IS_MUTE;

	assert(!machine_is_open(machine) || (machine->channel && machine->status));
	assert(!sought || machine->channel);
	assert((machine->phase == MACHINE_IS_LAUNCHED) == !!machine->launcher);
	assert(!machine->launcher ||
	        (!machine->row.attached && machine->pidfd < 0 && !machine->channel));
	assert(machine->phase != MACHINE_IS_ENDING || (machine->pidfd >= 0 && !machine->channel));
	assert(machine->phase != MACHINE_IS_OFF || !machine->channel);
	machine_tally_check(machine);
}

/* Tells the owner of all machines what the change means to it. */
static void machine_tell_owner(struct machine *machine, bool was_open)
{
	const struct machines *machines = machine->machines;

	switch (machine_state(machine)) {
	case MACHINE_UP:
		machines->ops->up(machine, machines->arg);
		return;
	case MACHINE_SILENT:
		machines->ops->silent(machine, machines->arg);
		return;
	case MACHINE_DOWN:
	case MACHINE_STOPPED:
		machines->ops->down(machine, machines->arg);
		return;
	case MACHINE_STARTING:
	case MACHINE_CONNECTING:
	case _MACHINE_STATE_N:
		break;
	}
	if (was_open) {
		machines->ops->down(machine, machines->arg);
	}
}

bool machine_phase_may_become(enum machine_phase from, enum machine_phase to)
{
	return machine_phases[from].to & 1u << to;
}

static void machine_log_state(const struct machine *machine, const char *why)
{
	static const enum log_message messages[_MACHINE_STATE_N] = {
	        [MACHINE_UP] = LOG_MACHINE_UP,
	        [MACHINE_DOWN] = LOG_MACHINE_DOWN,
	        [MACHINE_SILENT] = LOG_MACHINE_SILENT,
	};
	enum machine_state state = machine_state(machine);
	struct log_about about = {.message = messages[state], .machine = machine->row.name};
	bool is_well = state != MACHINE_DOWN && state != MACHINE_SILENT;

	log_line(is_well ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, &about, "machine %s is %s%s%s",
	        machine->row.name, machine_state_names[state], *why ? ": " : "", why);
}

void machine_set_phase(struct machine *machine, enum machine_phase phase, const char *why)
{
	enum machine_state shown = machine_state(machine);
	bool was_open = machine_is_open(machine);

	if (machine->phase == phase) {
		return;
	}
	assert(machine_phase_may_become(machine->phase, phase));
	log_debug("machine %s: %s -> %s", machine->row.name, machine_phases[machine->phase].name,
	        machine_phases[phase].name);
	machine->phase = phase;
	machine_tally(machine);
	if (machine_state(machine) == shown) {
		if (*why) {
			snprintf(machine->why, sizeof(machine->why), "%s", why);
		}
		return;
	}
	machine->since = store_now_usec() / MACHINE_USEC_PER_SEC;
	snprintf(machine->why, sizeof(machine->why), "%s", why);
	machine_log_state(machine, why);
	if (machine->machines->ops->shown) {
		machine->machines->ops->shown(machine, machine->machines->arg);
	}
	machine_tell_owner(machine, was_open);
}

static int machine_save_txn(struct db *db, void *arg)
{
	return store_machine_update(db, arg);
}

int machine_save(struct machine *machine)
{
	return err_up(db_effect(machine->machines->db, machine_save_txn, &machine->row));
}

enum machine_state machine_state(const struct machine *machine)
{
	return machine_phases[machine->phase].shown;
}

const char *machine_state_name(enum machine_state state)
{
	return machine_state_names[state];
}

const char *machine_why(const struct machine *machine)
{
	return machine->why;
}

int64_t machine_since(const struct machine *machine)
{
	return machine->since;
}
