/* A layout is a permutation of everything, apart by at least a byte, from the seed alone. */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "forge/base/names.h"
#include "forge/layout/layout.h"
#include "proto/image/image.h"

#define N_NAMES 200

static const uint8_t seed_a[DRAW_SEED_SIZE] = {1};
static const uint8_t seed_b[DRAW_SEED_SIZE] = {2};

static struct order sample_order(void)
{
	struct order o = {0};
	size_t i;
	int c;

	o.text = mem_zalloc(_ORDER_CLASS_N * N_NAMES, 16);
	for (c = 0; c < _ORDER_CLASS_N; c++) {
		for (i = 0; i < N_NAMES; i++) {
			char *name = o.text + ((size_t)c * N_NAMES + i) * 16;

			(void)snprintf(name, 16, "s%d.%zu", c, i);
			MEM_PUSH(o.names[c], o.n[c], o.capacity[c]);
			o.names[c][o.n[c]++] = name;
		}
	}
	return o;
}

static struct layout sample_layout(const uint8_t *seed, uint64_t base)
{
	struct order order = sample_order();
	struct layout layout;

	assert(layout_draw(&layout, &order, seed, base) == 0);
	order_fini(&order);
	return layout;
}

static bool layout_is_same(const struct layout *a, const struct layout *b)
{
	return a->base == b->base &&
	       memcmp(a->gap_pages, b->gap_pages, sizeof(a->gap_pages)) == 0 &&
	       a->order_file.len == b->order_file.len &&
	       memcmp(a->order_file.bytes, b->order_file.bytes, a->order_file.len) == 0 &&
	       a->pads.n == b->pads.n &&
	       memcmp(a->pads.items, b->pads.items, a->pads.n * sizeof(*a->pads.items)) == 0;
}

static void test_seed_decides(void)
{
	struct layout a = sample_layout(seed_a, 0), again = sample_layout(seed_a, 0);
	struct layout b = sample_layout(seed_b, 0);

	assert(layout_is_same(&a, &again));
	assert(!layout_is_same(&a, &b));
	assert(a.base != b.base);
	assert(a.base % IMAGE_WINDOW_ALIGN == 0 && a.base >= IMAGE_BASE_MIN);
	assert(a.base < IMAGE_BASE_END);
	layout_fini(&a);
	layout_fini(&again);
	layout_fini(&b);
}

static void test_fixed_base_changes_nothing_else(void)
{
	struct layout a = sample_layout(seed_a, 0);
	struct layout b = sample_layout(seed_a, IMAGE_BASE_MIN + IMAGE_WINDOW_ALIGN);

	assert(b.base == IMAGE_BASE_MIN + IMAGE_WINDOW_ALIGN);
	b.base = a.base;
	assert(layout_is_same(&a, &b));
	layout_fini(&a);
	layout_fini(&b);
}

/* Each name once, a pad before, between and after names of a class. */
static void test_order_file(void)
{
	struct layout a = sample_layout(seed_a, 0);
	char *next = (char *)a.order_file.bytes, *line;
	size_t n_names = 0, n_pads = 0, i;
	struct names seen = {0};
	bool pad, before = false;

	while ((line = strsep(&next, "\n")) && *line) {
		pad = strncmp(line, "lupad.", 6) == 0;
		assert(names_add(&seen, line, 0));
		assert(pad || before);
		n_pads += pad;
		n_names += !pad;
		before = pad;
	}
	assert(before);
	assert(n_names == _ORDER_CLASS_N * N_NAMES);
	assert(n_pads == _ORDER_CLASS_N * (N_NAMES + 1) && n_pads == a.pads.n);
	for (i = 0; i < a.pads.n; i++) {
		assert(a.pads.items[i].size >= 1 && a.pads.items[i].size <= 64);
	}
	names_fini(&seen);
	layout_fini(&a);
}

/* Over many seeds every segment order and a spread of bases come up. */
static void test_spread(void)
{
	unsigned int orders[27] = {0}, n = 0, high = 0, i;
	uint8_t seed[DRAW_SEED_SIZE] = {0};
	struct order none = {0};
	struct layout l;

	for (i = 0; i < 300; i++) {
		seed[0] = (uint8_t)i;
		seed[1] = (uint8_t)(i >> 8);
		assert(layout_draw(&l, &none, seed, 0) == 0);
		orders[l.order[0] * 9 + l.order[1] * 3 + l.order[2]]++;
		high += l.base >= UINT64_C(1) << 46;
		layout_fini(&l);
	}
	for (i = 0; i < 27; i++) {
		n += orders[i] != 0;
	}
	assert(n == 6);
	assert(high > 100 && high < 200);
}

static void test_pads_object(void)
{
	struct layout a = sample_layout(seed_a, 0);
	struct buf object = {0};
	struct elf_file elf;
	size_t i, n = 0;

	pad_list_write(&a.pads, &object);
	assert(elf_file_init(&elf, "pads", &object) == 0);
	assert(elf.n_sections == a.pads.n + 3);
	for (i = 0; i < elf.n_symbols; i++) {
		const struct elf_section *s = elf_symbol_section(&elf, &elf.symbols[i]);

		assert(s && s->size == a.pads.items[n].size);
		assert(!s->bytes || s->bytes[0] == (s->flags & SHF_EXECINSTR ? 0xcc : 0));
		n++;
	}
	assert(n == a.pads.n);
	elf_file_fini(&elf);
	layout_fini(&a);
}

int main(void)
{
	test_seed_decides();
	test_fixed_base_changes_nothing_else();
	test_order_file();
	test_spread();
	test_pads_object();
	return 0;
}
