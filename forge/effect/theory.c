/*
 * What the draws should give, as collision entropy like the measurement beside it.
 *
 *   across segments   the order of the segments and gaps of LINK_GAP_PAGES, and the place in the
 *                     page; as if segments had no size
 *   one class         the number of pieces between the two (each order is equally likely), and so
 *                     many sizes and pads: a normal distribution for each number
 *   data and zero     how far each lies from the border between them: two even distributions
 *   the machine's     the places that RS draws spans from, the steps of the first stack pointer, and
 *                     the heap's pages: one in a chunk (proto/image/place.h). Frames of one stack
 *                     keep their distance, and the gate page is one address: given themselves,
 *                     they have nothing left
 */
#include <math.h>

#include "forge/effect/entropy.h"
#include "proto/image/place.h"

/* Terms of the mixture below that are smaller than exp(-this) are nothing. */
#define THEORY_EXPONENT 40.0

static uint32_t theory_count(const struct flat_view *kit, enum flat_class class)
{
	return kit->first[class + 1] - kit->first[class];
}

/* Mean of the alignments of a class, in bits. */
static double theory_align(const struct flat_view *kit, enum flat_class class)
{
	double sum = 0;
	uint32_t i;

	for (i = kit->first[class]; i < kit->first[class + 1]; i++) {
		sum += kit->pieces[i].align_log2;
	}
	return sum / theory_count(kit, class);
}

/* Mean and variance of what one more piece puts between two: pad, filler and bytes. */
static void theory_step(const struct flat_view *kit, enum flat_class class, double *ret_mean,
        double *ret_size_variance)
{
	const uint32_t n = theory_count(kit, class);
	double sum = 0, squares = 0, filler = 0;
	uint32_t i;

	for (i = kit->first[class]; i < kit->first[class + 1]; i++) {
		const double size = kit->pieces[i].size;

		sum += size;
		squares += size * size;
		filler += ((1u << kit->pieces[i].align_log2) - 1) / 2.0;
	}
	*ret_mean = (sum + filler) / n + (link_pad_limit(kit, class) + 1) / 2.0;
	*ret_size_variance = squares / n - sum / n * (sum / n);
}

/*
 * Two pieces of a class: the second is the jth behind the first with probability
 * (n - j) / (n (n - 1)), and as often before it. The chance that two layouts agree is the sum over
 * each two such numbers, of the density at zero of the difference of their distances.
 */
static double theory_class(const struct flat_view *kit, enum flat_class class)
{
	const double n = theory_count(kit, class), limit = link_pad_limit(kit, class);
	double step, size_variance, sum = 0, i, j;

	theory_step(kit, class, &step, &size_variance);
	for (i = 1; i < n; i++) {
		for (j = i; j < n; j++) {
			const double wi = (n - i) / (n * (n - 1)), wj = (n - j) / (n * (n - 1));
			const double variance =
			        (i + j) * limit * limit / 12 + (i + j - 2) * size_variance + 1e-9;
			const double exponent = (j - i) * step * (j - i) * step / (2 * variance);

			if (exponent > THEORY_EXPONENT) {
				break;
			}
			sum += (i == j ? 1 : 2) * wi * wj * exp(-exponent) /
			       sqrt(2 * M_PI * variance);
		}
	}
	return -log2(2 * sum) - theory_align(kit, class);
}

/* Bytes over which a piece of the class is spread: everything of it but the piece. */
static double theory_spread(const struct flat_view *kit, enum flat_class class)
{
	const double n = theory_count(kit, class), limit = link_pad_limit(kit, class);
	double step, size_variance;

	theory_step(kit, class, &step, &size_variance);
	return n * step + (limit + 1) / 2 - (double)kit->memory[class] / n;
}

/* The sum of two even distributions over a and b has the shape of a trapezoid. */
static double theory_border(const struct flat_view *kit, enum flat_class of)
{
	const double x = theory_spread(kit, FLAT_DATA), y = theory_spread(kit, FLAT_ZERO);
	const double a = x > y ? x : y, b = x > y ? y : x;

	return -log2((1 - b / (3 * a)) / a) - theory_align(kit, of);
}

/*
 * Two segments of three are neighbours in two orders of three, each way alike: their distance is
 * one gap, else the sum of two. Of two segments it is one gap.
 */
static double theory_gaps(const struct flat_view *kit)
{
	const bool is_three =
	        theory_count(kit, FLAT_CONST) > 0 &&
	        (theory_count(kit, FLAT_DATA) > 0 || theory_count(kit, FLAT_ZERO) > 0);
	/* Shares: one gap with one gap, two with two, one with two; the last both ways. */
	const double agree = is_three ? 2.0 / 9 + 2.0 / 36 * 2 / 3 + 4.0 / 18 / 2 : 0.5;

	return log2(LINK_GAP_PAGES) - log2(agree);
}

/* Places for so many bytes, in pages. */
static double theory_span(uint64_t bytes)
{
	const uint64_t room = PLACE_END - PLACE_LOW - PLACE_MARGIN;

	return log2((double)((room - bytes) / PLACE_STEP + 1) * (PLACE_STEP / IMAGE_PAGE));
}

static double theory_machine(const struct entropy_room *room, enum entropy_class of)
{
	switch (of) {
	case ENTROPY_HEAP:
		return theory_span(room->heap_limit);
	case ENTROPY_STACK:
		return theory_span(room->stack_size) + log2(PLACE_STACK_SPREAD / PLACE_STACK_ALIGN);
	case ENTROPY_TEXT:
	case ENTROPY_CONST:
	case ENTROPY_DATA:
	case ENTROPY_ZERO:
	case ENTROPY_GATE:
	case _ENTROPY_CLASS_N:
		break;
	}
	return theory_span(IMAGE_PAGE);
}

double entropy_theory(const struct flat_view *kit, const struct entropy_room *room,
        enum entropy_class of, enum entropy_class given)
{
	const enum flat_class b = (enum flat_class)of, a = (enum flat_class)given;

	if (of == given && of > ENTROPY_ZERO) {
		return of == ENTROPY_HEAP ? log2(PLACE_CHUNK_PAGES - PLACE_CHUNK_DIRECTORY) : 0;
	}
	if (of > ENTROPY_ZERO) {
		return theory_machine(room, of);
	}
	if (given > ENTROPY_ZERO) {
		return log2((double)(IMAGE_BASE_END - IMAGE_BASE_MIN)) - theory_align(kit, b);
	}
	if (of == given) {
		return theory_class(kit, b);
	}
	if (layouts_segment(a) == layouts_segment(b)) {
		return theory_border(kit, b);
	}
	return theory_gaps(kit) + log2(IMAGE_PAGE) - theory_align(kit, b);
}
