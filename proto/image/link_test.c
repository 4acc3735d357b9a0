/*
 * What the linker makes of kits: everything placed once, nothing overlapping, every relocation
 * as computed again from the kit, each error. The numbers of one small layout stand here: when
 * they change, the recipe has. How layouts are drawn is judged in link_even_test.c.
 */
#undef NDEBUG
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/image/link_bench.h"

/* The segment that holds a class, by its position; only asked for classes that have pieces. */
static const struct image_segment *segment_of(const struct link_layout *l, enum flat_class class)
{
	static const enum link_segment kinds[_FLAT_CLASS_N] = {
	        LINK_TEXT, LINK_CONST, LINK_DATA, LINK_DATA};
	uint32_t i;

	for (i = 0; i < l->n_segments; i++) {
		if (l->kind[i] == kinds[class]) {
			return &l->segment[i];
		}
	}
	check(false);
	return NULL;
}

/* Every piece of the class is in its order once, behind its pad, aligned, in its segment. */
static void check_class(const struct bench *b, enum flat_class class)
{
	const struct link_layout *l = &b->layout;
	const uint32_t first = b->kit.first[class], end = b->kit.first[class + 1];
	const uint32_t limit = link_pad_limit(&b->kit, class);
	bool *seen = calloc(b->kit.n_pieces, sizeof(*seen));
	const struct image_segment *s;
	const struct flat_piece *p;
	uint64_t at = 0;
	uint32_t i;

	assert(seen);
	for (i = first; i < end; i++) {
		check(l->order[i] >= first && l->order[i] < end && !seen[l->order[i]]);
		seen[l->order[i]] = true;
		p = &b->kit.pieces[l->order[i]];
		check(l->pad[i + class] >= 1 && l->pad[i + class] <= limit);
		check(l->address[l->order[i]] % (1u << p->align_log2) == 0);
		if (i > first) {
			check(l->address[l->order[i]] - at >= l->pad[i + class]);
			check(l->address[l->order[i]] - at <
			        l->pad[i + class] + (1u << p->align_log2));
		}
		at = l->address[l->order[i]] + p->size;
	}
	free(seen);
	if (first == end) {
		check(l->pad[first + class] == 0);
		return;
	}
	check(l->pad[end + class] >= 1 && l->pad[end + class] <= limit);
	s = segment_of(l, class);
	check(l->address[l->order[first]] >= s->vaddr + l->pad[first + class]);
	check(at + l->pad[end + class] <= s->vaddr + s->mem_size);
	check(class == FLAT_ZERO || at + l->pad[end + class] <= s->vaddr + s->file_size);
	check(class != FLAT_ZERO || l->address[l->order[first]] > s->vaddr + s->file_size);
}

static void check_segments(const struct bench *b)
{
	static const uint32_t prot[_LINK_SEGMENT_N] = {IMAGE_PROT_READ | IMAGE_PROT_EXEC,
	        IMAGE_PROT_READ, IMAGE_PROT_READ | IMAGE_PROT_WRITE};
	const struct link_layout *l = &b->layout;
	uint64_t at = l->base;
	uint32_t i;

	for (i = 0; i < l->n_segments; i++) {
		check(l->segment[i].vaddr >= at);
		check((l->segment[i].vaddr - at) / IMAGE_PAGE < LINK_GAP_PAGES);
		check(l->segment[i].prot == prot[l->kind[i]]);
		check(l->segment[i].mem_size > 0);
		at = l->segment[i].vaddr + l->segment[i].mem_size;
	}
	check(at == l->base + l->window_len && l->window_len <= IMAGE_WINDOW_MAX);
	check(l->entry == l->address[b->kit.header->entry_piece] + b->kit.header->entry_offset);
}

/* A relocated field, computed again; the address of a field is that of its byte in memory. */
static void check_reloc(
        const struct bench *b, uint32_t piece, const struct flat_reloc *r, const uint8_t *field)
{
	const __int128 target = (__int128)b->layout.address[r->target] + r->addend;
	const __int128 own = (__int128)b->layout.address[piece] + (r->where & 0x7fffffff);
	int64_t wide;
	int32_t narrow;

	if (r->where >> 31) {
		memcpy(&wide, field, sizeof(wide));
		check((uint64_t)wide == (uint64_t)target);
	} else {
		memcpy(&narrow, field, sizeof(narrow));
		check(narrow == target - own);
	}
}

/* Take the piece at `at` back to what the kit has, and compare; clear it in the segment. */
static void check_piece(const struct bench *b, uint32_t piece, const uint8_t *bytes, uint8_t *at,
        const struct flat_reloc *relocs, uint8_t fill)
{
	const struct flat_piece *p = &b->kit.pieces[piece];
	uint32_t i, offset, len;

	for (i = 0; i < p->n_relocs; i++) {
		offset = relocs[i].where & 0x7fffffff;
		len = relocs[i].where >> 31 ? 8 : 4;
		check_reloc(b, piece, &relocs[i], at + offset);
		memcpy(at + offset, bytes + offset, len);
	}
	check(memcmp(at, bytes, p->size) == 0);
	memset(at, fill, p->size);
}

/* What is left of the segments when every piece was taken out is filler. */
static void check_bytes(const struct bench *b, uint8_t *payload)
{
	const struct flat_reloc *relocs = b->kit.relocs;
	const uint8_t *bytes = b->kit.bytes;
	uint32_t i, k;

	for (i = 0; i < b->kit.first[FLAT_ZERO]; i++) {
		const enum flat_class class = flat_class_of(&b->kit, i);
		const struct image_segment *s = segment_of(&b->layout, class);

		check_piece(b, i, bytes, payload + s->file_off + (b->layout.address[i] - s->vaddr),
		        relocs, class == FLAT_TEXT ? 0xcc : 0);
		bytes += b->kit.pieces[i].size;
		relocs += b->kit.pieces[i].n_relocs;
	}
	for (i = 0; i < b->layout.n_segments; i++) {
		const struct image_segment *s = &b->layout.segment[i];

		for (k = 0; k < s->file_size; k++) {
			check(payload[s->file_off + k] ==
			        (b->layout.kind[i] == LINK_TEXT ? 0xcc : 0));
		}
	}
}

static void check_symbols(const struct bench *b, const struct image_view *image)
{
	uint32_t i;

	for (i = 0; i < b->kit.header->n_symbols; i++) {
		const struct flat_symbol *s = &b->kit.symbols[i];

		check(image->symbols[i] ==
		        (s->piece == FLAT_NO_PIECE ? 0 : b->layout.address[s->piece] + s->offset));
	}
}

/* Between header and segments there is nothing but tables and zeros. */
static void check_head(
        const struct bench *b, const uint8_t *payload, const struct image_view *image)
{
	const size_t end = image->header->symbols_off + image->header->n_symbols * sizeof(uint64_t);
	size_t i;

	for (i = end; i < b->layout.segment[0].file_off; i++) {
		check(payload[i] == 0);
	}
	check(strcmp(image->header->service, b->kit.header->service) == 0);
	check(image->header->base == b->layout.base && image->header->entry == b->layout.entry);
}

static void check_variant(struct bench *b)
{
	uint8_t *payload, *again;
	struct image_view image;
	unsigned int c;

	check_segments(b);
	for (c = 0; c < _FLAT_CLASS_N; c++) {
		check_class(b, (enum flat_class)c);
	}
	payload = bench_payload(b);
	again = bench_payload(b);
	check(memcmp(payload, again, b->layout.payload_size) == 0);
	free(again);
	check(image_check(payload, b->layout.payload_size, &image) == IMAGE_OK);
	check(image.header->n_segments == b->layout.n_segments);
	check_symbols(b, &image);
	check_head(b, payload, &image);
	check_bytes(b, payload);
	free(payload);
}

/* Kits of many shapes, among them ones without constants, data or zeroed pieces. */
static void test_sweep(void)
{
	static const struct sample_size sizes[] = {
	        {{0, 0, 0, 0}, 40, 2, 3},
	        {{3, 0, 0, 3}, 100, 2, 0},
	        {{3, 2, 2, 0}, 20, 3, 9},
	        {{40, 20, 10, 10}, 300, 6, 20},
	        {{300, 150, 50, 60}, 200, 8, 100},
	        {{2, 9, 1, 4}, 70000, 9, 600},
	};
	struct bench b;
	uint64_t i, seed;

	for (i = 0; i < 120; i++) {
		uint64_t state = i + 1;
		struct sample_kit kit = sample_draw(&state, &sizes[i % 6]);

		check_state = i;
		bench_init(&b, &kit);
		for (seed = 0; seed < 6; seed++) {
			check(bench_place(&b, seed) == LINK_OK);
			check_variant(&b);
		}
		bench_fini(&b);
		sample_fini(&kit);
	}
}

/* Also with the lowest base and the highest. */
static void test_fixed_base(void)
{
	static const uint64_t bases[] = {
	        IMAGE_BASE_MIN, IMAGE_BASE_END - IMAGE_WINDOW_ALIGN, UINT64_C(0x123456600000)};
	static const struct sample_size size = {{40, 20, 10, 10}, 300, 6, 20};
	uint64_t state = 5, *was;
	struct sample_kit kit = sample_draw(&state, &size);
	struct bench b;
	uint32_t i, k;
	uint64_t base;

	bench_init(&b, &kit);
	check(bench_place(&b, 9) == LINK_OK);
	base = b.layout.base;
	was = calloc(b.kit.n_pieces, sizeof(*was));
	assert(was);
	memcpy(was, b.layout.address, b.kit.n_pieces * sizeof(*was));
	for (k = 0; k < 3; k++) {
		b.fixed_base = bases[k];
		check(bench_place(&b, 9) == LINK_OK && b.layout.base == bases[k]);
		for (i = 0; i < b.kit.n_pieces; i++) {
			check(b.layout.address[i] - bases[k] == was[i] - base);
		}
		check_variant(&b);
	}
	free(was);
	bench_fini(&b);
	sample_fini(&kit);
}

/* One small variant, by its numbers. Another number here is another recipe: raise it. */
static void test_golden(void)
{
	static const uint32_t order[9] = {1, 2, 3, 0, 4, 5, 6, 8, 7};
	static const uint32_t pad[13] = {
	        3623, 1424, 3997, 4959, 4158, 6390, 7285, 4520, 7226, 2920, 6777, 2972, 0};
	static const uint64_t address[9] = {0x35c5d08b1700, 0x35c5d08aee28, 0x35c5d08af3d0,
	        0x35c5d08b0388, 0x35c5ce6b58f8, 0x35c5ce6b7588, 0x35c5ce6b8748, 0x35c5d77ff600,
	        0x35c5d77fdb68};
	static const uint8_t build_id[8] = {0x85, 0x5e, 0x44, 0x81, 0x04, 0x13, 0x5d, 0x6c};
	struct bench b;
	uint8_t *payload;
	uint32_t i;

	bench_init_even(&b, 4, 3, 2);
	for (i = 0; i < LINK_SEED_SIZE; i++) {
		b.seed[i] = (uint8_t)i;
	}
	for (i = 0; i < LINK_RELEASE_SIZE; i++) {
		b.release_id[i] = (uint8_t)(0x80 + i);
	}
	check(bench_place(&b, UINT64_C(0x0706050403020100)) == LINK_OK);
	assert(b.layout.base == 0x35c5c4800000 && b.layout.window_len == 0x13001000);
	assert(b.layout.entry == 0x35c5d08b1700 && b.layout.payload_size == 0x101b4);
	assert(memcmp(b.layout.order, order, sizeof(order)) == 0);
	assert(memcmp(b.layout.pad, pad, sizeof(pad)) == 0);
	assert(memcmp(b.layout.address, address, sizeof(address)) == 0);
	payload = bench_payload(&b);
	assert(memcmp(((struct image_header *)payload)->build_id, build_id, sizeof(build_id)) == 0);
	free(payload);
	bench_fini(&b);
}

/* So many pieces of one size in the class, alone. */
static uint32_t limit_of(enum flat_class class, uint32_t n, uint32_t size)
{
	static struct flat_piece pieces[2048];
	struct flat_view kit = {.pieces = pieces, .n_pieces = n};
	uint32_t i;

	assert(n <= 2048);
	for (i = 0; i < n; i++) {
		pieces[i].size = size;
	}
	for (i = class + 1u; i <= _FLAT_CLASS_N; i++) {
		kit.first[i] = n;
	}
	kit.memory[class] = (uint64_t)n * size;
	return link_pad_limit(&kit, class);
}

/* Pads make up what a small class lacks, large ones grow by their share, and pads have bounds. */
static void test_pad_limit(void)
{
	assert(limit_of(FLAT_TEXT, 1, 1) == 14335 && limit_of(FLAT_CONST, 1, 1) == LINK_PAD_MAX);
	assert(limit_of(FLAT_DATA, 1, 1) == 13311 && limit_of(FLAT_ZERO, 3, 4) == 7162);
	assert(limit_of(FLAT_TEXT, 999, 1600) == 199 && limit_of(FLAT_CONST, 999, 300) == 99);
	assert(limit_of(FLAT_CONST, 1999, 1) == 32 &&
	        limit_of(FLAT_ZERO, 1, 1 << 25) == LINK_PAD_MAX);
	/* A piece beyond 1024 bytes stirs the others no more than one of 1024. */
	assert(limit_of(FLAT_CONST, 9, 1024) == limit_of(FLAT_CONST, 9, 2048));
	assert(limit_of(FLAT_CONST, 9, 1024) == 2 * (23552 - 9 * 1024) / 10);
	assert(limit_of(FLAT_CONST, 9, 1023) == 2 * (23552 - 9 * 1023) / 10);
	/* The room is what spread and growth come to: one byte less of it and pads fill it. */
	assert(limit_of(FLAT_TEXT, 13, 1024) == 2 * 1024 / 14);
	assert(limit_of(FLAT_TEXT, 14, 1024) == 2 * 896 / 15);
}

/* The most that the checker lets through fits, whatever is drawn. */
static void test_largest(void)
{
	struct sample_kit kit = {.header = {.magic = FLAT_MAGIC,
	                                 .version = FLAT_VERSION,
	                                 .header_size = sizeof(struct flat_header),
	                                 .service = "large",
	                                 .recipe = LINK_RECIPE,
	                                 .n_pieces = {1000, 1000, 14384, FLAT_PIECES_MAX - 16384}}};
	struct bench b;
	uint32_t i;

	kit.pieces = calloc(FLAT_PIECES_MAX, sizeof(*kit.pieces));
	assert(kit.pieces);
	for (i = 0; i < FLAT_PIECES_MAX; i++) {
		kit.pieces[i] = (struct flat_piece){.size = 1, .align_log2 = i < 16000 ? 12 : 0};
		kit.n_bytes += i < 16384;
	}
	bench_init(&b, &kit);
	for (i = 0; i < 4; i++) {
		check(bench_place(&b, i) == LINK_OK);
		check_segments(&b);
	}
	bench_fini(&b);
	free(kit.pieces);
}

static void test_errors(void)
{
	static const uint64_t bases[] = {1, IMAGE_BASE_MIN + IMAGE_PAGE,
	        IMAGE_BASE_MIN - IMAGE_WINDOW_ALIGN, IMAGE_BASE_END, UINT64_MAX << 21};
	struct flat_header *h;
	struct link_request request;
	struct bench b;
	size_t size, i;

	bench_init_even(&b, 4, 3, 2);
	h = b.file;
	size = link_scratch_size(&b.kit);
	request = (struct link_request){.seed = b.seed, .release_id = b.release_id};
	h->recipe = LINK_RECIPE - 1;
	assert(bench_place(&b, 0) == LINK_E_RECIPE);
	h->recipe = LINK_RECIPE;
	assert(link_place(&b.kit, &request, b.scratch, size - 1, &b.layout) == LINK_E_SCRATCH);
	assert(link_place(&b.kit, &request, (char *)b.scratch + 4, size, &b.layout) ==
	        LINK_E_SCRATCH);
	for (i = 0; i < sizeof(bases) / sizeof(bases[0]); i++) {
		b.fixed_base = bases[i];
		assert(bench_place(&b, 0) == LINK_E_WINDOW);
	}
	assert(b.layout.base == 0);
	bench_fini(&b);
}

/* Two segments that lead 2 GiB past each other: one of the distances is too long. */
static void test_range(void)
{
	struct flat_piece pieces[2] = {{.size = 24, .n_relocs = 1}, {.size = 24, .n_relocs = 1}};
	struct flat_reloc relocs[2] = {
	        {FLAT_PC32 | 3, 1, INT32_MAX}, {FLAT_PC32 | 3, 0, INT32_MAX}};
	struct sample_kit kit = {.header = {.magic = FLAT_MAGIC,
	                                 .version = FLAT_VERSION,
	                                 .header_size = sizeof(struct flat_header),
	                                 .service = "range",
	                                 .recipe = LINK_RECIPE,
	                                 .n_pieces = {1, 1, 0, 0},
	                                 .n_relocs = 2},
	        .pieces = pieces,
	        .relocs = relocs,
	        .n_bytes = 48};
	uint8_t *payload;
	struct bench b;
	int i;

	for (i = 0; i < 2; i++) {
		bench_init(&b, &kit);
		check(bench_place(&b, 0) == LINK_OK);
		payload = malloc(b.layout.payload_size);
		assert(payload);
		assert(link_payload_write(&b.kit, &b.layout, payload) == LINK_E_RANGE);
		assert((link_segment_write(&b.kit, &b.layout, 0, payload) == LINK_E_RANGE) !=
		        (link_segment_write(&b.kit, &b.layout, 1, payload) == LINK_E_RANGE));
		free(payload);
		bench_fini(&b);
		relocs[0].addend = relocs[1].addend = INT32_MIN;
	}
}

static void test_error_texts(void)
{
	int e;

	for (e = 0; e < _LINK_E_N; e++) {
		assert(link_error_text(e) && link_error_text(e)[0]);
	}
	assert(link_error_text(_LINK_E_N));
}

int main(void)
{
	test_golden();
	test_pad_limit();
	test_errors();
	test_range();
	test_error_texts();
	test_fixed_base();
	test_sweep();
	test_largest();
	return 0;
}
