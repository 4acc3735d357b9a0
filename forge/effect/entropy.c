/*
 * The measurement. The figure is collision (Renyi-2) entropy, estimated without bias from the
 * share of pairs of layouts that agree: Acharya, Orlitsky, Suresh, Tyagi, "Estimating Renyi
 * Entropy of Discrete Distributions", IEEE Transactions on Information Theory 63 (2017). Of n
 * layouts there are n^2 / 2 pairs, so n layouts see nearly 2 log2(n) bits, where counting how
 * often each value comes (Shannon) sees log2(n) at most and errs upwards. It is what an attacker
 * faces who guesses with a layout of his own, never more than Shannon's entropy, and at most
 * twice the min-entropy.
 *
 * Inside a segment the variable is the distance of the two pieces in units of the alignment of
 * the one that is looked for. Across segments that is more than a sample can show at once, so two
 * parts are measured and added: the distance of the segments in pages, and that of the pieces
 * within a page. They are independent but for the few pages that a segment has, and gaps have
 * 2^17; where they are not, the sum errs downwards (pages that differ because of the pieces are
 * not counted).
 *
 * All pieces are looked for, some leak: pieces of a class are drawn into their order alike, so
 * those of one size and alignment are worth the same to an attacker.
 */
#include "forge/effect/entropy.h"

#include <math.h>
#include <string.h>

#include "forge/base/mem.h"

/* Pairs that agree, below which the figure says what the sample can show and no more. */
#define ENTROPY_FEW 16.0

const char *entropy_class_name(enum entropy_class class)
{
	static const char *const names[_ENTROPY_CLASS_N] = {
	        [ENTROPY_TEXT] = "text",
	        [ENTROPY_CONST] = "const",
	        [ENTROPY_DATA] = "data",
	        [ENTROPY_ZERO] = "zero",
	        [ENTROPY_HEAP] = "heap",
	        [ENTROPY_STACK] = "stack",
	        [ENTROPY_GATE] = "gate",
	};

	return names[class];
}

/* A count of equal values, open addressing; a slot is free when its stamp is an older one. */
struct entropy_slot {
	uint32_t value, stamp, count;
};

struct entropy_counter {
	struct entropy_slot *slots; /* a power of two of them, at least twice the values */
	uint32_t mask, stamp;
};

static void entropy_counter_init(struct entropy_counter *c, uint32_t n)
{
	uint32_t size = 4;

	while (size < 2 * n) {
		size *= 2;
	}
	*c = (struct entropy_counter){
	        .slots = mem_zalloc(size, sizeof(*c->slots)), .mask = size - 1};
}

static void entropy_counter_fini(struct entropy_counter *c)
{
	free(c->slots);
}

/* Count the value; return how often it was there before. */
static uint32_t entropy_count(struct entropy_counter *c, uint32_t value)
{
	uint32_t i = value * UINT32_C(2654435769) >> 7 & c->mask;

	while (c->slots[i].stamp == c->stamp && c->slots[i].value != value) {
		i = (i + 1) & c->mask;
	}
	if (c->slots[i].stamp != c->stamp) {
		c->slots[i] = (struct entropy_slot){.value = value, .stamp = c->stamp};
	}
	return c->slots[i].count++;
}

/* Bits that a number of equal pairs among n values stands for. */
static double entropy_bits(uint64_t equal, uint32_t n, bool *ret_is_bound)
{
	const double pairs = 0.5 * n * (n - 1.0);

	*ret_is_bound = (double)equal < ENTROPY_FEW;
	return log2(pairs / (*ret_is_bound && equal == 0 ? 1.0 : (double)equal));
}

static double entropy_collision_in(
        struct entropy_counter *c, const uint32_t *values, uint32_t n, bool *ret_is_bound)
{
	uint64_t equal = 0;
	uint32_t i;

	c->stamp++;
	for (i = 0; i < n; i++) {
		equal += entropy_count(c, values[i]);
	}
	return entropy_bits(equal, n, ret_is_bound);
}

double entropy_collision(const uint32_t *values, uint32_t n, bool *ret_is_bound)
{
	MEM_CLEANUP(entropy_counter_fini) struct entropy_counter c;

	entropy_counter_init(&c, n);
	return entropy_collision_in(&c, values, n, ret_is_bound);
}

/* What one table is made with. */
struct entropy_work {
	const struct layouts *sample;
	struct entropy_counter counter;
	uint32_t *values;
	/* Of the distance of two segments, in pages. */
	double pages[_LINK_SEGMENT_N][_LINK_SEGMENT_N];
	bool pages_bound[_LINK_SEGMENT_N][_LINK_SEGMENT_N];
};

static void entropy_work_fini(struct entropy_work *w)
{
	entropy_counter_fini(&w->counter);
	free(w->values);
}

/* Distances of segments: the same for all pieces in them. */
static void entropy_measure_pages(struct entropy_work *w)
{
	const struct layouts *s = w->sample;
	uint32_t i;
	int a, b;

	for (a = 0; a < _LINK_SEGMENT_N; a++) {
		for (b = 0; b < _LINK_SEGMENT_N; b++) {
			for (i = 0; i < s->n; i++) {
				w->values[i] = s->page[(size_t)b * s->n + i] -
				               s->page[(size_t)a * s->n + i];
			}
			w->pages[a][b] = entropy_collision_in(
			        &w->counter, w->values, s->n, &w->pages_bound[a][b]);
		}
	}
}

/* Bits left of piece b given piece a. Distances are kept modulo 2^32, or modulo a page. */
static double entropy_pair(struct entropy_work *w, uint32_t b, uint32_t a, bool *ret_is_bound)
{
	const struct layouts *s = w->sample;
	const uint32_t shift = s->kit->pieces[b].align_log2;
	const enum link_segment sa = layouts_segment(flat_class_of(s->kit, a));
	const enum link_segment sb = layouts_segment(flat_class_of(s->kit, b));
	const uint32_t mask = sa == sb ? UINT32_MAX : (IMAGE_PAGE - 1) >> shift;
	const uint32_t *at = s->offset + (size_t)a * s->n, *bt = s->offset + (size_t)b * s->n;
	bool is_bound;
	double bits;
	uint32_t i;

	for (i = 0; i < s->n; i++) {
		w->values[i] = ((bt[i] >> shift) - (at[i] >> shift)) & mask;
	}
	bits = entropy_collision_in(&w->counter, w->values, s->n, &is_bound);
	*ret_is_bound = is_bound;
	if (sa != sb) {
		*ret_is_bound |= w->pages_bound[sa][sb];
		bits += w->pages[sa][sb];
		/* Of an alignment beyond a page, units have more pages than one. */
		bits -= shift > 12 ? shift - 12 : 0;
	}
	return bits > 0 ? bits : 0;
}

/* The nth of at most ENTROPY_LEAKS pieces of a class, spread evenly. */
static uint32_t entropy_leak(const struct flat_view *kit, enum flat_class class, uint32_t nth)
{
	const uint32_t n = kit->first[class + 1] - kit->first[class];

	return kit->first[class] + (n <= ENTROPY_LEAKS ? nth : nth * n / ENTROPY_LEAKS);
}

/* Every piece of a class given those that leak. A class of one piece has no row given itself. */
static void entropy_measure_row(struct entropy_work *w, struct entropy_row *row)
{
	const struct flat_view *kit = w->sample->kit;
	const enum flat_class of = (enum flat_class)row->of, given = (enum flat_class)row->given;
	const uint32_t n_given = kit->first[given + 1] - kit->first[given];
	const uint32_t n_leaks = n_given < ENTROPY_LEAKS ? n_given : ENTROPY_LEAKS;
	uint32_t b, nth, n = 0;

	for (b = kit->first[of]; b < kit->first[of + 1]; b++) {
		bool is_below = false, is_bound;

		for (nth = 0; nth < n_leaks; nth++) {
			const uint32_t a = entropy_leak(kit, given, nth);
			double bits;

			if (a == b) {
				continue;
			}
			bits = entropy_pair(w, b, a, &is_bound);
			is_below |= bits < row->aim;
			row->mean += bits;
			if (n++ == 0 || bits < row->worst) {
				row->worst = bits;
				row->is_bound = is_bound;
				row->piece = b;
				row->leak = a;
			}
		}
		row->n_below += is_below;
	}
	row->mean /= n > 0 ? n : 1;
	row->is_measured = n > 0;
}

/* Pieces of one segment leak each other's distance only. */
static double entropy_aim(enum entropy_class of, enum entropy_class given)
{
	return of <= ENTROPY_ZERO && given <= ENTROPY_ZERO &&
	                       layouts_segment((enum flat_class)of) ==
	                               layouts_segment((enum flat_class)given)
	               ? ENTROPY_AIM_SEGMENT
	               : ENTROPY_AIM_ACROSS;
}

/* Does the service have such addresses? One piece alone has nothing of its class beside it. */
static bool entropy_has(const struct flat_view *kit, const struct entropy_room *room,
        enum entropy_class class, uint32_t least)
{
	if (class == ENTROPY_HEAP) {
		return room->heap_limit > 0;
	}
	return class > ENTROPY_ZERO || kit->first[class + 1] - kit->first[class] >= least;
}

void entropy_measure(const struct layouts *sample, const struct entropy_room *room,
        struct entropy_table *ret_table)
{
	const struct flat_view *kit = sample->kit;
	MEM_CLEANUP(entropy_work_fini)
	struct entropy_work w = {
	        .sample = sample, .values = mem_zalloc(sample->n, sizeof(*w.values))};
	double payload, memory;
	int a, b;

	*ret_table = (struct entropy_table){0};
	layouts_plain(kit, &payload, &memory);
	ret_table->payload_ratio = sample->payload / payload;
	ret_table->memory_ratio = sample->memory / memory;
	entropy_counter_init(&w.counter, sample->n);
	entropy_measure_pages(&w);
	for (a = 0; a < _ENTROPY_CLASS_N; a++) {
		for (b = 0; b < _ENTROPY_CLASS_N; b++) {
			struct entropy_row *row = &ret_table->rows[ret_table->n];

			if (!entropy_has(kit, room, (enum entropy_class)a, 1) ||
			        !entropy_has(kit, room, (enum entropy_class)b, a == b ? 2 : 1)) {
				continue;
			}
			*row = (struct entropy_row){
			        .of = (enum entropy_class)b, .given = (enum entropy_class)a};
			row->aim = entropy_aim(row->of, row->given);
			row->theory = entropy_theory(kit, room, row->of, row->given);
			if (a <= ENTROPY_ZERO && b <= ENTROPY_ZERO) {
				entropy_measure_row(&w, row);
			}
			ret_table->n++;
		}
	}
}
