#undef NDEBUG
#include "osd/servers/rs/memory/span.h"

#include <assert.h>
#include <stdlib.h>

#include "osd/abi/errors.h"

static uint64_t word(void)
{
	static uint64_t x = 88172645463325252ull;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static void test_add(void)
{
	struct span_set set;

	span_set_init(&set);
	assert(span_set_add(&set, 0x12345000, 0) == E_INVAL);
	assert(span_set_add(&set, SPAN_END - PAGE_SIZE, 2 * PAGE_SIZE) == E_INVAL);
	assert(span_set_add(&set, SPAN_END, UINT64_MAX) == E_INVAL);
	assert(span_set_add(&set, SPAN_LOW + SPAN_ALIGN + PAGE_SIZE, PAGE_SIZE) == E_OK);
	assert(span_set_hits(&set, SPAN_LOW + SPAN_ALIGN, PAGE_SIZE));
	assert(span_set_hits(&set, SPAN_LOW + 2 * SPAN_ALIGN - PAGE_SIZE, PAGE_SIZE));
	assert(!span_set_hits(&set, SPAN_LOW, SPAN_ALIGN));
	assert(!span_set_hits(&set, SPAN_LOW + 2 * SPAN_ALIGN, SPAN_ALIGN));
	assert(span_set_hits(&set, SPAN_LOW, SPAN_ALIGN + PAGE_SIZE));
	while (set.n < SPAN_SET_MAX) {
		assert(span_set_add(&set, SPAN_LOW, PAGE_SIZE) == E_OK);
	}
	assert(span_set_add(&set, SPAN_LOW, PAGE_SIZE) == E_FULL);
}

/* Everything that is drawn is page aligned, in range, apart from what was taken, and has a guard on
 * both sides. */
static void test_draw(void)
{
	uint64_t random[SPAN_TRIES];
	struct span_set set;
	vaddr_t base;

	span_set_init(&set);
	while (set.n < SPAN_SET_MAX) {
		struct span_set before = set;
		uint64_t bytes = (word() % 4096 + 1) * PAGE_SIZE;

		for (int i = 0; i < SPAN_TRIES; i++) {
			random[i] = word();
		}
		assert(span_set_draw(&set, bytes, random, &base) == E_OK);
		assert(base % PAGE_SIZE == 0 && base >= SPAN_LOW && base + bytes <= SPAN_END);
		assert(!span_set_hits(&before, base - SPAN_ALIGN, bytes + 2 * SPAN_ALIGN));
		assert(span_set_hits(&set, base, bytes));
	}
}

static void test_draw_refused(void)
{
	uint64_t random[SPAN_TRIES] = {0};
	struct span_set set;
	vaddr_t base = 77;

	span_set_init(&set);
	assert(span_set_draw(&set, 0, random, &base) == E_INVAL);
	assert(span_set_draw(&set, SPAN_END, random, &base) == E_INVAL);
	assert(span_set_add(&set, SPAN_LOW, UINT64_C(1) << 46) == E_OK);
	assert(span_set_draw(&set, PAGE_SIZE, random, &base) == E_AGAIN);
	span_set_init(&set);
	assert(span_set_add(&set, SPAN_LOW + 2 * SPAN_ALIGN, PAGE_SIZE) == E_OK);
	assert(span_set_draw(&set, PAGE_SIZE, random, &base) == E_AGAIN); /* too near */
	assert(base == 77);
}

/* The largest span still fits, and the highest place is inside the address space. */
static void test_draw_edges(void)
{
	uint64_t random[SPAN_TRIES];
	struct span_set set;
	vaddr_t base;

	for (int i = 0; i < SPAN_TRIES; i++) {
		random[i] = UINT64_MAX;
	}
	span_set_init(&set);
	assert(span_set_draw(&set, SPAN_END - SPAN_LOW - 3 * SPAN_ALIGN, random, &base) == E_OK);
	for (uint64_t r = 0; r < 4096; r++) {
		random[0] = r | UINT64_C(511) << 55;
		span_set_init(&set);
		assert(span_set_draw(&set, PAGE_SIZE, random, &base) == E_OK);
	}
}

int main(void)
{
	test_add();
	test_draw();
	test_draw_refused();
	test_draw_edges();
	return EXIT_SUCCESS;
}
