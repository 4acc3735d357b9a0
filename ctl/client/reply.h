#pragma once
/*
 * What lud sends, before a command looks at it. lud is another program, of another version perhaps:
 * the commands follow pointers and take the first of lists, so what they rely on is checked here.
 */
#include <stdbool.h>

#include "proto/control/control.pb-c.h"

/* Unpack a message; NULL: malformed, or without a part that every sender fills in. */
Control__FromLud *reply_unpack(ProtobufCAllocator *allocator, const uint8_t *bytes, size_t len);

/* Is it of the kind that this request is answered with? An error always is. */
bool reply_answers(const Control__Request *request, const Control__Reply *reply);
