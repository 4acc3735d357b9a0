/*
 * Sizes and alignments of types, and which types are the same. Every compile unit brings its
 * own copy of each type it uses; a service has tens of copies of each, and the description
 * wants one.
 *
 * Equality: give every node a hash of what it says itself; then, round by round, hash in the
 * hashes of the nodes it leads to. When a round tells no more nodes apart than the one
 * before, the classes are the coarsest in which equal types lead to equal types, which is
 * what "equal in everything" means, cycles included. (It is how automata are minimized.)
 *
 * Hashes are 64 bits and not cryptographic: inputs are our own sources, and some thousands of
 * types collide with a chance of about one in 10^12.
 */
#include <string.h>

#include "forge/base/mem.h"
#include "forge/debug/type_graph.h"

/*
 * Types contain themselves only behind pointers (type_graph.c refuses others), so the
 * recursion ends.
 */
uint64_t type_graph_size(const struct type_graph *g, uint32_t i)
{
	const struct type_node *node = &g->nodes[i];

	switch (node->kind) {
	case TYPE_INT:
	case TYPE_FLOAT:
	case TYPE_POINTER:
	case TYPE_STRUCT:
	case TYPE_UNION:
	case TYPE_ENUM:
		return node->size;
	case TYPE_ARRAY:
		return node->size * type_graph_size(g, node->ref);
	case TYPE_TYPEDEF:
	case TYPE_VOLATILE:
	case TYPE_CONST:
	case TYPE_RESTRICT:
		return type_graph_size(g, node->ref);
	case TYPE_VOID:
	case TYPE_FORWARD:
	case TYPE_FUNCTION:
	case _TYPE_KIND_N:
		break;
	}
	return 0;
}

/*
 * Debug data does not say "packed". A struct whose size or whose members' places do
 * not fit their alignment must be.
 */
static uint64_t type_record_align(const struct type_graph *g, const struct type_node *node)
{
	uint64_t align = 1, a;
	uint32_t i;

	for (i = 0; i < node->members.n; i++) {
		const struct type_member *m = &g->members[node->members.first + i];

		a = type_graph_align(g, m->type);
		if (m->bit_size == 0 && m->bit_off % (8 * a) != 0) {
			return 1;
		}
		align = a > align ? a : align;
	}
	return node->size % align == 0 ? align : 1;
}

uint64_t type_graph_align(const struct type_graph *g, uint32_t i)
{
	const struct type_node *node = &g->nodes[i];
	uint64_t align = 1;

	switch (node->kind) {
	case TYPE_INT:
	case TYPE_FLOAT:
	case TYPE_POINTER:
	case TYPE_ENUM:
		align = node->size ? node->size : 1;
		break;
	case TYPE_STRUCT:
	case TYPE_UNION:
		align = type_record_align(g, node);
		break;
	case TYPE_ARRAY:
	case TYPE_TYPEDEF:
	case TYPE_VOLATILE:
	case TYPE_CONST:
	case TYPE_RESTRICT:
		align = type_graph_align(g, node->ref);
		break;
	case TYPE_VOID:
	case TYPE_FORWARD:
	case TYPE_FUNCTION:
	case _TYPE_KIND_N:
		break;
	}
	return node->align > align ? node->align : align;
}

/* Two rounds of a multiply and shift; order matters, so that a member list hashes as a list. */
static uint64_t type_mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0xff51afd7ed558ccd);
	h ^= h >> 32;
	h *= UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ h >> 29;
}

/* 256 ends a text: no byte has that value, so "ab","c" is not "a","bc". */
static uint64_t type_mix_text(uint64_t h, const char *s)
{
	for (; *s != '\0'; s++) {
		h = type_mix(h, (uint8_t)*s);
	}
	return type_mix(h, 256);
}

static uint64_t type_mix_tags(const struct type_graph *g, uint64_t h, struct type_range tags)
{
	uint32_t i;

	for (i = 0; i < tags.n; i++) {
		h = type_mix_text(h, g->tags[tags.first + i]);
	}
	return type_mix(h, tags.n);
}

/* What a node says by itself. */
static uint64_t type_hash_shallow(const struct type_graph *g, const struct type_node *node)
{
	uint64_t h = type_mix(node->kind, node->flags);
	uint32_t i;

	h = type_mix_text(h, node->name);
	h = type_mix(type_mix(h, node->size), node->align);
	h = type_mix_tags(g, h, node->tags);
	for (i = 0; i < node->members.n; i++) {
		const struct type_member *m = &g->members[node->members.first + i];

		h = type_mix_text(h, m->name);
		h = type_mix(type_mix(h, m->bit_off), m->bit_size);
		h = type_mix_tags(g, h, m->tags);
	}
	for (i = 0; i < node->values.n; i++) {
		h = type_mix_text(h, g->values[node->values.first + i].name);
		h = type_mix(h, (uint64_t)g->values[node->values.first + i].value);
	}
	return h;
}

/*
 * What a node leads to, by the hashes of the last round. Two equal hashes mix to 0, and a
 * pointer to a pointer has that of what it leads to at first: so the own one is changed
 * before.
 */
static uint64_t type_hash_deep(
        const struct type_graph *g, const struct type_node *node, uint64_t own, const uint64_t *h)
{
	uint64_t sum = type_mix(type_mix(own, 1), h[node->ref]);
	uint32_t i;

	for (i = 0; i < node->members.n; i++) {
		sum = type_mix(sum, h[g->members[node->members.first + i].type]);
	}
	return sum;
}

static int type_hash_compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* How many classes there are by now. */
static size_t type_count_distinct(const uint64_t *h, size_t n)
{
	MEM_FREE uint64_t *sorted = mem_zalloc(n, sizeof(*sorted));
	size_t i, distinct = 0;

	memcpy(sorted, h, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), type_hash_compare);
	for (i = 0; i < n; i++) {
		distinct += i == 0 || sorted[i] != sorted[i - 1];
	}
	return distinct;
}

/* Refine until nothing is told apart any more. h[] goes in and out. */
static void type_refine(const struct type_graph *g, uint64_t *h)
{
	MEM_FREE uint64_t *next = mem_zalloc(g->n_nodes, sizeof(*next));
	size_t before = 0, now = type_count_distinct(h, g->n_nodes), i;

	while (now > before) {
		for (i = 0; i < g->n_nodes; i++) {
			next[i] = type_hash_deep(g, &g->nodes[i], h[i], h);
		}
		memcpy(h, next, g->n_nodes * sizeof(*h));
		before = now;
		now = type_count_distinct(h, g->n_nodes);
	}
}

struct type_hash {
	uint64_t hash;
	uint32_t node;
};

static int type_hash_node_compare(const void *a, const void *b)
{
	const struct type_hash *x = a, *y = b;

	if (x->hash != y->hash) {
		return x->hash < y->hash ? -1 : 1;
	}
	return x->node < y->node ? -1 : x->node > y->node;
}

/* For each node the lowest-numbered one of its class. */
static void type_find_firsts(const uint64_t *h, size_t n, uint32_t *ret_first)
{
	MEM_FREE struct type_hash *sorted = mem_zalloc(n, sizeof(*sorted));
	uint32_t first = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		sorted[i] = (struct type_hash){h[i], (uint32_t)i};
	}
	qsort(sorted, n, sizeof(*sorted), type_hash_node_compare);
	for (i = 0; i < n; i++) {
		if (i == 0 || sorted[i].hash != sorted[i - 1].hash) {
			first = sorted[i].node;
		}
		ret_first[sorted[i].node] = first;
	}
}

/*
 * Classes are numbered by their first members, so the same debug data gives the same numbers;
 * class 0 is void alone.
 */
void type_graph_merge(struct type_graph *g)
{
	MEM_FREE uint64_t *h = mem_zalloc(g->n_nodes, sizeof(*h));
	MEM_FREE uint32_t *first = mem_zalloc(g->n_nodes, sizeof(*first));
	uint32_t i;

	for (i = 0; i < g->n_nodes; i++) {
		h[i] = type_hash_shallow(g, &g->nodes[i]);
	}
	type_refine(g, h);
	type_find_firsts(h, g->n_nodes, first);
	free(g->class);
	g->class = mem_zalloc(g->n_nodes, sizeof(*g->class));
	g->n_classes = 1;
	for (i = 1; i < g->n_nodes; i++) {
		g->class[i] = first[i] == i ? g->n_classes++ : g->class[first[i]];
	}
}
