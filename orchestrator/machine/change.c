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

void change_generation(const Machine__ServiceChange *change, const Machine__Status *status,
        char *ret_text, size_t size)
{
	*ret_text = '\0';
	for (size_t i = 0; status && i < status->n_services; i++) {
		const Machine__Service *service = status->services[i];

		if (strcmp(service->name, change->service) != 0 || !service->generation) {
			continue;
		}
		if (service->made && !change_is_moved(status->standing)) {
			snprintf(ret_text, size, " (generation %" PRIu64 ".%" PRIu64 ")",
			        service->generation, service->made);
		} else {
			snprintf(ret_text, size, " (generation %" PRIu64 ")", service->generation);
		}
	}
}
