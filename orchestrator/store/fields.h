#pragma once
/* Inside store, of messages as rows: fields by their descriptions, for message.c and message_put.c. */
#include "orchestrator/store/message.h"

static inline const void *message_at(
        const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	return (const char *)message + field->offset;
}

/* It repeats or is a message: rows of its own, see struct message_part. */
bool message_is_part(const ProtobufCFieldDescriptor *field);
/* How it is read otherwise than from its column; NULL: it is not. */
const struct message_read *message_read_of(
        const struct message_shape *shape, const ProtobufCFieldDescriptor *field);
const char *message_column(const ProtobufCFieldDescriptor *field);
const ProtobufCFieldDescriptor *message_field(const struct message_shape *shape, const char *name);

/* SQL that is whole; the caller frees it with message_sql_free(). */
char *message_sql(sqlite3_str *sql);
void message_sql_free(char **sql);
