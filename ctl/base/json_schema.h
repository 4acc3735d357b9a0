#pragma once
/*
 * The JSON Schema of what json_of_message() makes of a message: the same rule for all messages, from the same
 * descriptors.
 */
#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

/* {"$ref": "#/$defs/NAME"} */
json_t *json_schema_ref(const char *name);
/* Add the definition of a message, under its name with its package, and of all that it has in it. */
void json_schema_define(json_t *definitions, const ProtobufCMessageDescriptor *type);
