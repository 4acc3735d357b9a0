/*
 * Any protocol message as JSON, by its descriptor: one rule for all messages, so a new field
 * is printed without a line here. Strings are made UTF-8 and escaped by jansson alone, so a
 * reader gets what the machine said. A message that is absent is left out; an enum value that
 * this luctl does not know is its number.
 */
#include "ctl/base/json.h"

#include <ctype.h>
#include <string.h>

#include "ctl/base/base.h"
#include "host/text/escape.h"
#include "host/text/hex.h"

/* Bytes as hex text: ids and hashes, which people compare with other output. */
static json_t *json_of_bytes(const ProtobufCBinaryData *bytes)
{
	_cleanup_(ctl_freep) char *hex = ctl_zero(2 * bytes->len + 1);

	return json_string(hex_write(bytes->data, bytes->len, hex));
}

/* jansson escapes control characters itself, and takes nothing that is not UTF-8. */
static json_t *json_of_text(const char *text)
{
	_cleanup_(ctl_freep) char *utf8 = text_utf8_new(text ? text : "");

	return json_string(utf8);
}

json_t *json_of_enum(const ProtobufCEnumDescriptor *type, int value)
{
	const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(type, value);
	const char *shared = type->values[0].name;
	char text[64] = "";
	size_t skip;

	if (!known) {
		return json_integer(value);
	}
	/* The first value's name is PREFIX_NONE or PREFIX_UNKNOWN. */
	skip = strrchr(shared, '_') ? (size_t)(strrchr(shared, '_') - shared + 1) : 0;
	skip = strncmp(known->name, shared, skip) ? 0 : skip;
	for (size_t i = 0; known->name[skip + i] && i + 1 < sizeof(text); i++) {
		text[i] = tolower((unsigned char)known->name[skip + i]);
	}
	return json_string(text);
}

/*
 * One value of a field; NULL for a message that is absent. `at` points to the value as
 * protobuf-c stores it. Unsigned 64-bit numbers above INT64_MAX come out negative: JSON of
 * jansson has no others.
 */
static json_t *json_of_value(const ProtobufCFieldDescriptor *field, const void *at)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		return json_integer(*(const int32_t *)at);
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		return json_integer(*(const uint32_t *)at);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return json_integer(*(const int64_t *)at);
	case PROTOBUF_C_TYPE_FLOAT:
		return json_real(*(const float *)at);
	case PROTOBUF_C_TYPE_DOUBLE:
		return json_real(*(const double *)at);
	case PROTOBUF_C_TYPE_BOOL:
		return json_boolean(*(const protobuf_c_boolean *)at);
	case PROTOBUF_C_TYPE_ENUM:
		return json_of_enum(field->descriptor, *(const int *)at);
	case PROTOBUF_C_TYPE_STRING:
		return json_of_text(*(char *const *)at);
	case PROTOBUF_C_TYPE_BYTES:
		return json_of_bytes(at);
	case PROTOBUF_C_TYPE_MESSAGE:
		return *(ProtobufCMessage *const *)at
		               ? json_of_message(*(ProtobufCMessage *const *)at)
		               : NULL;
	}
	return NULL;
}

/* Bytes of one element of a repeated field, as protobuf-c stores it. */
static size_t json_value_size(const ProtobufCFieldDescriptor *field)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_ENUM:
		break;
	}
	return 4;
}

static json_t *json_of_list(const ProtobufCFieldDescriptor *field, const void *list, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++) {
		json_array_append_new(array,
		        json_of_value(field, (const char *)list + i * json_value_size(field)));
	}
	return array;
}

json_t *json_of_message(const ProtobufCMessage *message)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;
	json_t *object = json_object();

	for (unsigned int i = 0; i < type->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &type->fields[i];
		const char *at = (const char *)message + field->offset;
		const char *quantifier = (const char *)message + field->quantifier_offset;
		json_t *value;

		if (field->label == PROTOBUF_C_LABEL_REPEATED) {
			value = json_of_list(
			        field, *(void *const *)at, *(const size_t *)quantifier);
		} else if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
		           *(const uint32_t *)quantifier != field->id) {
			continue;
		} else {
			value = json_of_value(field, at);
		}
		if (value) {
			json_object_set_new(object, field->name, value);
		}
	}
	return object;
}
