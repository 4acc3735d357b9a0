/*
 * A piece moves as a whole, so all that must be known of two layouts is how far each piece has
 * moved. Pieces that moved equally far keep their distances: whoever learns the place of one of
 * them knows all. A gadget counts as known where its place is, though a relocated
 * field in it may make other bytes of it: so the shares err upwards.
 */
#include "forge/effect/compare.h"

#include <stdbool.h>
#include <string.h>

#include "forge/base/mem.h"
#include "forge/effect/gadget.h"
#include "forge/effect/locate.h"

/* A piece in both layouts. */
struct compare_piece {
	uint32_t piece;
	uint64_t first, second; /* addresses */
	uint32_t gadgets, same; /* of the first; of these, with the same bytes in both */
	uint32_t returns;
	bool is_text;
};

static uint64_t compare_moved(const struct compare_piece *p)
{
	return p->second - p->first;
}

static int compare_by_moved(const void *a, const void *b)
{
	const uint64_t x = compare_moved(a), y = compare_moved(b);

	return x < y ? -1 : x > y;
}

static int compare_by_first(const void *a, const void *b)
{
	const struct compare_piece *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* Gadgets and return addresses of a piece of text. */
static void compare_scan(struct gadget_reader *reader, const struct compare_side sides[2],
        uint32_t size, struct compare_piece *p)
{
	const uint8_t *first = locate_bytes(&sides[0].payload, p->first, size);
	const uint8_t *second = locate_bytes(&sides[1].payload, p->second, size);
	MEM_FREE uint8_t *lengths = mem_zalloc(size, 1);
	uint32_t i;

	gadget_scan(reader, first, size, lengths, &p->returns);
	for (i = 0; i < size; i++) {
		if (lengths[i] > 0) {
			p->gadgets++;
			p->same += memcmp(first + i, second + i, lengths[i]) == 0;
		}
	}
}

/* Places and neighbours. Sorts by the addresses of the first. */
static void compare_places(const struct compare_side sides[2], struct compare_piece *p, uint32_t n,
        struct compare_result *ret_result)
{
	const uint64_t base = sides[1].payload.header->base - sides[0].payload.header->base;
	uint32_t i;

	qsort(p, n, sizeof(*p), compare_by_first);
	for (i = 0; i < n; i++) {
		const uint64_t moved = compare_moved(&p[i]);

		ret_result->kept_address += moved == 0;
		ret_result->kept_base += moved == base;
		ret_result->kept_before += i > 0 && moved == compare_moved(&p[i - 1]);
		ret_result->returns += p[i].returns;
		ret_result->returns_address += moved == 0 ? p[i].returns : 0;
		ret_result->returns_base += moved == base ? p[i].returns : 0;
		ret_result->gadgets += p[i].gadgets;
		ret_result->same_bytes += p[i].same;
	}
}

/* Groups of pieces that moved equally far; only a pointer to code counts as leaked. */
static void compare_known(struct compare_piece *p, uint32_t n, struct compare_result *ret_result)
{
	const double all = ret_result->gadgets > 0 ? ret_result->gadgets : 1;
	uint32_t i, k, end, n_text = 0;
	double sum = 0;

	qsort(p, n, sizeof(*p), compare_by_moved);
	for (i = 0; i < n; i = end) {
		uint32_t known = 0;

		for (end = i; end < n && compare_moved(&p[end]) == compare_moved(&p[i]); end++) {
			known += p[end].gadgets;
		}
		if (compare_moved(&p[i]) == 0) {
			ret_result->known_none = 100 * known / all;
		}
		for (k = i; k < end; k++) {
			if (!p[k].is_text) {
				continue;
			}
			n_text++;
			sum += 100 * known / all;
			if (100 * known / all > ret_result->known_worst) {
				ret_result->known_worst = 100 * known / all;
				ret_result->worst_piece = p[k].piece;
			}
		}
	}
	ret_result->known_mean = n_text > 0 ? sum / n_text : 0;
}

static void compare_reader_freep(struct gadget_reader **reader)
{
	*reader = gadget_reader_free(*reader);
}

/* Every piece that was found in both. */
static int compare_collect(const struct flat_view *kit, const struct compare_side sides[2],
        const uint64_t *first, const uint64_t *second, struct compare_piece *ret_pieces,
        uint32_t *ret_n)
{
	MEM_CLEANUP(compare_reader_freep) struct gadget_reader *reader = NULL;
	uint32_t i, n = 0;
	int r = gadget_reader_new(&reader);

	for (i = 0; r == 0 && i < kit->n_pieces; i++) {
		if (first[i] == 0 || second[i] == 0) {
			continue;
		}
		ret_pieces[n] = (struct compare_piece){.piece = i,
		        .first = first[i],
		        .second = second[i],
		        .is_text = flat_class_of(kit, i) == FLAT_TEXT};
		if (ret_pieces[n].is_text) {
			compare_scan(reader, sides, kit->pieces[i].size, &ret_pieces[n]);
		}
		n++;
	}
	*ret_n = n;
	return r;
}

int compare_sides(const struct flat_view *kit, const struct compare_side sides[2],
        struct compare_result *ret_result)
{
	MEM_FREE uint64_t *first = mem_zalloc(kit->n_pieces, sizeof(*first));
	MEM_FREE uint64_t *second = mem_zalloc(kit->n_pieces, sizeof(*second));
	MEM_FREE struct compare_piece *pieces = mem_zalloc(kit->n_pieces, sizeof(*pieces));
	uint32_t n = 0;
	int r = locate_pieces(sides[0].where, kit, &sides[0].payload, first);

	if (r == 0) {
		r = locate_pieces(sides[1].where, kit, &sides[1].payload, second);
	}
	if (r == 0) {
		r = compare_collect(kit, sides, first, second, pieces, &n);
	}
	if (r == 0) {
		*ret_result = (struct compare_result){
		        .pieces = kit->n_pieces, .unplaced = kit->n_pieces - n};
		compare_places(sides, pieces, n, ret_result);
		compare_known(pieces, n, ret_result);
	}
	return r;
}
