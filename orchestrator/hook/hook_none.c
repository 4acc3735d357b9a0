#include "orchestrator/hook/hook.h"

void hook_point(const char *step, const char *phase)
{
}
