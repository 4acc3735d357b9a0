#pragma once
/*
 * From a seed to a layout: where the window lies, in which order the segments and
 * what is in them come, and how far apart. The linker is told by an order file, a
 * script and the pads' object.
 */
#include <stdbool.h>
#include <stdint.h>

#include "forge/layout/draw.h"
#include "forge/layout/order.h"
#include "forge/layout/pad.h"

enum layout_segment { LAYOUT_TEXT, LAYOUT_RODATA, LAYOUT_DATA, _LAYOUT_SEGMENT_N };

/*
 * The first pattern that fits a section takes it, whatever the order of segments:
 * so this one, for writable data, must not fit .data.rel.ro and .data.rel.ro.*.
 */
#define LAYOUT_DATA_PATTERN                                                                        \
	".data .data.[!r]* .data.r .data.r[!e]* .data.re .data.re[!l]* .data.rel .data.rel[!.]* "  \
	".data.rel.[!r]* .data.rel.r .data.rel.r[!o]*"

struct layout {
	uint64_t base; /* IMAGE_WINDOW_ALIGN aligned */
	enum layout_segment order[_LAYOUT_SEGMENT_N];
	uint32_t gap_pages[_LAYOUT_SEGMENT_N]; /* before the nth segment */
	struct pad_list pads;
	struct buf order_file; /* for --symbol-ordering-file */
	struct buf script;     /* the linker script */
};

void layout_fini(struct layout *layout);

/* The layout every release is first linked with, to be described: nothing drawn. */
struct layout layout_plain(void);

/* Draw everything. The base is drawn too unless fixed_base is not 0. */
int layout_draw(struct layout *ret_layout, const struct order *order,
        const uint8_t seed[DRAW_SEED_SIZE], uint64_t fixed_base);
