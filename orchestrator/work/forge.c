/*
 * Tasks of the forge: the command line, the bench and the result of one luforge process each.
 * A task waits until a worker is idle, gets a bench with all that it may read, and is given
 * the store of kits, and the kit to import, as open directories: it names them by descriptor,
 * and what it writes of them is turned back into paths for people.
 *
 * What a worker says is not believed: only its exit code and the one file, directory or text
 * that was asked for are taken, a path among them only if it is a kit's name in the store or
 * on the bench. A task that is freed early kills its worker. Bench and seed go with the task.
 */
#include "orchestrator/work/forge.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "host/base/file.h"
#include "host/base/log.h"
#include "host/child/child.h"
#include "host/text/hex.h"
#include "orchestrator/work/bench.h"
#include "orchestrator/work/kit.h"
#include "orchestrator/work/priv.h"

#define FORGE_OUT "out"
#define FORGE_LIST "boot.list"
/* Where a kernel was moved to. */
#define FORGE_KERNEL "kernel"
/* Making takes well under a second; this is for one that hangs. */
#define FORGE_TIMEOUT_USEC UINT64_C(300000000)
/* Exit codes of luforge(1) by which `pair` says what it found. */
#define FORGE_PAIR_LOSS 4
#define FORGE_PAIR_NONE 5

/* The worker is killed, and its place given to the next in the queue. */
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
	for (size_t i = 0; i < task->n_inputs; i++) {
		free(task->inputs[i].path);
		free(task->inputs[i].name);
	}
	explicit_bzero(task->input, sizeof(task->input));
	bench_free(task->bench);
	free(task->inputs);
	free(task->source);
	free(task->out);
	free(task->kernel);
	free(task->kernel_out);
	free(task);
	return NULL;
}

/* Freed before the call, so a caller may begin another task, and must drop its own pointer. */
static void forge_end(struct forge_task *task, const struct failure *failure)
{
	forge_fn fn = task->fn;
	void *arg = task->arg;

	forge_task_free(task);
	fn(failure, arg);
}

/* Ends the task with what the worker said last. */
static void forge_fail(struct forge_task *task, const char *what, const char *errors)
{
	struct failure failure;

	forge_explain(task, what, errors, &failure);
	forge_end(task, &failure);
}

/* A kit's name in the store, as luforge makes it. */
static bool forge_is_kit_name(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	return n > 0 && !strcmp(name + n, ".kit");
}

/* The one line that a worker wrote: where the kit is, in the store or on its bench. */
static int forge_take_kit(struct forge_task *task, const struct child_result *result)
{
	const char *store = task->forge->store;
	char line[FORGE_PATH_SIZE];
	const char *name;
	size_t n = result->output_size;
	bool is_new;
	int r = 0;

	if (n < 2 || n > sizeof(line) || result->output[n - 1] != '\n' ||
	        memchr(result->output, '\0', n)) {
		return err_raise(-EBADMSG);
	}
	memcpy(line, result->output, n - 1);
	line[n - 1] = '\0';
	is_new = !strncmp(line, "./", 2);
	name = is_new ? line + 2 : line + strlen(FORGE_STORE "/");
	if ((!is_new && strncmp(line, FORGE_STORE "/", strlen(FORGE_STORE "/"))) ||
	        !forge_is_kit_name(name) || strlen(store) + strlen(name) + 2 > FORGE_PATH_SIZE) {
		return err_raise(-EBADMSG);
	}
	if (is_new) {
		r = bench_take_dir(task->bench, name, store, &task->forge->user);
	}
	snprintf(task->ret_path, FORGE_PATH_SIZE, "%s/%s", store, name);
	return err_up(r);
}

/* What the worker made becomes lud's. */
static int forge_take(struct forge_task *task, const struct child_result *result)
{
	int r;

	if (task->ret_json) {
		*task->ret_json = mem_zero(result->output_size + 1);
		memcpy(*task->ret_json, result->output, result->output_size);
		return 0;
	}
	if (task->ret_path) {
		return err_up(forge_take_kit(task, result));
	}
	r = task->kernel_out ? bench_take_file(task->bench, FORGE_KERNEL, task->kernel_out) : 0;
	return r ? err_up(r) : err_up(bench_take_file(task->bench, FORGE_OUT, task->out));
}

/*
 * An exit code of 0, or one of those by which `pair` gives a verdict: that is an answer too. A
 * signal is none.
 */
static bool forge_has_done(const struct forge_task *task, int status)
{
	if (!WIFEXITED(status)) {
		return false;
	}
	return !WEXITSTATUS(status) ||
	       (task->ret_json && (WEXITSTATUS(status) == FORGE_PAIR_LOSS ||
	                                  WEXITSTATUS(status) == FORGE_PAIR_NONE));
}

/* The worker has ended, or was ended. Its success counts only with the result in its place. */
static void forge_on_done(const struct child_result *result, void *arg)
{
	struct forge_task *task = arg;
	char status[64];
	int r;

	child_status_text(result->status, status, sizeof(status));
	if (result->timed_out) {
		forge_fail(task, "took too long", "");
	} else if (!forge_has_done(task, result->status)) {
		forge_fail(task, status, result->errors);
	} else if ((r = forge_take(task, result)) < 0) {
		forge_fail(task, "what it made cannot be put in place", strerror(-r));
		err_forget();
	} else {
		forge_end(task, NULL);
	}
}

/* The bench with all that the worker needs, given to its user; opened. */
static int forge_lay_out(struct forge_task *task, int *ret_fd)
{
	struct forge *forge = task->forge;
	int r;

	task->place = forge->benches;
	r = bench_new(forge->benches, &task->bench);
	if (!r) {
		task->place = forge->root;
		r = bench_put(task->bench, forge->root, FORGE_ROOT);
	}
	for (size_t i = 0; !r && i < task->n_inputs; i++) {
		task->place = task->inputs[i].path;
		r = bench_put(task->bench, task->inputs[i].path, task->inputs[i].name);
	}
	return r < 0 ? err_up(r) : err_up(bench_give(task->bench, &forge->user, ret_fd));
}

/*
 * ->place says at every moment what is being worked on, for the message if it fails. The seed is
 * out of lud's memory, but for the worker's pipe, when this returns.
 */
static int forge_start(struct forge_task *task)
{
	_cleanup_(fd_closep) int bench = -1;
	_cleanup_(fd_closep) int store = open(task->forge->store, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(fd_closep) int source =
	        task->source ? open(task->source, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	struct child_guard guard = {.user = task->forge->user, .fds = {store, source}};
	struct child_job job = {
	        .argv = (const char *const *)task->words,
	        .guard = &guard,
	        .input = task->input,
	        .input_size = strlen(task->input),
	        .timeout_usec = FORGE_TIMEOUT_USEC,
	        .done = forge_on_done,
	        .arg = task,
	};
	int r = store < 0 ? err_raise(-errno) : 0;

	task->place = task->forge->store;
	if (!r) {
		r = forge_lay_out(task, &bench);
	}

	if (!r) {
		guard.dir = bench;
		r = child_worker_new(task->forge->base, &job, &task->worker);
	}
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
	char why[320];
	int r;

	while (task && forge->n_idle) {
		struct forge_task *next = TAILQ_NEXT(task, link);

		if (!task->worker && (r = forge_start(task)) < 0) {
			log_warn("forge: %s", err_trace());
			err_forget();
			snprintf(why, sizeof(why), "%s: %s", task->place, strerror(-r));
			forge_fail(task, "cannot be started", why);
			evtimer_add(forge->kick, &now);
			return;
		}
		task = next;
	}
}

/* The store is made, or brought under the workers' user, before the first task. */
int forge_new(const struct forge_config *config, struct event_base *base, struct forge **ret_forge)
{
	struct forge *forge = mem_zero(sizeof(*forge));
	int r;

	forge->base = base;
	forge->user = config->user;
	forge->benches = text_format("%s/tmp", config->state_dir);
	forge->store = text_format("%s/releases", config->state_dir);
	forge->program = text_copy(config->program);
	forge->root = text_format("%s/" KIT_ROOT, config->keyring);
	forge->n_idle = config->n_workers;
	forge->kick = evtimer_new(base, forge_on_kick, forge);
	TAILQ_INIT(&forge->tasks);
	r = bench_store_make(forge->store, &forge->user);
	if (r < 0) {
		forge_free(forge);
		return err_up(r);
	}
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
	free(forge->benches);
	free(forge->store);
	free(forge);
	return NULL;
}

static void forge_word(struct forge_task *task, const char *word)
{
	task->words[task->n_words++] = text_copy(word);
}

/* Behind all but the questions that still wait. */
static void forge_task_queue(struct forge_task *task)
{
	struct forge_task *before;

	TAILQ_FOREACH(before, &task->forge->tasks, link)
	{
		if (before->is_question && !before->worker) {
			TAILQ_INSERT_BEFORE(before, task, link);
			return;
		}
	}
	TAILQ_INSERT_TAIL(&task->forge->tasks, task, link);
}

struct forge_task *forge_task_question(struct forge_task *task)
{
	task->is_question = true;
	TAILQ_REMOVE(&task->forge->tasks, task, link);
	TAILQ_INSERT_TAIL(&task->forge->tasks, task, link);
	return task;
}

/*
 * Started in the next turn of the loop at the earliest, so the caller may add words and files to
 * it.
 */
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
	forge_task_queue(task);
	evtimer_add(forge->kick, &now);
	return task;
}

/* A task that makes one file. */
static struct forge_task *forge_task_new(
        struct forge *forge, const char *command, const char *out, forge_fn fn, void *arg)
{
	struct forge_task *task = forge_task_bare(forge, command, fn, arg);

	task->out = text_copy(out);
	forge_word(task, "--out");
	forge_word(task, FORGE_OUT);
	return task;
}

void forge_release_text(
        const uint8_t release_id[FORGE_RELEASE_SIZE], char ret_text[2 * FORGE_RELEASE_SIZE + 1])
{
	hex_write(release_id, FORGE_RELEASE_SIZE, ret_text);
}

/* The word for a seed, which goes in by the standard input. */
static void forge_seed(struct forge_task *task, const uint8_t seed[FORGE_SEED_SIZE])
{
	forge_word(task, "-");
	hex_write(seed, FORGE_SEED_SIZE, task->input);
	strcat(task->input, "\n");
}

/*
 * The kit is named by its place in the store and by the release it must be: a file that was
 * changed there is refused by the worker. The seed goes in by the standard input.
 */
struct forge_task *forge_variant(struct forge *forge, const struct forge_kit *kit,
        const uint8_t seed[FORGE_SEED_SIZE], const char *out, forge_fn fn, void *arg)
{
	struct forge_task *task = forge_task_new(forge, "variant", out, fn, arg);
	char release[2 * FORGE_RELEASE_SIZE + 1];

	forge_release_text(kit->release_id, release);
	forge_word(task, "--root");
	forge_word(task, FORGE_ROOT);
	forge_word(task, "--release");
	forge_word(task, release);
	forge_word(task, "--kit");
	task->words[task->n_words++] = forge_kit_name(kit->path);
	forge_word(task, "--seed");
	forge_seed(task, seed);
	return task;
}

void forge_task_put(struct forge_task *task, const char *path, const char *name)
{
	size_t n = task->n_inputs + 1;
	struct forge_input *inputs = realloc(task->inputs, n * sizeof(*inputs));

	if (!inputs) {
		abort();
	}
	inputs[n - 1] = (struct forge_input){text_copy(path), text_copy(name)};
	task->inputs = inputs;
	task->n_inputs = n;
}

/* By the last part of its path: kits lie side by side in the store. */
char *forge_kit_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return text_format(FORGE_STORE "/%s", slash ? slash + 1 : path);
}

struct forge_task *forge_image(
        struct forge *forge, const char *list, const char *out, forge_fn fn, void *arg)
{
	struct forge_task *task = forge_task_new(forge, "image", out, fn, arg);

	forge_task_put(task, list, FORGE_LIST);
	forge_word(task, FORGE_LIST);
	return task;
}

void forge_task_kernel(struct forge_task *task, const struct forge_kernel *kernel)
{
	forge_task_put(task, kernel->path, FORGE_LINKED);
	task->kernel = text_copy(kernel->path);
	task->kernel_out = text_copy(kernel->out);
	forge_word(task, "--randomize-kernel");
	forge_word(task, FORGE_LINKED);
	forge_word(task, "--kernel-out");
	forge_word(task, FORGE_KERNEL);
	forge_word(task, "--memory");
	task->words[task->n_words++] =
	        text_format("%llu", (unsigned long long)kernel->memory_bytes);
	forge_word(task, "--kernel-seed");
	forge_seed(task, kernel->seed);
}

/*
 * The new kit is made on the bench (--into) and taken from there, unless the store has it
 * already.
 */
struct forge_task *forge_import(
        struct forge *forge, const char *kit, char *ret_path, forge_fn fn, void *arg)
{
	struct forge_task *task = forge_task_bare(forge, "import", fn, arg);
	struct stat st;

	task->ret_path = ret_path;
	task->source = text_copy(kit);
	forge_word(task, "--root");
	forge_word(task, FORGE_ROOT);
	forge_word(task, "--store");
	forge_word(task, FORGE_STORE);
	forge_word(task, "--into");
	forge_word(task, ".");
	/* What is no directory cannot be handed over: the worker then says what it is. */
	forge_word(task, stat(kit, &st) == 0 && S_ISDIR(st.st_mode) ? FORGE_SOURCE : kit);
	return task;
}

struct forge_task *forge_pair(struct forge *forge, const char *old_kit, const char *new_kit,
        char **ret_json, forge_fn fn, void *arg)
{
	struct forge_task *task = forge_task_bare(forge, "pair", fn, arg);
	_cleanup_(freep) char *old_name = forge_kit_name(old_kit);
	_cleanup_(freep) char *new_name = forge_kit_name(new_kit);

	task->ret_json = ret_json;
	forge_word(task, "--json");
	forge_word(task, old_name);
	forge_word(task, new_name);
	return task;
}

struct forge_task *forge_entropy(
        struct forge *forge, const char *kit, char **ret_json, forge_fn fn, void *arg)
{
	struct forge_task *task = forge_task_bare(forge, "entropy", fn, arg);

	task->ret_json = ret_json;
	forge_word(task, "--json");
	task->words[task->n_words++] = forge_kit_name(kit);
	return task;
}

struct forge_task *forge_compare(struct forge *forge, const char *kit,
        const char *const payloads[2], char **ret_json, forge_fn fn, void *arg)
{
	static const char *const names[] = {"before.payload", "after.payload"};
	struct forge_task *task = forge_task_bare(forge, "compare", fn, arg);

	task->ret_json = ret_json;
	forge_word(task, "--json");
	forge_word(task, "--kit");
	task->words[task->n_words++] = forge_kit_name(kit);
	for (int i = 0; i < 2; i++) {
		forge_task_put(task, payloads[i], names[i]);
		forge_word(task, names[i]);
	}
	return task;
}
