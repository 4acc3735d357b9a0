/*
 * Events of a machine, recorded before they are acknowledged. The machine keeps what is not
 * acknowledged, so an event is lost only if it could be recorded and then the record was.
 *
 *   machine --event--> ->events --one turn of the loop--> record --> owner told --> acknowledged
 *
 * Events come in bursts: those of one turn are collected and written in one transaction; then
 * the owner is told, and then the machine may forget. While the record cannot be written they
 * wait, here as far as there is room (MACHINE_EVENTS_WAITING) and in the machine beyond it.
 * Numbers (seq) rise within a boot; what comes twice after a lost session is recorded once.
 * Metrics replace those of the last status, and steps are news only: neither is recorded.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/machine/change.h"
#include "orchestrator/machine/priv.h"
#include "orchestrator/store/changes.h"
#include "orchestrator/store/jobs.h"

#define MACHINE_ANSWER_USEC UINT64_C(10000000)
/* Too many by so many at most, of those that are kept: to find the oldest steps over all of them. */
#define MACHINE_EVENTS_SLACK 16
/* Events that wait for a record that cannot be written. */
#define MACHINE_EVENTS_WAITING (1u << 20)

/* Its answers only tell a machine that is slow; a lost session is told by the session itself. */
static void machine_on_done(int r, const Machine__Reply *reply, void *arg)
{
	struct machine *machine = arg;

	if (r == -ETIMEDOUT) {
		log_warn("machine %s does not answer", machine->row.name);
	}
}

/* Sends what no answer matters to. */
/* Not sent where no session is open: all that is sent so is sent again when one is. */
void machine_tell(struct machine *machine, Machine__Request *request)
{
	int r = machine_request(machine, request, MACHINE_ANSWER_USEC, machine_on_done, machine);

	if (r < 0) {
		log_warn("machine %s: %s", machine->row.name, err_trace());
	}
}

/* Asks for all events that are not recorded yet. */
void machine_subscribe_events(struct machine *machine)
{
	Machine__EventSubscribe events = MACHINE__EVENT_SUBSCRIBE__INIT;
	Machine__Request request = MACHINE__REQUEST__INIT;

	events.after = machine->row.event_seq;
	events.boot_id = machine->row.boot_id;
	request.body_case = MACHINE__REQUEST__BODY_EVENT_SUBSCRIBE;
	request.event_subscribe = &events;
	machine_tell(machine, &request);
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

/* What another machine at the socket says is nothing of this one. */
void machine_on_event(const Machine__Event *event, void *arg)
{
	static const struct timeval now = {0, 0};
	struct machine *machine = arg;
	uint32_t size = machine__event__get_packed_size(event);
	_cleanup_(freep) uint8_t *packed = NULL;

	if (machine->phase == MACHINE_IS_FOREIGN || event->seq <= machine->newest_seq) {
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

/* Calls fn for each collected event until it returns non-zero. */
typedef int (*machine_event_fn)(struct machine *machine, const Machine__Event *event);

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
			r = fn(machine, event);
			machine__event__free_unpacked(event, NULL);
		}
		at += sizeof(size) + size;
		left -= sizeof(size) + size;
	}
	return r;
}

/* What a machine says may be of any length. */
static void machine_text_cut(char *ret_text, size_t size, const char *text)
{
	snprintf(ret_text, size, "%.*s", (int)size - 1, text);
}

/*
 * What befell a service has a table of its own, by which people ask for it. The generation is what the machine
 * told last: its events name none.
 */
static int machine_change_record(struct machine *machine, const Machine__Event *event)
{
	const Machine__ServiceChange *change = event->change;
	struct change_row row = {
	        .machine = machine->row.id,
	        .boot_id = machine->row.boot_id,
	        .line = machine->row.line,
	        .seq = event->seq,
	        .clock_ns = event->clock_ns,
	        .kind = (uint32_t)change->kind,
	};

	change_number(change, machine->status, &row.generation, &row.made);
	machine_text_cut(row.service, sizeof(row.service), change->service);
	if (change->cause) {
		machine_text_cut(row.code, sizeof(row.code), change->cause->name);
		machine_text_cut(row.message, sizeof(row.message), change->cause->message);
	}
	return err_up(store_change_insert(machine->machines->db, &row));
}

/*
 * Numbers what is recorded: row.event_seq follows inside the transaction, and is put back by
 * machine_on_flush() should that fail. What was recorded before a lost acknowledgement is there
 * already.
 */
static int machine_event_record(struct machine *machine, const Machine__Event *event)
{
	struct event_row row = {
	        .machine = machine->row.id,
	        .boot_id = machine->row.boot_id,
	        .line = machine->row.line,
	        .seq = event->seq,
	        .clock_ns = event->clock_ns,
	};
	int r;

	store_event_of(
	        event->body_case == MACHINE__EVENT__BODY_RESULT ? event->result : NULL, &row);
	machine->row.event_seq = event->seq;
	if (event->body_case == MACHINE__EVENT__BODY_METRICS ||
	        event->body_case == MACHINE__EVENT__BODY_STEP) {
		return 0;
	}
	r = event->body_case == MACHINE__EVENT__BODY_CHANGE
	            ? machine_change_record(machine, event)
	            : store_event_insert(machine->machines->db, &row);
	machine->until_trim -= machine->until_trim > 0;
	return r == DB_E_EXISTS ? 0 : err_up(r);
}

/* The events, how far they are recorded, and what is kept of them, at once. */
static int machine_flush_txn(struct db *db, void *arg)
{
	struct machine *machine = arg;
	uint64_t kept = machine->machines->config->record_events;
	int r = machine_events_each(machine, machine_event_record);

	if (!r) {
		r = store_machine_update(db, &machine->row);
	}
	if (!r && !machine->until_trim) {
		r = store_event_trim(db, machine->row.id, (int64_t)kept);
		r = r ? r : store_change_trim(db, machine->row.id, (int64_t)kept);
		machine->until_trim = kept / MACHINE_EVENTS_SLACK;
	}
	return err_fold(r);
}

static void machine_on_change(struct machine *machine, const Machine__ServiceChange *change)
{
	struct log_about about = {.machine = machine->row.name, .service = change->service};
	enum log_level level = LOG_LEVEL_WARN;
	char generation[64];

	if (change->kind == MACHINE__SERVICE_CHANGE_KIND__CHANGE_CRASHED) {
		about.message = LOG_SERVICE_CRASHED;
	} else if (change->kind == MACHINE__SERVICE_CHANGE_KIND__CHANGE_GAVE_UP) {
		about.message = LOG_SERVICE_GAVE_UP;
	} else {
		level = LOG_LEVEL_INFO;
	}
	change_generation(change, machine->status, generation, sizeof(generation));
	log_line(level, &about, "machine %s: %s %s%s%s%s", machine->row.name,
	        *change->service ? change->service : "it", change_text(change->kind), generation,
	        change->cause ? ": " : "", change->cause ? change->cause->message : "");
}

static void machine_on_restarted(struct machine *machine);

static void machine_on_restarted_status(int r, void *arg)
{
	struct machine *machine = arg;
	bool again = machine->restarted == MACHINE_RESTARTED_AGAIN;

	machine->restarted = MACHINE_RESTARTED_NONE;
	if (again && r >= 0) {
		machine_on_restarted(machine);
	}
}

/*
 * A service that started afresh has another layout, and one that stays down runs no more: the record
 * learns of it by a status. One at a time, and another one for all that befell meanwhile: how much
 * does is the machine's word.
 */
static void machine_on_restarted(struct machine *machine)
{
	if (machine->restarted != MACHINE_RESTARTED_NONE) {
		machine->restarted = MACHINE_RESTARTED_AGAIN;
		return;
	}
	if (!machine_is_open(machine)) {
		return;
	}
	machine->restarted = MACHINE_RESTARTED_ASKED;
	if (machine_refresh(machine, machine_on_restarted_status, machine) < 0) {
		machine->restarted = MACHINE_RESTARTED_NONE;
		log_warn("machine %s: %s", machine->row.name, err_trace());
		err_forget();
	}
}

/*
 * Only after it is recorded: the owner acts on results, and what it does must not be ahead of the
 * record.
 */
static int machine_event_tell(struct machine *machine, const Machine__Event *event)
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
		if (event->change->kind == MACHINE__SERVICE_CHANGE_KIND__CHANGE_RESTARTED ||
		        event->change->kind == MACHINE__SERVICE_CHANGE_KIND__CHANGE_GAVE_UP) {
			machine_on_restarted(machine);
		}
		if (machines->ops->change) {
			machines->ops->change(machine, event->change, machines->arg);
		}
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

/*
 * What waited here is written in the next turn; what found no room is fetched from the machine
 * again.
 */
void machine_session_recorded(struct machine *machine)
{
	static const struct timeval now = {0, 0};

	evtimer_add(machine->flush, &now);
	if (machine->channel && channel_is_up(machine->channel)) {
		machine_subscribe_events(machine);
	}
}

/*
 * The owner may end jobs by what it is told, and a machine's session too; so the channel is
 * looked at again before the acknowledgement.
 */
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
