/*
 * Stopping a machine: by an order that it carries out itself (`clean`, which somebody with a
 * control key signs), or by ending its process, which loses all state in it. Open jobs hold up
 * both, unless the request says otherwise; they are then given up and settled when the machine is
 * seen again.
 */
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/control/ask/priv.h"
#include "orchestrator/job/engine/engine.h"
#include "orchestrator/job/plan/plan.h"

/* The process has ended, or the attached machine is let go. */
static void control_on_stopped(void *arg)
{
	struct control_wait *wait = arg;
	struct control_client *client = wait->client;
	uint64_t id = wait->id;

	control_wait_free(wait);
	control_machines_answer(client, id);
}

/* Plans that the machine ends itself; whoever asks signs with a control key. */
static void control_shutdown(
        struct control_client *client, const Control__Request *request, struct machine *machine)
{
	struct job_asked asked = control_asked(client, request);
	struct job_order order = job_order_of(JOB_SHUTDOWN, machine, "", &asked);

	control_once_says(client, CONTROL__REPLY__BODY_JOB, 0);
	control_order(client, request->id, &order, false);
}

/*
 * Stops a machine. By default its process is ended: state in its memory is lost, which is what a
 * person asked for who says stop. `clean` lets the machine end itself, which is a job; it needs a
 * machine that is up and ours, and for any other it means nothing and the process is ended.
 * `force` gives up open jobs and does without `clean`. An attached machine is only let go of; it
 * may run on.
 */
void control_on_machine_stop(struct control_client *client, const Control__Request *request)
{
	struct machine *machine =
	        control_machine(client, request->id, request->machine_stop->machine);
	struct engine *engine = control_engine(client);
	struct control_wait *wait;
	struct failure failure;
	int r;

	if (!machine) {
		return;
	}
	if (engine_is_busy(machine) && !request->machine_stop->force) {
		failure_set(&failure, "busy", machine_row(machine)->name,
		        "wait for it, or stop the machine with --force",
		        "the machine has open jobs");
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_BUSY, &failure);
		return;
	}
	if (request->machine_stop->clean && !request->machine_stop->force &&
	        !machine_row(machine)->attached && machine_state(machine) == MACHINE_UP) {
		control_shutdown(client, request, machine);
		return;
	}
	/* It counts when the machine has stopped: a lud that ends meanwhile may leave it running. */
	control_once_pause(client->control);
	engine_abandon(engine, machine, "stopped by request");
	wait = control_wait_new(client, request->id);
	if (!wait) {
		return;
	}
	wait->machine = machine;
	r = machine_stop(machine, control_on_stopped, wait);
	if (r < 0) {
		control_wait_free(wait);
		failure_set(&failure, "stop", machine_row(machine)->name, "try again",
		        "the machine cannot be stopped: %s", strerror(-r));
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_FAILED, &failure);
		err_forget();
	}
}
