/*
 * Objects become pieces: whatever is accepted makes a flat kit that the checker takes (or is
 * refused then), names for all its pieces, and a copy that can be read again.
 */
#include "forge/fuzz/fuzz.h"
#include "forge/piece/piece.h"

static void pieces_write(const struct piece_set *set)
{
	BUF_CLEANUP struct buf flat = {0}, names = {0}, copy = {0};
	struct elf_file elf;

	(void)piece_write_flat(set, "fuzz", NULL, 0, &flat);
	piece_write_names(set, &names);
	fuzz_touch(names.bytes, names.len);
	if (piece_write_object(set, 0, &copy) == 0 && elf_file_init(&elf, "copy", &copy) == 0) {
		elf_file_fini(&elf);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf bytes = fuzz_buf(data, size);
	struct elf_file elf;
	const struct piece_input input = {.elf = &elf, .name = "fuzz.o"};
	const struct piece_request request = {.inputs = &input, .n_inputs = 1};
	struct piece_set *set = NULL;

	if (elf_file_init(&elf, "fuzz", &bytes) == 0) {
		if (piece_set_new(&request, &set) == 0) {
			pieces_write(set);
		}
		set = piece_set_free(set);
		elf_file_fini(&elf);
	}
	buf_fini(&bytes);
	return 0;
}
