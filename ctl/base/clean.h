#pragma once
/*
 * Messages of lud, before a person sees them: what a machine or one of its services said may be in
 * any string of them.
 */
#include <stdbool.h>

#include "proto/control/control.pb-c.h"

/*
 * Escape every string of the message for a terminal (host/text/escape.h), in
 * memory of the allocator that the message was unpacked with. A string for which
 * there is no memory becomes empty.
 */
void clean_message(ProtobufCMessage *message, ProtobufCAllocator *allocator);

/*
 * The same for what lud sends. What is printed as JSON stays as it is; progress never is, and
 * reaches a terminal beside it.
 */
void clean_from_lud(Control__FromLud *from, bool for_json, ProtobufCAllocator *allocator);
