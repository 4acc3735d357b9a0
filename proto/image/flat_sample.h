#pragma once
/* Kits made by hand and by dice, for tests and fuzzers. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/image/flat.h"

/* A file that is being put together: tables first, written out by sample_file(). */
struct sample_kit {
	struct flat_header header;
	struct flat_piece *pieces;
	struct flat_reloc *relocs;
	struct flat_symbol *symbols;
	size_t n_bytes; /* of pieces that have any */
};

/* What a random kit is made of: `pieces` of each class, at most. */
struct sample_size {
	uint32_t pieces[_FLAT_CLASS_N];
	uint32_t bytes;  /* of a piece, at most */
	uint32_t relocs; /* of a piece, at most */
	uint32_t symbols;
};

/* A generator of no quality (xorshift): fixed numbers that look unordered. */
uint64_t sample_random(uint64_t *state);

/* Draw a kit. The same state gives the same kit. */
struct sample_kit sample_draw(uint64_t *state, const struct sample_size *size);
void sample_fini(struct sample_kit *kit);

/* The file, in memory that the caller frees; the bytes of the pieces are random too. */
void *sample_file(const struct sample_kit *kit, size_t *ret_len);
