/*
 * The step that draws: which services, which release of each, a fresh seed sealed to
 * the audit key, and the next generation number. Nothing is recorded before all seeds
 * are sealed; then everything is, in one transaction with the end of the step. The
 * seeds themselves stay in memory, until the job ends (core/parts.c): a lud that dies before the
 * machine has them draws others, and what it drew is abandoned.
 *
 *   seed        from the system's random source, kept in the part
 *   commitment  to it, for this release and recipe: in the record, and in the variant that is signed
 *   sealed      for the audit key: in the record; nobody online can open it
 *
 * So whoever audits can later show which layout ran, and lud itself cannot. All of it may have been made
 * ahead (idle/prebuilt.c): then there is nothing to draw, and the payload is there, too.
 *
 * Where the machine makes the layout there is no such step, and no seed here: the step that stages
 * draws the number alone, by job_draw_made().
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "host/base/file.h"
#include "orchestrator/job/idle/idle.h"
#include "orchestrator/job/steps/priv.h"
#include "proto/envelope/seed.h"
#include "proto/image/link.h"

static void seed_ask(struct job *job);

/* The services that a machine starts with, by the configuration's words. */
static int seed_start_parts(struct job *job, struct failure *ret_failure)
{
	_cleanup_(freep) char *words = text_copy(job->engine->parts.config->machine_services);
	char *rest = words;
	char *word;

	job->parts = mem_zero(JOB_PARTS_MAX * sizeof(*job->parts));
	while ((word = strsep(&rest, " ")) && job->n_parts < JOB_PARTS_MAX) {
		struct job_part *part = &job->parts[job->n_parts];
		int r;

		if (!*word) {
			continue;
		}
		r = store_release_newest_free(job->engine->parts.db, word, &part->release);
		if (r) {
			failure_set(ret_failure, "no-release", word,
			        "build the kits, sign them with `luctl release sign` and add them "
			        "with "
			        "`luctl release add`, or change machine.services",
			        "no release of %s is registered that is not blocked", word);
			return err_fold(r);
		}
		part->job = job;
		job->n_parts++;
	}
	return 0;
}

/*
 * The parts before anything is drawn: only job and release are set. On an error ret_failure is
 * filled in.
 */
static int seed_parts(struct job *job, struct failure *ret_failure)
{
	int r;

	job_parts_free(job);
	job->n_done = 0;
	if (job->row.kind == JOB_START) {
		return err_up(seed_start_parts(job, ret_failure));
	}
	job->parts = mem_zero(sizeof(*job->parts));
	job->parts->job = job;
	job->n_parts = 1;
	r = store_release_by_id(job->engine->parts.db, job->row.release, &job->parts->release);
	if (r) {
		failure_set(ret_failure, "no-release", job->row.service, "add the release again",
		        "the release of the job is not in the record any more");
	}
	return err_fold(r);
}

/*
 * The service's row is made when it is met for the first time. Its number is drawn by a counter
 * in that row, which only rises, so that a number given up is never used again.
 */
static int seed_write_part(struct db *db, struct job_part *part)
{
	struct job *job = part->job;
	struct service_row service;
	int r;

	part->variant.release = part->release.id;
	r = store_service_ensure(db, job->row.machine, part->release.service, &service);
	if (!r) {
		r = store_service_draw(db, service.id, &part->generation.number);
	}
	if (!r) {
		r = store_variant_insert(db, &part->variant);
	}
	if (!r) {
		part->generation.service = service.id;
		part->generation.variant = part->variant.id;
		part->generation.job = job->row.id;
		part->generation.state = GENERATION_PLANNED;
		r = store_generation_insert(db, &part->generation);
	}
	return err_fold(r);
}

/* What an earlier attempt at this step drew. Whatever has left PLANNED has its own end. */
static int seed_abandon(const struct generation_row *row, void *arg)
{
	return row->state != GENERATION_PLANNED
	               ? 0
	               : err_up(store_generation_set_state(arg, row->id, GENERATION_ABANDONED));
}

/*
 * Drawn in one transaction with the end of the step: a number without its variant is never seen.
 */
static int seed_write(struct db *db, void *arg)
{
	struct job *job = arg;
	int r = store_generation_each_of(db, job->row.id, seed_abandon, db);

	for (size_t i = 0; !r && i < job->n_parts; i++) {
		r = seed_write_part(db, &job->parts[i]);
	}
	if (!r && job->row.kind != JOB_START) {
		job->row.generation = job->parts->generation.number;
	}
	return err_up(r);
}

/* Outside of the step seed nothing else writes the job's row. */
static int seed_write_made(struct db *db, void *arg)
{
	struct job *job = arg;
	int r = seed_write(db, job);

	return r ? err_up(r) : err_up(store_job_update(db, &job->row));
}

bool job_is_overtaken(const struct job *job)
{
	int r = store_generation_later(
	        job->engine->parts.db, job->row.machine, job->row.service, job->row.generation);

	if (r) {
		err_forget();
	}
	return job->row.generation && !r;
}

/* A number that was drawn and never run is as good as a new one, unless another job went first meanwhile. */
bool job_draw_made(struct job *job)
{
	struct failure failure = {0};

	if (job->row.generation && !job_is_overtaken(job)) {
		return true;
	}
	if (seed_parts(job, &failure) < 0) {
		job_fail(job, JOB_FAILED, &failure);
		return false;
	}
	job->parts->variant.recipe = LINK_RECIPE;
	job->parts->variant.machine_made = true;
	return job_record(job, seed_write_made, job);
}

static void seed_sealed(const struct failure *failure, const struct signer_reply *reply, void *arg)
{
	struct job_part *part = arg;
	struct job *job = part->job;
	struct failure refused;

	if (!failure && reply->status != SIGNER_OK) {
		failure_set(&refused, "signer", "seal", "see `luctl keys list`",
		        "the signer does not seal a seed: %s", reply->text);
		failure = &refused;
	}
	if (failure) {
		job_fail(job, JOB_FAILED, failure);
		return;
	}
	memcpy(part->variant.seed_sealed, reply->sealed, SIGNER_SEALED_SIZE);
	part->variant.seed_sealed_size = SIGNER_SEALED_SIZE;
	job->n_done++;
	seed_ask(job);
}

/* Seals the next seed, of those parts that were not made ahead, or ends the step. */
static void seed_ask(struct job *job)
{
	struct signer_request request = {.op = SIGNER_SEAL};
	struct job_part *part;
	struct failure failure;

	while (job->n_done < job->n_parts && prebuilt_take(job->engine, &job->parts[job->n_done])) {
		job->n_done++;
	}
	part = &job->parts[job->n_done];
	if (job->n_done == job->n_parts) {
		job_done(job, "", seed_write, job);
		return;
	}
	if (getrandom(request.seal.seed, sizeof(request.seal.seed), 0) !=
	        sizeof(request.seal.seed)) {
		failure_set(&failure, "random", "lud", "", "the system gives no random bytes");
		job_fail(job, JOB_FAILED, &failure);
		return;
	}
	part->variant.recipe = LINK_RECIPE;
	envelope_seed_commit(part->release.release_id, LINK_RECIPE, request.seal.seed,
	        part->variant.seed_commit);
	/* Binds the sealed seed to its commitment, which the signed variant carries. */
	memcpy(request.seal.context, part->variant.seed_commit, sizeof(request.seal.context));
	memcpy(part->seed, request.seal.seed, sizeof(part->seed));
	part->has_seed = true;
	signer_client_ask(job->engine->parts.signer, &request, seed_sealed, part);
	explicit_bzero(&request, sizeof(request));
}

void job_step_seed(struct job *job)
{
	struct failure failure = {0};
	int r = seed_parts(job, &failure);

	if (r < 0) {
		job_fail(job, JOB_FAILED, &failure);
		return;
	}
	seed_ask(job);
}
