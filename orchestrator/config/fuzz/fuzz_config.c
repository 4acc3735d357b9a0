/*
 * lud's configuration file. What is refused names a place and a cause; what is accepted can be
 * completed, checked, printed, and read back to the same text.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "orchestrator/config/config.h"

static char path[] = "/tmp/fuzz_config.XXXXXX";
static int fd = -1;

static void file_remove(void)
{
	(void)unlink(path);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	fd = mkstemp(path);
	if (fd < 0 || atexit(file_remove) != 0) {
		abort();
	}
	return 0;
}

static int read_text(struct config *config, const void *text, size_t len)
{
	struct failure failure = {0};
	int r;

	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, len, 0) != (ssize_t)len) {
		abort();
	}
	config_init(config, "/usr/bin");
	r = config_read(config, path, &failure);
	if (r < 0 && (failure.place[0] == '\0' || failure.cause[0] == '\0')) {
		abort();
	}
	return r;
}

static char *print(struct config *config)
{
	struct failure failure;
	char *text = NULL;
	size_t len;
	FILE *stream = open_memstream(&text, &len);

	if (stream == NULL) {
		abort();
	}
	config_complete(config);
	(void)!config_check(config, &failure);
	config_print(config, stream);
	(void)fclose(stream);
	return text;
}

/* A plain scalar cannot hold every path: what needs quotes is not compared. */
static int is_plain(const char *text)
{
	return strpbrk(text, "#'&*!|>%@`{}[]?,\\\t") == NULL && strstr(text, ": -") == NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config config, again;
	char *text, *text_again;

	if (read_text(&config, data, size) == 0) {
		text = print(&config);
		if (is_plain(text) && read_text(&again, text, strlen(text)) == 0) {
			text_again = print(&again);
			if (strcmp(text, text_again) != 0) {
				abort();
			}
			free(text_again);
			config_fini(&again);
		}
		free(text);
	}
	config_fini(&config);
	return 0;
}
