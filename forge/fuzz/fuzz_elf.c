/*
 * ELF files: sections, symbols, relocations and segments of whatever is accepted can be read
 * to the last byte, and what a relocation names is there.
 */
#include "forge/elf/file.h"
#include "forge/fuzz/fuzz.h"

static void elf_walk_relocs(const struct elf_file *elf, const struct elf_section *section)
{
	for (size_t i = 0; i < section->n_relocs; i++) {
		const struct elf_reloc *reloc = &section->relocs[i];

		if (reloc->offset >= section->size) {
			__builtin_trap();
		}
		if (section->bytes != NULL) {
			fuzz_touch(section->bytes + reloc->offset, 1);
		}
		if (reloc->symbol != ELF_NO_SYMBOL) {
			fuzz_touch_text(elf->symbols[reloc->symbol].name);
		}
	}
}

static void elf_walk(const struct elf_file *elf)
{
	for (size_t i = 0; i < elf->n_sections; i++) {
		fuzz_touch_text(elf->sections[i].name);
		if (elf->sections[i].bytes != NULL) {
			fuzz_touch(elf->sections[i].bytes, elf->sections[i].size);
		}
		elf_walk_relocs(elf, &elf->sections[i]);
	}
	for (size_t i = 0; i < elf->n_symbols; i++) {
		const struct elf_section *section = elf_symbol_section(elf, &elf->symbols[i]);

		fuzz_touch_text(elf->symbols[i].name);
		fuzz_touch(section, section != NULL ? sizeof(*section) : 0);
		(void)elf_symbol_is_export(&elf->symbols[i]);
	}
	fuzz_touch(elf->segments, elf->n_segments * sizeof(*elf->segments));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf bytes = fuzz_buf(data, size);
	struct elf_file elf;

	if (elf_file_init(&elf, "fuzz", &bytes) == 0) {
		elf_walk(&elf);
		elf_file_fini(&elf);
	}
	buf_fini(&bytes);
	return 0;
}
