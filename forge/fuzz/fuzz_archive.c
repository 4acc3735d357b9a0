/*
 * Archives: every name that stands in the file is asked for, so that each member that the index
 * names is taken out.
 */
#include <ctype.h>
#include <string.h>

#include "forge/elf/archive.h"
#include "forge/fuzz/fuzz.h"

#define NEEDS_MAX 64

/* Names in the input: runs of letters of a symbol, NUL behind them. */
static size_t needs_find(const uint8_t *data, size_t size, struct elf_symbol needs[NEEDS_MAX])
{
	size_t n = 0, start = 0;

	for (size_t i = 0; i < size && n < NEEDS_MAX; i++) {
		if (isalnum(data[i]) || data[i] == '_') {
			continue;
		}
		if (data[i] == '\0' && i > start) {
			needs[n++] = (struct elf_symbol){.name = (const char *)data + start,
			        .section = SHN_UNDEF,
			        .bind = STB_GLOBAL};
		}
		start = i + 1;
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *const paths[] = {fuzz_file(data, size)};
	struct object_list list = {0};
	struct elf_file needs = {.label = mem_strdup("needs")};

	needs.symbols = mem_zalloc(NEEDS_MAX, sizeof(*needs.symbols));
	needs.n_symbols = needs_find(data, size, needs.symbols);
	object_list_add(&list, &needs, NULL, NULL);
	if (archive_resolve(&list, paths, 1) == 0) {
		for (size_t i = 1; i < list.n; i++) {
			fuzz_touch_text(list.items[i].member);
			fuzz_touch(list.items[i].elf.data.bytes, list.items[i].elf.data.len);
		}
	}
	object_list_fini(&list);
	return 0;
}
