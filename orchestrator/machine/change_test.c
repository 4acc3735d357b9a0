/* Every kind of change has a word of its own, and no number has none. */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "orchestrator/machine/change.h"

/* What RS tells names no generation; what the machine said before does. */
static void test_generation(void)
{
	Machine__ServiceChange change = MACHINE__SERVICE_CHANGE__INIT;
	Machine__Standing standing = MACHINE__STANDING__INIT;
	Machine__Status status = MACHINE__STATUS__INIT;
	Machine__Service ds = MACHINE__SERVICE__INIT, tty = MACHINE__SERVICE__INIT;
	Machine__Service *services[] = {&tty, &ds};
	char text[64];

	tty.name = (char *)"tty";
	tty.generation = 9;
	ds.name = change.service = (char *)"ds";
	status.services = services;
	status.n_services = 2;
	change_generation(&change, NULL, text, sizeof(text));
	assert(!*text);
	change_generation(&change, &status, text, sizeof(text));
	assert(!*text);
	ds.generation = 5;
	change_generation(&change, &status, text, sizeof(text));
	assert(!strcmp(text, " (generation 5)"));
	ds.made = 2;
	status.standing = &standing;
	change_generation(&change, &status, text, sizeof(text));
	assert(!strcmp(text, " (generation 5.2)"));
	standing.state = MACHINE__STANDING_STATE__STANDING_RUNNING;
	change_generation(&change, &status, text, sizeof(text));
	assert(!strcmp(text, " (generation 5)"));
	change.service = (char *)"";
	change_generation(&change, &status, text, sizeof(text));
	assert(!*text);
}

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
	test_generation();
	return 0;
}
