/*
 * Changes of services in words, from the table of proto/words. A change that a
 * newer machine tells and this lud does not know is still told, as "changed".
 */
#include "orchestrator/machine/change.h"

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
