/*
 * A string map by open addressing, at most half full; see names.h. Nothing is ever taken out,
 * so a free slot ends a walk. Sized for tens of thousands of symbols; keys come from our own
 * build, so the hash (FNV-1a) has no secret.
 */
#include "forge/base/names.h"

#include <string.h>

#include "forge/base/mem.h"

static uint64_t names_hash(const char *s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *s != '\0'; s++) {
		h = (h ^ (uint8_t)*s) * UINT64_C(0x100000001b3);
	}
	return h ^ h >> 32;
}

/* The slot that has the name, or the free one where it belongs. */
static struct names_slot *names_slot_for(const struct names *n, const char *name)
{
	size_t i = names_hash(name) & (n->n_slots - 1);

	while (n->slots[i].name && strcmp(n->slots[i].name, name) != 0) {
		i = (i + 1) & (n->n_slots - 1);
	}
	return &n->slots[i];
}

/* Twice the slots. Pointers that names_find() gave are no longer good after an insertion. */
static void names_grow(struct names *n)
{
	struct names bigger = {.n_slots = n->n_slots ? n->n_slots * 2 : 64};
	size_t i;

	bigger.slots = mem_zalloc(bigger.n_slots, sizeof(*bigger.slots));
	bigger.n_used = n->n_used;
	for (i = 0; i < n->n_slots; i++) {
		if (n->slots[i].name) {
			*names_slot_for(&bigger, n->slots[i].name) = n->slots[i];
		}
	}
	free(n->slots);
	*n = bigger;
}

void names_fini(struct names *n)
{
	free(n->slots);
	*n = (struct names){0};
}

bool names_add(struct names *n, const char *name, uint64_t value)
{
	struct names_slot *slot;

	if (n->n_used * 2 >= n->n_slots) {
		names_grow(n);
	}
	slot = names_slot_for(n, name);
	if (slot->name) {
		return false;
	}
	*slot = (struct names_slot){name, value};
	n->n_used++;
	return true;
}

uint64_t *names_find(const struct names *n, const char *name)
{
	struct names_slot *slot;

	if (n->n_slots == 0) {
		return NULL;
	}
	slot = names_slot_for(n, name);
	return slot->name ? &slot->value : NULL;
}
