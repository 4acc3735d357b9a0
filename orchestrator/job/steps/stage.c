/*
 * The step that stages: the machine is shown what names the files, and sent those that it has not got
 * (job/send). Of every release it needs state description and flat kit: it makes layouts of it, or
 * makes the one again that was made here, and so proves it. Where the layout was made here, it is
 * shown the signed variant with its seed, and a payload comes third; where the machine makes it, the
 * kit alone. What the machine has is not sent: from its boot image, or from a layout of the same release
 * before. So a rerandomization sends no file of a kit.
 *
 * A machine that was booted to keep no kits leaves the flat kit of a variant out of its answer; then
 * nobody wants it. Where the machine makes the layout its answer says nothing that this side relies
 * on: a file that it does not name is sent.
 */
#include <errno.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/hook/hook.h"
#include "orchestrator/job/order/order.h"
#include "orchestrator/job/send/send.h"
#include "orchestrator/job/steps/priv.h"

/* No payload comes near it; it bounds what a damaged directory can cost. */
#define JOB_STAGE_FILE_MAX (64u << 20)

static void stage_on_done(size_t bytes, void *arg)
{
	char detail[64];

	snprintf(detail, sizeof(detail), "%zu bytes", bytes);
	job_done(arg, detail, NULL, NULL);
}

static void stage_on_came(const struct send_file *file, void *arg)
{
	job_progress(arg, file->offset, file->size, NULL);
	hook_point("stage", "chunk");
}

/*
 * Without a session the job is parked; with the next one the step begins again, and the machine
 * says how much it has.
 */
static void stage_on_refused(int r, const Machine__Reply *reply, void *arg)
{
	if (r && r != -ETIMEDOUT) {
		job_park(arg, "the session with the machine is lost");
	} else {
		job_answer_bad(arg, r, reply);
	}
}

static void stage_on_failed(const struct failure *failure, void *arg)
{
	job_fail(arg, JOB_FAILED, failure);
}

/* Shows the machine the signed variant. From here on it has the seed, too, but may be asked again: it stays. */
static void stage_show_variant(struct job *job)
{
	_cleanup_(freep) uint8_t *envelope = NULL;
	size_t size;

	if (!job_parts_have_seeds(job)) {
		return;
	}
	if (store_generation_envelope(
	            job->engine->parts.db, job->parts->generation.id, &envelope, &size)) {
		err_forget();
		job_back(job, JOB_ON_UNSIGNED, "its envelope is not in the record");
		return;
	}
	send_show(&job->send, envelope, size, job->parts->seed, sizeof(job->parts->seed));
}

static void stage_show_kit(struct job *job)
{
	const char *keyring = job->engine->parts.config->keyring;
	_cleanup_(freep) uint8_t *envelope = NULL;
	struct failure failure;
	size_t size;

	if (send_kit_envelope(&job->parts->release, keyring, &envelope, &size, &job->stage_serial,
	            &failure) < 0) {
		err_forget();
		job_fail(job, JOB_FAILED, &failure);
		return;
	}
	send_show(&job->send, envelope, size, NULL, 0);
}

/* It may have been shown before. */
static void stage_show(void *arg)
{
	struct job *job = arg;

	if (job->row.machine_made) {
		stage_show_kit(job);
	} else {
		stage_show_variant(job);
	}
}

static const struct send_ops stage_ops = {
        .done = stage_on_done,
        .came = stage_on_came,
        .again = stage_show,
        .refused = stage_on_refused,
        .failed = stage_on_failed,
};

/* The parts, and the files of their kit. False: the job has ended. */
static bool stage_kit(struct job *job)
{
	struct failure failure;
	int r = job_parts_load(job);

	send_init(&job->send, job->machine, job->engine->parts.config->stage_chunk_bytes,
	        &stage_ops, job);
	if (r < 0) {
		failure_set(&failure, "kit", "record", SEND_KIT_REMEDY,
		        "the generation's release cannot be read: %s", strerror(-r));
	} else {
		r = send_kit_files(
		        &job->send, &job->parts->release, job->row.machine_made, &failure);
	}
	if (r < 0) {
		err_forget();
		job_fail(job, JOB_FAILED, &failure);
	}
	return r >= 0;
}

/* Read at once: a payload that is gone can be made again from its seed. */
static bool stage_payload(struct job *job)
{
	_cleanup_(freep) char *path = job_part_path(job->parts);
	uint8_t *bytes = NULL;
	size_t size;

	if (file_read(path, JOB_STAGE_FILE_MAX, &bytes, &size) < 0) {
		err_forget();
		job_back(job, JOB_ON_PAYLOAD_LOST, "its payload cannot be read");
		return false;
	}
	send_add(&job->send, job->parts->variant.payload_hash, size)->bytes = bytes;
	return true;
}

void job_step_stage(struct job *job)
{
	if (job->row.machine_made) {
		if (!job_draw_made(job)) {
			return;
		}
		hook_point("stage", "drawn");
	}
	if (stage_kit(job) && (job->row.machine_made || stage_payload(job))) {
		stage_show(job);
	}
}
