/*
 * A byte stream of good frames, damage and garbage, through a decoder and into a
 * session. The input is a list of steps; frames are sealed here, because no fuzzer
 * guesses checksums.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/frame/session.h"

enum { STEP_RAW, STEP_FRAME, STEP_DAMAGED, STEP_STALL, STEP_END, _STEP_N };

static uint8_t decoder_buf[FRAME_SIZE_MAX];

struct feeder {
	struct frame_decoder decoder;
	struct session session;
};

static void require(int condition)
{
	if (!condition) {
		abort();
	}
}

static void feeder_drain(struct feeder *f)
{
	struct frame frame;
	enum frame_result r;

	while ((r = frame_decoder_next(&f->decoder, &frame)) != FRAME_NEED) {
		uint8_t out[SESSION_OUT_MAX];
		size_t out_len = 0;

		if (r == FRAME_BAD) {
			(void)session_end(&f->session, 2, out);
			continue;
		}
		require(frame.payload >= decoder_buf && frame.len <= FRAME_PAYLOAD_MAX);
		require(frame.payload + frame.len <= decoder_buf + sizeof(decoder_buf));
		if (session_receive(&f->session, &frame, out, &out_len) == SESSION_MESSAGE) {
			require(f->session.state == SESSION_OPEN);
		}
		require(out_len <= sizeof(out));
	}
}

static void feeder_feed(struct feeder *f, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		size_t n = frame_decoder_feed(&f->decoder, bytes, len);

		require(n > 0);
		bytes += n;
		len -= n;
		feeder_drain(f);
	}
}

/* Step: kind, type and nonce, sequence, payload length; then the payload. */
static size_t feeder_step(struct feeder *f, const uint8_t *data, size_t size)
{
	uint8_t buf[FRAME_HEADER_SIZE + 255];
	size_t len = data[3] < size - 4 ? data[3] : size - 4;
	size_t n;

	memcpy(buf + FRAME_HEADER_SIZE, data + 4, len);
	n = frame_seal(buf, (enum frame_type)(data[1] & 7), data[1] >> 3, data[2], len);
	switch (data[0] % _STEP_N) {
	case STEP_RAW:
		feeder_feed(f, data + 4, len);
		break;
	case STEP_DAMAGED:
		buf[data[2] % n] ^= 1;
		feeder_feed(f, buf, n);
		break;
	case STEP_FRAME:
		feeder_feed(f, buf, n);
		break;
	case STEP_STALL:
		frame_decoder_stalled(&f->decoder);
		feeder_drain(f);
		break;
	case STEP_END:
		(void)session_end(&f->session, data[1], buf);
		break;
	}
	return 4 + len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct session_identity self = {
	        .min_version = 1, .max_version = 2, .software = "fuzz"};
	struct feeder f;
	uint8_t out[SESSION_OUT_MAX];

	frame_decoder_init(&f.decoder, decoder_buf, sizeof(decoder_buf));
	session_init(&f.session, size % 2 == 0 ? SESSION_RESPONDER : SESSION_INITIATOR, &self);
	if (f.session.role == SESSION_INITIATOR) {
		(void)session_hello(&f.session, 1, out);
	}
	while (size >= 4) {
		size_t n = feeder_step(&f, data, size);

		data += n;
		size -= n;
	}
	return 0;
}
