/*
 * Requests about one release: show it, compare it with another, block it and clear it, and give out
 * a number for the next one.
 *
 * A number is given once and for all: the record remembers it before it is told, whatever becomes of
 * the release. A record that was lost or replaced by an older one forgets; then the kits in the store
 * say which numbers were used, and whoever asks says what kits it knows.
 */
#include <dirent.h>
#include <inttypes.h>
#include <string.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "host/base/pool.h"
#include "orchestrator/control/ask/priv.h"
#include "orchestrator/job/engine/engine.h"
#include "orchestrator/job/pair/pairing.h"
#include "orchestrator/work/kit.h"

/* Of several releases that a name fits none is meant. */
bool control_release_find(struct control_client *client, uint64_t id, const char *service,
        const char *name, struct release_row *ret_row)
{
	struct failure failure;
	int r = store_release_named(control_db(client), service, name, ret_row);

	if (r < 0) {
		err_forget();
		control_refuse_record(client, id);
		return false;
	}
	if (!r) {
		return true;
	}
	failure_set(&failure, r == STORE_E_AMBIGUOUS ? "ambiguous" : "no-release", service,
	        "`luctl release list` shows numbers and ids of what is registered",
	        r == STORE_E_AMBIGUOUS
	                ? "several releases are called %s: give (more digits of) an id"
	        : *name ? "no release %s of this service is registered"
	                : "no release%s of this service is registered",
	        name);
	control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_NOT_FOUND, &failure);
	return false;
}

/* A machine that says nothing of the service, or was never heard, does not. */
bool control_release_runs_on(const struct machine *machine, const struct release_row *row)
{
	const Machine__Service *service = machine_service(machine, row->service);

	return service && service->release_id.len == sizeof(row->release_id) &&
	       !memcmp(service->release_id.data, row->release_id, sizeof(row->release_id));
}

static void release_view_machines(struct control_client *client, struct pool *pool,
        const struct release_row *row, Control__ReleaseDetail *detail)
{
	struct machines *machines = engine_machines(control_engine(client));
	struct machine *machine = NULL;
	size_t n = 0;

	while ((machine = machines_next(machines, machine))) {
		n++;
	}
	detail->runs_on = pool_zero(pool, (n + 1) * sizeof(*detail->runs_on));
	while ((machine = machines_next(machines, machine))) {
		if (control_sees(client, machine) && control_release_runs_on(machine, row)) {
			detail->runs_on[detail->n_runs_on++] =
			        pool_text(pool, machine_row(machine)->name);
		}
	}
}

/*
 * The signed manifest out of the store, for whoever asks to judge by a root of its own. What lud
 * itself would not use any more is not shown as what the release is.
 */
static void release_view_manifest(struct control_client *client, struct pool *pool,
        const struct release_row *row, Control__ReleaseDetail *detail)
{
	const struct config *config = engine_config(control_engine(client));
	_cleanup_(freep) uint8_t *part = NULL;
	struct kit_facts facts;
	struct failure failure;
	size_t size;

	if (!*row->path) {
		detail->manifest_amiss = "its kit was removed";
	} else if (kit_facts_read(row->path, config->keyring, &facts, &failure) < 0) {
		detail->manifest_amiss = pool_format(pool, "%s: %s", failure.place, failure.cause);
	} else if (memcmp(facts.release_id, row->release_id, sizeof(row->release_id)) != 0 ||
	           kit_signed_read(row->path, &part, &size) < 0) {
		detail->manifest_amiss = pool_format(pool,
		        "%s: another release than the one that was stored; add the release again",
		        row->path);
	} else {
		detail->manifest = pool_bytes(pool, part, size);
	}
	err_forget();
}

/* Notes by their lines: a client escapes what no line may have. */
static void release_view_notes(struct pool *pool, char *notes, Control__ReleaseDetail *detail)
{
	char *rest = NULL;
	size_t n = 1;

	for (const char *at = notes; *at; at++) {
		n += *at == '\n';
	}
	detail->notes = pool_zero(pool, n * sizeof(*detail->notes));
	for (char *line = strtok_r(notes, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		detail->notes[detail->n_notes++] = pool_text(pool, line);
	}
}

static Control__ReleaseDetail *release_view(
        struct control_client *client, struct pool *pool, const struct release_row *row)
{
	Control__ReleaseDetail *detail = pool_zero(pool, sizeof(*detail));
	_cleanup_(freep) uint8_t *notes = NULL;
	size_t size = 0;

	control__release_detail__init(detail);
	detail->release = view_release(pool, row);
	release_view_machines(client, pool, row, detail);
	release_view_manifest(client, pool, row, detail);
	if (store_release_notes(control_db(client), row->id, &notes, &size) == 0 && notes) {
		release_view_notes(
		        pool, pool_format(pool, "%.*s", (int)size, (const char *)notes), detail);
	}
	err_forget();
	return detail;
}

void control_on_release_show(struct control_client *client, const Control__Request *request)
{
	_cleanup_(pool_fini) struct pool pool;
	const Control__ReleaseShowRequest *ask = request->release_show;
	Control__Reply reply = CONTROL__REPLY__INIT;
	struct release_row row;

	pool_init(&pool);
	if (!control_release_find(client, request->id, ask->service, ask->release, &row)) {
		return;
	}
	reply.body_case = CONTROL__REPLY__BODY_RELEASE;
	reply.release = release_view(client, &pool, &row);
	control_reply(client, request->id, &reply);
}

/* A comparison while a worker pairs the two; all of it is in the wait's pool. */
struct control_diff {
	Control__ReleaseDiff view;
	struct release_row from, to;
};

static void release_diff_answer(struct control_wait *wait)
{
	Control__Reply reply = CONTROL__REPLY__INIT;

	reply.body_case = CONTROL__REPLY__BODY_RELEASE_DIFF;
	reply.release_diff = &wait->diff->view;
	control_reply(wait->client, wait->id, &reply);
	control_wait_free(wait);
}

static void release_on_paired(const struct failure *failure, void *arg)
{
	struct control_wait *wait = arg;
	_cleanup_(freep) char *json = steal(&wait->json);
	struct control_diff *diff = wait->diff;
	struct failure unfit;

	wait->task = NULL;
	if (!failure && (pairing_read(wait->pool, json, PAIRING_FORWARD, &diff->from, &diff->to,
	                         &diff->view.forward, &unfit) < 0 ||
	                        pairing_read(wait->pool, json, PAIRING_BACK, &diff->to, &diff->from,
	                                &diff->view.back, &unfit) < 0)) {
		err_forget();
		failure = &unfit;
	}
	if (!failure) {
		release_diff_answer(wait);
		return;
	}
	control_refuse(wait->client, wait->id, WIRE__ERROR_CLASS__ERROR_REFUSED, failure);
	control_wait_free(wait);
}

/*
 * What the machine that is named, or the default one, runs of a service, if that is registered;
 * *ret_machine is NULL otherwise. 0, DB_E_NONE, or an error.
 */
static int release_running(struct control_client *client, const char *name, const char *service,
        struct release_row *ret_row, struct machine **ret_machine)
{
	struct machines *machines = engine_machines(control_engine(client));
	struct machine *machine =
	        *name ? machines_by_name(machines, name) : control_default(client);
	const Machine__Service *said = machine ? machine_service(machine, service) : NULL;
	int r = said ? machine_release(control_db(client), said, ret_row) : DB_E_NONE;

	*ret_machine = r ? NULL : machine;
	return err_up(r);
}

/* The two releases; false: it was refused. */
static bool release_diff_find(struct control_client *client, const Control__Request *request,
        struct control_diff *diff, struct machine **ret_machine)
{
	const Control__ReleaseDiffRequest *ask = request->release_diff;
	struct failure failure;
	int r;

	if (!control_release_find(client, request->id, ask->service, ask->to, &diff->to)) {
		return false;
	}
	if (*ask->from) {
		return control_release_find(
		        client, request->id, ask->service, ask->from, &diff->from);
	}
	r = release_running(client, ask->machine, ask->service, &diff->from, ret_machine);
	if (r == DB_E_NONE) {
		r = store_release_before(control_db(client), &diff->to, &diff->from);
	}
	if (r == DB_E_NONE) {
		failure_set(&failure, "no-release", ask->service,
		        "name the release to compare it with; `luctl release list` shows them",
		        "no machine runs a release of it that is registered, and none is before "
		        "release %" PRId64,
		        diff->to.counter);
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_NOT_FOUND, &failure);
	} else if (r) {
		err_forget();
		control_refuse_record(client, request->id);
	}
	return !r;
}

/*
 * State and initial values are compared in the kits, and rights in the signed manifests that are there, too. False: one
 * is gone, and it was refused.
 */
static bool release_diff_has_kits(
        struct control_client *client, uint64_t id, const struct control_diff *diff)
{
	const struct release_row *lacks = !*diff->from.path ? &diff->from
	                                  : !*diff->to.path ? &diff->to
	                                                    : NULL;
	struct failure failure;

	if (lacks) {
		failure_set(&failure, "no-kit", lacks->service,
		        "`luctl release add` with its kit brings it back",
		        "the kit of release %" PRId64 " was removed", lacks->counter);
		control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_NOT_FOUND, &failure);
	}
	return !lacks;
}

void control_on_release_diff(struct control_client *client, const Control__Request *request)
{
	struct control_wait *wait;
	struct machine *machine = NULL;
	struct control_diff found = {0}, *diff;

	if (!release_diff_find(client, request, &found, &machine) ||
	        !release_diff_has_kits(client, request->id, &found)) {
		return;
	}
	wait = control_wait_new(client, request->id);
	if (!wait) {
		return;
	}
	wait->pool = mem_zero(sizeof(*wait->pool));
	pool_init(wait->pool);
	wait->diff = diff = pool_zero(wait->pool, sizeof(*diff));
	*diff = found;
	control__release_diff__init(&diff->view);
	diff->view.from = release_view(client, wait->pool, &diff->from);
	diff->view.to = release_view(client, wait->pool, &diff->to);
	diff->view.machine = pool_text(wait->pool, machine ? machine_row(machine)->name : "");
	if (diff->from.id == diff->to.id) {
		release_diff_answer(wait);
		return;
	}
	wait->task = forge_task_question(forge_pair(engine_forge(control_engine(client)),
	        diff->from.path, diff->to.path, &wait->json, release_on_paired, wait));
}

/* A release that is blocked or cleared. */
struct control_blocked {
	int64_t id;
	const char *why; /* NULL: it is cleared */
};

static int release_block_txn(struct db *db, void *arg)
{
	const struct control_blocked *blocked = arg;

	return err_up(store_release_block(db, blocked->id, 0, blocked->why));
}

/* Writes it, and answers. */
static void release_block(struct control_client *client, const Control__Request *request,
        const struct release_row *row, const char *why)
{
	struct control_blocked blocked = {row->id, why};

	if (db_effect(control_db(client), release_block_txn, &blocked)) {
		err_forget();
		control_refuse_change(client, request->id);
		return;
	}
	log_info("release %" PRId64 " of %s is %s for %s%s%s", row->counter, row->service,
	        why ? "blocked" : "cleared", client->who.name, *request->reason ? ": " : "",
	        request->reason);
	engine_releases_changed(control_engine(client));
	control_done(client, request->id, "");
}

/*
 * Keeps plain updates and starts from taking a release. One that is blocked already keeps the reason
 * that it has: it is the one that was found out.
 */
void control_on_release_block(struct control_client *client, const Control__Request *request)
{
	const Control__ReleaseBlockRequest *ask = request->release_block;
	struct release_row row;
	struct failure failure;
	char why[sizeof(row.blocked_why)];

	if (!control_release_find(client, request->id, ask->service, ask->release, &row)) {
		return;
	}
	if (row.blocked_us) {
		failure_set(&failure, "blocked", ask->service,
		        "`luctl release clear` lifts it; then it can be blocked for another reason",
		        "release %" PRId64 " is blocked already: %s", row.counter, row.blocked_why);
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_REFUSED, &failure);
		return;
	}
	snprintf(why, sizeof(why), "by %.60s%s%.80s", client->who.name,
	        *request->reason ? ": " : "", request->reason);
	release_block(client, request, &row, why);
}

/* One that is not blocked is refused, since it is hardly the one that was meant. */
void control_on_release_clear(struct control_client *client, const Control__Request *request)
{
	const Control__ReleaseClearRequest *ask = request->release_clear;
	struct release_row row;
	struct failure failure;

	if (!control_release_find(client, request->id, ask->service, ask->release, &row)) {
		return;
	}
	if (!row.blocked_us) {
		failure_set(&failure, "no-release", ask->service,
		        "`luctl release list` shows releases and which are blocked",
		        "release %" PRId64 " is not blocked", row.counter);
		control_refuse(client, request->id, WIRE__ERROR_CLASS__ERROR_NOT_FOUND, &failure);
		return;
	}
	release_block(client, request, &row, NULL);
}

/* The highest number of the service's kits in the store; of kits that nobody signed none counts. */
static int64_t release_highest_kit(struct control_client *client, const char *service)
{
	_cleanup_(freep) char *store = control_store(client);
	const struct config *config = engine_config(control_engine(client));
	size_t len = strlen(service);
	struct dirent *entry;
	int64_t highest = 0;
	DIR *dir = opendir(store);

	while (dir && (entry = readdir(dir))) {
		_cleanup_(freep) char *kit = text_format("%s/%s", store, entry->d_name);
		struct kit_facts facts;
		struct failure failure;

		if (strncmp(entry->d_name, service, len) || entry->d_name[len] != '-') {
			continue;
		}
		if (kit_facts_read(kit, config->keyring, &facts, &failure) == 0 &&
		        !strcmp(facts.manifest.service, service) &&
		        facts.manifest.counter > highest) {
			highest = facts.manifest.counter;
		}
		err_forget();
	}
	if (dir) {
		closedir(dir);
	}
	return highest;
}

struct control_number {
	struct control_client *client;
	struct number_ask ask;
	int64_t number; /* that was given; if none was, the highest that was used */
};

static int release_number_txn(struct db *db, void *arg)
{
	struct control_number *number = arg;
	int r = store_number_give(db, &number->ask, &number->number);

	if (!r) {
		control_once_says(number->client, 0, number->number);
	}
	return err_up(r);
}

/* The kits that a client says it knows are not believed without limit: they need not be signed. */
static void release_refuse_number(
        struct control_client *client, uint64_t id, const struct control_number *number)
{
	const struct number_ask *ask = &number->ask;
	int64_t used = number->number;
	int64_t last = used + STORE_NUMBER_JUMP < STORE_NUMBER_MAX ? used + STORE_NUMBER_JUMP
	                                                           : STORE_NUMBER_MAX;
	struct failure failure;
	char remedy[160];

	if (ask->above > last) {
		snprintf(remedy, sizeof(remedy),
		        "register the kits of these numbers first: `luctl release add KIT`");
	} else {
		snprintf(remedy, sizeof(remedy),
		        "leave --number out, or give one from %" PRId64 " to %" PRId64, used + 1,
		        last);
	}
	failure_set(&failure, "number-used", ask->service, remedy,
	        "number %" PRId64 " cannot be given: numbers up to %" PRId64
	        " were used, and the next is at most %" PRId64 "; the last there is, is %d",
	        ask->wanted         ? ask->wanted
	        : ask->above > last ? ask->above + 1
	                            : used + 1,
	        used, last, STORE_NUMBER_MAX);
	control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_REFUSED, &failure);
}

/* The release that the new one follows is the one of now. */
void control_number_answer(
        struct control_client *client, const Control__Request *request, int64_t number)
{
	const Control__ReleaseNumberRequest *ask = request->release_number;
	_cleanup_(pool_fini) struct pool pool;
	Control__Reply reply = CONTROL__REPLY__INIT;
	Control__ReleaseNumber answer = CONTROL__RELEASE_NUMBER__INIT;
	struct machine *machine;
	struct release_row row;
	int r = release_running(client, ask->machine, ask->service, &row, &machine);

	pool_init(&pool);
	if (r == DB_E_NONE) {
		r = store_release_newest(control_db(client), ask->service, &row);
	}
	if (r < 0) {
		err_forget();
		control_refuse_record(client, request->id);
		return;
	}
	if (!r) {
		answer.earlier = release_view(client, &pool, &row);
	}
	answer.machine = pool_text(&pool, machine ? machine_row(machine)->name : "");
	answer.number = (uint32_t)number;
	reply.body_case = CONTROL__REPLY__BODY_NUMBER;
	reply.number = &answer;
	control_reply(client, request->id, &reply);
}

/* A name as manifests have them: it is recorded, and compared with names of kits. */
static bool release_service_ok(struct control_client *client, uint64_t id, const char *service)
{
	static const struct failure invalid = {"invalid", "service",
	        "a service's name has 1 to 23 of a-z, 0-9 and _", "name a service"};
	size_t len = strspn(service, "abcdefghijklmnopqrstuvwxyz0123456789_");

	if (len > 0 && !service[len] && len < sizeof((struct release_row){0}.service)) {
		return true;
	}
	control_refuse(client, id, WIRE__ERROR_CLASS__ERROR_INVALID, &invalid);
	return false;
}

/*
 * The store is looked through where no number was given yet: a new service, or a new record. From
 * then on the record knows.
 */
void control_on_release_number(struct control_client *client, const Control__Request *request)
{
	const Control__ReleaseNumberRequest *ask = request->release_number;
	struct control_number number = {client, {ask->service, 0, ask->above, ask->wanted}, 0};
	int r;

	if (!release_service_ok(client, request->id, ask->service)) {
		return;
	}
	r = store_number_known(control_db(client), ask->service);
	if (r == DB_E_NONE) {
		number.ask.kits = release_highest_kit(client, ask->service);
		r = 0;
	}
	r = r ? r : db_effect(control_db(client), release_number_txn, &number);
	if (r == STORE_E_USED) {
		release_refuse_number(client, request->id, &number);
	} else if (r) {
		err_forget();
		control_refuse_change(client, request->id);
	} else {
		control_number_answer(client, request, number.number);
	}
}
