/*
 * The step that forges: a worker gets each part's seed and makes the payload from the
 * release's kit, and what came out is checked and hashed. Parts are forged side by side
 * as far as there are workers. A payload that was forged before and is still there with
 * the right hash is taken as it is.
 *
 * What is checked is the form of a payload and that it is of this service; that it follows from kit
 * and seed is checked by the machine, whose own linker must make the same bytes.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/db/durable.h"
#include "orchestrator/job/steps/priv.h"
#include "proto/envelope/envelope_crypto.h"
#include "proto/image/image.h"

#define JOB_PAYLOAD_MAX (64u << 20)

/* Length, hash, base and build id of every payload: what the signer is shown next. */
static int forge_write(struct db *db, void *arg)
{
	struct job *job = arg;
	int r = 0;

	for (size_t i = 0; !r && i < job->n_parts; i++) {
		r = store_variant_forged(db, &job->parts[i].variant);
	}
	return err_up(r);
}

/* The last part ends the step: the caller must not touch the job, nor its parts, after it. */
static void forge_part_done(struct job_part *part)
{
	struct job *job = part->job;
	char detail[64];

	job->n_done++;
	job_progress(job, job->n_done, job->n_parts, part->release.service);
	if (job->n_done == job->n_parts) {
		snprintf(detail, sizeof(detail), "%zu variants", job->n_parts);
		job_done(job, job->n_parts == 1 ? "" : detail, forge_write, job);
	}
}

/* Reads what a worker wrote (or an earlier job left) and describes it. */
static int forge_read(struct job_part *part, struct failure *ret_failure)
{
	_cleanup_(freep) char *path = job_part_path(part);
	_cleanup_(freep) uint8_t *bytes = NULL;
	struct variant_row made = part->variant;
	struct image_view view;
	enum image_error error;
	size_t size;
	int r;

	r = file_read(path, JOB_PAYLOAD_MAX, &bytes, &size);
	if (r < 0) {
		failure_set(ret_failure, "forge", path, "check the state directory",
		        "the payload cannot be read: %s", strerror(-r));
		return err_up(r);
	}
	error = image_check(bytes, size, &view);
	if (error != IMAGE_OK || strcmp(view.header->service, part->release.service)) {
		failure_set(ret_failure, "forge", path, "check luforge and the kit",
		        "the forge made no payload of %s: %s", part->release.service,
		        image_error_text(error));
		return err_raise(-EBADMSG);
	}
	made.base = view.header->base;
	made.payload_len = size;
	memcpy(made.build_id, view.header->build_id, sizeof(made.build_id));
	envelope_hash(bytes, size, made.payload_hash);
	snprintf(made.path, sizeof(made.path), "%s", path);
	/* It was made before: the same seed must give the same bytes, or what was signed is void. */
	if (part->variant.payload_len &&
	        memcmp(made.payload_hash, part->variant.payload_hash, sizeof(made.payload_hash))) {
		failure_set(ret_failure, "forge", path,
		        "the kit or the toolchain changed; make a new variant",
		        "the same kit and seed gave another payload than before");
		return err_raise(-ESTALE);
	}
	part->variant = made;
	return 0;
}

/* One worker is through. A failure of one part ends the job, and with it the other workers. */
static void forge_made(const struct failure *failure, void *arg)
{
	struct job_part *part = arg;
	struct failure unread = {0};

	part->task = NULL;
	if (!failure && forge_read(part, &unread) < 0) {
		failure = &unread;
	}
	if (failure) {
		job_fail(part->job, JOB_FAILED, failure);
		return;
	}
	db_take_along(part->job->engine->parts.db, part->variant.path);
	forge_part_done(part);
}

static void forge_part(struct job_part *part)
{
	_cleanup_(freep) char *path = job_part_path(part);

	part->task = forge_variant(part->job->engine->parts.forge,
	        &(const struct forge_kit){part->release.path, part->release.release_id}, part->seed,
	        path, forge_made, part);
}

/*
 * A payload that was made ahead takes its place under the name that the record gives it. What it must
 * be is known: one that is damaged, or gone, is made again of the same seed.
 */
static void forge_take_ahead(struct job_part *part)
{
	_cleanup_(freep) char *path = job_part_path(part);

	if (part->ahead.path && rename(part->ahead.path, path) == 0) {
		db_take_along(part->job->engine->parts.db, path);
		part->variant.payload_len = part->ahead.len;
		memcpy(part->variant.payload_hash, part->ahead.hash,
		        sizeof(part->variant.payload_hash));
	}
	job_ahead_drop(&part->ahead);
}

/*
 * A payload that was described before, in an earlier attempt, is read again: the file may have
 * been changed or removed since.
 */
static bool forge_is_there(struct job_part *part)
{
	struct failure unread;

	forge_take_ahead(part);
	if (!part->variant.payload_len || forge_read(part, &unread) < 0) {
		err_forget();
		return false;
	}
	return true;
}

void job_step_forge(struct job *job)
{
	_cleanup_(freep) char *dir =
	        text_format("%s/variants", job->engine->parts.config->state_dir);
	struct failure failure;
	size_t n_parts;
	int r = dir_make(dir);

	if (!r) {
		r = job_parts_load(job);
	}
	if (r < 0) {
		failure_set(&failure, "record", "forge", "check the state directory",
		        "the job's variants cannot be loaded: %s", strerror(-r));
		job_fail(job, JOB_FAILED, &failure);
		return;
	}
	if (!job_parts_have_seeds(job)) {
		return;
	}
	for (size_t i = 0; i < job->n_parts; i++) {
		job->parts[i].forged = forge_is_there(&job->parts[i]);
	}
	/* The last part may end the step, and with it the parts. */
	n_parts = job->n_parts;
	for (size_t i = 0; i < n_parts; i++) {
		if (job->parts[i].forged) {
			forge_part_done(&job->parts[i]);
		} else {
			forge_part(&job->parts[i]);
		}
	}
}
