#pragma once
/*
 * What debug data says about the places in a linked program: variables and
 * functions by address. Names of scopes are not taken from here (see
 * forge/state/entry.h): inlining loses them.
 */
#include <stdint.h>
#include <elfutils/libdw.h>

#include "forge/elf/file.h"

enum debug_kind { DEBUG_VARIABLE, DEBUG_FUNCTION, _DEBUG_KIND_N };

struct debug_place {
	uint64_t addr;
	enum debug_kind kind;
	const char *name; /* "" for string literals; in the debug data */
	const char *unit; /* primary source file of the compile unit; in the debug data */
	int line;         /* of the declaration; 0: unknown */
	Dwarf_Die die;
};

struct debug_info {
	Elf *elf;
	Dwarf *dwarf;
	struct debug_place *places; /* owned; by address */
	size_t n_places, capacity;
};

void debug_info_fini(struct debug_info *info);

/* Read the debug data of a program, which must outlive *ret_info. */
int debug_info_init(struct debug_info *ret_info, const struct elf_file *linked);

/*
 * The place of a kind at an address. When there are several: the one with this
 * name, else the first that has any. NULL: none.
 */
const struct debug_place *debug_info_find(
        const struct debug_info *info, enum debug_kind kind, uint64_t addr, const char *name);
