/*
 * How layouts are drawn: every choice evenly, one bit of what goes into the key changes all of them,
 * and no two choices of one layout have to do with each other.
 */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "proto/image/link_bench.h"

/* Pearson's statistic of counts that should be even. */
static double even_chi(const uint32_t *counts, uint32_t n)
{
	double sum = 0, chi = 0;
	uint32_t i;

	for (i = 0; i < n; i++) {
		sum += counts[i];
	}
	for (i = 0; i < n; i++) {
		chi += (counts[i] - sum / n) * (counts[i] - sum / n) / (sum / n);
	}
	return chi;
}

/* How often each result came, in sixteenths of its range; orders of three things. */
struct counts {
	uint32_t base[16], gap[_LINK_SEGMENT_N][16], pad[3][4][16];
	uint32_t segments[6], order[3][6];
};

static void count(struct counts *n, const struct bench *b)
{
	static const uint8_t permutation[9] = {[0 * 3 + 1] = 0,
	        [0 * 3 + 2] = 1,
	        [1 * 3 + 0] = 2,
	        [1 * 3 + 2] = 3,
	        [2 * 3 + 0] = 4,
	        [2 * 3 + 1] = 5};
	const uint64_t span = IMAGE_BASE_END - IMAGE_BASE_MIN;
	const struct link_layout *l = &b->layout;
	uint64_t at = l->base;
	uint32_t i, k;

	n->base[(l->base - IMAGE_BASE_MIN) / (span / 16 + 1)]++;
	n->segments[permutation[l->kind[0] * 3 + l->kind[1]]]++;
	for (i = 0; i < 3; i++) {
		n->gap[i][(l->segment[i].vaddr - at) / IMAGE_PAGE * 16 / LINK_GAP_PAGES]++;
		at = l->segment[i].vaddr + l->segment[i].mem_size;
		n->order[i][permutation[l->order[3 * i] % 3 * 3 + l->order[3 * i + 1] % 3]]++;
		for (k = 0; k < 4; k++) {
			n->pad[i][k][(l->pad[4 * i + k] - 1) * UINT64_C(16) /
			             link_pad_limit(&b->kit, (enum flat_class)i)]++;
		}
	}
}

/*
 * Of fixed seeds, so it always passes or always fails. The bounds are those that one even
 * source in 10,000 exceeds: for 15 degrees of freedom 44.3, for 5 degrees 25.7.
 */
#define EVEN_CHI_16 44.3
#define EVEN_CHI_6 25.7
static void test_even(void)
{
	struct counts n = {0};
	struct bench b;
	uint64_t seed;
	uint32_t i, k;

	bench_init_even(&b, 3, 3, 3);
	for (seed = 0; seed < 20000; seed++) {
		check(bench_place(&b, seed) == LINK_OK);
		count(&n, &b);
	}
	check(even_chi(n.base, 16) < EVEN_CHI_16 && even_chi(n.segments, 6) < EVEN_CHI_6);
	for (i = 0; i < 3; i++) {
		check(even_chi(n.gap[i], 16) < EVEN_CHI_16 && even_chi(n.order[i], 6) < EVEN_CHI_6);
		for (k = 0; k < 4; k++) {
			check(even_chi(n.pad[i][k], 16) < EVEN_CHI_16);
		}
	}
	bench_fini(&b);
}

/* Choices of each kind, to be compared. */
struct trace {
	uint64_t base, gap;
	uint32_t order[64], pad[64];
};

static struct trace trace_of(struct bench *b, uint64_t seed)
{
	struct trace t;

	check(bench_place(b, seed) == LINK_OK);
	t.base = b->layout.base;
	t.gap = b->layout.segment[0].vaddr - b->layout.base;
	memcpy(t.order, b->layout.order, sizeof(t.order));
	memcpy(t.pad, b->layout.pad, sizeof(t.pad));
	return t;
}

/* By chance, one of 64 pieces keeps its place. */
static void check_unrelated(const struct trace *x, const struct trace *y)
{
	uint32_t i, same_order = 0, same_pad = 0;

	for (i = 0; i < 64; i++) {
		same_order += x->order[i] == y->order[i];
		same_pad += x->pad[i] == y->pad[i];
	}
	check(x->base != y->base && x->gap != y->gap && same_order < 8 && same_pad < 8);
}

/* One bit of what goes into the key changes everything. */
static void test_unrelated(void)
{
	struct flat_header *h;
	struct trace was, now;
	struct bench b;
	unsigned int i;

	bench_init_even(&b, 64, 64, 64);
	h = b.file;
	was = trace_of(&b, 1);
	for (i = 0; i < 64; i++) {
		now = trace_of(&b, 1 ^ UINT64_C(1) << i);
		check_unrelated(&was, &now);
	}
	for (i = 8; i < LINK_SEED_SIZE; i++) {
		b.seed[i] = 1;
		now = trace_of(&b, 1);
		check_unrelated(&was, &now);
		b.seed[i] = 0;
	}
	for (i = 0; i < LINK_RELEASE_SIZE; i++) {
		b.release_id[i] = 1;
		now = trace_of(&b, 1);
		check_unrelated(&was, &now);
		b.release_id[i] = 0;
	}
	memcpy(h->service, "evem", 4);
	now = trace_of(&b, 1);
	check_unrelated(&was, &now);
	memcpy(h->service, "even", 4);
	now = trace_of(&b, 1);
	check(memcmp(&was, &now, sizeof(was)) == 0);
	bench_fini(&b);
}

/* A class's draws have nothing to do with another's, nor its order with its pads. */
static void test_classes_unrelated(void)
{
	uint32_t i, same_order = 0, same_pad = 0;
	struct bench b;

	bench_init_even(&b, 64, 64, 64);
	check(bench_place(&b, 3) == LINK_OK);
	for (i = 0; i < 64; i++) {
		same_order += b.layout.order[i] + 64 == b.layout.order[64 + i];
		same_pad += b.layout.pad[64 + 1 + i] == b.layout.pad[128 + 2 + i];
	}
	check(same_order < 8 && same_pad < 8);
	bench_fini(&b);
}

int main(void)
{
	test_unrelated();
	test_classes_unrelated();
	test_even();
	return 0;
}
