/*
 * luforge image: write a boot image from a list, options overriding its lines. Options are
 * settings of the list by their names, so both roads end in boot_writer_set(), and one table
 * of names is enough. And the kernel that is started with it, in a place of its own: where there is
 * room for that depends on the boot image.
 */
#include <string.h>
#include <sys/stat.h>

#include "forge/base/report.h"
#include "forge/boot/writer.h"
#include "forge/cmd/args.h"
#include "forge/cmd/cmd.h"
#include "forge/cmd/variant.h"
#include "forge/kernel/kernel.h"

_Static_assert(KERNEL_SEED_SIZE == LINK_SEED_SIZE, "a seed is read as that of a variant");

/* The kernel to be moved; no ->path: none is. */
struct image_kernel {
	const char *path, *out, *seed, *memory;
};

/*
 * It holds the seed of the machine's random source, the kernel its place: nobody but the owner reads
 * them. An image that is there already is replaced by a new file, and its mode with it.
 */
static int image_write(const struct buf *image, const char *path)
{
	mode_t was = umask(0077);
	int r = buf_write_file(image, path);

	umask(was);
	return r;
}

/* All options of it, or none. */
static int image_kernel_check(const struct image_kernel *kernel)
{
	const int n = !!kernel->path + !!kernel->out + !!kernel->seed + !!kernel->memory;

	return n == 0 || n == 4 ? 0
	                        : args_wrong("--randomize-kernel needs --kernel-seed, --memory and "
	                                     "--kernel-out");
}

/* The kernel, moved, beside a boot image of this size. */
static int image_kernel_write(const struct image_kernel *kernel, uint64_t boot_bytes)
{
	MEM_CLEANUP(elf_file_fini) struct elf_file elf = {0};
	BUF_CLEANUP struct buf moved = {0};
	struct kernel_room room = {.boot_bytes = boot_bytes};
	struct kernel_place place = {0};
	uint8_t seed[KERNEL_SEED_SIZE];
	int r = args_number("memory", kernel->memory, UINT64_C(1) << 46, &room.memory_bytes);

	if (r == 0) {
		r = variant_parse_seed(kernel->seed, seed);
	}
	if (r == 0) {
		r = elf_file_read(&elf, kernel->path);
	}
	if (r == 0) {
		room.bytes = kernel_bytes(&elf);
		r = kernel_place_draw(&room, seed, &place);
	}
	explicit_bzero(seed, sizeof(seed));
	if (r == 0) {
		r = kernel_move(&elf, &place, &moved);
	}
	return r == 0 ? image_write(&moved, kernel->out) : r;
}

/*
 * The list first, then the options, which so replace what the list has set. Nothing is written
 * unless the machine's own check has passed the whole image.
 */
int cmd_image(int argc, char **argv)
{
	static const char *const keys[] = {
	        "machine_id", "random_seed", "boot_time", "cmdline", "root", "statement"};
	const char *out = NULL, *values[6] = {0};
	struct image_kernel kernel = {0};
	const struct args_option options[] = {
	        {"out", "file", &out, NULL},
	        {"machine-id", "32 hexadecimal digits", &values[0], NULL},
	        {"random-seed", "64 hexadecimal digits", &values[1], NULL},
	        {"boot-time", "unix seconds", &values[2], NULL},
	        {"cmdline", "text", &values[3], NULL},
	        {"root", "file", &values[4], NULL},
	        {"statement", "file", &values[5], NULL},
	        {"randomize-kernel", "file", &kernel.path, NULL},
	        {"kernel-seed", "64 hexadecimal digits", &kernel.seed, NULL},
	        {"memory", "bytes", &kernel.memory, NULL},
	        {"kernel-out", "file", &kernel.out, NULL},
	        {0},
	};
	MEM_CLEANUP(boot_writer_fini) struct boot_writer w = {0};
	BUF_CLEANUP struct buf image = {0};
	int n_operands, r;
	size_t i;

	r = args_parse(argc, argv, options, &n_operands);
	if (r == 0) {
		r = image_kernel_check(&kernel);
	}
	if (r != 0) {
		return r;
	}
	if (!out || n_operands != 1) {
		return args_wrong("image needs --out and one list");
	}
	r = boot_writer_read_list(&w, argv[1]);
	for (i = 0; i < 6 && r == 0; i++) {
		if (values[i]) {
			r = boot_writer_set(&w, keys[i], keys[i], values[i]);
		}
	}
	if (r == 0) {
		r = boot_writer_finish(&w, &image);
	}
	if (r == 0 && kernel.path) {
		r = image_kernel_write(&kernel, image.len);
	}
	return r != 0 ? r : image_write(&image, out);
}
