#pragma once
/*
 * Sessions: which frames count. The initiator (lud towards a machine, luctl
 * towards lud) says Hello with a fresh nonce; the responder takes the highest
 * version both know and answers Welcome. Every frame repeats the nonce: frames
 * with another one are left-overs of a former session and are discarded. A Hello
 * may come at any moment and replaces whatever was there.
 *
 *   CLOSED --session_hello--> WAITING --WELCOME--> OPEN        (initiator)
 *   CLOSED --HELLO----------------------------------> OPEN     (responder)
 *   any --BYE, lost frames, session_end()--> CLOSED
 *   responder without a session: any DATA is answered by GREET
 *
 * Pure state, no I/O, no clock, no allocation: the caller moves the bytes, draws
 * the nonces and repeats an unanswered Hello (SESSION_RETRY_MSEC). struct session
 * has no pointers, so it can be transferred in a live update as it is.
 */
#include <stddef.h>
#include <stdint.h>

#include "proto/frame/frame.h"

#define SESSION_RETRY_MSEC 1000u
/* An answer of session_receive() fits in so many bytes. */
#define SESSION_OUT_MAX 512u

enum session_role { SESSION_INITIATOR, SESSION_RESPONDER, _SESSION_ROLE_N };

enum session_state {
	SESSION_CLOSED,
	SESSION_WAITING, /* initiator: Hello sent */
	SESSION_OPEN,
	_SESSION_STATE_N
};

/* What one side says of itself in Hello or Welcome. */
struct session_identity {
	uint32_t min_version;
	uint32_t max_version;
	uint64_t features;
	char software[32];      /* NUL terminated */
	uint8_t machine_id[16]; /* the machine's side only, else 0 */
	uint64_t boot_id;       /* the machine's side only, else 0 */
};

struct session {
	enum session_role role;
	enum session_state state;
	uint64_t nonce;
	uint64_t n_sent;     /* DATA frames */
	uint64_t n_received; /* DATA frames */
	uint32_t version;    /* both agreed on, while OPEN */
	uint32_t bye;        /* enum Wire__ByeReason of the last end */
	uint64_t features;   /* of both, while OPEN */
	struct session_identity self;
	struct session_identity peer; /* WELCOME/HELLO; after a BYE: its version range */
};

/* What a received frame means for the caller. */
enum session_event {
	SESSION_NOTHING, /* discarded, or an answer only */
	SESSION_OPENED,  /* a new session has begun (an older one is gone) */
	SESSION_MESSAGE, /* the frame's payload is a message of this session */
	SESSION_ENDED,   /* the session is over: see ->bye */
	SESSION_REFUSED, /* initiator: no common version, see ->peer; do not retry soon */
	SESSION_LOST,    /* initiator: the peer has no session: say Hello anew */
	_SESSION_EVENT_N
};

void session_init(struct session *s, enum session_role role, const struct session_identity *self);

/*
 * Start (or start anew): write a Hello frame to out[SESSION_OUT_MAX] and return
 * its size. nonce is fresh, random and not 0; the same again only to repeat an
 * unanswered Hello.
 */
size_t session_hello(struct session *s, uint64_t nonce, uint8_t *out);

/* Responder: a frame that asks for a Hello, to send when the channel is up. */
size_t session_greet(struct session *s, uint8_t *out);

/*
 * Take a frame. When *ret_out_len is not 0, send so many bytes of
 * out[SESSION_OUT_MAX] before anything else.
 */
enum session_event session_receive(
        struct session *s, const struct frame *frame, uint8_t *out, size_t *ret_out_len);

/*
 * Make a DATA frame of the message of len bytes at buf + FRAME_HEADER_SIZE. Only
 * while OPEN. Returns the frame's size; it must be sent, in this order.
 */
size_t session_seal(struct session *s, uint8_t *buf, size_t len);

/*
 * End the session for a reason (enum Wire__ByeReason): writes a BYE frame and
 * returns its size, 0 when there is no session. After FRAME_BAD: BYE_FRAME.
 */
size_t session_end(struct session *s, uint32_t reason, uint8_t *out);
