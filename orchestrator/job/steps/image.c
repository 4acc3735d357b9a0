/*
 * The step that makes the boot image of a machine: the signed variants of all its services, the
 * signed root, a starting statement, a seed for the machine's random source; and the kernel, in a
 * place that is drawn for this start. lud writes a list of
 * them, and a worker of the forge makes the image, since that takes reading kits. The list holds
 * the seed and is deleted at once; the image is deleted when QEMU has it (process.c). The
 * kernel stays until the next start, since a panic is read with it.
 *
 * Its files are not brought to disk: what the power takes, it takes with the machine that they start.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "host/base/file.h"
#include "host/text/hex.h"
#include "orchestrator/job/core/statement.h"
#include "orchestrator/job/steps/priv.h"
#include "orchestrator/machine/qemu/qemu.h"
#include "orchestrator/work/kit.h"

/* The kernel loads these itself: the boot image's format fixes their slots. */
#define JOB_KERNEL_LOADED 2
/* The starting statement, in the machine's directory. */
#define JOB_STATEMENT "statement.envelope"

/*
 * What the image has once: who the machine is, a seed for its random source, the time it starts
 * from, root and statement. The seed is drawn here and is nowhere but in this file.
 */
static void image_head(const struct job *job, FILE *file)
{
	const struct machine_row *machine = machine_row(job->machine);
	uint8_t seed[32];
	char digits[2 * sizeof(seed) + 1];

	_Static_assert(sizeof(machine->machine_id) <= sizeof(seed), "its digits have room");
	fprintf(file, "machine_id %s",
	        hex_write(machine->machine_id, sizeof(machine->machine_id), digits));
	while (getrandom(seed, sizeof(seed), 0) != sizeof(seed)) {
	}
	fprintf(file, "\nrandom_seed %s", hex_write(seed, sizeof(seed), digits));
	fprintf(file, "\nboot_time %lld\nroot " FORGE_ROOT "\nstatement " JOB_STATEMENT "\n",
	        (long long)time(NULL));
	if (!config_keeps_kits(job->engine->parts.config, machine->name)) {
		fputs("cmdline kits=none\n", file);
	}
	explicit_bzero(seed, sizeof(seed));
	explicit_bzero(digits, sizeof(digits));
}

/*
 * One line of the list, and the envelope beside it. The floor is the higher of the release's and
 * of what the machine said last, so that a machine never boots below what it ran.
 */
static int image_part(struct job_part *part, size_t at, const char *dir, FILE *file)
{
	struct job *job = part->job;
	const Machine__Service *last = machine_service(job->machine, part->release.service);
	_cleanup_(freep) char *kit = forge_kit_name(part->release.path);
	_cleanup_(freep) char *path = text_format("%s/%s.envelope", dir, part->release.service);
	_cleanup_(freep) uint8_t *envelope = NULL;
	char release[2 * FORGE_RELEASE_SIZE + 1];
	size_t size;
	int r;

	forge_release_text(part->release.release_id, release);
	r = store_generation_envelope(job->engine->parts.db, part->generation.id, &envelope, &size);
	if (!r) {
		r = file_write_unsynced(path, envelope, size);
	}
	if (r) {
		return err_fold(r);
	}
	fprintf(file,
	        "service %s%s kit %s release %s payload %s.payload envelope %s.envelope generation "
	        "%" PRIu64 " floor %" PRId64 "\n",
	        part->release.service, at < JOB_KERNEL_LOADED ? " kernel" : "", kit, release,
	        part->release.service, part->release.service, part->generation.number,
	        last && last->floor > part->release.floor ? (int64_t)last->floor
	                                                  : part->release.floor);
	return 0;
}

/* The list as luforge(1) reads it. Its errors are those of the disk. */
static int image_list(struct job *job, const char *dir, const char *path)
{
	_cleanup_(file_closep) FILE *file = fopen(path, "we");
	int r = 0;

	if (!file) {
		return err_raise(-errno);
	}
	image_head(job, file);
	for (size_t i = 0; !r && i < job->n_parts; i++) {
		r = image_part(&job->parts[i], i, dir, file);
	}
	if (!r && (fflush(file) || ferror(file))) {
		r = err_raise(-EIO);
	}
	return err_up(r);
}

/* The image is there, or is not: the list goes either way. */
static void image_made(const struct failure *failure, void *arg)
{
	struct job *job = ((struct job_part *)arg)->job;
	_cleanup_(freep) char *list = text_format("%s/boot.list", machine_dir(job->machine));
	char detail[48] = "";

	job->parts->task = NULL;
	/* It holds the seed of the machine's random source. */
	(void)unlink(list);
	if (failure) {
		job_fail(job, JOB_FAILED, failure);
		return;
	}
	if (machine_row(job->machine)->kernel) {
		snprintf(detail, sizeof(detail), "kernel generation %" PRIu64,
		        machine_row(job->machine)->kernel);
	}
	job_done(job, detail, NULL, NULL);
}

/* What the list names, to the worker's bench. */
/* Kits are not put: the worker has the store of kits open. */
static void image_put(const struct job *job, const char *dir)
{
	_cleanup_(freep) char *statement = text_format("%s/" JOB_STATEMENT, dir);

	forge_task_put(job->parts->task, statement, JOB_STATEMENT);
	for (size_t i = 0; i < job->n_parts; i++) {
		const char *service = job->parts[i].release.service;
		_cleanup_(freep) char *payload = job_part_path(&job->parts[i]);
		_cleanup_(freep) char *payload_name = text_format("%s.payload", service);
		_cleanup_(freep) char *envelope = text_format("%s/%s.envelope", dir, service);
		_cleanup_(freep) char *envelope_name = text_format("%s.envelope", service);

		forge_task_put(job->parts->task, payload, payload_name);
		forge_task_put(job->parts->task, envelope, envelope_name);
	}
}

static bool image_kernel_is_drawn(const struct job *job)
{
	return !strcmp(job->engine->parts.config->machine_kernel_place, "drawn");
}

/*
 * The kernel's generation is recorded before its place is drawn; a start that is begun again has another one. The
 * kernel of an earlier start goes: without a file of its own a machine has the kernel as it was linked.
 */
static int image_kernel_begin(const struct job *job, const char *dir)
{
	_cleanup_(freep) char *kernel = text_format("%s/" QEMU_KERNEL, dir);
	int r = unlink(kernel) < 0 && errno != ENOENT ? err_raise(-errno) : 0;

	return r ? err_up(r)
	         : err_up(machine_draw_kernel(job->machine, image_kernel_is_drawn(job)));
}

/* The kernel of this start, in a place that is drawn here: the seed is nowhere, the place in that file alone. */
static void image_kernel(const struct job *job, const char *dir)
{
	const struct config *config = job->engine->parts.config;
	_cleanup_(freep) char *out = text_format("%s/" QEMU_KERNEL, dir);
	uint8_t seed[FORGE_SEED_SIZE];
	const struct forge_kernel kernel = {.path = config->kernel,
	        .out = out,
	        .seed = seed,
	        .memory_bytes = config->machine_memory_bytes};

	if (!image_kernel_is_drawn(job)) {
		return;
	}
	while (getrandom(seed, sizeof(seed), 0) != sizeof(seed)) {
	}
	forge_task_kernel(job->parts->task, &kernel);
	explicit_bzero(seed, sizeof(seed));
}

/* Said to the launch, which may be another lud's, with another configuration. */
static int image_memory(const struct job *job, const char *dir)
{
	_cleanup_(freep) char *path = text_format("%s/" QEMU_MEMORY, dir);
	char text[32];
	int n = snprintf(text, sizeof(text), "%" PRIu64 "\n",
	        job->engine->parts.config->machine_memory_bytes);

	return err_up(file_write_unsynced(path, text, (size_t)n));
}

/* With the statement signed, the list of the image can be written. */
static void image_stated(
        const struct failure *failure, const uint8_t *envelope, size_t size, void *arg)
{
	struct job *job = arg;
	const char *dir = machine_dir(job->machine);
	_cleanup_(freep) char *list = text_format("%s/boot.list", dir);
	_cleanup_(freep) char *image = text_format("%s/" QEMU_IMAGE, dir);
	_cleanup_(freep) char *statement = text_format("%s/" JOB_STATEMENT, dir);
	int r;

	if (failure) {
		job_fail(job, JOB_FAILED, failure);
		return;
	}
	r = image_kernel_begin(job, dir);
	if (!r) {
		r = file_write_unsynced(statement, envelope, size);
	}
	if (!r) {
		r = image_list(job, dir, list);
	}
	if (!r) {
		r = image_memory(job, dir);
	}
	if (r < 0) {
		job_start_fail(job, "the boot image cannot be prepared", r);
		return;
	}
	job->parts->task =
	        forge_image(job->engine->parts.forge, list, image, image_made, job->parts);
	image_put(job, dir);
	image_kernel(job, dir);
}

/* A machine boots with the keyring's root, and takes no variant of an earlier one. */
static bool image_root_moved(const struct job *job)
{
	uint64_t serial;
	int r = kit_root_serial(job->engine->parts.config->keyring, &serial);
	bool moved = false;

	for (size_t i = 0; r == 0 && i < job->n_parts; i++) {
		moved = moved || job->parts[i].generation.epoch != serial;
	}
	err_forget();
	return moved;
}

/*
 * The directory is made with the first start of a machine. Under a root that was renewed since
 * signing, the variants are signed again: their payloads stay.
 */
void job_step_image(struct job *job)
{
	int r = job_parts_load(job);

	if (!r && image_root_moved(job)) {
		job_back(job, JOB_ON_NEW_ROOT, "the signed root was renewed meanwhile");
		return;
	}

	if (!r) {
		r = dir_make(machine_dir(job->machine));
	}
	if (r < 0) {
		job_start_fail(job, "the boot image cannot be begun", r);
		return;
	}
	statement_ask(job->engine, job->machine, image_stated, job);
}
