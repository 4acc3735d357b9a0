/* What RS reads from a state description: that it belongs to the payload, and where the typed
 * heap's root is. */
#include "osd/servers/rs/priv.h"

#include <string.h>

#include "proto/state/state_desc.h"

/* The variable of this name in any unit; UINT32_MAX: none. */
static uint32_t binary_variable_find(const struct state_desc *desc, const char *name)
{
	uint32_t n;
	uint32_t first = state_desc_kind_first(desc, STATE_VARIABLE, &n);

	for (uint32_t i = first; i < first + n; i++) {
		if (strcmp(state_desc_string(desc, desc->entries[i].name), name) == 0) {
			return i;
		}
	}
	return UINT32_MAX;
}

bool binary_describe(struct binary *binary)
{
	struct state_desc desc;
	uint32_t root;

	if (state_desc_check(binary->description, binary->description_bytes, &desc) !=
	                STATE_DESC_OK ||
	        desc.n_entries != binary->image.header->n_symbols) {
		return false;
	}
	root = binary_variable_find(&desc, "heap_root");
	binary->heap_root = root == UINT32_MAX ? 0 : binary->image.symbols[root];
	return true;
}
