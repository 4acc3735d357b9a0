/*
 * The layout of a program that is looked at and does not run: no pads, the order of the objects,
 * each segment on the page behind the one before it. The script's patterns are for input
 * sections; the first that fits takes a section, so no two of them may fit the same. What is
 * discarded lists code addresses.
 */
#include "forge/layout/layout.h"

#include "proto/image/image.h"

void layout_plain(struct buf *ret_script)
{
	buf_printf(ret_script,
	        LAYOUT_HEAD
	        "  . = 0x%llx;\n"
	        "  .text : { *(.text .text.*) *(.plt .iplt) } :text =0xcccccccc\n"
	        "  . = ALIGN(0x1000);\n"
	        "  .rodata : { *(.rodata .rodata.*) } :rodata\n"
	        "  .data.rel.ro : { *(.data.rel.ro .data.rel.ro.*) *(.got .got.plt) } :rodata\n"
	        "  .init_array : { __init_array_start = .;\n"
	        "    KEEP(*(SORT_BY_INIT_PRIORITY(.init_array.*) .init_array))\n"
	        "    __init_array_end = .; } :rodata\n"
	        "  .fini_array : { __fini_array_start = .;\n"
	        "    KEEP(*(SORT_BY_INIT_PRIORITY(.fini_array.*) .fini_array))\n"
	        "    __fini_array_end = .; } :rodata\n"
	        "  . = ALIGN(0x1000);\n"
	        "  .data : { *(" LAYOUT_DATA_PATTERN ") } :data\n"
	        "  lu_sites : { KEEP(*(lu_sites lu_sites.*)) BYTE(0) } :data\n"
	        "  .bss : { *(.bss .bss.* COMMON) } :data\n"
	        "  /DISCARD/ : { *(.eh_frame .eh_frame.* .eh_frame_hdr"
	        " .comment .note .note.*) }\n}\n",
	        (unsigned long long)IMAGE_BASE_MIN);
}
