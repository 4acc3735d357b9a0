/*
 * Messages from rows. protobuf-c describes each message's fields, with types and places: what is written (message_put.c) and
 * read goes by that description, so that there is no second list of fields but that of the columns in
 * tables.def; message_test.c compares the two.
 *
 * Numbers are kept as SQLite's signed integers, also those of 64 bits without a sign. No message here has a oneof,
 * and parts of repeated parts do not occur.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/store/fields.h"

bool message_is_part(const ProtobufCFieldDescriptor *field)
{
	return field->label == PROTOBUF_C_LABEL_REPEATED || field->type == PROTOBUF_C_TYPE_MESSAGE;
}

const struct message_read *message_read_of(
        const struct message_shape *shape, const ProtobufCFieldDescriptor *field)
{
	for (size_t i = 0; i < shape->n_reads; i++) {
		if (!strcmp(shape->reads[i].field, field->name)) {
			return &shape->reads[i];
		}
	}
	return NULL;
}

const char *message_column(const ProtobufCFieldDescriptor *field)
{
	return strcmp(field->name, "id") ? field->name : "own_id";
}

const ProtobufCFieldDescriptor *message_field(const struct message_shape *shape, const char *name)
{
	const ProtobufCFieldDescriptor *field =
	        protobuf_c_message_descriptor_get_field_by_name(shape->of, name);

	assert(field);
	return field;
}

void message_sql_free(char **sql)
{
	sqlite3_free(*sql);
}

char *message_sql(sqlite3_str *sql)
{
	char *text = sqlite3_str_finish(sql);

	if (!text) {
		abort();
	}
	return text;
}

/* Rows of one table while they become messages. */
struct message_reading {
	const struct message_shape *shape; /* NULL: texts */
	ProtobufCAllocator *allocator;
	void **elements; /* owned by whoever asked; the array is of malloc() */
	size_t n;
	struct message_lost *lost; /* NULL: nobody asks */
};

/* Zeroed. */
static void *message_alloc(ProtobufCAllocator *allocator, size_t size)
{
	void *bytes = allocator ? allocator->alloc(allocator->allocator_data, size) : malloc(size);

	if (!bytes) {
		abort();
	}
	return memset(bytes, 0, size);
}

static char *message_text(ProtobufCAllocator *allocator, sqlite3_stmt *from, int column)
{
	const char *text = (const char *)sqlite3_column_text(from, column);
	size_t size = text ? strlen(text) : 0;
	char *copy = message_alloc(allocator, size + 1);

	return size ? memcpy(copy, text, size) : copy;
}

static void message_bytes(
        ProtobufCAllocator *allocator, sqlite3_stmt *from, int column, ProtobufCBinaryData *ret)
{
	const void *bytes = sqlite3_column_blob(from, column);

	ret->len = (size_t)sqlite3_column_bytes(from, column);
	if (ret->len) {
		ret->data = message_alloc(allocator, ret->len);
		memcpy(ret->data, bytes, ret->len);
	}
}

static void message_read_field(const struct message_reading *reading,
        const ProtobufCFieldDescriptor *field, sqlite3_stmt *from, int column, void *to)
{
	int64_t number = sqlite3_column_int64(from, column);

	switch (field->type) {
	case PROTOBUF_C_TYPE_BOOL:
		*(protobuf_c_boolean *)to = number != 0;
		return;
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_ENUM:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		*(uint32_t *)to = (uint32_t)number;
		return;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		*(int64_t *)to = number;
		return;
	case PROTOBUF_C_TYPE_FLOAT:
		*(float *)to = (float)sqlite3_column_double(from, column);
		return;
	case PROTOBUF_C_TYPE_DOUBLE:
		*(double *)to = sqlite3_column_double(from, column);
		return;
	case PROTOBUF_C_TYPE_STRING:
		/* Nothing is freed of an empty one. */
		if (sqlite3_column_bytes(from, column)) {
			*(char **)to = message_text(reading->allocator, from, column);
		}
		return;
	case PROTOBUF_C_TYPE_BYTES:
		message_bytes(reading->allocator, from, column, to);
		return;
	case PROTOBUF_C_TYPE_MESSAGE:
		break;
	}
	assert(!"message: no column");
}

static void message_note_lost(struct message_lost *lost, const char *field)
{
	if (lost && lost->n < MESSAGE_LOST_MAX) {
		lost->fields[lost->n++] = field;
	}
}

/* {name, number} of a column of the owner's row. */
static ProtobufCMessage *message_of_column(const struct message_reading *reading,
        const struct message_part *part, size_t c, sqlite3_stmt *from, int column)
{
	ProtobufCMessage *element = message_alloc(reading->allocator, part->in->of->sizeof_message);
	const ProtobufCFieldDescriptor *fields = part->in->of->fields;
	const char *name = part->columns[c];
	char *copy = message_alloc(reading->allocator, strlen(name) + 1);

	protobuf_c_message_init(part->in->of, element);
	*(char **)((char *)element + fields[0].offset) = strcpy(copy, name);
	message_read_field(reading, &fields[1], from, column, (char *)element + fields[1].offset);
	return element;
}

/* Adds to what a field has: elements in memory of the allocator, in an array that is made anew. */
static void message_add(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
        ProtobufCAllocator *allocator, void *const *elements, size_t n)
{
	void *at = (char *)message + field->offset;
	size_t *count = (size_t *)((char *)message + field->quantifier_offset);
	void **all;

	if (!n) {
		return;
	}
	if (field->label != PROTOBUF_C_LABEL_REPEATED) {
		*(void **)at = elements[0];
		return;
	}
	all = message_alloc(allocator, (*count + n) * sizeof(*all));
	if (*count) {
		memcpy(all, *(void ***)at, *count * sizeof(*all));
		if (allocator) {
			allocator->free(allocator->allocator_data, *(void ***)at);
		} else {
			free(*(void ***)at);
		}
	}
	memcpy(all + *count, elements, n * sizeof(*all));
	*(void ***)at = all;
	*count += n;
}

/* In the order of message_select(). */
static ProtobufCMessage *message_read_row(const struct message_reading *reading, sqlite3_stmt *from)
{
	const struct message_shape *shape = reading->shape;
	ProtobufCMessage *message = message_alloc(reading->allocator, shape->of->sizeof_message);
	int at = 0;

	protobuf_c_message_init(shape->of, message);
	for (unsigned i = 0; i < shape->of->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &shape->of->fields[i];

		if (message_is_part(field)) {
			continue;
		}
		if (sqlite3_column_type(from, at) == SQLITE_NULL) {
			message_note_lost(reading->lost, field->name);
		} else {
			message_read_field(
			        reading, field, from, at, (char *)message + field->offset);
		}
		at++;
	}
	for (size_t p = 0; p < shape->n_parts; p++) {
		const struct message_part *part = &shape->parts[p];

		for (size_t c = 0; c < part->n_columns; c++, at++) {
			if (sqlite3_column_type(from, at) != SQLITE_NULL) {
				void *element = message_of_column(reading, part, c, from, at);

				message_add(message, message_field(shape, part->field),
				        reading->allocator, &element, 1);
			}
		}
	}
	return message;
}

static int message_row(sqlite3_stmt *from, void *arg)
{
	struct message_reading *reading = arg;

	reading->elements =
	        realloc(reading->elements, (reading->n + 1) * sizeof(*reading->elements));
	if (!reading->elements) {
		abort();
	}
	reading->elements[reading->n++] = reading->shape
	                                          ? (void *)message_read_row(reading, from)
	                                          : message_text(reading->allocator, from, 0);
	return 0;
}

static char *message_select(const struct message_shape *shape)
{
	sqlite3_str *sql = sqlite3_str_new(NULL);
	const char *comma = "SELECT ";

	for (unsigned i = 0; i < shape->of->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &shape->of->fields[i];
		const struct message_read *read = message_read_of(shape, field);

		if (message_is_part(field)) {
			continue;
		}
		if (read) {
			sqlite3_str_appendf(sql, "%s%s", comma, read->expression);
		} else {
			sqlite3_str_appendf(sql, "%st.\"%s\"", comma, message_column(field));
		}
		comma = ", ";
	}
	for (size_t p = 0; p < shape->n_parts; p++) {
		for (size_t c = 0; c < shape->parts[p].n_columns; c++) {
			sqlite3_str_appendf(sql, ", t.%s_ns", shape->parts[p].columns[c]);
		}
	}
	sqlite3_str_appendf(sql, " FROM %s t %s WHERE t.id = ?%s", shape->table,
	        shape->joins ? shape->joins : "", shape->is_part ? " ORDER BY t.n" : "");
	return message_sql(sql);
}

static int message_read_all(
        struct db *db, struct message_reading *reading, const char *sql, int64_t id)
{
	int r = db_query(db, message_row, reading, sql, "i", id);

	return r == DB_E_NONE ? 0 : err_up(r);
}

static int message_get_part(
        struct db *db, const struct message_part *part, int64_t id, struct message_reading *ret)
{
	_cleanup_(message_sql_free) char *sql =
	        part->in ? message_select(part->in)
	                 : sqlite3_mprintf(
	                           "SELECT text FROM %s WHERE id = ? ORDER BY n", part->table);

	ret->shape = part->in;
	return err_up(message_read_all(db, ret, sql, id));
}

/* What was read so far goes with the message, also where the rest cannot be read. */
static int message_get_parts(struct db *db, const struct message_shape *shape, int64_t id,
        ProtobufCAllocator *allocator, ProtobufCMessage *message)
{
	int r = 0;

	for (size_t p = 0; !r && p < shape->n_parts; p++) {
		struct message_reading reading = {.allocator = allocator};

		r = message_get_part(db, &shape->parts[p], id, &reading);
		message_add(message, message_field(shape, shape->parts[p].field), allocator,
		        reading.elements, reading.n);
		free(reading.elements);
	}
	return err_up(r);
}

int message_get(struct db *db, const struct message_shape *shape, int64_t id,
        ProtobufCAllocator *allocator, ProtobufCMessage **ret, struct message_lost *ret_lost)
{
	struct message_reading reading = {.shape = shape, .allocator = allocator, .lost = ret_lost};
	_cleanup_(message_sql_free) char *sql = message_select(shape);
	ProtobufCMessage *message;
	int r = message_read_all(db, &reading, sql, id);

	message = reading.n ? reading.elements[0] : NULL;
	free(reading.elements);
	if (r || !message) {
		protobuf_c_message_free_unpacked(message, allocator);
		return r ? err_up(r) : DB_E_NONE;
	}
	r = message_get_parts(db, shape, id, allocator, message);
	if (r) {
		protobuf_c_message_free_unpacked(message, allocator);
		return err_up(r);
	}
	*ret = message;
	return 0;
}
