#pragma once
/*
 * Any protocol message as JSON, by its descriptor: one rule for every command. Bytes
 * are hex text, enum values their names in lower case without the prefix, absent
 * messages are left out, 64-bit numbers that a double cannot hold are kept as integers.
 */
#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

json_t *json_of_message(const ProtobufCMessage *message);
/* A value of an enumeration: "JOB_STATE_ROLLED_BACK" of JobState is "rolled_back"; one that is not known its number. */
json_t *json_of_enum(const ProtobufCEnumDescriptor *type, int value);
