#include "osd/lib/sef/hook.h"

#include "osd/abi/sef.h"

bool sef_hook_state(uint32_t state)
{
	if (state == QS_PREPARE_CRASH) {
		__builtin_trap();
	}
	return false;
}
