/*
 * The making of an order. Its number is the next that was never signed for this machine in this
 * epoch, so a number names one order for good: whatever was lost on the way, the machine's answer for
 * (epoch, number) settles what became of it. The order key's signature comes from the signer, which
 * checks what it signs; this process never has the key.
 *
 *   job_order_make: manifest ---> signer ---> order_signed: root + part = ->order_envelope ---> done
 *                                                           part alone  = ->proposal
 *
 * A number that was signed and never recorded is lost with the process: it was never sent, since what
 * is sent is read from the record. It may be signed a second time, for another order, and that is
 * safe for the same reason.
 *
 * A machine whose time is ahead of ours by more than an order lives would call every order expired:
 * said here, before anything is signed. One that is behind is not asked: it only gives an order longer
 * to live, and its time catches up by what it is told.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/job/order/priv.h"
#include "orchestrator/work/kit.h"
#include "proto/envelope/envelope_crypto.h"

static int64_t order_now_sec(void)
{
	return store_now_usec() / 1000000;
}

void job_order_fail(struct job *job, const char *what, int r)
{
	struct failure failure;

	failure_set(&failure, "order", machine_row(job->machine)->name,
	        "check the keyring's root.signed and the state directory", "%s: %s", what,
	        strerror(-r));
	job_fail(job, JOB_FAILED, &failure);
}

bool job_time_fits(struct job *job)
{
	uint64_t life = job->engine->parts.config->order_lifetime_usec / 1000000;
	uint64_t now = (uint64_t)order_now_sec();
	const Machine__Status *status = machine_status(job->machine);
	const char *name = machine_row(job->machine)->name;
	struct failure failure;
	char remedy[160];

	if (status->time <= now || status->time - now <= life) {
		return true;
	}
	snprintf(remedy, sizeof(remedy),
	        "if this host's clock is right, set the machine's with `luctl machine time %s`",
	        name);
	failure_set(&failure, "machine-ahead", name, remedy,
	        "the machine's time is %" PRIu64 " s ahead of this host's: it would take an order "
	        "of %" PRIu64 " s for expired",
	        status->time - now, life);
	job_fail(job, JOB_FAILED, &failure);
	return false;
}

/* The next number: above all that were signed, and all that the machine has seen. */
/*
 * The record's highest counts every order that was recorded, sent or not. The machine's counts
 * too, since the record may be an old copy of what it has seen.
 */
static int order_number(struct job *job, uint64_t epoch, uint64_t *ret_txn)
{
	const Machine__Status *status = machine_status(job->machine);
	uint64_t highest = 0;
	int r = store_order_highest(job->engine->parts.db, job->row.machine, epoch, &highest);

	if (r) {
		return err_up(r);
	}
	if (status->newest_epoch == epoch && status->newest_txn > highest) {
		highest = status->newest_txn;
	}
	*ret_txn = highest + 1;
	return 0;
}

uint32_t job_order_timeout_ms(const struct job *job)
{
	const struct config *config = job->engine->parts.config;

	return job->row.timeout_ms ? (uint32_t)job->row.timeout_ms
	                           : (uint32_t)(config->update_timeout_usec / 1000);
}

/*
 * The machine's own limits, in its units. A time that a person gave for the job is what is left
 * of it, and at least 1 ms.
 */
static void order_limits(const struct job *job, struct order_manifest *order)
{
	const struct config *config = job->engine->parts.config;
	uint64_t left_ms = job_left_usec(job) / 1000;

	order->total_ms = job_order_timeout_ms(job);
	if (left_ms < order->total_ms) {
		/* 0 would be the machine's own limits. */
		order->total_ms = left_ms ? (uint32_t)left_ms : 1;
	}
	order->hold_ms = job->row.hold_ms ? (uint32_t)job->row.hold_ms
	                                  : (uint32_t)(config->hold_usec / 1000);
	order->prepare_ms = (uint32_t)(config->prepare_timeout_usec / 1000);
	order->transfer_ms = (uint32_t)(config->transfer_timeout_usec / 1000);
	if (job->row.timeout_ms) {
		/* A limit that a person gave counts for each phase too. */
		order->prepare_ms = order->transfer_ms = order->total_ms;
	}
}

/* What makes the variant: its name and recipe, from the signed document. */
static int order_variant(struct job *job, struct order_component *component)
{
	const struct job_part *part = job->parts;
	_cleanup_(freep) uint8_t *envelope = NULL;
	struct envelope_view view;
	size_t size;
	int r;

	r = store_generation_envelope(job->engine->parts.db, part->generation.id, &envelope, &size);
	if (r) {
		return err_fold(r);
	}
	if (envelope_open(envelope, size, &view) != ENVELOPE_OK || !view.variant) {
		return err_raise(-EBADMSG);
	}
	variant_manifest_hash(view.variant, component->variant_hash);
	memcpy(component->release_id, view.variant->release_id, sizeof(component->release_id));
	component->recipe = view.variant->recipe;
	return 0;
}

/* No variant is named where the machine makes the layout: the hash stays zero. */
static int order_component(struct job *job, struct order_component *component)
{
	const struct job_part *part = job->parts;

	memcpy(component->consent, job->row.consent, sizeof(component->consent));
	snprintf(component->state, sizeof(component->state), "%s", job->row.quiescent);
	component->generation = part->generation.number;
	if (!part->variant.machine_made) {
		return err_up(order_variant(job, component));
	}
	memcpy(component->release_id, part->release.release_id, sizeof(component->release_id));
	component->recipe = (uint32_t)part->variant.recipe;
	return 0;
}

/* The signer judges the kit of a layout that is left to the machine, as it does before a variant. */
static int order_kit(const struct job *job, struct signer_order *order)
{
	_cleanup_(freep) uint8_t *kit = NULL;
	size_t size;
	int r = kit_signed_read(job->parts->release.path, &kit, &size);

	if (r < 0) {
		return err_up(r);
	}
	if (size > sizeof(order->kit)) {
		return err_raise(-E2BIG);
	}
	memcpy(order->kit, kit, size);
	order->kit_len = (uint32_t)size;
	return 0;
}

/*
 * What an action carries besides its name: an update its component and limits, a restart the
 * service, the others nothing, since their argument is in the head.
 */
static int order_fill(struct job *job, struct order_manifest *order)
{
	struct order_component *component = (void *)(order + 1);
	int r = 0;

	switch ((enum order_action)order->action) {
	case ORDER_UPDATE:
	case ORDER_PREPARE:
		order_limits(job, order);
		order->n_components = 1;
		snprintf(component->service, sizeof(component->service), "%s", job->row.service);
		r = job_parts_load(job);
		if (!r) {
			r = order_component(job, component);
		}
		break;
	case ORDER_RESTART:
		order->n_components = 1;
		snprintf(component->service, sizeof(component->service), "%s", job->row.service);
		break;
	case ORDER_CONFIRM:
	case ORDER_SHUTDOWN:
	case ORDER_DROP:
	case _ORDER_ACTION_N:
		break;
	}
	order->size = (uint32_t)order_manifest_size(order->n_components);
	return err_up(r);
}

int job_order_assemble(struct job *job, const void *part, size_t part_size)
{
	_cleanup_(freep) uint8_t *root = NULL;
	_cleanup_(freep) uint8_t *envelope = mem_zero(ENVELOPE_SIZE_MAX);
	struct envelope_view view;
	size_t root_size, size;
	int r = kit_root_read(job->engine->parts.config->keyring, &root, &root_size);

	if (r < 0) {
		return err_up(r);
	}
	size = envelope_write(ENVELOPE_OF_ORDER, (const void *const[]){root, part},
	        (const size_t[]){root_size, part_size}, envelope, ENVELOPE_SIZE_MAX);
	if (!size || envelope_open(envelope, size, &view) != ENVELOPE_OK ||
	        view.root->serial != job->order.epoch) {
		return err_raise(-EBADMSG);
	}
	job->order.expires = (int64_t)view.order->expires;
	free(job->order_envelope);
	job->order_envelope = steal(&envelope);
	job->order_size = size;
	return 0;
}

/* The root was renewed while the signer was asked: what came of it fits neither. */
static bool order_root_moved(const struct job *job)
{
	uint64_t serial;
	int r = kit_root_serial(job->engine->parts.config->keyring, &serial);

	err_forget();
	return r == 0 && serial != job->order.epoch;
}

/*
 * A refusal of the signer's is a fault of keyring or rules: the job fails with the remedy for it.
 */
static void order_signed(const struct failure *failure, const struct signer_reply *reply, void *arg)
{
	struct job *job = arg;
	struct failure refused;
	int r;

	if (!failure && order_root_moved(job)) {
		job_again(job, 1000);
		return;
	}
	if (!failure && reply->status != SIGNER_OK) {
		failure_set(&refused,
		        reply->reason ? envelope_reason_name(reply->reason) : "signer", "signer",
		        signer_remedy(reply), "the signer refuses the order: %s", reply->text);
		failure = &refused;
	}
	if (failure) {
		job_fail(job, JOB_FAILED, failure);
		return;
	}
	r = job_order_assemble(job, reply->part.bytes, reply->part.len);
	if (r < 0) {
		job_order_fail(job, "the order cannot be put together", r);
		return;
	}
	job_order_drop_proposal(job);
	job->proposal = mem_zero(sizeof(*job->proposal));
	*job->proposal = reply->part;
	job->ordered(job);
}

void job_order_make(struct job *job, uint32_t action, uint64_t argument, job_ordered_fn done)
{
	const struct machine_row *machine = machine_row(job->machine);
	struct signer_request request = {.op = SIGNER_SIGN_ORDER};
	struct order_manifest *order = (void *)request.order.manifest;
	uint64_t epoch;
	int r = kit_root_serial(job->engine->parts.config->keyring, &epoch);

	memcpy(order->magic, ORDER_MAGIC, sizeof(order->magic));
	order->version = MANIFEST_VERSION;
	memcpy(order->machine_id, machine->machine_id, sizeof(order->machine_id));
	order->boot_id = machine->boot_id;
	order->action = action;
	order->argument = argument;
	if (!r) {
		order->epoch = epoch;
		r = order_number(job, epoch, &order->transaction);
	}
	if (!r) {
		r = order_fill(job, order);
	}
	if (!r && job->row.machine_made && (action == ORDER_UPDATE || action == ORDER_PREPARE)) {
		r = order_kit(job, &request.order);
	}
	if (r < 0) {
		job_order_fail(job, "the order cannot be made", r);
		return;
	}
	job->order = (struct order_row){
	        .job = job->row.id,
	        .machine = machine->id,
	        .boot_id = machine->boot_id,
	        .line = machine->line,
	        .epoch = epoch,
	        .txn = order->transaction,
	        .action = action,
	};
	job->ordered = done;
	request.order.len = order->size;
	request.order.lifetime_sec =
	        (uint32_t)(job->engine->parts.config->order_lifetime_usec / 1000000);
	signer_client_ask(job->engine->parts.signer, &request, order_signed, job);
}
