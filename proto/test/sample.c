#undef NDEBUG
#include "proto/test/sample.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

enum {
	SAMPLE_REPEATED = 2,
	SAMPLE_BYTES = 64,
	SAMPLE_DEPTH = 8,
};

struct sampler {
	struct wire_arena *arena;
	unsigned int depth;
};

static ProtobufCMessage *sampler_message(
        struct sampler *s, const ProtobufCMessageDescriptor *desc, unsigned int n_case);

static void *sampler_alloc(struct sampler *s, size_t len)
{
	void *p = wire_arena_alloc(s->arena, len);

	assert(p != NULL);
	memset(p, 0, len);
	return p;
}

static uint64_t sampler_number(const ProtobufCFieldDescriptor *field, unsigned int index)
{
	return UINT64_C(0x0102030405060708) * field->id + index;
}

static ProtobufCBinaryData sampler_bytes(
        struct sampler *s, const ProtobufCFieldDescriptor *field, unsigned int index)
{
	ProtobufCBinaryData data = {SAMPLE_BYTES, sampler_alloc(s, SAMPLE_BYTES)};

	memset(data.data, (int)(field->id * 16 + index), data.len);
	return data;
}

/* One value of the field at to, which has the size of the C member. */
static void sampler_value(
        struct sampler *s, const ProtobufCFieldDescriptor *field, unsigned int index, void *to)
{
	const ProtobufCEnumDescriptor *values = field->descriptor;
	uint64_t number = sampler_number(field, index);

	switch (field->type) {
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
		memcpy(to, &number, 4);
		break;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		memcpy(to, &number, 8);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		*(protobuf_c_boolean *)to = 1;
		break;
	case PROTOBUF_C_TYPE_ENUM:
		*(int *)to = values->values[values->n_values - 1].value;
		break;
	case PROTOBUF_C_TYPE_STRING:
		*(const char **)to = field->name;
		break;
	case PROTOBUF_C_TYPE_BYTES:
		*(ProtobufCBinaryData *)to = sampler_bytes(s, field, index);
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		*(ProtobufCMessage **)to = sampler_message(s, field->descriptor, 0);
		break;
	}
}

static void sampler_repeated(struct sampler *s, const ProtobufCFieldDescriptor *field, uint8_t *msg)
{
	bool is_bytes = field->type == PROTOBUF_C_TYPE_BYTES;
	size_t size = is_bytes ? sizeof(ProtobufCBinaryData) : sizeof(void *);
	uint8_t *values = sampler_alloc(s, SAMPLE_REPEATED * size);

	assert(field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE ||
	        field->type == PROTOBUF_C_TYPE_BYTES);
	for (unsigned int i = 0; i < SAMPLE_REPEATED; i++) {
		sampler_value(s, field, i, values + i * size);
	}
	*(size_t *)(msg + field->quantifier_offset) = SAMPLE_REPEATED;
	*(void **)(msg + field->offset) = values;
}

static bool field_in_oneof(const ProtobufCFieldDescriptor *field)
{
	return (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}

static ProtobufCMessage *sampler_message(
        struct sampler *s, const ProtobufCMessageDescriptor *desc, unsigned int n_case)
{
	uint8_t *msg = sampler_alloc(s, desc->sizeof_message);
	unsigned int seen = 0;

	assert(s->depth++ < SAMPLE_DEPTH);
	protobuf_c_message_init(desc, msg);
	for (unsigned int i = 0; i < desc->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &desc->fields[i];

		if (field->label == PROTOBUF_C_LABEL_REPEATED) {
			sampler_repeated(s, field, msg);
		} else if (!field_in_oneof(field)) {
			sampler_value(s, field, 0, msg + field->offset);
		} else if (seen++ == n_case) {
			*(uint32_t *)(msg + field->quantifier_offset) = field->id;
			sampler_value(s, field, 0, msg + field->offset);
		}
	}
	s->depth--;
	return (ProtobufCMessage *)msg;
}

ProtobufCMessage *sample_message(
        struct wire_arena *arena, const ProtobufCMessageDescriptor *desc, unsigned int n_case)
{
	struct sampler s = {.arena = arena};

	return sampler_message(&s, desc, n_case);
}

unsigned int sample_n_cases(const ProtobufCMessageDescriptor *desc)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < desc->n_fields; i++) {
		n += field_in_oneof(&desc->fields[i]);
	}
	return n > 0 ? n : 1;
}
