/*
 * Whether whoever asks may. A request says in control.proto which role it needs and on what, and that is
 * looked at in one place, before any handler runs: so a handler that forgets cannot be. Machines are looked up when they are
 * asked about, since they change their groups.
 *
 *   everything     the role has to be given on everything
 *   what is seen   the role anywhere; the handler shows what control_sees() lets through
 *   machine        the role on that machine. A name that no machine has is one of everything, so that who has
 *                  a role on a group alone cannot find out by asking which machines there are besides
 *   job            the role on its machine; of a job that there is not, on everything, for the same reason
 *
 * A refusal says which role is missing, where, and who gives it. What somebody may not see it does not tell: neither that it
 * is there nor its groups.
 */
#include "orchestrator/control/priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ABOUT_EVERYTHING(field) .on = CONTROL_ON_EVERYTHING
#define ABOUT_SEEN(field) .on = CONTROL_ON_SEEN
#define ABOUT_MACHINE(field) .on = CONTROL_ON_MACHINE, .machine = request->field->machine
#define ABOUT_JOB(field) .on = CONTROL_ON_JOB, .job = request->field->job
#define ABOUT_JOB_OR_MACHINE(field)                                                                \
	.on = request->field->job ? CONTROL_ON_JOB : CONTROL_ON_MACHINE,                           \
	.job = request->field->job, .machine = request->field->machine
#define ABOUT_MACHINE_OR_SEEN(field)                                                               \
	.on = *request->field->machine ? CONTROL_ON_MACHINE : CONTROL_ON_SEEN,                     \
	.machine = request->field->machine
#define ABOUT_MACHINE_IF(field, is)                                                                \
	.on = request->field->is ? CONTROL_ON_MACHINE : CONTROL_ON_EVERYTHING,                     \
	.machine = request->field->machine
#define ABOUT_MACHINE_UNLESS(field, is)                                                            \
	.on = request->field->is ? CONTROL_ON_EVERYTHING : CONTROL_ON_MACHINE,                     \
	.machine = request->field->machine

void control_about(const Control__Request *request, struct control_about *ret_about)
{
	switch (request->body_case) {
#define REQUEST(NAME, field, answer, other, machine, effect, role, about, place)                   \
	case CONTROL__REQUEST__BODY_##NAME:                                                        \
		*ret_about = (struct control_about){ABOUT_##about};                                \
		return;
#include "proto/control/requests.gen.def"
#undef REQUEST
	case CONTROL__REQUEST__BODY__NOT_SET:
	case _CONTROL__REQUEST__BODY__CASE_IS_INT_SIZE:
		break;
	}
	*ret_about = (struct control_about){.on = CONTROL_ON_EVERYTHING};
}

#define PLACE_ANYWHERE false
#define PLACE_LOCAL true
#define PLACE_LOCAL_WITH(field, is) request->field->is

static bool may_only_here(const Control__Request *request)
{
	switch (request->body_case) {
#define REQUEST(NAME, field, answer, other, machine, effect, role, about, place)                   \
	case CONTROL__REQUEST__BODY_##NAME:                                                        \
		return PLACE_##place;
#include "proto/control/requests.gen.def"
#undef REQUEST
	case CONTROL__REQUEST__BODY__NOT_SET:
	case _CONTROL__REQUEST__BODY__CASE_IS_INT_SIZE:
		break;
	}
	return true;
}

bool control_may_from_there(struct control_client *client, const Control__Request *request)
{
	static const struct failure elsewhere = {"local-only", "access",
	        "this is about files or processes of lud's host, and can be asked for there only",
	        "ask on that host, at its control socket"};

	if (client->who.way == ACCESS_WAY_LOCAL || !may_only_here(request)) {
		return true;
	}
	control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_DENIED, &elsewhere);
	return false;
}

/* The machine that is meant, as it is now or was when it was removed; ->id 0: there is none. Negative: the record cannot be read. */
static int may_machine(const struct control_client *client, const struct control_about *about,
        struct machine_row *ret_row)
{
	struct machines *machines = engine_machines(control_engine(client));
	const struct machine *machine = NULL;
	struct job_row job = {0};
	int r = DB_E_NONE;

	*ret_row = (struct machine_row){0};
	if (about->on == CONTROL_ON_JOB) {
		r = store_job_find(control_db(client), (int64_t)about->job, &job);
		machine = r ? NULL : machines_by_id(machines, job.machine);
	} else {
		machine = *about->machine ? machines_by_name(machines, about->machine)
		                          : control_default(client);
	}
	if (machine) {
		*ret_row = *machine_row(machine);
		return 0;
	}
	if (about->on == CONTROL_ON_JOB) {
		r = r ? r : store_machine_by_id(control_db(client), job.machine, ret_row);
	} else if (*about->machine) {
		r = store_machine_by_name(control_db(client), about->machine, ret_row);
	}
	if (r) {
		*ret_row = (struct machine_row){0};
	}
	return r < 0 ? err_up(r) : 0;
}

/* The roles there. Without a name, and where it is not clear which machine is meant, the handler says so to who has some. */
static unsigned int may_roles(const struct control_client *client,
        const struct control_about *about, const struct machine_row *row)
{
	const struct access_rights *rights = &client->rights;

	switch (about->on) {
	case CONTROL_ON_EVERYTHING:
		return rights->everywhere;
	case CONTROL_ON_SEEN:
		return access_rights_any(rights);
	case CONTROL_ON_MACHINE:
		if (!row->id && !*about->machine && control_sees_some(client)) {
			return access_rights_any(rights);
		}
		return row->id ? access_rights_on(rights, row->groups) : rights->everywhere;
	case CONTROL_ON_JOB:
		return row->id ? access_rights_on(rights, row->groups) : rights->everywhere;
	case _CONTROL_ON_N:
		break;
	}
	return 0;
}

/* What it is about, as far as whoever asks may know. */
static void may_what(const struct control_client *client, const struct control_about *about,
        const struct machine_row *row, char *ret_text, size_t size)
{
	bool is_seen = row->id && access_role_for(access_rights_on(&client->rights, row->groups),
	                                  ACCESS_VIEWER) != ACCESS_NOBODY;

	if (about->on == CONTROL_ON_EVERYTHING) {
		snprintf(ret_text, size, "everything");
	} else if (about->on == CONTROL_ON_SEEN) {
		snprintf(ret_text, size, "any machine");
	} else if (is_seen) {
		snprintf(ret_text, size, "machine %.31s (%s%.80s)", row->name,
		        *row->groups ? "groups: " : "in no group", row->groups);
	} else if (about->on == CONTROL_ON_JOB) {
		snprintf(ret_text, size, "the machine of job %" PRIu64, about->job);
	} else if (*about->machine) {
		snprintf(ret_text, size, "machine %.63s", about->machine);
	} else {
		snprintf(ret_text, size, "a machine");
	}
}

/* Which role, where, and who gives it; and where it is given already. */
static void may_refuse(struct control_client *client, const struct control_about *about,
        const struct machine_row *row, enum access_role needed, uint64_t id)
{
	char what[160], where[64], has[96] = "";
	struct failure failure;

	may_what(client, about, row, what, sizeof(what));
	access_rights_where(&client->rights, needed, where, sizeof(where));
	if (*where) {
		snprintf(has, sizeof(has), ": it is given on %s", where);
	}
	failure_set(&failure, "role", "access",
	        client->who.way == ACCESS_WAY_TLS
	                ? "have an admin give it in the identities file of lud's host, or ask as "
	                  "somebody who has it"
	                : "have an admin give it in `access` of lud's configuration, or ask as "
	                  "somebody who has it",
	        "%.63s may not do this without the role %s on %s%s", client->who.name,
	        access_role_word(needed), what, has);
	control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_DENIED, &failure);
}

bool control_may(struct control_client *client, const struct control_about *about,
        enum access_role needed, uint64_t id)
{
	struct machine_row row = {0};
	bool is_of_machine = about->on == CONTROL_ON_MACHINE || about->on == CONTROL_ON_JOB;

	if (is_of_machine && may_machine(client, about, &row) < 0) {
		control_refuse_record(client, id);
		return false;
	}
	client->here.roles = may_roles(client, about, &row);
	client->here.machine = row.id;
	client->here.needed = needed;
	client->here.is_everything = !is_of_machine && about->on == CONTROL_ON_EVERYTHING;
	client->who.role = access_role_for(client->here.roles, needed);
	if (client->who.role == ACCESS_NOBODY) {
		may_refuse(client, about, &row, needed, id);
		return false;
	}
	return true;
}
