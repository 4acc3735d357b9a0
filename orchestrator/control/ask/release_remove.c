/*
 * A kit that lud keeps a copy of and nobody needs is given up: what developers try makes many of them. The release
 * stays in the record, since the history names it, and `release add` brings its kit back. Needed is what runs or
 * ran last, what a plain rollback of that goes back to, and what an open job or rollout is about.
 *
 * The record forgets the path before the files go: killed in between, lud leaves a directory that nothing names.
 */
#include <inttypes.h>
#include <string.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/control/ask/priv.h"
#include "orchestrator/job/engine/engine.h"

/* Whether the record has it as what the service of this machine ran last, or as what it would go back to. */
static int release_ran_on(
        struct db *db, const struct machine *machine, const struct release_row *row, bool *ret_ran)
{
	struct generation_row ran, earlier;
	struct service_row service;
	int64_t id = machine_row(machine)->id;
	int r = store_service_find(db, id, row->service, &service);

	if (!r) {
		r = store_generation_find(db, id, row->service, service.run_number, &ran);
	}
	if (!r && ran.release == row->id) {
		*ret_ran = true;
		return 0;
	}
	if (!r) {
		r = store_generation_earlier(
		        db, service.id, service.run_number, ran.release, &earlier);
	}
	*ret_ran = !r && earlier.release == row->id;
	return r == DB_E_NONE ? 0 : err_up(r);
}

/*
 * What needs it, in words; "": nothing does. The machines are asked by what they said last, and by the record where they
 * said nothing: one that is down starts again with what it ran, and may have to go back.
 * *ret_wanted: it is a job or rollout, which ends.
 */
static int release_needed(struct control_client *client, const struct release_row *row,
        bool *ret_wanted, char *ret_why, size_t size)
{
	struct db *db = control_db(client);
	struct machine *machine = NULL;
	bool is_wanted = false;
	int r = store_release_is_wanted(db, row->id, &is_wanted);

	*ret_wanted = !r && is_wanted;
	snprintf(ret_why, size, "%s", *ret_wanted ? "an open job or rollout is about it" : "");
	while (!r && !*ret_why &&
	        (machine = machines_next(engine_machines(control_engine(client)), machine))) {
		bool ran = control_release_runs_on(machine, row);

		if (!ran) {
			r = release_ran_on(db, machine, row, &ran);
		}
		if (!r && ran) {
			snprintf(ret_why, size, "%s runs it, or would go back to it",
			        machine_row(machine)->name);
		}
	}
	return err_up(r);
}

/* In one transaction with nothing else: whoever reads the release afterwards finds no path. */
static int release_remove_txn(struct db *db, void *arg)
{
	const struct release_row *row = arg;

	return err_up(store_release_forget_kit(db, row->id));
}

/* Only below the store: a record may have come here from elsewhere. */
static void release_remove_files(struct control_client *client, const struct release_row *row)
{
	_cleanup_(freep) char *store = control_store(client);
	size_t len = strlen(store);

	if (!strncmp(row->path, store, len) && row->path[len] == '/' && dir_remove(row->path) < 0) {
		log_warn("%s is of no use any more, and cannot be removed", row->path);
		err_forget();
	}
}

/* Writes it, gives up the files, and answers. Policies look again: the newest may be another one now. */
static void release_remove(
        struct control_client *client, const Control__Request *request, struct release_row *row)
{
	if (db_effect(control_db(client), release_remove_txn, row)) {
		err_forget();
		control_refuse_change(client, request->id);
		return;
	}
	release_remove_files(client, row);
	log_info("the kit of release %" PRId64 " of %s is given up for %s%s%s", row->counter,
	        row->service, client->who.name, *request->reason ? ": " : "", request->reason);
	engine_releases_changed(control_engine(client));
	control_done(client, request->id, "");
}

/*
 * Who names a release wants to know why it stays. `luctl dev` goes through what it made before, without a word: to it
 * a release that is needed, has no kit any more, or was in a record that was lost, is no error.
 */
void control_on_release_remove(struct control_client *client, const Control__Request *request)
{
	const Control__ReleaseRemoveRequest *ask = request->release_remove;
	struct failure failure;
	struct release_row row;
	bool is_wanted;
	char why[160];

	if (ask->spare &&
	        store_release_named(control_db(client), ask->service, ask->release, &row) > 0) {
		control_done(client, request->id, "");
		return;
	}
	err_forget();
	if (!control_release_find(client, request->id, ask->service, ask->release, &row)) {
		return;
	}
	/* Before the path is looked at: what needs it is told also of a release that has no kit any more. */
	if (release_needed(client, &row, &is_wanted, why, sizeof(why)) < 0) {
		err_forget();
		control_refuse_record(client, request->id);
	} else if (!*row.path && !ask->spare) {
		failure_set(&failure, "no-kit", ask->service,
		        "`luctl release list` shows which releases have their kit",
		        "the kit of release %" PRId64 " was removed already", row.counter);
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_NOT_FOUND, &failure);
	} else if (*why && !ask->spare) {
		failure_set(&failure, "in-use", ask->service,
		        is_wanted ? "remove it when that is over: `luctl jobs` and `luctl rollout "
		                    "status` "
		                    "show what is open"
		                  : "`luctl release block` keeps plain updates from using it",
		        "release %" PRId64 " is needed: %s", row.counter, why);
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_REFUSED, &failure);
	} else if (*why || !*row.path) {
		control_done(client, request->id, why);
	} else {
		release_remove(client, request, &row);
	}
}
