/*
 * The sources of what is amiss (amiss.def), each a function that looks at what is in lud's memory, at most at one small
 * file: status is asked when things are bad, and must not be slow or fail then. A machine that was not heard from is
 * wrong by that alone, whatever it said before; what a machine said counts with its age.
 */
#include "orchestrator/control/view/amiss.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/job/core/standing.h"
#include "orchestrator/work/kit.h"

#define AMISS_USEC INT64_C(1000000)
#define AMISS_DAY_USEC (24 * 3600 * AMISS_USEC)
#define AMISS_COMING_USEC (30 * AMISS_USEC) /* that a machine may take to be heard first */

void amiss_record(struct amiss_list *list)
{
	const Control__Record *record = view_record(list->pool, list->engine, NULL);
	Control__Amiss *row;

	if (record->state == CONTROL__RECORD_STATE__RECORD_WELL) {
		return;
	}
	row = amiss_add(list, CONTROL__AMISS_LEVEL__AMISS_LEVEL_WRONG, "lud's record", "%s",
	        record->state == CONTROL__RECORD_STATE__RECORD_DAMAGED      ? "is damaged"
	        : record->state == CONTROL__RECORD_STATE__RECORD_UNWRITABLE ? "cannot be written"
	                                                                    : "is behind");
	row->text = pool_format(list->pool, "%s (%s: %s)", row->text, record->place, record->text);
	row->remedy = record->remedy;
	row->since_us = record->since * AMISS_USEC;
	row->source = CONTROL__SOURCE__SOURCE_RECORD;
}

/* A row about a machine, as the machine said it last. */
static Control__Amiss *amiss_of_machine(struct amiss_list *list, Control__AmissLevel level,
        struct machine *machine, const char *subject, const char *text)
{
	int64_t said = machine_status_usec(machine);
	Control__Amiss *row = amiss_add(list, level, subject, "%s", text);

	row->machine = pool_text(list->pool, machine_row(machine)->name);
	row->age_ms = said && said < list->now_us ? (uint64_t)(list->now_us - said) / 1000 : 0;
	return row;
}

/* Silent, down, or expected for too long. Since when: what was heard last counts for silence. */
static void amiss_machine_state(struct amiss_list *list, struct machine *machine)
{
	enum machine_state state = machine_state(machine);
	int64_t since = machine_since(machine) * AMISS_USEC;
	int64_t heard = machine_heard_usec(machine);
	bool is_coming = state == MACHINE_STARTING || state == MACHINE_CONNECTING;
	const char *name = machine_row(machine)->name;
	Control__Amiss *row;
	char remedy[240];

	if (state == MACHINE_UP || state == MACHINE_STOPPED ||
	        (is_coming && list->now_us - since < AMISS_COMING_USEC)) {
		return;
	}
	row = amiss_of_machine(list, CONTROL__AMISS_LEVEL__AMISS_LEVEL_WRONG, machine, name,
	        is_coming ? "has not answered yet"
	                  : pool_format(list->pool, "is %s", machine_state_name(state)));
	if (*machine_why(machine)) {
		row->text = pool_format(list->pool, "%s (%s)", row->text, machine_why(machine));
	}
	row->since_us = state == MACHINE_SILENT && heard ? heard : since;
	row->age_ms = 0; /* lud sees it itself, now */
	machine_remedy(machine, remedy, sizeof(remedy));
	row->remedy = pool_text(list->pool, remedy);
}

/* A machine refuses what is signed, or takes what has expired, if its clock differs. */
static void amiss_machine_clock(struct amiss_list *list, struct machine *machine)
{
	const char *name = machine_row(machine)->name;
	int64_t ahead = machine_clock_ahead(machine);
	Control__Amiss *row;

	if (ahead >= -MACHINE_CLOCK_SEC && ahead <= MACHINE_CLOCK_SEC) {
		return;
	}
	row = amiss_of_machine(list, CONTROL__AMISS_LEVEL__AMISS_LEVEL_WRONG, machine, name,
	        pool_format(list->pool, "has a clock that is %" PRId64 " s %s",
	                ahead < 0 ? -ahead : ahead,
	                ahead < 0 ? "behind this host's" : "ahead of this host's"));
	row->remedy = pool_format(list->pool, "`luctl machine time %s` sets it", name);
	row->source = CONTROL__SOURCE__SOURCE_MACHINE;
}

void amiss_machine(struct amiss_list *list)
{
	struct machine *machine = NULL;

	while ((machine = machines_notable_next(engine_machines(list->engine), machine))) {
		amiss_machine_state(list, machine);
		amiss_machine_clock(list, machine);
	}
}

/* NULL: it is as it should be. */
static const char *amiss_service_text(const Machine__Service *service)
{
	if (service->state == MACHINE__SERVICE_STATE__SERVICE_DOWN) {
		return "is down";
	}
	if (service->state == MACHINE__SERVICE_STATE__SERVICE_RESTARTING) {
		return "is being restarted after a crash";
	}
	return service->layout_kept ? "was started afresh in the layout that it had" : NULL;
}

/* What a machine that is heard says of its services; of others nothing is known. */
void amiss_service(struct amiss_list *list)
{
	struct machine *machine = NULL;

	while ((machine = machines_notable_next(engine_machines(list->engine), machine))) {
		const Machine__Status *said = machine_status(machine);

		for (size_t i = 0;
		        said && machine_state(machine) == MACHINE_UP && i < said->n_services; i++) {
			const Machine__Service *service = said->services[i];
			const char *text = amiss_service_text(service);
			Control__Amiss *row;

			if (!text) {
				continue;
			}
			row = amiss_of_machine(list, CONTROL__AMISS_LEVEL__AMISS_LEVEL_WRONG,
			        machine,
			        pool_format(list->pool, "%s on %s", service->name,
			                machine_row(machine)->name),
			        text);
			row->source = CONTROL__SOURCE__SOURCE_MACHINE;
			row->remedy = pool_format(list->pool,
			        service->layout_kept ? "`luctl rerandomize %s --layout host` gives "
			                               "it another one"
			                             : "`luctl log` shows what it said; `luctl "
			                               "restart %s` starts "
			                               "it afresh",
			        service->name);
		}
	}
}

void amiss_standing(struct amiss_list *list)
{
	struct machine *machine = NULL;

	while ((machine = standing_amiss_next(list->engine, machine))) {
		struct failure failure = {0};
		Control__Amiss *row;

		if (machine_state(machine) != MACHINE_UP ||
		        !standing_is_amiss(list->engine, machine, &failure)) {
			continue;
		}
		row = amiss_of_machine(list, CONTROL__AMISS_LEVEL__AMISS_LEVEL_WRONG, machine,
		        machine_row(machine)->name,
		        pool_format(list->pool, "has not the standing order that is wanted: %s",
		                failure.cause));
		row->remedy = pool_text(list->pool, failure.remedy);
	}
}

void amiss_policy(struct amiss_list *list)
{
	const char *broken = rules_broken(engine_rules(list->engine));
	Control__Amiss *row;

	if (broken) {
		row = amiss_add(list, CONTROL__AMISS_LEVEL__AMISS_LEVEL_WRONG, "policies",
		        "cannot be read, so nothing begins that they are asked about: %s", broken);
		row->remedy = "`luctl policy history` lists the versions, `luctl policy rollback` "
		              "goes back to one";
		row->source = CONTROL__SOURCE__SOURCE_RECORD;
	}
}

bool amiss_ends(const struct amiss_list *list, Control__Amiss *row, int64_t ends_us)
{
	static const uint32_t days[] = {1, 7, 30};
	int64_t left = ends_us - list->now_us;

	row->ends_us = ends_us;
	for (size_t i = 0; left > 0 && i < sizeof(days) / sizeof(days[0]); i++) {
		if (left <= days[i] * AMISS_DAY_USEC) {
			row->within_days = days[i];
			return true;
		}
	}
	return left <= 0;
}

/* Announced 30 days ahead, in the first line from 7 on, and wrong in the last. */
static void amiss_key_end(struct amiss_list *list, const char *subject, uint64_t end_sec)
{
	Control__Amiss probe = CONTROL__AMISS__INIT;
	bool is_announced = end_sec < INT64_MAX / AMISS_USEC &&
	                    amiss_ends(list, &probe, (int64_t)end_sec * AMISS_USEC);
	Control__Amiss *row;

	if (!is_announced) {
		return;
	}
	row = amiss_add(list,
	        probe.within_days == 30  ? CONTROL__AMISS_LEVEL__AMISS_LEVEL_NOTE
	        : probe.within_days == 7 ? CONTROL__AMISS_LEVEL__AMISS_LEVEL_SOON
	                                 : CONTROL__AMISS_LEVEL__AMISS_LEVEL_WRONG,
	        subject, "%s", probe.within_days ? "comes to its end" : "has come to its end");
	(void)amiss_ends(list, row, probe.ends_us);
	row->remedy =
	        "where root.pem is, `luctl keys renew`; then put root.signed into lud's keyring";
	row->source = CONTROL__SOURCE__SOURCE_RECORD;
}

/*
 * As the signed root in lud's keyring says; who may write to the keyring may renew it, so it is not verified here. A
 * keyring without one is wrong by that alone: nothing can be signed.
 */
void amiss_key(struct amiss_list *list)
{
	static const char *const roles[_ROOT_ROLE_N] = {
	        [ROOT_ROLE_RELEASE] = "the release key",
	        [ROOT_ROLE_VARIANT] = "the variant key",
	        [ROOT_ROLE_ORDER] = "the order key",
	        [ROOT_ROLE_CONTROL] = "the control key",
	        [ROOT_ROLE_POLICY] = "the policy key",
	};
	const char *keyring = engine_config(list->engine)->keyring;
	struct kit_ends ends;

	if (kit_root_ends(keyring, &ends) < 0) {
		err_forget();
		amiss_add(list, CONTROL__AMISS_LEVEL__AMISS_LEVEL_WRONG, "the keyring",
		        "has no signed root that can be read (%s)", keyring)
		        ->remedy = "`luctl keys list` says what is wrong with it";
		return;
	}
	amiss_key_end(list, "the signed root", ends.root);
	for (enum root_role role = 0; role < _ROOT_ROLE_N; role++) {
		if (ends.roles[role] && ends.roles[role] < ends.root) {
			amiss_key_end(list, roles[role], ends.roles[role]);
		}
	}
}

/* The command that ends it, in the words of the hold. One of a machine that is gone ends with its time, or never. */
static char *amiss_unhold(
        struct pool *pool, const struct hold_row *hold, const struct machine *machine)
{
	if (hold->machine && !machine) {
		return pool_text(pool, "it is about nothing any more; `luctl holds` lists it");
	}
	return pool_format(pool, "`luctl unhold%s%s%s%s` takes it away", *hold->service ? " " : "",
	        hold->service, machine ? " --machine " : " --all",
	        machine ? machine_row(machine)->name : "");
}

/* Somebody wanted it so, so it is to be known; in its last days with its end. */
void amiss_remote(struct amiss_list *list)
{
	const struct engine_remote *remote = engine_remote(list->engine);
	Control__Amiss *row;

	if (!*remote->text) {
		return;
	}
	row = amiss_add(list,
	        remote->is_wrong ? CONTROL__AMISS_LEVEL__AMISS_LEVEL_WRONG
	                         : CONTROL__AMISS_LEVEL__AMISS_LEVEL_NOTE,
	        "remote", "%s", remote->text);
	row->remedy = pool_text(list->pool, remote->remedy);
	if (remote->ends) {
		(void)amiss_ends(list, row, remote->ends * AMISS_USEC);
	}
}

void amiss_hold(struct amiss_list *list)
{
	struct machines *machines = engine_machines(list->engine);
	const struct hold_row *rows;
	size_t n = rules_holds(engine_rules(list->engine), list->now_us, &rows);

	for (size_t i = 0; i < n; i++) {
		const struct machine *machine =
		        rows[i].machine ? machines_by_id(machines, rows[i].machine) : NULL;
		const char *name = machine           ? machine_row(machine)->name
		                   : rows[i].machine ? "a machine that was removed"
		                                     : "all machines";
		Control__Amiss *row = amiss_add(list, CONTROL__AMISS_LEVEL__AMISS_LEVEL_NOTE,
		        *rows[i].service
		                ? pool_format(list->pool, "%s on %s", rows[i].service, name)
		                : pool_text(list->pool, name),
		        "%s held (%s%s%s)", rows[i].machine || *rows[i].service ? "is" : "are",
		        rows[i].identity, *rows[i].reason ? ": " : "", rows[i].reason);

		row->machine = pool_text(list->pool, machine ? machine_row(machine)->name : "");
		row->since_us = rows[i].created_us;
		row->source = CONTROL__SOURCE__SOURCE_RECORD;
		row->remedy = amiss_unhold(list->pool, &rows[i], machine);
		if (rows[i].until_us) {
			(void)amiss_ends(list, row, rows[i].until_us);
		}
	}
}
