/* Refusals without a word, and the file that inputs are put into. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "forge/base/report.h"
#include "forge/fuzz/fuzz.h"

static char path[] = "/tmp/forge_fuzz.XXXXXX";
static volatile uint8_t sink;

int report_refuse(const char *where, const char *fmt, ...)
{
	fuzz_touch_text(where);
	return -EINVAL;
}

int report_errno(const char *where, int err, const char *fmt, ...)
{
	return -err;
}

int report_failed(const char *where, const char *fmt, ...)
{
	return -EIO;
}

void report_warn(const char *where, const char *fmt, ...)
{
}

static void file_remove(void)
{
	(void)unlink(path);
}

const char *fuzz_file(const uint8_t *data, size_t size)
{
	static int fd = -1;

	if (fd < 0) {
		fd = mkstemp(path);
		if (fd < 0 || atexit(file_remove) != 0) {
			abort();
		}
	}
	if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size) {
		abort();
	}
	return path;
}

struct buf fuzz_buf(const uint8_t *data, size_t size)
{
	struct buf b = {.bytes = malloc(size ? size : 1), .len = size, .capacity = size};

	if (b.bytes == NULL) {
		abort();
	}
	memcpy(b.bytes, data, size);
	return b;
}

void fuzz_touch(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	while (len-- > 0) {
		sink ^= *p++;
	}
}

void fuzz_touch_text(const char *text)
{
	sink ^= (uint8_t)strlen(text);
}
