#pragma once
/*
 * The linker script with which lld links each release once, to be looked at, and what scripts of
 * layouts have in common with it. Variants are made by our own linker (proto/image/link.h) and need
 * none of this.
 */
#include "forge/base/mem.h"

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

/* The script that every release is first linked with, to be described: nothing drawn. */
void layout_plain(struct buf *ret_script);
