/*
 * Standing orders of machines; see standing.h.
 *
 * No job: nothing of a standing order waits for a person, and the machine carries it out by itself.
 * One rule brings lud back to the truth after it was ended anywhere: the row says what is wanted,
 * and what was given last (boot, root, services with releases, end, and whether the machine said
 * yes). Where that does not fit what is so now, another one is made, with the next number, which is
 * recorded before it is signed. To give the same thing twice does no harm: services that are listed
 * again go on where they were.
 *
 * What the machine has is the machine's word, not the row's: the record may be an old copy, the
 * machine a snapshot, and a clock that jumped makes either end the order before the other. What
 * stands in the way of one is kept for the status until it is given.
 *
 *   wanted, or not current ---> number recorded ---> signer ---> machine ---> `given` recorded
 */
#include "orchestrator/job/core/standing.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <event2/event.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/job/core/job.h"
#include "orchestrator/work/kit.h"
#include "proto/envelope/envelope_crypto.h"
#include "proto/image/link.h"

#define STANDING_ANSWER_USEC UINT64_C(10000000)
#define STANDING_LOOK_SEC 5
/* Renewed when so much of its life is left, so that a lud that is away for some hours costs nothing. */
#define STANDING_LEFT_SEC (STANDING_LIFE_SEC_MAX / 4)
/* A machine in the middle of a move asks for patience; how often it gets some. */
#define STANDING_TRIES 50

/* One on its way to a machine. */
struct engine_standing {
	LIST_ENTRY(engine_standing) link;
	struct engine *engine;
	struct machine *machine;
	struct standing_row row;
	standing_fn fn; /* NULL: nobody waits */
	void *arg;
	struct event *again;
	uint32_t n_tries;
	size_t size;
	uint8_t envelope[ENVELOPE_SIZE_MAX];
};

/* Why a machine did not get one. */
struct standing_trouble {
	LIST_ENTRY(standing_trouble) link;
	int64_t machine; /* its id */
	struct failure failure;
};

static struct standing_trouble *standing_trouble_of(
        const struct engine *engine, const struct machine *machine)
{
	struct standing_trouble *trouble;

	LIST_FOREACH(trouble, &engine->standing_troubles, link)
	{
		if (trouble->machine == machine_row(machine)->id) {
			return trouble;
		}
	}
	return NULL;
}

static void standing_trouble_free(struct standing_trouble *trouble)
{
	LIST_REMOVE(trouble, link);
	free(trouble);
}

/* Kept, and logged when it is news: it is tried again and again. NULL: there is none any more. */
static void standing_trouble_set(
        struct engine *engine, const struct machine *machine, const struct failure *failure)
{
	struct standing_trouble *trouble = standing_trouble_of(engine, machine);

	if (trouble && failure && !strcmp(trouble->failure.cause, failure->cause)) {
		return;
	}
	if (trouble) {
		standing_trouble_free(trouble);
	}
	if (!failure) {
		return;
	}
	log_warn("machine %s: the standing order: %s; %s", machine_row(machine)->name,
	        failure->cause, failure->remedy);
	trouble = mem_zero(sizeof(*trouble));
	trouble->machine = machine_row(machine)->id;
	trouble->failure = *failure;
	LIST_INSERT_HEAD(&engine->standing_troubles, trouble, link);
}

static void standing_free(struct engine_standing *it)
{
	signer_client_forget(it->engine->parts.signer, it);
	machine_forget(it->machine, it);
	event_free(it->again);
	LIST_REMOVE(it, link);
	free(it);
}

/* Unlinked before the call, which may want another one. */
static void standing_end(struct engine_standing *it, const struct failure *failure)
{
	standing_fn fn = it->fn;
	void *arg = it->arg;

	standing_trouble_set(it->engine, it->machine, failure);
	standing_free(it);
	if (fn) {
		fn(failure, arg);
	}
}

static void standing_fail(struct engine_standing *it, const char *remedy, const char *cause)
{
	struct failure failure;

	failure_set(&failure, "standing", machine_row(it->machine)->name, remedy, "%s", cause);
	standing_end(it, &failure);
}

static int standing_put_txn(struct db *db, void *arg)
{
	return err_up(store_standing_put(db, arg));
}

static int standing_put(struct engine *engine, struct standing_row *row)
{
	return err_up(db_txn(engine->parts.db, standing_put_txn, row));
}

static void standing_on_refreshed(int r, void *arg)
{
	err_forget();
}

/* The status shows it from now on. */
static void standing_refresh(struct machine *machine)
{
	if (machine_refresh(machine, standing_on_refreshed, NULL) < 0) {
		err_forget();
	}
}

static void standing_send(struct engine_standing *it);

static void standing_on_again(evutil_socket_t fd, short what, void *arg)
{
	standing_send(arg);
}

/* In the middle of a move it is over in a moment: the same one is sent again. */
static bool standing_put_off(struct engine_standing *it, const Wire__Error *error)
{
	struct timeval pause = {.tv_usec = 20000};

	if (error->class_ != WIRE__ERROR_CLASS__ERROR_UNAVAILABLE ||
	        ++it->n_tries > STANDING_TRIES) {
		return false;
	}
	evtimer_add(it->again, &pause);
	return true;
}

static void standing_on_taken(int r, const Machine__Reply *reply, void *arg)
{
	struct engine_standing *it = arg;

	if (r) {
		standing_fail(it, "it is given again when the machine answers", strerror(-r));
		return;
	}
	if (reply->body_case == MACHINE__REPLY__BODY_ERROR) {
		const Wire__Cause *cause = reply->error->cause;

		if (!standing_put_off(it, reply->error)) {
			standing_fail(it, "`luctl status` shows what the machine runs",
			        cause ? cause->message : "the machine refuses");
		}
		return;
	}
	it->row.given = true;
	if (standing_put(it->engine, &it->row) < 0) {
		standing_fail(it, "the record cannot be written; see `luctl status`", err_trace());
		err_forget();
		return;
	}
	standing_refresh(it->machine);
	standing_end(it, NULL);
}

static void standing_send(struct engine_standing *it)
{
	Machine__StandingSet set = MACHINE__STANDING_SET__INIT;
	Machine__Request request = MACHINE__REQUEST__INIT;

	set.envelope.data = it->envelope;
	set.envelope.len = it->size;
	request.body_case = MACHINE__REQUEST__BODY_STANDING_SET;
	request.standing_set = &set;
	request.identity = it->row.identity;
	if (machine_request(it->machine, &request, STANDING_ANSWER_USEC, standing_on_taken, it) <
	        0) {
		err_forget();
		standing_fail(
		        it, "it is given when the machine answers", "the machine does not answer");
	}
}

static void standing_on_signed(
        const struct failure *failure, const struct signer_reply *reply, void *arg)
{
	struct engine_standing *it = arg;
	_cleanup_(freep) uint8_t *root = NULL;
	size_t root_size;

	if (failure) {
		standing_end(it, failure);
		return;
	}
	if (reply->status != SIGNER_OK) {
		standing_fail(it, signer_remedy(reply), reply->text);
		return;
	}
	if (kit_root_read(it->engine->parts.config->keyring, &root, &root_size) == 0) {
		it->size = envelope_write(ENVELOPE_OF_STANDING,
		        (const void *const[]){root, reply->part.bytes},
		        (const size_t[]){root_size, reply->part.len}, it->envelope,
		        sizeof(it->envelope));
	}
	err_forget();
	if (!it->size) {
		standing_fail(it, "`luctl keys list` says what is wrong with it",
		        "the keyring's root.signed cannot be read");
		return;
	}
	standing_send(it);
}

/* Is the service among those that are wanted: named with blanks between, or all? */
static bool standing_names(const struct standing_row *row, const char *service)
{
	size_t len = strlen(service);

	for (const char *at = row->services; *at;) {
		size_t n = strcspn(at, " ");

		if (n == len && !strncmp(at, service, n)) {
			return true;
		}
		at += n + strspn(at + n, " ");
	}
	return !*row->services;
}

/* Each service in its place: the manifest's are sorted by name. */
static void standing_add(struct standing_manifest *manifest, const Machine__Service *service)
{
	struct standing_service *services = (void *)(manifest + 1);
	struct standing_service added = {.recipe = LINK_RECIPE};
	uint32_t at = manifest->n_services;

	if (at == STANDING_SERVICES_MAX || service->release_id.len != sizeof(added.release_id)) {
		return;
	}
	snprintf(added.service, sizeof(added.service), "%s", service->name);
	memcpy(added.release_id, service->release_id.data, sizeof(added.release_id));
	while (at > 0 && strcmp(services[at - 1].service, added.service) > 0) {
		services[at] = services[at - 1];
		at--;
	}
	services[at] = added;
	manifest->n_services++;
}

/* What the row asks for, of what the machine runs now; its number and times are the caller's. */
static void standing_fill(const struct standing_row *row, const Machine__Status *status,
        struct standing_manifest *manifest)
{
	unsigned int from, until;
	int n;

	memcpy(manifest->magic, STANDING_MAGIC, sizeof(manifest->magic));
	manifest->version = MANIFEST_VERSION;
	for (size_t i = 0; row->wanted && i < status->n_services; i++) {
		if (status->services[i]->can_update &&
		        standing_names(row, status->services[i]->name)) {
			standing_add(manifest, status->services[i]);
		}
	}
	manifest->size = (uint32_t)standing_manifest_size(manifest->n_services);
	if (!manifest->n_services) {
		return;
	}
	manifest->every_ms = row->every_ms;
	manifest->jitter_ms = row->jitter_ms;
	for (const char *at = row->quiet; manifest->n_quiet < STANDING_QUIET_MAX &&
	                                  sscanf(at, "%u-%u %n", &from, &until, &n) == 2;
	        at += n) {
		manifest->quiet[manifest->n_quiet++] = (struct standing_quiet){from, until};
	}
}

/* The services and their releases, in few bytes. */
static void standing_digest(const struct standing_manifest *manifest, uint8_t ret_digest[64])
{
	envelope_hash(standing_services(manifest),
	        manifest->n_services * sizeof(struct standing_service), ret_digest);
}

/* Everything that ties it to this moment; 0, or the keyring cannot be read. */
static int standing_make(struct engine *engine, const struct machine *machine,
        struct standing_row *row, struct signer_standing *ret)
{
	struct standing_manifest *manifest = (void *)ret->manifest;
	const Machine__Status *status = machine_status(machine);
	int64_t now = store_now_usec();
	uint64_t life = STANDING_LIFE_SEC_MAX;
	int r;

	standing_fill(row, status, manifest);
	standing_digest(manifest, row->releases);
	memcpy(manifest->machine_id, machine_row(machine)->machine_id,
	        sizeof(manifest->machine_id));
	manifest->boot_id = row->boot_id = machine_row(machine)->boot_id;
	r = kit_root_serial(engine->parts.config->keyring, &manifest->epoch);
	if (r) {
		return err_up(r);
	}
	if (row->until_us > now && (uint64_t)(row->until_us - now) / 1000000 < life) {
		life = (uint64_t)(row->until_us - now) / 1000000 + 1;
	}
	if (status->standing && status->standing->number > row->number) {
		row->number = status->standing->number; /* of a record that was lost */
	}
	row->epoch = manifest->epoch;
	row->number++;
	row->expires = now / 1000000 + (int64_t)life;
	row->given = false;
	manifest->number = row->number;
	ret->lifetime_sec = (uint32_t)life;
	ret->len = manifest->size;
	return 0;
}

/* The one that is on its way to the machine; NULL. */
static struct engine_standing *standing_under_way(
        struct engine *engine, const struct machine *machine)
{
	struct engine_standing *it;

	LIST_FOREACH(it, &engine->standings, link)
	{
		if (it->machine == machine) {
			return it;
		}
	}
	return NULL;
}

/* The number is in the record before anybody signs it. */
static void standing_give(struct engine *engine, struct machine *machine,
        const struct standing_row *row, standing_fn fn, void *arg)
{
	struct signer_request request = {.op = SIGNER_SIGN_STANDING};
	struct engine_standing *it = standing_under_way(engine, machine);

	if (it) {
		standing_fail(it, "", "another one was asked for");
	}
	it = mem_zero(sizeof(*it));
	it->engine = engine;
	it->machine = machine;
	it->row = *row;
	it->fn = fn;
	it->arg = arg;
	it->again = evtimer_new(engine->parts.base, standing_on_again, it);
	LIST_INSERT_HEAD(&engine->standings, it, link);
	if (standing_make(engine, machine, &it->row, &request.standing) < 0 ||
	        standing_put(engine, &it->row) < 0) {
		standing_fail(
		        it, "check the keyring's root.signed and the state directory", err_trace());
		err_forget();
		return;
	}
	signer_client_ask(engine->parts.signer, &request, standing_on_signed, it);
}

int standing_want(struct engine *engine, struct machine *machine, const struct standing_row *want,
        standing_fn fn, void *arg)
{
	struct standing_row row, before;
	int r = store_standing_find(engine->parts.db, machine_row(machine)->id, &before);

	if (r && r != DB_E_NONE) {
		return err_up(r);
	}
	row = *want;
	row.machine = machine_row(machine)->id;
	row.id = r ? 0 : before.id;
	row.number = r ? 0 : before.number;
	row.created_us = store_now_usec();
	r = standing_put(engine, &row);
	if (r) {
		return err_up(r);
	}
	standing_give(engine, machine, &row, fn, arg);
	return 0;
}

void standing_forget(struct engine *engine, const void *arg)
{
	struct engine_standing *it = LIST_FIRST(&engine->standings);

	while (it) {
		struct engine_standing *next = LIST_NEXT(it, link);

		if (!arg) {
			standing_free(it);
		} else if (it->arg == arg) {
			it->fn = NULL;
		}
		it = next;
	}
	while (!arg && !LIST_EMPTY(&engine->standing_troubles)) {
		standing_trouble_free(LIST_FIRST(&engine->standing_troubles));
	}
}

/* Does the machine move services by one? */
static bool standing_is_on(const Machine__Standing *has)
{
	return has && (has->state == MACHINE__STANDING_STATE__STANDING_RUNNING ||
	                      has->state == MACHINE__STANDING_STATE__STANDING_QUIET);
}

/* Does the machine have what was given last, and does that still say what is wanted, for long enough? */
static bool standing_is_current(
        struct engine *engine, const struct machine *machine, const struct standing_row *row)
{
	static _Alignas(8) uint8_t bytes[SIGNER_STANDING_MAX];
	const Machine__Standing *has = machine_status(machine)->standing;
	struct standing_manifest *manifest = (void *)bytes;
	uint8_t releases[64];
	uint64_t serial;

	if (!row->given || row->boot_id != machine_row(machine)->boot_id || !has ||
	        has->epoch != row->epoch || has->number != row->number) {
		return false;
	}
	if (kit_root_serial(engine->parts.config->keyring, &serial)) {
		err_forget();
		return true; /* nothing can be signed now */
	}
	memset(bytes, 0, sizeof(bytes));
	standing_fill(row, machine_status(machine), manifest);
	standing_digest(manifest, releases);
	return serial == row->epoch && !memcmp(releases, row->releases, sizeof(releases)) &&
	       (standing_is_on(has) || !manifest->n_services) &&
	       (row->expires - STANDING_LEFT_SEC > store_now_usec() / 1000000 ||
	               (row->until_us && row->expires * INT64_C(1000000) >= row->until_us));
}

/*
 * Has the machine what is wanted of it by now? A new boot knows of no order, and one that is over is
 * not wanted any more.
 */
static bool standing_is_settled(
        struct engine *engine, const struct machine *machine, struct standing_row *row)
{
	if (row->wanted && row->until_us && row->until_us <= store_now_usec()) {
		row->wanted = row->given = false;
	}
	if (row->wanted) {
		return standing_is_current(engine, machine, row);
	}
	return !standing_is_on(machine_status(machine)->standing) &&
	       (row->given || row->boot_id != machine_row(machine)->boot_id);
}

/* What a machine that says what it has is to have; false: nothing is known of either. */
static bool standing_find(
        struct engine *engine, const struct machine *machine, struct standing_row *ret_row)
{
	if (machine_state(machine) != MACHINE_UP || !machine_status(machine)) {
		return false;
	}
	if (store_standing_find(engine->parts.db, machine_row(machine)->id, ret_row)) {
		err_forget();
		return false;
	}
	return true;
}

void standing_look(struct engine *engine, struct machine *machine)
{
	struct standing_row row;

	if (db_health(engine->parts.db) == DB_WELL && standing_find(engine, machine, &row) &&
	        machine_status(machine)->has_statement && !standing_under_way(engine, machine) &&
	        !standing_is_settled(engine, machine, &row)) {
		standing_give(engine, machine, &row, NULL, NULL);
	}
}

bool standing_is_amiss(
        struct engine *engine, const struct machine *machine, struct failure *ret_failure)
{
	const struct standing_trouble *trouble = standing_trouble_of(engine, machine);
	struct standing_row row;

	if (!standing_find(engine, machine, &row) || standing_is_settled(engine, machine, &row)) {
		return false;
	}
	failure_set(ret_failure, "standing", machine_row(machine)->name, "",
	        "it is given to the machine within some seconds");
	if (trouble) {
		*ret_failure = trouble->failure;
	}
	return true;
}

/* The status is asked for, too: what moved meanwhile is in the record soon, and releases are known. */
static void standing_on_watch(evutil_socket_t fd, short what, void *arg)
{
	struct engine *engine = arg;
	struct machine *machine = NULL;
	struct standing_row row;

	while ((machine = machines_next(engine->machines, machine))) {
		standing_look(engine, machine);
		if (machine_state(machine) == MACHINE_UP &&
		        !store_standing_find(engine->parts.db, machine_row(machine)->id, &row) &&
		        row.wanted) {
			standing_refresh(machine);
		}
		err_forget();
	}
}

struct event *standing_watch(struct engine *engine)
{
	static const struct timeval pause = {.tv_sec = STANDING_LOOK_SEC};
	struct event *timer =
	        event_new(engine->parts.base, -1, EV_PERSIST, standing_on_watch, engine);

	if (!timer || evtimer_add(timer, &pause)) {
		abort();
	}
	return timer;
}
