#pragma once
/*
 * Layouts of a kit, drawn with fixed seeds: what the measurements of this room look at. The
 * linker places them; nothing is written. The same kit gives the same sample everywhere.
 */
#include <stdint.h>

#include "proto/image/flat.h"
#include "proto/image/link.h"

/* Of a sample: enough that 2^25 pairs of layouts can agree, and still a matter of seconds. */
#define LAYOUTS_DEFAULT 8192u
#define LAYOUTS_MAX (1u << 20)

struct layouts {
	const struct flat_view *kit; /* the caller's */
	uint32_t n;                  /* layouts */
	uint32_t *offset;            /* [piece * n + layout]: from the window's base; owned */
	uint32_t *page;         /* [segment * n + layout]: its first page in the window; owned */
	double payload, memory; /* mean bytes of a payload, and of its segments */
};

void layouts_fini(struct layouts *sample);

/*
 * Draw n layouts. `where` names the kit in messages. Negative errno, reported: the kit cannot be
 * placed, or there are more pieces times layouts than fit into the room for a sample.
 */
int layouts_draw(struct layouts *ret_layouts, const char *where, const struct flat_view *kit,
        const uint8_t release_id[LINK_RELEASE_SIZE], uint32_t n);

/* The seed of layout i of a sample. */
void layouts_seed(uint32_t i, uint8_t ret_seed[LINK_SEED_SIZE]);

/* Bytes of a payload, and of its segments, were there no pad and no gap. */
void layouts_plain(const struct flat_view *kit, double *ret_payload, double *ret_memory);

/* The segment that a class lies in. */
enum link_segment layouts_segment(enum flat_class class);
