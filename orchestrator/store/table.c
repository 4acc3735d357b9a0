/*
 * Rows by their tables. What a column is called, where its field lies and when it is written
 * stands once, in tables.def; reading and writing go through that, so that a column cannot be
 * selected in one order and read in another, or bound at the wrong place.
 *
 * SQL is put together for each call. Names in it come from tables.def and tails from this
 * room: never from a message or a file; values are always bound.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/store/priv.h"

#define STORE_SQL_MAX 2048

#define STORE_FIELD(row, name) (((struct row##_row *)0)->name)
#define STORE_FIELD_KIND(row, name)                                                                \
	_Generic(STORE_FIELD(row, name),                                                           \
	        char *: STORE_TEXT,                                                                \
	        uint8_t *: STORE_BLOB,                                                             \
	        default: STORE_INTEGER)
#define STORE_FIELD_PLACE(row, name)                                                               \
	.kind = STORE_FIELD_KIND(row, name), .offset = offsetof(struct row##_row, name),           \
	.size = sizeof(STORE_FIELD(row, name))

#define TABLE(row, since, rules, joins) static const struct store_column store_##row##_columns[] = {
#define COLUMN(row, since_, name_, type, written_, declared_)                                      \
	{.name = #name_,                                                                           \
	        .declared = declared_,                                                             \
	        .expression = #row "s." #name_,                                                    \
	        .since = since_,                                                                   \
	        .written = STORE_##written_,                                                       \
	        STORE_FIELD_PLACE(row, name_)},
#define APART(row, since_, name_, written_, declared_)                                             \
	{.name = #name_,                                                                           \
	        .declared = declared_,                                                             \
	        .since = since_,                                                                   \
	        .kind = STORE_APART,                                                               \
	        .written = STORE_##written_},
#define JOINED(row, name_, type, expression_)                                                      \
	{.name = #name_, .expression = expression_, STORE_FIELD_PLACE(row, name_)},
#define END(row)                                                                                   \
	}                                                                                          \
	;
#include "orchestrator/store/tables.def"
#undef TABLE
#undef COLUMN
#undef APART
#undef JOINED
#undef END

const struct store_table store_tables[_STORE_TABLE_N] = {
#define TABLE(row, since_, rules_, joins_)                                                         \
	[STORE_##row] = {.name = #row "s",                                                         \
	        .from = #row "s" joins_,                                                           \
	        .rules = rules_,                                                                   \
	        .since = since_,                                                                   \
	        .columns = store_##row##_columns,                                                  \
	        .n_columns = sizeof(store_##row##_columns) / sizeof(store_##row##_columns[0]),     \
	        .row_size = sizeof(struct row##_row)},
#define COLUMN(...)
#define APART(...)
#define JOINED(...)
#define END(row)
#include "orchestrator/store/tables.def"
#undef TABLE
#undef COLUMN
#undef APART
#undef JOINED
#undef END
};

static void store_append(char *sql, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* SQL of this room has a bounded size: what does not fit is a mistake in tables.def or a tail. */
static void store_append(char *sql, const char *format, ...)
{
	size_t used = strlen(sql);
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(sql + used, STORE_SQL_MAX - used, format, args);
	va_end(args);
	if (n < 0 || used + n >= STORE_SQL_MAX) {
		abort();
	}
}

/* Fields have the sizes that tables.def gives them; any other is a row that no function reads. */
static uint64_t store_integer_get(const struct store_column *column, const char *row)
{
	const char *at = row + column->offset;

	switch (column->size) {
	case sizeof(uint8_t):
		return *(const uint8_t *)at;
	case sizeof(uint32_t):
		return *(const uint32_t *)at;
	default:
		assert(column->size == sizeof(uint64_t));
		return *(const uint64_t *)at;
	}
}

/* Columns of one byte are bool: whatever is not 0 is true. */
static void store_integer_set(const struct store_column *column, char *row, uint64_t value)
{
	char *at = row + column->offset;

	switch (column->size) {
	case sizeof(bool):
		*(bool *)at = value != 0;
		return;
	case sizeof(uint32_t):
		*(uint32_t *)at = (uint32_t)value;
		return;
	default:
		assert(column->size == sizeof(uint64_t));
		*(uint64_t *)at = value;
	}
}

/* All bytes of the field: an empty text, a hash that nobody has set, a number that is 0. */
static bool store_is_zero(const struct store_column *column, const char *row)
{
	for (size_t i = 0; i < column->size; i++) {
		if (row[column->offset + i]) {
			return false;
		}
	}
	return true;
}

static bool store_may_be_null(const struct store_column *column)
{
	return !strstr(column->declared, "NOT NULL");
}

/* What store_insert() and store_update() bind. */
struct store_write {
	const struct store_table *table;
	bool inserts;
	const char *row;
	const struct store_bytes *bytes;
};

/* Whether this statement, an insert or an update, has the column. */
static bool store_writes(const struct store_write *write, const struct store_column *column)
{
	switch (column->written) {
	case STORE_INSERT:
	case STORE_BYTES:
		return write->inserts;
	case STORE_UPDATE:
		return !write->inserts;
	case STORE_BOTH:
		return true;
	case STORE_OWN:
	case _STORE_WRITTEN_N:
		break;
	}
	return false;
}

/* Zero stands for "not known" where the column may be NULL, so that UNIQUE does not count it. */
static int store_bind_column(sqlite3_stmt *statement, int index, const struct store_write *write,
        const struct store_column *column)
{
	const char *field = write->row + column->offset;

	if (column->kind == STORE_APART || column->written == STORE_BYTES) {
		return sqlite3_bind_blob64(statement, index, write->bytes->bytes,
		        write->bytes->size, SQLITE_TRANSIENT);
	}
	if (store_may_be_null(column) && store_is_zero(column, write->row)) {
		return sqlite3_bind_null(statement, index);
	}
	switch (column->kind) {
	case STORE_INTEGER:
		return sqlite3_bind_int64(
		        statement, index, (int64_t)store_integer_get(column, write->row));
	case STORE_TEXT:
		return sqlite3_bind_text(statement, index, field, -1, SQLITE_TRANSIENT);
	case STORE_BLOB:
		return sqlite3_bind_blob64(statement, index, field, column->size, SQLITE_TRANSIENT);
	case STORE_APART:
	case _STORE_KIND_N:
		break;
	}
	return SQLITE_MISUSE;
}

/* In the order in which store_insert() and store_update() have named them; the id comes last. */
static int store_bind(sqlite3_stmt *statement, void *arg)
{
	const struct store_write *write = arg;
	const struct store_column *id = &write->table->columns[0];
	int index = 0, code = SQLITE_OK;

	for (size_t i = 0; i < write->table->n_columns && code == SQLITE_OK; i++) {
		const struct store_column *column = &write->table->columns[i];

		if (store_writes(write, column)) {
			code = store_bind_column(statement, ++index, write, column);
		}
	}
	if (code == SQLITE_OK && !write->inserts) {
		code = store_bind_column(statement, ++index, write, id);
	}
	return code;
}

/*
 * A new row with every column that is written when it is made; bytes go into the column that is
 * kept apart from the struct (NULL where the table has none). DB_E_EXISTS: a UNIQUE rule says no.
 */
int store_insert(
        struct db *db, enum store_table_id id, const void *row, const struct store_bytes *bytes)
{
	struct store_write write = {&store_tables[id], true, row, bytes};
	char sql[STORE_SQL_MAX] = "", values[STORE_SQL_MAX] = "";

	store_append(sql, "INSERT INTO %s(", write.table->name);
	for (size_t i = 0; i < write.table->n_columns; i++) {
		const struct store_column *column = &write.table->columns[i];

		if (store_writes(&write, column)) {
			store_append(sql, "%s%s", *values ? ", " : "", column->name);
			store_append(values, "%s?", *values ? ", " : "");
		}
	}
	store_append(sql, ") VALUES(%s)", values);
	return err_up(db_run_bound(db, sql, store_bind, &write));
}

/* The columns that may change, of the row whose id is in `row`. A row that is gone is no error. */
int store_update(
        struct db *db, enum store_table_id id, const void *row, const struct store_bytes *bytes)
{
	struct store_write write = {&store_tables[id], false, row, bytes};
	char sql[STORE_SQL_MAX] = "";
	const char *comma = " SET";

	store_append(sql, "UPDATE %s", write.table->name);
	for (size_t i = 0; i < write.table->n_columns; i++) {
		const struct store_column *column = &write.table->columns[i];

		if (store_writes(&write, column)) {
			store_append(sql, "%s %s = ?", comma, column->name);
			comma = ",";
		}
	}
	store_append(sql, " WHERE id = ?");
	return err_up(db_run_bound(db, sql, store_bind, &write));
}

/* Names every column: a record that has more of them is read all the same. */
static void store_select(const struct store_table *table, const char *tail, char *ret_sql)
{
	const char *comma = "SELECT ";

	*ret_sql = '\0';
	for (size_t i = 0; i < table->n_columns; i++) {
		if (table->columns[i].expression) {
			store_append(ret_sql, "%s%s", comma, table->columns[i].expression);
			comma = ", ";
		}
	}
	store_append(ret_sql, " FROM %s %s", table->from, tail);
}

/* Columns come as store_select() named them. NULL is read as zero. */
static void store_read(const struct store_table *table, sqlite3_stmt *from, char *ret_row)
{
	int n = 0;

	memset(ret_row, 0, table->row_size);
	for (size_t i = 0; i < table->n_columns; i++) {
		const struct store_column *column = &table->columns[i];
		char *field = ret_row + column->offset;

		switch (column->kind) {
		case STORE_INTEGER:
			store_integer_set(column, ret_row, sqlite3_column_int64(from, n++));
			break;
		case STORE_TEXT:
			db_column_text(from, n++, field, column->size);
			break;
		case STORE_BLOB:
			db_column_blob(from, n++, field, column->size);
			break;
		case STORE_APART:
		case _STORE_KIND_N:
			break;
		}
	}
}

struct store_reading {
	const struct store_table *table;
	void *row;
	store_row_fn fn; /* NULL: the row is all that is wanted */
	void *arg;
};

/* store_one() takes the last row that comes: its tails choose at most one. */
static int store_row(sqlite3_stmt *from, void *arg)
{
	const struct store_reading *reading = arg;

	store_read(reading->table, from, reading->row);
	return reading->fn ? reading->fn(reading->row, reading->arg) : 0;
}

/*
 * One row, chosen by `tail` with values bound by `format`. DB_E_NONE: there is none, and *ret_row is
 * as it was.
 */
int store_one(struct db *db, enum store_table_id id, void *ret_row, const char *tail,
        const char *format, ...)
{
	struct store_reading reading = {&store_tables[id], ret_row, NULL, NULL};
	char sql[STORE_SQL_MAX];
	va_list args;
	int r;

	store_select(reading.table, tail, sql);
	va_start(args, format);
	r = db_query_list(db, store_row, &reading, sql, format, &args);
	va_end(args);
	return err_up(r);
}

/*
 * Each row in the order of `tail`, in memory that is used again for the next; fn ends it by not 0.
 */
int store_each(struct db *db, enum store_table_id id, store_row_fn fn, void *arg, const char *tail,
        const char *format, ...)
{
	_cleanup_(freep) char *row = mem_zero(store_tables[id].row_size);
	struct store_reading reading = {&store_tables[id], row, fn, arg};
	char sql[STORE_SQL_MAX];
	va_list args;
	int r;

	store_select(reading.table, tail, sql);
	va_start(args, format);
	r = db_query_list(db, store_row, &reading, sql, format, &args);
	va_end(args);
	return r == DB_E_NONE ? 0 : err_up(r);
}

struct store_blob_out {
	uint8_t *bytes;
	size_t size;
};

static int store_blob_row(sqlite3_stmt *row, void *arg)
{
	struct store_blob_out *out = arg;

	out->bytes = db_column_blob_new(row, 0, &out->size);
	return 0;
}

/* A blob in memory of its own, which the caller frees. DB_E_NONE: no such row. */
int store_blob(struct db *db, uint8_t **ret_bytes, size_t *ret_size, const char *sql, int64_t id)
{
	struct store_blob_out out = {0};
	int r = db_query(db, store_blob_row, &out, sql, "i", id);

	if (r) {
		return err_up(r);
	}
	*ret_bytes = out.bytes;
	*ret_size = out.size;
	return 0;
}
