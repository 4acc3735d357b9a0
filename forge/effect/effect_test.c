/*
 * Kits made by hand whose figures can be worked out with a pencil: a wrong estimator, a draw that
 * is missing or one that is too narrow gives other bits.
 */
#undef NDEBUG
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forge/effect/entropy.h"
#include "forge/effect/hand.h"

/* So many that chance is about a tenth of a bit, and what is expected is told from what is near. */
#define N_LAYOUTS 16384u

struct measured {
	void *file;
	struct flat_view kit;
	struct entropy_table table;
};

static const struct entropy_room room = {.heap_limit = 1 << 20, .stack_size = 1 << 14};

static void measure(const struct hand *hand, struct measured *ret_measured)
{
	static const uint8_t release_id[LINK_RELEASE_SIZE] = {7};
	struct layouts layouts;
	size_t len;

	ret_measured->file = hand_file(hand, &len);
	assert(flat_check(ret_measured->file, len, &ret_measured->kit) == FLAT_OK);
	assert(layouts_draw(&layouts, "hand", &ret_measured->kit, release_id, N_LAYOUTS) == 0);
	entropy_measure(&layouts, &room, &ret_measured->table);
	layouts_fini(&layouts);
}

static const struct entropy_row *find(
        const struct measured *m, enum entropy_class of, enum entropy_class given)
{
	uint32_t i;

	for (i = 0; i < m->table.n; i++) {
		if (m->table.rows[i].of == of && m->table.rows[i].given == given) {
			return &m->table.rows[i];
		}
	}
	return NULL;
}

static void expect(const char *what, double value, double expected, double tolerance)
{
	if (fabs(value - expected) > tolerance) {
		fprintf(stderr, "%s: %.3f, not %.3f\n", what, value, expected);
		abort();
	}
}

/* What was measured, and what the theory says. */
static void expect_row(const struct measured *m, enum entropy_class of, enum entropy_class given,
        double bits, double tolerance)
{
	const struct entropy_row *row = find(m, of, given);

	assert(row && row->is_measured);
	expect("measured", row->mean, bits, tolerance);
	expect("theory", row->theory, bits, tolerance);
	assert(row->worst <= row->mean + 1e-9);
}

/* Pairs are counted, all of them and each once. */
static void test_estimator(void)
{
	uint32_t values[4096], i;
	bool is_bound;

	for (i = 0; i < 4096; i++) {
		values[i] = i % 1024 * 4096;
	}
	expect("1024 values", entropy_collision(values, 4096, &is_bound),
	        log2(4096 * 4095 / 2.0 / (1024 * 6)), 1e-9);
	assert(!is_bound);
	for (i = 0; i < 4096; i++) {
		values[i] = i * 77;
	}
	expect("all differ", entropy_collision(values, 4096, &is_bound), log2(4096 * 4095 / 2.0),
	        1e-9);
	assert(is_bound);
	for (i = 0; i < 4096; i++) {
		values[i] = UINT32_MAX;
	}
	expect("all alike", entropy_collision(values, 4096, &is_bound), 0, 1e-9);
	assert(!is_bound);
}

/* The chance that two sums of two numbers below x and below y agree, in bits. */
static double bits_of_sum(uint32_t x, uint32_t y)
{
	double *share = calloc(x + y, sizeof(*share)), sum = 0;
	uint32_t i, j;

	assert(share);
	for (i = 0; i < x; i++) {
		for (j = 0; j < y; j++) {
			share[i + j] += 1.0 / x / y;
		}
	}
	for (i = 0; i < x + y; i++) {
		sum += share[i] * share[i];
	}
	free(share);
	return -log2(sum);
}

/* One piece of each class: what is left is gaps, and the pads beside the pieces. */
static void test_one_each(void)
{
	static const struct hand hand = {
	        .n = {1, 1, 1, 1}, .size = {64, 64, 64, 64}, .align_log2 = {4, 0, 0, 0}};
	const double gaps = 17 - log2(2.0 / 9 + 1.0 / 27 + 1.0 / 9);
	struct measured m;

	measure(&hand, &m);
	assert(!find(&m, ENTROPY_TEXT, ENTROPY_TEXT) && !find(&m, ENTROPY_ZERO, ENTROPY_ZERO));
	expect_row(&m, ENTROPY_ZERO, ENTROPY_DATA,
	        bits_of_sum(link_pad_limit(&m.kit, FLAT_DATA), link_pad_limit(&m.kit, FLAT_ZERO)),
	        0.1);
	expect_row(&m, ENTROPY_TEXT, ENTROPY_CONST, gaps + 8, 0.2);
	expect_row(&m, ENTROPY_CONST, ENTROPY_TEXT, gaps + 12, 0.2);
	expect_row(&m, ENTROPY_DATA, ENTROPY_TEXT, gaps + 12, 0.2);
	free(m.file);
}

/* Two alike: either comes first, and one pad lies between. */
static void test_two_alike(void)
{
	static const struct hand hand = {
	        .n = {1, 2, 0, 0}, .size = {64, 100, 0, 0}, .align_log2 = {4, 0, 0, 0}};
	struct measured m;

	measure(&hand, &m);
	expect_row(&m, ENTROPY_CONST, ENTROPY_CONST, log2(2.0 * link_pad_limit(&m.kit, FLAT_CONST)),
	        0.1);
	/* Two segments: one gap between them, either comes first. */
	expect_row(&m, ENTROPY_TEXT, ENTROPY_CONST, 18 + 8, 0.2);
	assert(!find(&m, ENTROPY_DATA, ENTROPY_TEXT) && !find(&m, ENTROPY_TEXT, ENTROPY_DATA));
	free(m.file);
}

/* Many alike: each lies anywhere, and a pointer to one says little of another. */
static void test_many_alike(void)
{
	static const struct hand hand = {
	        .n = {40, 8, 0, 0}, .size = {256, 512, 0, 0}, .align_log2 = {4, 3, 0, 0}};
	const struct entropy_row *row;
	struct measured m;

	measure(&hand, &m);
	row = find(&m, ENTROPY_TEXT, ENTROPY_TEXT);
	expect("measured", row->mean, row->theory, 0.15);
	row = find(&m, ENTROPY_CONST, ENTROPY_CONST);
	expect("measured", row->mean, row->theory, 0.15);
	free(m.file);
}

/* An alignment of a page leaves nothing inside of it, and misses the aim. */
static void test_aligned(void)
{
	static const struct hand hand = {
	        .n = {1, 0, 1, 0}, .size = {64, 0, 64, 0}, .align_log2 = {4, 0, 12, 0}};
	const struct entropy_row *row;
	struct measured m;

	measure(&hand, &m);
	expect_row(&m, ENTROPY_DATA, ENTROPY_TEXT, 18, 0.2);
	row = find(&m, ENTROPY_DATA, ENTROPY_TEXT);
	assert(row->aim == ENTROPY_AIM_ACROSS && row->n_below == 1 && row->piece == 1);
	free(m.file);
}

/* The machine's own draws: by the page, the stack pointer by 16 bytes. */
static void test_machine(void)
{
	static const struct hand hand = {
	        .n = {1, 0, 0, 0}, .size = {64, 0, 0, 0}, .align_log2 = {4, 0, 0, 0}};
	struct measured m;

	measure(&hand, &m);
	expect("heap", find(&m, ENTROPY_HEAP, ENTROPY_TEXT)->theory, 35, 0.01);
	expect("stack", find(&m, ENTROPY_STACK, ENTROPY_GATE)->theory, 42, 0.01);
	expect("text", find(&m, ENTROPY_TEXT, ENTROPY_STACK)->theory, 43, 0.01);
	assert(find(&m, ENTROPY_STACK, ENTROPY_STACK)->theory == 0);
	assert(!find(&m, ENTROPY_STACK, ENTROPY_TEXT)->is_measured);
	free(m.file);
}

/* More than fits is refused, not attempted. */
static void test_too_many(void)
{
	static const struct hand hand = {
	        .n = {64, 0, 0, 0}, .size = {64, 0, 0, 0}, .align_log2 = {4, 0, 0, 0}};
	static const uint8_t release_id[LINK_RELEASE_SIZE];
	struct layouts layouts;
	struct flat_view kit;
	size_t len;
	void *file = hand_file(&hand, &len);

	assert(flat_check(file, len, &kit) == FLAT_OK);
	assert(layouts_draw(&layouts, "hand", &kit, release_id, UINT32_MAX) < 0);
	free(file);
}

int main(void)
{
	test_estimator();
	test_one_each();
	test_two_alike();
	test_many_alike();
	test_aligned();
	test_machine();
	test_too_many();
	return 0;
}
