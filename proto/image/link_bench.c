/*
 * Shared by the tests of the linker. The scratch is exactly as large as the linker asks for, so that
 * the sanitizers see a byte too much; scratch and payloads are filled before they are written, so
 * that a byte left out differs from a zero.
 */
#include "proto/image/link_bench.h"

#include <stdlib.h>
#include <string.h>

uint64_t check_state, check_seed;

void bench_init(struct bench *b, const struct sample_kit *kit)
{
	*b = (struct bench){0};
	b->file = sample_file(kit, &b->len);
	check(flat_check(b->file, b->len, &b->kit) == FLAT_OK);
	b->scratch = malloc(link_scratch_size(&b->kit));
	assert(b->scratch);
}

void bench_fini(struct bench *b)
{
	free(b->file);
	free(b->scratch);
}

enum link_error bench_place(struct bench *b, uint64_t seed)
{
	const struct link_request request = {
	        .seed = b->seed, .release_id = b->release_id, .fixed_base = b->fixed_base};

	memcpy(b->seed, &seed, sizeof(seed));
	memset(b->scratch, 0xa5, link_scratch_size(&b->kit));
	check_seed = seed;
	return link_place(&b->kit, &request, b->scratch, link_scratch_size(&b->kit), &b->layout);
}

uint8_t *bench_payload(struct bench *b)
{
	uint8_t *payload = malloc(b->layout.payload_size);

	assert(payload);
	memset(payload, 0xa5, b->layout.payload_size);
	check(link_payload_write(&b->kit, &b->layout, payload) == LINK_OK);
	return payload;
}

void bench_init_even(struct bench *b, uint32_t text, uint32_t consts, uint32_t data)
{
	static struct flat_piece pieces[4096];
	struct sample_kit kit = {.header = {.magic = FLAT_MAGIC,
	                                 .version = FLAT_VERSION,
	                                 .header_size = sizeof(struct flat_header),
	                                 .service = "even",
	                                 .recipe = LINK_RECIPE,
	                                 .n_pieces = {text, consts, data, 0}},
	        .pieces = pieces,
	        .n_bytes = 24 * (size_t)(text + consts + data)};
	uint32_t i;

	assert(text + consts + data <= 4096);
	for (i = 0; i < text + consts + data; i++) {
		pieces[i] = (struct flat_piece){.size = 24, .align_log2 = 3};
	}
	bench_init(b, &kit);
}
