#pragma once
/*
 * Frames: how messages travel on a byte channel that may lose, cut or repeat
 * anything when an end goes away. A frame is a header with two checksums and a
 * payload; docs/protocol/frame.md has the bytes. A decoder turns a byte stream
 * back into frames and finds its feet again after garbage.
 *
 * Nothing here allocates: a decoder works in a buffer of the caller's and its
 * frames point into it. What frames mean is session.h's matter.
 */
#include <stddef.h>
#include <stdint.h>

#define FRAME_HEADER_SIZE 36u
#define FRAME_TYPE_AT 4u /* byte of a sealed frame that holds its type */
#define FRAME_SIZE_MAX 65536u
#define FRAME_PAYLOAD_MAX (FRAME_SIZE_MAX - FRAME_HEADER_SIZE)
/* A frame that has not grown for so long is given up: see frame_decoder_stalled(). */
#define FRAME_STALL_MSEC 250u

enum frame_type {
	FRAME_HELLO = 1, /* from the initiator: a new session, with a fresh nonce */
	FRAME_WELCOME,   /* the answer to it */
	FRAME_GREET,     /* from the responder: no session here, please say Hello */
	FRAME_BYE,       /* the session is over, or refused */
	FRAME_DATA,      /* a message of the session's protocol */
	_FRAME_N
};

/* A whole frame with good checksums. */
struct frame {
	enum frame_type type;
	uint32_t len;      /* of the payload */
	uint64_t nonce;    /* of the session */
	uint64_t sequence; /* DATA: from 1 in each direction; others: 0 */
	const uint8_t *payload;
};

enum frame_result {
	FRAME_OK,
	FRAME_NEED, /* more bytes are needed */
	FRAME_BAD,  /* what came is not a frame: end the session, then go on asking */
	_FRAME_RESULT_N
};

struct frame_decoder {
	uint8_t *buf; /* the caller's, of cap bytes */
	size_t cap;
	size_t start; /* buf[start, end) is not consumed yet */
	size_t end;
	size_t taken;       /* size of the frame handed out last; dropped by the next call */
	int hunting;        /* out of step: looking for the start of a frame, silently */
	uint64_t n_bad;     /* times FRAME_BAD was answered */
	uint64_t n_skipped; /* bytes thrown away while hunting */
	uint64_t n_wrong;   /* bytes of payloads that were checked, and wrong */
	uint64_t doubt;     /* of those, what no consumed byte has paid for yet */
};

/* buf stays the caller's and must outlive the decoder; cap >= FRAME_SIZE_MAX. */
void frame_decoder_init(struct frame_decoder *d, void *buf, size_t cap);

/*
 * Goes on in another buffer of the same size, to which what was not consumed is copied. NULL: in none,
 * which is for one without a partial frame, until it is given one again.
 */
void frame_decoder_move(struct frame_decoder *d, void *buf);

/* Forget everything received, as after a port was closed and opened. */
void frame_decoder_reset(struct frame_decoder *d);

/*
 * Where the next received bytes go, and how many fit (never 0 after
 * frame_decoder_next() answered FRAME_NEED). Invalidates the frame handed out
 * last. Tell how many were put there with frame_decoder_added().
 */
uint8_t *frame_decoder_space(struct frame_decoder *d, size_t *ret_len);
void frame_decoder_added(struct frame_decoder *d, size_t len);

/* Copy bytes in; returns how many fitted. Invalidates the last frame. */
size_t frame_decoder_feed(struct frame_decoder *d, const void *bytes, size_t len);

/* Take the next frame. *ret_frame lives until the next call on this decoder. */
enum frame_result frame_decoder_next(struct frame_decoder *d, struct frame *ret_frame);

/* Non-zero while a part of a frame is waiting for its rest. */
int frame_decoder_is_partial(const struct frame_decoder *d);

/*
 * Give up the partial frame: its rest has not come for FRAME_STALL_MSEC, so it
 * was cut, and what stands behind its header may be the start of a new session.
 * End the session as after FRAME_BAD, and go on asking frame_decoder_next().
 */
void frame_decoder_stalled(struct frame_decoder *d);

/*
 * Write the header in front of a payload that stands at buf + FRAME_HEADER_SIZE.
 * len <= FRAME_PAYLOAD_MAX. Returns the size of the whole frame.
 */
size_t frame_seal(
        uint8_t *buf, enum frame_type type, uint64_t nonce, uint64_t sequence, size_t len);
