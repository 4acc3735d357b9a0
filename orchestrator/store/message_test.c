/*
 * Messages as rows: each is read as it was put, with every field that the protocols have. Messages are made by
 * what protobuf-c says of their fields, so that a field of which nobody has thought here fails.
 */
#undef NDEBUG
#include "orchestrator/store/message.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/file.h"
#include "orchestrator/store/jobs.h"
#include "orchestrator/store/machines.h"
#include "orchestrator/store/releases.h"

#define TEXTS 3

/* How a message is filled: `seed` 0 leaves all fields as they are. */
static void *make(const ProtobufCMessageDescriptor *of, uint32_t seed);

static void make_field(const ProtobufCFieldDescriptor *field, void *at, uint32_t seed)
{
	ProtobufCBinaryData *bytes = at;

	switch (field->type) {
	case PROTOBUF_C_TYPE_BOOL:
		*(protobuf_c_boolean *)at = 1;
		return;
	case PROTOBUF_C_TYPE_ENUM:
		*(uint32_t *)at = 1;
		return;
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		*(uint32_t *)at = UINT32_MAX - seed;
		return;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		*(uint64_t *)at = UINT64_MAX - seed;
		return;
	case PROTOBUF_C_TYPE_FLOAT:
		*(float *)at = (float)seed + 0.5f;
		return;
	case PROTOBUF_C_TYPE_DOUBLE:
		*(double *)at = -(double)seed / 3;
		return;
	case PROTOBUF_C_TYPE_STRING:
		*(char **)at = text_format("%u 'quoted' \"%s\" \n\xc3\xa4", seed, field->name);
		return;
	case PROTOBUF_C_TYPE_BYTES:
		bytes->len = 3;
		bytes->data = (uint8_t *)text_format("%c%c%c", 0, (int)seed % 256, 255);
		return;
	case PROTOBUF_C_TYPE_MESSAGE:
		*(void **)at = make(field->descriptor, seed);
		return;
	}
	abort();
}

static size_t size_of(const ProtobufCFieldDescriptor *field)
{
	return field->type == PROTOBUF_C_TYPE_MESSAGE || field->type == PROTOBUF_C_TYPE_STRING
	               ? sizeof(void *)
	               : 0;
}

static void *make(const ProtobufCMessageDescriptor *of, uint32_t seed)
{
	char *message = mem_zero(of->sizeof_message);

	protobuf_c_message_init(of, message);
	for (unsigned i = 0; seed && i < of->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &of->fields[i];
		void *at = message + field->offset;

		if (field->label == PROTOBUF_C_LABEL_REPEATED) {
			assert(size_of(field));
			*(size_t *)(message + field->quantifier_offset) = TEXTS;
			*(void ***)at = mem_zero(TEXTS * size_of(field));
			for (size_t n = 0; n < TEXTS; n++) {
				make_field(field, *(void ***)at + n, seed + (uint32_t)n + i);
			}
		} else {
			make_field(field, at, seed + i);
		}
	}
	return message;
}

static uint8_t *packed(const ProtobufCMessage *message, size_t *ret_size)
{
	uint8_t *bytes = mem_zero(protobuf_c_message_get_packed_size(message) + 1);

	*ret_size = protobuf_c_message_pack(message, bytes);
	return bytes;
}

static void check_same(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
	size_t a_size, b_size;
	_cleanup_(freep) uint8_t *a_bytes = packed(a, &a_size);
	_cleanup_(freep) uint8_t *b_bytes = packed(b, &b_size);

	assert(a_size == b_size && !memcmp(a_bytes, b_bytes, a_size));
}

/* Rows that they are of: job, release and service 1. */
static int make_owners(struct db *db, void *arg)
{
	struct machine_row machine = {.name = "m"};
	struct release_row release = {.service = "ds", .counter = 7, .path = "/kit"};
	struct job_row job = {.service = "ds", .kind = JOB_UPDATE};
	struct service_row service;

	assert(store_machine_insert(db, &machine) == 0);
	assert(store_service_ensure(db, machine.id, "ds", &service) == 0 && service.id == 1);
	memset(release.release_id, 4, sizeof(release.release_id));
	assert(store_release_put(db, &release) == 0 && release.id == 1);
	job.machine = machine.id;
	assert(store_job_insert(db, &job) == 0 && job.id == 1);
	return 0;
}

/* What no column has is said by the owner: it is told as that, so that what is read is what was put. */
static void as_owned(ProtobufCMessage *message)
{
	if (message->descriptor == &machine__service__descriptor) {
		Machine__Service *service = (void *)message;

		if (*service->name) {
			free(service->name);
		}
		service->name = text_copy("ds");
	}
	if (message->descriptor == &control__entropy__descriptor) {
		Control__Entropy *measured = (void *)message;

		if (*measured->service) {
			free(measured->service);
		}
		free(measured->release_id.data);
		measured->service = text_copy("ds");
		measured->counter = 7;
		measured->release_id.len = 64;
		measured->release_id.data = memset(mem_zero(64), 4, 64);
	}
}

static const struct message_shape *const shapes[] = {
        &message_cause, &message_result, &message_pairing, &message_measure, &message_service};

/* Each in place of the one before: with all fields, with none, with all of others. */
static int put_and_get(struct db *db, void *arg)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		for (uint32_t seed = 0; seed < 4; seed++) {
			ProtobufCMessage *message = make(shapes[i]->of, seed % 2 ? 7 * seed : 0);
			ProtobufCMessage *read = NULL;
			struct message_lost lost = {.n = 0};

			as_owned(message);
			assert(message_get(db, shapes[i], 1, NULL, &read, &lost) ==
			        (seed ? 0 : DB_E_NONE));
			protobuf_c_message_free_unpacked(read, NULL);
			assert(message_put(db, shapes[i], 1, message) == 0);
			assert(message_get(db, shapes[i], 1, NULL, &read, &lost) == 0 && !lost.n);
			check_same(message, read);
			protobuf_c_message_free_unpacked(read, NULL);
			protobuf_c_message_free_unpacked(message, NULL);
		}
		assert(message_drop(db, shapes[i], 1) == 0);
	}
	return 0;
}

static int64_t count(struct db *db, const char *sql)
{
	int64_t n = -1;

	assert(db_query_int(db, &n, sql, "") == 0);
	return n;
}

/* Steps that have a column are told in their order, before others; of one name, the first has it. */
static int put_phases(struct db *db, void *arg)
{
	static const char *const told[] = {"commit", "other", "verify", "verify", "rollback"};
	static const char *const read_as[] = {"verify", "commit", "rollback", "other", "verify"};
	static const uint64_t ns[] = {2, 0, 4, 1, 3}; /* of those that are read */
	Machine__Phase phases[5], *all[5];
	Machine__Result result = MACHINE__RESULT__INIT;
	struct job_outcome outcome;

	for (size_t i = 0; i < 5; i++) {
		machine__phase__init(&phases[i]);
		phases[i] = (Machine__Phase){phases[i].base, (char *)told[i], i};
		all[i] = &phases[i];
	}
	result.phases = all;
	result.n_phases = 5;
	assert(store_job_outcome(db, 1, NULL, &result) == 0);
	assert(count(db, "SELECT count(*) FROM job_result_phases") == 2);
	assert(count(db,
	               "SELECT 100 * commit_ns + 10 * verify_ns + rollback_ns FROM job_results") ==
	        24);
	assert(store_job_outcome_get(db, 1, NULL, &outcome) == 0 && outcome.result->n_phases == 5);
	for (size_t i = 0; i < 5; i++) {
		assert(!strcmp(outcome.result->phases[i]->name, read_as[i]));
		assert(outcome.result->phases[i]->ns == ns[i]);
	}
	job_outcome_fini(&outcome, NULL);
	return 0;
}

/* Bytes that are no such message are not put. */
static int put_junk(struct db *db, void *arg)
{
	_cleanup_(message_writer_freep) struct message_writer *writer = NULL;

	assert(message_writer_new(db, &message_cause, &writer) == 0);
	assert(message_put_packed(db, writer, 1, (const uint8_t *)"\x01\x02", 2) == DB_E_NONE);
	assert(count(db, "SELECT count(*) FROM job_causes") == 0);
	return 0;
}

int main(void)
{
	struct failure failure = {0};
	struct db *db;

	assert(store_open(":memory:", &db, &failure) == 0);
	assert(db_txn(db, make_owners, NULL) == 0);
	assert(db_txn(db, put_and_get, NULL) == 0);
	assert(db_txn(db, put_phases, NULL) == 0);
	assert(db_txn(db, put_junk, NULL) == 0);
	db_close(db);
	return 0;
}
