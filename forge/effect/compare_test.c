/*
 * Code whose gadgets can be counted by hand, and pairs of layouts of which it is known what they
 * have in common.
 */
#undef NDEBUG
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forge/base/mem.h"
#include "forge/effect/compare.h"
#include "forge/effect/gadget.h"
#include "forge/effect/hand.h"
#include "forge/effect/layouts.h"
#include "forge/effect/locate.h"
#include "proto/image/flat_sample.h"

static const uint8_t release_id[LINK_RELEASE_SIZE] = {3};

static void test_gadgets(void)
{
	static const struct {
		const char *code;
		uint8_t size;
		uint8_t lengths[8];
		uint32_t calls;
	} rows[] = {
	        {"\x58\xc3", 2, {2, 1}, 0},        /* pop; ret */
	        {"\xff\xe0", 2, {2, 0}, 0},        /* jmp *rax */
	        {"\x41\xff\xd0", 3, {3, 2, 0}, 1}, /* call *r8; call *rax */
	        {"\xeb\x00\xc3", 3, {0, 0, 1}, 0}, /* a direct jump ends it */
	        {"\xe8\x00\x00\x00\x00\xc3", 6, {0, 5, 0, 3, 0, 1},
	                1}, /* so does a call; add in it */
	        {"\x58\x58\x58\x58\x58\xc3", 6, {0, 6 - 1, 4, 3, 2, 1}, 0}, /* five, not six */
	        {"\xcd\x80\xc3", 3, {0, 0, 1}, 0},                          /* an interrupt */
	        {"\x0f\x05\xc3", 3, {0, 0, 1}, 0},                          /* a system call */
	        {"\x58\x58", 2, {0, 0}, 0},                                 /* nothing ends it */
	};
	struct gadget_reader *reader;
	uint8_t lengths[8];
	uint32_t calls;
	size_t i;

	assert(gadget_reader_new(&reader) == 0);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		gadget_scan(reader, (const uint8_t *)rows[i].code, rows[i].size, lengths, &calls);
		if (memcmp(lengths, rows[i].lengths, rows[i].size) != 0 || calls != rows[i].calls) {
			fprintf(stderr, "code %zu: %u %u %u, %u calls\n", i, lengths[0], lengths[1],
			        lengths[2], calls);
			abort();
		}
	}
	assert(gadget_reader_free(reader) == NULL);
}

/* A layout with its payload; base 0: drawn. */
struct side {
	uint64_t *scratch;
	struct link_layout layout;
	struct buf payload;
	struct compare_side side;
};

static void side_make(struct side *s, const struct flat_view *kit, uint32_t seed, uint64_t base)
{
	uint8_t bytes[LINK_SEED_SIZE];
	const struct link_request q = {.seed = bytes, .release_id = release_id, .fixed_base = base};
	const size_t size = link_scratch_size(kit);

	*s = (struct side){.scratch = mem_zalloc(size / 8 + 1, 8), .side.where = "side"};
	layouts_seed(seed, bytes);
	assert(link_place(kit, &q, s->scratch, size, &s->layout) == LINK_OK);
	buf_add_zero(&s->payload, s->layout.payload_size);
	assert(link_payload_write(kit, &s->layout, s->payload.bytes) == LINK_OK);
	assert(image_check(s->payload.bytes, s->payload.len, &s->side.payload) == IMAGE_OK);
}

static void side_fini(struct side *s)
{
	buf_fini(&s->payload);
	free(s->scratch);
}

/* A byte of the piece at the entry that is in no field: whichever is changed, it is noticed. */
static void check_changed(const struct flat_view *kit, const struct side *s)
{
	const uint32_t piece = kit->header->entry_piece, size = kit->pieces[piece].size;
	uint8_t *bytes = (uint8_t *)(uintptr_t)locate_bytes(
	        &s->side.payload, s->layout.address[piece], size);
	const struct flat_reloc *reloc = kit->relocs, *end;
	uint64_t addresses[128];
	uint32_t i, n = 0;

	for (i = 0; i < piece; i++) {
		reloc += kit->pieces[i].n_relocs;
	}
	end = reloc + kit->pieces[piece].n_relocs;
	for (i = 0; i < size; i++) {
		if (reloc < end && i == flat_reloc_offset(reloc)) {
			i += flat_reloc_size(reloc++) - 1;
			continue;
		}
		bytes[i] ^= 0x10;
		assert(locate_pieces("changed", kit, &s->side.payload, addresses) < 0);
		bytes[i] ^= 0x10;
		n++;
	}
	assert(n > 1 && n < size);
	assert(locate_pieces("side", kit, &s->side.payload, addresses) == 0);
}

/* Every address that is found is the linker's, and what nothing leads to is left out. */
static void test_locate(void)
{
	static const struct sample_size size = {
	        .pieces = {30, 30, 30, 10}, .bytes = 200, .relocs = 6, .symbols = 4};
	uint64_t state = 11, addresses[128];
	struct sample_kit sample = sample_draw(&state, &size);
	struct flat_view kit;
	struct side s;
	size_t len;
	void *file = sample_file(&sample, &len);
	uint32_t i, n = 0;

	assert(flat_check(file, len, &kit) == FLAT_OK);
	side_make(&s, &kit, 1, 0);
	assert(kit.n_pieces <= 128);
	assert(locate_pieces("side", &kit, &s.side.payload, addresses) == 0);
	for (i = 0; i < kit.n_pieces; i++) {
		assert(addresses[i] == 0 || addresses[i] == s.layout.address[i]);
		n += addresses[i] != 0;
	}
	assert(n > kit.n_pieces / 2);
	check_changed(&kit, &s);
	side_fini(&s);
	free(file);
	sample_fini(&sample);
}

/* The one piece is `pop; ret`. */
static void compare_two(uint32_t first, uint32_t second, uint64_t base_first, uint64_t base_second,
        struct compare_result *ret_result)
{
	static const struct hand hand = {.n = {1, 0, 0, 0}, .size = {2, 0, 0, 0}};
	struct flat_view kit;
	struct side a, b;
	size_t len;
	uint8_t *file = hand_file(&hand, &len);

	memcpy(file + len - 2, "\x58\xc3", 2);
	assert(flat_check(file, len, &kit) == FLAT_OK);
	side_make(&a, &kit, first, base_first);
	side_make(&b, &kit, second, base_second);
	const struct compare_side sides[2] = {a.side, b.side};

	assert(compare_sides(&kit, sides, ret_result) == 0);
	side_fini(&a);
	side_fini(&b);
	free(file);
}

static void test_alone(void)
{
	struct compare_result c;

	compare_two(1, 1, 0, 0, &c);
	assert(c.pieces == 1 && c.kept_address == 1 && c.kept_base == 1 && c.gadgets == 2);
	assert(c.same_bytes == 2 && c.known_none == 100 && c.known_mean == 100);
	compare_two(1, 2, 0, 0, &c);
	assert(c.kept_address == 0 && c.kept_base == 0 && c.known_none == 0);
	assert(c.known_mean == 100 && c.known_worst == 100 && c.worst_piece == 0);
}

/*
 * Ten functions that the first one calls, each a pop and a return: two gadgets each, and one where
 * the first returns. In the layouts of these seeds no distance of a call adds another.
 */
static void test_several(uint32_t first, uint32_t second)
{
	struct flat_piece pieces[11] = {{.size = 51, .n_relocs = 10, .align_log2 = 4}};
	struct flat_reloc relocs[10];
	struct sample_kit sample = {.header = {.magic = FLAT_MAGIC,
	                                    .version = FLAT_VERSION,
	                                    .header_size = sizeof(struct flat_header),
	                                    .service = "several",
	                                    .recipe = LINK_RECIPE,
	                                    .n_pieces = {11},
	                                    .n_relocs = 10},
	        .pieces = pieces,
	        .relocs = relocs,
	        .n_bytes = 51 + 10 * 2};
	struct compare_result c;
	struct flat_view kit;
	struct side a, b;
	size_t len;
	uint8_t *file, *code;
	uint32_t i;

	for (i = 0; i < 10; i++) {
		pieces[1 + i] = (struct flat_piece){.size = 2, .align_log2 = 4};
		relocs[i] = (struct flat_reloc){.where = 5 * i + 1, .target = 1 + i, .addend = -4};
	}
	file = sample_file(&sample, &len);
	code = file + len - sample.n_bytes;
	for (i = 0; i < 10; i++) {
		memcpy(code + 5 * i, "\xe8\x00\x00\x00\x00", 5);
		memcpy(code + 51 + 2 * i, "\x58\xc3", 2);
	}
	code[50] = 0xc3;
	assert(flat_check(file, len, &kit) == FLAT_OK);
	/* Of one seed with two bases: everything keeps its distance. */
	side_make(&a, &kit, first, UINT64_C(0x200000000));
	side_make(&b, &kit, second, UINT64_C(0x400000000));
	const struct compare_side sides[2] = {a.side, b.side};

	assert(compare_sides(&kit, sides, &c) == 0);
	assert(c.pieces == 11 && c.unplaced == 0 && c.kept_address == 0 && c.returns == 10);
	assert(c.returns_address == 0 && c.known_none == 0 && c.gadgets == 21);
	if (first == second) {
		assert(c.kept_base == 11 && c.kept_before == 10 && c.returns_base == 10);
		assert(c.same_bytes == c.gadgets && fabs(c.known_mean - 100) < 1e-9);
	} else {
		assert(c.kept_base == 0 && c.kept_before == 0 && c.returns_base == 0);
		/* In this pair no two moved equally far: each knows its own only. */
		assert(fabs(c.known_mean - 100.0 / 11) < 1e-9);
		assert(fabs(c.known_worst - 100.0 * 2 / 21) < 1e-9 && c.worst_piece > 0);
	}
	side_fini(&a);
	side_fini(&b);
	free(file);
}

int main(void)
{
	test_gadgets();
	test_locate();
	test_alone();
	test_several(6, 6);
	test_several(6, 7);
	return 0;
}
