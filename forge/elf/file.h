#pragma once
/* An x86-64 ELF file in memory: sections, symbols, relocations, segments, checked on loading. */
#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "forge/base/mem.h"

struct elf_symbol {
	const char *name;
	uint64_t value; /* address; offset in its section for a relocatable file */
	uint64_t size;
	uint32_t section; /* SHN_UNDEF, an index, or a reserved number */
	uint8_t type;     /* STT_* */
	uint8_t bind;     /* STB_* */
};

/* A relocation: its field begins inside the section. */
struct elf_reloc {
	uint64_t offset;
	uint32_t type;   /* R_X86_64_* */
	uint32_t symbol; /* index in ->symbols, or ELF_NO_SYMBOL */
	int64_t addend;
};

#define ELF_NO_SYMBOL UINT32_MAX

/* The section of witnesses of allocation sites (heap_new()); also NAME.SYMBOL, for one each. */
#define ELF_SITES "lu_sites"

struct elf_section {
	const char *name;
	uint32_t type;  /* SHT_* */
	uint64_t flags; /* SHF_* */
	uint64_t addr, size, align;
	const uint8_t *bytes; /* NULL for SHT_NOBITS */
	/* Of a section that is loaded, in file order. */
	struct elf_reloc *relocs; /* owned */
	size_t n_relocs;
};

struct elf_file {
	char *label;     /* how errors call it; owned */
	struct buf data; /* the file */
	Elf64_Ehdr header;
	struct elf_section *sections; /* [n_sections], index 0 included */
	size_t n_sections;
	struct elf_symbol *symbols; /* named and section symbols, in file order */
	size_t n_symbols;
	const Elf64_Phdr *segments;
	size_t n_segments;
};

void elf_file_fini(struct elf_file *elf);

/* Take over `data` (emptied on success) and read its tables. */
int elf_file_init(struct elf_file *ret_elf, const char *label, struct buf *data);
int elf_file_read(struct elf_file *ret_elf, const char *path);

/* The section a symbol is defined in, or NULL (undefined, absolute). */
const struct elf_section *elf_symbol_section(
        const struct elf_file *elf, const struct elf_symbol *symbol);

/* Is this the name of something defined and visible to other files? */
bool elf_symbol_is_export(const struct elf_symbol *symbol);
