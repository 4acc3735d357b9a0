/*
 * Pieces in a payload: a payload of a kit, with bytes changed as the input says, in header and
 * tables or in pieces. What is found must be where it is said to be, whatever the fields lead to.
 * Input: records of six bytes: what, two numbers, and what the byte is changed by.
 */
#include <string.h>

#include "forge/effect/locate.h"
#include "forge/fuzz/fuzz.h"
#include "proto/image/flat_sample.h"
#include "proto/image/link.h"

static struct flat_view kit;
static struct link_layout layout;
static struct buf made;

/* One kit and one layout for all inputs: what is fuzzed is the walk. */
static void locate_make(void)
{
	static const struct sample_size size = {
	        .pieces = {30, 30, 30, 10}, .bytes = 200, .relocs = 6, .symbols = 8};
	static const uint8_t seed[LINK_SEED_SIZE], release_id[LINK_RELEASE_SIZE];
	const struct link_request q = {.seed = seed, .release_id = release_id};
	uint64_t state = 5;
	struct sample_kit sample = sample_draw(&state, &size);
	size_t len;
	void *file = sample_file(&sample, &len);

	if (flat_check(file, len, &kit) != FLAT_OK ||
	        link_place(&kit, &q, mem_zalloc(link_scratch_size(&kit) / 8 + 1, 8),
	                link_scratch_size(&kit), &layout) != LINK_OK) {
		__builtin_trap();
	}
	buf_add_zero(&made, layout.payload_size);
	if (link_payload_write(&kit, &layout, made.bytes) != LINK_OK) {
		__builtin_trap();
	}
	sample_fini(&sample);
}

/* Where a piece has its bytes in the payload's file, or its tables for one that has none. */
static size_t locate_place(uint32_t piece, uint32_t offset)
{
	uint32_t i;

	for (i = 0; i < layout.n_segments; i++) {
		const struct image_segment *s = &layout.segment[i];
		const uint64_t at = layout.address[piece] + offset - s->vaddr;

		if (at < s->file_size) {
			return s->file_off + at;
		}
	}
	return offset;
}

static void locate_change(struct buf *payload, const uint8_t *data, size_t size)
{
	for (; size >= 6; data += 6, size -= 6) {
		const uint32_t a = data[1] | (uint32_t)data[2] << 8;
		const uint32_t b = data[3] | (uint32_t)data[4] << 8;
		const uint32_t piece = a % kit.n_pieces;
		const size_t at = (data[0] & 1) != 0
		                          ? a % 1024
		                          : locate_place(piece, b % kit.pieces[piece].size);

		payload->bytes[at % payload->len] ^= data[5];
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t addresses[128]; /* more than the sample has */
	struct image_view view;
	struct buf payload;
	uint32_t i;

	if (made.len == 0) {
		locate_make();
	}
	payload = fuzz_buf(made.bytes, made.len);
	locate_change(&payload, data, size);
	if (image_check(payload.bytes, payload.len, &view) == IMAGE_OK &&
	        locate_pieces("fuzz", &kit, &view, addresses) == 0) {
		for (i = 0; i < kit.n_pieces; i++) {
			const uint8_t *at = locate_bytes(&view, addresses[i], kit.pieces[i].size);

			fuzz_touch(at, at ? kit.pieces[i].size : 0);
			if (addresses[i] != 0 && !at && flat_class_of(&kit, i) != FLAT_ZERO) {
				__builtin_trap();
			}
		}
	}
	buf_fini(&payload);
	return 0;
}
