#pragma once
/*
 * The forge's workers: one luforge process per task, a limited number at a time,
 * the others in a queue. Seeds reach a worker by its standard input, never by its
 * command line. Each works at a bench of its own (bench.h), under the guard of child.h: it
 * reads the store of kits and what lies on its bench, and writes there alone. What it
 * made is written beside its place and renamed, so that what is there is whole.
 *
 * A worker reads a kit only as the release that the caller names, signed under the
 * keyring's root: the kit's files may have changed since they were stored.
 */
#include <event2/event.h>

#include "host/base/err.h"
#include "host/base/failure.h"
#include "host/child/user.h"

#define FORGE_SEED_SIZE 32
#define FORGE_RELEASE_SIZE 64
#define FORGE_PATH_SIZE 256
/* The signed root, on every bench. */
#define FORGE_ROOT "root.signed"

struct forge;
struct forge_task;

struct forge_config {
	const char *program;
	uint64_t n_workers;
	const char *keyring; /* directory of the signed root */
	const char *state_dir;
	struct child_user user; /* of the workers */
};

int __must_check forge_new(
        const struct forge_config *config, struct event_base *base, struct forge **ret_forge);
struct forge *forge_free(struct forge *forge);

/* Called once, later: NULL when the file is there. */
typedef void (*forge_fn)(const struct failure *failure, void *arg);

/* A kit, and the release that it must be. */
struct forge_kit {
	const char *path;
	const uint8_t *release_id; /* [FORGE_RELEASE_SIZE] */
};

/* 128 hexadecimal digits. */
void forge_release_text(
        const uint8_t release_id[FORGE_RELEASE_SIZE], char ret_text[2 * FORGE_RELEASE_SIZE + 1]);

/* Makes a payload of a kit; the same seed gives the same bytes. */
struct forge_task *forge_variant(struct forge *forge, const struct forge_kit *kit,
        const uint8_t seed[FORGE_SEED_SIZE], const char *out, forge_fn fn, void *arg);
/* A kernel that is moved to a place of its own. */
struct forge_kernel {
	const char *path;      /* as it was linked */
	const char *out;       /* where the moved one goes */
	const uint8_t *seed;   /* [FORGE_SEED_SIZE] */
	uint64_t memory_bytes; /* of the machine */
};
/*
 * Makes a boot image from a list file (see luforge(1)). The list names files as they lie
 * on the bench: FORGE_ROOT, what forge_task_put() puts there before the task starts, and
 * kits as forge_kit_name() does.
 */
struct forge_task *forge_image(
        struct forge *forge, const char *list, const char *out, forge_fn fn, void *arg);
/* The same task also moves a kernel, which then is there with the image. Right after it was made. */
void forge_task_kernel(struct forge_task *task, const struct forge_kernel *kernel);
/* Copies a file to the task's bench when it starts. */
void forge_task_put(struct forge_task *task, const char *path, const char *name);
/* How a worker finds a stored kit; the caller frees it. */
char *forge_kit_name(const char *path);
/*
 * Copies a signed kit, wherever it comes from, into the store of releases, judged before
 * and after. ret_path (FORGE_PATH_SIZE) gets its place there before fn is called. The
 * workers' user must be able to read the kit's files.
 */
struct forge_task *forge_import(
        struct forge *forge, const char *kit, char *ret_path, forge_fn fn, void *arg);
/*
 * Finds out what an update from one kit to the other would lose. *ret_json is the
 * caller's, text as luforge(1) describes it; it names the releases that were read.
 */
struct forge_task *forge_pair(struct forge *forge, const char *old_kit, const char *new_kit,
        char **ret_json, forge_fn fn, void *arg);
/* Measures what layouts of a kit protect. *ret_json as of forge_pair(). */
struct forge_task *forge_entropy(
        struct forge *forge, const char *kit, char **ret_json, forge_fn fn, void *arg);
/*
 * Compares two payloads of the release that the kit holds, as files that lud has. *ret_json as of
 * forge_pair(); it names release and payloads by their hashes.
 */
struct forge_task *forge_compare(struct forge *forge, const char *kit,
        const char *const payloads[2], char **ret_json, forge_fn fn, void *arg);
/* Of such a text that is not of the known format or not about these kits: says so, -EBADMSG. */
int __must_check forge_answer_invalid(
        struct failure *ret_failure, const char *command, const char *kit);
/*
 * The task, which nobody's job waits for: it is begun when no other waits. So whoever may only ask keeps no
 * job from its turn for longer than the questions take that run already. Right after it was made.
 */
struct forge_task *forge_task_question(struct forge_task *task);
/* Ends a task early; its callback is not called. Not needed after the callback. */
struct forge_task *forge_task_free(struct forge_task *task);
