/*
 * Which machine a request means. A name is looked up among the machines that are there; no name
 * means the default, or the only one there is. What cannot be resolved is refused here, with the
 * names there are, and the caller only stops.
 *
 * A machine can run although the record does not have it (a record that was restored, or lost).
 * Its socket gives it away; it is never taken for "no such machine", since another one made under
 * its name would lock it out.
 */
#include "orchestrator/control/client/client.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "host/base/file.h"

bool control_sees(const struct control_client *client, const struct machine *machine)
{
	return view_sees(&client->rights, machine);
}

/* The first one after this that may be seen. */
static struct machine *target_next(const struct control_client *client, struct machine *machine)
{
	struct machines *machines = engine_machines(control_engine(client));

	while ((machine = machines_next(machines, machine)) && !control_sees(client, machine)) {
	}
	return machine;
}

bool control_sees_some(const struct control_client *client)
{
	return target_next(client, NULL) != NULL;
}

/* Of others than those who see everything: a default that they do not see is none of theirs. */
struct machine *control_default(const struct control_client *client)
{
	struct machine *machine = machines_default(engine_machines(control_engine(client)));

	if (control_sees(client, NULL) || (machine && control_sees(client, machine))) {
		return machine;
	}
	machine = target_next(client, NULL);
	return machine && !target_next(client, machine) ? machine : NULL;
}

/*
 * Looks the machine up as control_machine() does, but refuses nothing: a name that means none is
 * left to the handler, which says so.
 */
bool control_is_connecting(const struct control_client *client, const char *name)
{
	struct machines *machines = engine_machines(control_engine(client));
	const struct machine *machine =
	        *name ? machines_by_name(machines, name) : control_default(client);

	return machine && machine_state(machine) == MACHINE_CONNECTING;
}

/*
 * The name becomes a directory under the state directory and a word of luctl's messages and
 * remedies, so it has neither dots nor slashes nor anything that a shell would read.
 */
bool control_name_is_valid(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < n; i++) {
		if (!isalnum((unsigned char)name[i]) && name[i] != '-' && name[i] != '_') {
			return false;
		}
	}
	return n > 0 && n < CONTROL_NAME_SIZE;
}

/*
 * The remedy is a whole command: tests/system/test_operator.py runs it as it is
 * printed. That a name has no letters of a shell makes that safe.
 */
void control_refuse_lost(
        struct control_client *client, uint64_t id, Wire__ErrorClass class, const char *name)
{
	_cleanup_(freep) char *path =
	        machine_own_socket(engine_machines(control_engine(client)), name);
	struct failure failure;
	char remedy[sizeof(failure.remedy)];

	snprintf(remedy, sizeof(remedy),
	        "take it back with `luctl machine start %s --attach %s`; then `luctl release add` "
	        "what it runs",
	        name, path);
	failure_set(&failure, "lost-machine", path, remedy,
	        "machine %s runs, and lud's record does not have it so; another one in its place "
	        "would lock it out",
	        name);
	control_refuse(client, id, class, &failure);
}

/* Names of all machines, for a message. */
static void control_machine_names(const struct control_client *client, char *ret_text, size_t size)
{
	struct machine *machine = NULL;
	size_t used = 0;

	*ret_text = '\0';
	while (used < size && (machine = target_next(client, machine))) {
		used += snprintf(ret_text + used, size - used, "%s%s", used ? ", " : "",
		        machine_row(machine)->name);
	}
}

/*
 * Looks for a lost machine before it says that there is none: under the name that was given, or,
 * if none was given and the record is empty, under any. A name that cannot be one is not looked
 * for on the disk.
 */
struct machine *control_machine(struct control_client *client, uint64_t id, const char *name)
{
	struct machines *machines = engine_machines(control_engine(client));
	struct machine *machine =
	        *name ? machines_by_name(machines, name) : control_default(client);
	struct failure failure;
	char names[160], lost[CONTROL_NAME_SIZE];

	if (machine) {
		return machine;
	}
	if (*name ? control_name_is_valid(name) && machine_is_served(machines, name)
	          : !machines_next(machines, NULL) &&
	                        machines_find_lost(machines, lost, sizeof(lost))) {
		control_refuse_lost(
		        client, id, WIRE__ERROR_CLASS__ERROR_NOT_FOUND, *name ? name : lost);
		return NULL;
	}
	control_machine_names(client, names, sizeof(names));
	if (!machines_next(machines, NULL)) {
		failure_set(&failure, "no-machine", "lud", "start one with `luctl machine start`",
		        "there is no machine yet");
	} else if (!control_sees_some(client)) {
		failure_set(&failure, "no-machine", "lud",
		        "have an admin put machines into a group on which you have a role",
		        "there is no machine that you may see");
	} else if (*name) {
		failure_set(&failure, "no-machine", name, "`luctl machine list` shows them",
		        "there is no machine of this name; there are: %s", names);
	} else {
		failure_set(&failure, "which-machine", "lud",
		        "name one with --machine, or choose one for good with "
		        "`luctl machine default NAME`",
		        "there are several machines, and none is the default: %s", names);
	}
	control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_NOT_FOUND, &failure);
	return NULL;
}

/*
 * The record is only asked for a name that no machine has now: a removed one keeps its row, and
 * with it its history. Without a name nothing but a machine that is there can be meant.
 */
int64_t control_machine_of_record(struct control_client *client, uint64_t id, const char *name)
{
	struct machine *machine = NULL;
	struct machine_row row;
	int r = DB_E_NONE;

	if (*name && !machines_by_name(engine_machines(control_engine(client)), name)) {
		r = store_machine_by_name(control_db(client), name, &row);
	}
	if (r < 0) {
		control_refuse_record(client, id);
		return 0;
	}
	if (!r) {
		return row.id;
	}
	machine = control_machine(client, id, name);
	return machine ? machine_row(machine)->id : 0;
}
