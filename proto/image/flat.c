/*
 * Checking flat kits.
 *
 * The idea is image.c's: every field is looked at once, in an order in which each check only
 * leans on earlier ones. Counts are bounded before the tables' size is formed from them; the
 * sum of the pieces' memory is compared with what is left of its limit before it grows, that
 * of their relocations is wider than any number of pieces can make it. So no sum can overflow,
 * whatever the bytes.
 *
 * What this does not do: recipes, hashes and signatures are for those who use the kit.
 */
#include "proto/image/flat.h"

#include "proto/image/priv.h"

static enum flat_error flat_check_header(const struct flat_header *h, size_t len)
{
	if (!image_magic_is(h->magic, FLAT_MAGIC)) {
		return FLAT_E_MAGIC;
	}
	if (h->version != FLAT_VERSION || h->header_size != sizeof(*h)) {
		return FLAT_E_VERSION;
	}
	if (h->total_size != len) {
		return FLAT_E_SHORT;
	}
	if (!image_name_is_good(h->service, "")) {
		return FLAT_E_NAME;
	}
	return image_is_zero(h->reserved, sizeof(h->reserved)) ? FLAT_OK : FLAT_E_RESERVED;
}

/* Bound every count; set n_pieces and first[]. */
static enum flat_error flat_check_counts(struct flat_view *v)
{
	const struct flat_header *h = v->header;
	unsigned int c;

	for (c = 0; c < _FLAT_CLASS_N; c++) {
		if (h->n_pieces[c] > FLAT_PIECES_MAX - v->n_pieces) {
			return FLAT_E_COUNT;
		}
		v->n_pieces += h->n_pieces[c];
		v->first[c + 1] = v->n_pieces;
	}
	if (h->n_pieces[FLAT_TEXT] == 0 || h->n_relocs > FLAT_RELOCS_MAX ||
	        h->n_symbols > IMAGE_SYMBOLS_MAX) {
		return FLAT_E_COUNT;
	}
	return FLAT_OK;
}

/* Find the tables. The counts are bounded: their sizes come to some dozens of MiB at most. */
static enum flat_error flat_check_tables(struct flat_view *v, const uint8_t *bytes, size_t len)
{
	const size_t pieces_off = sizeof(*v->header);
	const size_t relocs_off = pieces_off + v->n_pieces * sizeof(*v->pieces);
	const size_t symbols_off = relocs_off + v->header->n_relocs * sizeof(*v->relocs);
	const size_t bytes_off = symbols_off + v->header->n_symbols * sizeof(*v->symbols);

	if (bytes_off > len) {
		return FLAT_E_SHORT;
	}
	v->pieces = (const void *)(bytes + pieces_off);
	v->relocs = (const void *)(bytes + relocs_off);
	v->symbols = (const void *)(bytes + symbols_off);
	v->bytes = bytes + bytes_off;
	return FLAT_OK;
}

/* What the pieces looked at so far come to. */
struct flat_sums {
	uint64_t memory; /* with the most that alignment adds; at most FLAT_MEMORY_MAX */
	uint64_t relocs; /* at most FLAT_PIECES_MAX * UINT16_MAX */
};

static enum flat_error flat_check_piece(struct flat_view *v, const struct flat_piece *p,
        enum flat_class class, struct flat_sums *sums)
{
	uint64_t most;

	if (p->size == 0 || p->align_log2 > FLAT_ALIGN_LOG2_MAX ||
	        (class == FLAT_ZERO && p->n_relocs > 0)) {
		return FLAT_E_PIECE;
	}
	if (p->reserved != 0) {
		return FLAT_E_RESERVED;
	}
	most = (uint64_t)p->size + (1u << p->align_log2) - 1;
	if (most > FLAT_MEMORY_MAX - sums->memory) {
		return FLAT_E_MEMORY;
	}
	sums->memory += most;
	sums->relocs += p->n_relocs;
	v->memory[class] += p->size;
	return FLAT_OK;
}

/* Every piece; set memory[] and first_reloc[]; the sums must come to the file exactly. */
static enum flat_error flat_check_pieces(struct flat_view *v, size_t len)
{
	struct flat_sums sums = {0};
	enum flat_error r;
	unsigned int c;
	uint32_t i;

	for (c = 0; c < _FLAT_CLASS_N; c++) {
		v->first_reloc[c] = (uint32_t)sums.relocs;
		for (i = v->first[c]; i < v->first[c + 1]; i++) {
			r = flat_check_piece(v, &v->pieces[i], (enum flat_class)c, &sums);
			if (r != FLAT_OK) {
				return r;
			}
		}
	}
	if (sums.relocs != v->header->n_relocs) {
		return FLAT_E_RELOC;
	}
	/* The tables end inside the file, and memory[] is bounded by FLAT_MEMORY_MAX. */
	len -= (size_t)(v->bytes - (const uint8_t *)v->header);
	return len == v->memory[FLAT_TEXT] + v->memory[FLAT_CONST] + v->memory[FLAT_DATA]
	               ? FLAT_OK
	               : FLAT_E_SHORT;
}

/* Most of what a check costs: kits have some thousands of them. */
static enum flat_error flat_check_relocs(const struct flat_view *v)
{
	const struct flat_reloc *reloc = v->relocs, *end;
	uint32_t i, size, offset, width, free_from;

	for (i = 0; i < v->n_pieces; i++) {
		size = v->pieces[i].size;
		free_from = 0;
		for (end = reloc + v->pieces[i].n_relocs; reloc < end; reloc++) {
			offset = flat_reloc_offset(reloc);
			width = flat_reloc_size(reloc);
			if (offset < free_from || width > size || offset > size - width) {
				return FLAT_E_RELOC;
			}
			if (reloc->target >= v->n_pieces) {
				return FLAT_E_TARGET;
			}
			free_from = offset + width;
		}
	}
	return FLAT_OK;
}

/* One past the end of a piece is allowed, as in a payload. */
static enum flat_error flat_check_symbols(const struct flat_view *v)
{
	const struct flat_symbol *s = v->symbols;
	const struct flat_symbol *end = s + v->header->n_symbols;

	for (; s < end; s++) {
		if (s->piece == FLAT_NO_PIECE
		                ? s->offset != 0
		                : s->piece >= v->n_pieces || s->offset > v->pieces[s->piece].size) {
			return FLAT_E_TARGET;
		}
	}
	return FLAT_OK;
}

static enum flat_error flat_check_content(struct flat_view *v, size_t len)
{
	const struct flat_header *h = v->header;
	enum flat_error r = flat_check_pieces(v, len);

	if (r == FLAT_OK) {
		r = flat_check_relocs(v);
	}
	if (r == FLAT_OK) {
		r = flat_check_symbols(v);
	}
	if (r != FLAT_OK) {
		return r;
	}
	return h->entry_piece < h->n_pieces[FLAT_TEXT] &&
	                       h->entry_offset < v->pieces[h->entry_piece].size
	               ? FLAT_OK
	               : FLAT_E_ENTRY;
}

enum flat_error flat_check(const void *bytes, size_t len, struct flat_view *ret_view)
{
	struct flat_view v = {.header = bytes};
	enum flat_error r;

	if ((uintptr_t)bytes % 8 != 0) {
		return FLAT_E_ALIGN;
	}
	if (len < sizeof(*v.header)) {
		return FLAT_E_SHORT;
	}
	r = flat_check_header(v.header, len);
	if (r == FLAT_OK) {
		r = flat_check_counts(&v);
	}
	if (r == FLAT_OK) {
		r = flat_check_tables(&v, bytes, len);
	}
	if (r == FLAT_OK) {
		r = flat_check_content(&v, len);
	}
	if (r == FLAT_OK) {
		*ret_view = v;
	}
	return r;
}

enum flat_class flat_class_of(const struct flat_view *kit, uint32_t i)
{
	unsigned int c = 0;

	while (i >= kit->first[c + 1]) {
		c++;
	}
	return (enum flat_class)c;
}

const char *flat_error_text(enum flat_error error)
{
	static const char *const texts[_FLAT_E_N] = {
	        [FLAT_OK] = "no error",
	        [FLAT_E_ALIGN] = "the buffer is not 8-byte aligned",
	        [FLAT_E_SHORT] = "the tables do not come to the size of the file",
	        [FLAT_E_MAGIC] = "the magic number is wrong",
	        [FLAT_E_VERSION] = "the format version is unknown",
	        [FLAT_E_NAME] = "the service name is empty, unpadded or has forbidden letters",
	        [FLAT_E_COUNT] = "a count is beyond its limit, or there is no code",
	        [FLAT_E_PIECE] = "a piece is empty, oddly aligned, or zeroed and relocated",
	        [FLAT_E_MEMORY] = "the pieces need more memory than a service may have",
	        [FLAT_E_RELOC] = "a relocation is outside its piece or overlaps another",
	        [FLAT_E_TARGET] = "a relocation or symbol leads to no piece",
	        [FLAT_E_ENTRY] = "the entry point is not in a piece of code",
	        [FLAT_E_RESERVED] = "a reserved field is not zero",
	};

	return (unsigned int)error < _FLAT_E_N ? texts[error] : "unknown error";
}
