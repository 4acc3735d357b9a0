/*
 * What is checked of an answer: that it is one of the kinds its request can have, and that the
 * parts which commands follow without looking are there, at any depth. Both are tables; of a
 * request without a row every answer but an error is a wrong one. Lists may be empty but where
 * a command takes the first row.
 */
#include "ctl/reply.h"

#include <stddef.h>

/* Parts that are never left out. */
static const struct {
	const ProtobufCMessageDescriptor *type;
	size_t offset; /* of the pointer */
} reply_parts[] = {
        {&control__status__descriptor, offsetof(Control__Status, machine)},
        {&control__service_status__descriptor, offsetof(Control__ServiceStatus, service)},
};

/* What requests are answered with; luctl asks nothing else. */
static const struct {
	Control__Request__BodyCase request;
	Control__Reply__BodyCase reply, or_reply;
} reply_kinds[] = {
        {CONTROL__REQUEST__BODY_VERSION, CONTROL__REPLY__BODY_VERSION, 0},
        {CONTROL__REQUEST__BODY_STATUS, CONTROL__REPLY__BODY_STATUS, 0},
        {CONTROL__REQUEST__BODY_UPDATE, CONTROL__REPLY__BODY_JOB, 0},
        {CONTROL__REQUEST__BODY_ROLLBACK, CONTROL__REPLY__BODY_JOB, 0},
        {CONTROL__REQUEST__BODY_RERANDOMIZE, CONTROL__REPLY__BODY_JOBS, 0},
        {CONTROL__REQUEST__BODY_HISTORY, CONTROL__REPLY__BODY_HISTORY, 0},
        {CONTROL__REQUEST__BODY_JOB_LIST, CONTROL__REPLY__BODY_JOBS, 0},
        {CONTROL__REQUEST__BODY_SHOW, CONTROL__REPLY__BODY_GENERATION, 0},
        {CONTROL__REQUEST__BODY_MACHINE_LIST, CONTROL__REPLY__BODY_MACHINES, 0},
        {CONTROL__REQUEST__BODY_MACHINE_START, CONTROL__REPLY__BODY_JOB,
                CONTROL__REPLY__BODY_MACHINES},
        {CONTROL__REQUEST__BODY_MACHINE_STOP, CONTROL__REPLY__BODY_MACHINES,
                CONTROL__REPLY__BODY_JOB},
        {CONTROL__REQUEST__BODY_MACHINE_DEFAULT, CONTROL__REPLY__BODY_MACHINES, 0},
        {CONTROL__REQUEST__BODY_MACHINE_REMOVE, CONTROL__REPLY__BODY_MACHINES, 0},
        {CONTROL__REQUEST__BODY_RESTART, CONTROL__REPLY__BODY_JOB, 0},
        {CONTROL__REQUEST__BODY_RELEASE_ADD, CONTROL__REPLY__BODY_RELEASES, 0},
        {CONTROL__REQUEST__BODY_RELEASE_LIST, CONTROL__REPLY__BODY_RELEASES, 0},
        {CONTROL__REQUEST__BODY_RELEASE_UNBLOCK, CONTROL__REPLY__BODY_DONE, 0},
        {CONTROL__REQUEST__BODY_LOG_FOLLOW, CONTROL__REPLY__BODY_DONE, 0},
        {CONTROL__REQUEST__BODY_JOB_SIGN, CONTROL__REPLY__BODY_DONE, 0},
        {CONTROL__REQUEST__BODY_MACHINE_TIME, CONTROL__REPLY__BODY_DONE, 0},
};

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
			          (reply_kinds[i].or_reply &&
			                  reply->body_case == reply_kinds[i].or_reply);
		}
	}
	/* What was added is told about. */
	return is_kind && (request->body_case != CONTROL__REQUEST__BODY_RELEASE_ADD ||
	                          reply->releases->n_releases > 0);
}
