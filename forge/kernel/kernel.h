#pragma once
/*
 * A kernel in a place of its own. The kernel is linked once (osd/arch/x86_64/boot/kernel.ld) and keeps its
 * relocations; each start of a machine draws where it lies, in RAM and in virtual memory, and moves it there:
 *
 *     kernel_place_draw -> kernel_move -> the file that the machine is started with
 *
 * Failures are reported where they are found and come back as a negative errno.
 */
#include "forge/elf/file.h"

#define KERNEL_SEED_SIZE 32u

/* Addresses; multiples of 4 KiB, `direct` of 1 GiB. */
struct kernel_place {
	uint64_t load;   /* the image, in RAM */
	uint64_t base;   /* the same, in virtual memory */
	uint64_t direct; /* all RAM */
	uint64_t stacks; /* stacks, and device pages behind them */
};

/* What limits the place. */
struct kernel_room {
	uint64_t memory_bytes; /* of the machine */
	uint64_t boot_bytes;   /* of the boot image, which lies at the end of memory */
	uint64_t bytes;        /* of the kernel's image: kernel_bytes() */
};

/* The kernel's image in memory; 0: the file has none. */
uint64_t kernel_bytes(const struct elf_file *kernel);

/* The place that a seed determines. Refused: too little memory. */
int kernel_place_draw(const struct kernel_room *room, const uint8_t seed[KERNEL_SEED_SIZE],
        struct kernel_place *ret_place);

/*
 * The kernel in that place, with its symbols and without debug data: the build-id stays. Refused: a file that is not
 * a kernel that can be moved, or whose bytes are not what its relocations say.
 */
int kernel_move(
        const struct elf_file *kernel, const struct kernel_place *place, struct buf *ret_kernel);
