#pragma once
/*
 * The seam for quiescent states that exist to harm the service. hook_none.c is what ships;
 * hook_test.c is linked into services that tests crash, such as assist.
 */
#include <stdbool.h>
#include <stdint.h>

/* Does this build of the service know the state, which is none of the table's? */
bool sef_hook_state(uint32_t state);
