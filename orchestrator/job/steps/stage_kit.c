/*
 * Which files the step that stages sends. Of every release the machine needs state description and
 * flat kit: it makes layouts of it, or makes the one again that was made here, and so proves it. A
 * payload comes third where the layout was made here. What the machine has is not sent: from its boot
 * image, or from a layout of the same release before. So a rerandomization sends no file of a kit.
 *
 * A machine that was booted to keep no kits leaves the flat kit of a variant out of its answer; then
 * nobody wants it. Where the machine makes the layout it is shown the kit alone, and its answer says
 * nothing that this side relies on: a file that it does not name is sent.
 *
 * The kit's directory is believed only what a release key signed: what is shown is the stored part,
 * which must be that of the job's release, and a file is sent under the hash that the part has for
 * it, so the machine notices when it is not that file.
 */
#include <errno.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/job/steps/priv.h"
#include "orchestrator/work/kit.h"
#include "proto/envelope/envelope_crypto.h"

/* No flat kit is longer, and no state description comes near it. */
#define STAGE_KIT_FILE_MAX KIT_FLAT_LEN_MAX

/* Files of the kit, by their place in ->stage; what else there is stands behind them. */
enum { STAGE_STATE, STAGE_FLAT, _STAGE_KIT_N };
static const char *const stage_kit_names[_STAGE_KIT_N] = {KIT_STATE, KIT_FLAT};

static void stage_kit_fail(struct job *job, const char *place, const char *what, int r)
{
	struct failure failure;

	failure_set(&failure, "kit", place,
	        "make the copy whole: add the release again with `luctl release add`", "%s: %s",
	        what, strerror(-r));
	err_forget();
	job_fail(job, JOB_FAILED, &failure);
}

/* The stored part of the job's release, and the manifest inside it. -ESTALE: of another release. */
static int stage_kit_read(
        const struct job *job, uint8_t **ret_part, size_t *ret_size, struct kit_manifest *ret_kit)
{
	const struct release_row *release = &job->parts->release;
	_cleanup_(freep) uint8_t *bytes = NULL;
	struct envelope_part part;
	uint8_t release_id[64];
	size_t size;
	int r = kit_signed_read(release->path, &bytes, &size);

	if (r < 0) {
		return err_up(r);
	}
	if (envelope_part_open(bytes, size, &part) != ENVELOPE_OK || part.kind != ENVELOPE_KIT) {
		return err_raise(-EBADMSG);
	}
	memcpy(ret_kit, part.manifest, sizeof(*ret_kit));
	kit_manifest_release_id(ret_kit, release_id);
	if (memcmp(release_id, release->release_id, sizeof(release_id)) != 0) {
		return err_raise(-ESTALE);
	}
	*ret_part = steal(&bytes);
	*ret_size = size;
	return 0;
}

static void stage_kit_name(struct job_stage *stage, const uint8_t hash[64], uint64_t len)
{
	free(stage->bytes);
	*stage = (struct job_stage){.size = len};
	memcpy(stage->hash, hash, sizeof(stage->hash));
}

bool job_kit_files(struct job *job)
{
	_cleanup_(freep) uint8_t *part = NULL;
	struct kit_manifest kit;
	size_t size;
	int r = job_parts_load(job);

	if (!r) {
		r = stage_kit_read(job, &part, &size, &kit);
	}
	if (r < 0) {
		stage_kit_fail(job, job->n_parts ? job->parts->release.path : "record",
		        "the signed kit of the release cannot be read", r);
		return false;
	}
	stage_kit_name(&job->stage[STAGE_STATE], kit.state_hash, kit.state_len);
	stage_kit_name(&job->stage[STAGE_FLAT], kit.flat_hash, kit.flat_len);
	job->n_stage = _STAGE_KIT_N;
	job->stage_at = 0;
	return true;
}

bool job_made_envelope(struct job *job, uint8_t **ret_envelope, size_t *ret_size)
{
	const char *keyring = job->engine->parts.config->keyring;
	_cleanup_(freep) uint8_t *envelope = mem_zero(ENVELOPE_SIZE_MAX);
	_cleanup_(freep) uint8_t *root = NULL;
	_cleanup_(freep) uint8_t *part = NULL;
	struct kit_manifest kit;
	struct envelope_view view;
	size_t root_size, part_size, size = 0;
	int r = stage_kit_read(job, &part, &part_size, &kit);

	if (!r) {
		r = kit_root_read(keyring, &root, &root_size);
	}
	if (!r) {
		size = envelope_write(ENVELOPE_OF_KIT, (const void *const[]){root, part},
		        (const size_t[]){root_size, part_size}, envelope, ENVELOPE_SIZE_MAX);
	}
	if (!r && (!size || envelope_open(envelope, size, &view) != ENVELOPE_OK)) {
		r = err_raise(-EBADMSG);
	}
	if (r < 0) {
		stage_kit_fail(job, job->parts->release.path,
		        "kit and signed root cannot be put together", r);
		return false;
	}
	job->stage_serial = view.root->serial;
	*ret_envelope = steal(&envelope);
	*ret_size = size;
	return true;
}

/* What the machine says of a file; NULL: it does not name it. */
static const Machine__StageEntry *stage_kit_blob(
        const struct job_stage *stage, const Machine__Admitted *admitted)
{
	for (size_t i = 0; i < admitted->n_blobs; i++) {
		const Machine__StageEntry *blob = admitted->blobs[i];

		if (blob->hash.len == sizeof(stage->hash) &&
		        !memcmp(blob->hash.data, stage->hash, sizeof(stage->hash))) {
			return blob;
		}
	}
	return NULL;
}

/* Read whole, for the same reason as a payload; a file of another length is another file. */
static int stage_kit_load(struct job_stage *stage, const char *path)
{
	size_t size;
	int r;

	free(stage->bytes);
	stage->bytes = NULL;
	r = file_read(path, STAGE_KIT_FILE_MAX, &stage->bytes, &size);
	if (r < 0) {
		return err_up(r);
	}
	return size == stage->size ? 0 : err_raise(-EBADMSG);
}

/* Of a file that is not in the machine: it has no use for it. */
static bool stage_kit_unwanted(const struct job *job, size_t file, const Machine__StageEntry *blob)
{
	return !job->row.machine_made && file == STAGE_FLAT && !blob;
}

bool job_kit_admitted(struct job *job, const Machine__Admitted *admitted)
{
	for (size_t i = 0; i < job->n_stage; i++) {
		struct job_stage *stage = &job->stage[i];
		const Machine__StageEntry *blob = stage_kit_blob(stage, admitted);
		_cleanup_(freep) char *path = NULL;
		int r;

		stage->is_there = (blob && blob->complete) || stage_kit_unwanted(job, i, blob);
		if (stage->is_there || i >= _STAGE_KIT_N) {
			continue;
		}
		path = text_format("%s/%s", job->parts->release.path, stage_kit_names[i]);
		r = stage_kit_load(stage, path);
		if (r < 0) {
			stage_kit_fail(job, path, "the file is not the one that was signed", r);
			return false;
		}
	}
	return true;
}
