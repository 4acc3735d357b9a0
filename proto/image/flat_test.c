/* A well-formed kit passes; each way of damaging it has its own answer. */
#undef NDEBUG
#include <assert.h>
#include <stdalign.h>
#include <stdio.h>
#include <string.h>

#include "proto/image/flat.h"

enum { TEXT_0, TEXT_1, CONST_0, DATA_0, ZERO_0, N_PIECES };

struct sample {
	alignas(8) struct flat_header header;
	struct flat_piece pieces[N_PIECES];
	struct flat_reloc relocs[4];
	struct flat_symbol symbols[4];
	char bytes[16 + 8 + 24 + 5];
};

static const struct sample sample_good = {
        .header = {.magic = FLAT_MAGIC,
                .version = FLAT_VERSION,
                .header_size = sizeof(struct flat_header),
                .service = "ds",
                .recipe = 2,
                .n_pieces = {2, 1, 1, 1},
                .n_relocs = 4,
                .n_symbols = 4,
                .entry_piece = TEXT_1,
                .entry_offset = 7},
        .pieces = {[TEXT_0] = {.size = 16, .n_relocs = 2, .align_log2 = 4},
                [TEXT_1] = {.size = 8},
                [CONST_0] = {.size = 24, .n_relocs = 2, .align_log2 = 12},
                [DATA_0] = {.size = 5},
                [ZERO_0] = {.size = 32, .align_log2 = 3}},
        .relocs = {{FLAT_PC32 | 1, CONST_0, -4}, {FLAT_PC32 | 12, ZERO_0, INT32_MAX},
                {FLAT_ABS64 | 8, TEXT_0, INT32_MIN}, {FLAT_ABS64 | 16, DATA_0, 0}},
        .symbols = {{TEXT_0, 0}, {FLAT_NO_PIECE, 0}, {ZERO_0, 32}, {DATA_0, 5}},
};

static size_t sample_len(void)
{
	return offsetof(struct sample, bytes) + sizeof(((struct sample *)0)->bytes);
}

static struct sample sample_exact(void)
{
	struct sample s = sample_good;

	/* Nothing that could pass for an entry of the table in front. */
	memset(s.bytes, 0xff, sizeof(s.bytes));
	s.header.total_size = sample_len();
	return s;
}

static void break_magic(struct sample *s)
{
	s->header.magic[7] = 'x';
}
static void break_version(struct sample *s)
{
	s->header.version++;
}
static void break_header_size(struct sample *s)
{
	s->header.header_size++;
}
static void break_total(struct sample *s)
{
	s->header.total_size++;
}
static void break_total_less(struct sample *s)
{
	s->header.total_size--;
}
static void break_name_empty(struct sample *s)
{
	s->header.service[0] = 0;
}
static void break_name_upper(struct sample *s)
{
	s->header.service[0] = 'D';
}
static void break_name_tail(struct sample *s)
{
	s->header.service[23] = 'd';
}
static void break_reserved_first(struct sample *s)
{
	s->header.reserved[0] = 1;
}
static void break_reserved_last(struct sample *s)
{
	s->header.reserved[2] = 1u << 31;
}
static void break_no_text(struct sample *s)
{
	s->header.n_pieces[FLAT_TEXT] = 0;
}
static void break_pieces(struct sample *s)
{
	s->header.n_pieces[FLAT_TEXT] = FLAT_PIECES_MAX + 1;
}
static void break_pieces_sum(struct sample *s)
{
	s->header.n_pieces[FLAT_TEXT] = FLAT_PIECES_MAX;
}
static void break_pieces_wrap(struct sample *s)
{
	s->header.n_pieces[FLAT_ZERO] = UINT32_MAX - 2;
}
static void break_many_relocs(struct sample *s)
{
	s->header.n_relocs = FLAT_RELOCS_MAX + 1;
}
static void break_many_symbols(struct sample *s)
{
	s->header.n_symbols = UINT32_MAX;
}
static void break_tables_pieces(struct sample *s)
{
	s->header.n_pieces[FLAT_DATA] = FLAT_PIECES_MAX - 5;
}
static void break_tables_relocs(struct sample *s)
{
	s->header.n_relocs = FLAT_RELOCS_MAX;
}
static void break_tables_symbols(struct sample *s)
{
	s->header.n_symbols = IMAGE_SYMBOLS_MAX;
}
static void break_bytes_more(struct sample *s)
{
	s->pieces[TEXT_1].size++;
}
static void break_bytes_less(struct sample *s)
{
	s->pieces[DATA_0].size--;
}
static void break_bytes_zeroed(struct sample *s)
{
	s->header.n_pieces[FLAT_DATA] = 0;
	s->header.n_pieces[FLAT_ZERO] = 2;
}
static void break_size_none(struct sample *s)
{
	s->pieces[DATA_0].size = 0;
}
static void break_align(struct sample *s)
{
	s->pieces[DATA_0].align_log2 = FLAT_ALIGN_LOG2_MAX + 1;
}
static void break_align_far(struct sample *s)
{
	s->pieces[DATA_0].align_log2 = 255;
}
static void break_zero_relocs(struct sample *s)
{
	s->pieces[CONST_0].n_relocs = 1;
	s->pieces[ZERO_0].n_relocs = 1;
}
static void break_piece_reserved(struct sample *s)
{
	s->pieces[ZERO_0].reserved = 1;
}
static void break_memory_one(struct sample *s)
{
	s->pieces[ZERO_0].size = UINT32_MAX;
}
/* What the other pieces take at most: 16 + 15, 8, 24 + 4095, 5. */
static void break_memory_sum(struct sample *s)
{
	s->pieces[ZERO_0].size = FLAT_MEMORY_MAX - (16 + 15 + 8 + 24 + 4095 + 5) - 7 + 1;
}
static void break_memory_align(struct sample *s)
{
	s->pieces[ZERO_0].size = FLAT_MEMORY_MAX - (16 + 15 + 8 + 24 + 4095 + 5) - 7;
	s->pieces[ZERO_0].align_log2 = 4;
}
static void break_relocs_more(struct sample *s)
{
	s->pieces[DATA_0].n_relocs = UINT16_MAX;
}
static void break_relocs_less(struct sample *s)
{
	s->pieces[CONST_0].n_relocs = 1;
}
static void break_reloc_end(struct sample *s)
{
	s->relocs[1].where = FLAT_PC32 | 13;
}
static void break_reloc_end_abs(struct sample *s)
{
	s->relocs[3].where = FLAT_ABS64 | 17;
}
static void break_reloc_behind(struct sample *s)
{
	s->relocs[3].where = FLAT_ABS64 | 25;
}
static void break_reloc_far(struct sample *s)
{
	s->relocs[1].where = FLAT_PC32 | FLAT_WHERE_MASK;
}
/* A piece of five bytes with a field of eight. */
static void break_reloc_wide(struct sample *s)
{
	s->pieces[CONST_0].n_relocs = 1;
	s->pieces[DATA_0].n_relocs = 1;
	s->relocs[3].where = FLAT_ABS64 | 0;
}
static void break_reloc_overlap(struct sample *s)
{
	s->relocs[1].where = FLAT_PC32 | 4;
}
static void break_reloc_overlap_abs(struct sample *s)
{
	s->relocs[3].where = FLAT_ABS64 | 15;
}
static void break_reloc_twice(struct sample *s)
{
	s->relocs[1].where = s->relocs[0].where;
}
static void break_reloc_falls(struct sample *s)
{
	s->relocs[3].where = FLAT_ABS64 | 0;
}
static void break_target(struct sample *s)
{
	s->relocs[3].target = N_PIECES;
}
static void break_symbol_piece(struct sample *s)
{
	s->symbols[3].piece = N_PIECES;
}
static void break_symbol_offset(struct sample *s)
{
	s->symbols[3].offset = 6;
}
static void break_symbol_none(struct sample *s)
{
	s->symbols[1].offset = 1;
}
static void break_entry_class(struct sample *s)
{
	s->header.entry_piece = CONST_0;
}
static void break_entry_none(struct sample *s)
{
	s->header.entry_piece = FLAT_NO_PIECE;
}
static void break_entry_offset(struct sample *s)
{
	s->header.entry_offset = 8;
}

static const struct {
	void (*damage)(struct sample *);
	enum flat_error want;
} flat_cases[] = {
        {break_magic, FLAT_E_MAGIC},
        {break_version, FLAT_E_VERSION},
        {break_header_size, FLAT_E_VERSION},
        {break_total, FLAT_E_SHORT},
        {break_total_less, FLAT_E_SHORT},
        {break_name_empty, FLAT_E_NAME},
        {break_name_upper, FLAT_E_NAME},
        {break_name_tail, FLAT_E_NAME},
        {break_reserved_first, FLAT_E_RESERVED},
        {break_reserved_last, FLAT_E_RESERVED},
        {break_no_text, FLAT_E_COUNT},
        {break_pieces, FLAT_E_COUNT},
        {break_pieces_sum, FLAT_E_COUNT},
        {break_pieces_wrap, FLAT_E_COUNT},
        {break_many_relocs, FLAT_E_COUNT},
        {break_many_symbols, FLAT_E_COUNT},
        {break_tables_pieces, FLAT_E_SHORT},
        {break_tables_relocs, FLAT_E_SHORT},
        {break_tables_symbols, FLAT_E_SHORT},
        {break_bytes_more, FLAT_E_SHORT},
        {break_bytes_less, FLAT_E_SHORT},
        {break_bytes_zeroed, FLAT_E_SHORT},
        {break_size_none, FLAT_E_PIECE},
        {break_align, FLAT_E_PIECE},
        {break_align_far, FLAT_E_PIECE},
        {break_zero_relocs, FLAT_E_PIECE},
        {break_piece_reserved, FLAT_E_RESERVED},
        {break_memory_one, FLAT_E_MEMORY},
        {break_memory_sum, FLAT_E_MEMORY},
        {break_memory_align, FLAT_E_MEMORY},
        {break_relocs_more, FLAT_E_RELOC},
        {break_relocs_less, FLAT_E_RELOC},
        {break_reloc_end, FLAT_E_RELOC},
        {break_reloc_end_abs, FLAT_E_RELOC},
        {break_reloc_behind, FLAT_E_RELOC},
        {break_reloc_far, FLAT_E_RELOC},
        {break_reloc_wide, FLAT_E_RELOC},
        {break_reloc_overlap, FLAT_E_RELOC},
        {break_reloc_overlap_abs, FLAT_E_RELOC},
        {break_reloc_twice, FLAT_E_RELOC},
        {break_reloc_falls, FLAT_E_RELOC},
        {break_target, FLAT_E_TARGET},
        {break_symbol_piece, FLAT_E_TARGET},
        {break_symbol_offset, FLAT_E_TARGET},
        {break_symbol_none, FLAT_E_TARGET},
        {break_entry_class, FLAT_E_ENTRY},
        {break_entry_none, FLAT_E_ENTRY},
        {break_entry_offset, FLAT_E_ENTRY},
};

static void test_good(void)
{
	static const uint64_t memory[_FLAT_CLASS_N] = {24, 24, 5, 32};
	static const uint32_t first[_FLAT_CLASS_N + 1] = {
	        TEXT_0, CONST_0, DATA_0, ZERO_0, N_PIECES};
	static const uint32_t first_reloc[_FLAT_CLASS_N] = {0, 2, 4, 4};
	struct sample s = sample_exact();
	struct flat_view v;

	assert(flat_check(&s, sample_len(), &v) == FLAT_OK);
	assert(v.header == &s.header && v.pieces == s.pieces && v.relocs == s.relocs);
	assert(v.symbols == s.symbols && v.bytes == (const uint8_t *)s.bytes);
	assert(v.n_pieces == N_PIECES);
	assert(memcmp(v.memory, memory, sizeof(memory)) == 0);
	assert(memcmp(v.first, first, sizeof(first)) == 0);
	assert(memcmp(v.first_reloc, first_reloc, sizeof(first_reloc)) == 0);
	assert(flat_class_of(&v, TEXT_1) == FLAT_TEXT && flat_class_of(&v, CONST_0) == FLAT_CONST);
	assert(flat_class_of(&v, DATA_0) == FLAT_DATA && flat_class_of(&v, ZERO_0) == FLAT_ZERO);
	s.header.n_pieces[FLAT_CONST] = 0;
	s.header.n_pieces[FLAT_DATA] = 2;
	assert(flat_check(&s, sample_len(), &v) == FLAT_OK);
	assert(flat_class_of(&v, CONST_0) == FLAT_DATA);
}

/* As much as there may be. */
static void test_good_limits(void)
{
	struct sample s = sample_exact();
	struct flat_view v;

	break_memory_align(&s);
	s.pieces[ZERO_0].align_log2 = 3;
	assert(flat_check(&s, sample_len(), &v) == FLAT_OK);
}

static void test_bad(void)
{
	size_t i;

	for (i = 0; i < sizeof(flat_cases) / sizeof(flat_cases[0]); i++) {
		struct sample s = sample_exact();
		struct flat_view v = {0};
		enum flat_error r;

		flat_cases[i].damage(&s);
		r = flat_check(&s, sample_len(), &v);
		if (r != flat_cases[i].want) {
			printf("case %zu: %s, not %s\n", i, flat_error_text(r),
			        flat_error_text(flat_cases[i].want));
		}
		assert(r == flat_cases[i].want);
		assert(v.header == NULL);
	}
}

/* Cut anywhere, also where the header admits it. */
static void test_buffer(void)
{
	alignas(8) char room[sizeof(struct sample) + 8];
	struct sample s = sample_exact();
	struct flat_view v;
	size_t len;

	memcpy(room + 4, &s, sizeof(s));
	assert(flat_check(room + 4, sample_len(), &v) == FLAT_E_ALIGN);
	for (len = 0; len < sample_len(); len++) {
		assert(flat_check(&s, len, &v) == FLAT_E_SHORT);
	}
	for (len = sizeof(s.header); len < sample_len(); len++) {
		s.header.total_size = len;
		assert(flat_check(&s, len, &v) == FLAT_E_SHORT);
	}
}

static void test_error_texts(void)
{
	int e;

	for (e = 0; e < _FLAT_E_N; e++) {
		assert(flat_error_text(e) && flat_error_text(e)[0]);
	}
	assert(flat_error_text(_FLAT_E_N));
}

int main(void)
{
	test_good();
	test_good_limits();
	test_bad();
	test_buffer();
	test_error_texts();
	return 0;
}
