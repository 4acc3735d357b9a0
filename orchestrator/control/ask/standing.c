/*
 * Standing orders: what a person wants is recorded, and answered when the machine has taken it. What
 * could not be carried out is refused before it is recorded; what happens later is for the status.
 */
#include <string.h>

#include "host/base/log.h"
#include "orchestrator/control/ask/priv.h"
#include "orchestrator/job/core/standing.h"
#include "orchestrator/job/engine/engine.h"
#include "proto/envelope/envelope.h"

/* How long one may be renewed at most: 100 years, whose sum with any clock fits. */
#define STANDING_FOR_MS_MAX (UINT64_C(100) * 366 * STANDING_EVERY_MS_MAX)

/* What was recorded is done: the machine gets it without anybody's asking again. */
static void control_standing_later(
        struct control_client *client, uint64_t id, const struct machine *machine)
{
	char text[160];

	snprintf(text, sizeof(text),
	        "recorded; machine %s is %s, and gets it as soon as it is up again",
	        machine_row(machine)->name, machine_state_name(machine_state(machine)));
	control_done(client, id, text);
}

static void control_on_standing_given(const struct failure *failure, void *arg)
{
	struct control_wait *wait = arg;
	struct control_client *client = wait->client;
	const struct machine *machine = wait->machine;
	uint64_t id = wait->id;

	wait->is_standing = false;
	control_wait_free(wait);
	if (failure && !strcmp(failure->code, STANDING_LATER)) {
		control_standing_later(client, id, machine);
	} else if (failure) {
		control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_REFUSED, failure);
	} else {
		control_done(client, id, "");
	}
}

/* Behind what is there. False: there is no room, and nothing was added. */
static bool control_standing_add(char *text, size_t size, const char *added)
{
	size_t len = strlen(text), n = strlen(added);

	if (n >= size - len) {
		return false;
	}
	memcpy(text + len, added, n + 1);
	return true;
}

/*
 * Named services must be there, and be such as can move. How many names come, and how long those of
 * a machine are, is not ours to say. False: ret_failure says which is not.
 */
static bool control_standing_services(const struct machine *machine,
        const Control__StandingRequest *from, struct standing_row *row, struct failure *ret_failure)
{
	for (size_t i = 0; i < from->n_services; i++) {
		const Machine__Service *service = machine_service(machine, from->services[i]);

		if (!service || !service->can_update) {
			failure_set(ret_failure, service ? "not-updatable" : "no-service",
			        from->services[i], "`luctl status` shows what can be moved",
			        service ? "this service cannot be moved while it runs"
			                : "the machine has no such service");
			return false;
		}
		if (!control_standing_add(row->services, sizeof(row->services), i ? " " : "") ||
		        !control_standing_add(
		                row->services, sizeof(row->services), service->name)) {
			failure_set(ret_failure, "too-many", from->services[i],
			        "name each service once, or none for all of them",
			        "there is no room for so many services");
			return false;
		}
	}
	return true;
}

/* Of one that ends another nothing is asked, but that there is room for what it says. */
static bool control_standing_counts(const Control__StandingRequest *from)
{
	return from->n_services <= STANDING_SERVICES_MAX && from->n_quiet <= STANDING_QUIET_MAX &&
	       from->for_ms <= STANDING_FOR_MS_MAX;
}

static bool control_standing_times(
        const Control__StandingRequest *from, struct standing_row *row, struct failure *ret_failure)
{
	bool good = control_standing_counts(from) &&
	            (!from->every_ms || (from->every_ms >= STANDING_EVERY_MS_MIN &&
	                                        from->every_ms <= STANDING_EVERY_MS_MAX &&
	                                        from->jitter_ms <= from->every_ms));

	for (size_t i = 0; good && i < from->n_quiet; i++) {
		const Machine__StandingQuiet *quiet = from->quiet[i];
		char text[32];

		snprintf(text, sizeof(text), "%u-%u ", quiet->from_sec, quiet->until_sec);
		good = quiet->from_sec < 86400 && quiet->until_sec < 86400 &&
		       quiet->from_sec != quiet->until_sec &&
		       control_standing_add(row->quiet, sizeof(row->quiet), text);
	}
	if (!good) {
		failure_set(ret_failure, "times", "standing order",
		        "give 100ms to 24h between layouts, jitter below that, up to 8 quiet "
		        "times of the day, and up to 64 services",
		        "these times make no standing order");
	}
	return good;
}

void control_on_standing(struct control_client *client, const Control__Request *request)
{
	const Control__StandingRequest *from = request->standing;
	struct machine *machine = control_machine(client, request->id, from->machine);
	struct standing_row row = {.wanted = from->every_ms != 0,
	        .every_ms = from->every_ms,
	        .jitter_ms = from->jitter_ms};
	struct control_wait *wait;
	struct failure failure;
	int r;

	if (!machine) {
		return;
	}
	/* What its services are has to be known, but to end one. */
	if (row.wanted && !machine_status(machine)) {
		engine_not_up(machine, &failure);
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_UNAVAILABLE, &failure);
		return;
	}
	if (row.wanted && machine_status(machine)->no_kits) {
		failure_set(&failure, "no-kits", machine_row(machine)->name,
		        "`luctl rerandomize` moves services into layouts of the host's; or start "
		        "the "
		        "machine with room for kits",
		        "a machine that keeps no kits makes no layouts by itself");
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_REFUSED, &failure);
		return;
	}
	if (!control_standing_times(from, &row, &failure) ||
	        !control_standing_services(machine, from, &row, &failure)) {
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_INVALID, &failure);
		return;
	}
	snprintf(row.identity, sizeof(row.identity), "%s", client->who.name);
	snprintf(row.reason, sizeof(row.reason), "%s", request->reason);
	row.until_us = from->for_ms ? store_now_usec() + (int64_t)from->for_ms * 1000 : 0;
	wait = control_wait_new(client, request->id);
	if (!wait) {
		return;
	}
	wait->machine = machine;
	wait->is_standing = true;
	control_once_text(
	        client, "recorded before; `luctl status` shows whether the machine has it");
	r = standing_want(control_engine(client), machine, &row, control_on_standing_given, wait);
	engine_policies_look(control_engine(client), machine);
	if (!r) {
		return;
	}
	wait->is_standing = false;
	control_wait_free(wait);
	if (r == STANDING_E_LATER) {
		control_standing_later(client, request->id, machine);
	} else {
		log_error("standing order: %s", err_trace());
		control_refuse_record(client, request->id);
	}
}
