/*
 * First instances. Services start as soon as everything they depend on is up, so independent ones
 * start side by side; what waits in a circle, or for what does not run, never starts.
 *
 * There is no queue and no count of open dependencies: the table is walked again whenever something
 * changed, until nothing does. It is short, and it is walked at boot only.
 */
#include "osd/servers/rs/life/start.h"

#include "osd/lib/sys/sys.h"
#include "osd/servers/rs/life/instance.h"
#include "osd/servers/rs/base/journal.h"
#include "osd/servers/rs/base/log.h"
#include "osd/servers/rs/base/machine.h"
#include "osd/servers/rs/life/service.h"
#include "osd/servers/rs/base/text.h"

/* For one line of the log, numbers included. */
#define START_LINE 64

enum start_readiness { START_READY, START_WAIT, START_NEVER };

/* A dependency that crashed and restarts counts as up: its endpoint is there, and senders wait. */
static enum start_readiness start_readiness(const struct service *service)
{
	const struct kit_manifest *kit = &service->binary.kit;
	enum start_readiness readiness = START_READY;

	for (uint32_t i = 0; i < kit->n_depends; i++) {
		const struct service *other = service_find(kit->depends[i]);

		if (other == NULL || other->state == RS_SERVICE_DOWN) {
			return START_NEVER;
		}
		if (other->state == RS_SERVICE_NONE || other->state == RS_SERVICE_STARTING) {
			readiness = START_WAIT;
		}
	}
	return readiness;
}

/* Give a new service its first instance, which gets the slot for good. */
static err_t start_create(struct service *service)
{
	struct instance_plan plan = {
	        .binary = &service->binary, .kind = START_FRESH, .self = EP_NONE};
	err_t err = instance_create(&plan, &service->instance);

	if (err != E_OK) {
		return err;
	}
	service->endpoint = service->instance.slot;
	service_privileges_refresh();
	return instance_start(&service->instance);
}

err_t start_service(struct service *service)
{
	nsec_t now = sys_clock_read();
	err_t err = start_create(service);

	service->started = now;
	service->start_deadline = now + RS_START_TIMEOUT;
	if (err == E_OK) {
		return E_OK;
	}
	instance_destroy(&service->instance);
	service->endpoint = EP_NONE;
	service->start_deadline = NSEC_NEVER;
	service_set_state(service, RS_SERVICE_DOWN);
	journal_add(&(struct journal_entry){
	        .kind = RS_EVENT_GAVE_UP,
	        .err = err,
	        .service = service->name,
	        .text = "cannot be created",
	});
	return err;
}

static void start_never(struct service *service)
{
	service_set_state(service, RS_SERVICE_DOWN);
	journal_add(&(struct journal_entry){
	        .kind = RS_EVENT_GAVE_UP,
	        .err = E_NOTFOUND,
	        .service = service->name,
	        .text = "depends on what does not run",
	});
}

/*
 * One pass over the table. Returns whether anything changed; *ret_open
 * counts what is not settled yet.
 */
static bool start_pass(uint32_t *ret_open)
{
	struct service *service;
	bool is_changed = false;

	*ret_open = 0;
	for (uint32_t i = 0; (service = service_at(i)) != NULL; i++) {
		*ret_open += service->state == RS_SERVICE_STARTING;
		if (service->state != RS_SERVICE_NONE) {
			continue;
		}
		switch (start_readiness(service)) {
		case START_READY:
			service_set_state(service, RS_SERVICE_STARTING);
			(void)start_service(service);
			is_changed = true;
			break;
		case START_NEVER:
			start_never(service);
			is_changed = true;
			break;
		case START_WAIT:
			break;
		}
	}
	return is_changed;
}

/* The time to here is what users call boot time. */
static void start_finish(void)
{
	static const char nobody[SERVICE_NAME_LEN];
	char line[START_LINE];
	struct text text = text_init(line, sizeof(line));

	machine.boot_done = sys_clock_read();
	text_add(&text, "services up after ");
	text_add_decimal(&text, (int64_t)(machine.boot_done / NSEC_USEC));
	text_add(&text, " us");
	rs_log(line);
	journal_add(
	        &(struct journal_entry){.kind = RS_EVENT_BOOTED, .service = nobody, .text = line});
}

void start_step(void)
{
	struct service *service;
	uint32_t n_open;

	if (machine.boot_done != 0) {
		return;
	}
	while (start_pass(&n_open)) {
	}
	if (n_open > 0) {
		return;
	}
	/* Nothing starts any more: who still waits, waits in a circle. */
	for (uint32_t i = 0; (service = service_at(i)) != NULL; i++) {
		if (service->state == RS_SERVICE_NONE) {
			start_never(service);
		}
	}
	start_finish();
}
