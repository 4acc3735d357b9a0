/*
 * luforge image: write a boot image from a list, options overriding its lines. Options are
 * settings of the list by their names, so both roads end in boot_writer_set(), and one table
 * of names is enough.
 */
#include <sys/stat.h>

#include "forge/boot/writer.h"
#include "forge/cmd/args.h"
#include "forge/cmd/cmd.h"

/*
 * It holds the seed of the machine's random source: nobody but the owner reads it. An image that is
 * there already is replaced by a new file, and its mode with it.
 */
static int image_write(const struct buf *image, const char *path)
{
	mode_t was = umask(0077);
	int r = buf_write_file(image, path);

	umask(was);
	return r;
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
	const struct args_option options[] = {
	        {"out", "file", &out, NULL},
	        {"machine-id", "32 hexadecimal digits", &values[0], NULL},
	        {"random-seed", "64 hexadecimal digits", &values[1], NULL},
	        {"boot-time", "unix seconds", &values[2], NULL},
	        {"cmdline", "text", &values[3], NULL},
	        {"root", "file", &values[4], NULL},
	        {"statement", "file", &values[5], NULL},
	        {0},
	};
	MEM_CLEANUP(boot_writer_fini) struct boot_writer w = {0};
	BUF_CLEANUP struct buf image = {0};
	int n_operands, r;
	size_t i;

	r = args_parse(argc, argv, options, &n_operands);
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
	return r < 0 ? r : image_write(&image, out);
}
