/*
 * Loading ELF files through libelf, which bounds headers and strings; contents are given out
 * as pointers into our own copy of the file, so their places are checked here. Only what
 * every caller needs is asked (64-bit x86, little endian); relocatable or linked is the
 * caller's to know.
 *
 * Relocations are read of sections that are loaded only: those of debug data are many and nobody's
 * here. A linked program has none, unless the linker was told to keep them.
 *
 * After elf_file_init() every index in the tables is inside its table or one of the reserved
 * numbers, every pointer is inside ->data, and every relocation starts inside its section.
 */
#include "forge/elf/file.h"

#include <gelf.h>
#include <libelf.h>
#include <string.h>

#include "forge/base/report.h"

void elf_file_fini(struct elf_file *elf)
{
	size_t i;

	for (i = 0; i < elf->n_sections && elf->sections; i++) {
		free(elf->sections[i].relocs);
	}
	free(elf->label);
	free(elf->sections);
	free(elf->symbols);
	buf_fini(&elf->data);
	*elf = (struct elf_file){0};
}

static int elf_bad(const struct elf_file *f, const char *what)
{
	return report_refuse(f->label, "damaged ELF file: %s", what);
}

/* Without a sum that could wrap. */
static bool elf_range_is_inside(const struct elf_file *f, uint64_t off, uint64_t len)
{
	return off <= f->data.len && len <= f->data.len - off;
}

/* NOBITS has a size and no bytes. Names are NUL-terminated: elf_strptr() sees to that. */
static int elf_load_section(struct elf_file *f, Elf *e, size_t names, size_t i)
{
	struct elf_section *s = &f->sections[i];
	Elf_Scn *scn = elf_getscn(e, i);
	GElf_Shdr h;

	if (!scn || !gelf_getshdr(scn, &h)) {
		return elf_bad(f, "section header");
	}
	s->name = elf_strptr(e, names, h.sh_name);
	if (!s->name) {
		return elf_bad(f, "section name");
	}
	s->type = h.sh_type;
	s->flags = h.sh_flags;
	s->addr = h.sh_addr;
	s->size = h.sh_size;
	s->align = h.sh_addralign;
	if (h.sh_type == SHT_NOBITS || h.sh_type == SHT_NULL) {
		return 0;
	}
	if (!elf_range_is_inside(f, h.sh_offset, h.sh_size)) {
		return elf_bad(f, "section outside the file");
	}
	s->bytes = f->data.bytes + h.sh_offset;
	return 0;
}

/*
 * The one symbol table, if there is one; the null symbol at 0 is left out. Values are not
 * checked: they are addresses or offsets that users compare with sizes.
 */
static int elf_load_symbols(struct elf_file *f, Elf *e, size_t index)
{
	Elf_Data *data = elf_getdata(elf_getscn(e, index), NULL);
	size_t i, n = f->sections[index].size / sizeof(Elf64_Sym);
	GElf_Shdr h;
	GElf_Sym sym;

	if (!data || !gelf_getshdr(elf_getscn(e, index), &h)) {
		return elf_bad(f, "symbol table");
	}
	f->symbols = mem_zalloc(n, sizeof(*f->symbols));
	for (i = 1; i < n; i++) {
		struct elf_symbol *s = &f->symbols[f->n_symbols];

		if (!gelf_getsym(data, (int)i, &sym)) {
			return elf_bad(f, "symbol");
		}
		s->name = elf_strptr(e, h.sh_link, sym.st_name);
		if (!s->name) {
			return elf_bad(f, "symbol name");
		}
		s->value = sym.st_value;
		s->size = sym.st_size;
		s->section = sym.st_shndx;
		s->type = GELF_ST_TYPE(sym.st_info);
		s->bind = GELF_ST_BIND(sym.st_info);
		f->n_symbols++;
	}
	return 0;
}

/*
 * One section's relocations. libelf has seen to it that the table is inside the file; what its
 * entries say is checked here. The index of a symbol counts the null symbol, ->symbols does not.
 */
static int elf_load_relocs(struct elf_file *f, Elf_Scn *scn, const GElf_Shdr *h)
{
	struct elf_section *target = &f->sections[h->sh_info];
	const size_t n = h->sh_size / sizeof(Elf64_Rela);
	Elf_Data *data = elf_getdata(scn, NULL);
	GElf_Rela rela;
	size_t i, symbol;

	if (!data || target->relocs) {
		return elf_bad(f, "relocations");
	}
	target->relocs = mem_zalloc(n, sizeof(*target->relocs));
	for (i = 0; i < n; i++) {
		if (!gelf_getrela(data, (int)i, &rela)) {
			return elf_bad(f, "relocation");
		}
		symbol = GELF_R_SYM(rela.r_info);
		/* Of a linked file an address; the sections of others have none. */
		if (rela.r_offset - target->addr >= target->size || symbol > f->n_symbols) {
			return elf_bad(f, "relocation outside its section, or of no symbol");
		}
		target->relocs[target->n_relocs++] = (struct elf_reloc){
		        .offset = rela.r_offset - target->addr,
		        .type = (uint32_t)GELF_R_TYPE(rela.r_info),
		        .symbol = symbol ? (uint32_t)symbol - 1 : ELF_NO_SYMBOL,
		        .addend = rela.r_addend,
		};
	}
	return 0;
}

/*
 * Every table of relocations of a section that is loaded. x86-64 has only those with addends, in
 * one form; what is about a loaded section in another form (SHT_CREL, say) would be left out
 * without a word, and is refused.
 */
static int elf_load_all_relocs(struct elf_file *f, Elf *e, size_t symtab)
{
	GElf_Shdr h;
	size_t i;
	int r;

	for (i = 0; i < f->n_sections; i++) {
		Elf_Scn *scn = elf_getscn(e, i);

		if (f->sections[i].type != SHT_RELA && f->sections[i].type != SHT_REL &&
		        (f->sections[i].flags & SHF_INFO_LINK) == 0) {
			continue;
		}
		if (!gelf_getshdr(scn, &h) || h.sh_info >= f->n_sections) {
			return elf_bad(f, "relocations of no section");
		}
		if ((f->sections[h.sh_info].flags & SHF_ALLOC) == 0) {
			continue;
		}
		if (h.sh_type != SHT_RELA || h.sh_link != symtab) {
			return elf_bad(f, "relocations of another form than RELA, or of another "
			                  "symbol table");
		}
		r = elf_load_relocs(f, scn, &h);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static int elf_load_segments(struct elf_file *f)
{
	const Elf64_Ehdr *h = &f->header;

	if (h->e_phnum == 0) {
		return 0;
	}
	if (h->e_phoff % 8 != 0 ||
	        !elf_range_is_inside(f, h->e_phoff, h->e_phnum * sizeof(Elf64_Phdr))) {
		return elf_bad(f, "program headers");
	}
	f->segments = (const void *)(f->data.bytes + h->e_phoff);
	f->n_segments = h->e_phnum;
	return 0;
}

static int elf_load(struct elf_file *f, Elf *e)
{
	size_t names, i, symtab = 0;
	int r;

	if (elf_getshdrnum(e, &f->n_sections) < 0 || elf_getshdrstrndx(e, &names) < 0) {
		return elf_bad(f, elf_errmsg(-1));
	}
	/* From here on the numbers of sections in symbols would mean something else. */
	if (f->header.e_type == ET_REL && f->n_sections >= SHN_LORESERVE) {
		return report_refuse(
		        f->label, "%zu sections; at most %u", f->n_sections, SHN_LORESERVE - 1);
	}
	f->sections = mem_zalloc(f->n_sections, sizeof(*f->sections));
	for (i = 0; i < f->n_sections; i++) {
		r = elf_load_section(f, e, names, i);
		if (r < 0) {
			return r;
		}
		if (f->sections[i].type == SHT_SYMTAB) {
			symtab = i;
		}
	}
	r = symtab ? elf_load_symbols(f, e, symtab) : 0;
	if (r == 0 && symtab) {
		r = elf_load_all_relocs(f, e, symtab);
	}
	return r < 0 ? r : elf_load_segments(f);
}

static int elf_check_header(const struct elf_file *f)
{
	const Elf64_Ehdr *h = &f->header;

	if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0) {
		return report_refuse(f->label, "not an ELF file");
	}
	if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB ||
	        h->e_machine != EM_X86_64) {
		return report_refuse(f->label, "not a 64-bit x86 ELF file");
	}
	return 0;
}

/* *data goes to *ret_elf on success and stays the caller's on failure. */
int elf_file_init(struct elf_file *ret_elf, const char *label, struct buf *data)
{
	struct elf_file f = {.label = mem_strdup(label), .data = *data};
	Elf *e = NULL;
	int r;

	(void)elf_version(EV_CURRENT);
	if (f.data.len < sizeof(f.header)) {
		r = elf_bad(&f, "too short");
	} else {
		memcpy(&f.header, f.data.bytes, sizeof(f.header));
		r = elf_check_header(&f);
	}
	if (r == 0) {
		e = elf_memory((char *)f.data.bytes, f.data.len);
		r = e ? elf_load(&f, e) : elf_bad(&f, elf_errmsg(-1));
	}
	if (r < 0) {
		(void)elf_end(e);
		f.data = (struct buf){0};
		elf_file_fini(&f);
		return r;
	}
	/* Names point into f.data: elf_memory does not copy. */
	(void)elf_end(e);
	*data = (struct buf){0};
	*ret_elf = f;
	return 0;
}

int elf_file_read(struct elf_file *ret_elf, const char *path)
{
	BUF_CLEANUP struct buf data = {0};
	int r = buf_read_file(&data, path);

	return r < 0 ? r : elf_file_init(ret_elf, path, &data);
}

const struct elf_section *elf_symbol_section(
        const struct elf_file *elf, const struct elf_symbol *symbol)
{
	if (symbol->section == SHN_UNDEF || symbol->section >= elf->n_sections) {
		return NULL;
	}
	return &elf->sections[symbol->section];
}

bool elf_symbol_is_export(const struct elf_symbol *symbol)
{
	return symbol->section != SHN_UNDEF && symbol->bind != STB_LOCAL &&
	       symbol->type != STT_SECTION && symbol->type != STT_FILE;
}
