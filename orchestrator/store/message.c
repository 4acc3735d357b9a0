/*
 * Messages as rows. protobuf-c describes each message's fields, with types and places: what is written, bound and
 * read here goes by that description, so that there is no second list of fields but that of the columns in
 * tables.def; message_test.c compares the two.
 *
 * Numbers are kept as SQLite's signed integers, also those of 64 bits without a sign. No message here has a oneof,
 * and parts of repeated parts do not occur.
 */
#include "orchestrator/store/message.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/file.h"

static const void *message_at(
        const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	return (const char *)message + field->offset;
}

static bool message_is_part(const ProtobufCFieldDescriptor *field)
{
	return field->label == PROTOBUF_C_LABEL_REPEATED || field->type == PROTOBUF_C_TYPE_MESSAGE;
}

static const struct message_read *message_read_of(
        const struct message_shape *shape, const ProtobufCFieldDescriptor *field)
{
	for (size_t i = 0; i < shape->n_reads; i++) {
		if (!strcmp(shape->reads[i].field, field->name)) {
			return &shape->reads[i];
		}
	}
	return NULL;
}

static bool message_is_column(
        const struct message_shape *shape, const ProtobufCFieldDescriptor *field)
{
	const struct message_read *read = message_read_of(shape, field);

	return !message_is_part(field) && (!read || read->is_kept);
}

static const char *message_column(const ProtobufCFieldDescriptor *field)
{
	return strcmp(field->name, "id") ? field->name : "own_id";
}

static const ProtobufCFieldDescriptor *message_field(
        const struct message_shape *shape, const char *name)
{
	const ProtobufCFieldDescriptor *field =
	        protobuf_c_message_descriptor_get_field_by_name(shape->of, name);

	assert(field);
	return field;
}

/* Elements of a field that repeats, or the one message that it is, if any. */
struct message_list {
	const ProtobufCFieldDescriptor *field;
	void *const *elements; /* messages or texts */
	size_t n;
};

static struct message_list message_list(
        const struct message_shape *shape, const char *name, const ProtobufCMessage *message)
{
	const ProtobufCFieldDescriptor *field = message_field(shape, name);
	struct message_list list = {.field = field, .elements = message_at(message, field)};

	if (field->label == PROTOBUF_C_LABEL_REPEATED) {
		list.n = *(const size_t *)((const char *)message + field->quantifier_offset);
		list.elements = *(void *const *const *)list.elements;
	} else {
		list.n = *list.elements ? 1 : 0;
	}
	return list;
}

/* The first element of that name, a message {name, number}; NULL: there is none. */
static const ProtobufCMessage *message_named(
        const struct message_list *list, const struct message_part *part, const char *name)
{
	const ProtobufCFieldDescriptor *key = &part->in->of->fields[0];

	for (size_t i = 0; i < list->n; i++) {
		if (!strcmp(*(char *const *)message_at(list->elements[i], key), name)) {
			return list->elements[i];
		}
	}
	return NULL;
}

static bool message_has_column(const struct message_list *list, const struct message_part *part,
        const ProtobufCMessage *element)
{
	for (size_t c = 0; c < part->n_columns; c++) {
		if (message_named(list, part, part->columns[c]) == element) {
			return true;
		}
	}
	return false;
}

static int message_bind(
        sqlite3_stmt *statement, int at, const ProtobufCFieldDescriptor *field, const void *value)
{
	const ProtobufCBinaryData *bytes = value;

	switch (field->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_ENUM:
	case PROTOBUF_C_TYPE_BOOL:
		return sqlite3_bind_int64(statement, at, *(const int32_t *)value);
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		return sqlite3_bind_int64(statement, at, *(const uint32_t *)value);
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return sqlite3_bind_int64(statement, at, *(const int64_t *)value);
	case PROTOBUF_C_TYPE_FLOAT:
		return sqlite3_bind_double(statement, at, (double)*(const float *)value);
	case PROTOBUF_C_TYPE_DOUBLE:
		return sqlite3_bind_double(statement, at, *(const double *)value);
	case PROTOBUF_C_TYPE_STRING:
		return sqlite3_bind_text(
		        statement, at, *(char *const *)value, -1, SQLITE_TRANSIENT);
	case PROTOBUF_C_TYPE_BYTES:
		return sqlite3_bind_blob64(statement, at, bytes->len ? bytes->data : (void *)"",
		        bytes->len, SQLITE_TRANSIENT);
	case PROTOBUF_C_TYPE_MESSAGE:
		break;
	}
	return SQLITE_MISUSE;
}
static_assert(sizeof(protobuf_c_boolean) == sizeof(int32_t), "bound as a number");

/* A row that is to be written. */
struct message_row {
	const struct message_shape *shape;
	int64_t id, n;
	const ProtobufCMessage *message;
};

/* In the order of message_insert(). */
static int message_bind_row(sqlite3_stmt *statement, void *arg)
{
	const struct message_row *row = arg;
	const struct message_shape *shape = row->shape;
	int at = 1, code = sqlite3_bind_int64(statement, at, row->id);

	if (shape->is_part && code == SQLITE_OK) {
		code = sqlite3_bind_int64(statement, ++at, row->n);
	}
	for (unsigned i = 0; i < shape->of->n_fields && code == SQLITE_OK; i++) {
		const ProtobufCFieldDescriptor *field = &shape->of->fields[i];

		if (message_is_column(shape, field)) {
			code = message_bind(
			        statement, ++at, field, message_at(row->message, field));
		}
	}
	for (size_t p = 0; p < shape->n_parts; p++) {
		const struct message_part *part = &shape->parts[p];
		struct message_list list = message_list(shape, part->field, row->message);

		for (size_t c = 0; c < part->n_columns && code == SQLITE_OK; c++) {
			const ProtobufCMessage *element =
			        message_named(&list, part, part->columns[c]);
			const ProtobufCFieldDescriptor *number = &part->in->of->fields[1];

			at++;
			code = element ? message_bind(
			                         statement, at, number, message_at(element, number))
			               : sqlite3_bind_null(statement, at);
		}
	}
	return code;
}

static void message_sql_free(char **sql)
{
	sqlite3_free(*sql);
}

/* SQL that is whole; the caller frees it with message_sql_free(). */
static char *message_sql(sqlite3_str *sql)
{
	char *text = sqlite3_str_finish(sql);

	if (!text) {
		abort();
	}
	return text;
}

static char *message_insert(const struct message_shape *shape)
{
	sqlite3_str *sql = sqlite3_str_new(NULL);
	int n = 1 + shape->is_part;

	sqlite3_str_appendf(sql, "INSERT INTO %s(id%s", shape->table, shape->is_part ? ", n" : "");
	for (unsigned i = 0; i < shape->of->n_fields; i++) {
		if (message_is_column(shape, &shape->of->fields[i])) {
			sqlite3_str_appendf(sql, ", \"%s\"", message_column(&shape->of->fields[i]));
			n++;
		}
	}
	for (size_t p = 0; p < shape->n_parts; p++) {
		for (size_t c = 0; c < shape->parts[p].n_columns; c++) {
			sqlite3_str_appendf(sql, ", %s_ns", shape->parts[p].columns[c]);
			n++;
		}
	}
	sqlite3_str_appendf(sql, ") VALUES(?");
	for (; n > 1; n--) {
		sqlite3_str_appendf(sql, ", ?");
	}
	sqlite3_str_appendf(sql, ")");
	return message_sql(sql);
}

static int message_put_row(struct db *db, struct message_row row)
{
	_cleanup_(message_sql_free) char *sql = message_insert(row.shape);

	return err_fold(db_run_bound(db, sql, message_bind_row, &row));
}

static int message_put_text(
        struct db *db, const char *table, int64_t id, int64_t n, const char *text)
{
	_cleanup_(message_sql_free) char *sql =
	        sqlite3_mprintf("INSERT INTO %s(id, n, text) VALUES(?, ?, ?)", table);

	return err_fold(db_run(db, sql, "iit", id, n, text));
}

static int message_put_part(
        struct db *db, const struct message_row *owner, const struct message_part *part)
{
	struct message_list list = message_list(owner->shape, part->field, owner->message);
	int r = 0;

	for (size_t i = 0; !r && i < list.n; i++) {
		const struct message_row row = {
		        part->in, owner->id, (int64_t)i + 1, list.elements[i]};

		if (!part->in) {
			r = message_put_text(db, part->table, row.id, row.n, list.elements[i]);
		} else if (!message_has_column(&list, part, row.message)) {
			r = message_put_row(db, row);
		}
	}
	return err_up(r);
}

static int message_drop_rows(struct db *db, const char *table, int64_t id)
{
	_cleanup_(message_sql_free) char *sql =
	        sqlite3_mprintf("DELETE FROM %s WHERE id = ?", table);

	return err_fold(db_run(db, sql, "i", id));
}

int message_drop(struct db *db, const struct message_shape *shape, int64_t id)
{
	int r = 0;

	for (size_t p = 0; !r && p < shape->n_parts; p++) {
		const struct message_part *part = &shape->parts[p];

		r = message_drop_rows(db, part->in ? part->in->table : part->table, id);
	}
	return r ? err_up(r) : err_up(message_drop_rows(db, shape->table, id));
}

int message_put(struct db *db, const struct message_shape *shape, int64_t id,
        const ProtobufCMessage *message)
{
	const struct message_row row = {shape, id, 0, message};
	int r = message_drop(db, shape, id);

	assert(message->descriptor == shape->of);
	if (!r) {
		r = message_put_row(db, row);
	}
	for (size_t p = 0; !r && p < shape->n_parts; p++) {
		r = message_put_part(db, &row, &shape->parts[p]);
	}
	return err_up(r);
}

int message_put_packed(struct db *db, const struct message_shape *shape, int64_t id,
        const uint8_t *bytes, size_t size)
{
	ProtobufCMessage *message = protobuf_c_message_unpack(shape->of, NULL, size, bytes);
	int r = message ? message_put(db, shape, id, message) : DB_E_NONE;

	protobuf_c_message_free_unpacked(message, NULL);
	return err_up(r);
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
