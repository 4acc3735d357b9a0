/*
 * Drawing a layout and writing it down for the linker: an order file with every symbol and a
 * pad before, between and behind them, and a script with base, segments and gaps. Base and
 * segments have one stream, each class of symbols has its own. Each pad has at least one byte,
 * so that one past the end of an object is never the next. The script's patterns are for input
 * sections; the first that fits takes a section, whatever the order of the segments, so no two
 * of them may fit the same.
 */
#include "forge/layout/layout.h"

#include "forge/base/report.h"
#include "proto/image/image.h"

/* Largest gaps. Small enough that a service stays within a few page tables. */
#define LAYOUT_GAP_PAGES 256u
#define LAYOUT_TEXT_PAD 64u
#define LAYOUT_DATA_PAD 32u

void layout_fini(struct layout *layout)
{
	pad_list_fini(&layout->pads);
	buf_fini(&layout->order_file);
	buf_fini(&layout->script);
}

static const char *const layout_segment_name[_LAYOUT_SEGMENT_N] = {
        [LAYOUT_TEXT] = "text",
        [LAYOUT_RODATA] = "rodata",
        [LAYOUT_DATA] = "data",
};

static const char *const layout_segment_text[_LAYOUT_SEGMENT_N] = {
        [LAYOUT_TEXT] = "  .text : { *(.text .text.*) *(.plt .iplt) } :text =0xcccccccc\n",
        [LAYOUT_RODATA] =
                "  .rodata : { *(.rodata .rodata.*) } :rodata\n"
                "  .data.rel.ro : { *(.data.rel.ro .data.rel.ro.*) *(.got .got.plt) } :rodata\n"
                "  .init_array : { __init_array_start = .;\n"
                "    KEEP(*(SORT_BY_INIT_PRIORITY(.init_array.*) .init_array))\n"
                "    __init_array_end = .; } :rodata\n"
                "  .fini_array : { __fini_array_start = .;\n"
                "    KEEP(*(SORT_BY_INIT_PRIORITY(.fini_array.*) .fini_array))\n"
                "    __fini_array_end = .; } :rodata\n",
        [LAYOUT_DATA] = "  .data : { *(" LAYOUT_DATA_PATTERN ") } :data\n"
                        "  lu_sites : { KEEP(*(lu_sites lu_sites.*)) BYTE(0) } :data\n"
                        "  .bss : { *(.bss .bss.* COMMON) } :data\n",
};

/*
 * ALIGN, then the gap: segments start on pages, at least the next one. What is discarded
 * lists code addresses.
 */
static void layout_write_script(const struct layout *l, struct buf *ret_text)
{
	int i;

	buf_printf(ret_text, "ENTRY(_start)\nPHDRS {\n"
	                     "  text PT_LOAD FLAGS(5);\n  rodata PT_LOAD FLAGS(4);\n"
	                     "  data PT_LOAD FLAGS(6);\n}\nSECTIONS {\n");
	buf_printf(ret_text, "  . = 0x%llx;\n", (unsigned long long)l->base);
	for (i = 0; i < _LAYOUT_SEGMENT_N; i++) {
		buf_printf(ret_text, "  . = ALIGN(0x1000) + 0x%x;\n", l->gap_pages[i] * IMAGE_PAGE);
		buf_printf(ret_text, "  __%s_start = .;\n", layout_segment_name[l->order[i]]);
		buf_printf(ret_text, "%s", layout_segment_text[l->order[i]]);
	}
	buf_printf(ret_text, "  /DISCARD/ : { *(.eh_frame .eh_frame.* .eh_frame_hdr"
	                     " .comment .note .note.*) }\n}\n");
}

/* No pads and an empty order file: lld keeps the order of the objects. */
struct layout layout_plain(void)
{
	struct layout l = {
	        .base = IMAGE_BASE_MIN,
	        .order = {LAYOUT_TEXT, LAYOUT_RODATA, LAYOUT_DATA},
	};

	layout_write_script(&l, &l.script);
	return l;
}

/* A stream, or a failure that names what is missing. */
static int layout_open(
        struct draw **ret_draw, const uint8_t seed[DRAW_SEED_SIZE], const char *label)
{
	*ret_draw = draw_new(seed, label);
	return *ret_draw ? 0 : report_failed("OpenSSL", "ChaCha20 is not available");
}

/* The base is drawn also when it is fixed: the rest of the stream must not depend on --base. */
static int layout_draw_place(
        struct layout *l, const uint8_t seed[DRAW_SEED_SIZE], uint64_t fixed_base)
{
	const uint64_t n_bases = (IMAGE_BASE_END - IMAGE_BASE_MIN) / IMAGE_WINDOW_ALIGN;
	MEM_CLEANUP(draw_freep) struct draw *d = NULL;
	int i, r;

	r = layout_open(&d, seed, "place");
	if (r < 0) {
		return r;
	}
	l->base = IMAGE_BASE_MIN + draw_below(d, n_bases) * IMAGE_WINDOW_ALIGN;
	if (fixed_base != 0) {
		l->base = fixed_base;
	}
	for (i = 0; i < _LAYOUT_SEGMENT_N; i++) {
		l->order[i] = (enum layout_segment)i;
	}
	draw_shuffle(d, l->order, _LAYOUT_SEGMENT_N, sizeof(l->order[0]));
	for (i = 0; i < _LAYOUT_SEGMENT_N; i++) {
		l->gap_pages[i] = (uint32_t)draw_below(d, LAYOUT_GAP_PAGES);
	}
	return 0;
}

/* One pad: its size is drawn, its name goes into the order file. */
static void layout_draw_pad(struct layout *l, struct draw *d, enum order_class class)
{
	const uint32_t limit = class == ORDER_TEXT ? LAYOUT_TEXT_PAD : LAYOUT_DATA_PAD;
	/* At least one byte: one past the end of an object must not be the next. */
	const uint32_t size = 1 + (uint32_t)draw_below(d, limit);

	buf_printf(&l->order_file, "lupad.%zu\n", pad_list_add(&l->pads, class, size));
}

/*
 * Pad, name, pad, name ... pad: each class ends in a pad, so that two classes in one segment
 * do not touch either. The names of *order are put into their new order.
 */
static int layout_draw_class(struct layout *l, const struct order *order, enum order_class class,
        const uint8_t seed[DRAW_SEED_SIZE])
{
	MEM_FREE char *label = mem_printf("order.%d", (int)class);
	MEM_CLEANUP(draw_freep) struct draw *d = NULL;
	size_t i;
	int r;

	r = layout_open(&d, seed, label);
	if (r < 0) {
		return r;
	}
	draw_shuffle(d, order->names[class], order->n[class], sizeof(char *));
	layout_draw_pad(l, d, class);
	for (i = 0; i < order->n[class]; i++) {
		buf_printf(&l->order_file, "%s\n", order->names[class][i]);
		layout_draw_pad(l, d, class);
	}
	return 0;
}

/* *order is shuffled in place: it is drawn from once. */
int layout_draw(struct layout *ret_layout, const struct order *order,
        const uint8_t seed[DRAW_SEED_SIZE], uint64_t fixed_base)
{
	MEM_CLEANUP(layout_fini) struct layout l = {0};
	int class, r;

	r = layout_draw_place(&l, seed, fixed_base);
	for (class = 0; class < _ORDER_CLASS_N && r == 0; class ++) {
		r = layout_draw_class(&l, order, (enum order_class) class, seed);
	}
	if (r == 0 && l.pads.n > PAD_MAX) {
		r = report_refuse("layout", "more than %u pieces to be placed", PAD_MAX);
	}
	if (r == 0) {
		layout_write_script(&l, &l.script);
		*ret_layout = l;
		l = (struct layout){0};
	}
	return r;
}
