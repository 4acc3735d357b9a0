/*
 * Placing and writing a variant.
 *
 * The idea: everything is drawn first (link_draw.h), then one pass over the pieces in their
 * drawn order gives each its address, and one pass over the file, in its own order, copies and
 * relocates them. Nothing is searched or sorted.
 *
 * Why it always fits: the checker bounds what pieces and their alignment take, the limits of
 * pads bound these, and gaps leave room for both in a window (asserted below). So only a
 * pc-relative field whose addend leads far out of its target can fail to hold its distance.
 */
#include "proto/image/link.h"

#include <string.h>

#include "proto/image/link_crypto.h"
#include "proto/image/link_draw.h"

/* What segments are made of: classes [first, end), of which those before `zero` are filed. */
static const struct link_part {
	enum flat_class first, end, zero;
	uint32_t prot;
	uint8_t fill;
} link_parts[_LINK_SEGMENT_N] = {
        /* int3: running into a filler is a trap, and so a finding. */
        [LINK_TEXT] = {FLAT_TEXT, FLAT_CONST, FLAT_CONST, IMAGE_PROT_READ | IMAGE_PROT_EXEC, 0xcc},
        [LINK_CONST] = {FLAT_CONST, FLAT_DATA, FLAT_DATA, IMAGE_PROT_READ, 0},
        [LINK_DATA] = {FLAT_DATA, _FLAT_CLASS_N, FLAT_ZERO, IMAGE_PROT_READ | IMAGE_PROT_WRITE, 0},
};

/* A class grows by one part in `share`, or so much that it has `room` bytes. */
static const struct link_pads {
	uint32_t share, room;
} link_pads[_FLAT_CLASS_N] = {
        [FLAT_TEXT] = {LINK_PAD_SHARE_TEXT, LINK_ROOM_TEXT},
        [FLAT_CONST] = {LINK_PAD_SHARE, LINK_ROOM_CONST},
        [FLAT_DATA] = {LINK_PAD_SHARE, LINK_ROOM_DATA},
        [FLAT_ZERO] = {LINK_PAD_SHARE, LINK_ROOM_ZERO},
};

/*
 * Pads of a class come to at most 2 * grow, or as many bytes as its smallest limit gives: not
 * more than these for all classes together.
 */
#define LINK_PADS_TOTAL                                                                            \
	(2 * FLAT_MEMORY_MAX / LINK_PAD_SHARE +                                                    \
	        2 * (LINK_ROOM_TEXT + LINK_ROOM_CONST + LINK_ROOM_DATA + LINK_ROOM_ZERO) +         \
	        (FLAT_PIECES_MAX + _FLAT_CLASS_N) * (uint64_t)LINK_PAD_MIN)
_Static_assert(FLAT_MEMORY_MAX + LINK_PADS_TOTAL + _LINK_SEGMENT_N * IMAGE_PAGE +
                               _LINK_SEGMENT_N * (uint64_t)LINK_GAP_PAGES * IMAGE_PAGE <=
                       IMAGE_WINDOW_MAX,
        "whatever is drawn fits into a window");

/* A layout while it is made; the tables are in the caller's scratch. */
struct link_work {
	const struct flat_view *kit;
	uint8_t key[LINK_KEY_SIZE];
	uint64_t *address;
	uint32_t *words, *order, *pad;
	uint32_t segments[_LINK_SEGMENT_N];  /* in their order, */
	uint32_t gap_pages[_LINK_SEGMENT_N]; /* with the gap before the nth */
	struct link_layout layout;
};

static uint64_t link_page_up(uint64_t v)
{
	return (v + IMAGE_PAGE - 1) & ~(uint64_t)(IMAGE_PAGE - 1);
}

static uint32_t link_class_pieces(const struct flat_view *kit, unsigned int class)
{
	return kit->first[class + 1] - kit->first[class];
}

size_t link_scratch_size(const struct flat_view *kit)
{
	return kit->n_pieces * (sizeof(uint64_t) + 2 * sizeof(uint32_t)) +
	       (LINK_DRAW_WORDS + _FLAT_CLASS_N) * sizeof(uint32_t);
}

/* Bytes of a class that its order spreads: a large piece moves others about, not itself. */
static uint64_t link_class_spread(const struct flat_view *kit, enum flat_class class)
{
	uint64_t spread = 0;
	uint32_t i;

	for (i = kit->first[class]; i < kit->first[class + 1]; i++) {
		const uint32_t size = kit->pieces[i].size;

		spread += size < LINK_SPREAD_MAX ? size : LINK_SPREAD_MAX;
	}
	return spread;
}

uint32_t link_pad_limit(const struct flat_view *kit, enum flat_class class)
{
	const struct link_pads *pads = &link_pads[class];
	const uint64_t spread = link_class_spread(kit, class);
	uint64_t grow = kit->memory[class] / pads->share, limit;

	if (grow + spread < pads->room) {
		grow = pads->room - spread;
	}
	limit = 2 * grow / (link_class_pieces(kit, class) + UINT64_C(1));
	if (limit < LINK_PAD_MIN) {
		limit = LINK_PAD_MIN;
	}
	return limit < LINK_PAD_MAX ? (uint32_t)limit : LINK_PAD_MAX;
}

/* Base, order of the segments, gaps. A fixed base does not disturb the other draws. */
static enum link_error link_draw_segments(struct link_work *w, uint64_t fixed_base)
{
	const uint64_t n_bases = (IMAGE_BASE_END - IMAGE_BASE_MIN) / IMAGE_WINDOW_ALIGN;
	struct link_draw base, segments;
	unsigned int i;

	link_draw_start(&base, w->key, w->words, LINK_STREAM_BASE, 1);
	w->layout.base =
	        IMAGE_BASE_MIN + link_draw_below(&base, (uint32_t)n_bases) * IMAGE_WINDOW_ALIGN;
	if (fixed_base != 0) {
		w->layout.base = fixed_base;
	}
	link_draw_start(&segments, w->key, w->words, LINK_STREAM_SEGMENTS, 2 * _LINK_SEGMENT_N);
	link_draw_order(&segments, w->segments, 0, _LINK_SEGMENT_N);
	for (i = 0; i < _LINK_SEGMENT_N; i++) {
		w->gap_pages[i] = link_draw_below(&segments, LINK_GAP_PAGES);
	}
	return base.failed || segments.failed ? LINK_E_CIPHER : LINK_OK;
}

/* Order and pads of a class that is not empty. */
static enum link_error link_draw_class(struct link_work *w, enum flat_class class)
{
	const uint32_t first = w->kit->first[class], n = link_class_pieces(w->kit, class);
	const uint32_t limit = link_pad_limit(w->kit, class);
	uint32_t *pad = w->pad + first + class;
	struct link_draw order, pads;
	uint32_t i;

	link_draw_start(&order, w->key, w->words, LINK_STREAM_ORDER + class, n - 1);
	link_draw_order(&order, w->order + first, first, n);
	link_draw_start(&pads, w->key, w->words, LINK_STREAM_PADS + class, n + 1);
	for (i = 0; i <= n; i++) {
		pad[i] = 1 + link_draw_below(&pads, limit);
	}
	return order.failed || pads.failed ? LINK_E_CIPHER : LINK_OK;
}

static enum link_error link_draw_all(struct link_work *w, uint64_t fixed_base)
{
	enum link_error r = link_draw_segments(w, fixed_base);
	unsigned int c;

	for (c = 0; c < _FLAT_CLASS_N && r == LINK_OK; c++) {
		if (link_class_pieces(w->kit, c) > 0) {
			r = link_draw_class(w, (enum flat_class)c);
		} else {
			w->pad[w->kit->first[c] + c] = 0;
		}
	}
	return r;
}

/* Place the pieces of a class from an address on. Return where the class ends. */
static uint64_t link_place_class(struct link_work *w, unsigned int class, uint64_t at)
{
	const struct flat_piece *pieces = w->kit->pieces, *p;
	const uint32_t *pad = w->pad + class;
	const uint32_t end = w->kit->first[class + 1];
	uint32_t i;

	for (i = w->kit->first[class]; i < end; i++) {
		p = &pieces[w->order[i]];
		at += pad[i] + (UINT64_C(1) << p->align_log2) - 1;
		at = at >> p->align_log2 << p->align_log2;
		w->address[w->order[i]] = at;
		at += p->size;
	}
	return at + pad[end];
}

/* Place the nth segment in their order behind `at`, and name it unless it is empty. */
static uint64_t link_place_segment(struct link_work *w, unsigned int nth, uint64_t at)
{
	const enum link_segment kind = (enum link_segment)w->segments[nth];
	const struct link_part *part = &link_parts[kind];
	struct image_segment s = {.prot = part->prot};
	unsigned int c;

	if (w->kit->first[part->end] == w->kit->first[part->first]) {
		return at;
	}
	at += (uint64_t)w->gap_pages[nth] * IMAGE_PAGE;
	s.vaddr = at;
	for (c = part->first; c < part->end; c++) {
		at = link_place_class(w, c, at);
		if (c < part->zero) {
			s.file_size = at - s.vaddr;
		}
	}
	at = link_page_up(at);
	s.mem_size = at - s.vaddr;
	w->layout.kind[w->layout.n_segments] = kind;
	w->layout.segment[w->layout.n_segments++] = s;
	return at;
}

/* Addresses of everything, and where segments stand in a payload. */
static void link_place_all(struct link_work *w)
{
	const struct flat_header *h = w->kit->header;
	struct link_layout *l = &w->layout;
	uint64_t at = l->base;
	unsigned int i;

	for (i = 0; i < _LINK_SEGMENT_N; i++) {
		at = link_place_segment(w, i, at);
	}
	l->window_len = at - l->base;
	l->entry = w->address[h->entry_piece] + h->entry_offset;
	at = sizeof(struct image_header) + l->n_segments * sizeof(struct image_segment) +
	     h->n_symbols * sizeof(uint64_t);
	for (i = 0; i < l->n_segments; i++) {
		l->segment[i].file_off = link_page_up(at);
		at = l->segment[i].file_off + l->segment[i].file_size;
	}
	l->payload_size = at;
}

static bool link_base_is_good(uint64_t base)
{
	return base % IMAGE_WINDOW_ALIGN == 0 && base >= IMAGE_BASE_MIN && base < IMAGE_BASE_END;
}

/* The caller's scratch, tables of 8-byte fields first. */
static void link_work_init(struct link_work *w, const struct flat_view *kit, void *scratch)
{
	*w = (struct link_work){.kit = kit, .address = scratch};
	w->words = (uint32_t *)(w->address + kit->n_pieces);
	w->order = w->words + LINK_DRAW_WORDS;
	w->pad = w->order + kit->n_pieces;
	w->layout.address = w->address;
	w->layout.order = w->order;
	w->layout.pad = w->pad;
}

enum link_error link_place(const struct flat_view *kit, const struct link_request *request,
        void *scratch, size_t scratch_size, struct link_layout *ret_layout)
{
	struct link_work w;
	enum link_error r;

	if (kit->header->recipe != LINK_RECIPE) {
		return LINK_E_RECIPE;
	}
	if ((uintptr_t)scratch % 8 != 0 || scratch_size < link_scratch_size(kit)) {
		return LINK_E_SCRATCH;
	}
	if (request->fixed_base != 0 && !link_base_is_good(request->fixed_base)) {
		return LINK_E_WINDOW;
	}
	link_work_init(&w, kit, scratch);
	r = link_draw_key(kit, request, w.key);
	if (r == LINK_OK) {
		r = link_draw_all(&w, request->fixed_base);
	}
	link_draw_wipe(w.key, sizeof(w.key));
	if (r == LINK_OK) {
		link_place_all(&w);
		*ret_layout = w.layout;
	}
	link_draw_wipe(&w, sizeof(w));
	return r;
}

/*
 * Relocate the piece that was copied to `dst` and will run at `address`. False when a distance
 * does not fit. The checker has seen that the fields lie inside the piece.
 */
static bool link_relocate(const uint64_t *addresses, uint64_t address, uint8_t *dst,
        const struct flat_reloc *reloc, const struct flat_reloc *end)
{
	uint64_t value;
	int32_t distance;

	for (; reloc < end; reloc++) {
		const uint32_t offset = flat_reloc_offset(reloc);

		value = addresses[reloc->target] + (uint64_t)(int64_t)reloc->addend;
		if ((reloc->where & FLAT_ABS64) != 0) {
			memcpy(dst + offset, &value, sizeof(value));
			continue;
		}
		value -= address + offset;
		distance = (int32_t)value;
		if ((uint64_t)(int64_t)distance != value) {
			return false;
		}
		memcpy(dst + offset, &distance, sizeof(distance));
	}
	return true;
}

/*
 * Fillers first, in one go: for gaps of some dozens of bytes, one call for each would cost
 * more than writing the whole segment twice.
 */
enum link_error link_segment_write(
        const struct flat_view *kit, const struct link_layout *layout, uint32_t i, uint8_t *dst)
{
	const struct link_part *part = &link_parts[layout->kind[i]];
	const struct flat_reloc *reloc = kit->relocs + kit->first_reloc[part->first];
	const uint64_t vaddr = layout->segment[i].vaddr;
	const uint8_t *bytes = kit->bytes;
	const uint32_t end = kit->first[part->zero];
	unsigned int c;
	uint32_t k;

	for (c = 0; c < part->first; c++) {
		bytes += kit->memory[c];
	}
	memset(dst, part->fill, layout->segment[i].file_size);
	for (k = kit->first[part->first]; k < end; k++) {
		const struct flat_piece *p = &kit->pieces[k];
		const uint64_t address = layout->address[k];
		uint8_t *at = dst + (address - vaddr);

		memcpy(at, bytes, p->size);
		if (!link_relocate(layout->address, address, at, reloc, reloc + p->n_relocs)) {
			return LINK_E_RANGE;
		}
		bytes += p->size;
		reloc += p->n_relocs;
	}
	return LINK_OK;
}

void link_symbols_write(
        const struct flat_view *kit, const struct link_layout *layout, uint64_t *dst)
{
	const struct flat_symbol *s = kit->symbols;
	uint32_t i;

	for (i = 0; i < kit->header->n_symbols; i++) {
		dst[i] =
		        s[i].piece == FLAT_NO_PIECE ? 0 : layout->address[s[i].piece] + s[i].offset;
	}
}

static enum link_error link_build_id(const struct link_layout *layout, uint8_t *payload)
{
	struct image_header *h = (void *)payload;
	uint8_t hash[64];

	if (link_hash(payload, layout->payload_size, hash) != 0) {
		return LINK_E_CIPHER;
	}
	memcpy(h->build_id, hash, sizeof(h->build_id));
	return LINK_OK;
}

/* Bytes between the parts are zero, and part of what is hashed. */
enum link_error link_payload_write_unnamed(
        const struct flat_view *kit, const struct link_layout *layout, uint8_t *dst)
{
	struct image_header h = {.magic = IMAGE_MAGIC,
	        .version = IMAGE_VERSION,
	        .header_size = sizeof(h),
	        .total_size = layout->payload_size,
	        .base = layout->base,
	        .entry = layout->entry,
	        .n_segments = layout->n_segments,
	        .n_symbols = kit->header->n_symbols,
	        .segments_off = sizeof(h),
	        .window_len = layout->window_len};
	const size_t table = layout->n_segments * sizeof(struct image_segment);
	enum link_error r = LINK_OK;
	uint64_t end;
	uint32_t i;

	memcpy(h.service, kit->header->service, sizeof(h.service));
	h.symbols_off = h.segments_off + table;
	memcpy(dst, &h, sizeof(h));
	memcpy(dst + h.segments_off, layout->segment, table);
	link_symbols_write(kit, layout, (uint64_t *)(void *)(dst + h.symbols_off));
	end = h.symbols_off + h.n_symbols * sizeof(uint64_t);
	for (i = 0; i < layout->n_segments && r == LINK_OK; i++) {
		memset(dst + end, 0, layout->segment[i].file_off - end);
		r = link_segment_write(kit, layout, i, dst + layout->segment[i].file_off);
		end = layout->segment[i].file_off + layout->segment[i].file_size;
	}
	return r;
}

enum link_error link_payload_write(
        const struct flat_view *kit, const struct link_layout *layout, uint8_t *dst)
{
	const enum link_error r = link_payload_write_unnamed(kit, layout, dst);

	return r == LINK_OK ? link_build_id(layout, dst) : r;
}

const char *link_error_text(enum link_error error)
{
	static const char *const texts[_LINK_E_N] = {
	        [LINK_OK] = "no error",
	        [LINK_E_RECIPE] = "the kit was made for another recipe; make it again",
	        [LINK_E_CIPHER] = "the cryptographic library failed",
	        [LINK_E_WINDOW] = "the fixed base is not a multiple of 2 MiB in the allowed range",
	        [LINK_E_RANGE] = "a pc-relative field cannot hold its distance",
	        [LINK_E_SCRATCH] = "the memory to work in is too small or unaligned",
	};

	return (unsigned int)error < _LINK_E_N ? texts[error] : "unknown error";
}
