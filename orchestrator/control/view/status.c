/*
 * Machines, the record's health and status as messages for clients. All memory is the caller's
 * pool and ends with it; lists have limits here, so that no record is too large to be shown.
 *
 * A status is shown whatever became of the record or the machine: it says where each part comes
 * from and how old it is, and what a service does is only shown of a machine that answers.
 */
#include "orchestrator/control/view/view.h"

#include <stdio.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "host/text/hex.h"
#include "orchestrator/db/durable.h"
#include "orchestrator/job/core/standing.h"

#define VIEW_SERVICES_MAX 256u
#define VIEW_OPEN_JOBS_MAX 32u
#define VIEW_POLICIES_MAX (2 * RULES_POLICIES_MAX)
#define VIEW_RELEASE_BYTES 6u /* of a release's id: enough to tell releases apart */

/*
 * A machine as lud knows it, without asking it. Stopped by request means two things: ours has
 * ended, an attached one was let go of and may run on.
 */
Control__Machine *view_machine(struct pool *pool, const struct machine *machine)
{
	const struct machine_row *row = machine_row(machine);
	Control__Machine *view = pool_zero(pool, sizeof(*view));
	char remedy[240];

	control__machine__init(view);
	view->name = pool_text(pool, row->name);
	if (row->has_machine_id) {
		view->machine_id = pool_bytes(pool, row->machine_id, sizeof(row->machine_id));
	}
	view->state = row->attached && machine_state(machine) == MACHINE_STOPPED
	                      ? CONTROL__MACHINE_STATE__MACHINE_DETACHED
	                      : (Control__MachineState)machine_state(machine);
	view->socket = pool_text(pool, row->socket);
	view->pid = row->pid;
	view->image = pool_text(pool, row->image);
	view->boot_id = row->boot_id;
	view->protocol = machine_protocol(machine);
	view->text = view->state == CONTROL__MACHINE_STATE__MACHINE_DETACHED
	                     ? "it may still run"
	                     : pool_text(pool, machine_why(machine));
	machine_remedy(machine, remedy, sizeof(remedy));
	view->remedy = pool_text(pool, remedy);
	view->since = machine_since(machine);
	view->heard_us = machine_heard_usec(machine);
	view->is_default = row->is_default;
	view->groups = pool_text(pool, row->groups);
	view->labels = pool_text(pool, row->labels);
	view->kernel_generation = row->attached ? 0 : row->kernel;
	return view;
}

/* A machine of which the record knows less than it says, of those that may be seen; NULL: none. */
static const struct machine *view_machine_ahead(
        struct machines *machines, const struct access_rights *rights)
{
	struct machine *machine = NULL;

	while ((machine = machines_notable_next(machines, machine)) &&
	        (!*machine_ahead(machine) || !view_sees(rights, machine))) {
	}
	return machine;
}

/*
 * How the record is at this moment: it is written to, if it was not for two seconds. A record
 * that is well can still be older than a machine; that is told of one machine, which is enough to
 * act on.
 */
Control__Record *view_record(
        struct pool *pool, struct engine *engine, const struct access_rights *rights)
{
	struct db *db = engine_db(engine);
	const struct machine *ahead = view_machine_ahead(engine_machines(engine), rights);
	static const Control__RecordState states[_DB_HEALTH_N] = {
	        [DB_WELL] = CONTROL__RECORD_STATE__RECORD_WELL,
	        [DB_UNWRITABLE] = CONTROL__RECORD_STATE__RECORD_UNWRITABLE,
	        [DB_DAMAGED] = CONTROL__RECORD_STATE__RECORD_DAMAGED,
	};
	Control__Record *view = pool_zero(pool, sizeof(*view));
	struct failure failure;

	control__record__init(view);
	db_probe(db);
	view->state = states[db_health(db)];
	view->since = db_ill_since(db) / 1000000;
	if (db_health(db) != DB_WELL) {
		db_failure(db, &failure);
		view->place = pool_text(pool, failure.place);
		view->text = pool_text(pool, failure.cause);
		view->remedy = pool_text(pool, failure.remedy);
	} else if (db_late_sec(db)) {
		view->state = CONTROL__RECORD_STATE__RECORD_UNWRITABLE;
		view->since = store_now_usec() / 1000000 - db_late_sec(db);
		view->place = pool_text(pool, db_path(db));
		view->text = pool_format(pool,
		        "the disk has not finished a write for %u s: what is asked waits for it",
		        db_late_sec(db));
		view->remedy =
		        "look at the disk (dmesg) and at what else writes to it; lud goes on by "
		        "itself";
	} else if (ahead) {
		view->state = CONTROL__RECORD_STATE__RECORD_BEHIND;
		view->place = pool_text(pool, db_path(db));
		view->text = pool_format(
		        pool, "the record is older than the machines: %s", machine_ahead(ahead));
		view->remedy = MACHINE_AHEAD_REMEDY;
	}
	return view;
}

/* One status while it is filled. */
struct view_services {
	struct pool *pool;
	struct engine *engine;
	struct machine *machine;
	Control__Status *status;
	bool stale;
};

/*
 * What lud knows beside what the machine says of a service. What a service does is only
 * known of a machine that answers.
 */
static void view_service(
        struct view_services *visit, const Machine__Service *said, int64_t as_of_usec)
{
	struct db *db = engine_db(visit->engine);
	Control__ServiceStatus *view = pool_zero(visit->pool, sizeof(*view));
	Machine__Service *service = pool_zero(visit->pool, sizeof(*service));
	struct release_row release;

	*service = *said;
	if (visit->stale) {
		service->state = MACHINE__SERVICE_STATE__SERVICE_NONE;
	}
	control__service_status__init(view);
	view->service = service;
	view->as_of_us = as_of_usec;
	view->job = engine_open_job(visit->machine, service->name);
	if (service->release_id.len == sizeof(release.release_id)) {
		view->release = pool_zero(visit->pool, 2 * VIEW_RELEASE_BYTES + 1);
		hex_write(service->release_id.data, VIEW_RELEASE_BYTES, view->release);
		if (machine_release(db, service, &release) == 0) {
			view->release_name = pool_format(
			        visit->pool, "release %lld", (long long)release.counter);
		}
	}
	view->layout_since = machine_layout_usec(db, visit->machine, service, as_of_usec) / 1000000;
	view->known_outside = !service->machine_made;
	err_forget();
	visit->status->services[visit->status->n_services++] = view;
}

/* A service as the record kept it; one that was never seen is passed over. */
static int view_service_row(const struct service_row *row, void *arg)
{
	struct view_services *visit = arg;
	Machine__Service *service;
	int r;

	if (visit->status->n_services == VIEW_SERVICES_MAX) {
		return 0;
	}
	r = store_service_status(
	        engine_db(visit->engine), row->id, &visit->pool->allocator, &service);
	if (r) {
		return r == DB_E_NONE ? 0 : err_up(r);
	}
	view_service(visit, service, row->seen_us);
	if (row->seen_us > visit->status->as_of_us) {
		visit->status->as_of_us = row->seen_us;
	}
	return 0;
}

/*
 * From the machine's own status, of now or the last; if there was none since lud started, from
 * the record. The source is told, and how old it is follows from that. A status with more
 * services than a view has room for is not used either.
 */
static void view_services(struct view_services *visit)
{
	const Machine__Status *said = machine_status(visit->machine);

	if (said && said->n_services <= VIEW_SERVICES_MAX) {
		visit->status->resources = said->resources;
		visit->status->clock_ns = said->clock_ns;
		visit->status->as_of_us = machine_status_usec(visit->machine);
		visit->status->source = visit->stale ? CONTROL__SOURCE__SOURCE_MEMORY
		                                     : CONTROL__SOURCE__SOURCE_MACHINE;
		visit->status->time = said->time;
		visit->status->time_nonce = said->time_nonce;
		visit->status->time_ahead =
		        (int64_t)said->time - store_now_usec() / INT64_C(1000000);
		visit->status->root_serial = said->root_serial;
		visit->status->has_statement = said->has_statement;
		visit->status->no_kits = said->no_kits;
		visit->status->standing = said->standing;
		for (size_t i = 0; i < said->n_services; i++) {
			view_service(visit, said->services[i], visit->status->as_of_us);
		}
		return;
	}
	visit->status->source = CONTROL__SOURCE__SOURCE_RECORD;
	if (store_service_each(engine_db(visit->engine), machine_row(visit->machine)->id,
	            view_service_row, visit) < 0) {
		log_error("status: %s", err_trace());
	}
}

/* Whether the machine's standing order is the one that is wanted. */
static void view_standing(
        struct pool *pool, struct engine *engine, struct machine *machine, Control__Status *status)
{
	struct failure failure;

	if (standing_is_amiss(engine, machine, &failure)) {
		status->standing_amiss = pool_text(pool, failure.cause);
		status->standing_remedy = pool_text(pool, failure.remedy);
	}
}

/* Who wants the standing order, what keeps it back, and what policies do here. */
static void view_policies(
        struct pool *pool, struct engine *engine, struct machine *machine, Control__Status *status)
{
	struct standing_row standing;
	struct rules_gate shut;

	if (!store_standing_find(engine_db(engine), machine_row(machine)->id, &standing) &&
	        standing.wanted) {
		status->standing_by = pool_text(pool, standing.identity);
		if (standing_is_kept(engine, machine, &standing, &shut)) {
			status->standing_kept = pool_text(pool, shut.why);
			status->standing_kept_us = shut.since_us;
		}
	}
	const struct view_next_ask ask = {.machine = machine, .max = VIEW_POLICIES_MAX};

	if (view_next(pool, engine, &ask, &status->policies, &status->n_policies)) {
		err_forget();
	}
}

/* How often the machine was too busy for what a timer asked; 0 where the record cannot be read. */
static void view_passed_over(
        struct engine *engine, const struct machine *machine, Control__Status *status)
{
	struct machine_row row;

	if (store_machine_by_id(engine_db(engine), machine_row(machine)->id, &row) == 0) {
		status->skipped = row.skipped;
	}
	err_forget();
}

/* The open jobs of one status while they are filled in. */
struct view_jobs {
	struct pool *pool;
	struct engine *engine;
	Control__Status *status;
};

/* Jobs beyond VIEW_OPEN_JOBS_MAX are left out; `luctl history` has all. */
static int view_open_job(const struct job_row *row, void *arg)
{
	struct view_jobs *visit = arg;
	Control__Status *status = visit->status;

	int r;

	if (status->n_open_jobs == VIEW_OPEN_JOBS_MAX) {
		return 0;
	}
	r = view_job(
	        visit->pool, visit->engine, row->id, true, &status->open_jobs[status->n_open_jobs]);
	status->n_open_jobs += !r;
	return err_up(r);
}

/* How old the machine's words are, and whether they count. */
static void view_validity(Control__Status *status)
{
	int64_t age = status->as_of_us ? store_now_usec() - status->as_of_us : 0;

	status->age_ms = age > 0 ? age / 1000 : 0;
	status->validity = !status->stale     ? CONTROL__VALIDITY__VALIDITY_FRESH
	                   : status->as_of_us ? CONTROL__VALIDITY__VALIDITY_STALE
	                                      : CONTROL__VALIDITY__VALIDITY_UNKNOWN;
}

/*
 * Never fails: what cannot be read is left out, and ->record says why. The pool has to be the one
 * that the answer is sent from.
 */
Control__Status *view_status(struct pool *pool, struct engine *engine,
        const struct access_rights *rights, struct machine *machine, bool stale)
{
	Control__Status *status = pool_zero(pool, sizeof(*status));
	struct view_services services = {pool, engine, machine, status, stale};
	struct view_jobs jobs = {pool, engine, status};

	control__status__init(status);
	status->machine = view_machine(pool, machine);
	status->services = pool_zero(pool, VIEW_SERVICES_MAX * sizeof(*status->services));
	status->stale = stale;
	view_services(&services);
	view_standing(pool, engine, machine, status);
	view_passed_over(engine, machine, status);
	view_policies(pool, engine, machine, status);
	view_validity(status);
	status->open_jobs = pool_zero(pool, VIEW_OPEN_JOBS_MAX * sizeof(*status->open_jobs));
	if (store_job_each_open(engine_db(engine), machine_row(machine)->id, view_open_job, &jobs) <
	        0) {
		log_error("status: %s", err_trace());
		err_forget();
	}
	status->overview = view_overview(pool, engine, rights);
	/* Last: what was read above may have met what it tells. */
	status->record = view_record(pool, engine, rights);
	return status;
}
