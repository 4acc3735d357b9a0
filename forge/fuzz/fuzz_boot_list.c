/*
 * Lists of boot images. Works in an empty directory; what a list names by an absolute path, it
 * would have to guess. An image that is written passes its own check.
 */
#include <stdio.h>
#include <unistd.h>

#include "forge/boot/writer.h"
#include "forge/fuzz/fuzz.h"

static char directory[] = "/tmp/forge_fuzz_boot.XXXXXX";

static void directory_remove(void)
{
	(void)rmdir(directory);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	if (mkdtemp(directory) == NULL || atexit(directory_remove) != 0 || chdir(directory) != 0) {
		abort();
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = fuzz_file(data, size);
	struct boot_writer writer = {0};
	struct buf image = {0};

	if (boot_writer_read_list(&writer, path) == 0 && boot_writer_finish(&writer, &image) == 0) {
		fuzz_touch(image.bytes, image.len);
	}
	buf_fini(&image);
	boot_writer_fini(&writer);
	return 0;
}
