#pragma once
/* Supervisor events of the kernel: faults, exits and reports of the slots that RS made. */
#include "osd/abi/calls.h"
#include "osd/abi/errors.h"

/* Deal with an event of an instance outside of a transaction; with none that RS knows, do nothing. */
void event_handle(const struct slot_event *event);
/* In words: why an instance ended. */
void event_describe(const struct slot_event *event, char *ret_text, size_t size);
/* The error that stands for the end of an instance. */
err_t event_error(const struct slot_event *event);
