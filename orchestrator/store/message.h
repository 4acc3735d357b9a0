#pragma once
/*
 * Messages of the protocols as rows with typed columns. A message's field is the column of its name in the
 * message's table; a field that repeats, or is a message itself, is rows of a table of its own, numbered from 1. So
 * a message is asked for by SQL, also without lud; and what is read is the message that was put.
 *
 * `id` is whose message it is: a field of that name is the column `own_id`.
 *
 * What other rows of the record say as well is not kept twice: such a field is read by an expression. Fields that no
 * column has (a newer machine's) are not kept.
 */
#include <protobuf-c/protobuf-c.h>

#include "orchestrator/store/schema.h"

/* A field that is read otherwise than from its column, which is `t`.FIELD where there is one. */
struct message_read {
	const char *field, *expression;
	bool is_kept; /* there is a column; NULL: other rows say it */
};

struct message_shape;

/*
 * A field that repeats or is a message. in: NULL for texts, which are in the column `text` of `table`. columns: names of
 * messages {name, number} that have a column of the owner, NAME_ns, in this order; the others are rows.
 */
struct message_part {
	const char *field;
	const struct message_shape *in;
	const char *table; /* of texts */
	const char *const *columns;
	size_t n_columns;
};

struct message_shape {
	const ProtobufCMessageDescriptor *of;
	const char *table;
	const char *joins; /* of its reads; the table itself is `t` */
	const struct message_read *reads;
	size_t n_reads;
	const struct message_part *parts;
	size_t n_parts;
	bool is_part; /* the key is (id, n) instead of (id) */
};

/* Fields that nothing says any more, by name: a record that was recovered lost the rows that did. */
#define MESSAGE_LOST_MAX 8
struct message_lost {
	const char *fields[MESSAGE_LOST_MAX];
	size_t n;
};

/* Keeps a message of whoever has this id, in place of one that was kept before. Inside db_txn(). */
int __must_check message_put(struct db *db, const struct message_shape *shape, int64_t id,
        const ProtobufCMessage *message);
/*
 * What is kept; whoever asked frees it with protobuf_c_message_free_unpacked() and the same allocator. DB_E_NONE: there
 * is none. ret_lost may be NULL.
 */
int __must_check message_get(struct db *db, const struct message_shape *shape, int64_t id,
        ProtobufCAllocator *allocator, ProtobufCMessage **ret, struct message_lost *ret_lost);
/* It goes, with its parts. Inside db_txn(). */
int __must_check message_drop(struct db *db, const struct message_shape *shape, int64_t id);

/*
 * For messages of records of before version 30, which have them packed: how one of a shape is written, whose tables have some of
 * today's columns. A field that has none of them is left out. A writer is good as long as the tables stay as they are.
 */
struct message_writer;
int __must_check message_writer_new(
        struct db *db, const struct message_shape *shape, struct message_writer **ret);
struct message_writer *message_writer_free(struct message_writer *writer);
void message_writer_freep(struct message_writer **writer);
/* From its bytes, of an id that has none yet. DB_E_NONE: they are no such message. Inside db_txn(). */
int __must_check message_put_packed(struct db *db, const struct message_writer *writer, int64_t id,
        const uint8_t *bytes, size_t size);

/* Those that the record has; messages.c. */
extern const struct message_shape message_cause, message_result, message_pairing, message_measure,
        message_service;
