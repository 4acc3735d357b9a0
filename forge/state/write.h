#pragma once
/*
 * Writing the state description of a release (proto/state/state.h) from the debug
 * data and the symbol table of the linked program.
 */
#include <stdbool.h>
#include <stddef.h>

#include "forge/base/mem.h"
#include "forge/elf/archive.h"
#include "forge/elf/file.h"

struct state_request {
	const char *service;
	const struct elf_file *linked;     /* with debug data */
	const struct object_list *objects; /* what it was linked from; may be NULL */
	const char *const *unit_maps;      /* "FROM=TO" for names of source files */
	size_t n_unit_maps;
};

/*
 * Write the description, and the symbol name of each entry as lines of text.
 * Refuses what cannot be described and names it.
 */
int state_write(
        const struct state_request *request, struct buf *ret_state, struct buf *ret_symbols);
