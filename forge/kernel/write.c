/*
 * The file of a moved kernel: the segments that a machine is started with, and behind them the symbols
 * in their new places, by which addresses in a panic are read. Debug data stays in the file that was
 * linked; it says the same of every place.
 */
#include <string.h>

#include "forge/kernel/priv.h"

struct write {
	const struct kernel_shift *shift;
	uint32_t *sections;  /* of each old section, its number in the new file; owned */
	Elf64_Shdr *headers; /* owned */
	size_t n;
	struct buf names, symbols, strings, *out;
};

static uint32_t write_name(struct buf *names, const char *name)
{
	const size_t at = names->len;

	buf_add(names, name, strlen(name) + 1);
	return (uint32_t)at;
}

/* Sections that are loaded keep their places in the file. */
static void write_loaded(struct write *w)
{
	const struct elf_file *kernel = w->shift->kernel;

	for (size_t i = 1; i < kernel->n_sections; i++) {
		const struct elf_section *section = &kernel->sections[i];

		if ((section->flags & SHF_ALLOC) == 0) {
			continue;
		}
		w->sections[i] = (uint32_t)w->n;
		w->headers[w->n++] = (Elf64_Shdr){
		        .sh_name = write_name(&w->names, section->name),
		        .sh_type = section->type,
		        .sh_flags = section->flags & ~(uint64_t)(SHF_MERGE | SHF_STRINGS),
		        .sh_addr = section->addr + kernel_shift_section(w->shift, section),
		        .sh_offset = section->bytes
		                             ? (uint64_t)(section->bytes - kernel->data.bytes)
		                             : w->out->len,
		        .sh_size = section->size,
		        .sh_addralign = section->align,
		};
	}
}

static void write_table(struct write *w, const char *name, uint32_t type, const struct buf *bytes)
{
	buf_align(w->out, 8);
	w->headers[w->n++] = (Elf64_Shdr){
	        .sh_name = write_name(&w->names, name),
	        .sh_type = type,
	        .sh_offset = w->out->len,
	        .sh_size = bytes->len,
	        .sh_addralign = 8,
	};
	buf_add(w->out, bytes->bytes, bytes->len);
}

/* Where a symbol of the old file goes; false: it is of a section that does not. */
static bool write_symbol_place(
        const struct write *w, const struct elf_symbol *symbol, Elf64_Sym *new)
{
	const struct elf_section *section = elf_symbol_section(w->shift->kernel, symbol);

	if (*symbol->name == '\0' || (section && (section->flags & SHF_ALLOC) == 0)) {
		return false;
	}
	new->st_shndx = section ? (uint16_t)w->sections[symbol->section] : SHN_ABS;
	return kernel_shift_symbol(w->shift, symbol, &new->st_value);
}

/* Functions, variables and marks of assembly; local ones are first, in both files. Return how many of those. */
static uint32_t write_symbols(struct write *w)
{
	const struct elf_file *kernel = w->shift->kernel;
	uint32_t n_local = 1;

	buf_add_zero(&w->symbols, sizeof(Elf64_Sym));
	buf_add_zero(&w->strings, 1);
	for (size_t i = 0; i < kernel->n_symbols; i++) {
		const struct elf_symbol *symbol = &kernel->symbols[i];
		Elf64_Sym new = {.st_info = ELF64_ST_INFO(symbol->bind, symbol->type),
		        .st_size = symbol->size};

		if (!write_symbol_place(w, symbol, &new)) {
			continue;
		}
		n_local += symbol->bind == STB_LOCAL;
		new.st_name = write_name(&w->strings, symbol->name);
		buf_add(&w->symbols, &new, sizeof(new));
	}
	return n_local;
}

static void write_tables(struct write *w)
{
	const uint32_t n_local = write_symbols(w);
	Elf64_Shdr *names;

	write_table(w, ".symtab", SHT_SYMTAB, &w->symbols);
	w->headers[w->n - 1].sh_info = n_local;
	w->headers[w->n - 1].sh_entsize = sizeof(Elf64_Sym);
	w->headers[w->n - 1].sh_link = (uint32_t)w->n;
	write_table(w, ".strtab", SHT_STRTAB, &w->strings);
	names = &w->headers[w->n];
	write_table(w, ".shstrtab", SHT_STRTAB, &w->names);
	/* Its own name came last. */
	names->sh_size = w->names.len;
}

static void write_headers(struct write *w)
{
	Elf64_Ehdr *header;

	buf_align(w->out, 8);
	header = (void *)w->out->bytes;
	header->e_shoff = w->out->len;
	header->e_shnum = (uint16_t)w->n;
	header->e_shstrndx = (uint16_t)(w->n - 1);
	buf_add(w->out, w->headers, w->n * sizeof(*w->headers));
}

void kernel_write(const struct kernel_shift *shift, const struct buf *image, struct buf *ret_kernel)
{
	struct write w = {.shift = shift, .n = 1, .out = ret_kernel};
	const size_t n = shift->kernel->n_sections + 4; /* three tables, and none */

	w.sections = mem_zalloc(n, sizeof(*w.sections));
	w.headers = mem_zalloc(n, sizeof(*w.headers));
	buf_add_zero(&w.names, 1);
	buf_add(w.out, image->bytes, image->len);
	write_loaded(&w);
	write_tables(&w);
	write_headers(&w);
	free(w.sections);
	free(w.headers);
	buf_fini(&w.names);
	buf_fini(&w.symbols);
	buf_fini(&w.strings);
}
