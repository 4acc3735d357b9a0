/*
 * Two models, their heaps, and a transfer between them. There is one heap in a process, as in a
 * service: it is filled as the old one, set aside by world_switch(), and started anew.
 */
#pragma once

#include "osd/lib/heap/heap_layout.h"
#include "osd/lib/state/test/model.h"

/* Of the heap of the process, which the engine finds by this name. */
extern struct heap_root heap_root;

struct world {
	struct model *old;
	struct model *new;
	struct heap_root old_root; /* what old heap_root is after the switch */
	uint8_t *old_heap;
	uint8_t *new_heap;
	uint64_t heap_size;
	uint64_t new_usable;
	void *scratch;
	size_t scratch_size;
	uint64_t seed;
	bool accepts_loss;
	bool is_same; /* both sides show one description, as RS does when a release follows itself */
	struct state_pairing *pairing;
	struct state_transfer *transfer;
	struct state_result result;
};

struct world *world_new(const char *old_text, const char *new_text, uint64_t seed);
struct world *world_free(struct world *world);
/* Both models get their images, the old heap starts. After model_bind(). */
void world_start(struct world *world);
/* An object of the n-th old site of a function. */
void *world_object(struct world *world, const char *function, unsigned n, uint64_t count);
/* The old side becomes read-only, the new heap starts. */
void world_switch(struct world *world);
enum state_code world_pair(struct world *world);
/* world_switch(), state_pair(), state_transfer(). */
enum state_code world_transfer(struct world *world);
