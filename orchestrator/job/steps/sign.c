/*
 * The step that signs: the signer is shown the variant's manifest and the signed kit
 * and gives back a signed part; root, kit and variant part make the envelope.
 *
 * A machine that keeps no kits cannot make a layout again, and takes one that two signers have made: there
 * the second one is shown, beside kit and seed, what the first one signed, and signs the same bytes with
 * a key of its own (second.c). What a machine boots with is between lud and its host, and has one signature.
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
#include "orchestrator/job/plan/plan.h"
#include "orchestrator/job/steps/priv.h"
#include "orchestrator/job/steps/second.h"
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

static void sign_refused(struct job_part *part, const char *who, const struct signer_reply *reply,
        const char *remedy)
{
	struct failure failure;

	failure_set(&failure, reply->reason ? envelope_reason_name(reply->reason) : who, who,
	        remedy, "the %s refuses the variant of %s: %s", who, part->release.service,
	        reply->text);
	job_fail(part->job, JOB_FAILED, &failure);
}

/* One part is signed by all who are to; the next is asked for. */
static void sign_done(struct job_part *part, const struct signer_part *signed_part)
{
	struct failure failure;
	int r = sign_assemble(part, signed_part);

	if (r < 0) {
		failure_set(&failure, "envelope", part->release.path,
		        "check the kit and the keyring's root.signed",
		        "the envelope cannot be put together: %s", strerror(-r));
		job_fail(part->job, JOB_FAILED, &failure);
		return;
	}
	part->job->n_done++;
	sign_ask(part->job);
}

/* Both have signed: two signatures under one manifest, or the job ends. */
static void sign_signed_twice(
        const struct failure *failure, const struct signer_reply *reply, void *arg)
{
	struct job_part *part = arg;
	struct signer_part both;
	struct failure wrong;

	if (failure) {
		job_fail(part->job, JOB_FAILED, failure);
		return;
	}
	if (reply->status != SIGNER_OK) {
		sign_refused(part, "second signer", reply, second_remedy(reply));
		return;
	}
	if (!second_join(part->once, &reply->part, &both, &wrong)) {
		job_fail(part->job, JOB_FAILED, &wrong);
		return;
	}
	sign_done(part, &both);
}

static void sign_ask_second(struct job_part *part, const struct signer_part *first);

/* A refusal of the signer's ends the job with its reason. */
static void sign_signed(const struct failure *failure, const struct signer_reply *reply, void *arg)
{
	struct job_part *part = arg;

	if (failure) {
		job_fail(part->job, JOB_FAILED, failure);
	} else if (reply->status != SIGNER_OK) {
		sign_refused(part, "signer", reply, signer_remedy(reply));
	} else if (second_is_needed(part->job)) {
		sign_ask_second(part, &reply->part);
	} else {
		sign_done(part, &reply->part);
	}
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

/* Kit, flat kit and seed of a part: all that its layout is made again of. False: the job has ended. */
static bool sign_request(
        const struct job_part *part, struct signer_request *request, uint8_t **ret_flat)
{
	struct job *job = part->job;
	_cleanup_(freep) uint8_t *kit = NULL;
	struct failure failure;
	size_t size, flat_size;
	int r;

	*request = (struct signer_request){.op = SIGNER_SIGN_VARIANT};
	r = kit_signed_read(part->release.path, &kit, &size);
	if (r < 0 || size > sizeof(request->variant.kit)) {
		failure_set(&failure, "kit", part->release.path,
		        "sign the kit with `luctl release sign` and add it again",
		        "the signed kit cannot be read: %s", r < 0 ? strerror(-r) : "too long");
		job_fail(job, JOB_FAILED, &failure);
		return false;
	}
	r = sign_flat_read(part, ret_flat, &flat_size);
	if (r < 0) {
		failure_set(&failure, "kit", part->release.path,
		        "make the copy whole: add the release again with `luctl release add`",
		        "the flat kit cannot be read: %s", strerror(-r));
		job_fail(job, JOB_FAILED, &failure);
		return false;
	}
	memcpy(request->variant.seed, part->seed, sizeof(part->seed));
	request->variant.flat_len = (uint32_t)flat_size;
	request->variant.kit_len = size;
	memcpy(request->variant.kit, kit, size);
	return true;
}

/* Asks for the next signature, or ends the step. */
static void sign_ask(struct job *job)
{
	struct job_part *part = &job->parts[job->n_done];
	struct signer_request request;
	uint8_t *flat;

	if (job->n_done == job->n_parts) {
		job_done(job, "", sign_write, job);
		return;
	}
	if (!sign_request(part, &request, &flat)) {
		return;
	}
	sign_manifest(part, &request.variant.manifest);
	request.variant.lifetime_sec = job->engine->parts.config->variant_lifetime_usec / 1000000;
	signer_client_ask_with(job->engine->parts.signer, &request, flat, sign_signed, part);
	explicit_bzero(&request, sizeof(request));
}

/* The second signer is shown what the first one signed, dates included. */
static void sign_ask_second(struct job_part *part, const struct signer_part *first)
{
	struct job *job = part->job;
	struct signer_request request;
	struct failure failure;
	uint8_t *flat;

	if (!job->engine->parts.second) {
		plan_no_second(job->machine, &failure);
		job_fail(job, JOB_FAILED, &failure);
		return;
	}
	free(part->once);
	part->once = mem_zero(sizeof(*part->once));
	*part->once = *first;
	if (!sign_request(part, &request, &flat)) {
		return;
	}
	second_manifest(first, &request.variant);
	signer_client_ask_with(job->engine->parts.second, &request, flat, sign_signed_twice, part);
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
