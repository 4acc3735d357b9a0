#include "orchestrator/machine/change.h"

const char *change_text(Machine__ServiceChangeKind kind)
{
	switch (kind) {
	case MACHINE__SERVICE_CHANGE_KIND__CHANGE_STARTED:
		return "started";
	case MACHINE__SERVICE_CHANGE_KIND__CHANGE_CRASHED:
		return "crashed";
	case MACHINE__SERVICE_CHANGE_KIND__CHANGE_RESTARTED:
		return "restarted";
	case MACHINE__SERVICE_CHANGE_KIND__CHANGE_GAVE_UP:
		return "crashed too often and stays down";
	case MACHINE__SERVICE_CHANGE_KIND__CHANGE_BOOTED:
		return "booted";
	case MACHINE__SERVICE_CHANGE_KIND__CHANGE_NONE:
	case _MACHINE__SERVICE_CHANGE_KIND_IS_INT_SIZE:
		break;
	}
	return "changed";
}
