/* From a request to its handler, by one table. */
#include "orchestrator/base/log.h"
#include "orchestrator/control/priv.h"

typedef void (*control_handler)(struct control_client *client, const Control__Request *request);

/* Indexed by the request's body; what is missing is answered `unsupported`. */
static const control_handler control_handlers[] = {
        [CONTROL__REQUEST__BODY_VERSION] = control_on_version,
        [CONTROL__REQUEST__BODY_STATUS] = control_on_status,
        [CONTROL__REQUEST__BODY_UPDATE] = control_on_update,
        [CONTROL__REQUEST__BODY_ROLLBACK] = control_on_rollback,
        [CONTROL__REQUEST__BODY_RERANDOMIZE] = control_on_rerandomize,
        [CONTROL__REQUEST__BODY_HISTORY] = control_on_history,
        [CONTROL__REQUEST__BODY_SHOW] = control_on_show,
        [CONTROL__REQUEST__BODY_MACHINE_LIST] = control_on_machine_list,
        [CONTROL__REQUEST__BODY_MACHINE_START] = control_on_machine_start,
        [CONTROL__REQUEST__BODY_MACHINE_STOP] = control_on_machine_stop,
        [CONTROL__REQUEST__BODY_RELEASE_ADD] = control_on_release_add,
        [CONTROL__REQUEST__BODY_RELEASE_LIST] = control_on_release_list,
        [CONTROL__REQUEST__BODY_LOG_FOLLOW] = control_on_log_follow,
        [CONTROL__REQUEST__BODY_JOB_SHOW] = control_on_job_show,
        [CONTROL__REQUEST__BODY_STAGE_LIST] = control_on_stage_list,
        [CONTROL__REQUEST__BODY_STAGE_DROP] = control_on_stage_drop,
        [CONTROL__REQUEST__BODY_RESOURCES] = control_on_resources,
};

void control_on_request(struct control_client *client, const Control__Request *request)
{
	static const struct failure unknown = {"unsupported", "lud",
	        "this lud does not know the request", "use the luctl of the same version"};
	size_t n = sizeof(control_handlers) / sizeof(control_handlers[0]);

	if ((size_t)request->body_case >= n || !control_handlers[request->body_case]) {
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_UNSUPPORTED, &unknown);
		return;
	}
	control_handlers[request->body_case](client, request);
}

/* Names of all machines, for a message. */
static void control_machine_names(const struct control_client *client, char *ret_text, size_t size)
{
	struct machines *machines = engine_machines(control_engine(client));
	struct machine *machine = NULL;
	size_t used = 0;

	*ret_text = '\0';
	while (used < size && (machine = machines_next(machines, machine))) {
		used += snprintf(ret_text + used, size - used, "%s%s", used ? ", " : "",
		        machine_row(machine)->name);
	}
}

struct machine *control_machine(struct control_client *client, uint64_t id, const char *name)
{
	struct machines *machines = engine_machines(control_engine(client));
	struct machine *first = machines_next(machines, NULL);
	struct machine *machine = machines_by_name(machines, name);
	struct failure failure;
	char names[160];

	if (!*name && first && !machines_next(machines, first)) {
		return first;
	}
	if (machine) {
		return machine;
	}
	control_machine_names(client, names, sizeof(names));
	if (!first) {
		failure_set(&failure, "no-machine", "lud", "start one with `luctl machine start`",
		        "there is no machine yet");
	} else if (*name) {
		failure_set(&failure, "no-machine", name, "`luctl machine list` shows them",
		        "there is no machine of this name; there are: %s", names);
	} else {
		failure_set(&failure, "which-machine", "lud", "name one with --machine",
		        "there are several machines: %s", names);
	}
	control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_NOT_FOUND, &failure);
	return NULL;
}
