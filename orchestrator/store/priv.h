#pragma once
/*
 * Inside store: the tables as data, and the four statements that they make needless to write by
 * hand. Whatever is not "a row by its id" keeps its own SQL in the file of its noun.
 */
#include "orchestrator/store/rows.h"
#include "orchestrator/store/schema.h"

enum store_table_id {
#define TABLE(row, since, rules, joins) STORE_##row,
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
	_STORE_TABLE_N,
};

/* How a column is kept, which follows from the type of its field. */
enum store_kind {
	STORE_INTEGER, /* any of 1, 4 or 8 bytes, none of them signed but int64_t */
	STORE_TEXT,
	STORE_BLOB,
	STORE_APART, /* no field */
	_STORE_KIND_N,
};

enum store_written {
	STORE_OWN,
	STORE_INSERT,
	STORE_UPDATE,
	STORE_BOTH,
	STORE_BYTES,
	_STORE_WRITTEN_N,
};

struct store_column {
	const char *name;
	const char *declared;   /* NULL: JOINED */
	const char *expression; /* what is selected */
	unsigned since;
	enum store_kind kind;
	enum store_written written;
	size_t offset, size; /* of the field */
};

struct store_table {
	const char *name;
	const char *from; /* the table, and what is joined to it */
	const char *rules;
	unsigned since;
	const struct store_column *columns;
	size_t n_columns;
	size_t row_size;
};

extern const struct store_table store_tables[_STORE_TABLE_N];

/* The column that a table keeps apart from its row; it has at most one that is written so. */
struct store_bytes {
	const void *bytes; /* NULL: NULL */
	size_t size;
};

/* Inserts a row; its id is db_last_id(). bytes: NULL for tables without BYTES. DB_E_EXISTS. */
int __must_check store_insert(
        struct db *db, enum store_table_id id, const void *row, const struct store_bytes *bytes);
/* Writes the columns that are UPDATE or BOTH of the row with this id; an APART one from bytes. */
int __must_check store_update(
        struct db *db, enum store_table_id id, const void *row, const struct store_bytes *bytes);
/*
 * Reads the rows that `tail` (WHERE ... ORDER BY ... LIMIT) chooses. one: into *ret_row, the
 * first of them, DB_E_NONE without any. each: calls fn until it returns non-zero, which is
 * returned; no row is no error.
 */
int __must_check store_one(struct db *db, enum store_table_id id, void *ret_row, const char *tail,
        const char *format, ...);
typedef int (*store_row_fn)(const void *row, void *arg);
int __must_check store_each(struct db *db, enum store_table_id id, store_row_fn fn, void *arg,
        const char *tail, const char *format, ...);

/*
 * One blob of one row: a fresh copy, which the caller frees; NULL when it is empty. The query
 * selects that one column. DB_E_NONE.
 */
int __must_check store_blob(
        struct db *db, uint8_t **ret_bytes, size_t *ret_size, const char *sql, int64_t id);

/*
 * fold.c, and the step of the schema that brought it. The steps of the row of `jobs` at hand, in the order
 * of their begin: step, state, when it began after the job was made, how long it took (null: it has no
 * end), what was said of it, if anything.
 */
#define STORE_STEPS_FOLDED                                                                         \
	"(SELECT json_group_array(json(CASE detail"                                                \
	" WHEN '' THEN json_array(step, state, started_us - jobs.created_us,"                      \
	" CASE WHEN ended_us > 0 THEN ended_us - started_us END)"                                  \
	" ELSE json_array(step, state, started_us - jobs.created_us,"                              \
	" CASE WHEN ended_us > 0 THEN ended_us - started_us END, detail) END))"                    \
	" FROM (SELECT * FROM job_steps s WHERE s.job = jobs.id ORDER BY s.n))"
/* A job that ended as it was to, and nobody consented to a loss of. */
#define STORE_IS_PLAIN "ended_us > 0 AND state IN (2, 3, 20) AND consent IS NULL"
/*
 * An order that lud goes by, of the table or alias `o`: the highest that was signed for its machine in its epoch, or the
 * highest that the machine is known to have accepted in this boot.
 */
#define STORE_ORDER_COUNTS(o)                                                                      \
	"(NOT EXISTS (SELECT 1 FROM orders h WHERE h.machine = " o ".machine"                      \
	" AND h.epoch = " o ".epoch AND h.txn > " o ".txn)"                                        \
	" OR (" o ".accepted = 1 AND " o ".boot_id ="                                              \
	" (SELECT boot_id FROM machines WHERE id = " o ".machine)"                                 \
	" AND NOT EXISTS (SELECT 1 FROM orders h WHERE h.machine = " o ".machine"                  \
	" AND h.boot_id = " o ".boot_id AND h.line = " o ".line AND h.accepted = 1"                \
	" AND (h.epoch, h.txn) > (" o ".epoch, " o ".txn))))"
/* The newest jobs of a machine, of which orders are kept whole. */
#define STORE_ORDERS_WHOLE "8"
/* One of many: a timer asked for fresh layouts, and they came. */
#define STORE_IS_ROUTINE STORE_IS_PLAIN " AND kind = 3 AND scheduled"
/*
 * A job that a policy asked for by itself, and not for a fresh layout: of the index jobs_asked, and of what is
 * looked for by it.
 */
#define STORE_BY_POLICY "way = 3 AND kind <> 3"

/* All steps of the schema. Texts live as long as the struct; db_open() only borrows them. */
#define STORE_VERSIONS_MAX 64
struct store_migrations {
	struct db_migration steps[STORE_VERSIONS_MAX];
	char *texts[STORE_VERSIONS_MAX];
	size_t n;
};
void store_migrations_init(struct store_migrations *all);
void store_migrations_fini(struct store_migrations *all);

/* For tests: a record as a lud of an earlier version of the schema left it. */
int __must_check store_open_version(
        const char *path, unsigned version, struct db **ret_db, struct failure *ret_failure);

/* heads.c: how much of the bytes a head has. */
struct store_head {
	int64_t id;
	size_t len;
};
/*
 * newest: the SQL of the newest head that may be that of the bytes, as id and bytes, by its key. DB_E_NONE: there is none, or it has
 * less than half of them (another root signs): they become a head themselves.
 */
int __must_check store_head_find(struct db *db, const struct store_bytes *envelope,
        struct store_head *ret, const char *newest, int64_t key);

/* once.c: what other rows say of a job's result is cut out of it; and it is made whole, before they go. */
int __must_check store_result_cut(struct db *db, int64_t job);
int __must_check store_result_whole(struct db *db, int64_t job);

/* migrate.c: what no SQL can do for a step of the schema. Inside db_txn(). */
int __must_check store_migrate_messages(struct db *db);
int __must_check store_migrate_events(struct db *db);
/* How many messages are left that no row could be made of; and they go. Inside db_txn(). */
int __must_check store_leftovers_count(struct db *db, int64_t *ret_n);
int __must_check store_leftovers_drop(struct db *db, void *arg);

/* A callback of the public headers on its way through store_each(). */
struct store_visit {
	void (*fn)(void);
	void *arg;
};
#define STORE_VISIT(fn, arg) (&(struct store_visit){(void (*)(void))(fn), arg})
/* Defines store_ROW_visit(), which calls a store_ROW_fn with its row. */
#define STORE_VISITOR(row)                                                                         \
	static int store_##row##_visit(const void *it, void *arg)                                  \
	{                                                                                          \
		const struct store_visit *visit = arg;                                             \
                                                                                                   \
		return ((store_##row##_fn)visit->fn)(it, visit->arg);                              \
	}
