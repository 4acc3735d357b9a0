#include "osd/lib/state/test/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "osd/lib/heap/heap.h"

#define WORLD_HEAP (UINT64_C(4) * HEAP_CHUNK_BYTES)
#define WORLD_SCRATCH (UINT64_C(4) << 20)
#define WORLD_GUARD HEAP_PAGE_BYTES

static const char *const world_root =
        "file heap.c; struct heap_root { u64 magic; } heap_root @skip; file a.c; ";

static struct model *world_model(const char *text, uint64_t seed)
{
	size_t size = strlen(text) + strlen(world_root) + 1;
	char *whole = malloc(size);
	struct model *model;

	if (whole == NULL) {
		abort();
	}
	snprintf(whole, size, "%s%s", world_root, text);
	model = model_new(whole, seed);
	free(whole);
	return model;
}

struct world *world_new(const char *old_text, const char *new_text, uint64_t seed)
{
	struct world *world = calloc(1, sizeof(*world));

	if (world == NULL) {
		abort();
	}
	world->seed = seed;
	world->old = world_model(old_text, seed * 2);
	world->new = world_model(new_text, seed * 2 + 1);
	model_bind(world->old, "heap_root", &world->old_root);
	model_bind(world->new, "heap_root", &heap_root);
	world->heap_size = WORLD_HEAP;
	world->new_usable = WORLD_HEAP;
	world->scratch_size = WORLD_SCRATCH;
	return world;
}

/* Nothing can be read behind the end, as RS leaves it. */
static uint8_t *world_map(uint64_t size)
{
	uint8_t *map =
	        mmap(NULL, size + WORLD_GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED || mprotect(map, size, PROT_READ | PROT_WRITE) != 0) {
		abort();
	}
	return map;
}

static void world_unmap(uint8_t *map, uint64_t size)
{
	munmap(map, size + WORLD_GUARD);
}

static void world_heap_start(struct world *world, uint8_t *heap, uint64_t usable)
{
	uint8_t key[32] = {0};

	memcpy(key, &world->seed, sizeof(world->seed));
	heap_init((uint64_t)(uintptr_t)heap, world->heap_size, usable, key);
}

void world_start(struct world *world)
{
	model_finish(world->old);
	model_finish(world->new);
	world->old_heap = world_map(world->heap_size);
	world->new_heap = world_map(world->heap_size);
	world->scratch = world_map(world->scratch_size);
	world_heap_start(world, world->old_heap, world->heap_size);
}

struct world *world_free(struct world *world)
{
	world_unmap(world->old_heap, world->heap_size);
	world_unmap(world->new_heap, world->heap_size);
	world_unmap(world->scratch, world->scratch_size);
	model_free(world->old);
	model_free(world->new);
	free(world);
	return NULL;
}

void *world_object(struct world *world, const char *function, unsigned n, uint64_t count)
{
	char name[16];
	uint32_t n_symbols = 1;
	void *object;

	snprintf(name, sizeof(name), "#%u", n);
	for (uint32_t i = 0; i < n_symbols; i++) {
		struct model_symbol *symbol = model_symbol_at(world->old, i, &n_symbols);

		if (symbol->kind == STATE_SITE && strcmp(symbol->scope, function) == 0 &&
		        strcmp(symbol->name, name) == 0) {
			object = heap_alloc_at_site(
			        symbol->addr, symbol->size, count, symbol->type->align);
			if (object == NULL) {
				abort();
			}
			return object;
		}
	}
	fprintf(stderr, "world: no site %s in %s\n", name, function);
	abort();
}

void world_switch(struct world *world)
{
	size_t size;
	uint8_t *image = model_image(world->old, &size);

	world->old_root = heap_root;
	if (mprotect(image, size, PROT_READ) != 0 ||
	        mprotect(world->old_heap, world->heap_size, PROT_READ) != 0 ||
	        (world->new_usable < world->heap_size &&
	                mprotect(world->new_heap + world->new_usable,
	                        world->heap_size - world->new_usable, PROT_NONE) != 0)) {
		abort();
	}
	world_heap_start(world, world->new_heap, world->new_usable);
}

enum state_code world_pair(struct world *world)
{
	const struct state_old_heap old_heap = {
	        .base = (uint64_t)(uintptr_t)world->old_heap,
	        .size = world->heap_size,
	};
	struct state_setup setup = {
	        .old = model_side(world->old),
	        .new = model_side(world->new),
	        .scratch = world->scratch,
	        .scratch_size = world->scratch_size,
	        .accepts_loss = world->accepts_loss,
	};
	enum state_code code;

	if (world->is_same) {
		if (setup.old.desc_size != setup.new.desc_size ||
		        memcmp(setup.old.desc, setup.new.desc, setup.old.desc_size) != 0) {
			abort();
		}
		setup.new.desc = setup.old.desc;
	}
	code = state_pair(&setup, &world->result, &world->pairing);
	return code == STATE_OK ? state_transfer_new(
	                                  world->pairing, &old_heap, world->seed, &world->transfer)
	                        : code;
}

static uint64_t world_draw(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 33;
}

/* A word of the old heap that a running owner might have left otherwise: of its directory, or at
 * the end of a page, where counts are. */
static uint64_t *world_word(struct world *world, uint64_t *random)
{
	/* The root may be spoiled. */
	uint64_t n = world->old_root.n_chunks % (world->heap_size / HEAP_CHUNK_BYTES) + 1;
	uint64_t page = world_draw(random) % (n * HEAP_CHUNK_PAGES);
	uint64_t at = heap_entry_offset(page) + world_draw(random) % 8 * 8;

	if (world_draw(random) % 4 == 0) {
		at = (page + 1) * HEAP_PAGE_BYTES - (world_draw(random) % 16 + 1) * 8;
	}
	return (uint64_t *)(void *)(world->old_heap + at % world->heap_size);
}

/* Let the engine look at the old heap as it may have been before the switch: other than it is. */
static void world_foresee(struct world *world)
{
	enum { WORDS = 400 };
	static uint64_t *at[WORDS];
	static uint64_t was[WORDS];
	uint64_t random = world->seed;
	bool has_heap = world->old_root.n_chunks > 0 && world->heap_size >= HEAP_CHUNK_BYTES;
	unsigned n = has_heap ? world_draw(&random) % WORDS : 0;

	if (mprotect(world->old_heap, world->heap_size, PROT_READ | PROT_WRITE) != 0) {
		abort();
	}
	for (unsigned i = 0; i < n; i++) {
		at[i] = world_word(world, &random);
		was[i] = *at[i];
		*at[i] = world_draw(&random) % 2 == 0 ? *world_word(world, &random)
		                                      : was[i] ^ world_draw(&random);
	}
	state_foresee(world->transfer);
	while (n-- > 0) {
		*at[n] = was[n];
	}
	if (mprotect(world->old_heap, world->heap_size, PROT_READ) != 0) {
		abort();
	}
}

enum state_code world_transfer(struct world *world)
{
	enum state_code code;

	world_switch(world);
	code = world_pair(world);
	if (code == STATE_OK && world->seed % 4 != 0) {
		world_foresee(world);
	}
	return code == STATE_OK ? state_transfer(world->transfer) : code;
}
