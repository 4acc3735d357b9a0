/*
 * The step that stages: the signed variant first, because the machine takes no bytes
 * that no variant names, with its seed, by which the machine proves the payload; then state
 * description, flat kit and payload, each under its hash, chunk by chunk. The machine says
 * how far a former attempt came, so a lost session or a killed lud costs one chunk. A full
 * store is asked once to drop what nobody uses.
 *
 *   job_step_stage ---> admit ---> begin ---> chunk ... chunk ---> next file, or done
 *                         ^          |          |
 *                         `-- drop <-'----------'   the store is full, for the first time
 *
 * Nothing is remembered from one attempt to the next: the machine's offset is the only truth
 * about how far a file is.
 *
 * Where the machine makes the layout it is shown the kit instead of a variant, and sent no payload:
 * stage_kit.c, which has the kit's files for both. A file that it has already is passed over.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/job/core/hook.h"
#include "orchestrator/job/order/order.h"
#include "orchestrator/job/steps/priv.h"
#include "orchestrator/work/kit.h"

/* No state description or payload comes near it; it bounds what a damaged directory can cost. */
#define JOB_STAGE_FILE_MAX (64u << 20)

static void stage_begin(struct job *job);

/* The file under way: the kit's first, then the payload. */
static struct job_stage *stage_current(struct job *job)
{
	return &job->stage[job->stage_at];
}

/*
 * Without a session the job is parked; with the next one the step begins again, and the machine
 * says how much it has.
 */
static void stage_ask(struct job *job, Machine__Request *request, channel_reply_fn fn)
{
	int r = machine_request(job->machine, request, JOB_ANSWER_USEC, fn, job);

	if (r < 0) {
		job_park(job, "the session with the machine is lost");
		err_forget();
	}
}

static void stage_chunk(struct job *job);

/* The next file that the machine has not got, or the end of the step. */
static void stage_next(struct job *job)
{
	char detail[64];
	size_t size = 0;

	while (job->stage_at < job->n_stage && stage_current(job)->is_there) {
		job->stage_at++;
	}
	if (job->stage_at < job->n_stage) {
		stage_begin(job);
		return;
	}
	for (size_t i = 0; i < job->n_stage; i++) {
		size += job->stage[i].is_there ? 0 : job->stage[i].size;
	}
	snprintf(detail, sizeof(detail), "%zu bytes", size);
	job_done(job, detail, NULL, NULL);
}

/* The machine has the whole file under its hash, which it computed itself. */
static void stage_file_done(struct job *job)
{
	job->stage_at++;
	stage_next(job);
}

/*
 * The machine knows the variant or kit now, so the hashes of its files are named. From here on it
 * has the seed, too, but it may be asked again after a reboot: the seed stays.
 */
static void stage_on_admitted(int r, const Machine__Reply *reply, void *arg)
{
	struct job *job = arg;

	if (r || reply->body_case != MACHINE__REPLY__BODY_ADMITTED) {
		job_answer_bad(job, r, reply);
		return;
	}
	if (job_kit_admitted(job, reply->admitted)) {
		stage_next(job);
	}
}

/* Shows the machine what may be staged. It may have seen it before. */
static void stage_admit(struct job *job)
{
	_cleanup_(freep) uint8_t *envelope = NULL;
	Machine__Admit admit = MACHINE__ADMIT__INIT;
	Machine__Request request = MACHINE__REQUEST__INIT;
	size_t size;

	if (job->row.machine_made) {
		if (!job_made_envelope(job, &envelope, &size)) {
			return;
		}
	} else if (!job_parts_have_seeds(job)) {
		return;
	} else if (store_generation_envelope(
	                   job->engine->parts.db, job->parts->generation.id, &envelope, &size)) {
		err_forget();
		job_back(job, JOB_ON_UNSIGNED, "its envelope is not in the record");
		return;
	}
	admit.envelope.data = envelope;
	admit.envelope.len = size;
	if (!job->row.machine_made) {
		admit.seed.data = job->parts->seed;
		admit.seed.len = sizeof(job->parts->seed);
	}
	request.body_case = MACHINE__REQUEST__BODY_ADMIT;
	request.admit = &admit;
	stage_ask(job, &request, stage_on_admitted);
}

/*
 * There is room as far as there can be: the variant is shown again, and its files from the first.
 */
static void stage_on_dropped(int r, const Machine__Reply *reply, void *arg)
{
	struct job *job = arg;

	if (r || reply->body_case == MACHINE__REPLY__BODY_ERROR) {
		job_answer_bad(job, r, reply);
		return;
	}
	stage_admit(job);
}

/* Whether the refusal is a full store that may have something to drop. */
static bool stage_make_room(struct job *job, const Machine__Reply *reply)
{
	Machine__StageDrop drop = MACHINE__STAGE_DROP__INIT;
	Machine__Request request = MACHINE__REQUEST__INIT;

	if (reply->body_case != MACHINE__REPLY__BODY_ERROR ||
	        reply->error->class_ != WIRE__ERROR_CLASS__ERROR_FULL ||
	        stage_current(job)->dropped) {
		return false;
	}
	stage_current(job)->dropped = true;
	/* What was staged before this file is unused yet and would go with the rest. */
	job->stage_at = 0;
	request.body_case = MACHINE__REQUEST__BODY_STAGE_DROP;
	request.stage_drop = &drop;
	stage_ask(job, &request, stage_on_dropped);
	return true;
}

/*
 * The answer to a begin and to every chunk: how far the file is. What the machine claims is
 * checked against the file's size and then believed: it is the one who has the bytes.
 */
static void stage_on_progress(int r, const Machine__Reply *reply, void *arg)
{
	struct job *job = arg;
	struct job_stage *stage = stage_current(job);
	struct failure failure;

	if (r || reply->body_case != MACHINE__REPLY__BODY_STAGE) {
		if (r || !stage_make_room(job, reply)) {
			job_answer_bad(job, r, reply);
		}
		return;
	}
	if (reply->stage->offset > stage->size) {
		failure_set(&failure, "protocol", "agent", "update lud or the machine",
		        "the machine claims to have %" PRIu64 " of %zu bytes", reply->stage->offset,
		        stage->size);
		job_fail(job, JOB_FAILED, &failure);
		return;
	}
	stage->offset = reply->stage->offset;
	job_progress(job, stage->offset, stage->size, NULL);
	hook_point("stage", "chunk");
	if (reply->stage->complete) {
		stage_file_done(job);
	} else {
		stage_chunk(job);
	}
}

/*
 * Sends the next chunk. A file that is there to its last byte and not complete has another hash:
 * something between here and the machine damages data, and more chunks would not help.
 */
static void stage_chunk(struct job *job)
{
	struct job_stage *stage = stage_current(job);
	Machine__StageChunk chunk = MACHINE__STAGE_CHUNK__INIT;
	Machine__Request request = MACHINE__REQUEST__INIT;
	size_t left = stage->size - stage->offset;
	size_t limit = job->engine->parts.config->stage_chunk_bytes;
	struct failure failure;

	if (!left) {
		failure_set(&failure, "payload-mismatch", "agent",
		        "try again; if it stays, the channel damages data",
		        "all bytes are staged and the machine does not accept their hash");
		job_fail(job, JOB_FAILED, &failure);
		return;
	}
	chunk.hash.data = stage->hash;
	chunk.hash.len = sizeof(stage->hash);
	chunk.offset = stage->offset;
	chunk.data.data = stage->bytes + stage->offset;
	chunk.data.len = left < limit ? left : limit;
	request.body_case = MACHINE__REQUEST__BODY_STAGE_CHUNK;
	request.stage_chunk = &chunk;
	stage_ask(job, &request, stage_on_progress);
}

/*
 * Asks for room and for the offset to go on from, which a file that was staged before has behind
 * it.
 */
static void stage_begin(struct job *job)
{
	struct job_stage *stage = stage_current(job);
	Machine__StageBegin begin = MACHINE__STAGE_BEGIN__INIT;
	Machine__Request request = MACHINE__REQUEST__INIT;

	begin.hash.data = stage->hash;
	begin.hash.len = sizeof(stage->hash);
	begin.len = stage->size;
	request.body_case = MACHINE__REQUEST__BODY_STAGE_BEGIN;
	request.stage_begin = &begin;
	stage_ask(job, &request, stage_on_progress);
}

/*
 * Read whole, and freed with the job: a file that changes while it is staged would fail by its
 * hash, late.
 */
static int stage_load(struct job_stage *stage, const char *path, const uint8_t hash[64])
{
	free(stage->bytes);
	*stage = (struct job_stage){0};
	memcpy(stage->hash, hash, sizeof(stage->hash));
	return err_up(file_read(path, JOB_STAGE_FILE_MAX, &stage->bytes, &stage->size));
}

static void stage_made(struct job *job)
{
	if (!job_draw_made(job)) {
		return;
	}
	hook_point("stage", "drawn");
	if (job_kit_files(job)) {
		stage_admit(job);
	}
}

static void stage_variant(struct job *job)
{
	_cleanup_(freep) char *payload = NULL;
	int r;

	if (!job_kit_files(job)) {
		return;
	}
	payload = job_part_path(job->parts);
	r = stage_load(&job->stage[job->n_stage], payload, job->parts->variant.payload_hash);
	if (r < 0) {
		/* Somebody tidied up: the payload can be made again from its seed. */
		err_forget();
		job_back(job, JOB_ON_PAYLOAD_LOST, "its payload cannot be read");
		return;
	}
	job->n_stage++;
	stage_admit(job);
}

void job_step_stage(struct job *job)
{
	if (job->row.machine_made) {
		stage_made(job);
	} else {
		stage_variant(job);
	}
}
