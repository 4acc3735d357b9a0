/*
 * Messages into rows. protobuf-c describes each message's fields, with types and places: what is bound goes by that description.
 * A column of a field, or of an element that has one of its own by its name, is a slot; slots and the SQL of an insert are made for
 * each message that is told, and once for all of them when packed messages of a record of before become rows.
 *
 * Such a record has the tables of its time: a field that came later has no column yet, and is left out.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/store/fields.h"

#define MESSAGE_SLOTS_MAX 64
#define MESSAGE_PARTS_MAX 4

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

static bool message_is_column(
        const struct message_shape *shape, const ProtobufCFieldDescriptor *field)
{
	const struct message_read *read = message_read_of(shape, field);

	return !message_is_part(field) && (!read || read->is_kept);
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

/* A column of a message's table that a row is written to: of a field, or of an element of a part by its name. */
struct message_slot {
	const ProtobufCFieldDescriptor *field; /* NULL: of ->part */
	const struct message_part *part;
	const char *name;
};

/* How rows of a table are written. */
struct message_table {
	const struct message_shape *shape; /* NULL: texts */
	struct message_slot slots[MESSAGE_SLOTS_MAX];
	size_t n_slots;
	char *sql; /* NULL: there is no such table */
};

/* How a message is written: its own table, and those of its parts, in their order. */
struct message_writer {
	struct message_table own, parts[MESSAGE_PARTS_MAX];
};

/* A row that is to be written. */
struct message_row {
	const struct message_table *table;
	int64_t id, n;
	const ProtobufCMessage *message;
};

static int message_bind_slot(sqlite3_stmt *statement, int at, const struct message_slot *slot,
        const struct message_row *row)
{
	const ProtobufCFieldDescriptor *field = slot->field;
	const ProtobufCMessage *from = row->message;

	if (!field) {
		struct message_list list =
		        message_list(row->table->shape, slot->part->field, row->message);

		from = message_named(&list, slot->part, slot->name);
		field = &slot->part->in->of->fields[1];
	}
	return from ? message_bind(statement, at, field, message_at(from, field))
	            : sqlite3_bind_null(statement, at);
}

/* In the order of message_insert(). */
static int message_bind_row(sqlite3_stmt *statement, void *arg)
{
	const struct message_row *row = arg;
	const struct message_table *table = row->table;
	int at = 1, code = sqlite3_bind_int64(statement, at, row->id);

	if (table->shape->is_part && code == SQLITE_OK) {
		code = sqlite3_bind_int64(statement, ++at, row->n);
	}
	for (size_t i = 0; i < table->n_slots && code == SQLITE_OK; i++) {
		code = message_bind_slot(statement, ++at, &table->slots[i], row);
	}
	return code;
}

static const char *message_slot_column(const struct message_slot *slot, char *buffer, size_t size)
{
	snprintf(buffer, size, "%s%s", slot->field ? message_column(slot->field) : slot->name,
	        slot->field ? "" : "_ns");
	return buffer;
}

/* As message_select() reads them. */
static void message_slots(const struct message_shape *shape, struct message_table *ret)
{
	ret->shape = shape;
	for (unsigned i = 0; i < shape->of->n_fields; i++) {
		if (message_is_column(shape, &shape->of->fields[i])) {
			assert(ret->n_slots < MESSAGE_SLOTS_MAX);
			ret->slots[ret->n_slots++].field = &shape->of->fields[i];
		}
	}
	for (size_t p = 0; p < shape->n_parts; p++) {
		for (size_t c = 0; c < shape->parts[p].n_columns; c++) {
			assert(ret->n_slots < MESSAGE_SLOTS_MAX);
			ret->slots[ret->n_slots++] = (struct message_slot){
			        NULL, &shape->parts[p], shape->parts[p].columns[c]};
		}
	}
}

static char *message_insert(const struct message_table *table)
{
	sqlite3_str *sql = sqlite3_str_new(NULL);
	size_t n = table->n_slots + table->shape->is_part;
	char column[64];

	sqlite3_str_appendf(sql, "INSERT INTO %s(id%s", table->shape->table,
	        table->shape->is_part ? ", n" : "");
	for (size_t i = 0; i < table->n_slots; i++) {
		sqlite3_str_appendf(sql, ", \"%s\"",
		        message_slot_column(&table->slots[i], column, sizeof(column)));
	}
	sqlite3_str_appendf(sql, ") VALUES(?");
	for (; n; n--) {
		sqlite3_str_appendf(sql, ", ?");
	}
	sqlite3_str_appendf(sql, ")");
	return message_sql(sql);
}

static void message_writer_fini(struct message_writer *writer)
{
	sqlite3_free(writer->own.sql);
	for (size_t p = 0; p < MESSAGE_PARTS_MAX; p++) {
		sqlite3_free(writer->parts[p].sql);
	}
}

static void message_part_init(const struct message_part *part, struct message_table *ret)
{
	if (part->in) {
		message_slots(part->in, ret);
		ret->sql = message_insert(ret);
	} else {
		ret->sql =
		        sqlite3_mprintf("INSERT INTO %s(id, n, text) VALUES(?, ?, ?)", part->table);
	}
}

static void message_writer_init(struct message_writer *writer, const struct message_shape *shape)
{
	*writer = (struct message_writer){0};
	message_slots(shape, &writer->own);
	writer->own.sql = message_insert(&writer->own);
	for (size_t p = 0; p < shape->n_parts; p++) {
		message_part_init(&shape->parts[p], &writer->parts[p]);
	}
}

/* Whether an element is in a column of its owner's row. */
static bool message_has_column(const struct message_writer *writer, const struct message_part *part,
        const struct message_list *list, const ProtobufCMessage *element)
{
	for (size_t i = 0; i < writer->own.n_slots; i++) {
		const struct message_slot *slot = &writer->own.slots[i];

		if (slot->part == part && message_named(list, part, slot->name) == element) {
			return true;
		}
	}
	return false;
}

static int message_write_part(struct db *db, const struct message_writer *writer, size_t p,
        int64_t id, const ProtobufCMessage *message)
{
	const struct message_part *part = &writer->own.shape->parts[p];
	const struct message_table *table = &writer->parts[p];
	struct message_list list = message_list(writer->own.shape, part->field, message);
	int r = 0;

	for (size_t i = 0; !r && table->sql && i < list.n; i++) {
		struct message_row row = {table, id, (int64_t)i + 1, list.elements[i]};

		if (!part->in) {
			r = db_run(db, table->sql, "iit", row.id, row.n,
			        (const char *)list.elements[i]);
		} else if (!message_has_column(writer, part, &list, row.message)) {
			r = db_run_bound(db, table->sql, message_bind_row, &row);
		}
	}
	return err_fold(r);
}

static int message_write(struct db *db, const struct message_writer *writer, int64_t id,
        const ProtobufCMessage *message)
{
	struct message_row row = {&writer->own, id, 0, message};
	int r = db_run_bound(db, writer->own.sql, message_bind_row, &row);

	for (size_t p = 0; !r && p < writer->own.shape->n_parts; p++) {
		r = message_write_part(db, writer, p, id, message);
	}
	return err_fold(r);
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
	_cleanup_(message_writer_fini) struct message_writer writer;
	int r = message_drop(db, shape, id);

	assert(message->descriptor == shape->of);
	message_writer_init(&writer, shape);
	return r ? err_up(r) : err_up(message_write(db, &writer, id, message));
}

/* DB_E_NONE: the table, if there is one, has no such column. */
static int message_column_find(struct db *db, const char *table, const char *column)
{
	return err_up(db_query(db, NULL, NULL, "SELECT 1 FROM pragma_table_info(?) WHERE name = ?",
	        "tt", table, column));
}

/* Leaves out columns that the table does not have yet. */
static int message_table_trim(struct db *db, struct message_table *table)
{
	size_t n = 0;

	for (size_t i = 0; i < table->n_slots; i++) {
		char column[64];
		int r = message_column_find(db, table->shape->table,
		        message_slot_column(&table->slots[i], column, sizeof(column)));

		if (r < 0) {
			return err_up(r);
		}
		if (!r) {
			table->slots[n++] = table->slots[i];
		}
	}
	table->n_slots = n;
	sqlite3_free(table->sql);
	table->sql = n ? message_insert(table) : NULL;
	return 0;
}

static int message_part_trim(
        struct db *db, const struct message_part *part, struct message_table *table)
{
	int r;

	if (part->in) {
		return err_up(message_table_trim(db, table));
	}
	r = message_column_find(db, part->table, "text");
	if (r == DB_E_NONE) {
		sqlite3_free(table->sql);
		table->sql = NULL;
		return 0;
	}
	return err_up(r);
}

int message_writer_new(
        struct db *db, const struct message_shape *shape, struct message_writer **ret)
{
	_cleanup_(message_writer_freep) struct message_writer *writer = mem_zero(sizeof(*writer));
	int r;

	message_writer_init(writer, shape);
	r = message_table_trim(db, &writer->own);
	for (size_t p = 0; !r && p < shape->n_parts; p++) {
		r = message_part_trim(db, &shape->parts[p], &writer->parts[p]);
	}
	if (r) {
		return err_up(r);
	}
	*ret = steal(&writer);
	return 0;
}

struct message_writer *message_writer_free(struct message_writer *writer)
{
	if (writer) {
		message_writer_fini(writer);
		free(writer);
	}
	return NULL;
}

void message_writer_freep(struct message_writer **writer)
{
	*writer = message_writer_free(*writer);
}

int message_put_packed(struct db *db, const struct message_writer *writer, int64_t id,
        const uint8_t *bytes, size_t size)
{
	ProtobufCMessage *message =
	        protobuf_c_message_unpack(writer->own.shape->of, NULL, size, bytes);
	int r = message ? message_write(db, writer, id, message) : DB_E_NONE;

	protobuf_c_message_free_unpacked(message, NULL);
	return err_up(r);
}
