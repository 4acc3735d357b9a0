/*
 * Recovery of services outside a transaction: a crashed, ended or silent service starts afresh
 * behind the same endpoint. Callers that waited for its reply get E_RESTART; who waits to send goes
 * on waiting.
 *
 * The new instance is made in a slot of its own; then the instances of the two slots change places,
 * and the old one ends with the spare slot. Until then the service stands stopped, so its memory
 * and its place are not given up before there is something to put there. Where that fails (memory,
 * most likely), it is tried again every RECOVER_RETRY: the service is out, but not lost.
 *
 * Where the service's flat kit is there, the new instance has a layout that was never used: RS makes
 * one for every try (generation N.K). What was just probed, or crashed, runs nowhere any more. Only
 * a service without a usable flat kit starts in the layout that it had: event and status say so.
 *
 * A service that crashes more often in a row than its kit allows is given up: its slot ends,
 * callers get E_DEAD. A service that stayed up for RECOVER_CALM starts counting anew. Nothing of
 * its state comes along: that is what a transaction does.
 */
#include "osd/servers/rs/life/recover.h"

#include <string.h>

#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/life/instance.h"
#include "osd/servers/rs/base/journal.h"
#include "osd/servers/rs/base/limit.h"
#include "osd/servers/rs/base/log.h"
#include "osd/servers/rs/base/machine.h"
#include "osd/servers/rs/life/service.h"
#include "osd/servers/rs/life/start.h"

#define RECOVER_CALM (10 * NSEC_SEC)
#define RECOVER_RETRY (100 * NSEC_MSEC)
/* Unanswered signs of life before the next one would be due. */
#define RECOVER_PINGS_MAX 3

static void recover_journal(
        const struct service *service, enum rs_event_kind kind, err_t err, const char *text)
{
	journal_add(&(struct journal_entry){
	        .kind = kind,
	        .err = err,
	        .service = service->name,
	        .text = text,
	});
}

/* Stop for good: the slot and the memory go. What depends on it at boot will not start either. */
static void recover_give_up(struct service *service, err_t err, const char *text)
{
	instance_destroy(&service->instance);
	service->endpoint = EP_NONE;
	service->crashed = 0; /* nobody waits for it any more */
	service->ping_open = 0;
	service_set_state(service, RS_SERVICE_DOWN);
	service_privileges_refresh();
	recover_journal(service, RS_EVENT_GAVE_UP, err, text);
	start_step();
}

/*
 * Put a fresh instance behind the endpoint in place of the one that is there, which is ended. After
 * an error before the swap nothing has changed; an error of the start leaves the fresh one there,
 * stopped, and the next try replaces it in turn.
 */
static err_t recover_replace(struct service *service)
{
	struct instance_plan plan = {
	        .binary = &service->binary,
	        .kind = START_RESTART,
	        .self = service->endpoint,
	};
	struct instance fresh;
	err_t err = instance_create(&plan, &fresh);

	if (err != E_OK) {
		return err;
	}
	err = sys_slot_swap(service->endpoint, fresh.slot, SWAP_FRESH);
	if (err != E_OK) {
		instance_destroy(&fresh);
		return err;
	}
	service->instance.slot = fresh.slot;
	fresh.slot = service->endpoint;
	instance_destroy(&service->instance);
	service->instance = fresh;
	service_privileges_refresh();
	return instance_start(&service->instance);
}

/* Another try to get an instance up; either the start limit runs from now on, or the retry. */
static void recover_try(struct service *service)
{
	nsec_t now = sys_clock_read();
	err_t err = binary_remake(&service->binary);

	if (err == E_OK) {
		err = recover_replace(service);
	}
	service->retry_at = err == E_OK ? NSEC_NEVER : now + RECOVER_RETRY;
	service->start_deadline = err == E_OK ? now + RS_START_TIMEOUT : NSEC_NEVER;
	service->started = now;
	service->ping_at = NSEC_NEVER;
	service->n_pings_missed = 0;
	service->ping_open = 0;
}

/* From the first of several tries on, the outage is one: `crashed` keeps when it began. */
static void recover_begin(struct service *service)
{
	if (sys_slot_stop(service->endpoint) != E_OK) {
		rs_panic("a service cannot be stopped");
	}
	if (service->crashed == 0) {
		service->crashed = sys_clock_read();
	}
	service->n_restarts++;
	service_set_state(service, RS_SERVICE_RESTARTING);
	recover_try(service);
}

void recover_crash(struct service *service, err_t err, const char *text)
{
	const struct kit_manifest *kit = &service->binary.kit;
	nsec_t up = sys_clock_read() - service->started;

	recover_journal(service, RS_EVENT_CRASHED, err, text);
	service->n_crashes_in_row = up > RECOVER_CALM ? 1 : service->n_crashes_in_row + 1;
	if (kit->restart == KIT_RESTART_NONE || service->n_crashes_in_row > kit->restart_limit) {
		recover_give_up(service, err, text);
		return;
	}
	recover_begin(service);
}

/* It crashed before it was down, most likely. */
static err_t recover_from_down(struct service *service)
{
	err_t err = binary_remake(&service->binary);

	if (err != E_OK) {
		return err;
	}
	service_set_state(service, RS_SERVICE_STARTING);
	service->n_crashes_in_row = 0;
	service->n_restarts++;
	return start_service(service);
}

err_t recover_restart(struct service *service)
{
	if (service->is_kernel_loaded) {
		return E_PERM;
	}
	if (service->binary.image.header == NULL) {
		return E_NOTFOUND; /* its boot entry was malformed */
	}
	switch (service->state) {
	case RS_SERVICE_RUNNING:
	case RS_SERVICE_RESTARTING:
		recover_begin(service);
		return E_OK;
	case RS_SERVICE_UPDATING:
		return E_BUSY;
	case RS_SERVICE_DOWN:
		return recover_from_down(service);
	case RS_SERVICE_NONE:
	case RS_SERVICE_STARTING:
	case RS_SERVICE_STATE_N:
		break;
	}
	return E_STATE;
}

void recover_started(struct service *service)
{
	nsec_t now = sys_clock_read();

	service_set_state(service, RS_SERVICE_RUNNING);
	service->start_deadline = NSEC_NEVER;
	recover_heartbeat_arm(service, now);
	if (service->crashed != 0) {
		nsec_t gap = now - service->crashed;

		service->longest_gap = gap > service->longest_gap ? gap : service->longest_gap;
	}
	/* It may lie elsewhere now, and whoever keeps a record must hear of it. */
	if (service->n_restarts > 0) {
		recover_journal(service, RS_EVENT_RESTARTED, E_OK,
		        service->binary.is_kept ? "started afresh in the layout that it had, "
		                                  "without a kit to make another of"
		                                : "started afresh");
	}
	service->crashed = 0;
	start_step();
}

void recover_heartbeat_arm(struct service *service, nsec_t now)
{
	uint32_t period = service->binary.kit.heartbeat_ms;

	service->n_pings_missed = 0;
	service->ping_at = period == 0 ? NSEC_NEVER : now + period * NSEC_MSEC;
}

/* How long it takes counts from the first one that is open: a service that is slow is not made fast by asking it again. */
void recover_ping(struct service *service, nsec_t now)
{
	struct message ping = {.type = SEF_PING, .w = {now}};

	if (service->state != RS_SERVICE_RUNNING && service->state != RS_SERVICE_UPDATING) {
		return;
	}
	if (service->is_kernel_loaded) {
		service->pong_at = now;
		service->pong_took = 0;
	} else if (sys_asend(service->endpoint, &ping) == E_OK && service->ping_open == 0) {
		service->ping_open = now;
	}
}

bool recover_watch(struct service *service, nsec_t now)
{
	if (now < service->ping_at) {
		return true;
	}
	if (service->n_pings_missed >= RECOVER_PINGS_MAX) {
		return false;
	}
	service->n_pings_missed++;
	service->ping_at = now + service->binary.kit.heartbeat_ms * NSEC_MSEC;
	recover_ping(service, now);
	return true;
}

void recover_pong(const struct message *msg)
{
	struct service *service = service_of(msg->source);

	if (service == NULL) {
		return;
	}
	service->n_pings_missed = 0;
	if (service->ping_open != 0) {
		service->pong_at = service->ping_open;
		service->pong_took = sys_clock_read() - service->ping_open;
		service->ping_open = 0;
	}
}

static void recover_service_tick(struct service *service, nsec_t now)
{
	switch (service->state) {
	case RS_SERVICE_STARTING:
	case RS_SERVICE_RESTARTING:
		if (now >= service->retry_at) {
			recover_try(service);
		} else if (now >= service->start_deadline) {
			recover_crash(service, E_TIMEOUT, "did not start in time");
		}
		break;
	case RS_SERVICE_RUNNING:
		if (!recover_watch(service, now)) {
			recover_crash(service, E_TIMEOUT, RECOVER_SILENT);
		}
		break;
	case RS_SERVICE_UPDATING: /* its transaction watches it */
	case RS_SERVICE_NONE:
	case RS_SERVICE_DOWN:
	case RS_SERVICE_STATE_N:
		break;
	}
}

void recover_tick(nsec_t now)
{
	struct service *service;

	for (uint32_t i = 0; (service = service_at(i)) != NULL; i++) {
		recover_service_tick(service, now);
	}
}

/* When recover_service_tick() has something to do for it, at the latest. */
static nsec_t recover_service_deadline(const struct service *service)
{
	switch (service->state) {
	case RS_SERVICE_STARTING:
	case RS_SERVICE_RESTARTING:
		return service->retry_at < service->start_deadline ? service->retry_at
		                                                   : service->start_deadline;
	case RS_SERVICE_RUNNING:
		return service->ping_at;
	case RS_SERVICE_UPDATING:
	case RS_SERVICE_NONE:
	case RS_SERVICE_DOWN:
	case RS_SERVICE_STATE_N:
		break;
	}
	return NSEC_NEVER;
}

nsec_t recover_next_deadline(void)
{
	struct service *service;
	nsec_t next = NSEC_NEVER;

	for (uint32_t i = 0; (service = service_at(i)) != NULL; i++) {
		nsec_t at = recover_service_deadline(service);

		next = at < next ? at : next;
	}
	return next;
}

void recover_extend(nsec_t by)
{
	struct service *service;

	for (uint32_t i = 0; (service = service_at(i)) != NULL; i++) {
		service->start_deadline = limit_extend(service->start_deadline, by);
		service->retry_at = limit_extend(service->retry_at, by);
		service->ping_at = limit_extend(service->ping_at, by);
	}
}
