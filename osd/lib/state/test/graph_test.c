/*
 * Random graphs, each transferred three times from the same old memory: as it is, and compared;
 * with one value that the new release has no place for, which must be refused; then with some of it
 * spoiled, when any answer will do but a crash.
 *
 *	graph_test [--seed N] [--count N]     the seed of a failure is printed; --count 1 repeats it
 */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <unistd.h>

#include "osd/lib/state/test/graph.h"

static uint64_t test_seed;

/* A sanitizer's report, too, must say which graph it was. */
void __asan_on_error(void);
void __asan_on_error(void)
{
	fprintf(stderr, "graph_test: seed %llu\n", (unsigned long long)test_seed);
}

static void graph_print(const struct graph_text *text)
{
	fprintf(stderr, "graph_test: --seed %llu --count 1\n--- old\n%s\n--- new\n%s\n",
	        (unsigned long long)test_seed, text->old, text->new);
}

static int handle(const struct state_view *view)
{
	return (int)state_view_default(view);
}

static struct world *graph_world(const char *old, const char *new)
{
	struct world *world = world_new(old, new, test_seed);

	model_bind(world->new, GRAPH_HANDLER, (void *)(uintptr_t)handle);
	return world;
}

static struct graph *graph_new(const struct graph_text *text, struct random *random)
{
	struct graph *graph = calloc(1, sizeof(*graph));

	assert(graph != NULL);
	graph->random = random;
	graph->n_structs = text->n_structs;
	graph->world = graph_world(text->old, text->new);
	graph->world->accepts_loss = true;
	world_start(graph->world);
	graph_fill(graph);
	return graph;
}

static void graph_free(struct graph *graph)
{
	world_free(graph->world);
	free(graph);
}

/* Returns how many kinds of state were removed. */
static uint64_t graph_run(const struct graph_text *text, struct random random)
{
	struct graph *graph = graph_new(text, &random);
	enum state_code code = world_transfer(graph->world);
	uint64_t n_removed;

	if (code != STATE_OK) {
		graph_print(text);
		fprintf(stderr, "%s: %s\n", state_code_text(code), graph->world->result.error);
		abort();
	}
	graph_compare(graph);
	n_removed = graph->world->result.n_removed;
	graph_free(graph);
	return n_removed;
}

/* Numbers that changed names: each by itself. */
static void names_each(const struct world *w, bool put)
{
	for (unsigned i = 0; i < 10; i++) {
		static const char *const format[] = {"w%u", "[0].n%u"};
		const char *var = i < 5 ? "w" : "v0";
		struct model_type *type = model_symbol_find(w->new, "v0")->type;
		char path[16];
		struct model_place old;
		struct model_place new;

		snprintf(path, sizeof(path), format[i / 5], i % 5);
		if (var[0] == 'v') {
			old = model_walk(type, model_symbol_find(w->old, var)->addr, path);
			new = model_walk(type, model_symbol_find(w->new, var)->addr, path);
			old.type = new.type;
		} else if (model_has(w->new, path)) {
			old = model_var(w->old, path);
			new = model_var(w->new, path);
		} else {
			continue;
		}
		if (new.type != NULL && put) {
			model_put(old, (int)i + 1);
		}
		assert(new.type == NULL || put || model_get(new) == (int)i + 1);
	}
}

/* Every release follows itself, with all that it says about its predecessor. */
static void graph_run_self(const struct graph_text *text, bool is_same)
{
	struct world *world = graph_world(text->new, text->new);
	enum state_code code;

	world->is_same = is_same;
	world_start(world);
	names_each(world, true);
	code = world_transfer(world);
	if (code != STATE_OK || world->result.n_removed != 0) {
		graph_print(text);
		fprintf(stderr, "self: %s: %s%s\n", state_code_text(code), world->result.error,
		        world->result.notes);
		abort();
	}
	names_each(world, false);
	world_free(world);
}

/* n_removed: without the harm. */
static bool graph_run_harm(const struct graph_text *text, struct random random, uint64_t n_removed)
{
	struct graph *graph = graph_new(text, &random);
	const struct graph_harm *harm = graph_harm(graph);
	const struct state_result *result = &graph->world->result;
	enum state_code code = world_transfer(graph->world);
	bool is_told =
	        harm == NULL || (harm->is_loss ? code == STATE_OK && result->n_removed > n_removed
	                                       : (code == STATE_E_RANGE || code == STATE_E_UNION) &&
	                                                 strstr(result->error, ".c:") != NULL);

	if (!is_told) {
		graph_print(text);
		fprintf(stderr, "harm: %s: %s\n", state_code_text(code), result->error);
		abort();
	}
	graph_free(graph);
	return harm != NULL;
}

/* A number that is likely to hurt. */
static uint64_t nasty(struct graph *graph)
{
	struct random *random = graph->random;
	const struct graph_object *object = &graph->objects[random_below(random, graph->n_objects)];

	switch (random_below(random, 6)) {
	case 0:
		return (uint64_t)(uintptr_t)object->old + random_below(random, 4096);
	case 1:
		return (uint64_t)(uintptr_t)graph->world->old_heap +
		       random_below(random, graph->world->heap_size + 8192);
	case 2:
		return UINT64_MAX >> random_below(random, 64);
	case 3:
		return random_below(random, 300);
	case 4:
		return (uint64_t)(uintptr_t)graph->world->new_heap;
	default:
		return random_below(random, UINT64_MAX);
	}
}

/* A place in old memory: objects, variables, the heap's directory and root. */
static uint8_t *spoil_place(struct graph *graph)
{
	struct random *random = graph->random;
	const struct graph_object *object = &graph->objects[random_below(random, graph->n_objects)];
	uint64_t page = ((uint64_t)(object->old - graph->world->old_heap)) / HEAP_PAGE_BYTES;
	size_t size;

	switch (random_below(random, 6)) {
	case 0:
		return (uint8_t *)&heap_root + random_below(random, 56);
	case 1:
		return graph->world->old_heap + random_below(random, 4096);
	case 2:
	case 3:
		if (object->is_heap) {
			return graph->world->old_heap + heap_entry_offset(page) +
			       random_below(random, sizeof(struct heap_page));
		}
		return model_image(graph->world->old, &size) + random_below(random, 32768);
	case 4:
		if (object->is_heap) {
			return graph->world->old_heap + page * HEAP_PAGE_BYTES + 4096 -
			       random_below(random, 64) - 8;
		}
		return object->old;
	default:
		return object->old + random_below(random, 256);
	}
}

static void spoil(struct graph *graph)
{
	uint64_t n = random_below(graph->random, random_one_in(graph->random, 8) ? 400 : 8) + 1;

	for (uint64_t i = 0; i < n; i++) {
		uint8_t *at = spoil_place(graph);
		uint64_t value = nasty(graph);

		if (random_one_in(graph->random, 2)) {
			at = (uint8_t *)((uintptr_t)at & ~UINT64_C(7));
			memcpy(at, &value, sizeof(value));
		} else {
			*at = (uint8_t)value;
		}
	}
}

/*
 * Where something lies is nobody's business: a pointer's or the heap's
 * trouble is told without it.
 */
static void check_no_address(const struct state_result *result)
{
	const char *at = strstr(result->error, "0x");

	if (at != NULL && (result->code == STATE_E_POINTER || result->code == STATE_E_AMBIGUOUS ||
	                          result->code == STATE_E_HEAP)) {
		assert(strspn(at + 2, "0123456789abcdef") <= 8);
	}
}

static bool graph_spoil(const struct graph_text *text, struct random random)
{
	struct graph *graph = graph_new(text, &random);
	enum state_code code;

	spoil(graph);
	code = world_transfer(graph->world);
	assert(code == graph->world->result.code);
	assert((code == STATE_OK) == (graph->world->result.error[0] == 0));
	check_no_address(&graph->world->result);
	graph_free(graph);
	return code != STATE_OK;
}

static void on_abort(int sig)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "graph_test: seed %llu, signal %d\n",
	        (unsigned long long)test_seed, sig);

	(void)!write(2, line, (size_t)n);
}

int main(int argc, char **argv)
{
	uint64_t count = 300;
	uint64_t n_harmed = 0;
	uint64_t n_refused = 0;
	const char *given = getenv("SAMSARA_SEED");

	test_seed = strtoull(given != NULL ? given : "1", NULL, 0) * 1000000;
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seed") == 0) {
			test_seed = strtoull(argv[i + 1], NULL, 0);
		} else if (strcmp(argv[i], "--count") == 0) {
			count = strtoull(argv[i + 1], NULL, 0);
		}
	}
	signal(SIGABRT, on_abort);
	for (uint64_t i = 0; i < count; i++, test_seed++) {
		struct random random = {.state = test_seed};
		uint64_t n_removed;
		struct graph_text *text = calloc(1, sizeof(*text));

		assert(text != NULL);
		graph_text_make(text, &random);
		n_removed = graph_run(text, random);
		graph_run_self(text, false);
		graph_run_self(text, true);
		n_harmed += graph_run_harm(text, random, n_removed);
		n_refused += graph_spoil(text, random);
		free(text);
	}
	printf("graph_test: %llu graphs equal; all of %llu with a bad value and %llu spoiled ones "
	       "refused; next seed %llu\n",
	        (unsigned long long)count, (unsigned long long)n_harmed,
	        (unsigned long long)n_refused, (unsigned long long)test_seed);
	return 0;
}
