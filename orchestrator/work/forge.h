#pragma once
/*
 * The forge's workers: one luforge process per task, a limited number at a time,
 * the others in a queue. Seeds reach a worker by its standard input, never by its
 * command line. Files are written beside and renamed, so that what is there is whole.
 */
#include <event2/event.h>

#include "orchestrator/base/err.h"
#include "orchestrator/base/failure.h"

#define FORGE_SEED_SIZE 32

struct forge;
struct forge_task;

int __must_check forge_new(
        struct event_base *base, const char *program, uint64_t n_workers, struct forge **ret_forge);
struct forge *forge_free(struct forge *forge);

/* Called once, later: NULL when the file is there. */
typedef void (*forge_fn)(const struct failure *failure, void *arg);

/* Makes a payload of a kit; the same seed gives the same bytes. */
struct forge_task *forge_variant(struct forge *forge, const char *kit,
        const uint8_t seed[FORGE_SEED_SIZE], const char *out, forge_fn fn, void *arg);
/* Makes a boot image from a list file (see luforge(1)). */
struct forge_task *forge_image(
        struct forge *forge, const char *list, const char *out, forge_fn fn, void *arg);
/* Ends a task early; its callback is not called. Not needed after the callback. */
struct forge_task *forge_task_free(struct forge_task *task);
