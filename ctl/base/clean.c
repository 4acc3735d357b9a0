/*
 * Every string of a message, escaped where it stands: by descriptor, through lists, oneofs and
 * messages inside, so no field can be forgotten. Only what changes is copied, into the
 * allocator that the message came from.
 */
#include "ctl/base/clean.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/text/escape.h"

/* Each line by itself; what ends them stays. */
static char *clean_lines(char *text)
{
	char *all = calloc(4, strlen(text) + 1), *to = all;

	if (!all) {
		abort();
	}
	for (char *line; (line = strsep(&text, "\n"));) {
		to += text_escape(to, 4 * strlen(line) + 1, line);
		if (text) {
			text[-1] = *to++ = '\n';
		}
	}
	return all;
}

/*
 * The text, escaped; the text itself when nothing had to be. "" when the allocator is full: an
 * answer that is cut is better than one that reaches the terminal raw.
 */
static char *clean_text(char *text, bool has_lines, ProtobufCAllocator *allocator)
{
	char *escaped = has_lines ? clean_lines(text) : text_escape_new(text);
	size_t size = strlen(escaped) + 1;
	char *copy = text;

	if (strcmp(escaped, text)) {
		copy = allocator->alloc(allocator->allocator_data, size);
		if (copy) {
			memcpy(copy, escaped, size);
		}
	}
	free(escaped);
	return copy ? copy : "";
}

/* The only texts of several lines: policies in force, which are shown as YAML, and what a plan's hash is of. */
static bool clean_has_lines(const ProtobufCFieldDescriptor *field)
{
	static const struct {
		const ProtobufCMessageDescriptor *type;
		const char *field;
	} texts[] = {
	        {&control__policy_set__descriptor, "text"},
	        {&control__job__descriptor, "plan_text"},
	};
	size_t i = 0;

	while (i < sizeof(texts) / sizeof(texts[0]) &&
	        field != protobuf_c_message_descriptor_get_field_by_name(
	                         texts[i].type, texts[i].field)) {
		i++;
	}
	return i < sizeof(texts) / sizeof(texts[0]);
}

/* at: a place that holds a pointer to a string or to a message. */
static void clean_value(
        const ProtobufCFieldDescriptor *field, void *at, ProtobufCAllocator *allocator)
{
	void **pointer = at;

	if (!*pointer) {
		return;
	}
	if (field->type == PROTOBUF_C_TYPE_STRING) {
		*pointer = clean_text(*pointer, clean_has_lines(field), allocator);
	} else {
		clean_message(*pointer, allocator);
	}
}

/*
 * One field with all its values. A oneof has its field in the message only when the quantifier
 * names it.
 */
static void clean_field(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
        ProtobufCAllocator *allocator)
{
	char *at = (char *)message + field->offset;
	const char *quantifier = (char *)message + field->quantifier_offset;

	if (field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_MESSAGE) {
		return;
	}
	if (field->label == PROTOBUF_C_LABEL_REPEATED) {
		for (size_t i = 0; i < *(const size_t *)quantifier; i++) {
			clean_value(field, *(void ***)at + i, allocator);
		}
	} else if (!(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) ||
	           *(const uint32_t *)quantifier == field->id) {
		clean_value(field, at, allocator);
	}
}

void clean_message(ProtobufCMessage *message, ProtobufCAllocator *allocator)
{
	const ProtobufCMessageDescriptor *type = message->descriptor;

	for (unsigned int i = 0; i < type->n_fields; i++) {
		clean_field(message, &type->fields[i], allocator);
	}
}

void clean_from_lud(Control__FromLud *from, bool for_json, ProtobufCAllocator *allocator)
{
	if (!for_json || from->body_case == CONTROL__FROM_LUD__BODY_PROGRESS) {
		clean_message(&from->base, allocator);
	}
}
