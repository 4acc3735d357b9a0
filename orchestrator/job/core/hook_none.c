#include "orchestrator/job/core/hook.h"

void hook_point(const char *step, const char *phase)
{
}
