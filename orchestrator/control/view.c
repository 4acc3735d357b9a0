/*
 * Rows of the record, and what machines said, as messages for clients. All memory is the
 * caller's pool and ends with it; lists have limits here, so that no record is too large to be
 * shown.
 *
 * A status is shown whatever became of the record or the machine: it says where each part
 * comes from and how old it is, and what a service does is only shown of a machine that
 * answers. A job or a generation that cannot be read is an error of the record instead.
 */
#include <stdio.h>
#include <string.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/control/priv.h"

#define VIEW_SERVICES_MAX 256u
#define VIEW_STEPS_MAX 200u
#define VIEW_OPEN_JOBS_MAX 32u

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
	return view;
}

/* The machine of which the record knows least; NULL: the record knows all. */
static const struct machine *view_machine_ahead(struct machines *machines)
{
	struct machine *machine = NULL;

	while ((machine = machines_next(machines, machine)) && !*machine_ahead(machine)) {
	}
	return machine;
}

Control__Record *view_record(struct pool *pool, struct engine *engine)
{
	struct db *db = engine_db(engine);
	const struct machine *ahead = view_machine_ahead(engine_machines(engine));
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
	} else if (ahead) {
		view->state = CONTROL__RECORD_STATE__RECORD_BEHIND;
		view->place = pool_text(pool, db_path(db));
		view->text = pool_format(
		        pool, "the record is older than the machines: %s", machine_ahead(ahead));
		view->remedy = MACHINE_AHEAD_REMEDY;
	}
	return view;
}

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
	struct generation_row generation;
	struct release_row release;

	*service = *said;
	if (visit->stale) {
		service->state = MACHINE__SERVICE_STATE__SERVICE_NONE;
	}
	control__service_status__init(view);
	view->service = service;
	view->as_of_us = as_of_usec;
	view->job = engine_open_job(visit->engine, visit->machine, service->name);
	if (service->release_id.len == sizeof(release.release_id)) {
		view->release = pool_zero(visit->pool, 16);
		for (size_t i = 0; i < 6; i++) {
			snprintf(view->release + 2 * i, 3, "%02x", service->release_id.data[i]);
		}
		if (store_release_by_hash(db, service->release_id.data, &release) == 0) {
			view->release_name = pool_format(
			        visit->pool, "release %lld", (long long)release.counter);
		}
	}
	if (store_generation_find(db, machine_row(visit->machine)->id, service->name,
	            service->generation, &generation) == 0) {
		view->layout_since = generation.committed_us / 1000000;
	}
	err_forget();
	visit->status->services[visit->status->n_services++] = view;
}

static int view_service_row(
        const struct service_row *row, const uint8_t *packed, size_t size, void *arg)
{
	struct view_services *visit = arg;
	Machine__Service *service;

	if (!packed || visit->status->n_services == VIEW_SERVICES_MAX) {
		return 0;
	}
	service = machine__service__unpack(&visit->pool->allocator, size, packed);
	if (service) {
		view_service(visit, service, row->seen_us);
		if (row->seen_us > visit->status->as_of_us) {
			visit->status->as_of_us = row->seen_us;
		}
	}
	return 0;
}

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

struct view_jobs {
	struct pool *pool;
	struct engine *engine;
	Control__Status *status;
};

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

Control__Status *view_status(
        struct pool *pool, struct engine *engine, struct machine *machine, bool stale)
{
	Control__Status *status = pool_zero(pool, sizeof(*status));
	struct view_services services = {pool, engine, machine, status, stale};
	struct view_jobs jobs = {pool, engine, status};

	control__status__init(status);
	status->machine = view_machine(pool, machine);
	status->services = pool_zero(pool, VIEW_SERVICES_MAX * sizeof(*status->services));
	status->stale = stale;
	view_services(&services);
	view_validity(status);
	status->open_jobs = pool_zero(pool, VIEW_OPEN_JOBS_MAX * sizeof(*status->open_jobs));
	if (store_job_each_open(engine_db(engine), machine_row(machine)->id, view_open_job, &jobs) <
	        0) {
		log_error("status: %s", err_trace());
		err_forget();
	}
	/* Last: what was read above may have met what it tells. */
	status->record = view_record(pool, engine);
	return status;
}

struct view_steps {
	struct pool *pool;
	Control__Job *job;
};

static int view_step(const struct job_step_row *row, void *arg)
{
	static const char *const states[_JOB_STEP_STATE_N] = {
	        [JOB_STEP_BEGUN] = "open",
	        [JOB_STEP_DONE] = "done",
	        [JOB_STEP_FAILED] = "failed",
	};
	struct view_steps *visit = arg;
	Control__JobStep *step;

	if (visit->job->n_steps == VIEW_STEPS_MAX) {
		return 0;
	}
	step = pool_zero(visit->pool, sizeof(*step));
	control__job_step__init(step);
	step->name = (char *)job_step_name(row->step);
	step->state = (char *)states[row->state];
	step->started_us = row->started_us;
	step->ended_us = row->ended_us;
	step->detail = pool_text(visit->pool, row->detail);
	visit->job->steps[visit->job->n_steps++] = step;
	return 0;
}

/* How the machine knows the job: by the order that was made for what it does. */
static int view_job_order(struct db *db, int64_t id, Control__Job *view)
{
	struct order_row order;
	int r = store_order_newest(db, id, ORDER_UPDATE, &order);

	if (r == DB_E_NONE) {
		r = store_order_newest(db, id, 0, &order);
	}
	if (!r) {
		view->epoch = order.epoch;
		view->txn = order.txn;
	}
	return r == DB_E_NONE ? 0 : err_up(r);
}

static int view_job_outcome(struct pool *pool, struct db *db, int64_t id, Control__Job *view)
{
	struct job_outcome outcome = {0};
	int r = store_job_outcome_get(db, id, &outcome);

	if (!r && outcome.cause) {
		view->cause =
		        wire__cause__unpack(&pool->allocator, outcome.cause_size, outcome.cause);
	}
	if (!r && outcome.result) {
		view->result = machine__result__unpack(
		        &pool->allocator, outcome.result_size, outcome.result);
	}
	job_outcome_fini(&outcome);
	return err_fold(r);
}

static void view_job_row(struct pool *pool, const struct job_row *row, Control__Job *view)
{
	view->id = row->id;
	view->service = pool_text(pool, row->service);
#define JOB_KIND(name, number, word)                                                               \
	_Static_assert(CONTROL__JOB_KIND__JOB_KIND_##name == (number), "as in the record");
#define JOB_STATE(name, number, word)                                                              \
	_Static_assert(CONTROL__JOB_STATE__JOB_STATE_##name == (number), "as in the record");
#include "proto/words/jobs.def"
#undef JOB_KIND
#undef JOB_STATE
	view->kind = (Control__JobKind)row->kind;
	view->state = (Control__JobState)row->state;
	view->identity = pool_text(pool, row->identity);
	view->generation = row->generation;
	view->from_generation = row->from_generation;
	view->created_us = row->created_us;
	view->ended_us = row->ended_us;
	view->hint = pool_text(pool, row->hint);
}

/* Names of what the job refers to, and what became of it. */
static int view_job_more(
        struct pool *pool, struct db *db, const struct job_row *row, Control__Job *view)
{
	struct machine_row machine;
	struct release_row release;
	int r = store_machine_by_id(db, row->machine, &machine);

	if (!r) {
		view->machine = pool_text(pool, machine.name);
	}
	if (!r && row->release) {
		r = store_release_by_id(db, row->release, &release);
	}
	if (!r && row->release) {
		view->release_id = pool_bytes(pool, release.release_id, sizeof(release.release_id));
	}
	if (!r) {
		r = view_job_outcome(pool, db, row->id, view);
	}
	return err_fold(r);
}

int view_job(struct pool *pool, struct engine *engine, int64_t id, bool with_steps,
        Control__Job **ret_view)
{
	struct db *db = engine_db(engine);
	Control__Job *view = pool_zero(pool, sizeof(*view));
	struct view_steps steps = {pool, view};
	struct job_row row;
	int r = store_job_find(db, id, &row);

	if (r) {
		return err_up(r);
	}
	control__job__init(view);
	view_job_row(pool, &row, view);
	r = view_job_more(pool, db, &row, view);
	if (!r) {
		r = view_job_order(db, id, view);
	}
	if (!r) {
		r = view_job_pairing(pool, db, &row, with_steps, view);
	}
	if (!r && with_steps) {
		view->steps = pool_zero(pool, VIEW_STEPS_MAX * sizeof(*view->steps));
		r = store_job_step_each(db, id, view_step, &steps);
	}
	if (r < 0) {
		return err_up(r);
	}
	*ret_view = view;
	return 0;
}

Control__Job *view_stalled(struct pool *pool, struct engine *engine, int64_t id)
{
	Control__Job *view;
	Wire__Cause *cause = pool_zero(pool, sizeof(*cause));
	struct failure failure;

	if (view_job(pool, engine, id, false, &view) != 0) {
		err_forget();
		view = pool_zero(pool, sizeof(*view));
		control__job__init(view);
		view->id = id;
	}
	db_failure(engine_db(engine), &failure);
	wire__cause__init(cause);
	cause->component = pool_text(pool, failure.place);
	cause->step = "record";
	cause->name = pool_text(pool, failure.code);
	cause->message = pool_text(pool, failure.cause);
	view->state = CONTROL__JOB_STATE__JOB_STATE_UNKNOWN;
	view->cause = cause;
	view->hint =
	        pool_format(pool, "the job stays open and is settled later; %s", failure.remedy);
	return view;
}

Control__Job *view_skipped(
        struct pool *pool, const struct machine *machine, const struct job_skip *skip)
{
	Control__Job *view = pool_zero(pool, sizeof(*view));
	Wire__Cause *cause = pool_zero(pool, sizeof(*cause));

	control__job__init(view);
	wire__cause__init(cause);
	cause->component = pool_text(pool, skip->failure.place);
	cause->step = "plan";
	cause->name = pool_text(pool, skip->failure.code);
	cause->message = pool_text(pool, skip->failure.cause);
	view->machine = pool_text(pool, machine_row(machine)->name);
	view->service = pool_text(pool, skip->service);
	view->kind = CONTROL__JOB_KIND__JOB_KIND_RERANDOMIZE;
	view->state = skip->refused ? CONTROL__JOB_STATE__JOB_STATE_REFUSED
	                            : CONTROL__JOB_STATE__JOB_STATE_SKIPPED;
	view->cause = cause;
	view->hint = pool_text(pool, skip->failure.remedy);
	return view;
}

static int view_generation_variant(struct pool *pool, struct db *db,
        const struct generation_row *row, bool with_seed, Control__Generation *view)
{
	struct variant_row variant;
	struct release_row release;
	int r = store_variant_by_id(db, row->variant, &variant);

	if (!r) {
		r = store_release_by_id(db, row->release, &release);
	}
	if (r) {
		return err_fold(r);
	}
	view->base_address = variant.base;
	view->payload_len = variant.payload_len;
	view->seed_commit = pool_bytes(pool, variant.seed_commit, sizeof(variant.seed_commit));
	if (with_seed) {
		view->seed_sealed = pool_bytes(pool, variant.seed_sealed, variant.seed_sealed_size);
	}
	if (variant.payload_len) {
		view->build_id = pool_bytes(pool, variant.build_id, sizeof(variant.build_id));
		view->payload_hash =
		        pool_bytes(pool, variant.payload_hash, sizeof(variant.payload_hash));
	}
	view->release_id = pool_bytes(pool, release.release_id, sizeof(release.release_id));
	view->counter = release.counter;
	return 0;
}

/* What the record has as running only runs while its machine is known to. */
static const char *view_generation_state(struct engine *engine, const struct generation_row *row)
{
	const struct machine *machine = machines_by_id(engine_machines(engine), row->machine);

	return row->state == GENERATION_RUNNING &&
	                       !(machine && machine_state(machine) == MACHINE_UP)
	               ? "ran last"
	               : generation_state_name(row->state);
}

static void view_generation_row(struct pool *pool, struct engine *engine,
        const struct generation_row *row, Control__Generation *view)
{
	view->row = row->id;
	view->service = pool_text(pool, row->service_name);
	view->generation = row->number;
	view->epoch = row->epoch;
	view->state = (char *)view_generation_state(engine, row);
	view->issued = row->issued;
	view->expires = row->expires;
	view->committed_us = row->committed_us;
}

int view_generation(struct pool *pool, struct engine *engine, const struct generation_row *row,
        bool with_envelope, Control__Generation **ret_view)
{
	struct db *db = engine_db(engine);
	Control__Generation *view = pool_zero(pool, sizeof(*view));
	_cleanup_(freep) uint8_t *envelope = NULL;
	struct machine_row machine;
	size_t size = 0;
	int r;

	control__generation__init(view);
	view_generation_row(pool, engine, row, view);
	r = store_machine_by_id(db, row->machine, &machine);
	if (!r) {
		view->machine = pool_text(pool, machine.name);
		r = view_generation_variant(pool, db, row, with_envelope, view);
	}
	if (!r) {
		r = view_job(pool, engine, row->job, with_envelope, &view->job);
	}
	if (!r && with_envelope && row->has_envelope) {
		r = store_generation_envelope(db, row->id, &envelope, &size);
	}
	if (r) {
		return err_fold(r);
	}
	if (envelope) {
		view->envelope = pool_bytes(pool, envelope, size);
	}
	*ret_view = view;
	return 0;
}

Control__Release *view_release(struct pool *pool, const struct release_row *row)
{
	Control__Release *view = pool_zero(pool, sizeof(*view));

	control__release__init(view);
	view->service = pool_text(pool, row->service);
	view->release_id = pool_bytes(pool, row->release_id, sizeof(row->release_id));
	view->counter = row->counter;
	view->floor = row->floor;
	view->source_id = pool_bytes(pool, row->source_id, sizeof(row->source_id));
	view->issued = row->issued;
	view->added = row->added_us / 1000000;
	view->path = pool_text(pool, row->path);
	view->blocked = row->blocked_us / 1000000;
	view->blocked_job = row->blocked_job;
	view->blocked_why = pool_text(pool, row->blocked_why);
	view->key_id = pool_format(pool, "%02x%02x%02x%02x%02x%02x", row->key_id[0], row->key_id[1],
	        row->key_id[2], row->key_id[3], row->key_id[4], row->key_id[5]);
	return view;
}
