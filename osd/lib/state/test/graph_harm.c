/*
 * Values that the old release may hold and the new one has no place for: while a graph is filled
 * they are noted with their places; then one of them is done, and the transfer must refuse it.
 */
#include <string.h>

#include "osd/lib/state/test/graph.h"

static void harm_add(struct graph *g, struct graph_harm harm)
{
	if (g->n_harms < GRAPH_HARMS) {
		g->harms[g->n_harms++] = harm;
	}
}

static unsigned bits_of(struct model_place place)
{
	return place.n_bits != 0 ? place.n_bits : (unsigned)place.type->size * 8;
}

/* Has every enumerator kept its value? Then any number passes. */
static bool enum_is_kept(const struct model_type *a, const struct model_type *b)
{
	for (uint32_t i = 0; i < a->n; i++) {
		bool kept = false;

		for (uint32_t k = 0; k < b->n; k++) {
			kept |= strcmp(a->names[i], b->names[k]) == 0 &&
			        a->values[i] == b->values[k];
		}
		if (!kept) {
			return false;
		}
	}
	return true;
}

void graph_harm_number(struct graph *g, struct model_place a, struct model_place b)
{
	if (a.type->kind == STATE_BTF_ENUM || a.type->kind == STATE_BTF_ENUM64) {
		if (!enum_is_kept(a.type, b.type)) {
			harm_add(g, (struct graph_harm){.at = a, .value = 11});
		}
	} else if ((a.type->encoding & b.type->encoding & STATE_BTF_BOOL) != 0) {
		if (a.n_bits == 0) {
			harm_add(g, (struct graph_harm){.at = a, .value = 2});
		}
	} else if (bits_of(b) + 1 < bits_of(a)) {
		harm_add(g, (struct graph_harm){
		                    .at = a, .value = (int64_t)(UINT64_C(1) << bits_of(b))});
	}
}

void graph_harm_union(
        struct graph *g, struct model_place tag, struct model_place a, bool is_empty_else)
{
	if (!is_empty_else) {
		harm_add(g, (struct graph_harm){.at = tag, .value = 5, .union_at = a.addr});
	}
}

void graph_harm_tail(struct graph *g, struct model_place a, uint64_t from)
{
	for (uint64_t i = from; i < a.type->size; i++) {
		harm_add(g, (struct graph_harm){
		                    .at = {.type = a.type, .addr = a.addr + i, .n_bits = 8},
		                    .value = 1,
		                    .is_loss = true,
		            });
	}
}

const struct graph_harm *graph_harm(struct graph *g)
{
	const struct graph_harm *harm;

	if (g->n_harms == 0) {
		return NULL;
	}
	harm = &g->harms[random_below(g->random, g->n_harms)];
	model_put(harm->at, harm->value);
	if (harm->union_at != NULL) {
		memset(harm->union_at, 1, 8);
	}
	return harm;
}
