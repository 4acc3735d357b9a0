/*
 * status, the machine commands (all but time) and version. The head of a status is overview.c's. A status that the machine
 * did not give now is marked with its age. What is wrong with lud's record follows on stderr, with the
 * remedy; only a damaged record makes the command fail.
 */
#include "ctl/cmd/cmd.h"

#include <inttypes.h>
#include <string.h>

#include "ctl/base/table.h"
#include "ctl/base/text.h"
#include "ctl/client/command.h"
#include "ctl/client/pages.h"
#include "ctl/cmd/next.h"
#include "ctl/cmd/overview.h"
#include "ctl/cmd/service.h"
#include "ctl/cmd/standing.h"
#include "ctl/job/job.h"
#include "ctl/sign/control.h"
#include "version.h"

/* Whether the service can be updated, or how far its open job is. */
static const char *status_update(const Control__Status *status, const Control__ServiceStatus *at)
{
	for (size_t i = 0; i < status->n_open_jobs; i++) {
		const Control__Job *job = status->open_jobs[i];

		if (at->job && job->id == at->job && *job->waits_for) {
			return "waits";
		}
	}
	return at->job ? "running now" : at->service->can_update ? "yes" : "not yet";
}

/*
 * The table of services: what runs, since which layout, and whether it can be updated. RELEASE has
 * the number that the machine says and lud's words for it. UPDATE is the machine's answer;
 * an open job of the service goes before it. KNOWN is whether anybody outside knows the layout.
 */
static void status_services(const Control__Status *status)
{
	static const struct table_column columns[] = {
	        {"SERVICE", false},
	        {"STATE", false},
	        {"GEN", true},
	        {"RELEASE", false},
	        {"LAYOUT", false},
	        {"KNOWN", false},
	        {"BASE", true},
	        {"RESTARTS", true},
	        {"MEMORY", true},
	        {"BLACKOUT", true},
	        {"UPDATE", false},
	};
	struct table *table = table_new(columns, sizeof(columns) / sizeof(columns[0]));

	for (size_t i = 0; i < status->n_services; i++) {
		const Control__ServiceStatus *at = status->services[i];
		const Machine__Service *service = at->service;
		char generation[TEXT_SIZE], release[TEXT_SIZE], base[TEXT_SIZE];
		char restarts[TEXT_SIZE], memory[TEXT_SIZE], blackout[TEXT_SIZE];

		text_generation(service->generation, service->made, generation);
		snprintf(release, TEXT_SIZE, "%u %s", service->counter, at->release);
		snprintf(base, TEXT_SIZE, service->machine_made ? "-" : "0x%" PRIx64,
		        service->base_address);
		snprintf(restarts, TEXT_SIZE, "%u", service->restarts);
		table_row(table,
		        (const char *const[]){service->name, service_state(status, service),
		                generation, release, service->machine_made ? "machine" : "host",
		                at->known_outside ? "yes" : "no", base, restarts,
		                text_bytes(service->memory_bytes, memory),
		                text_nsec(service->last_blackout_ns, blackout),
		                status_update(status, at)});
	}
	table_print(table);
}

/*
 * Services report figures of their own, such as the load's operations and errors: one line a
 * service, none for a service without figures. Names are the service's own.
 */
static void status_metrics(const Control__Status *status)
{
	for (size_t i = 0; i < status->n_services; i++) {
		const Machine__Service *service = status->services[i]->service;

		if (!service->n_metrics) {
			continue;
		}
		printf("%s:", service->name);
		for (size_t m = 0; m < service->n_metrics; m++) {
			printf(" %s %" PRIu64, service->metrics[m]->name,
			        service->metrics[m]->value);
		}
		putchar('\n');
	}
}

/* The word for a state of a machine, as lud sees it: luctl(1) explains silent and detached. */
static const char *status_machine_state(Control__MachineState state)
{
	switch (state) {
	case CONTROL__MACHINE_STATE__MACHINE_UP:
		return "up";
	case CONTROL__MACHINE_STATE__MACHINE_STARTING:
		return "starting";
	case CONTROL__MACHINE_STATE__MACHINE_CONNECTING:
		return "connecting";
	case CONTROL__MACHINE_STATE__MACHINE_DOWN:
		return "down";
	case CONTROL__MACHINE_STATE__MACHINE_STOPPED:
		return "stopped";
	case CONTROL__MACHINE_STATE__MACHINE_SILENT:
		return "silent";
	case CONTROL__MACHINE_STATE__MACHINE_DETACHED:
		return "detached";
	case CONTROL__MACHINE_STATE__MACHINE_NONE:
	case _CONTROL__MACHINE_STATE_IS_INT_SIZE:
		break;
	}
	return "?";
}

/*
 * Judge lud's record, and print what is wrong with it. CTL_FAILED only when it is damaged; one that
 * cannot be written (a full disk) is a warning, because what was asked for here was read. A lud
 * without this part of the answer has nothing to complain of.
 */
static int status_record(const Control__Record *record)
{
	if (!record || record->state == CONTROL__RECORD_STATE__RECORD_WELL) {
		return CTL_OK;
	}
	return ctl_fail(
	        record->state == CONTROL__RECORD_STATE__RECORD_DAMAGED ? CTL_FAILED : CTL_OK,
	        record->place, record->remedy, "%s", record->text);
}

/* By what policies match the machine. */
static void status_marks(const Control__Machine *machine)
{
	if (*machine->groups || *machine->labels) {
		printf("groups %s; labels %s\n", *machine->groups ? machine->groups : "none",
		        *machine->labels ? machine->labels : "none");
	}
}

/*
 * The whole status. The first line says whether the figures below are of now, and else how old
 * they are: of a machine that does not answer, lud has the last status that it heard. Memory is
 * counted in frames of 4096 bytes.
 */
static void status_print(const Control__Status *status)
{
	const Control__Machine *machine = status->machine;
	const Machine__Resources *resources = status->resources;
	char uptime[TEXT_SIZE], used[TEXT_SIZE], total[TEXT_SIZE], heard[TEXT_SIZE], age[TEXT_SIZE];

	printf("machine %s is %s%s%s", machine->name, status_machine_state(machine->state),
	        *machine->text ? ": " : "", machine->text);
	if (!status->as_of_us) {
		puts("; nothing was heard of it yet");
	} else if (status->stale) {
		printf("; heard last at %s; the figures below are %s old\n",
		        machine->heard_us ? text_time(machine->heard_us, heard) : "an unknown time",
		        text_nsec(status->age_ms * 1000000, age));
	} else {
		printf(", since %s\n", text_nsec(status->clock_ns, uptime));
	}
	if (*machine->remedy) {
		printf("  %s\n", machine->remedy);
	}
	status_marks(machine);
	if (resources && resources->frames_total) {
		printf("memory %s of %s used, %u slots free, staging %" PRIu64 " of %" PRIu64
		       " bytes\n",
		        text_bytes((resources->frames_total - resources->frames_free) * 4096, used),
		        text_bytes(resources->frames_total * 4096, total), resources->slots_free,
		        resources->stage_used, resources->stage_limit);
	}
	if (machine->kernel_generation) {
		printf("kernel generation %" PRIu64 ": its place was drawn %s\n",
		        machine->kernel_generation,
		        machine->state == CONTROL__MACHINE_STATE__MACHINE_UP
		                ? "for this start"
		                : "when a start was last tried");
	}
	status_services(status);
	if (status->no_kits) {
		puts("this machine keeps no kits: it takes layouts of the host's that two variant "
		     "keys have "
		     "signed, and makes none");
	}
	status_metrics(status);
	standing_print(status);
	policies_print(status);
	if (status->skipped) {
		printf("skipped %" PRIu64 " times, since it was busy: what a timer asked for\n",
		        status->skipped);
	}
	for (size_t i = 0; i < status->n_open_jobs; i++) {
		const Control__Job *job = status->open_jobs[i];
		char wait[JOB_WAIT_SIZE];

		printf("job %" PRIu64 ": %s%s%s, %s, in step %s%s%s\n", job->id,
		        job_kind_text(job->kind), *job->service ? " " : "", job->service,
		        job_state_text(job->state),
		        job->n_steps ? job->steps[job->n_steps - 1]->name : "?",
		        *job->waits_for ? "; " : "", job_wait_text(job, wait));
	}
}

/* By its name, however many there are: `status` alone may be about all of them. */
int cmd_machine_show(const struct options *options)
{
	struct options named = *options;

	named.machine = options->args[0];
	return cmd_status(&named);
}

/*
 * The table of machines. The default one has a star behind its name; WHY is what keeps a
 * machine down.
 */
/* One machine as a row: the default one is marked, and WHY is empty while it is up. */
static void status_machine_row(struct table *table, const Control__Machine *machine)
{
	char name[TEXT_SIZE], pid[TEXT_SIZE], since[TEXT_SIZE], heard[TEXT_SIZE];

	snprintf(pid, TEXT_SIZE, "%" PRId64, machine->pid);
	snprintf(name, TEXT_SIZE, "%s%s", machine->name, machine->is_default ? " *" : "");
	table_row(table, (const char *const[]){name, status_machine_state(machine->state),
	                         machine->pid ? pid : "-", text_seconds(machine->since, since),
	                         text_time(machine->heard_us, heard), machine->socket,
	                         *machine->groups ? machine->groups : "-",
	                         *machine->labels ? machine->labels : "-", machine->text});
}

/* The caller fills it, and prints or frees it. */
static struct table *status_machines_table(void)
{
	static const struct table_column columns[] = {
	        {"MACHINE", false},
	        {"STATE", false},
	        {"PID", true},
	        {"SINCE", false},
	        {"HEARD", false},
	        {"SOCKET", false},
	        {"GROUPS", false},
	        {"LABELS", false},
	        {"WHY", false},
	};

	return table_new(columns, sizeof(columns) / sizeof(columns[0]));
}

/* The first page of them: what a change of the list is answered with. */
static void status_machines_print(
        Control__Machine *const *machines, size_t n_machines, const char *next)
{
	struct table *table = status_machines_table();

	for (size_t i = 0; i < n_machines; i++) {
		status_machine_row(table, machines[i]);
	}
	table_print(table);
	if (*next) {
		printf("more: luctl machine list --after %s\n", next);
	}
}

/* The list as far as it has come, and the request for its next page. */
struct status_machines {
	Control__MachineListRequest ask;
	struct table *table;
	char after[PAGES_CURSOR_SIZE];
	int record; /* the exit code that the record's state asks for, once it was ->judged */
	bool judged;
};

/* Rows as they come; the cursor is lud\'s, and says where the next page begins. */
static size_t status_machines_page(const Control__Reply *reply, bool print, void *arg, char *cursor)
{
	const Control__MachineList *machines = reply->machines;
	struct status_machines *list = arg;

	for (size_t i = 0; print && i < machines->n_machines; i++) {
		status_machine_row(list->table, machines->machines[i]);
	}
	snprintf(cursor, PAGES_CURSOR_SIZE, "%s", machines->next);
	if (!list->judged) {
		list->record = status_record(machines->record);
		list->judged = true;
	}
	return machines->n_machines;
}

/* The machine that is meant, or the list of them where that is not clear. */
static void status_print_rest(const Control__Status *status)
{
	if (status->machine) {
		status_print(status);
	} else if (status->n_machines) {
		status_machines_print(status->machines, status->n_machines, status->machines_next);
		puts("`luctl status --machine NAME` shows one of them, `luctl machine default "
		     "NAME` "
		     "chooses it for good");
	}
}

/*
 * All machines at a glance, then one: --machine or the default one. The answer may be old: lud does not wait long for a
 * machine that is silent. The exit code is that of the record, not of the machine: a status that
 * shows a machine which is down has succeeded.
 */
int cmd_status(const struct options *options)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__StatusRequest status = CONTROL__STATUS_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;
	int code;

	status.machine = (char *)options->machine;
	status.overview = true;
	request.body_case = CONTROL__REQUEST__BODY_STATUS;
	request.status = &status;
	code = command_call(options, &request, NULL, NULL, &client, &reply);
	if (code != CTL_OK) {
		return code;
	}
	if (!options->json) {
		overview_print(reply->status->overview,
		        reply->status->machine ? reply->status->machine->name : "");
		status_print_rest(reply->status);
	}
	return status_record(reply->status->record);
}

/*
 * The machines of lud, running or not. It is answered from lud's memory, so it works when no
 * machine does, and when the record cannot be read.
 */
int cmd_machine_list(const struct options *options)
{
	struct status_machines list = {
	        .ask = CONTROL__MACHINE_LIST_REQUEST__INIT, .record = CTL_OK};
	Control__Request request = CONTROL__REQUEST__INIT;
	const struct pages pages = {
	        .request = &request,
	        .limit = &list.ask.limit,
	        .list = "machines",
	        .whole = true,
	        .page = status_machines_page,
	        .at_text = list.after,
	        .arg = &list,
	};
	struct pages_table words = {.command = "machine list",
	        .option = "--after",
	        .none = "there is no machine yet:",
	        .is = "`luctl machine start NAME` makes one"};
	char cursor[PAGES_CURSOR_SIZE];
	int code;

	snprintf(list.after, sizeof(list.after), "%s", options->after);
	list.ask.after = list.after;
	request.body_case = CONTROL__REQUEST__BODY_MACHINE_LIST;
	request.machine_list = &list.ask;
	words.table = list.table = status_machines_table();
	code = pages_show(options, &pages, &words, cursor);
	return code == CTL_OK ? list.record : code;
}

/*
 * A start is a job (variants are made and signed, QEMU is started), which is waited for; attaching
 * is none, and is answered with the list of machines.
 */
int cmd_machine_start(const struct options *options)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__MachineStartRequest start = CONTROL__MACHINE_START_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;
	struct job_progress progress;
	int code;

	start.machine = options->n_args ? options->args[0] : "";
	start.attach = options->attach != NULL;
	start.socket = (char *)(options->attach ? options->attach : "");
	start.detach = options->no_wait;
	request.body_case = CONTROL__REQUEST__BODY_MACHINE_START;
	request.machine_start = &start;
	job_progress_init(&progress, options, &request, false);
	code = command_call(options, &request, job_on_news, &progress, &client, &reply);
	job_progress_end(&progress);
	if (code != CTL_OK) {
		return code;
	}
	if (reply->body_case == CONTROL__REPLY__BODY_JOB) {
		return job_outcome(&progress, reply->job);
	}
	if (!options->json) {
		status_machines_print(reply->machines->machines, reply->machines->n_machines,
		        reply->machines->next);
	}
	return CTL_OK;
}

/* Requests that are answered with the list of machines, printed as it is after the change. */
static int status_machines_call(const struct options *options, Control__Request *request)
{
	_cleanup_(client_closep) struct client *client = NULL;
	const Control__Reply *reply;
	int code = command_call(options, request, NULL, NULL, &client, &reply);

	if (code == CTL_OK && !options->json) {
		status_machines_print(reply->machines->machines, reply->machines->n_machines,
		        reply->machines->next);
	}
	return code;
}

/*
 * A clean stop is an order that a control key signs: the machine ends itself. Without the key, or
 * with --force, lud ends its process. An attached machine is only detached.
 */
int cmd_machine_stop(const struct options *options)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__MachineStopRequest stop = CONTROL__MACHINE_STOP_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;
	struct job_progress progress;
	int code;

	stop.machine = options->n_args ? options->args[0] : "";
	stop.force = options->force;
	stop.clean = !options->force && control_is_at_hand(options);
	if (!options->force && !stop.clean) {
		fputs("luctl: there is no control key here, so lud ends the process of a machine "
		      "that "
		      "it started; an attached machine is detached and runs on\n",
		        stderr);
	}
	request.body_case = CONTROL__REQUEST__BODY_MACHINE_STOP;
	request.machine_stop = &stop;
	job_progress_init(&progress, options, &request, false);
	code = command_call(options, &request, job_on_news, &progress, &client, &reply);
	job_progress_end(&progress);
	if (code == CTL_OK && reply->body_case == CONTROL__REPLY__BODY_JOB) {
		return job_outcome(&progress, reply->job);
	}
	if (code == CTL_OK && !options->json) {
		status_machines_print(reply->machines->machines, reply->machines->n_machines,
		        reply->machines->next);
	}
	return code;
}

/* Which machine is meant when none is named. lud remembers it, for all of its clients. */
int cmd_machine_default(const struct options *options)
{
	Control__MachineDefaultRequest choose = CONTROL__MACHINE_DEFAULT_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;

	choose.machine = options->args[0];
	request.body_case = CONTROL__REQUEST__BODY_MACHINE_DEFAULT;
	request.machine_default = &choose;
	return status_machines_call(options, &request);
}

/* NAME, then what is added or taken away. */
static Control__MachineMarkRequest status_mark(const struct options *options)
{
	Control__MachineMarkRequest mark = CONTROL__MACHINE_MARK_REQUEST__INIT;

	mark.machine = options->args[0];
	mark.words = options->args + 1;
	mark.n_words = options->n_args - 1;
	mark.remove = options->remove;
	return mark;
}

int cmd_machine_group(const struct options *options)
{
	Control__MachineMarkRequest mark = status_mark(options);
	Control__Request request = CONTROL__REQUEST__INIT;

	request.body_case = CONTROL__REQUEST__BODY_MACHINE_GROUP;
	request.machine_group = &mark;
	return status_machines_call(options, &request);
}

int cmd_machine_label(const struct options *options)
{
	Control__MachineMarkRequest mark = status_mark(options);
	Control__Request request = CONTROL__REQUEST__INIT;

	request.body_case = CONTROL__REQUEST__BODY_MACHINE_LABEL;
	request.machine_label = &mark;
	return status_machines_call(options, &request);
}

/* Make one known: it has groups, labels and policies before it first starts. */
int cmd_machine_add(const struct options *options)
{
	Control__MachineAddRequest add = CONTROL__MACHINE_ADD_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;

	add.machine = options->args[0];
	request.body_case = CONTROL__REQUEST__BODY_MACHINE_ADD;
	request.machine_add = &add;
	return status_machines_call(options, &request);
}

/* Forget a machine. lud rejects it while the machine runs; its history stays in the record. */
int cmd_machine_remove(const struct options *options)
{
	Control__MachineRemoveRequest removal = CONTROL__MACHINE_REMOVE_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;

	removal.machine = options->args[0];
	request.body_case = CONTROL__REQUEST__BODY_MACHINE_REMOVE;
	request.machine_remove = &removal;
	return status_machines_call(options, &request);
}

/*
 * The versions of luctl itself are printed first: they are known without lud, and flushed, so that
 * they stand before the error when lud is not there.
 */
int cmd_version(const struct options *options)
{
	_cleanup_(client_closep) struct client *client = NULL;
	Control__VersionRequest version = CONTROL__VERSION_REQUEST__INIT;
	Control__Request request = CONTROL__REQUEST__INIT;
	const Control__Reply *reply;
	int code;

	if (!options->json) {
		puts("luctl " SAMSARA_VERSION " (" SAMSARA_BUILD ")");
		fflush(stdout);
	}
	request.body_case = CONTROL__REQUEST__BODY_VERSION;
	request.version = &version;
	code = command_call(options, &request, NULL, NULL, &client, &reply);
	if (code == CTL_OK && !options->json) {
		printf("%s (%s), control protocol %u, machine protocol %u, record %u\n",
		        reply->version->software, reply->version->build, reply->version->protocol,
		        reply->version->machine_protocol, reply->version->record);
	}
	return code;
}
