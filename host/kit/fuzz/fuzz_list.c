/*
 * Lists of kits' files: any bytes. A list that is accepted has one form only, so writing it gives
 * the bytes that were read; its paths stay inside the kit and are found again.
 */
#include <stdlib.h>
#include <string.h>

#include "host/kit/list.h"

static void require(int condition)
{
	if (!condition) {
		abort();
	}
}

static void list_check(const struct kit_list *list, const uint8_t *data, size_t size)
{
	char *text = NULL;
	size_t len = 0;

	require(list->n <= KIT_FILES_MAX);
	for (size_t i = 0; i < list->n; i++) {
		const struct kit_list_entry *entry = &list->entries[i];

		require(memchr(entry->path, 0, sizeof(entry->path)) != NULL);
		require(kit_path_is_valid(entry->path) && entry->len <= KIT_FILE_BYTES_MAX);
		require(strstr(entry->path, "..") != entry->path && entry->path[0] != '/');
		require(kit_list_find(list, entry->path) == entry);
		require(i == 0 || strcmp(list->entries[i - 1].path, entry->path) < 0);
	}
	require(kit_list_write(list, &text, &len) == 0);
	require(len == size && memcmp(text, data, size) == 0);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size + (size == 0)); /* ASan sees the first byte too far */
	struct kit_list list = {0};
	struct kit_fault fault;

	require(exact != NULL);
	memcpy(exact, data, size);
	if (kit_list_parse(&list, exact, size, "list", &fault) == 0) {
		list_check(&list, data, size);
	} else {
		require(fault.text[0] != '\0');
	}
	kit_list_fini(&list);
	free(exact);
	return 0;
}
