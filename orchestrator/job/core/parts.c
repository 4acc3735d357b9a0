/*
 * The generations that a job makes, as its steps work on them: one for an update, one a
 * service for the start of a machine. They are loaded from the record when a step needs them,
 * and may be loaded again at any time. What a job drew and gave up (its layout hit the running one,
 * or its seed was lost) is not among them.
 *
 * Seeds are nowhere but here, and pass from the old parts to the new ones. Three need them: the
 * forge, the signer, which makes the layout again before it signs, and the machine, which does before it
 * runs it. So they are kept until the job ends, or stands still; a lud that takes a job up before
 * the machine has its seed draws another, for nobody online can open a sealed one.
 *
 * Payload files are tidied here too: of a service, those of the newest variants are kept.
 */
#include <errno.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/job/core/priv.h"

#define JOB_TIDY_MAX 64u

/* What a job drew and drew again is not wanted: its layout hit, or its seed was lost. */
static bool parts_wanted(const struct job *job, const struct generation_row *row)
{
	if (job->row.kind == JOB_START) {
		return row->state != GENERATION_ABANDONED && row->state != GENERATION_REFUSED;
	}
	return row->number == job->row.generation;
}

static int parts_count(const struct generation_row *row, void *arg)
{
	struct job *job = arg;

	job->n_parts += parts_wanted(job, row);
	return 0;
}

/* Fills the next part; the rows come in the order in which they were drawn, in each reading. */
static int parts_row(const struct generation_row *row, void *arg)
{
	struct job *job = arg;
	struct job_part *part = &job->parts[job->n_done];
	struct db *db = job->engine->parts.db;
	int r;

	if (!parts_wanted(job, row)) {
		return 0;
	}
	job->n_done++;
	part->job = job;
	part->generation = *row;
	r = store_variant_by_id(db, row->variant, &part->variant);
	if (!r) {
		r = store_release_by_id(db, row->release, &part->release);
	}
	return err_fold(r);
}

/* Seeds are nowhere but in memory: they pass from the parts to the same parts, loaded again. */
static void parts_keep_seeds(struct job *job, struct job_part *was, size_t n_was)
{
	for (size_t i = 0; i < job->n_parts; i++) {
		for (size_t j = 0; j < n_was; j++) {
			if (was[j].has_seed && was[j].variant.id == job->parts[i].variant.id) {
				memcpy(job->parts[i].seed, was[j].seed, FORGE_SEED_SIZE);
				job->parts[i].has_seed = true;
				job->parts[i].ahead = was[j].ahead;
				was[j].ahead.path = NULL;
			}
		}
	}
}

/*
 * Two readings, to count and to fill: between them nothing is written, the loop has one thread.
 * ->n_done serves as the index of the second, and is 0 again when a step sees it.
 */
static int parts_read(struct job *job)
{
	struct db *db = job->engine->parts.db;
	int r;

	r = store_generation_each_of(db, job->row.id, parts_count, job);
	if (r < 0) {
		return err_up(r);
	}
	if (!job->n_parts || job->n_parts > JOB_PARTS_MAX) {
		job->n_parts = 0;
		return err_raise(-ENODATA);
	}
	job->parts = mem_zero(job->n_parts * sizeof(*job->parts));
	job->n_done = 0;
	r = store_generation_each_of(db, job->row.id, parts_row, job);
	job->n_done = 0;
	return err_up(r);
}

void job_ahead_drop(struct job_ahead *ahead)
{
	if (ahead->path) {
		(void)unlink(ahead->path);
	}
	free(ahead->path);
	*ahead = (struct job_ahead){0};
}

/*
 * Ends what works on them. Seeds are wiped: they open nothing of the past, but foretell a layout.
 */
static void parts_release(struct job_part *parts, size_t n_parts)
{
	for (size_t i = 0; i < n_parts; i++) {
		forge_task_free(parts[i].task);
		explicit_bzero(parts[i].seed, sizeof(parts[i].seed));
		free(parts[i].once);
		free(parts[i].envelope);
		job_ahead_drop(&parts[i].ahead);
	}
	free(parts);
}

bool job_parts_have_seeds(struct job *job)
{
	for (size_t i = 0; i < job->n_parts; i++) {
		if (!job->parts[i].has_seed) {
			job_back(job, JOB_ON_SEED_LOST, "its seed is lost; another is drawn");
			return false;
		}
	}
	return true;
}

int job_parts_load(struct job *job)
{
	struct job_part *was = job->parts;
	size_t n_was = job->n_parts;
	int r;

	job->parts = NULL;
	job->n_parts = 0;
	r = parts_read(job);
	parts_keep_seeds(job, was, n_was);
	parts_release(was, n_was);
	return err_up(r);
}

void job_parts_free(struct job *job)
{
	parts_release(job->parts, job->n_parts);
	job->parts = NULL;
	job->n_parts = 0;
}

struct job_tidy {
	int64_t ids[JOB_TIDY_MAX];
	size_t n;
};

/*
 * A file that is gone already is as good as removed. What does not fit into the list comes next
 * time.
 */
static void parts_tidy_row(int64_t id, const char *path, void *arg)
{
	struct job_tidy *tidy = arg;

	if (tidy->n < JOB_TIDY_MAX && (unlink(path) == 0 || errno == ENOENT)) {
		tidy->ids[tidy->n++] = id;
	}
}

int job_parts_tidy(struct db *db, int64_t service, int64_t kept)
{
	struct job_tidy tidy = {.n = 0};
	int r = store_variant_each_stale(db, service, kept, parts_tidy_row, &tidy);

	for (size_t i = 0; !r && i < tidy.n; i++) {
		r = store_variant_forget_file(db, tidy.ids[i]);
	}
	return err_up(r);
}

char *job_part_path(const struct job_part *part)
{
	return text_format("%s/variants/%s-%lld.payload",
	        part->job->engine->parts.config->state_dir, part->release.service,
	        (long long)part->variant.id);
}
