#pragma once
/* Supervisor events of the kernel: faults, exits and reports of the slots that RS made. */
#include "osd/abi/calls.h"
#include "osd/abi/errors.h"
#include "osd/servers/rs/life/instance.h"

/*
 * Deal with an event of an instance outside of a transaction. One of a slot that is nobody's any
 * more is dropped: it was in the kernel's queue when the slot ended.
 */
void event_handle(const struct slot_event *event);
/*
 * In words: why an instance ended, and where in the binary that it was made from. They name
 * addresses, so they go to those only that may see layouts (tell/status.c); addresses of a layout
 * that RS made go to nobody, but the piece of the kit and the offset in it do. May read the
 * instance's memory, for its own last words.
 */
void event_describe(const struct slot_event *event, const struct instance *instance,
        const struct binary *binary, char *ret_text, size_t size);
/* The error that stands for the end of an instance: E_EXITED, or E_CRASHED for all other ends. */
err_t event_error(const struct slot_event *event);
