/*
 * Starting statements: what the record knows and a reboot would make a machine forget,
 * signed by the order key. One goes into every boot image; another is sent to each boot
 * that a session is opened with, because the one in the image may be weeks old.
 *
 * A statement holds, for each service, the floor of its releases and the newest generation that the
 * record knows to have run. Without one a machine that booted from an old image would take a release
 * below a floor that was raised since, or a number that was used. It takes no order before it has one of its
 * newest root, so a statement that is lost only delays: the step `order` looks, and asks again.
 *
 *   statement_ask ---> signer ---> fn: boot image (steps/image.c)
 *                               `-> statement_on_signed ---> machine ---> statement_on_taken
 *
 * It knows no job: whoever waits is an `arg`, and is forgotten by it.
 */
#include <errno.h>
#include <string.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/job/core/statement.h"
#include "orchestrator/work/kit.h"

#define STATEMENT_ANSWER_USEC UINT64_C(10000000)

/* One who waits for the signer; owned by the engine's list until it is answered or forgotten. */
struct engine_statement {
	LIST_ENTRY(engine_statement) link;
	struct engine *engine;
	statement_fn fn;
	void *arg;
};

/* Unlinked before the call, which may ask for another or free whoever asked. */
static void statement_end(struct engine_statement *statement, const struct failure *failure,
        const uint8_t *envelope, size_t size)
{
	statement_fn fn = statement->fn;
	void *arg = statement->arg;

	LIST_REMOVE(statement, link);
	free(statement);
	fn(failure, envelope, size, arg);
}

/*
 * The root that goes with it is read now, not when it was asked for: if it was renewed between,
 * the envelope does not fit and is refused by the machine, which is then given another.
 */
static void statement_signed(
        const struct failure *failure, const struct signer_reply *reply, void *arg)
{
	struct engine_statement *statement = arg;
	_cleanup_(freep) uint8_t *root = NULL;
	_cleanup_(freep) uint8_t *envelope = mem_zero(ENVELOPE_SIZE_MAX);
	struct failure refused;
	size_t root_size, size = 0;

	if (!failure && reply->status == SIGNER_OK &&
	        kit_root_read(statement->engine->parts.config->keyring, &root, &root_size) == 0) {
		size = envelope_write(ENVELOPE_OF_STATEMENT,
		        (const void *const[]){root, reply->part.bytes},
		        (const size_t[]){root_size, reply->part.len}, envelope, ENVELOPE_SIZE_MAX);
	}
	err_forget();
	if (!failure && !size) {
		failure_set(&refused, "signer", "signer",
		        reply->status == SIGNER_OK ? "`luctl keys list` says what is wrong with it"
		                                   : signer_remedy(reply),
		        "the starting statement is not signed: %s",
		        reply->status == SIGNER_OK ? "the keyring's root.signed cannot be read"
		                                   : reply->text);
		failure = &refused;
	}
	statement_end(statement, failure, envelope, size);
}

/* A manifest as it is filled, service by service. */
struct statement_fill {
	struct statement_manifest *manifest;
	bool full;
};

/* The manifest's services are sorted by name. */
static int statement_add(const struct service_row *row, void *arg)
{
	struct statement_fill *fill = arg;
	struct statement_manifest *manifest = fill->manifest;
	struct statement_service service = {
	        .floor = row->floor,
	        .epoch = row->run_epoch,
	        .generation = row->run_epoch ? row->run_number : 0,
	};
	struct statement_service *services = (void *)(manifest + 1);
	uint32_t at = manifest->n_services;

	if (!row->floor && !row->run_epoch) {
		return 0;
	}
	if (at == STATEMENT_SERVICES_MAX) {
		fill->full = true;
		return 0;
	}
	snprintf(service.service, sizeof(service.service), "%s", row->name);
	while (at > 0 && strcmp(services[at - 1].service, service.service) > 0) {
		services[at] = services[at - 1];
		at--;
	}
	services[at] = service;
	manifest->n_services++;
	return 0;
}

/*
 * The root's serial says which keyring it speaks for. The services are those the record knows,
 * running now or not: a floor outlives its service.
 */
static int statement_make(
        struct engine *engine, const struct machine *machine, struct signer_statement *ret)
{
	struct statement_manifest *manifest = (void *)ret->manifest;
	struct statement_fill fill = {.manifest = manifest};
	int r;

	memcpy(manifest->magic, STATEMENT_MAGIC, sizeof(manifest->magic));
	manifest->version = MANIFEST_VERSION;
	memcpy(manifest->machine_id, machine_row(machine)->machine_id,
	        sizeof(manifest->machine_id));
	r = kit_root_serial(engine->parts.config->keyring, &manifest->root_serial);
	if (!r) {
		r = store_service_each(
		        engine->parts.db, machine_row(machine)->id, statement_add, &fill);
	}
	if (!r && fill.full) {
		log_warn("machine %s: a statement holds %u services; the others are left out",
		        machine_row(machine)->name, STATEMENT_SERVICES_MAX);
	}
	manifest->size = (uint32_t)statement_manifest_size(manifest->n_services);
	ret->len = manifest->size;
	return err_up(r);
}

void statement_ask(struct engine *engine, struct machine *machine, statement_fn fn, void *arg)
{
	struct signer_request request = {.op = SIGNER_SIGN_STATEMENT};
	struct engine_statement *statement = mem_zero(sizeof(*statement));
	struct failure failure;
	int r = statement_make(engine, machine, &request.statement);

	statement->engine = engine;
	statement->fn = fn;
	statement->arg = arg;
	LIST_INSERT_HEAD(&engine->statements, statement, link);
	if (r < 0) {
		failure_set(&failure, "statement", machine_row(machine)->name,
		        "check the keyring's root.signed and the state directory",
		        "the starting statement cannot be made: %s", strerror(-r));
		statement_end(statement, &failure, NULL, 0);
		return;
	}
	signer_client_ask(engine->parts.signer, &request, statement_signed, statement);
}

void statement_forget(struct engine *engine, const void *arg)
{
	struct engine_statement *statement = LIST_FIRST(&engine->statements);

	while (statement) {
		struct engine_statement *next = LIST_NEXT(statement, link);

		if (!arg || statement->arg == arg) {
			signer_client_forget(engine->parts.signer, statement);
			LIST_REMOVE(statement, link);
			free(statement);
		}
		statement = next;
	}
}

/* Nothing waits for it: an order that finds no statement in the machine has one sent again. */
static void statement_on_taken(int r, const Machine__Reply *reply, void *arg)
{
	const struct machine *machine = arg;
	const char *said = r ? strerror(-r) : "an answer that does not fit";

	if (!r && reply->body_case == MACHINE__REPLY__BODY_DONE) {
		return;
	}
	if (!r && reply->body_case == MACHINE__REPLY__BODY_ERROR && reply->error->cause) {
		said = reply->error->cause->message;
	}
	log_warn("machine %s does not take the starting statement: %s", machine_row(machine)->name,
	        said);
}

static void statement_on_signed(
        const struct failure *failure, const uint8_t *envelope, size_t size, void *arg)
{
	struct machine *machine = arg;
	Machine__Statement statement = MACHINE__STATEMENT__INIT;
	Machine__Request request = MACHINE__REQUEST__INIT;

	if (failure) {
		log_warn("machine %s: %s; %s", machine_row(machine)->name, failure->cause,
		        failure->remedy);
		return;
	}
	statement.envelope.data = (uint8_t *)envelope;
	statement.envelope.len = size;
	request.body_case = MACHINE__REQUEST__BODY_STATEMENT;
	request.statement = &statement;
	if (machine_request(machine, &request, STATEMENT_ANSWER_USEC, statement_on_taken, machine) <
	        0) {
		err_forget();
	}
}

void statement_send(struct engine *engine, struct machine *machine)
{
	statement_forget(engine, machine);
	statement_ask(engine, machine, statement_on_signed, machine);
}
