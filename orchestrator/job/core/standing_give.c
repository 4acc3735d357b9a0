/*
 * One standing order on its way to a machine: what was wanted becomes a manifest of what the machine
 * runs now, is signed, and sent until the machine says yes or no. When to make one is decided in
 * standing.c, which tells of what stood in the way.
 *
 *   number recorded ---> kits ---> signer ---> machine ---> `given` recorded, whoever waits is told
 *
 * The machine moves a service only by the kit of its release, shown under the root that the machine
 * knows as its newest. One whose layout the host made has no kit, and a newer root ends what was
 * shown under an older one: so each kit is shown first, and sent as far as the machine lacks it. What
 * cannot be sent ends an order that a person waits for; when nobody does, the service is listed all
 * the same, and its turns fail and say why, while the others go on.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <event2/event.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/job/core/priv.h"
#include "orchestrator/job/core/statement.h"
#include "orchestrator/job/send/send.h"
#include "orchestrator/work/kit.h"

#define STANDING_ANSWER_USEC UINT64_C(10000000)
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
	void (*to_try)(struct engine_standing *it); /* when ->again fires */
	uint32_t n_tries;
	struct send send; /* the kit of ->release */
	uint32_t n_kits;  /* how many services are through with theirs */
	struct release_row release;
	struct signer_request request;
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

const struct failure *standing_trouble(const struct engine *engine, const struct machine *machine)
{
	const struct standing_trouble *trouble = standing_trouble_of(engine, machine);

	return trouble ? &trouble->failure : NULL;
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
	log_line(LOG_LEVEL_WARN,
	        &(struct log_about){
	                .message = LOG_STANDING_TROUBLE, .machine = machine_row(machine)->name},
	        "machine %s: the standing order: %s; %s", machine_row(machine)->name,
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
	send_fini(&it->send);
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

/* The machine does not answer now; what is recorded is given to it when it does. */
static void standing_put_by(struct engine_standing *it, const char *cause)
{
	struct failure failure;

	failure_set(&failure, STANDING_LATER, machine_row(it->machine)->name,
	        "it is given again when the machine answers", "%s", cause);
	standing_end(it, &failure);
}

static int standing_put_txn(struct db *db, void *arg)
{
	return err_up(store_standing_put(db, arg));
}

int standing_put(struct engine *engine, struct standing_row *row)
{
	return err_up(db_effect(engine->parts.db, standing_put_txn, row));
}

static void standing_on_refreshed(int r, void *arg)
{
	err_forget();
}

void standing_refresh(struct machine *machine)
{
	if (machine_refresh(machine, standing_on_refreshed, NULL) < 0) {
		err_forget();
	}
}

static void standing_send(struct engine_standing *it);

static void standing_on_again(evutil_socket_t fd, short what, void *arg)
{
	struct engine_standing *it = arg;

	it->to_try(it);
}

/*
 * In the middle of a move it is over in a moment: the same is sent again. So it is to a machine that
 * just learned of a newer root, once it has a statement under that one.
 */
static bool standing_put_off(struct engine_standing *it, const Wire__Error *error,
        void (*to_try)(struct engine_standing *it))
{
	struct timeval pause = {.tv_usec = 20000};
	bool is_unstated = error->cause && !strcmp(error->cause->name, "E_V_STATEMENT");

	if ((error->class_ != WIRE__ERROR_CLASS__ERROR_UNAVAILABLE && !is_unstated) ||
	        ++it->n_tries > STANDING_TRIES) {
		return false;
	}
	if (is_unstated && it->n_tries == 1) {
		statement_send(it->engine, it->machine);
	}
	it->to_try = to_try;
	evtimer_add(it->again, &pause);
	return true;
}

static void standing_on_taken(int r, const Machine__Reply *reply, void *arg)
{
	struct engine_standing *it = arg;

	if (r) {
		standing_put_by(it, strerror(-r));
		return;
	}
	if (reply->body_case == MACHINE__REPLY__BODY_ERROR) {
		const Wire__Cause *cause = reply->error->cause;

		if (!standing_put_off(it, reply->error, standing_send)) {
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
		standing_put_by(it, "the machine does not answer");
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

static void standing_kit_next(struct engine_standing *it);

/* Whoever waits is told; else the next one, for the others need not stand still for this one. */
static void standing_kit_fail(struct engine_standing *it, const struct failure *failure)
{
	if (it->fn) {
		standing_end(it, failure);
		return;
	}
	log_warn("machine %s: the standing order: the kit of %s is not in the machine: %s; %s",
	        machine_row(it->machine)->name, it->release.service, failure->cause,
	        failure->remedy);
	it->n_kits++;
	standing_kit_next(it);
}

static void standing_kit_show(struct engine_standing *it)
{
	_cleanup_(freep) uint8_t *envelope = NULL;
	struct failure failure;
	uint64_t serial;
	size_t size;

	if (send_kit_envelope(&it->release, it->engine->parts.config->keyring, &envelope, &size,
	            &serial, &failure) < 0) {
		err_forget();
		standing_kit_fail(it, &failure);
		return;
	}
	send_show(&it->send, envelope, size, NULL, 0);
}

static void standing_kit_on_done(size_t bytes, void *arg)
{
	struct engine_standing *it = arg;

	it->n_kits++;
	standing_kit_next(it);
}

/* Nobody watches how far it is. */
static void standing_kit_on_came(const struct send_file *file, void *arg)
{
}

static void standing_kit_on_again(void *arg)
{
	standing_kit_show(arg);
}

static void standing_kit_on_refused(int r, const Machine__Reply *reply, void *arg)
{
	struct engine_standing *it = arg;
	const Wire__Error *error;
	struct failure failure;

	if (r) {
		standing_put_by(it, strerror(-r));
		return;
	}
	error = reply->body_case == MACHINE__REPLY__BODY_ERROR ? reply->error : NULL;
	if (error && standing_put_off(it, error, standing_kit_show)) {
		return;
	}
	failure_set(&failure, error ? "refused" : "protocol", it->release.service,
	        error && *error->hint ? error->hint : "`luctl status` shows how much is staged",
	        "%.160s",
	        error && error->cause ? error->cause->message : "an answer that does not fit");
	standing_kit_fail(it, &failure);
}

static void standing_kit_on_failed(const struct failure *failure, void *arg)
{
	standing_kit_fail(arg, failure);
}

static const struct send_ops standing_kit_ops = {
        .done = standing_kit_on_done,
        .came = standing_kit_on_came,
        .again = standing_kit_on_again,
        .refused = standing_kit_on_refused,
        .failed = standing_kit_on_failed,
};

/*
 * The next service's kit; after the last one the order is signed. Of a release that is not registered
 * there is no kit here: if the machine was booted with it, it needs none.
 */
static void standing_kit_next(struct engine_standing *it)
{
	const struct standing_manifest *manifest = (void *)it->request.standing.manifest;
	const struct standing_service *services = standing_services(manifest);
	struct failure failure;

	while (it->n_kits < manifest->n_services &&
	        store_release_by_hash(
	                it->engine->parts.db, services[it->n_kits].release_id, &it->release)) {
		err_forget();
		it->n_kits++;
	}
	if (it->n_kits == manifest->n_services) {
		signer_client_ask(it->engine->parts.signer, &it->request, standing_on_signed, it);
		return;
	}
	send_init(&it->send, it->machine, it->engine->parts.config->stage_chunk_bytes,
	        &standing_kit_ops, it);
	if (send_kit_files(&it->send, &it->release, true, &failure) < 0) {
		err_forget();
		standing_kit_fail(it, &failure);
		return;
	}
	standing_kit_show(it);
}

struct engine_standing *standing_under_way(
        const struct engine *engine, const struct machine *machine)
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

bool standing_is_awaited(const struct engine *engine, const struct machine *machine)
{
	const struct engine_standing *it = standing_under_way(engine, machine);

	return it && it->fn;
}

/*
 * The highest number that lud gives: the record counts no further. What the machine says of its
 * own may be anything, and a number that begins anew would be one that is told again.
 */
#define STANDING_NUMBER_MAX ((uint64_t)INT64_MAX)

static bool standing_is_last(const struct machine *machine, const struct standing_row *row)
{
	const Machine__Standing *told = machine_status(machine)->standing;

	return row->number >= STANDING_NUMBER_MAX || (told && told->number >= STANDING_NUMBER_MAX);
}

void standing_supersede(struct engine *engine, const struct machine *machine)
{
	struct engine_standing *it = standing_under_way(engine, machine);

	if (it) {
		standing_fail(it, "", "another one was asked for");
	}
}

void standing_give(struct engine *engine, struct machine *machine, const struct standing_row *row,
        standing_fn fn, void *arg)
{
	struct engine_standing *it = mem_zero(sizeof(*it));

	standing_supersede(engine, machine);
	it->engine = engine;
	it->machine = machine;
	it->row = *row;
	it->fn = fn;
	it->arg = arg;
	it->request.op = SIGNER_SIGN_STANDING;
	it->again = evtimer_new(engine->parts.base, standing_on_again, it);
	LIST_INSERT_HEAD(&engine->standings, it, link);
	if (standing_is_last(machine, row)) {
		standing_fail(it, "stop the machine and start it: numbers count anew in each boot",
		        "the machine says that its standing order has the highest number there is");
		return;
	}
	if (standing_make(engine, machine, &it->row, &it->request.standing) < 0 ||
	        standing_put(engine, &it->row) < 0) {
		standing_fail(
		        it, "check the keyring's root.signed and the state directory", err_trace());
		err_forget();
		return;
	}
	standing_kit_next(it);
}

/* As the record's row of it, see store/clock.c; what is signed keeps its end. */
void standing_clock_set(struct engine *engine, int64_t usec)
{
	struct engine_standing *it;

	LIST_FOREACH(it, &engine->standings, link)
	{
		it->row.created_us += it->row.wanted ? usec : 0;
		it->row.until_us += it->row.wanted && it->row.until_us ? usec : 0;
	}
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
