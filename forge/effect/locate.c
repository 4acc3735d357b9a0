/*
 * A walk over the relocations: a piece that was found shows where those lie that it refers to.
 * Each field is read once, and must agree with what was found before. All bytes that are no
 * fields must be the kit's: so what this accepts is a layout of the kit, of whatever seed.
 */
#include "forge/effect/locate.h"

#include <string.h>

#include "forge/base/mem.h"
#include "forge/base/report.h"

struct locate {
	const char *where;
	const struct flat_view *kit;
	const struct image_view *payload;
	uint64_t *addresses;
	uint32_t *relocs; /* of each piece: the first */
	uint64_t *bytes;  /* of each piece: where they start in the kit */
	uint32_t *found;  /* pieces in the order they were found */
	uint32_t n_found;
};

static void locate_fini(struct locate *l)
{
	free(l->relocs);
	free(l->bytes);
	free(l->found);
}

const uint8_t *locate_bytes(const struct image_view *payload, uint64_t address, uint64_t size)
{
	uint32_t i;

	for (i = 0; i < payload->header->n_segments; i++) {
		const struct image_segment *s = &payload->segments[i];

		if (address >= s->vaddr && size <= s->file_size &&
		        address - s->vaddr <= s->file_size - size) {
			return image_segment_bytes(payload, i) + (address - s->vaddr);
		}
	}
	return NULL;
}

static int locate_found(struct locate *l, uint32_t piece, uint64_t address)
{
	if (l->addresses[piece] == address) {
		return 0;
	}
	if (l->addresses[piece] != 0 || address == 0) {
		return report_refuse(l->where,
		        "no layout of this kit: piece %u would lie in two places; compare variants "
		        "of the release that --kit names",
		        piece);
	}
	l->addresses[piece] = address;
	l->found[l->n_found++] = piece;
	return 0;
}

/* What lies between `from` and `to` of a piece must be the kit's. */
static int locate_same(
        const struct locate *l, uint32_t piece, const uint8_t *bytes, uint32_t from, uint32_t to)
{
	if (memcmp(bytes + from, l->kit->bytes + l->bytes[piece] + from, to - from) == 0) {
		return 0;
	}
	return report_refuse(l->where,
	        "no layout of this kit: piece %u has other bytes; compare variants of the release "
	        "that --kit names",
	        piece);
}

static uint64_t locate_target(const struct flat_reloc *reloc, uint64_t field, const uint8_t *bytes)
{
	const uint64_t addend = (uint64_t)(int64_t)reloc->addend;
	uint64_t value;
	int32_t distance;

	if ((reloc->where & FLAT_ABS64) != 0) {
		memcpy(&value, bytes, sizeof(value));
		return value - addend;
	}
	memcpy(&distance, bytes, sizeof(distance));
	return field + (uint64_t)(int64_t)distance - addend;
}

/* Follow the relocations of a piece; zeroed ones have neither bytes nor relocations. */
static int locate_follow(struct locate *l, uint32_t piece)
{
	const struct flat_piece *p = &l->kit->pieces[piece];
	const uint64_t address = l->addresses[piece];
	const uint8_t *bytes;
	uint32_t i, at = 0;
	int r = 0;

	if (flat_class_of(l->kit, piece) == FLAT_ZERO) {
		return 0;
	}
	bytes = locate_bytes(l->payload, address, p->size);
	if (!bytes) {
		return report_refuse(
		        l->where, "no layout of this kit: piece %u is not in the file", piece);
	}
	for (i = 0; r == 0 && i < p->n_relocs; i++) {
		const struct flat_reloc *reloc = &l->kit->relocs[l->relocs[piece] + i];
		const uint32_t offset = flat_reloc_offset(reloc);

		r = locate_same(l, piece, bytes, at, offset);
		at = offset + flat_reloc_size(reloc);
		if (r == 0) {
			r = locate_found(l, reloc->target,
			        locate_target(reloc, address + offset, bytes + offset));
		}
	}
	return r == 0 ? locate_same(l, piece, bytes, at, p->size) : r;
}

static void locate_init(struct locate *l)
{
	const struct flat_view *kit = l->kit;
	uint64_t bytes = 0;
	uint32_t i, reloc = 0;

	l->relocs = mem_zalloc(kit->n_pieces, sizeof(*l->relocs));
	l->bytes = mem_zalloc(kit->n_pieces, sizeof(*l->bytes));
	l->found = mem_zalloc(kit->n_pieces, sizeof(*l->found));
	for (i = 0; i < kit->n_pieces; i++) {
		l->relocs[i] = reloc;
		l->bytes[i] = bytes;
		reloc += kit->pieces[i].n_relocs;
		bytes += kit->pieces[i].size;
	}
}

int locate_pieces(const char *where, const struct flat_view *kit, const struct image_view *payload,
        uint64_t *ret_addresses)
{
	MEM_CLEANUP(locate_fini)
	struct locate l = {
	        .where = where, .kit = kit, .payload = payload, .addresses = ret_addresses};
	const struct image_header *h = payload->header;
	uint32_t i;
	int r;

	if (memcmp(h->service, kit->header->service, sizeof(h->service)) != 0 ||
	        h->n_symbols != kit->header->n_symbols) {
		return report_refuse(where, "a payload of another service or release");
	}
	memset(ret_addresses, 0, kit->n_pieces * sizeof(*ret_addresses));
	locate_init(&l);
	r = locate_found(&l, kit->header->entry_piece, h->entry - kit->header->entry_offset);
	for (i = 0; r == 0 && i < h->n_symbols; i++) {
		const struct flat_symbol *s = &kit->symbols[i];

		if (s->piece != FLAT_NO_PIECE) {
			r = locate_found(&l, s->piece, payload->symbols[i] - s->offset);
		}
	}
	for (i = 0; r == 0 && i < l.n_found; i++) {
		r = locate_follow(&l, l.found[i]);
	}
	return r;
}
