/*
 * Hello, Welcome and Bye carry small protobuf messages, packed and unpacked here
 * on the stack; their sizes are bounded by struct session_identity, so that every
 * answer fits SESSION_OUT_MAX.
 *
 * A Hello with the nonce of the session that is open is the repetition of one
 * whose Welcome was slow: it is answered again as long as nothing else has come,
 * and discarded later.
 */
#include "proto/frame/session.h"

#include <string.h>

#include "proto/frame/arena.h"
#include "proto/frame/hello.pb-c.h"

/* Enough to unpack any Hello that this side would write, and unknown fields. */
#define SESSION_SCRATCH 2048u

void session_init(struct session *s, enum session_role role, const struct session_identity *self)
{
	memset(s, 0, sizeof(*s));
	s->role = role;
	s->self = *self;
}

static void session_close(struct session *s, uint32_t reason)
{
	s->state = SESSION_CLOSED;
	s->bye = reason;
}

/* Pack the own identity as the payload of a HELLO or WELCOME. */
static size_t session_pack_hello(struct session *s, enum frame_type type, uint8_t *out)
{
	static const uint8_t no_id[16];
	Wire__Hello hello = WIRE__HELLO__INIT;

	hello.min_version = s->self.min_version;
	hello.max_version = s->self.max_version;
	hello.features = s->self.features;
	hello.software = s->self.software;
	hello.boot_id = s->self.boot_id;
	hello.version = type == FRAME_WELCOME ? s->version : 0;
	if (memcmp(s->self.machine_id, no_id, sizeof(no_id)) != 0) {
		hello.machine_id.data = s->self.machine_id;
		hello.machine_id.len = sizeof(s->self.machine_id);
	}
	return frame_seal(
	        out, type, s->nonce, 0, wire__hello__pack(&hello, out + FRAME_HEADER_SIZE));
}

static size_t session_pack_bye(struct session *s, uint64_t nonce, uint32_t reason, uint8_t *out)
{
	Wire__Bye bye = WIRE__BYE__INIT;

	bye.reason = (Wire__ByeReason)reason;
	bye.min_version = s->self.min_version;
	bye.max_version = s->self.max_version;
	return frame_seal(out, FRAME_BYE, nonce, 0, wire__bye__pack(&bye, out + FRAME_HEADER_SIZE));
}

size_t session_hello(struct session *s, uint64_t nonce, uint8_t *out)
{
	s->state = SESSION_WAITING;
	s->nonce = nonce;
	s->n_sent = s->n_received = 0;
	return session_pack_hello(s, FRAME_HELLO, out);
}

size_t session_greet(struct session *s, uint8_t *out)
{
	return frame_seal(out, FRAME_GREET, 0, 0, 0);
}

/* Read the peer's identity. Returns 0, or -1 when it is not a Hello. */
static int session_read_hello(
        const struct frame *frame, struct session_identity *ret_peer, uint32_t *ret_version)
{
	uint8_t scratch[SESSION_SCRATCH];
	struct wire_arena arena;
	Wire__Hello *hello;

	wire_arena_init(&arena, scratch, sizeof(scratch));
	hello = wire__hello__unpack(&arena.allocator, frame->len, frame->payload);
	if (hello == NULL) {
		return -1;
	}
	memset(ret_peer, 0, sizeof(*ret_peer));
	ret_peer->min_version = hello->min_version;
	ret_peer->max_version = hello->max_version;
	ret_peer->features = hello->features;
	ret_peer->boot_id = hello->boot_id;
	strncpy(ret_peer->software, hello->software, sizeof(ret_peer->software) - 1);
	if (hello->machine_id.len == sizeof(ret_peer->machine_id)) {
		memcpy(ret_peer->machine_id, hello->machine_id.data, hello->machine_id.len);
	}
	*ret_version = hello->version;
	return 0;
}

/* The highest version both know, or 0. Version 0 does not exist. */
static uint32_t session_common_version(
        const struct session_identity *a, const struct session_identity *b)
{
	uint32_t high = a->max_version < b->max_version ? a->max_version : b->max_version;
	uint32_t low = a->min_version > b->min_version ? a->min_version : b->min_version;

	return high >= low ? high : 0;
}

static void session_open(struct session *s, uint64_t nonce, uint32_t version)
{
	s->state = SESSION_OPEN;
	s->nonce = nonce;
	s->n_sent = s->n_received = 0;
	s->version = version;
	s->features = s->self.features & s->peer.features;
	s->bye = WIRE__BYE_REASON__BYE_NONE;
}

static enum session_event session_on_hello(
        struct session *s, const struct frame *frame, uint8_t *out, size_t *ret_out_len)
{
	struct session_identity peer;
	uint32_t version;

	if (s->role != SESSION_RESPONDER || frame->nonce == 0 ||
	        session_read_hello(frame, &peer, &version) < 0) {
		return SESSION_NOTHING;
	}
	if (s->state == SESSION_OPEN && s->nonce == frame->nonce) {
		*ret_out_len = s->n_received > 0 ? 0 : session_pack_hello(s, FRAME_WELCOME, out);
		return SESSION_NOTHING;
	}
	version = session_common_version(&s->self, &peer);
	if (version == 0) {
		*ret_out_len =
		        session_pack_bye(s, frame->nonce, WIRE__BYE_REASON__BYE_VERSION, out);
		return SESSION_NOTHING;
	}
	s->peer = peer;
	session_open(s, frame->nonce, version);
	*ret_out_len = session_pack_hello(s, FRAME_WELCOME, out);
	return SESSION_OPENED;
}

static enum session_event session_on_welcome(struct session *s, const struct frame *frame)
{
	struct session_identity peer;
	uint32_t version;

	if (s->role != SESSION_INITIATOR || s->state != SESSION_WAITING ||
	        frame->nonce != s->nonce || session_read_hello(frame, &peer, &version) < 0) {
		return SESSION_NOTHING;
	}
	s->peer = peer;
	if (version == 0 || version < s->self.min_version || version > s->self.max_version) {
		session_close(s, WIRE__BYE_REASON__BYE_VERSION);
		return SESSION_REFUSED;
	}
	session_open(s, frame->nonce, version);
	return SESSION_OPENED;
}

static enum session_event session_on_greet(
        struct session *s, const struct frame *frame, uint8_t *out, size_t *ret_out_len)
{
	if (s->role != SESSION_INITIATOR || (frame->nonce != 0 && frame->nonce != s->nonce)) {
		return SESSION_NOTHING;
	}
	switch (s->state) {
	case SESSION_WAITING:
		*ret_out_len = session_hello(s, s->nonce, out);
		return SESSION_NOTHING;
	case SESSION_OPEN:
		session_close(s, WIRE__BYE_REASON__BYE_NONE);
		return SESSION_LOST;
	case SESSION_CLOSED:
		return SESSION_LOST;
	case _SESSION_STATE_N:
		break;
	}
	return SESSION_NOTHING;
}

static enum session_event session_on_bye(struct session *s, const struct frame *frame)
{
	uint8_t scratch[SESSION_SCRATCH];
	struct wire_arena arena;
	Wire__Bye *bye;

	wire_arena_init(&arena, scratch, sizeof(scratch));
	bye = wire__bye__unpack(&arena.allocator, frame->len, frame->payload);
	if (s->state == SESSION_CLOSED || frame->nonce != s->nonce || bye == NULL) {
		return SESSION_NOTHING;
	}
	s->peer.min_version = bye->min_version;
	s->peer.max_version = bye->max_version;
	session_close(s, bye->reason);
	return bye->reason == WIRE__BYE_REASON__BYE_VERSION ? SESSION_REFUSED : SESSION_ENDED;
}

static enum session_event session_on_data(
        struct session *s, const struct frame *frame, uint8_t *out, size_t *ret_out_len)
{
	if (s->state != SESSION_OPEN && s->role == SESSION_RESPONDER) {
		*ret_out_len = frame_seal(out, FRAME_GREET, frame->nonce, 0, 0);
		return SESSION_NOTHING;
	}
	if (s->state != SESSION_OPEN || frame->nonce != s->nonce) {
		return SESSION_NOTHING;
	}
	if (frame->sequence != s->n_received + 1) {
		*ret_out_len = session_end(s, WIRE__BYE_REASON__BYE_SEQUENCE, out);
		return SESSION_ENDED;
	}
	s->n_received++;
	return SESSION_MESSAGE;
}

enum session_event session_receive(
        struct session *s, const struct frame *frame, uint8_t *out, size_t *ret_out_len)
{
	*ret_out_len = 0;
	switch (frame->type) {
	case FRAME_HELLO:
		return session_on_hello(s, frame, out, ret_out_len);
	case FRAME_WELCOME:
		return session_on_welcome(s, frame);
	case FRAME_GREET:
		return session_on_greet(s, frame, out, ret_out_len);
	case FRAME_BYE:
		return session_on_bye(s, frame);
	case FRAME_DATA:
		return session_on_data(s, frame, out, ret_out_len);
	case _FRAME_N:
		break;
	}
	return SESSION_NOTHING;
}

size_t session_seal(struct session *s, uint8_t *buf, size_t len)
{
	s->n_sent++;
	return frame_seal(buf, FRAME_DATA, s->nonce, s->n_sent, len);
}

size_t session_end(struct session *s, uint32_t reason, uint8_t *out)
{
	if (s->state == SESSION_CLOSED) {
		return 0;
	}
	session_close(s, reason);
	return session_pack_bye(s, s->nonce, reason, out);
}
