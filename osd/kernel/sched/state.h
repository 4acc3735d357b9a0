#pragma once
/* The state of an instance; the moves and who makes them are listed in state.c. */
#include "osd/kernel/object/slot.h"

/* The only writer of instance->state; checks the move and keeps the run queues. */
void instance_state_set(struct instance *instance, enum slot_state state);
/* Is it inside a call of ipc.c: sending, receiving, waiting for a reply, or parked? */
bool instance_is_in_ipc(const struct instance *instance);
