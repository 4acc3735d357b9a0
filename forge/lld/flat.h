#pragma once
/* From a linked program to a flat payload. */
#include "forge/base/mem.h"
#include "forge/elf/file.h"

/*
 * Write the payload of `service`. vector[] names the symbol of each entry of the
 * release's state description; all of them must be in the program.
 */
int flat_write(const struct elf_file *linked, const char *service, uint64_t base,
        const char *const vector[], size_t n_vector, struct buf *ret_payload);
