/*
 * The step that signs: the signer is shown the variant's manifest and the signed kit
 * and gives back a signed part; root, kit and variant part make the envelope.
 *
 * The signer checks the kit and its own rules before it signs, and makes the payload again of the flat
 * kit and the seed that it is given, so what is shown to it here need not be believed by it. The envelope is opened once before it is kept: its dates and its root's serial go
 * into the record as they were signed and not as they were wished for. Machines that run are asked
 * for their time first, because what they would take for expired is not worth a signature.
 */
#include <errno.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/job/order/order.h"
#include "orchestrator/job/steps/priv.h"
#include "orchestrator/work/kit.h"
#include "proto/envelope/envelope.h"

static void sign_ask(struct job *job);

/*
 * All envelopes at once: a job has all of its variants signed, or none. An order that was made before
 * names what was signed before.
 */
static int sign_write(struct db *db, void *arg)
{
	struct job *job = arg;
	int r = store_order_void(db, job->row.id);

	for (size_t i = 0; !r && i < job->n_parts; i++) {
		struct job_part *part = &job->parts[i];

		r = store_generation_sign(
		        db, &part->generation, part->envelope, part->envelope_size);
	}
	return err_up(r);
}

/* Puts root, kit and the fresh part together. */
static int sign_assemble(struct job_part *part, const struct signer_part *signed_part)
{
	const struct config *config = part->job->engine->parts.config;
	_cleanup_(freep) uint8_t *root = NULL;
	_cleanup_(freep) uint8_t *kit = NULL;
	_cleanup_(freep) uint8_t *envelope = mem_zero(ENVELOPE_SIZE_MAX);
	struct envelope_view view;
	size_t root_size, kit_size, size;
	int r;

	r = kit_root_read(config->keyring, &root, &root_size);
	if (!r) {
		r = kit_signed_read(part->release.path, &kit, &kit_size);
	}
	if (r < 0) {
		return err_up(r);
	}
	size = envelope_write(ENVELOPE_OF_VARIANT,
	        (const void *const[]){root, kit, signed_part->bytes},
	        (const size_t[]){root_size, kit_size, signed_part->len}, envelope,
	        ENVELOPE_SIZE_MAX);
	if (!size || envelope_open(envelope, size, &view) != ENVELOPE_OK) {
		return err_raise(-EBADMSG);
	}
	part->generation.issued = view.variant->issued;
	part->generation.expires = view.variant->expires;
	part->generation.epoch = view.root->serial;
	part->envelope = steal(&envelope);
	part->envelope_size = size;
	return 0;
}

/*
 * One part is signed; the next is asked for. A refusal of the signer's ends the job with its
 * reason.
 */
static void sign_signed(const struct failure *failure, const struct signer_reply *reply, void *arg)
{
	struct job_part *part = arg;
	struct failure refused;
	int r;

	if (!failure && reply->status != SIGNER_OK) {
		failure_set(&refused,
		        reply->reason ? envelope_reason_name(reply->reason) : "signer", "signer",
		        signer_remedy(reply), "the signer refuses the variant of %s: %s",
		        part->release.service, reply->text);
		failure = &refused;
	}
	if (!failure && (r = sign_assemble(part, &reply->part)) < 0) {
		failure_set(&refused, "envelope", part->release.path,
		        "check the kit and the keyring's root.signed",
		        "the envelope cannot be put together: %s", strerror(-r));
		failure = &refused;
	}
	if (failure) {
		job_fail(part->job, JOB_FAILED, failure);
		return;
	}
	part->job->n_done++;
	sign_ask(part->job);
}

/*
 * The variant's manifest, as the signer is to sign it but for its dates, which the signer sets.
 * All of it is from the record: a service name is copied whole, zeros included.
 */
static void sign_manifest(const struct job_part *part, struct variant_manifest *ret)
{
	const struct variant_row *variant = &part->variant;

	memset(ret, 0, sizeof(*ret));
	memcpy(ret->magic, VARIANT_MAGIC, sizeof(ret->magic));
	ret->version = MANIFEST_VERSION;
	ret->size = sizeof(*ret);
	memcpy(ret->machine_id, machine_row(part->job->machine)->machine_id,
	        sizeof(ret->machine_id));
	memcpy(ret->service, part->release.service, sizeof(ret->service));
	memcpy(ret->release_id, part->release.release_id, sizeof(ret->release_id));
	memcpy(ret->payload_hash, variant->payload_hash, sizeof(ret->payload_hash));
	ret->payload_len = variant->payload_len;
	memcpy(ret->seed_commit, variant->seed_commit, sizeof(ret->seed_commit));
	ret->recipe = variant->recipe;
}

/* What the signer makes the layout of again; it finds out whether it is the one that was signed. */
static int sign_flat_read(const struct job_part *part, uint8_t **ret_flat, size_t *ret_size)
{
	_cleanup_(freep) char *path = text_format("%s/" KIT_FLAT, part->release.path);

	return err_up(file_read(path, KIT_FLAT_LEN_MAX, ret_flat, ret_size));
}

/* Asks for the next signature, or ends the step. */
static void sign_ask(struct job *job)
{
	struct signer_request request = {.op = SIGNER_SIGN_VARIANT};
	struct job_part *part = &job->parts[job->n_done];
	_cleanup_(freep) uint8_t *kit = NULL;
	_cleanup_(freep) uint8_t *flat = NULL;
	struct failure failure;
	size_t size, flat_size;
	int r;

	if (job->n_done == job->n_parts) {
		job_done(job, "", sign_write, job);
		return;
	}
	r = kit_signed_read(part->release.path, &kit, &size);
	if (r < 0 || size > sizeof(request.variant.kit)) {
		failure_set(&failure, "kit", part->release.path,
		        "sign the kit with `luctl release sign` and add it again",
		        "the signed kit cannot be read: %s", r < 0 ? strerror(-r) : "too long");
		job_fail(job, JOB_FAILED, &failure);
		return;
	}
	r = sign_flat_read(part, &flat, &flat_size);
	if (r < 0) {
		failure_set(&failure, "kit", part->release.path,
		        "make the copy whole: add the release again with `luctl release add`",
		        "the flat kit cannot be read: %s", strerror(-r));
		job_fail(job, JOB_FAILED, &failure);
		return;
	}
	sign_manifest(part, &request.variant.manifest);
	memcpy(request.variant.seed, part->seed, sizeof(part->seed));
	request.variant.flat_len = (uint32_t)flat_size;
	request.variant.lifetime_sec = job->engine->parts.config->variant_lifetime_usec / 1000000;
	request.variant.kit_len = size;
	memcpy(request.variant.kit, kit, size);
	signer_client_ask_with(
	        job->engine->parts.signer, &request, steal(&flat), sign_signed, part);
	explicit_bzero(&request, sizeof(request));
}

/* From the record: a job that was taken up again has no parts in memory. */
static void sign_begin(struct job *job)
{
	struct failure failure;
	int r = job_parts_load(job);

	if (r < 0) {
		failure_set(&failure, "record", "sign", "check the state directory",
		        "the job's variants cannot be loaded: %s", strerror(-r));
		job_fail(job, JOB_FAILED, &failure);
		return;
	}
	if (job_parts_have_seeds(job)) {
		sign_ask(job);
	}
}

static void sign_in_time(struct job *job)
{
	if (job_time_fits(job)) {
		sign_begin(job);
	}
}

/* A machine that runs is asked for its time first: nothing is signed that it would not take. */
void job_step_sign(struct job *job)
{
	if (job->row.kind == JOB_START) {
		sign_begin(job);
	} else {
		job_refresh(job, sign_in_time);
	}
}
