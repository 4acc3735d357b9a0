/*
 * The agent at work, between a host that sends anything and a driver that answers anything. Half of
 * what the host sends are frames of a session with checksums that are right, so that requests are
 * reached. RS is the supervisor and trusted: its counts are true, its texts and numbers are not.
 */
#include <stdlib.h>
#include <string.h>

#include "osd/abi/chardev.h"
#include "osd/abi/rs.h"
#include "osd/abi/sef.h"
#include "osd/lib/sef/test/host.h"
#include "proto/machine/machine.pb-c.h"
#include "proto/frame/session.h"

int service_main(void);

#define DRIVER EP_MAKE(4, 1)

static struct session session;
static bool is_up; /* until it receives, an error may end the agent: it gives up its start */
static struct frame_decoder decoder;
static uint8_t from_agent[2 * FRAME_SIZE_MAX];
static uint8_t frame[FRAME_SIZE_MAX];

static size_t put_varint(uint8_t *to, uint64_t value)
{
	size_t n = 0;

	for (; value > 127; value >>= 7) {
		to[n++] = (uint8_t)(value | 0x80);
	}
	to[n++] = (uint8_t)value;
	return n;
}

/* A field of a request with hostile contents: numbers are small ones or large ones, byte strings
 * often as long as a hash. */
static size_t put_field(uint8_t *to, const ProtobufCFieldDescriptor *field)
{
	uint8_t how = host_byte();
	size_t n, len;

	if (field->type != PROTOBUF_C_TYPE_BYTES && field->type != PROTOBUF_C_TYPE_STRING) {
		n = put_varint(to, (uint64_t)field->id << 3);
		return n + put_varint(to + n, how % 8 == 7 ? host_word() : host_byte());
	}
	len = field->type == PROTOBUF_C_TYPE_BYTES && how % 2 ? RS_HASH_LEN : how / 4;
	n = put_varint(to, (uint64_t)field->id << 3 | 2);
	n += put_varint(to + n, len);
	host_bytes(to + n, len);
	return n + len;
}

/* A well-formed request of any kind. */
static size_t put_request(uint8_t *to)
{
	const ProtobufCMessageDescriptor *type = &machine__request__descriptor, *body_type;
	const ProtobufCFieldDescriptor *body = &type->fields[host_byte() % type->n_fields];
	uint8_t inside[1024];
	size_t n, len = 0;

	if (body->type != PROTOBUF_C_TYPE_MESSAGE) {
		return put_field(to, body);
	}
	body_type = body->descriptor;
	for (unsigned int i = 0; i < body_type->n_fields && len < 600; i++) {
		if (host_byte() % 8 != 7) {
			len += put_field(inside + len, &body_type->fields[i]);
		}
	}
	n = put_varint(to, (uint64_t)body->id << 3 | 2);
	n += put_varint(to + n, len);
	memcpy(to + n, inside, len);
	return n + len;
}

/* A frame of the session, or what goes for one. */
static size_t host_says(void)
{
	uint8_t how = host_byte();
	size_t n = how;

	if (session.state != SESSION_OPEN) {
		return session_hello(&session, 1 + host_byte(), frame);
	}
	if (how % 8 == 7) {
		host_bytes(frame + FRAME_HEADER_SIZE, n);
	} else {
		n = put_request(frame + FRAME_HEADER_SIZE);
	}
	return session_seal(&session, frame, n);
}

static uint64_t driver_read(uint32_t grant)
{
	uint64_t room, n;
	void *to = host_grant(grant, &room);
	uint8_t how = host_byte();

	if (!to || !host_has_bytes() || how % 4 == 3) {
		return 0;
	}
	if (how % 4 == 2) {
		n = how;
		host_bytes(to, n);
		return n;
	}
	n = host_says();
	memcpy(to, frame, n < room ? n : room);
	return n;
}

/* The host reads what the agent says: its half of the session needs it. */
static void driver_write(uint32_t grant, uint64_t n)
{
	static struct frame seen;
	uint8_t answer[SESSION_OUT_MAX];
	uint64_t room;
	size_t ignored;
	const uint8_t *bytes = host_grant(grant, &room);

	if (!bytes || n > room) {
		abort();
	}
	while (n > 0) {
		size_t taken = frame_decoder_feed(&decoder, bytes, n);

		bytes += taken;
		n -= taken;
		for (;;) {
			enum frame_result result = frame_decoder_next(&decoder, &seen);

			if (result == FRAME_NEED) {
				break;
			}
			/*
			 * A driver that fails after it took bytes makes the
			 * agent send them again.
			 */
			if (result == FRAME_OK) {
				(void)session_receive(&session, &seen, answer, &ignored);
			}
		}
	}
}

static struct chardev_reply driver_answer(const struct message *msg)
{
	struct chardev_request asked = *MSG_AS(const struct chardev_request, msg);
	struct chardev_reply reply = {0};

	if (msg->type == CHARDEV_READ) {
		reply.bytes = driver_read(asked.grant);
	} else if (msg->type == CHARDEV_WRITE) {
		reply.bytes = host_byte() % 8 == 7 ? asked.bytes / 2 : asked.bytes;
		driver_write(asked.grant, reply.bytes);
	}
	if (is_up && host_byte() % 32 == 31) {
		reply = (struct chardev_reply){.err = -(err_t)host_byte(), .bytes = host_word()};
	}
	return reply;
}

/* Records of the size that was asked for, at most so many as fit. */
static struct rs_reply rs_answer(const struct message *msg)
{
	struct rs_request asked = *MSG_AS(const struct rs_request, msg);
	struct rs_reply reply = {.a = host_word(), .b = host_word()};
	uint64_t room;
	uint8_t *to = host_grant(asked.grant, &room);
	uint8_t how = host_byte();

	if (is_up && how % 8 == 7) {
		reply.err = -(err_t)(how / 8);
		return reply;
	}
	if (to) {
		uint64_t n = asked.bytes < room ? asked.bytes : room;

		host_bytes(to, n < 2048 ? n : 2048);
		reply.count = asked.bytes / sizeof(struct rs_service);
		reply.count = reply.count ? how % (reply.count + 1) : how & 1;
	}
	/* The events end. */
	reply.count = msg->type == RS_EVENTS && how % 4 != 0 ? 0 : reply.count;
	return reply;
}

static err_t ipc(enum kcall number, endpoint_t to, struct message *msg)
{
	if (number != KCALL_sendrec) {
		return E_OK;
	}
	if (to == DRIVER) {
		struct chardev_reply reply = driver_answer(msg);

		*MSG_AS(struct chardev_reply, msg) = reply;
	} else {
		struct rs_reply reply = rs_answer(msg);

		*MSG_AS(struct rs_reply, msg) = reply;
	}
	return E_OK;
}

static bool call(enum kcall number, const uint64_t a[6], uint64_t *ret_second, err_t *ret_result)
{
	if (number == KCALL_lookup) {
		*ret_result = DRIVER;
	}
	return number == KCALL_lookup;
}

static void receive(struct message *ret_msg)
{
	static const endpoint_t others[] = {EP_RS, DRIVER, EP_CLOCK, EP_MAKE(9, 1)};
	uint8_t how = host_byte();

	is_up = true;
	*ret_msg = host_message(how < 32 ? SEF_BASE : 0, 8, others, 4);
	ret_msg->type = how >= 64 ? MSG_NOTIFY : ret_msg->type;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const struct session_identity self = {
	        .min_version = 1, .max_version = 9, .software = "fuzz"};

	session_init(&session, SESSION_INITIATOR, &self);
	frame_decoder_init(&decoder, from_agent, sizeof(from_agent));
	/* Last: variables of this file are kept as they are now, too. */
	host_init(&(struct host_setup){.ipc = ipc,
	        .call = call,
	        .receive = receive,
	        .name = "agent",
	        .self = EP_MAKE(3, 1),
	        .supervisor = EP_RS});
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	host_begin(data, size);
	host_run(service_main);
	return 0;
}
