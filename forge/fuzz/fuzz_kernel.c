/*
 * Kernels are moved: whatever is accepted is written to the last byte, and has its headers where they were.
 */
#include "forge/fuzz/fuzz.h"
#include "forge/kernel/kernel.h"

#define FUZZ_MEMORY (UINT64_C(64) << 20)

static void kernel_read_again(const struct elf_file *was, struct buf *moved)
{
	struct elf_file is;

	fuzz_touch(moved->bytes, moved->len);
	if (elf_file_init(&is, "moved", moved) < 0) {
		return;
	}
	if (is.n_segments != was->n_segments || is.header.e_phoff != was->header.e_phoff) {
		__builtin_trap();
	}
	elf_file_fini(&is);
}

static void kernel_try(const struct elf_file *elf, const uint8_t seed[KERNEL_SEED_SIZE])
{
	const struct kernel_room room = {.memory_bytes = FUZZ_MEMORY, .bytes = kernel_bytes(elf)};
	BUF_CLEANUP struct buf moved = {0};
	struct kernel_place place;

	if (kernel_place_draw(&room, seed, &place) == 0 && kernel_move(elf, &place, &moved) == 0) {
		kernel_read_again(elf, &moved);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t seed[KERNEL_SEED_SIZE] = {1};
	struct buf bytes = fuzz_buf(data, size);
	struct elf_file elf;

	if (elf_file_init(&elf, "fuzz", &bytes) == 0) {
		kernel_try(&elf, seed);
		elf_file_fini(&elf);
	}
	buf_fini(&bytes);
	return 0;
}
