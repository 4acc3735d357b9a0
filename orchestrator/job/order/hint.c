/*
 * Remedies for errors of the machine, by the error's name, from the table that both halves share.
 * A name that is not in it is of a newer machine: then what can be said is that nothing was lost.
 */
#include "orchestrator/job/order/hint.h"

#include <stddef.h>
#include <strings.h>

static const struct {
	const char *error;
	const char *remedy;
} hints[] = {
#define ERR(name, value, class, by, sentence, remedy) {#name, remedy},
#include "proto/words/errors.def"
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
