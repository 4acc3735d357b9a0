/* Frames through every kind of channel: whole, in pieces, damaged, cut. */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/frame/arena.h"
#include "proto/frame/crc32c.h"
#include "proto/frame/frame.h"

static uint8_t decoder_buf[FRAME_SIZE_MAX];
static uint8_t stream[3 * FRAME_SIZE_MAX];

static size_t put_frame(size_t at, enum frame_type type, uint64_t seq, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		stream[at + FRAME_HEADER_SIZE + i] = (uint8_t)(seq * 31 + i);
	}
	return at + frame_seal(stream + at, type, 0x1122334455667788, seq, len);
}

static void check_frame(const struct frame *f, uint64_t seq, size_t len)
{
	assert(f->type == FRAME_DATA && f->sequence == seq && f->len == len);
	assert(f->nonce == 0x1122334455667788);
	for (size_t i = 0; i < len; i++) {
		assert(f->payload[i] == (uint8_t)(seq * 31 + i));
	}
}

static void test_crc(void)
{
	assert(crc32c(0, "123456789", 9) == 0xe3069283);
	assert(crc32c(crc32c(0, "1234", 4), "56789", 5) == 0xe3069283);
	assert(crc32c(0, "", 0) == 0);
}

/* Frames of all kinds of sizes, fed in pieces of one size. */
static void test_pieces(size_t piece)
{
	static const size_t sizes[] = {0, 1, 35, 36, 37, 1000, 65499, FRAME_PAYLOAD_MAX, 2};
	struct frame_decoder d;
	struct frame f;

	frame_decoder_init(&d, decoder_buf, sizeof(decoder_buf));
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t end = put_frame(0, FRAME_DATA, i, sizes[i]);
		size_t at = 0;
		enum frame_result r = FRAME_NEED;

		while (r == FRAME_NEED) {
			size_t n = end - at < piece ? end - at : piece;

			assert(n > 0);
			at += frame_decoder_feed(&d, stream + at, n);
			r = frame_decoder_next(&d, &f);
			assert(r == FRAME_OK || frame_decoder_is_partial(&d));
		}
		assert(r == FRAME_OK && at == end);
		check_frame(&f, i, sizes[i]);
		assert(frame_decoder_next(&d, &f) == FRAME_NEED && !frame_decoder_is_partial(&d));
	}
	assert(d.n_bad == 0 && d.n_skipped == 0);
}

static void test_many_in_one(void)
{
	struct frame_decoder d;
	struct frame f;
	size_t end = 0;

	frame_decoder_init(&d, decoder_buf, sizeof(decoder_buf));
	for (uint64_t i = 0; i < 100; i++) {
		end = put_frame(end, FRAME_DATA, i, i * 3);
	}
	assert(frame_decoder_feed(&d, stream, end) == end);
	for (uint64_t i = 0; i < 100; i++) {
		assert(frame_decoder_next(&d, &f) == FRAME_OK);
		check_frame(&f, i, i * 3);
	}
	assert(frame_decoder_next(&d, &f) == FRAME_NEED);
}

/* Any damaged byte is noticed once, and the next frame is found. */
static void test_damage(void)
{
	size_t first = put_frame(0, FRAME_DATA, 1, 50);
	size_t end = put_frame(first, FRAME_DATA, 2, 60);

	for (size_t i = 0; i < first; i++) {
		struct frame_decoder d;
		struct frame f;

		frame_decoder_init(&d, decoder_buf, sizeof(decoder_buf));
		stream[i] ^= 0x40;
		assert(frame_decoder_feed(&d, stream, end) == end);
		assert(frame_decoder_next(&d, &f) == FRAME_BAD);
		assert(frame_decoder_next(&d, &f) == FRAME_OK);
		check_frame(&f, 2, 60);
		assert(d.n_bad == 1 && d.n_skipped == first);
		stream[i] ^= 0x40;
	}
}

/* A header may be right in itself and still not be one. */
static void test_headers(void)
{
	static const struct {
		size_t at;
		uint8_t value;
	} bad[] = {{4, 0}, {4, _FRAME_N}, {5, 2}, {6, 1}, {7, 1}, {10, 1}, {11, 1}};

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct frame_decoder d;
		struct frame f;
		size_t end = put_frame(0, FRAME_DATA, 1, 8);
		uint32_t crc;

		stream[bad[i].at] = bad[i].value;
		crc = crc32c(0, stream, 32);
		memcpy(stream + 32, &crc, 4);
		frame_decoder_init(&d, decoder_buf, sizeof(decoder_buf));
		assert(frame_decoder_feed(&d, stream, end) == end);
		assert(frame_decoder_next(&d, &f) == FRAME_BAD);
		assert(frame_decoder_next(&d, &f) == FRAME_NEED);
	}
}

/* A frame cut at any place; the next session's first frame comes right behind it. */
static void test_cut(void)
{
	size_t whole = put_frame(0, FRAME_DATA, 1, 300);
	uint8_t head[FRAME_HEADER_SIZE + 300];

	memcpy(head, stream, whole);
	for (size_t cut = 1; cut < whole; cut++) {
		struct frame_decoder d;
		struct frame f;
		enum frame_result r;
		size_t len = put_frame(0, FRAME_DATA, 2, 20);

		frame_decoder_init(&d, decoder_buf, sizeof(decoder_buf));
		assert(frame_decoder_feed(&d, head, cut) == cut);
		assert(frame_decoder_next(&d, &f) == FRAME_NEED);
		assert(frame_decoder_feed(&d, stream, len) == len);
		r = frame_decoder_next(&d, &f);
		if (r == FRAME_NEED) {
			assert(frame_decoder_is_partial(&d));
			frame_decoder_stalled(&d);
			r = frame_decoder_next(&d, &f);
		}
		if (r == FRAME_BAD) {
			r = frame_decoder_next(&d, &f);
		}
		assert(r == FRAME_OK);
		check_frame(&f, 2, 20);
	}
}

static void test_garbage(void)
{
	struct frame_decoder d;
	struct frame f;
	size_t end;

	frame_decoder_init(&d, decoder_buf, sizeof(decoder_buf));
	for (unsigned int i = 0; i < 200000; i += 1000) {
		memset(stream, (int)(i / 1000), 1000);
		assert(frame_decoder_feed(&d, stream, 1000) == 1000);
		while (frame_decoder_next(&d, &f) == FRAME_BAD) {
		}
	}
	assert(d.n_bad == 1 && d.n_skipped == 200000);
	end = put_frame(0, FRAME_DATA, 7, 7);
	assert(frame_decoder_feed(&d, stream, end) == end);
	assert(frame_decoder_next(&d, &f) == FRAME_OK);
	check_frame(&f, 7, 7);
	assert(frame_decoder_feed(&d, stream, 10) == 10);
	frame_decoder_reset(&d);
	assert(!frame_decoder_is_partial(&d));
}

/* A header that is right, with a payload that is not: all that follows up to `end`. */
static void put_wrong(size_t at, size_t end)
{
	uint32_t crc = 0x5eed;

	(void)put_frame(at, FRAME_DATA, 1, 0);
	stream[at + 8] = (uint8_t)(end - at - FRAME_HEADER_SIZE);
	stream[at + 9] = (uint8_t)((end - at - FRAME_HEADER_SIZE) >> 8);
	memcpy(stream + at + 28, &crc, 4);
	crc = crc32c(0, stream + at, 32);
	memcpy(stream + at + 32, &crc, 4);
}

/* Headers inside what other headers claim cost no more than a few looks at each byte. */
static void test_claims(size_t piece, size_t good)
{
	size_t at = 0, fed = 0, end = FRAME_SIZE_MAX;
	struct frame_decoder d;
	struct frame f;

	while (at + FRAME_HEADER_SIZE + piece + good <= end) {
		put_wrong(at, end);
		at += FRAME_HEADER_SIZE + piece;
		at = good > 0 ? put_frame(at, FRAME_DATA, 2, good - FRAME_HEADER_SIZE) : at;
	}
	frame_decoder_init(&d, decoder_buf, sizeof(decoder_buf));
	while (fed < 16 * end) {
		fed += frame_decoder_feed(&d, stream + fed % end, end - fed % end);
		while (frame_decoder_next(&d, &f) != FRAME_NEED) {
		}
		if (frame_decoder_is_partial(&d) && fed % end == 0) {
			frame_decoder_stalled(&d);
		}
	}
	assert(d.n_wrong > end / 2 && d.n_wrong < 2 * fed + 6 * FRAME_SIZE_MAX);
	while (frame_decoder_is_partial(&d)) {
		frame_decoder_stalled(&d);
		while (frame_decoder_next(&d, &f) != FRAME_NEED) {
		}
	}
	end = put_frame(0, FRAME_DATA, 7, 7);
	assert(frame_decoder_feed(&d, stream, end) == end);
	assert(frame_decoder_next(&d, &f) == FRAME_OK || frame_decoder_next(&d, &f) == FRAME_OK);
	check_frame(&f, 7, 7);
}

static void test_arena(void)
{
	uint8_t buf[100];
	struct wire_arena a;
	uint8_t *p, *q;

	wire_arena_init(&a, buf + 1, sizeof(buf) - 1);
	p = wire_arena_alloc(&a, 1);
	q = a.allocator.alloc(a.allocator.allocator_data, 20);
	assert(p != NULL && q != NULL && (uintptr_t)p % 16 == 0 && q >= p + 1 + 15);
	a.allocator.free(a.allocator.allocator_data, q);
	assert(wire_arena_alloc(&a, 100) == NULL);
	assert(wire_arena_alloc(&a, SIZE_MAX) == NULL);
	wire_arena_reset(&a);
	assert(wire_arena_alloc(&a, 80) == p);
	assert(wire_arena_alloc(&a, 20) == NULL);
}

int main(void)
{
	static const size_t pieces[] = {7, 36, 4096, 65535, FRAME_SIZE_MAX};

	test_crc();
	for (unsigned int i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		test_pieces(pieces[i]);
	}
	test_many_in_one();
	test_damage();
	test_headers();
	test_cut();
	test_garbage();
	test_claims(0, 0);
	test_claims(100, 0);
	test_claims(0, FRAME_HEADER_SIZE);
	test_arena();
	return 0;
}
