/*
 * What is checked of an answer: that it is one of the kinds its request can have, and that the
 * parts which commands follow without looking are there, at any depth. The kinds come from the
 * comments of proto/control/control.proto, the parts from a table here. Lists may be empty but
 * where a command takes the first row.
 */
#include "ctl/client/reply.h"

#include <stddef.h>

/* Parts that are never left out. */
static const struct {
	const ProtobufCMessageDescriptor *type;
	size_t offset; /* of the pointer */
} reply_parts[] = {
        {&control__service_status__descriptor, offsetof(Control__ServiceStatus, service)},
        {&control__policy_set__descriptor, offsetof(Control__PolicySet, version)},
        {&control__release_detail__descriptor, offsetof(Control__ReleaseDetail, release)},
        {&control__release_diff__descriptor, offsetof(Control__ReleaseDiff, from)},
        {&control__release_diff__descriptor, offsetof(Control__ReleaseDiff, to)},
};

/* What each request is answered with. */
static const struct {
	Control__Request__BodyCase request;
	Control__Reply__BodyCase reply;
	Control__Reply__BodyCase or_reply; /* another kind; NOT_SET: none */
} reply_kinds[] = {
#define REQUEST(NAME, name, ANSWER, OTHER, machine, effect, role, about, place)                    \
	{CONTROL__REQUEST__BODY_##NAME, CONTROL__REPLY__BODY_##ANSWER,                             \
	        CONTROL__REPLY__BODY_##OTHER},
#include "proto/control/requests.gen.def"
#undef REQUEST
};

/* Does this message, by itself, have the parts that commands follow? */
static bool reply_has_parts(const ProtobufCMessage *message)
{
	for (size_t i = 0; i < sizeof(reply_parts) / sizeof(reply_parts[0]); i++) {
		const char *at = (const char *)message + reply_parts[i].offset;

		if (message->descriptor == reply_parts[i].type && !*(void *const *)at) {
			return false;
		}
	}
	return true;
}

static bool reply_is_whole(const ProtobufCMessage *message);

/*
 * Are the messages in this field whole? An absent message is: whether it may be absent is
 * decided by reply_parts[] of the message that has it.
 */
static bool reply_field_is_whole(
        const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	const char *at = (const char *)message + field->offset;
	const char *quantifier = (const char *)message + field->quantifier_offset;
	ProtobufCMessage *const *list;

	if (field->type != PROTOBUF_C_TYPE_MESSAGE) {
		return true;
	}
	if (field->label != PROTOBUF_C_LABEL_REPEATED) {
		if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
		        *(const uint32_t *)quantifier != field->id) {
			return true;
		}
		list = (ProtobufCMessage *const *)at;
		return !*list || reply_is_whole(*list);
	}
	list = *(ProtobufCMessage *const *const *)at;
	for (size_t i = 0; i < *(const size_t *)quantifier; i++) {
		if (!reply_is_whole(list[i])) {
			return false;
		}
	}
	return true;
}

static bool reply_is_whole(const ProtobufCMessage *message)
{
	for (unsigned int i = 0; i < message->descriptor->n_fields; i++) {
		if (!reply_field_is_whole(message, &message->descriptor->fields[i])) {
			return false;
		}
	}
	return reply_has_parts(message);
}

Control__FromLud *reply_unpack(ProtobufCAllocator *allocator, const uint8_t *bytes, size_t len)
{
	ProtobufCMessage *message =
	        protobuf_c_message_unpack(&control__from_lud__descriptor, allocator, len, bytes);

	return message && reply_is_whole(message) ? (Control__FromLud *)message : NULL;
}

bool reply_answers(const Control__Request *request, const Control__Reply *reply)
{
	bool is_kind = false;

	if (reply->body_case == CONTROL__REPLY__BODY_ERROR) {
		return true;
	}
	for (size_t i = 0; i < sizeof(reply_kinds) / sizeof(reply_kinds[0]); i++) {
		if (reply_kinds[i].request == request->body_case) {
			is_kind = reply->body_case == reply_kinds[i].reply ||
			          (reply_kinds[i].or_reply != CONTROL__REPLY__BODY__NOT_SET &&
			                  reply->body_case == reply_kinds[i].or_reply);
		}
	}
	/* What was added is told about. */
	return is_kind && (request->body_case != CONTROL__REQUEST__BODY_RELEASE_ADD ||
	                          reply->releases->n_releases > 0);
}
