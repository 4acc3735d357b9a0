/*
 * What happens in a machine's session: is it the machine it should be, and events
 * recorded before they are acknowledged.
 *
 * Events come in bursts. Those of one turn of the loop are collected and written
 * in one transaction; then the owner is told, and then the machine may forget.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <inttypes.h>
#include <string.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/machine/change.h"
#include "orchestrator/machine/priv.h"
#include "orchestrator/store/jobs.h"

#define MACHINE_ANSWER_USEC UINT64_C(10000000)
#define MACHINE_EVENTS_KEPT 10000
/* Events that wait for a record that cannot be written. */
#define MACHINE_EVENTS_WAITING (1u << 20)

static void machine_on_done(int r, const Machine__Reply *reply, void *arg)
{
	struct machine *machine = arg;

	if (r == -ETIMEDOUT) {
		log_warn("machine %s does not answer", machine->row.name);
	}
}

/* Sends what no answer matters to. */
static void machine_tell(struct machine *machine, Machine__Request *request)
{
	int r = machine_request(machine, request, MACHINE_ANSWER_USEC, machine_on_done, machine);

	if (r < 0) {
		log_warn("machine %s: %s", machine->row.name, err_trace());
	}
}

/* Asks for all events that are not recorded yet. */
static void machine_subscribe_events(struct machine *machine)
{
	Machine__EventSubscribe events = MACHINE__EVENT_SUBSCRIBE__INIT;
	Machine__Request request = MACHINE__REQUEST__INIT;

	events.after = machine->row.event_seq;
	events.boot_id = machine->row.boot_id;
	request.body_case = MACHINE__REQUEST__BODY_EVENT_SUBSCRIBE;
	request.event_subscribe = &events;
	machine_tell(machine, &request);
}

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

static void machine_on_first_status(int r, void *arg)
{
	static const struct timeval pause = {.tv_usec = 500000};
	struct machine *machine = arg;

	if (machine->state != MACHINE_CONNECTING && machine->state != MACHINE_SILENT) {
		return;
	}
	if (r) {
		evtimer_add(machine->first_status, &pause);
		return;
	}
	machine_subscribe(machine);
	machine_set_state(machine, MACHINE_UP, "");
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

	if (machine->channel && channel_is_up(machine->channel) && !machine->ready) {
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

static void machine_on_up(const struct session *session, void *arg)
{
	struct machine *machine = arg;

	if (!machine_identify(machine, &session->peer)) {
		log_error("machine %s: another machine (or a second record of one) answers at %s",
		        machine->row.name, machine->row.socket);
		machine->stranger = true;
		machine_set_state(machine, MACHINE_DOWN, "another machine answers at its socket");
		return;
	}
	machine->protocol = session->version;
	machine->newest_seq = machine->row.event_seq;
	evbuffer_drain(machine->events, evbuffer_get_length(machine->events));
	machine_ask_first_status(machine);
}

static void machine_on_down(const char *why, void *arg)
{
	struct machine *machine = arg;

	if (machine->ready) {
		machine_set_state(machine, MACHINE_CONNECTING, why);
	} else if (machine->state == MACHINE_CONNECTING || machine->state == MACHINE_SILENT) {
		snprintf(machine->why, sizeof(machine->why), "%s", why);
	}
}

static void machine_on_heard(void *arg)
{
	struct machine *machine = arg;

	if (machine->state == MACHINE_SILENT) {
		machine_set_state(machine, machine->ready ? MACHINE_UP : MACHINE_CONNECTING, "");
	}
}

static void machine_on_log(const Machine__LogLines *lines, void *arg)
{
	machine_log_lines(arg, lines);
}

/* The newest metrics replace the status's; they are no history. */
static void machine_on_metrics(struct machine *machine, const Machine__ServiceMetrics *metrics)
{
	for (size_t i = 0; machine->status && i < machine->status->n_services; i++) {
		Machine__Service *service = machine->status->services[i];

		if (strcmp(service->name, metrics->service) ||
		        service->n_metrics != metrics->n_metrics) {
			continue;
		}
		for (size_t m = 0; m < metrics->n_metrics; m++) {
			service->metrics[m]->value = metrics->metrics[m]->value;
		}
	}
}

static void machine_on_event(const Machine__Event *event, void *arg)
{
	static const struct timeval now = {0, 0};
	struct machine *machine = arg;
	uint32_t size = machine__event__get_packed_size(event);
	_cleanup_(freep) uint8_t *packed = NULL;

	if (event->seq <= machine->newest_seq) {
		return;
	}
	machine->newest_seq = event->seq;
	if (event->body_case == MACHINE__EVENT__BODY_METRICS) {
		machine_on_metrics(machine, event->metrics);
	}
	packed = mem_zero(size + 1);
	machine__event__pack(event, packed);
	evbuffer_add(machine->events, &size, sizeof(size));
	evbuffer_add(machine->events, packed, size);
	evtimer_add(machine->flush, &now);
}

static void machine_on_silent(void *arg);

const struct channel_ops machine_channel_ops = {
        .up = machine_on_up,
        .down = machine_on_down,
        .silent = machine_on_silent,
        .heard = machine_on_heard,
        .event = machine_on_event,
        .log = machine_on_log,
};

/* Calls fn for each collected event until it returns non-zero. */
typedef int (*machine_event_fn)(
        struct machine *machine, const Machine__Event *event, const uint8_t *packed, size_t size);

static int machine_events_each(struct machine *machine, machine_event_fn fn)
{
	size_t left = evbuffer_get_length(machine->events);
	const uint8_t *at = evbuffer_pullup(machine->events, -1);
	int r = 0;

	while (!r && left > sizeof(uint32_t)) {
		Machine__Event *event;
		uint32_t size;

		memcpy(&size, at, sizeof(size));
		event = machine__event__unpack(NULL, size, at + sizeof(size));
		if (event) {
			r = fn(machine, event, at + sizeof(size), size);
			machine__event__free_unpacked(event, NULL);
		}
		at += sizeof(size) + size;
		left -= sizeof(size) + size;
	}
	return r;
}

static int machine_event_record(
        struct machine *machine, const Machine__Event *event, const uint8_t *packed, size_t size)
{
	struct event_row row = {
	        .machine = machine->row.id,
	        .boot_id = machine->row.boot_id,
	        .line = machine->row.line,
	        .seq = event->seq,
	        .clock_ns = event->clock_ns,
	};
	int r;

	machine->row.event_seq = event->seq;
	if (event->body_case == MACHINE__EVENT__BODY_METRICS ||
	        event->body_case == MACHINE__EVENT__BODY_STEP) {
		return 0;
	}
	r = store_event_insert(machine->machines->db, &row, packed, size);
	return r == DB_E_EXISTS ? 0 : err_up(r);
}

static int machine_flush_txn(struct db *db, void *arg)
{
	struct machine *machine = arg;
	int r = machine_events_each(machine, machine_event_record);

	if (!r) {
		r = store_machine_update(db, &machine->row);
	}
	if (!r) {
		r = store_event_trim(db, machine->row.id, MACHINE_EVENTS_KEPT);
	}
	return err_fold(r);
}

static void machine_on_change(struct machine *machine, const Machine__ServiceChange *change)
{
	log_info("machine %s: %s %s (generation %" PRIu64 ")%s%s", machine->row.name,
	        *change->service ? change->service : "it", change_text(change->kind),
	        change->generation, change->cause ? ": " : "",
	        change->cause ? change->cause->message : "");
}

static int machine_event_tell(
        struct machine *machine, const Machine__Event *event, const uint8_t *packed, size_t size)
{
	const struct machines *machines = machine->machines;

	switch (event->body_case) {
	case MACHINE__EVENT__BODY_STEP:
		machines->ops->step(machine, event->step, machines->arg);
		break;
	case MACHINE__EVENT__BODY_RESULT:
		machines->ops->result(machine, event->result, machines->arg);
		break;
	case MACHINE__EVENT__BODY_CHANGE:
		machine_on_change(machine, event->change);
		break;
	case MACHINE__EVENT__BODY_METRICS:
	case MACHINE__EVENT__BODY__NOT_SET:
	case _MACHINE__EVENT__BODY__CASE_IS_INT_SIZE:
		break;
	}
	return 0;
}

/*
 * The record cannot be written: events wait, here as far as there is room, and in the
 * machine, which keeps what is not acknowledged.
 */
static void machine_events_wait(struct machine *machine)
{
	log_warn("machine %s: events are not recorded yet: %s", machine->row.name, err_trace());
	err_forget();
	if (evbuffer_get_length(machine->events) > MACHINE_EVENTS_WAITING) {
		evbuffer_drain(machine->events, evbuffer_get_length(machine->events));
		machine->newest_seq = machine->row.event_seq;
	}
}

void machine_session_recorded(struct machine *machine)
{
	static const struct timeval now = {0, 0};

	evtimer_add(machine->flush, &now);
	if (machine->channel && channel_is_up(machine->channel)) {
		machine_subscribe_events(machine);
	}
}

void machine_on_flush(evutil_socket_t fd, short what, void *arg)
{
	Machine__EventAck ack = MACHINE__EVENT_ACK__INIT;
	Machine__Request request = MACHINE__REQUEST__INIT;
	struct machine *machine = arg;
	uint64_t recorded = machine->row.event_seq;
	uint64_t seq;
	int r;

	r = db_txn(machine->machines->db, machine_flush_txn, machine);
	if (r < 0) {
		machine->row.event_seq = recorded;
		machine_events_wait(machine);
		return;
	}
	seq = machine->row.event_seq;
	(void)machine_events_each(machine, machine_event_tell);
	evbuffer_drain(machine->events, evbuffer_get_length(machine->events));
	if (!machine->channel || !channel_is_up(machine->channel)) {
		return;
	}
	ack.seq = seq;
	request.body_case = MACHINE__REQUEST__BODY_EVENT_ACK;
	request.event_ack = &ack;
	machine_tell(machine, &request);
}

void machine_session_fini(struct machine *machine)
{
	bool was_open = machine->state == MACHINE_UP || machine->state == MACHINE_SILENT;

	machine->heard_usec = machine_heard_usec(machine);
	machine->channel = channel_free(machine->channel);
	evtimer_del(machine->flush);
	evtimer_del(machine->first_status);
	if (was_open) {
		machine_set_state(machine, MACHINE_CONNECTING, "");
	}
}

int machine_request(struct machine *machine, Machine__Request *request, uint64_t timeout_usec,
        channel_reply_fn fn, void *arg)
{
	if (!machine->channel) {
		return err_raise(-ENOTCONN);
	}
	return err_up(channel_request(machine->channel, request, timeout_usec, fn, arg));
}

static void machine_on_silent(void *arg)
{
	struct machine *machine = arg;
	char why[sizeof(machine->why)];

	if (machine->state != MACHINE_UP && machine->state != MACHINE_CONNECTING) {
		return;
	}
	snprintf(why, sizeof(why), "%s",
	        machine->ready  ? "it does not answer"
	        : *machine->why ? machine->why
	                        : "it has not answered yet");
	machine_set_state(machine, MACHINE_SILENT, why);
	machine->since -= CHANNEL_SILENT_SEC;
	machine_refreshing_end(machine);
}

/* Who waited for the end has left; the end itself still counts. */
static void machine_stop_unheard(void *arg)
{
	(void)arg;
}

void machine_forget(struct machine *machine, const void *arg)
{
	if (machine->stop_done && machine->stop_arg == arg) {
		machine->stop_done = machine_stop_unheard;
		machine->stop_arg = NULL;
	}
	if (machine->launch_done && machine->launch_arg == arg) {
		machine->launch_done = NULL;
	}
	machine_refreshing_forget(machine, arg);
	if (machine->channel) {
		channel_forget(machine->channel, arg);
	}
}
