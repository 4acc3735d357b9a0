/*
 * Changes of services in words, from the table of proto/words. A change that a
 * newer machine tells and this lud does not know is still told, as "changed".
 */
#include "orchestrator/machine/change.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

const char *change_text(Machine__ServiceChangeKind kind)
{
	switch (kind) {
#define CHANGE(name, sentence)                                                                     \
	case MACHINE__SERVICE_CHANGE_KIND__CHANGE_##name:                                          \
		return sentence;
#include "proto/words/changes.def"
#undef CHANGE
	case MACHINE__SERVICE_CHANGE_KIND__CHANGE_NONE:
	case _MACHINE__SERVICE_CHANGE_KIND_IS_INT_SIZE:
		break;
	}
	return "changed";
}

static bool change_is_moved(const Machine__Standing *standing)
{
	return standing && (standing->state == MACHINE__STANDING_STATE__STANDING_RUNNING ||
	                           standing->state == MACHINE__STANDING_STATE__STANDING_QUIET);
}

void change_number(const Machine__ServiceChange *change, const Machine__Status *status,
        uint64_t *ret_generation, uint64_t *ret_made)
{
	*ret_generation = *ret_made = 0;
	for (size_t i = 0; status && i < status->n_services; i++) {
		const Machine__Service *service = status->services[i];

		if (!strcmp(service->name, change->service)) {
			*ret_generation = service->generation;
			*ret_made = change_is_moved(status->standing) ? 0 : service->made;
		}
	}
}

void change_generation(const Machine__ServiceChange *change, const Machine__Status *status,
        char *ret_text, size_t size)
{
	uint64_t generation, made;

	change_number(change, status, &generation, &made);
	*ret_text = '\0';
	if (generation && made) {
		snprintf(ret_text, size, " (generation %" PRIu64 ".%" PRIu64 ")", generation, made);
	} else if (generation) {
		snprintf(ret_text, size, " (generation %" PRIu64 ")", generation);
	}
}
