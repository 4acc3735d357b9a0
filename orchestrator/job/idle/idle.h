#pragma once
/*
 * What lud has the forge's workers do when no job asks for it: whatever ran has its layout compared with
 * the one before.
 */
struct engine;
struct measure;

/*
 * Compares, one after the other, generations that ran in a layout which the host made with what ran
 * before them, and records the figures. Begins when the machines are loaded, and again whenever a job
 * ends. Freed before the engine.
 */
struct measure *measure_new(struct engine *engine);
struct measure *measure_free(struct measure *measure);
