#include "osd/lib/sef/hook.h"

bool sef_hook_state(uint32_t state)
{
	return false;
}
