#pragma once
/*
 * A layout as lld takes it: a script, an order file, the object of the pads. Variants are made by
 * our own linker (proto/image/link.h) and need none of this; lld links each release once, to be
 * looked at, and is the oracle in tests.
 */
#include "forge/layout/pad.h"

struct layout {
	struct pad_list pads;
	struct buf order_file; /* for --symbol-ordering-file */
	struct buf script;     /* the linker script */
};

/*
 * The first pattern that fits a section takes it, whatever the order of segments:
 * so this one, for writable data, must not fit .data.rel.ro and .data.rel.ro.*.
 */
#define LAYOUT_DATA_PATTERN                                                                        \
	".data .data.[!r]* .data.r .data.r[!e]* .data.re .data.re[!l]* .data.rel .data.rel[!.]* "  \
	".data.rel.[!r]* .data.rel.r .data.rel.r[!o]*"

/* The beginning of every script: entry point and segments `text`, `rodata`, `data`. */
#define LAYOUT_HEAD                                                                                \
	"ENTRY(_start)\nPHDRS {\n  text PT_LOAD FLAGS(5);\n  rodata PT_LOAD FLAGS(4);\n"           \
	"  data PT_LOAD FLAGS(6);\n}\nSECTIONS {\n"

void layout_fini(struct layout *layout);

/* The layout every release is first linked with, to be described: nothing drawn. */
struct layout layout_plain(void);
