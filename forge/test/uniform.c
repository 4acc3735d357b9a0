/*
 * Is everything that is drawn drawn evenly, over real kits? For each kit many layouts are placed
 * and each kind of draw is counted: base, order of segments, gaps, each piece in each position of
 * its class, each pad. A count is judged by chi-square, as its distance from what even draws give,
 * in standard deviations; the tables of orders and pads have thousands of cells.
 *
 * Usage: uniform FIRST-SEED N-SEEDS KIT...; prints a line of TAP a kit and kind. proto/image has
 * the same on a kit of nine pieces (test_even); this is about the sizes that kits have.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "forge/effect/layouts.h"
#include "forge/kit/kit.h"
#include "proto/image/link.h"

#define UNIFORM_CELLS 64u
#define UNIFORM_PAD_CELLS 16u
/* Of a few hundred counts, none is so far off by chance. */
#define UNIFORM_SIGMAS 5.0

struct uniform {
	const struct flat_view *kit;
	uint32_t n; /* layouts */
	uint32_t base[UNIFORM_CELLS], segments[27], gaps[_LINK_SEGMENT_N][UNIFORM_CELLS];
	uint32_t *order[_FLAT_CLASS_N]; /* [piece * pieces + position]; owned */
	uint32_t *pads[_FLAT_CLASS_N];  /* [pad * UNIFORM_PAD_CELLS + cell]; owned */
};

static uint32_t uniform_pieces(const struct uniform *u, int class)
{
	return u->kit->first[class + 1] - u->kit->first[class];
}

static void uniform_init(struct uniform *u, const struct flat_view *kit)
{
	int c;

	*u = (struct uniform){.kit = kit};
	for (c = 0; c < _FLAT_CLASS_N; c++) {
		const size_t n = uniform_pieces(u, c);

		u->order[c] = mem_zalloc(n * n + 1, sizeof(uint32_t));
		u->pads[c] = mem_zalloc((n + 1) * UNIFORM_PAD_CELLS, sizeof(uint32_t));
	}
}

static void uniform_fini(struct uniform *u)
{
	int c;

	for (c = 0; c < _FLAT_CLASS_N; c++) {
		free(u->order[c]);
		free(u->pads[c]);
	}
}

/* Where segments lie: gaps are between the end of one and the next. */
static void uniform_count_segments(struct uniform *u, const struct link_layout *l)
{
	uint64_t end = l->base;
	uint32_t i, number = 0;

	u->base[(l->base - IMAGE_BASE_MIN) / IMAGE_WINDOW_ALIGN * UNIFORM_CELLS /
	        ((IMAGE_BASE_END - IMAGE_BASE_MIN) / IMAGE_WINDOW_ALIGN)]++;
	for (i = 0; i < l->n_segments; i++) {
		const uint64_t gap = (l->segment[i].vaddr - end) / IMAGE_PAGE;

		u->gaps[i][gap * UNIFORM_CELLS / LINK_GAP_PAGES]++;
		end = l->segment[i].vaddr + l->segment[i].mem_size;
		number = number * 3 + l->kind[i];
	}
	u->segments[number]++;
}

static void uniform_count(struct uniform *u, const struct link_layout *l)
{
	int c;

	u->n++;
	uniform_count_segments(u, l);
	for (c = 0; c < _FLAT_CLASS_N; c++) {
		const uint32_t first = u->kit->first[c], n = uniform_pieces(u, c);
		const uint32_t limit = link_pad_limit(u->kit, (enum flat_class)c);
		uint32_t i;

		for (i = 0; i < n; i++) {
			u->order[c][(size_t)(l->order[first + i] - first) * n + i]++;
		}
		for (i = 0; n > 0 && i <= n; i++) {
			const uint64_t pad = l->pad[first + (uint32_t)c + i] - 1;

			u->pads[c][i * UNIFORM_PAD_CELLS + pad * UNIFORM_PAD_CELLS / limit]++;
		}
	}
}

/*
 * Distance of a chi-square from its mean, in standard deviations (Wilson and Hilferty), for
 * `degrees` of freedom. Cells that expect little make it wider: a count of mean e has a variance
 * of (2 + 1/e) in place of 2.
 */
static double uniform_sigmas(double chi, double degrees, double expected)
{
	const double v = (2 + 1 / expected) / (9 * degrees);

	return (cbrt(chi / degrees) - (1 - v)) / sqrt(v);
}

static bool uniform_say(const char *kit, const char *what, const char *class, double sigmas)
{
	const bool good = fabs(sigmas) < UNIFORM_SIGMAS;

	printf("%sok %s: %s%s: %+.1f sigma\n", good ? "" : "not ", kit, class, what, sigmas);
	return good;
}

/* Cells that expect the same. */
static double uniform_even(const uint32_t *cells, size_t n_cells, double expected)
{
	double chi = 0;
	size_t i;

	for (i = 0; i < n_cells; i++) {
		chi += (cells[i] - expected) * (cells[i] - expected) / expected;
	}
	return chi;
}

/* Each piece in each position: rows and columns have their sums, so (n - 1)^2 are free. */
static double uniform_judge_order(const struct uniform *u, int class)
{
	const double n = uniform_pieces(u, class), expected = u->n / n;
	const double chi = uniform_even(u->order[class], (size_t)(n * n), expected);

	return uniform_sigmas(chi * (n - 1) / n, (n - 1) * (n - 1), expected);
}

/* Each pad: cells are as many values wide as the limit gives them. */
static double uniform_judge_pads(const struct uniform *u, int class)
{
	const uint32_t n = uniform_pieces(u, class) + 1;
	const uint32_t limit = link_pad_limit(u->kit, (enum flat_class) class);
	double wide[UNIFORM_PAD_CELLS] = {0}, chi = 0;
	uint32_t i;

	for (i = 0; i < limit; i++) {
		wide[(uint64_t)i * UNIFORM_PAD_CELLS / limit]++;
	}
	for (i = 0; i < n * UNIFORM_PAD_CELLS; i++) {
		const double expected = u->n * wide[i % UNIFORM_PAD_CELLS] / limit;

		chi += (u->pads[class][i] - expected) * (u->pads[class][i] - expected) / expected;
	}
	return uniform_sigmas(chi, n * (UNIFORM_PAD_CELLS - 1.0), (double)u->n / UNIFORM_PAD_CELLS);
}

static bool uniform_judge(const struct uniform *u, const char *kit, uint32_t n_segments)
{
	static const char *const classes[_FLAT_CLASS_N] = {"text ", "const ", "data ", "zero "};
	const double expected = (double)u->n / UNIFORM_CELLS, degrees = UNIFORM_CELLS - 1;
	const double orders = n_segments == 3 ? 6 : n_segments == 2 ? 2 : 1;
	bool good = uniform_say(kit, "base", "",
	        uniform_sigmas(uniform_even(u->base, UNIFORM_CELLS, expected), degrees, expected));
	double chi = 0;
	uint32_t i;
	int c;

	for (i = 0; i < 27; i++) {
		chi += (double)u->segments[i] * u->segments[i] * orders / u->n;
	}
	if (orders > 1) {
		good &= uniform_say(kit, "order of segments", "",
		        uniform_sigmas(chi - u->n, orders - 1, u->n / orders));
	}
	for (i = 0; n_segments == 3 && i < n_segments; i++) {
		good &= uniform_say(kit, "gap", "",
		        uniform_sigmas(uniform_even(u->gaps[i], UNIFORM_CELLS, expected), degrees,
		                expected));
	}
	for (c = 0; c < _FLAT_CLASS_N; c++) {
		if (uniform_pieces(u, c) > 1) {
			good &= uniform_say(kit, "order", classes[c], uniform_judge_order(u, c));
		}
		if (uniform_pieces(u, c) > 0) {
			good &= uniform_say(kit, "pads", classes[c], uniform_judge_pads(u, c));
		}
	}
	return good;
}

static bool uniform_kit(const char *path, uint32_t first, uint32_t n)
{
	MEM_CLEANUP(kit_fini) struct kit kit = {0};
	MEM_CLEANUP(uniform_fini) struct uniform u = {0};
	uint8_t seed[LINK_SEED_SIZE];
	struct link_request q = {.seed = seed};
	struct link_layout layout = {0};
	uint32_t i;

	if (kit_read(&kit, path, NULL) < 0) {
		return false;
	}
	const size_t size = link_scratch_size(&kit.flat);
	MEM_FREE void *scratch = mem_zalloc(size, 1);

	q.release_id = kit.release_id;
	uniform_init(&u, &kit.flat);
	for (i = 0; i < n; i++) {
		layouts_seed(first + i, seed);
		if (link_place(&kit.flat, &q, scratch, size, &layout) != LINK_OK) {
			fprintf(stderr, "%s: cannot be placed\n", path);
			return false;
		}
		uniform_count(&u, &layout);
	}
	return uniform_judge(&u, kit.manifest->service, layout.n_segments);
}

int main(int argc, char **argv)
{
	const uint64_t first = argc > 3 ? strtoull(argv[1], NULL, 0) : 0;
	const uint64_t n = argc > 3 ? strtoull(argv[2], NULL, 0) : 0;
	bool good = true;
	int i;

	if (argc < 4 || n == 0 || n > LAYOUTS_MAX) {
		fprintf(stderr, "usage: uniform FIRST-SEED N-SEEDS KIT...\n");
		return 2;
	}
	for (i = 3; i < argc; i++) {
		good &= uniform_kit(argv[i], (uint32_t)first, (uint32_t)n);
	}
	return good ? 0 : 1;
}
