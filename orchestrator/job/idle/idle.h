#pragma once
/*
 * What lud has the forge's workers do when no job asks for it: whatever ran has its layout compared with
 * the one before, and variants are made ahead. And the record is kept small.
 */
#include <stdbool.h>
#include <stddef.h>

struct engine;
struct job_part;
struct measure;
struct prebuilt;
struct retain;

/*
 * Compares, one after the other, generations that ran in a layout which the host made with what ran
 * before them, and records the figures. Begins when the machines are loaded, and again whenever a job
 * ends. Freed before the engine.
 */
struct measure *measure_new(struct engine *engine);
struct measure *measure_free(struct measure *measure);

/*
 * Keeps as many variants of what each machine runs as the configuration says (prebuilt), each made for one
 * machine and used once. Freed before the engine: what was not used is removed.
 */
struct prebuilt *prebuilt_new(struct engine *engine);
struct prebuilt *prebuilt_free(struct prebuilt *prebuilt);
/* How many are ready; 0 before the record was loaded. */
size_t prebuilt_ready(const struct engine *engine);
/*
 * Gives the oldest variant that was made for the part's machine and release: seed, sealed seed, payload.
 * False: there is none, and the part is as it was.
 */
bool prebuilt_take(struct engine *engine, struct job_part *part);

/* Removes what the record has too much of (record.jobs ...), a few rows at a time. Freed before the engine. */
struct retain *retain_new(struct engine *engine);
struct retain *retain_free(struct retain *retain);
