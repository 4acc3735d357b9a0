/*
 * Offsets are kept by piece and not by layout, because every measurement walks the layouts of one
 * pair of pieces. Windows are at most 2 GiB, so 32 bits hold an offset; the base itself is left
 * out, since distances do not depend on it.
 */
#include "forge/effect/layouts.h"

#include <string.h>

#include "forge/base/mem.h"
#include "forge/base/report.h"

/* Offsets of a sample: 1 GiB. */
#define LAYOUTS_OFFSETS_MAX (UINT64_C(1) << 28)
_Static_assert(IMAGE_WINDOW_MAX <= UINT32_MAX, "an offset fits");

void layouts_fini(struct layouts *sample)
{
	free(sample->offset);
	free(sample->page);
	*sample = (struct layouts){0};
}

/* Numbered, so that a single layout of a sample can be made again. */
void layouts_seed(uint32_t i, uint8_t ret_seed[LINK_SEED_SIZE])
{
	memset(ret_seed, 0, LINK_SEED_SIZE);
	memcpy(ret_seed, "luforge effect", 14);
	memcpy(ret_seed + 16, &i, sizeof(i));
}

enum link_segment layouts_segment(enum flat_class class)
{
	switch (class) {
	case FLAT_TEXT:
		return LINK_TEXT;
	case FLAT_CONST:
		return LINK_CONST;
	case FLAT_DATA:
	case FLAT_ZERO:
	case _FLAT_CLASS_N:
		break;
	}
	return LINK_DATA;
}

/* Keep what layout i has drawn. */
static void layouts_keep(struct layouts *sample, uint32_t i, const struct link_layout *l)
{
	uint32_t p;

	for (p = 0; p < sample->kit->n_pieces; p++) {
		sample->offset[(size_t)p * sample->n + i] = (uint32_t)(l->address[p] - l->base);
	}
	for (p = 0; p < l->n_segments; p++) {
		sample->page[(size_t)l->kind[p] * sample->n + i] =
		        (uint32_t)((l->segment[p].vaddr - l->base) / IMAGE_PAGE);
		sample->memory += (double)l->segment[p].mem_size / sample->n;
	}
	sample->payload += (double)l->payload_size / sample->n;
}

int layouts_draw(struct layouts *ret_layouts, const char *where, const struct flat_view *kit,
        const uint8_t release_id[LINK_RELEASE_SIZE], uint32_t n)
{
	const size_t size = link_scratch_size(kit);
	MEM_FREE uint64_t *scratch = mem_zalloc(size / 8 + 1, 8);
	uint8_t seed[LINK_SEED_SIZE];
	const struct link_request q = {.seed = seed, .release_id = release_id};
	struct link_layout layout;
	uint32_t i;

	if ((uint64_t)kit->n_pieces * n > LAYOUTS_OFFSETS_MAX) {
		return report_refuse(where,
		        "%u pieces in %u layouts are too many to look at; give fewer --variants",
		        kit->n_pieces, n);
	}
	*ret_layouts = (struct layouts){.kit = kit,
	        .n = n,
	        .offset = mem_zalloc((size_t)kit->n_pieces * n, sizeof(uint32_t)),
	        .page = mem_zalloc((size_t)_LINK_SEGMENT_N * n, sizeof(uint32_t))};
	for (i = 0; i < n; i++) {
		enum link_error error;

		layouts_seed(i, seed);
		error = link_place(kit, &q, scratch, size, &layout);
		if (error != LINK_OK) {
			layouts_fini(ret_layouts);
			return report_refuse(where, "%s", link_error_text(error));
		}
		layouts_keep(ret_layouts, i, &layout);
	}
	return 0;
}

static uint64_t layouts_page_up(uint64_t v)
{
	return (v + IMAGE_PAGE - 1) / IMAGE_PAGE * IMAGE_PAGE;
}

/* Pieces in the order of the kit, each on its alignment. */
void layouts_plain(const struct flat_view *kit, double *ret_payload, double *ret_memory)
{
	uint64_t end[_LINK_SEGMENT_N] = {0}, filed[_LINK_SEGMENT_N] = {0};
	uint64_t n_segments = 0, memory = 0, payload = kit->header->n_symbols * sizeof(uint64_t);
	uint32_t i;
	int s;

	for (i = 0; i < kit->n_pieces; i++) {
		const uint64_t align = UINT64_C(1) << kit->pieces[i].align_log2;
		const enum flat_class class = flat_class_of(kit, i);
		uint64_t *at = &end[layouts_segment(class)];

		*at = (*at + align - 1) / align * align + kit->pieces[i].size;
		if (class != FLAT_ZERO) {
			filed[layouts_segment(class)] = *at;
		}
	}
	for (s = 0; s < _LINK_SEGMENT_N; s++) {
		n_segments += end[s] > 0;
	}
	payload += sizeof(struct image_header) + n_segments * sizeof(struct image_segment);
	for (s = 0; s < _LINK_SEGMENT_N; s++) {
		memory += layouts_page_up(end[s]);
		if (end[s] > 0) {
			payload = layouts_page_up(payload) + filed[s];
		}
	}
	*ret_payload = (double)payload;
	*ret_memory = (double)memory;
}
