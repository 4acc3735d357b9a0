/*
 * Random kits that the checker accepts: sizes, alignments, relocations of both kinds to any
 * piece, symbols in front of, in and right behind pieces.
 */
#include "proto/image/flat_sample.h"

#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/image/link.h"

static void *sample_alloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);

	assert(p);
	return p;
}

uint64_t sample_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint32_t sample_below(uint64_t *state, uint32_t limit)
{
	return (uint32_t)((sample_random(state) >> 20) % limit);
}

/* Relocations of one piece: as many of those wanted as it has room for, from the front. */
static void sample_draw_relocs(
        uint64_t *state, struct sample_kit *kit, struct flat_piece *p, uint32_t want)
{
	struct flat_reloc *r;
	uint32_t at = sample_below(state, 8);

	for (; want > 0; want--) {
		const uint32_t kind = sample_below(state, 2) ? FLAT_ABS64 : FLAT_PC32;

		r = &kit->relocs[kit->header.n_relocs];
		r->where = kind | at;
		if (at + flat_reloc_size(r) > p->size) {
			return;
		}
		r->addend = (int32_t)sample_below(state, 200) - 100;
		kit->header.n_relocs++;
		p->n_relocs++;
		at += flat_reloc_size(r) + sample_below(state, 12);
	}
}

static void sample_draw_pieces(
        uint64_t *state, struct sample_kit *kit, const struct sample_size *size, unsigned int class)
{
	struct flat_header *h = &kit->header;
	struct flat_piece *p;
	uint32_t i, k;

	for (k = 0, i = 0; k < class; k++) {
		i += h->n_pieces[k];
	}
	for (p = kit->pieces + i; p < kit->pieces + i + h->n_pieces[class]; p++) {
		p->size = 1 + sample_below(state, size->bytes);
		p->align_log2 = (uint8_t)sample_below(state, sample_below(state, 20) ? 6 : 13);
		if (class != FLAT_ZERO) {
			kit->n_bytes += p->size;
			sample_draw_relocs(state, kit, p, sample_below(state, size->relocs + 1));
		}
	}
}

struct sample_kit sample_draw(uint64_t *state, const struct sample_size *size)
{
	struct sample_kit kit = {.header = {.magic = FLAT_MAGIC,
	                                 .version = FLAT_VERSION,
	                                 .header_size = sizeof(struct flat_header),
	                                 .service = "sample",
	                                 .recipe = LINK_RECIPE,
	                                 .n_symbols = size->symbols}};
	struct flat_header *h = &kit.header;
	uint32_t n = 0, c, i;

	for (c = 0; c < _FLAT_CLASS_N; c++) {
		h->n_pieces[c] = sample_below(state, size->pieces[c] + 1) + (c == FLAT_TEXT);
		n += h->n_pieces[c];
	}
	kit.pieces = sample_alloc(n, sizeof(*kit.pieces));
	kit.relocs = sample_alloc((size_t)n * size->relocs + 1, sizeof(*kit.relocs));
	kit.symbols = sample_alloc(h->n_symbols, sizeof(*kit.symbols));
	for (c = 0; c < _FLAT_CLASS_N; c++) {
		sample_draw_pieces(state, &kit, size, c);
	}
	for (i = 0; i < h->n_relocs; i++) {
		kit.relocs[i].target = sample_below(state, n);
	}
	for (i = 0; i < h->n_symbols; i++) {
		kit.symbols[i].piece =
		        sample_below(state, 8) ? sample_below(state, n) : FLAT_NO_PIECE;
		if (kit.symbols[i].piece != FLAT_NO_PIECE) {
			kit.symbols[i].offset =
			        sample_below(state, kit.pieces[kit.symbols[i].piece].size + 1);
		}
	}
	h->entry_piece = sample_below(state, h->n_pieces[FLAT_TEXT]);
	h->entry_offset = sample_below(state, kit.pieces[h->entry_piece].size);
	return kit;
}

void sample_fini(struct sample_kit *kit)
{
	free(kit->pieces);
	free(kit->relocs);
	free(kit->symbols);
	*kit = (struct sample_kit){0};
}

static uint8_t *sample_put(uint8_t *at, const void *bytes, size_t len)
{
	if (len > 0) {
		memcpy(at, bytes, len);
	}
	return at + len;
}

void *sample_file(const struct sample_kit *kit, size_t *ret_len)
{
	const struct flat_header *h = &kit->header;
	const uint32_t n = h->n_pieces[0] + h->n_pieces[1] + h->n_pieces[2] + h->n_pieces[3];
	const size_t len = sizeof(*h) + n * sizeof(*kit->pieces) +
	                   h->n_relocs * sizeof(*kit->relocs) +
	                   h->n_symbols * sizeof(*kit->symbols) + kit->n_bytes;
	struct flat_header *file = sample_alloc(1, len);
	uint8_t *at = (uint8_t *)file;
	uint64_t state = 7;

	at = sample_put(at, h, sizeof(*h));
	at = sample_put(at, kit->pieces, n * sizeof(*kit->pieces));
	at = sample_put(at, kit->relocs, h->n_relocs * sizeof(*kit->relocs));
	at = sample_put(at, kit->symbols, h->n_symbols * sizeof(*kit->symbols));
	while (at < (uint8_t *)file + len) {
		*at++ = (uint8_t)(sample_random(&state) >> 32);
	}
	file->total_size = len;
	*ret_len = len;
	return file;
}
