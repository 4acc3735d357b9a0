#pragma once
/*
 * Programs that lud runs: one-shot workers whose output is collected, and the raw
 * process with pipes that longer conversations are built on. Children die with
 * lud; a worker that outlives its time limit is killed.
 */
#include <event2/buffer.h>
#include <event2/event.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "host/base/err.h"
#include "host/child/user.h"

/* A process and its three pipes, seen from our side; -1 where there is none. */
struct child_process {
	pid_t pid;
	int pidfd;
	int input;
	int output;
	int errors;
};

#define CHILD_FD_FIRST 3
#define CHILD_FDS 2

/*
 * What a child may keep of what lud has: these directories and its three pipes, a small
 * environment, and the system calls that are left. Directories are handed over open, so
 * that nothing above them needs to be readable for its user.
 */
struct child_guard {
	struct child_user user;
	int dir;            /* it works here */
	int fds[CHILD_FDS]; /* as CHILD_FD_FIRST and on in the child; -1: none */
};

/*
 * Starts argv[0] (found by PATH), guarded unless guard is NULL. Errors: pipe, fork; those
 * of the child itself show as exit 127.
 */
int __must_check child_spawn(const char *const *argv, const struct child_guard *guard,
        struct child_process *ret_process);
/* Closes what is open, kills and reaps what still runs. */
void child_process_fini(struct child_process *process);
/* The same, and how it ended, as waitpid() gives it; -1: there was none. */
int child_process_end(struct child_process *process);

struct child_worker;

struct child_result {
	bool timed_out;
	int status; /* as waitpid() gives it */
	const uint8_t *output;
	size_t output_size;
	const char *errors; /* the end of stderr as one line, NUL terminated */
};

typedef void (*child_done_fn)(const struct child_result *result, void *arg);

struct child_job {
	const char *const *argv;
	const struct child_guard *guard; /* or NULL */
	const void *input;               /* written to its stdin, then closed; copied */
	size_t input_size;
	uint64_t timeout_usec;
	child_done_fn done; /* called once, unless the worker is freed before */
	void *arg;
};

/* Collects at most this much output; a worker that writes more is killed. */
#define CHILD_OUTPUT_MAX (1u << 20)

int __must_check child_worker_new(
        struct event_base *base, const struct child_job *job, struct child_worker **ret_worker);
/* Kills it if it still runs; done is then never called. May be called in done. */
struct child_worker *child_worker_free(struct child_worker *worker);

/* "exit status 3", "killed by signal 9 (Killed)"; into ret_text. */
void child_status_text(int status, char *ret_text, size_t size);
