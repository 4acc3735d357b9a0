#pragma once
/*
 * Messages with every field set, made from their descriptors, for golden files
 * and tests. The values depend only on the field's name, number and type.
 */
#include <protobuf-c/protobuf-c.h>

#include "proto/frame/arena.h"

/*
 * A message of this kind in the arena. Of each oneof, case number n_case (counted
 * in order of declaration) is set; in messages inside, the first one.
 */
ProtobufCMessage *sample_message(
        struct wire_arena *arena, const ProtobufCMessageDescriptor *desc, unsigned int n_case);

/* How many cases the (only) oneof of a message has; 1 when there is none. */
unsigned int sample_n_cases(const ProtobufCMessageDescriptor *desc);
