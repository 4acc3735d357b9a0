/* Names of pieces: for people, and of nobody's word; nothing is decided by them. */
#include <string.h>

#include "forge/kit/kit.h"
#include "host/text/escape.h"

char *kit_piece_name(const struct kit *kit, uint32_t piece)
{
	size_t len;
	const char *line = (const char *)kit_dir_file(&kit->dir, "names", &len);
	uint32_t i;

	for (i = 0; i < piece && line; i++) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	if (!line || *line == '\0') {
		return mem_printf("piece %u", piece);
	}
	MEM_FREE char *name = mem_printf("%.*s", (int)strcspn(line, "\n"), line);
	return text_escape_new(name);
}
