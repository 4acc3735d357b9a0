#include "orchestrator/job/hook.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void hook_point(const char *step, const char *phase)
{
	const char *wanted = getenv("SAMSARA_DIE_AT");
	char name[64];

	snprintf(name, sizeof(name), "%s.%s", step, phase);
	if (wanted && !strcmp(wanted, name)) {
		kill(getpid(), SIGKILL);
	}
}
