/*
 * What the layouts of the running releases protect. The figures depend on release and recipe alone:
 * a worker of the forge measures them once, the record keeps them. The machine says which releases
 * run, so one that is up is asked first; of any other, what was last known counts, and the answer
 * says so.
 *
 *   asked -> the machine has answered, or will not -> a worker for each release that is not
 *   measured yet, one after the other -> one answer with all tables
 *
 * Measuring takes seconds of a worker and none of lud. A client that leaves ends it; what was
 * measured by then is kept.
 */
#include <string.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/control/ask/priv.h"
#include "orchestrator/job/pair/protection.h"

static void entropy_step(struct control_wait *wait);

/* Whether the table of this service is part of the answer. */
static bool entropy_is_asked(const struct control_wait *wait, const Machine__Service *service)
{
	return !wait->path[0] || !strcmp(wait->path, service->name);
}

/* In place of the table, why there is none. */
static Control__Entropy *entropy_without(struct pool *pool, const Machine__Service *service)
{
	Control__Entropy *table = pool_zero(pool, sizeof(*table));

	control__entropy__init(table);
	table->service = pool_text(pool, service->name);
	table->release_id = pool_bytes(pool, service->release_id.data, service->release_id.len);
	table->text = pool_text(pool, "its release is not registered here: `luctl release add`");
	return table;
}

/* Everything has been measured. */
static int entropy_list(struct control_wait *wait, struct pool *pool, Control__EntropyList *list)
{
	const Machine__Status *status = machine_status(wait->machine);
	int r = 0;

	list->services = pool_zero(pool, status->n_services * sizeof(*list->services));
	for (size_t i = 0; !r && i < status->n_services; i++) {
		const Machine__Service *service = status->services[i];
		Control__Entropy **table = &list->services[list->n_services];
		struct release_row release;

		if (!entropy_is_asked(wait, service)) {
			continue;
		}
		r = machine_release(control_db(wait->client), service, &release);
		if (r == DB_E_NONE) {
			*table = entropy_without(pool, service);
			r = 0;
		} else if (!r) {
			r = protection_get(control_db(wait->client), pool, release.id, table);
		}
		list->n_services += !r;
	}
	return err_fold(r);
}

static void entropy_answer(struct control_wait *wait)
{
	_cleanup_(pool_fini) struct pool pool;
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__EntropyList list = CONTROL__ENTROPY_LIST__INIT;

	pool_init(&pool);
	list.stale = wait->stale;
	if (entropy_list(wait, &pool, &list) < 0) {
		err_forget();
		control_refuse_record(wait->client, wait->id);
	} else {
		reply.body_case = CONTROL__REPLY__BODY_ENTROPY;
		reply.entropy = &list;
		control_reply(wait->client, wait->id, &reply);
	}
	control_wait_free(wait);
}

/* A worker's answer on its way into the record. */
struct entropy_record {
	int64_t release;
	const Control__Entropy *table;
};

static int entropy_txn(struct db *db, void *arg)
{
	const struct entropy_record *record = arg;

	return err_up(protection_put(db, record->release, record->table));
}

/* What it measured is recorded, or the request ends with what is wrong. */
static void entropy_on_measured(const struct failure *failure, void *arg)
{
	_cleanup_(pool_fini) struct pool pool;
	struct control_wait *wait = arg;
	_cleanup_(freep) char *json = wait->json;
	struct entropy_record record = {0};
	struct release_row release;
	struct failure unfit;
	Control__Entropy *table;
	int r = 0;

	pool_init(&pool);
	wait->task = NULL;
	wait->json = NULL;
	if (!failure) {
		r = store_release_by_id(control_db(wait->client), wait->release, &release);
	}
	if (!failure && !r && protection_read(&pool, json, &release, &table, &unfit) < 0) {
		err_forget();
		failure = &unfit;
	}
	if (!failure && !r) {
		record = (struct entropy_record){release.id, table};
		r = db_txn(control_db(wait->client), entropy_txn, &record);
	}
	if (!failure && !r) {
		entropy_step(wait);
		return;
	}
	if (failure) {
		control_refuse(wait->client, wait->id, WIRE__ERROR_CLASS__ERROR_REFUSED, failure);
	} else {
		err_forget();
		control_refuse_record(wait->client, wait->id);
	}
	control_wait_free(wait);
}

/* Has the next one measured that is not, or answers. */
static void entropy_step(struct control_wait *wait)
{
	_cleanup_(pool_fini) struct pool pool;
	const Machine__Status *status = machine_status(wait->machine);
	Control__Entropy *table;
	struct release_row release;

	pool_init(&pool);
	for (size_t i = 0; i < status->n_services; i++) {
		const Machine__Service *service = status->services[i];

		if (!entropy_is_asked(wait, service) ||
		        machine_release(control_db(wait->client), service, &release) != 0 ||
		        protection_get(control_db(wait->client), &pool, release.id, &table) !=
		                DB_E_NONE) {
			err_forget();
			continue;
		}
		wait->release = release.id;
		wait->task = forge_task_question(
		        forge_entropy(engine_forge(control_engine(wait->client)), release.path,
		                &wait->json, entropy_on_measured, wait));
		return;
	}
	entropy_answer(wait);
}

/* The machine has said what runs, or does not answer: then what it said last. */
static void entropy_begin(struct control_wait *wait)
{
	struct failure failure;

	if (!machine_status(wait->machine)) {
		failure_set(&failure, "machine", machine_row(wait->machine)->name,
		        "`luctl machine start` starts it; `luforge entropy KIT` needs no machine",
		        "the machine has never said what it runs");
	} else if (wait->path[0] && !machine_service(wait->machine, wait->path)) {
		failure_set(&failure, "no-service", wait->path, "`luctl status` lists its services",
		        "the machine has no service %s", wait->path);
	} else {
		entropy_step(wait);
		return;
	}
	control_refuse(wait->client, wait->id, WIRE__ERROR_CLASS__ERROR_REFUSED, &failure);
	control_wait_free(wait);
}

static void entropy_on_refreshed(int r, void *arg)
{
	struct control_wait *wait = arg;

	wait->stale = r < 0;
	entropy_begin(wait);
}

void control_on_entropy(struct control_client *client, const Control__Request *request)
{
	const Control__EntropyRequest *ask = request->entropy;
	struct machine *machine = control_machine(client, request->id, ask->machine);
	struct control_wait *wait = machine ? control_wait_new(client, request->id) : NULL;

	if (!wait) {
		return;
	}
	wait->machine = machine;
	snprintf(wait->path, sizeof(wait->path), "%s", ask->service);
	if (machine_state(machine) == MACHINE_UP &&
	        machine_refresh(machine, entropy_on_refreshed, wait) == 0) {
		return;
	}
	err_forget();
	wait->stale = true;
	entropy_begin(wait);
}
