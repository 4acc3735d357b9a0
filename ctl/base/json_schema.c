/*
 * What a reader may rely on of a message in JSON, next to json.c, which writes it: every field is there but
 * messages that are absent and members of a oneof. A schema is open: a later luctl may add members, and words of
 * an enumeration, without another number of the schema.
 */
#include "ctl/base/json_schema.h"

#include <string.h>

#include "ctl/base/base.h"
#include "ctl/base/json.h"

/* What the .proto files say; "" where they say nothing. */
static const char *json_schema_note(const char *message, const char *field)
{
	static const struct {
		const char *message;
		const char *field;
		const char *text;
	} notes[] = {
#define NOTE(message, field, text) {message, field, text},
#include "proto/control/notes.gen.def"
#undef NOTE
	};

	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
		if (!strcmp(notes[i].message, message) && !strcmp(notes[i].field, field)) {
			return notes[i].text;
		}
	}
	return "";
}

json_t *json_schema_ref(const char *name)
{
	_cleanup_(ctl_freep) char *path = ctl_format("#/$defs/%s", name);

	return json_pack("{s:s}", "$ref", path);
}

/* The words that this luctl knows; a value of a newer lud is its number. */
static json_t *json_schema_enum(const ProtobufCEnumDescriptor *type)
{
	json_t *words = json_array();

	for (unsigned int i = 0; i < type->n_values; i++) {
		json_array_append_new(words, json_of_enum(type, type->values[i].value));
	}
	return json_pack("{s:[{s:o}, {s:s}]}", "anyOf", "enum", words, "type", "integer");
}

/* Of one value of the field. */
static json_t *json_schema_value(const ProtobufCFieldDescriptor *field)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return json_pack("{s:s}", "type", "integer");
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_DOUBLE:
		return json_pack("{s:s}", "type", "number");
	case PROTOBUF_C_TYPE_BOOL:
		return json_pack("{s:s}", "type", "boolean");
	case PROTOBUF_C_TYPE_ENUM:
		return json_schema_enum(field->descriptor);
	case PROTOBUF_C_TYPE_STRING:
		return json_pack("{s:s}", "type", "string");
	case PROTOBUF_C_TYPE_BYTES:
		return json_pack(
		        "{s:s, s:s}", "type", "string", "pattern", "^([0-9a-f][0-9a-f])*$");
	case PROTOBUF_C_TYPE_MESSAGE:
		return json_schema_ref(
		        ((const ProtobufCMessageDescriptor *)field->descriptor)->name);
	}
	return json_object();
}

static json_t *json_schema_field(
        const ProtobufCMessageDescriptor *type, const ProtobufCFieldDescriptor *field)
{
	const char *note = json_schema_note(type->name, field->name);
	json_t *value = json_schema_value(field);

	if (field->label == PROTOBUF_C_LABEL_REPEATED) {
		value = json_pack("{s:s, s:o}", "type", "array", "items", value);
	}
	if (*note) {
		json_object_set_new(value, "description", json_string(note));
	}
	return value;
}

static bool json_schema_is_required(const ProtobufCFieldDescriptor *field)
{
	return field->label == PROTOBUF_C_LABEL_REPEATED ||
	       (field->type != PROTOBUF_C_TYPE_MESSAGE &&
	               !(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF));
}

void json_schema_define(json_t *definitions, const ProtobufCMessageDescriptor *type)
{
	json_t *properties = json_object(), *required = json_array(), *whole;
	const char *note = json_schema_note(type->name, "");

	if (json_object_get(definitions, type->name)) {
		json_decref(properties);
		json_decref(required);
		return;
	}
	whole = json_pack("{s:s, s:o, s:o}", "type", "object", "required", required, "properties",
	        properties);
	if (*note) {
		json_object_set_new(whole, "description", json_string(note));
	}
	/* Before what is in it: messages may hold themselves. */
	json_object_set_new(definitions, type->name, whole);
	for (unsigned int i = 0; i < type->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &type->fields[i];

		json_object_set_new(properties, field->name, json_schema_field(type, field));
		if (json_schema_is_required(field)) {
			json_array_append_new(required, json_string(field->name));
		}
		if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
			json_schema_define(definitions, field->descriptor);
		}
	}
}
