#pragma once
/* Inside work: a task of the forge, for what makes it (forge.c) and for who tells of it (said.c). */
#include <stdbool.h>
#include <sys/queue.h>

#include "host/child/child.h"
#include "orchestrator/work/forge.h"

/* Words of the longest command line, with room. */
#define FORGE_WORDS_MAX 16
/* A kernel on a bench, as it was linked. */
#define FORGE_LINKED "kernel.linked"
/* What is handed over: the store of kits, and the kit that an import takes in. */
#define FORGE_STORE "/proc/self/fd/3"
#define FORGE_SOURCE "/proc/self/fd/4"
_Static_assert(CHILD_FD_FIRST == 3 && CHILD_FDS == 2, "descriptors in names");

/* A file for the bench. */
struct forge_input {
	char *path;
	char *name;
};

/*
 * Owned by the forge's list until its callback was called or it is freed. All strings are owned
 * but ->place.
 */
struct forge_task {
	TAILQ_ENTRY(forge_task) link;
	struct forge *forge;
	struct child_worker *worker; /* NULL while it waits */
	char *words[FORGE_WORDS_MAX];
	size_t n_words;
	char *bench;       /* NULL while it waits */
	const char *place; /* what is worked on before the worker starts */
	struct forge_input *inputs;
	size_t n_inputs;
	char *source;     /* a kit from outside, or NULL */
	char *out;        /* where what it makes goes, or NULL */
	char *kernel;     /* one to be moved, or NULL */
	char *kernel_out; /* where it goes, or NULL */
	char *ret_path;   /* where a stored kit's path goes, the caller's; or NULL */
	char **ret_json;  /* where all that it wrote goes, the caller's; or NULL */
	char input[2 * FORGE_SEED_SIZE + 2];
	bool is_question;
	forge_fn fn;
	void *arg;
};

struct forge {
	struct event_base *base;
	char *program;
	char *root; /* file of the signed root */
	char *benches;
	char *store;
	struct child_user user;
	uint64_t n_idle;
	struct event *kick;
	TAILQ_HEAD(, forge_task) tasks; /* running ones first, questions last */
};

/* said.c: why a task failed: what happened, the worker's own words with paths in the place of descriptors, and what helps. */
void forge_explain(const struct forge_task *task, const char *what, const char *errors,
        struct failure *ret_failure);
