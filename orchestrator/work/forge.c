#include "orchestrator/work/forge.h"

#include <errno.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/wait.h>

#include "orchestrator/base/file.h"
#include "orchestrator/child/child.h"
#include "orchestrator/work/kit.h"

#define FORGE_WORDS_MAX 16
#define FORGE_TIMEOUT_USEC UINT64_C(300000000)

struct forge_task {
	TAILQ_ENTRY(forge_task) link;
	struct forge *forge;
	struct child_worker *worker; /* NULL while it waits */
	char *words[FORGE_WORDS_MAX];
	size_t n_words;
	char *beside; /* written first, then renamed to out; NULL: it places its output itself */
	char *out;
	char *ret_path; /* where a worker's line goes, the caller's; or NULL */
	char input[2 * FORGE_SEED_SIZE + 2];
	forge_fn fn;
	void *arg;
};

struct forge {
	struct event_base *base;
	char *program;
	char *root; /* file of the signed root */
	uint64_t n_idle;
	struct event *kick;
	TAILQ_HEAD(, forge_task) tasks; /* running ones first */
};

struct forge_task *forge_task_free(struct forge_task *task)
{
	static const struct timeval now = {0, 0};

	if (!task) {
		return NULL;
	}
	if (task->worker) {
		child_worker_free(task->worker);
		task->forge->n_idle++;
		evtimer_add(task->forge->kick, &now);
	}
	TAILQ_REMOVE(&task->forge->tasks, task, link);
	for (size_t i = 0; i < task->n_words; i++) {
		free(task->words[i]);
	}
	if (task->beside) {
		(void)unlink(task->beside);
	}
	explicit_bzero(task->input, sizeof(task->input));
	free(task->beside);
	free(task->out);
	free(task);
	return NULL;
}

static void forge_end(struct forge_task *task, const struct failure *failure)
{
	forge_fn fn = task->fn;
	void *arg = task->arg;

	forge_task_free(task);
	fn(failure, arg);
}

static void forge_fail(struct forge_task *task, const char *what, const char *errors)
{
	struct failure failure = {0};

	failure_set(&failure, "forge", task->words[1],
	        "run the same luforge command by hand; check the kit with `luforge inspect`",
	        "luforge %s: %s%s%.280s", task->words[1], what, *errors ? ": " : "", errors);
	forge_end(task, &failure);
}

/* The one line that a worker wrote: a path. */
static bool forge_take_path(struct forge_task *task, const struct child_result *result)
{
	size_t n = result->output_size;

	if (n < 2 || n > FORGE_PATH_SIZE || result->output[n - 1] != '\n' ||
	        memchr(result->output, '\0', n)) {
		return false;
	}
	memcpy(task->ret_path, result->output, n - 1);
	task->ret_path[n - 1] = '\0';
	return true;
}

static void forge_on_done(const struct child_result *result, void *arg)
{
	struct forge_task *task = arg;
	char status[64];

	child_status_text(result->status, status, sizeof(status));
	if (result->timed_out) {
		forge_fail(task, "took too long", "");
	} else if (!WIFEXITED(result->status) || WEXITSTATUS(result->status)) {
		forge_fail(task, status, result->errors);
	} else if (task->ret_path && !forge_take_path(task, result)) {
		forge_fail(task, "its answer makes no sense", "");
	} else if (task->beside && rename(task->beside, task->out) < 0) {
		forge_fail(task, "its output cannot be put in place", strerror(errno));
	} else {
		forge_end(task, NULL);
	}
}

static int forge_start(struct forge_task *task)
{
	struct child_job job = {
	        .argv = (const char *const *)task->words,
	        .input = task->input,
	        .input_size = strlen(task->input),
	        .timeout_usec = FORGE_TIMEOUT_USEC,
	        .done = forge_on_done,
	        .arg = task,
	};
	int r = child_worker_new(task->forge->base, &job, &task->worker);

	if (r < 0) {
		return err_up(r);
	}
	task->forge->n_idle--;
	explicit_bzero(task->input, sizeof(task->input));
	return 0;
}

/* Starts waiting tasks while workers are idle. */
static void forge_on_kick(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval now = {0, 0};
	struct forge *forge = arg;
	struct forge_task *task = TAILQ_FIRST(&forge->tasks);

	while (task && forge->n_idle) {
		struct forge_task *next = TAILQ_NEXT(task, link);

		if (!task->worker && forge_start(task) < 0) {
			forge_fail(task, "cannot be started", err_trace());
			evtimer_add(forge->kick, &now);
			return;
		}
		task = next;
	}
}

int forge_new(const struct forge_config *config, struct event_base *base, struct forge **ret_forge)
{
	struct forge *forge = mem_zero(sizeof(*forge));

	forge->base = base;
	forge->program = text_copy(config->program);
	forge->root = text_format("%s/" KIT_ROOT, config->keyring);
	forge->n_idle = config->n_workers;
	forge->kick = evtimer_new(base, forge_on_kick, forge);
	TAILQ_INIT(&forge->tasks);
	*ret_forge = forge;
	return 0;
}

struct forge *forge_free(struct forge *forge)
{
	if (!forge) {
		return NULL;
	}
	while (!TAILQ_EMPTY(&forge->tasks)) {
		forge_task_free(TAILQ_FIRST(&forge->tasks));
	}
	event_free(forge->kick);
	free(forge->program);
	free(forge->root);
	free(forge);
	return NULL;
}

static void forge_word(struct forge_task *task, const char *word)
{
	task->words[task->n_words++] = text_copy(word);
}

static struct forge_task *forge_task_bare(
        struct forge *forge, const char *command, forge_fn fn, void *arg)
{
	static const struct timeval now = {0, 0};
	struct forge_task *task = mem_zero(sizeof(*task));

	task->forge = forge;
	task->fn = fn;
	task->arg = arg;
	forge_word(task, forge->program);
	forge_word(task, command);
	TAILQ_INSERT_TAIL(&forge->tasks, task, link);
	evtimer_add(forge->kick, &now);
	return task;
}

static struct forge_task *forge_task_new(
        struct forge *forge, const char *command, const char *out, forge_fn fn, void *arg)
{
	struct forge_task *task = forge_task_bare(forge, command, fn, arg);

	task->out = text_copy(out);
	task->beside = text_format("%s.new", out);
	forge_word(task, "--out");
	forge_word(task, task->beside);
	return task;
}

void forge_release_text(
        const uint8_t release_id[FORGE_RELEASE_SIZE], char ret_text[2 * FORGE_RELEASE_SIZE + 1])
{
	for (size_t i = 0; i < FORGE_RELEASE_SIZE; i++) {
		snprintf(ret_text + 2 * i, 3, "%02x", release_id[i]);
	}
}

struct forge_task *forge_variant(struct forge *forge, const struct forge_kit *kit,
        const uint8_t seed[FORGE_SEED_SIZE], const char *out, forge_fn fn, void *arg)
{
	struct forge_task *task = forge_task_new(forge, "variant", out, fn, arg);
	char release[2 * FORGE_RELEASE_SIZE + 1];

	forge_release_text(kit->release_id, release);
	forge_word(task, "--root");
	forge_word(task, forge->root);
	forge_word(task, "--release");
	forge_word(task, release);
	forge_word(task, "--kit");
	forge_word(task, kit->path);
	forge_word(task, "--seed");
	forge_word(task, "-");
	for (size_t i = 0; i < FORGE_SEED_SIZE; i++) {
		snprintf(task->input + 2 * i, 3, "%02x", seed[i]);
	}
	strcat(task->input, "\n");
	return task;
}

struct forge_task *forge_image(
        struct forge *forge, const char *list, const char *out, forge_fn fn, void *arg)
{
	struct forge_task *task = forge_task_new(forge, "image", out, fn, arg);

	forge_word(task, list);
	return task;
}

struct forge_task *forge_import(struct forge *forge, const char *kit, const char *store,
        char *ret_path, forge_fn fn, void *arg)
{
	struct forge_task *task = forge_task_bare(forge, "import", fn, arg);

	task->ret_path = ret_path;
	forge_word(task, "--root");
	forge_word(task, forge->root);
	forge_word(task, "--store");
	forge_word(task, store);
	forge_word(task, kit);
	return task;
}
