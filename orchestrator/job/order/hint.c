#include "orchestrator/job/order/hint.h"

#include <stddef.h>
#include <strings.h>

static const struct {
	const char *error;
	const char *remedy;
} hints[] = {
#define REMEDY(error, sentence) {#error, sentence},
#include "proto/words/remedies.def"
#undef REMEDY
};

const char *hint_of(const char *error)
{
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		if (!strcasecmp(error, hints[i].error)) {
			return hints[i].remedy;
		}
	}
	return "the service goes on as before; `luctl log` may tell more";
}
