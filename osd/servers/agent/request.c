/*
 * The requests of the machine protocol: each becomes some requests to RS, and one reply. Nothing
 * is decided here: RS verifies what is signed and knows what may be done. Refused here is only
 * what does not fit RS's buffer or records, and a request that this release does not know.
 *
 * A reply is made in the arena of its request. One that is too long for a frame is replaced by an
 * error with the same id, so that every request is answered.
 */
#include "osd/servers/agent/priv.h"

#include <string.h>

#include "osd/lib/sys/sys.h"

#define REQUEST_CHUNK_MAX 32768u /* of a staged blob, in one frame and in one record to RS */
#define REQUEST_BLOBS_MAX 64u    /* records asked of RS, which keeps no more blobs */
_Static_assert(RS_HASH_LEN + REQUEST_CHUNK_MAX <= RS_BUFFER_BYTES, "a chunk fits the buffer");
_Static_assert(REQUEST_BLOBS_MAX * sizeof(struct rs_blob) <= RS_BUFFER_BYTES, "so do records");
_Static_assert(RS_ENVELOPE_MAX <= RS_BUFFER_BYTES, "and an envelope");

/*
 * A request being answered. Handlers fill in the reply's body, or make it an error; exactly one of
 * the two happens on every way through a handler.
 */
struct request {
	const Machine__Request *req; /* in the arena */
	struct wire_arena *arena;    /* of the request and the reply */
	Machine__Reply reply;        /* its id is set before the handler runs */
};

/* Make the reply an error; `step` says what was being done, for people. */
static void request_fail(struct request *r, err_t err, const char *step)
{
	r->reply.body_case = MACHINE__REPLY__BODY_ERROR;
	r->reply.error = answer_error(r->arena, err, step);
}

/* RS's refusal, which may name the transaction in the way, or when to ask again. */
static void request_refused(struct request *r, struct rs_reply answer, const char *step)
{
	request_fail(r, answer.err, step);
	if (answer.err == E_BUSY && r->reply.error != NULL) {
		r->reply.error->busy_id = answer.a;
		r->reply.error->busy_epoch = answer.b;
	} else if (answer.err == E_RATE && r->reply.error != NULL) {
		r->reply.error->retry_ms = (uint32_t)answer.a;
	}
}

/* The record that every reply kind needs; false (and an error reply) when the arena is full. */
#define REQUEST_BODY(r, field, kind, type, init)                                                   \
	({                                                                                         \
		(r)->reply.field = wire_arena_alloc((r)->arena, sizeof(type));                     \
		if ((r)->reply.field == NULL) {                                                    \
			request_fail((r), E_NOMEM, "reply");                                       \
		} else {                                                                           \
			init((r)->reply.field);                                                    \
			(r)->reply.body_case = (kind);                                             \
		}                                                                                  \
		(r)->reply.field != NULL;                                                          \
	})

/* Add the services to a status, or the one with this name; "" is all of them. */
static void request_status_services(struct request *r, const Machine__StatusRequest *ask)
{
	const char *only = ask->service;
	const struct rs_service *services = (const struct rs_service *)rs_buffer();
	struct rs_reply answer = rs_status(
	        rs_endpoint(), rs_request_make(RS_BUFFER_BYTES, ask->ping ? RS_STATUS_PING : 0, 0));
	Machine__Status *status = r->reply.status;

	if (answer.err != E_OK) {
		request_fail(r, answer.err, "status");
		return;
	}
	status->services = wire_arena_alloc(r->arena, answer.count * sizeof(status->services[0]));
	for (uint64_t i = 0; status->services != NULL && i < answer.count; i++) {
		Machine__Service *service;

		if (only[0] != '\0' && strncmp(only, services[i].name, SERVICE_NAME_LEN) != 0) {
			continue;
		}
		service = answer_service(r->arena, &services[i]);
		if (service != NULL) {
			status->services[status->n_services++] = service;
		}
	}
}

/* What RS knows of the machine, and of its services or of one. */
static void request_status(struct request *r)
{
	const struct rs_resources *resources = (const struct rs_resources *)rs_buffer();
	struct rs_reply answer =
	        rs_resources(rs_endpoint(), rs_request_make(sizeof(*resources), 0, 0));
	Machine__Status *status;

	if (answer.err != E_OK) {
		request_fail(r, answer.err, "status");
		return;
	}
	if (!REQUEST_BODY(r, status, MACHINE__REPLY__BODY_STATUS, Machine__Status,
	            machine__status__init)) {
		return;
	}
	status = r->reply.status;
	status->machine_id =
	        answer_bytes(r->arena, resources->machine_id, sizeof(resources->machine_id));
	status->boot_id = resources->boot_id;
	status->clock_ns = resources->uptime;
	status->time = resources->time;
	status->time_nonce = resources->time_nonce;
	status->root_serial = resources->root_serial;
	status->has_statement = resources->has_statement;
	status->no_kits = resources->keeps_no_kits;
	status->busy_txn = resources->busy;
	status->busy_epoch = resources->busy_epoch;
	status->newest_txn = resources->newest;
	status->newest_epoch = resources->newest_epoch;
	status->boot_ns = resources->boot_done;
	status->resources = answer_resources(r->arena, resources);
	request_status_services(r, r->req->status);
	if (r->reply.body_case == MACHINE__REPLY__BODY_STATUS) {
		status->standing = standing_answer(r->arena);
	}
}

/* Put a hash where RS reads it, at the start of the buffer. False: it is none, and the reply says so. */
static bool request_hash(struct request *r, const ProtobufCBinaryData *hash)
{
	if (hash->len != RS_HASH_LEN) {
		request_fail(r, E_INVAL, "stage");
		return false;
	}
	memcpy(rs_buffer(), hash->data, RS_HASH_LEN);
	return true;
}

/* The reply to a piece of staging: how much RS holds now, of how much in all. */
static void request_stage_progress(struct request *r, struct rs_reply answer, uint64_t total)
{
	if (answer.err != E_OK) {
		request_fail(r, answer.err, "stage");
		return;
	}
	if (REQUEST_BODY(r, stage, MACHINE__REPLY__BODY_STAGE, Machine__StageProgress,
	            machine__stage_progress__init)) {
		r->reply.stage->offset = answer.count;
		r->reply.stage->complete = answer.count == total;
	}
}

/* Staging comes in pieces, each answered by how far it has come: a host that was cut off goes on there. */
static void request_stage_begin(struct request *r)
{
	const Machine__StageBegin *begin = r->req->stage_begin;

	if (request_hash(r, &begin->hash)) {
		request_stage_progress(r,
		        rs_stage_begin(rs_endpoint(), rs_request_make(RS_HASH_LEN, 0, begin->len)),
		        begin->len);
	}
}

static void request_stage_chunk(struct request *r)
{
	const Machine__StageChunk *chunk = r->req->stage_chunk;
	struct rs_reply answer;

	if (chunk->data.len > REQUEST_CHUNK_MAX) {
		request_fail(r, E_TOO_LONG, "stage");
		return;
	}
	if (!request_hash(r, &chunk->hash)) {
		return;
	}
	if (chunk->data.len > 0) {
		memcpy(rs_buffer() + RS_HASH_LEN, chunk->data.data, chunk->data.len);
	}
	answer = rs_stage_chunk(rs_endpoint(),
	        rs_request_make(RS_HASH_LEN + (uint32_t)chunk->data.len, chunk->offset, 0));
	request_stage_progress(r, answer, answer.a);
}

/* A blob as a message; NULL when the arena is full. */
static Machine__StageEntry *request_entry(struct request *r, const struct rs_blob *blob)
{
	Machine__StageEntry *entry = wire_arena_alloc(r->arena, sizeof(*entry));

	if (entry != NULL) {
		machine__stage_entry__init(entry);
		entry->hash = answer_bytes(r->arena, blob->hash, RS_HASH_LEN);
		entry->len = blob->total;
		entry->offset = blob->held;
		entry->complete = blob->held == blob->total;
		entry->in_use = blob->is_used;
	}
	return entry;
}

static void request_stage_list(struct request *r)
{
	const struct rs_blob *blobs = (const struct rs_blob *)rs_buffer();
	struct rs_reply answer = rs_stage_list(
	        rs_endpoint(), rs_request_make(REQUEST_BLOBS_MAX * sizeof(struct rs_blob), 0, 0));
	Machine__StageStore *store;

	if (answer.err != E_OK) {
		request_fail(r, answer.err, "stage");
		return;
	}
	if (!REQUEST_BODY(r, stage_store, MACHINE__REPLY__BODY_STAGE_STORE, Machine__StageStore,
	            machine__stage_store__init)) {
		return;
	}
	store = r->reply.stage_store;
	store->limit = answer.a;
	store->used = answer.b;
	store->entries = wire_arena_alloc(r->arena, answer.count * sizeof(store->entries[0]));
	for (uint64_t i = 0; store->entries != NULL && i < answer.count; i++) {
		Machine__StageEntry *entry = request_entry(r, &blobs[i]);

		if (entry == NULL) {
			break;
		}
		store->entries[store->n_entries++] = entry;
	}
}

/* Drop the first blob that no transaction uses. False: there is none. */
static bool request_drop_unused(void)
{
	const struct rs_blob *blobs = (const struct rs_blob *)rs_buffer();
	struct rs_reply answer = rs_stage_list(
	        rs_endpoint(), rs_request_make(REQUEST_BLOBS_MAX * sizeof(struct rs_blob), 0, 0));
	uint64_t i = 0;

	while (answer.err == E_OK && i < answer.count && blobs[i].is_used) {
		i++;
	}
	if (answer.err != E_OK || i == answer.count) {
		return false;
	}
	memmove(rs_buffer(), blobs[i].hash, RS_HASH_LEN);
	return rs_stage_drop(rs_endpoint(), rs_request_make(RS_HASH_LEN, 0, 0)).err == E_OK;
}

/* Without a hash: everything that may go. The answer is what is left. */
static void request_stage_drop(struct request *r)
{
	const ProtobufCBinaryData *hash = &r->req->stage_drop->hash;
	err_t err = E_OK;

	if (hash->len == 0) {
		while (request_drop_unused()) {
		}
	} else if (!request_hash(r, hash)) {
		return;
	} else {
		err = rs_stage_drop(rs_endpoint(), rs_request_make(RS_HASH_LEN, 0, 0)).err;
	}
	if (err != E_OK) {
		request_fail(r, err, "stage");
		return;
	}
	request_stage_list(r);
}

/* Put an envelope where RS reads it. False: it is too long for any, and the reply says so. */
static bool request_envelope_put(struct request *r, const ProtobufCBinaryData *envelope)
{
	if (envelope->len > RS_ENVELOPE_MAX) {
		request_fail(r, E_TOO_LONG, "verify");
		return false;
	}
	if (envelope->len > 0) { /* else data is NULL; RS says what is wrong with it */
		memcpy(rs_buffer(), envelope->data, envelope->len);
	}
	return true;
}

/* RS writes what it admitted over the envelope, in the same buffer. */
static void request_admit(struct request *r)
{
	const ProtobufCBinaryData *envelope = &r->req->admit->envelope,
	                          *seed = &r->req->admit->seed;
	const struct rs_admitted *admitted = (const struct rs_admitted *)rs_buffer();
	const uint32_t n_blobs = sizeof(admitted->blobs) / sizeof(admitted->blobs[0]);
	Machine__Admitted *to;
	struct rs_reply answer;

	if (!request_envelope_put(r, envelope)) {
		return;
	}
	if (seed->len > RS_SEED_LEN) {
		request_fail(r, E_TOO_LONG, "verify");
		return;
	}
	if (seed->len > 0) {
		memcpy(rs_buffer() + envelope->len, seed->data, seed->len);
	}
	answer = rs_admit(rs_endpoint(),
	        rs_request_make((uint32_t)(envelope->len + seed->len), seed->len, 0));
	memset(rs_buffer() + envelope->len, 0, seed->len);
	if (answer.err != E_OK) {
		request_refused(r, answer, "verify");
		return;
	}
	if (!REQUEST_BODY(r, admitted, MACHINE__REPLY__BODY_ADMITTED, Machine__Admitted,
	            machine__admitted__init)) {
		return;
	}
	to = r->reply.admitted;
	to->variant_hash = answer_bytes(r->arena, admitted->variant, RS_HASH_LEN);
	to->blobs = wire_arena_alloc(r->arena, n_blobs * sizeof(to->blobs[0]));
	for (uint32_t i = 0; to->blobs != NULL && i < n_blobs; i++) {
		if (admitted->blobs[i].total == 0) {
			continue; /* a kit alone has no payload; nor is a kit wanted everywhere */
		}
		to->blobs[to->n_blobs] = request_entry(r, &admitted->blobs[i]);
		to->n_blobs += to->blobs[to->n_blobs] != NULL;
	}
}

/* The reply to what begins a transaction: its number and epoch, by which the host asks for the result. */
static void request_accepted(struct request *r, struct rs_reply answer, const char *step)
{
	if (answer.err != E_OK) {
		request_refused(r, answer, step);
		return;
	}
	if (REQUEST_BODY(r, accepted, MACHINE__REPLY__BODY_ACCEPTED, Machine__Accepted,
	            machine__accepted__init)) {
		r->reply.accepted->txn = answer.a;
		r->reply.accepted->epoch = answer.b;
	}
}

/* An order is signed as a whole; its answer says under which number it runs. */
static void request_order(struct request *r)
{
	const ProtobufCBinaryData *envelope = &r->req->order_run->envelope;

	if (request_envelope_put(r, envelope)) {
		request_accepted(r,
		        rs_order(rs_endpoint(), rs_request_make((uint32_t)envelope->len, 0, 0)),
		        "verify");
	}
}

/* Could a service be prepared now? RS tries, and the result comes as that of a transaction. */
static void request_prepare_check(struct request *r)
{
	const Machine__PrepareCheck *check = r->req->prepare_check;
	struct rs_check *to = (struct rs_check *)rs_buffer();

	if (strlen(check->service) >= sizeof(to->service) ||
	        strlen(check->state) >= sizeof(to->state)) {
		request_fail(r, E_TOO_LONG, "verify");
		return;
	}
	memset(to, 0, sizeof(*to));
	memcpy(to->service, check->service, strlen(check->service));
	memcpy(to->state, check->state, strlen(check->state));
	request_accepted(
	        r, rs_prepare_check(rs_endpoint(), rs_request_make(sizeof(*to), 0, 0)), "prepare");
}

/* The reply to what is over when it is answered. */
static void request_done(struct request *r, struct rs_reply answer, const char *step)
{
	if (answer.err != E_OK) {
		request_refused(r, answer, step);
	} else {
		(void)REQUEST_BODY(
		        r, done, MACHINE__REPLY__BODY_DONE, Machine__Done, machine__done__init);
	}
}

/* RS refuses when another transaction runs, or when this one has come to the switch. */
static void request_cancel(struct request *r)
{
	const Machine__Cancel *cancel = r->req->cancel;

	request_done(r, rs_cancel(rs_endpoint(), rs_request_make(0, cancel->txn, cancel->epoch)),
	        "cancel");
}

static void request_statement(struct request *r)
{
	const ProtobufCBinaryData *envelope = &r->req->statement->envelope;

	if (request_envelope_put(r, envelope)) {
		request_done(r,
		        rs_statement(rs_endpoint(), rs_request_make((uint32_t)envelope->len, 0, 0)),
		        "verify");
	}
}

static void request_time(struct request *r)
{
	const ProtobufCBinaryData *envelope = &r->req->time_set->envelope;

	if (request_envelope_put(r, envelope)) {
		request_done(r,
		        rs_time(rs_endpoint(), rs_request_make((uint32_t)envelope->len, 0, 0)),
		        "verify");
	}
}

static void request_standing(struct request *r)
{
	const ProtobufCBinaryData *envelope = &r->req->standing_set->envelope;

	if (request_envelope_put(r, envelope)) {
		request_done(r,
		        rs_standing(rs_endpoint(), rs_request_make((uint32_t)envelope->len, 0, 0)),
		        "verify");
	}
}

/* A result that RS does not know is no error: the host asks after orders that may never have come. */
static void request_result(struct request *r)
{
	const struct rs_result *result =
	        rs_result_of(r->req->result_query->epoch, r->req->result_query->txn);
	Machine__ResultAnswer *answer;

	if (!REQUEST_BODY(r, result, MACHINE__REPLY__BODY_RESULT, Machine__ResultAnswer,
	            machine__result_answer__init)) {
		return;
	}
	answer = r->reply.result;
	answer->boot_id = follow_boot_id();
	answer->state = MACHINE__TXN_STATE__TXN_UNKNOWN;
	if (result != NULL && result->outcome == RS_OUTCOME_RUNNING) {
		answer->state = MACHINE__TXN_STATE__TXN_RUNNING;
	} else if (result != NULL) {
		answer->state = MACHINE__TXN_STATE__TXN_DONE;
		answer->result = answer_result(r->arena, result);
	}
}

/* Which events there are: the answer to everything about events. */
static void request_window(struct request *r)
{
	if (REQUEST_BODY(r, events, MACHINE__REPLY__BODY_EVENTS, Machine__EventWindow,
	            machine__event_window__init)) {
		follow_window(r->reply.events);
	}
}

static void request_subscribe(struct request *r)
{
	follow_subscribe(r->req->event_subscribe->after, r->req->event_subscribe->boot_id);
	request_window(r);
}

/* RS may forget what the host has recorded; that it cannot be told now does no harm. */
static void request_acknowledge(struct request *r)
{
	struct rs_acknowledge seen = {.sequence = r->req->event_ack->seq + 1};

	(void)rs_acknowledge(rs_endpoint(), seen);
	request_window(r);
}

static void request_resources(struct request *r)
{
	const struct rs_resources *resources = (const struct rs_resources *)rs_buffer();
	struct rs_reply answer =
	        rs_resources(rs_endpoint(), rs_request_make(sizeof(*resources), 0, 0));

	if (answer.err != E_OK) {
		request_fail(r, answer.err, "status");
		return;
	}
	r->reply.body_case = MACHINE__REPLY__BODY_RESOURCES;
	r->reply.resources = answer_resources(r->arena, resources);
}

/* The envelope comes back in the buffer; its length is the reply's count. */
static void request_envelope(struct request *r)
{
	const char *service = r->req->boot_envelope->service;
	struct rs_request ask = rs_request_make(RS_ENVELOPE_MAX, 0, 0);
	struct rs_reply answer;

	strncpy(ask.service, service, sizeof(ask.service) - 1);
	answer = rs_envelope(rs_endpoint(), ask);
	if (answer.err != E_OK) {
		request_fail(r, answer.err, "status");
		return;
	}
	if (REQUEST_BODY(r, boot_envelope, MACHINE__REPLY__BODY_BOOT_ENVELOPE,
	            Machine__BootEnvelope, machine__boot_envelope__init)) {
		r->reply.boot_envelope->service = (char *)service;
		r->reply.boot_envelope->envelope =
		        answer_bytes(r->arena, rs_buffer(), answer.count);
		r->reply.boot_envelope->generation = answer.a;
	}
}

/* The same message goes back. */
static void request_ping(struct request *r)
{
	r->reply.body_case = MACHINE__REPLY__BODY_PONG;
	r->reply.pong = r->req->ping;
}

/* All requests of the protocol: one that is missing here fails the build (-Wswitch). */
static void request_dispatch(struct request *r)
{
	switch (r->req->body_case) {
	case MACHINE__REQUEST__BODY_STATUS:
		return request_status(r);
	case MACHINE__REQUEST__BODY_STAGE_BEGIN:
		return request_stage_begin(r);
	case MACHINE__REQUEST__BODY_STAGE_CHUNK:
		return request_stage_chunk(r);
	case MACHINE__REQUEST__BODY_STAGE_LIST:
		return request_stage_list(r);
	case MACHINE__REQUEST__BODY_STAGE_DROP:
		return request_stage_drop(r);
	case MACHINE__REQUEST__BODY_ADMIT:
		return request_admit(r);
	case MACHINE__REQUEST__BODY_ORDER_RUN:
		return request_order(r);
	case MACHINE__REQUEST__BODY_PREPARE_CHECK:
		return request_prepare_check(r);
	case MACHINE__REQUEST__BODY_CANCEL:
		return request_cancel(r);
	case MACHINE__REQUEST__BODY_STATEMENT:
		return request_statement(r);
	case MACHINE__REQUEST__BODY_TIME_SET:
		return request_time(r);
	case MACHINE__REQUEST__BODY_STANDING_SET:
		return request_standing(r);
	case MACHINE__REQUEST__BODY_RESULT_QUERY:
		return request_result(r);
	case MACHINE__REQUEST__BODY_EVENT_SUBSCRIBE:
		return request_subscribe(r);
	case MACHINE__REQUEST__BODY_EVENT_ACK:
		return request_acknowledge(r);
	case MACHINE__REQUEST__BODY_RESOURCES:
		return request_resources(r);
	case MACHINE__REQUEST__BODY_PING:
		return request_ping(r);
	case MACHINE__REQUEST__BODY_BOOT_ENVELOPE:
		return request_envelope(r);
	case MACHINE__REQUEST__BODY_LOG_SUBSCRIBE: /* no release sends its log here */
	case MACHINE__REQUEST__BODY__NOT_SET:      /* from a newer host */
	case _MACHINE__REQUEST__BODY__CASE_IS_INT_SIZE:
		break;
	}
	request_fail(r, E_UNSUPPORTED, "request");
}

/* A reply that is too long for a frame becomes an error; that one is short. */
void request_serve(const Machine__Request *req, struct wire_arena *arena)
{
	Machine__FromMachine msg = MACHINE__FROM_MACHINE__INIT;
	struct request r = {.req = req, .arena = arena, .reply = MACHINE__REPLY__INIT};

	r.reply.id = req->id;
	request_dispatch(&r);
	msg.body_case = MACHINE__FROM_MACHINE__BODY_REPLY;
	msg.reply = &r.reply;
	if (!peer_send(&msg)) {
		machine__reply__init(&r.reply);
		r.reply.id = req->id;
		request_fail(&r, E_TOO_LONG, "reply");
		(void)peer_send(&msg);
	}
}
