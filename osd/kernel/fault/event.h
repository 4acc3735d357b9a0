#pragma once
/* Supervisor events: an instance holds at most one, since it does not run until its supervisor
 * dealt with it. */
#include "osd/kernel/object/slot.h"

/*
 * Stop the instance in a state (SLOT_FAULTED, SLOT_REPORTED, SLOT_EXITED) with an event for its
 * supervisor, who is notified. Without a supervisor: a dump and panic, except for reports, which
 * are refused earlier.
 */
void event_raise(struct instance *instance, enum slot_state state, enum slot_event_kind kind,
        const uint64_t w[5]);
/* Take the oldest event of the slots that this one supervises. False: none. */
bool event_take(struct slot *supervisor, struct slot_event *ret_event);
/* Its supervisor is another one from now on, who takes its event if it has one. */
void event_pass_on(struct instance *instance, struct slot *heir);
/* Forget the event of an instance that ends. */
void event_drop(struct instance *instance);
