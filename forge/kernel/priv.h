#pragma once
/* Moving a kernel: how far each part of it goes, for this room. */
#include "forge/kernel/kernel.h"

/* What is added to addresses; those of .boot are addresses in RAM. */
struct kernel_shift {
	const struct elf_file *kernel;
	const struct kernel_place *place;
	uint64_t load, base;
};

/* What is added to the addresses of a section; 0 for one that is not loaded. */
uint64_t kernel_shift_section(const struct kernel_shift *shift, const struct elf_section *section);
/* Where a symbol is then. False: an absolute one that is not known here. */
bool kernel_shift_symbol(
        const struct kernel_shift *shift, const struct elf_symbol *symbol, uint64_t *ret_value);

/* Put the moved file together: `image` is the beginning of the old file, relocated. */
void kernel_write(
        const struct kernel_shift *shift, const struct buf *image, struct buf *ret_kernel);
