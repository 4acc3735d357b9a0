/* Every kind of change has a word of its own, and no number has none. */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "orchestrator/machine/change.h"

int main(void)
{
	const ProtobufCEnumDescriptor *kinds = &machine__service_change_kind__descriptor;

	for (unsigned int i = 0; i < kinds->n_values; i++) {
		int kind = kinds->values[i].value;

		assert(change_text(kind) && *change_text(kind));
		assert(kind == 0 || strcmp(change_text(kind), "changed"));
		for (unsigned int other = 0; other < i; other++) {
			assert(strcmp(change_text(kind), change_text(kinds->values[other].value)));
		}
	}
	assert(!strcmp(change_text(-1), "changed"));
	assert(!strcmp(change_text(1000), "changed"));
	return 0;
}
