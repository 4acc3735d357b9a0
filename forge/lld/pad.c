/*
 * Writing the pads' object file by hand: a null section, one section per pad, a symbol table,
 * a string table that also holds section names. No assembler has to run, and the file has no
 * byte that is not drawn or fixed.
 *
 *   ELF header | bytes of the pads | symbols | strings | section headers: null, pad 0..n-1, .symtab, .strtab
 *
 * Pads are kept by SHF_GNU_RETAIN, since nothing refers to them. Code pads are int3: running
 * into one is a trap, and so a finding.
 */
#include "forge/lld/pad.h"

#include <elf.h>
#include <string.h>

_Static_assert(PAD_MAX + 3 < SHN_LORESERVE, "section numbers are 16 bits");

#ifndef SHF_GNU_RETAIN
#define SHF_GNU_RETAIN (1 << 21)
#endif

/* What a pad of each class looks like: the section that the script will sort it into. */
static const struct pad_kind {
	const char *section;
	uint32_t type;
	uint64_t flags;
	uint8_t fill;
} pad_kinds[_FLAT_CLASS_N] = {
        [FLAT_TEXT] = {".text.lupad", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 0xcc},
        [FLAT_CONST] = {".rodata.lupad", SHT_PROGBITS, SHF_ALLOC, 0},
        [FLAT_DATA] = {".data.lupad", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, 0},
        [FLAT_ZERO] = {".bss.lupad", SHT_NOBITS, SHF_ALLOC | SHF_WRITE, 0},
};

void pad_list_fini(struct pad_list *list)
{
	free(list->items);
	*list = (struct pad_list){0};
}

size_t pad_list_add(struct pad_list *list, enum flat_class class, uint32_t size)
{
	MEM_PUSH(list->items, list->n, list->capacity);
	list->items[list->n] = (struct pad){class, size};
	return list->n++;
}

/* The parts of the file that are gathered beside it. */
struct pad_writer {
	struct buf *out;
	struct buf headers, symbols, strings;
};

/* Where the string went. Not shared: names are all different. */
static uint32_t pad_string(struct pad_writer *w, const char *s)
{
	const size_t at = w->strings.len;

	buf_add(&w->strings, s, strlen(s) + 1);
	return (uint32_t)at;
}

/*
 * One pad: its bytes at the end of the file so far, its header, its symbol. Section n + 1 is
 * pad n.
 */
static void pad_write_section(struct pad_writer *w, const struct pad *pad, size_t number)
{
	const struct pad_kind *kind = &pad_kinds[pad->class];
	MEM_FREE char *section = mem_printf("%s.%zu", kind->section, number);
	MEM_FREE char *symbol = mem_printf("lupad.%zu", number);
	Elf64_Shdr h = {
	        .sh_name = pad_string(w, section),
	        .sh_type = kind->type,
	        .sh_flags = kind->flags | SHF_GNU_RETAIN,
	        .sh_offset = w->out->len,
	        .sh_size = pad->size,
	        .sh_addralign = 1,
	};
	Elf64_Sym s = {
	        .st_name = pad_string(w, symbol),
	        .st_info = ELF64_ST_INFO(STB_LOCAL, STT_NOTYPE),
	        /* With 65,280 pads or more, the extended index table would be needed. */
	        .st_shndx = (uint16_t)(number + 1),
	        .st_size = pad->size,
	};

	buf_add(&w->headers, &h, sizeof(h));
	buf_add(&w->symbols, &s, sizeof(s));
	if (kind->type == SHT_PROGBITS) {
		buf_add_zero(w->out, pad->size);
		memset(w->out->bytes + w->out->len - pad->size, kind->fill, pad->size);
	}
}

/* Append the bytes of a table and the header that describes it. */
static void pad_write_table(struct pad_writer *w, const struct buf *bytes, Elf64_Shdr h)
{
	buf_align(w->out, 8);
	h.sh_offset = w->out->len;
	h.sh_size = bytes->len;
	h.sh_addralign = 8;
	buf_add(w->out, bytes->bytes, bytes->len);
	buf_add(&w->headers, &h, sizeof(h));
}

/* Sections are counted with the null one and the two tables; PAD_MAX keeps that below 2^16. */
static Elf64_Ehdr pad_header(size_t n_pads, size_t headers_off)
{
	return (Elf64_Ehdr){
	        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT,
	                ELFOSABI_GNU},
	        .e_type = ET_REL,
	        .e_machine = EM_X86_64,
	        .e_version = EV_CURRENT,
	        .e_shoff = headers_off,
	        .e_ehsize = sizeof(Elf64_Ehdr),
	        .e_shentsize = sizeof(Elf64_Shdr),
	        .e_shnum = (uint16_t)(n_pads + 3),
	        .e_shstrndx = (uint16_t)(n_pads + 2),
	};
}

void pad_list_write(const struct pad_list *list, struct buf *ret_object)
{
	struct pad_writer w = {.out = ret_object};
	const size_t n = list->n;
	uint32_t table_name;
	Elf64_Ehdr header;
	size_t i;

	(void)pad_string(&w, "");
	table_name = pad_string(&w, ".tables");
	buf_add_zero(ret_object, sizeof(header));
	buf_add_zero(&w.headers, sizeof(Elf64_Shdr));
	buf_add_zero(&w.symbols, sizeof(Elf64_Sym));
	for (i = 0; i < n; i++) {
		pad_write_section(&w, &list->items[i], i);
	}
	pad_write_table(&w, &w.symbols,
	        (Elf64_Shdr){.sh_name = table_name,
	                .sh_type = SHT_SYMTAB,
	                .sh_link = (uint32_t)n + 2,
	                .sh_info = (uint32_t)n + 1,
	                .sh_entsize = sizeof(Elf64_Sym)});
	pad_write_table(&w, &w.strings, (Elf64_Shdr){.sh_name = table_name, .sh_type = SHT_STRTAB});
	buf_align(ret_object, 8);
	header = pad_header(n, ret_object->len);
	buf_add(ret_object, w.headers.bytes, w.headers.len);
	memcpy(ret_object->bytes, &header, sizeof(header));
	buf_fini(&w.headers);
	buf_fini(&w.symbols);
	buf_fini(&w.strings);
}
