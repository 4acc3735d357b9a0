/*
 * The decoder keeps unconsumed bytes in one linear buffer, so that a payload is
 * always in one piece. A header is believed only when its own checksum is right,
 * so a damaged length cannot make the decoder wait for bytes that never come; a
 * header that is right but whose payload never arrives was cut by the peer's end
 * and is given up by frame_decoder_stalled().
 *
 * After anything wrong the decoder hunts: it moves on one byte and looks for the
 * next header whose checksum is right. It does not skip over a whole bad frame,
 * because the length of a cut frame covers bytes of what came behind it. But headers
 * inside what other headers claim would have the same bytes checked again for each of
 * them, which takes seconds for a full buffer. So wrong payloads are on credit, paid
 * back by every byte that is consumed; where it is used up, a bad frame goes whole.
 *
 *   0  magic "SAM1"      4  type      5  version (1)   6  reserved, 0
 *   8  payload length   12  nonce    20  sequence
 *  28  CRC-32C of the payload        32  CRC-32C of bytes 0..31
 */
#include "proto/frame/frame.h"

#include <string.h>

#include "proto/frame/crc32c.h"
#include "proto/frame/le.h"

enum {
	AT_MAGIC = 0,
	AT_TYPE = FRAME_TYPE_AT,
	AT_VERSION = 5,
	AT_RESERVED = 6,
	AT_LEN = 8,
	AT_NONCE = 12,
	AT_SEQUENCE = 20,
	AT_PAYLOAD_CRC = 28,
	AT_HEADER_CRC = 32,
	FRAME_VERSION = 1,
};

#define DECODER_CREDIT (4 * FRAME_SIZE_MAX) /* bytes of wrong payloads */

static const uint8_t frame_magic[4] = {'S', 'A', 'M', '1'};

size_t frame_seal(uint8_t *buf, enum frame_type type, uint64_t nonce, uint64_t sequence, size_t len)
{
	memcpy(buf + AT_MAGIC, frame_magic, sizeof(frame_magic));
	buf[AT_TYPE] = (uint8_t)type;
	buf[AT_VERSION] = FRAME_VERSION;
	buf[AT_RESERVED] = 0;
	buf[AT_RESERVED + 1] = 0;
	le32_put(buf + AT_LEN, (uint32_t)len);
	le64_put(buf + AT_NONCE, nonce);
	le64_put(buf + AT_SEQUENCE, sequence);
	le32_put(buf + AT_PAYLOAD_CRC, crc32c(0, buf + FRAME_HEADER_SIZE, len));
	le32_put(buf + AT_HEADER_CRC, crc32c(0, buf, AT_HEADER_CRC));
	return FRAME_HEADER_SIZE + len;
}

void frame_decoder_init(struct frame_decoder *d, void *buf, size_t cap)
{
	*d = (struct frame_decoder){.buf = buf, .cap = cap};
}

/* What was handed out last is consumed, so it does not move. */
void frame_decoder_move(struct frame_decoder *d, void *buf)
{
	size_t left = d->end - (d->start + d->taken);

	if (left) {
		memcpy(buf, d->buf + d->start + d->taken, left);
	}
	d->buf = buf;
	d->start = d->taken = 0;
	d->end = left;
}

void frame_decoder_reset(struct frame_decoder *d)
{
	d->start = d->end = d->taken = 0;
	d->hunting = 0; /* what was checked in vain stays on credit */
}

static void frame_decoder_advance(struct frame_decoder *d, size_t len)
{
	d->start += len;
	d->doubt -= d->doubt < len ? d->doubt : len;
}

/* Drop the frame that was handed out last. */
static void frame_decoder_consume(struct frame_decoder *d)
{
	frame_decoder_advance(d, d->taken);
	d->taken = 0;
	if (d->start == d->end) {
		d->start = d->end = 0;
	}
}

uint8_t *frame_decoder_space(struct frame_decoder *d, size_t *ret_len)
{
	frame_decoder_consume(d);
	if (d->start > 0 && d->cap - d->end < d->cap / 2) {
		memmove(d->buf, d->buf + d->start, d->end - d->start);
		d->end -= d->start;
		d->start = 0;
	}
	*ret_len = d->cap - d->end;
	return d->buf + d->end;
}

void frame_decoder_added(struct frame_decoder *d, size_t len)
{
	d->end += len;
}

size_t frame_decoder_feed(struct frame_decoder *d, const void *bytes, size_t len)
{
	size_t room;
	uint8_t *to = frame_decoder_space(d, &room);

	if (len > room) {
		len = room;
	}
	memcpy(to, bytes, len);
	frame_decoder_added(d, len);
	return len;
}

/* Is there a believable header at p? avail may be less than a header. */
static enum frame_result frame_header_check(const uint8_t *p, size_t avail)
{
	size_t n = avail < sizeof(frame_magic) ? avail : sizeof(frame_magic);

	if (memcmp(p, frame_magic, n) != 0) {
		return FRAME_BAD;
	}
	if (avail < FRAME_HEADER_SIZE) {
		return FRAME_NEED;
	}
	if (le32_get(p + AT_HEADER_CRC) != crc32c(0, p, AT_HEADER_CRC) ||
	        p[AT_VERSION] != FRAME_VERSION || p[AT_TYPE] < FRAME_HELLO ||
	        p[AT_TYPE] >= _FRAME_N || p[AT_RESERVED] != 0 || p[AT_RESERVED + 1] != 0 ||
	        le32_get(p + AT_LEN) > FRAME_PAYLOAD_MAX) {
		return FRAME_BAD;
	}
	return FRAME_OK;
}

/* *ret_wrong: length of a payload that was checked and is not what its header says, else 0. */
static enum frame_result frame_parse(
        const uint8_t *p, size_t avail, struct frame *ret_frame, size_t *ret_wrong)
{
	enum frame_result r = frame_header_check(p, avail);
	uint32_t len;

	*ret_wrong = 0;
	if (r != FRAME_OK) {
		return r;
	}
	len = le32_get(p + AT_LEN);
	if (avail - FRAME_HEADER_SIZE < len) {
		return FRAME_NEED;
	}
	if (le32_get(p + AT_PAYLOAD_CRC) != crc32c(0, p + FRAME_HEADER_SIZE, len)) {
		*ret_wrong = len;
		return FRAME_BAD;
	}
	*ret_frame = (struct frame){
	        .type = (enum frame_type)p[AT_TYPE],
	        .len = len,
	        .nonce = le64_get(p + AT_NONCE),
	        .sequence = le64_get(p + AT_SEQUENCE),
	        .payload = p + FRAME_HEADER_SIZE,
	};
	return FRAME_OK;
}

/* Step over these bytes; true when the caller must be told that it is out of step. */
static int frame_decoder_skip(struct frame_decoder *d, size_t len)
{
	int first = !d->hunting;

	frame_decoder_advance(d, len);
	d->n_skipped += len;
	d->n_bad += (uint64_t)first;
	d->hunting = 1;
	return first;
}

/* How far to go on from a frame with a wrong payload of this length. */
static size_t frame_decoder_doubt(struct frame_decoder *d, size_t wrong)
{
	d->n_wrong += wrong;
	if (d->doubt + wrong > DECODER_CREDIT) {
		return FRAME_HEADER_SIZE + wrong;
	}
	d->doubt += wrong;
	return 1;
}

enum frame_result frame_decoder_next(struct frame_decoder *d, struct frame *ret_frame)
{
	frame_decoder_consume(d);
	while (d->start < d->end) {
		size_t wrong;
		enum frame_result r =
		        frame_parse(d->buf + d->start, d->end - d->start, ret_frame, &wrong);

		if (r == FRAME_OK) {
			d->taken = FRAME_HEADER_SIZE + ret_frame->len;
			d->hunting = 0;
			return FRAME_OK;
		}
		if (r == FRAME_NEED) {
			return FRAME_NEED;
		}
		if (frame_decoder_skip(d, wrong > 0 ? frame_decoder_doubt(d, wrong) : 1)) {
			return FRAME_BAD;
		}
	}
	d->start = d->end = 0;
	return FRAME_NEED;
}

int frame_decoder_is_partial(const struct frame_decoder *d)
{
	return d->end > d->start + d->taken;
}

void frame_decoder_stalled(struct frame_decoder *d)
{
	frame_decoder_consume(d);
	if (d->start < d->end) {
		(void)frame_decoder_skip(d, 1);
	}
}
