/*
 * Variants made ahead, for jobs on the host's road: such a job finds seed, sealed seed and payload and goes
 * on to the signer, which looks at them as at any other.
 *
 *   drawn -> sealed by the signer -> made by a worker -> ready -> taken by a job
 *
 * Seeds are in memory and nowhere else, as those of jobs are. So what was made ahead does not outlive lud:
 * a payload whose seed is lost can neither be signed nor proved, and is removed at the next start. Each is
 * of one machine, and leaves the list before a job has it: no two machines, and no two jobs, get the
 * same. It is thrown away when the machine runs another release, when that release is blocked or not
 * registered any more, and when the signed root has changed, which every change of a key does: the seed
 * is sealed to a key of the root.
 *
 * A few machines are looked at in each turn, and a few variants, round and round: what that costs does not grow with either.
 * One is made at a time, and none for a machine that a job works on. A release of which none could be made (its kit is damaged,
 * the disk is full, there is no signer) is passed by, each time for twice as long, which is told with the cause: others have
 * theirs meanwhile, and jobs make their own. Another root is a new start for these, too.
 */
#include <dirent.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

#include "host/base/elapsed.h"
#include "host/base/file.h"
#include "host/base/log.h"
#include "orchestrator/job/core/job.h"
#include "orchestrator/job/idle/idle.h"
#include "orchestrator/work/kit.h"
#include "proto/envelope/envelope_crypto.h"
#include "proto/envelope/seed.h"
#include "proto/image/image.h"
#include "proto/image/link.h"

#define PREBUILT_MARK "ahead-"
/* How often it is looked what is missing, and what is stale. */
#define PREBUILT_LOOK_SEC 1
/* For how long a release is passed by at first, and at most. */
#define PREBUILT_PASS_SEC 5
#define PREBUILT_PASS_SEC_MAX 600
/* How many machines, and how many variants, in one look. */
#define PREBUILT_MACHINES 16
#define PREBUILT_VARIANTS 64
#define PREBUILT_PAYLOAD_MAX (64u << 20)

struct prebuilt_variant {
	TAILQ_ENTRY(prebuilt_variant) link;
	struct prebuilt *prebuilt;
	int64_t machine;
	struct release_row release;
	struct variant_row variant; /* recipe, commitment, sealed seed */
	uint8_t seed[FORGE_SEED_SIZE];
	struct job_ahead ahead;
	bool ready;
};

/* A release of which none could be made, the last time that it was tried. */
struct prebuilt_trouble {
	LIST_ENTRY(prebuilt_trouble) link;
	int64_t release;
	int sec;            /* for how long it is passed by */
	int64_t until_usec; /* elapsed_usec() */
};

struct prebuilt {
	struct engine *engine;
	struct event *timer;
	TAILQ_HEAD(prebuilt_list, prebuilt_variant)
	variants;                        /* those that were looked at longest ago first */
	struct prebuilt_variant *making; /* the one that is not ready; NULL: all are */
	struct forge_task *task;         /* makes it; owned */
	LIST_HEAD(, prebuilt_trouble) troubles;
	char after[sizeof(((struct machine_row *)NULL)
	                ->name)]; /* the last machine that was looked at, and lacks nothing */
	uint8_t root[64];         /* hash of the root that all are for */
	uint64_t n_made;          /* for names of files */
};

static void prebuilt_look_in(struct prebuilt *prebuilt, int sec)
{
	struct timeval pause = {sec, 0};

	evtimer_add(prebuilt->timer, &pause);
}

/* The file goes with it. Whoever is asked for it will not answer. */
static void prebuilt_drop(struct prebuilt_variant *it)
{
	struct prebuilt *prebuilt = it->prebuilt;

	if (!it->ready) {
		prebuilt->task = forge_task_free(prebuilt->task);
		signer_client_forget(prebuilt->engine->parts.signer, it);
		prebuilt->making = NULL;
	}
	TAILQ_REMOVE(&prebuilt->variants, it, link);
	job_ahead_drop(&it->ahead);
	explicit_bzero(it, sizeof(*it));
	free(it);
}

static struct prebuilt_trouble *prebuilt_trouble(const struct prebuilt *prebuilt, int64_t release)
{
	struct prebuilt_trouble *trouble = LIST_FIRST(&prebuilt->troubles);

	while (trouble && trouble->release != release) {
		trouble = LIST_NEXT(trouble, link);
	}
	return trouble;
}

static void prebuilt_trouble_end(struct prebuilt_trouble *trouble)
{
	if (trouble) {
		LIST_REMOVE(trouble, link);
		free(trouble);
	}
}

static bool prebuilt_passes_by(const struct prebuilt *prebuilt, int64_t release)
{
	const struct prebuilt_trouble *trouble = prebuilt_trouble(prebuilt, release);

	return trouble && elapsed_usec() < trouble->until_usec;
}

/* It could not be made, and is given up: what others run does not wait for that. */
static void prebuilt_pass_by(struct prebuilt_variant *it, const char *why)
{
	struct prebuilt *prebuilt = it->prebuilt;
	struct prebuilt_trouble *trouble = prebuilt_trouble(prebuilt, it->release.id);

	if (!trouble) {
		trouble = mem_zero(sizeof(*trouble));
		trouble->release = it->release.id;
		LIST_INSERT_HEAD(&prebuilt->troubles, trouble, link);
	}
	trouble->sec = !trouble->sec                              ? PREBUILT_PASS_SEC
	               : trouble->sec < PREBUILT_PASS_SEC_MAX / 2 ? 2 * trouble->sec
	                                                          : PREBUILT_PASS_SEC_MAX;
	trouble->until_usec = elapsed_usec() + trouble->sec * INT64_C(1000000);
	log_warn("no variant of %s, release %" PRId64
	         ", is made ahead; updates make their own, and it is tried again in %d s: %s",
	        it->release.service, it->release.counter, trouble->sec, why);
	prebuilt_drop(it);
	prebuilt_look_in(prebuilt, PREBUILT_LOOK_SEC);
}

/* What the worker made: a payload of the service, by its own word; the signer looks closer. */
static int prebuilt_read(struct prebuilt_variant *it)
{
	_cleanup_(freep) uint8_t *bytes = NULL;
	struct image_view view;
	size_t size;
	int r = file_read(it->ahead.path, PREBUILT_PAYLOAD_MAX, &bytes, &size);

	if (r < 0) {
		return err_up(r);
	}
	if (image_check(bytes, size, &view) != IMAGE_OK ||
	        strcmp(view.header->service, it->release.service) != 0) {
		return err_raise(-EBADMSG);
	}
	it->ahead.len = (int64_t)size;
	envelope_hash(bytes, size, it->ahead.hash);
	return 0;
}

static void prebuilt_on_made(const struct failure *failure, void *arg)
{
	struct prebuilt_variant *it = arg;
	struct prebuilt *prebuilt = it->prebuilt;
	int r = 0;

	prebuilt->task = NULL;
	if (!failure) {
		r = prebuilt_read(it);
	}
	if (failure || r < 0) {
		err_forget();
		prebuilt_pass_by(it, failure ? failure->cause : strerror(-r));
		return;
	}
	prebuilt_trouble_end(prebuilt_trouble(prebuilt, it->release.id));
	it->ready = true;
	prebuilt->making = NULL;
	prebuilt_look_in(prebuilt, 0);
}

static void prebuilt_on_sealed(
        const struct failure *failure, const struct signer_reply *reply, void *arg)
{
	struct prebuilt_variant *it = arg;
	struct prebuilt *prebuilt = it->prebuilt;

	if (failure || reply->status != SIGNER_OK) {
		prebuilt_pass_by(it, failure ? failure->cause : reply->text);
		return;
	}
	memcpy(it->variant.seed_sealed, reply->sealed, SIGNER_SEALED_SIZE);
	it->variant.seed_sealed_size = SIGNER_SEALED_SIZE;
	prebuilt->task = forge_variant(prebuilt->engine->parts.forge,
	        &(const struct forge_kit){it->release.path, it->release.release_id}, it->seed,
	        it->ahead.path, prebuilt_on_made, it);
}

static void prebuilt_seal(struct prebuilt_variant *it)
{
	struct signer_request request = {.op = SIGNER_SEAL};

	memcpy(request.seal.seed, it->seed, sizeof(it->seed));
	/* Binds the sealed seed to its commitment, as in the step that draws. */
	memcpy(request.seal.context, it->variant.seed_commit, sizeof(request.seal.context));
	signer_client_ask(it->prebuilt->engine->parts.signer, &request, prebuilt_on_sealed, it);
	explicit_bzero(&request, sizeof(request));
}

static void prebuilt_make(
        struct prebuilt *prebuilt, const struct machine *machine, const struct release_row *release)
{
	struct prebuilt_variant *it = mem_zero(sizeof(*it));
	const char *state_dir = prebuilt->engine->parts.config->state_dir;
	_cleanup_(freep) char *dir = text_format("%s/variants", state_dir);
	int r = dir_make(dir);

	it->prebuilt = prebuilt;
	it->machine = machine_row(machine)->id;
	it->release = *release;
	it->ahead.path =
	        text_format("%s/" PREBUILT_MARK "%" PRIu64 ".payload", dir, ++prebuilt->n_made);
	TAILQ_INSERT_TAIL(&prebuilt->variants, it, link);
	prebuilt->making = it;
	if (r < 0 || getrandom(it->seed, sizeof(it->seed), 0) != sizeof(it->seed)) {
		err_forget();
		prebuilt_pass_by(it, r < 0 ? strerror(-r) : "the system gives no random bytes");
		return;
	}
	it->variant.recipe = LINK_RECIPE;
	envelope_seed_commit(release->release_id, LINK_RECIPE, it->seed, it->variant.seed_commit);
	prebuilt_seal(it);
}

/* The release that a service of the machine runs, if variants of it are wanted. */
static bool prebuilt_release(const struct prebuilt *prebuilt, const struct machine *machine,
        const Machine__Service *service, struct release_row *ret)
{
	bool is_known = machine_release(prebuilt->engine->parts.db, service, ret) == 0;

	err_forget();
	return is_known && service->can_update && !ret->blocked_us &&
	       config_prebuilt(prebuilt->engine->parts.config, machine_row(machine)->name,
	               service->name) > 0;
}

/* A machine that does not answer runs what it ran, as far as anybody knows. */
static bool prebuilt_is_stale(const struct prebuilt_variant *it)
{
	const struct machine *machine = machines_by_id(it->prebuilt->engine->machines, it->machine);
	const Machine__Service *service =
	        machine ? machine_service(machine, it->release.service) : NULL;
	struct release_row release;

	return !service || !prebuilt_release(it->prebuilt, machine, service, &release) ||
	       release.id != it->release.id;
}

/* False: there is no root to make anything for. A changed one ends all that was made before. */
static bool prebuilt_root(struct prebuilt *prebuilt, bool *ret_changed)
{
	_cleanup_(freep) uint8_t *root = NULL;
	uint8_t hash[sizeof(prebuilt->root)];
	size_t size;

	if (kit_root_read(prebuilt->engine->parts.config->keyring, &root, &size) < 0) {
		err_forget();
		return false;
	}
	envelope_hash(root, size, hash);
	*ret_changed = memcmp(hash, prebuilt->root, sizeof(hash)) != 0;
	memcpy(prebuilt->root, hash, sizeof(hash));
	return true;
}

/* Nothing is made, and nothing is passed by. */
static void prebuilt_begin_anew(struct prebuilt *prebuilt)
{
	while (!TAILQ_EMPTY(&prebuilt->variants)) {
		prebuilt_drop(TAILQ_FIRST(&prebuilt->variants));
	}
	while (!LIST_EMPTY(&prebuilt->troubles)) {
		prebuilt_trouble_end(LIST_FIRST(&prebuilt->troubles));
	}
}

/*
 * False: all are thrown away, since they are for another root, or there is none. What could not be made under the one
 * before is tried again, since a key may have been all that was missing.
 */
static bool prebuilt_keep(struct prebuilt *prebuilt)
{
	bool is_changed = false;

	if (prebuilt_root(prebuilt, &is_changed) && !is_changed) {
		return true;
	}
	prebuilt_begin_anew(prebuilt);
	return false;
}

/* Some of them, those that were looked at longest ago; each once. */
static void prebuilt_tidy(struct prebuilt *prebuilt)
{
	struct prebuilt_variant *last = TAILQ_LAST(&prebuilt->variants, prebuilt_list);

	for (int i = 0; last && i < PREBUILT_VARIANTS; i++) {
		struct prebuilt_variant *it = TAILQ_FIRST(&prebuilt->variants);
		bool is_last = it == last;

		if (prebuilt_is_stale(it)) {
			prebuilt_drop(it);
		} else {
			TAILQ_REMOVE(&prebuilt->variants, it, link);
			TAILQ_INSERT_TAIL(&prebuilt->variants, it, link);
		}
		if (is_last) {
			break;
		}
	}
}

/* What there is for a service of a machine, ready or not. */
static unsigned int prebuilt_count(
        const struct prebuilt *prebuilt, const struct machine *machine, const char *service)
{
	const struct prebuilt_variant *it;
	unsigned int n = 0;

	TAILQ_FOREACH(it, &prebuilt->variants, link)
	{
		n += it->machine == machine_row(machine)->id &&
		     !strcmp(it->release.service, service);
	}
	return n;
}

/* The first service of the machine that lacks one which can be made. */
static bool prebuilt_machine(struct prebuilt *prebuilt, const struct machine *machine)
{
	const Machine__Status *status = machine_status(machine);
	const struct config *config = prebuilt->engine->parts.config;
	struct release_row release;

	for (size_t i = 0; status && i < status->n_services; i++) {
		const Machine__Service *service = status->services[i];

		if (prebuilt_release(prebuilt, machine, service, &release) &&
		        !prebuilt_passes_by(prebuilt, release.id) &&
		        prebuilt_count(prebuilt, machine, service->name) <
		                config_prebuilt(
		                        config, machine_row(machine)->name, service->name)) {
			prebuilt_make(prebuilt, machine, &release);
			return true;
		}
	}
	return false;
}

/* Some machines, from where the last look ended; it stays at one for which one is made, which may lack more. */
static void prebuilt_next(struct prebuilt *prebuilt)
{
	struct machine *machine;

	for (int i = 0; i < PREBUILT_MACHINES; i++) {
		machine = machines_turn(prebuilt->engine->machines, prebuilt->after);
		if (!machine || (machine_state(machine) == MACHINE_UP && !engine_is_busy(machine) &&
		                        prebuilt_machine(prebuilt, machine))) {
			return;
		}
		snprintf(
		        prebuilt->after, sizeof(prebuilt->after), "%s", machine_row(machine)->name);
	}
}

static void prebuilt_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct prebuilt *prebuilt = arg;

	prebuilt_look_in(prebuilt, PREBUILT_LOOK_SEC);
	if (!*prebuilt->engine->parts.config->prebuilt && TAILQ_EMPTY(&prebuilt->variants)) {
		return;
	}
	if (prebuilt_keep(prebuilt)) {
		prebuilt_tidy(prebuilt);
	}
	if (!prebuilt->making) {
		prebuilt_next(prebuilt);
	}
}

/* What an earlier lud made ahead: its seeds went with it. */
static void prebuilt_sweep(const struct config *config)
{
	_cleanup_(freep) char *path = text_format("%s/variants", config->state_dir);
	DIR *dir = opendir(path);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (!strncmp(entry->d_name, PREBUILT_MARK, strlen(PREBUILT_MARK))) {
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
		}
	}
	if (dir) {
		closedir(dir);
	}
}

struct prebuilt *prebuilt_new(struct engine *engine)
{
	struct prebuilt *prebuilt = mem_zero(sizeof(*prebuilt));

	prebuilt->engine = engine;
	TAILQ_INIT(&prebuilt->variants);
	LIST_INIT(&prebuilt->troubles);
	prebuilt->timer = evtimer_new(engine->parts.base, prebuilt_on_timer, prebuilt);
	if (!prebuilt->timer) {
		abort();
	}
	prebuilt_sweep(engine->parts.config);
	prebuilt_look_in(prebuilt, 0);
	return prebuilt;
}

struct prebuilt *prebuilt_free(struct prebuilt *prebuilt)
{
	if (!prebuilt) {
		return NULL;
	}
	prebuilt_begin_anew(prebuilt);
	event_free(prebuilt->timer);
	free(prebuilt);
	return NULL;
}

static void prebuilt_give(struct prebuilt_variant *it, struct job_part *part)
{
	part->variant = it->variant;
	memcpy(part->seed, it->seed, sizeof(part->seed));
	part->has_seed = true;
	part->ahead = it->ahead;
	it->ahead.path = NULL;
	prebuilt_drop(it);
}

bool prebuilt_take(struct engine *engine, struct job_part *part)
{
	struct prebuilt *prebuilt = engine->prebuilt;
	struct prebuilt_variant *it;

	if (!prebuilt || TAILQ_EMPTY(&prebuilt->variants)) {
		return false;
	}
	if (!prebuilt_keep(prebuilt)) {
		return false;
	}
	TAILQ_FOREACH(it, &prebuilt->variants, link)
	{
		if (it->ready && it->machine == machine_row(part->job->machine)->id &&
		        it->release.id == part->release.id && !prebuilt_is_stale(it)) {
			prebuilt_give(it, part);
			prebuilt_look_in(prebuilt, 0);
			return true;
		}
	}
	return false;
}

size_t prebuilt_ready(const struct engine *engine)
{
	const struct prebuilt_variant *it;
	size_t n = 0;

	if (!engine->prebuilt) {
		return 0;
	}
	TAILQ_FOREACH(it, &engine->prebuilt->variants, link)
	{
		n += it->ready;
	}
	return n;
}
