/*
 * Names, for the completion of command lines: somebody waits with a finger on a key, so nobody is asked and nothing is
 * searched. Machines and their services are in memory; releases and jobs are read by an index, a few of the newest.
 */
#include <inttypes.h>
#include <string.h>

#include "orchestrator/control/ask/priv.h"
#include "orchestrator/job/engine/engine.h"

#define NAMES_MAX 200u
#define NAMES_JOBS 20u   /* of those that are over, of one machine */
#define NAMES_MACHINES 8 /* whose jobs are looked at */

/* A list while it is filled, of what the client may see. A name that is there already is not added again. */
struct names {
	const struct control_client *client;
	struct pool *pool;
	Control__NameList *list;
};

static void names_add(struct names *names, const char *name)
{
	for (size_t i = 0; i < names->list->n_names; i++) {
		if (!strcmp(names->list->names[i], name)) {
			return;
		}
	}
	if (names->list->n_names < NAMES_MAX) {
		names->list->names[names->list->n_names++] = pool_text(names->pool, name);
	}
}

/* Releases are named by their numbers, which are short enough to be typed. */
static int names_add_release(const struct release_row *row, void *arg)
{
	char number[24];

	snprintf(number, sizeof(number), "%" PRIi64, (int64_t)row->counter);
	names_add(arg, number);
	return 0;
}

static int names_add_job(const struct job_row *row, void *arg)
{
	const struct names *names = arg;
	struct machines *machines = engine_machines(control_engine(names->client));
	char number[24];

	if (control_sees(names->client, machines_by_id(machines, row->machine))) {
		snprintf(number, sizeof(number), "%" PRIi64, row->id);
		names_add(arg, number);
	}
	return 0;
}

/* Down and silent ones, too: those are named when something is done about them. */
static void names_of_machines(struct names *names, struct machines *machines)
{
	struct machine *machine = NULL;

	while ((machine = machines_next(machines, machine))) {
		if (control_sees(names->client, machine)) {
			names_add(names, machine_row(machine)->name);
		}
	}
}

/* Those of one machine, or where it is not clear which is meant of all. */
static void names_of_services(struct names *names, struct machines *machines, const char *name)
{
	const struct machine *only =
	        *name ? machines_by_name(machines, name) : control_default(names->client);
	struct machine *machine = NULL;

	while ((machine = machines_next(machines, machine))) {
		const Machine__Status *said =
		        control_sees(names->client, machine) ? machine_status(machine) : NULL;

		for (size_t i = 0; said && (!only || only == machine) && i < said->n_services;
		        i++) {
			names_add(names, said->services[i]->name);
		}
	}
}

/*
 * Open jobs first: they are what something can be done about. Then the newest of the first few machines. 0, or the record
 * could not be read.
 */
static int names_of_jobs(struct names *names, struct db *db, struct machines *machines)
{
	struct machine *machine = NULL;
	int r = store_job_each_open(db, 0, names_add_job, names);

	for (int n = 0; !r && n < NAMES_MACHINES && (machine = machines_next(machines, machine));) {
		struct job_filter filter = {
		        .machine = machine_row(machine)->id, .service = "", .limit = NAMES_JOBS};

		if (control_sees(names->client, machine)) {
			r = store_job_each(db, &filter, names_add_job, names);
			n++;
		}
	}
	return err_fold(r);
}

/* What is asked for by an unknown word is refused: an empty list would say that there is none. */
void control_on_names(struct control_client *client, const Control__Request *request)
{
	static const struct failure unknown = {"unsupported", "names",
	        "names are those of a machine, service, release or job",
	        "use the luctl of lud's version"};
	_cleanup_(pool_fini) struct pool pool;
	const Control__NamesRequest *ask = request->names;
	struct machines *machines = engine_machines(control_engine(client));
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__NameList list = CONTROL__NAME_LIST__INIT;
	struct names names = {client, &pool, &list};
	int r = 0;

	pool_init(&pool);
	list.names = pool_zero(&pool, NAMES_MAX * sizeof(*list.names));
	if (!strcmp(ask->kind, "machine")) {
		names_of_machines(&names, machines);
	} else if (!strcmp(ask->kind, "service")) {
		names_of_services(&names, machines, ask->machine);
	} else if (!strcmp(ask->kind, "release")) {
		r = store_release_each(
		        control_db(client), ask->service, 0, NAMES_MAX, names_add_release, &names);
	} else if (!strcmp(ask->kind, "job")) {
		r = names_of_jobs(&names, control_db(client), machines);
	} else {
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_INVALID, &unknown);
		return;
	}
	if (r) {
		control_refuse_record(client, request->id);
		return;
	}
	reply.body_case = CONTROL__REPLY__BODY_NAMES;
	reply.names = &list;
	control_reply(client, request->id, &reply);
}
