/*
 * A machine's session: is it the machine it should be, and is it heard. A channel that is up is not
 * yet a machine that is: first its identity is compared with the record, which learns it from a
 * machine that was attached and has none; then it gives its status; only then is it OPEN, and
 * events and log are subscribed to. Another machine at the socket is never talked to, and not listened to.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <string.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/machine/priv.h"

static void machine_subscribe(struct machine *machine)
{
	Machine__LogSubscribe log = MACHINE__LOG_SUBSCRIBE__INIT;
	Machine__Request request = MACHINE__REQUEST__INIT;

	machine_subscribe_events(machine);
	log.on = true;
	request.body_case = MACHINE__REQUEST__BODY_LOG_SUBSCRIBE;
	request.log_subscribe = &log;
	machine_tell(machine, &request);
}

/*
 * Whoever is OPEN has a status: jobs rely on that. One that does not come is asked for again
 * while the session lasts; a machine that was stopped meanwhile, or is another, is left alone.
 */
static void machine_on_first_status(int r, void *arg)
{
	static const struct timeval pause = {.tv_usec = 500000};
	struct machine *machine = arg;

	if (machine->phase != MACHINE_IS_SOUGHT && machine->phase != MACHINE_IS_MUTE) {
		return;
	}
	if (r) {
		evtimer_add(machine->first_status, &pause);
		return;
	}
	machine_subscribe(machine);
	if (!machine->was_heard) {
		machine->was_heard = true;
		machine->machines->version++;
	}
	machine_set_phase(machine, MACHINE_IS_OPEN, "");
}

static void machine_ask_first_status(struct machine *machine)
{
	int r = machine_refresh(machine, machine_on_first_status, machine);

	if (r < 0) {
		log_warn("machine %s: %s", machine->row.name, err_trace());
	}
}

void machine_on_first_status_due(evutil_socket_t fd, short what, void *arg)
{
	struct machine *machine = arg;

	if (machine->channel && channel_is_up(machine->channel) && !machine_is_open(machine)) {
		machine_ask_first_status(machine);
	}
}

/*
 * Records who answers. False when another record has this machine. A record that
 * cannot be written now makes no stranger of a machine: it is saved later.
 */
static bool machine_note_peer(struct machine *machine)
{
	int r = machine_save(machine);

	if (r < 0) {
		log_warn("machine %s: who answers is not recorded yet: %s", machine->row.name,
		        err_trace());
		err_forget();
	}
	return r != DB_E_EXISTS;
}

/* Learns or checks who is at the other end. False when it is another machine. */
static bool machine_identify(struct machine *machine, const struct session_identity *peer)
{
	struct machine_row *row = &machine->row;

	machine->known = row->has_machine_id && row->boot_id;
	if (!row->has_machine_id) {
		memcpy(row->machine_id, peer->machine_id, sizeof(row->machine_id));
		row->has_machine_id = true;
	}
	if (memcmp(row->machine_id, peer->machine_id, sizeof(row->machine_id))) {
		return false;
	}
	if (row->boot_id != peer->boot_id) {
		row->boot_id = peer->boot_id;
		row->event_seq = 0;
		machine->newest_seq = 0;
	}
	return machine_note_peer(machine);
}

/*
 * The events of a session before are dropped: what was not recorded comes again, by its number.
 */
static void machine_on_up(const struct session *session, void *arg)
{
	struct machine *machine = arg;

	if (!machine_identify(machine, &session->peer)) {
		log_error("machine %s: another machine (or a second record of one) answers at %s",
		        machine->row.name, machine->row.socket);
		machine_set_phase(
		        machine, MACHINE_IS_FOREIGN, "another machine answers at its socket");
		return;
	}
	machine->protocol = session->version;
	machine->features = session->features;
	machine->newest_seq = machine->row.event_seq;
	evbuffer_drain(machine->events, evbuffer_get_length(machine->events));
	machine_ask_first_status(machine);
}

/*
 * An attempt that failed only changes the reason, which a person reads when the machine goes
 * silent.
 */
static void machine_on_down(const char *why, void *arg)
{
	struct machine *machine = arg;

	if (machine_is_open(machine)) {
		machine_set_phase(machine, MACHINE_IS_SOUGHT, why);
	} else if (machine->phase == MACHINE_IS_SOUGHT || machine->phase == MACHINE_IS_MUTE) {
		snprintf(machine->why, sizeof(machine->why), "%s", why);
	}
}

static void machine_on_heard(void *arg)
{
	struct machine *machine = arg;

	if (machine->phase == MACHINE_IS_HUNG) {
		machine_set_phase(machine, MACHINE_IS_OPEN, "");
	} else if (machine->phase == MACHINE_IS_MUTE) {
		machine_set_phase(machine, MACHINE_IS_SOUGHT, "");
	}
}

static void machine_on_log(const Machine__LogLines *lines, void *arg)
{
	struct machine *machine = arg;

	if (machine->phase != MACHINE_IS_FOREIGN) {
		machine_log_lines(machine, lines);
	}
}

/*
 * It counts as silent since it was heard last, and not since that was noticed. Whoever waits for
 * a status learns that there is none.
 */
static void machine_on_silent(void *arg)
{
	struct machine *machine = arg;
	char why[sizeof(machine->why)];

	if (machine->phase != MACHINE_IS_OPEN && machine->phase != MACHINE_IS_SOUGHT) {
		return;
	}
	snprintf(why, sizeof(why), "%s",
	        machine_is_open(machine) ? "it does not answer"
	        : *machine->why          ? machine->why
	                                 : "it has not answered yet");
	machine_set_phase(
	        machine, machine_is_open(machine) ? MACHINE_IS_HUNG : MACHINE_IS_MUTE, why);
	machine->since -= CHANNEL_SILENT_SEC;
	machine_refreshing_end(machine);
}

static const struct channel_ops session_channel_ops = {
        .up = machine_on_up,
        .down = machine_on_down,
        .silent = machine_on_silent,
        .heard = machine_on_heard,
        .event = machine_on_event,
        .log = machine_on_log,
};

/*
 * Takes up the channel of a machine that is meant to run from now on. One whose process was asked
 * to end is not taken up again: -EBUSY.
 */
int machine_connect(struct machine *machine)
{
	int r = 0;

	if (machine->phase == MACHINE_IS_ENDING) {
		return err_raise(-EBUSY);
	}
	if (!machine->row.wanted) {
		machine->row.wanted = true;
		r = err_fold(machine_save(machine));
	}
	if (!r && !machine->channel) {
		r = channel_new(machine->machines->base, machine->machines->buffers,
		        machine->row.socket, &session_channel_ops, machine, &machine->channel);
	}
	if (r < 0) {
		return err_up(r);
	}
	if (!machine_is_open(machine) && machine->phase != MACHINE_IS_MUTE) {
		machine_set_phase(machine, MACHINE_IS_SOUGHT, "");
	}
	machine_check(machine);
	return 0;
}

/* Ends the session from our side; requests fail, and the owner is told if it was open. */
void machine_session_fini(struct machine *machine)
{
	bool was_sought = machine_is_open(machine) || machine->phase == MACHINE_IS_MUTE;

	machine->heard_usec = machine_heard_usec(machine);
	machine->channel = channel_free(machine->channel);
	evtimer_del(machine->flush);
	evtimer_del(machine->first_status);
	if (was_sought) {
		machine_set_phase(machine, MACHINE_IS_SOUGHT, "");
	}
}
