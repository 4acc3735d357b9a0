/*
 * Objects as the oracle links them. lld orders sections by the names of symbols in them, so every
 * piece gets one of its own. What else differs from the object says what our linker does by
 * itself: site witnesses are kept (lld's script would need a place of its own for them), and a
 * writable object that is never written lies among the constants.
 *
 *   the object as it was | symbols, with the new ones behind | names of symbols and sections
 *
 * Headers stay where they are and the new tables take the places of the old ones in them, so no
 * number of a section or symbol changes, and relocations stay good.
 */
#include <string.h>

#include "forge/base/report.h"
#include "forge/piece/priv.h"

/* An object while it is copied. Headers are read and written by memcpy(): they may lie anywhere. */
struct piece_copy {
	const struct piece_set *set;
	const struct elf_file *elf;
	size_t input;
	struct buf *out;
	struct buf symbols, strings;
	struct buf other_names;    /* of sections, when they have a table of their own */
	struct buf *section_names; /* that one, or the strings: LLVM has one table for both */
	size_t symtab, strtab, shstrtab;
};

static Elf64_Shdr piece_header(const struct piece_copy *c, size_t section)
{
	Elf64_Shdr h;

	memcpy(&h, c->out->bytes + c->elf->header.e_shoff + section * sizeof(h), sizeof(h));
	return h;
}

static void piece_put_header(struct piece_copy *c, size_t section, const Elf64_Shdr *h)
{
	memcpy(c->out->bytes + c->elf->header.e_shoff + section * sizeof(*h), h, sizeof(*h));
}

/* Where the tables are. libelf has checked their places when the file was read. */
static int piece_copy_open(struct piece_copy *c)
{
	const struct elf_file *elf = c->elf;
	size_t i;

	for (i = 0; i < elf->n_sections; i++) {
		if (elf->sections[i].type == SHT_SYMTAB) {
			c->symtab = i;
		}
	}
	c->shstrtab = elf->header.e_shstrndx;
	c->strtab = c->symtab ? piece_header(c, c->symtab).sh_link : 0;
	if (c->symtab == 0 || c->strtab >= elf->n_sections || c->shstrtab >= elf->n_sections ||
	        !elf->sections[c->strtab].bytes || !elf->sections[c->shstrtab].bytes ||
	        elf->header.e_shentsize != sizeof(Elf64_Shdr)) {
		return report_refuse(elf->label, "no symbol table of the usual form");
	}
	buf_add(&c->symbols, elf->sections[c->symtab].bytes, elf->sections[c->symtab].size);
	buf_add(&c->strings, elf->sections[c->strtab].bytes, elf->sections[c->strtab].size);
	if (c->shstrtab == c->strtab) {
		c->section_names = &c->strings;
	} else {
		c->section_names = &c->other_names;
		buf_add(&c->other_names, elf->sections[c->shstrtab].bytes,
		        elf->sections[c->shstrtab].size);
	}
	return 0;
}

/* The symbol of one piece; global ones stand behind the local ones, so the end is right. */
static void piece_copy_symbol(struct piece_copy *c, const struct piece *p)
{
	const Elf64_Sym symbol = {
	        .st_name = (uint32_t)c->strings.len,
	        .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE),
	        .st_shndx = (uint16_t)p->section,
	};

	buf_add(&c->symbols, &symbol, sizeof(symbol));
	buf_printf(&c->strings, "lu.piece.%u", p->number);
	buf_add(&c->strings, "", 1);
}

/* Witnesses and constants by another name; other sections keep theirs. */
static void piece_copy_section(struct piece_copy *c, const struct piece *p)
{
	Elf64_Shdr h = piece_header(c, p->section);
	const char *name = NULL;

	if (strncmp(p->from->name, ELF_SITES, sizeof(ELF_SITES) - 1) == 0) {
		name = ".data.lu_sites";
		h.sh_flags |= SHF_GNU_RETAIN;
	} else if (p->class == FLAT_CONST && strncmp(p->from->name, ".data.rel.ro", 12) != 0 &&
	           (p->from->flags & SHF_WRITE)) {
		name = ".data.rel.ro.constant";
	}
	if (name) {
		h.sh_name = (uint32_t)c->section_names->len;
		buf_add(c->section_names, name, strlen(name) + 1);
		piece_put_header(c, p->section, &h);
	}
}

/* A table at the end of the file, in the place of the old one. */
static void piece_copy_table(struct piece_copy *c, size_t section, const struct buf *table)
{
	Elf64_Shdr h = piece_header(c, section);

	buf_align(c->out, 8);
	h.sh_offset = c->out->len;
	h.sh_size = table->len;
	buf_add(c->out, table->bytes, table->len);
	piece_put_header(c, section, &h);
}

static void piece_copy_fini(struct piece_copy *c)
{
	buf_fini(&c->symbols);
	buf_fini(&c->strings);
	buf_fini(&c->other_names);
}

int piece_write_object(const struct piece_set *set, size_t i, struct buf *ret_object)
{
	MEM_CLEANUP(piece_copy_fini)
	struct piece_copy c = {
	        .set = set, .elf = set->request.inputs[i].elf, .input = i, .out = ret_object};
	size_t k;
	int r;

	buf_add(ret_object, c.elf->data.bytes, c.elf->data.len);
	r = piece_copy_open(&c);
	for (k = 0; k < set->n && r == 0; k++) {
		const struct piece *p = &set->pieces[k];

		if (p->input != i) {
			continue;
		}
		piece_copy_section(&c, p);
		if (p->live) {
			piece_copy_symbol(&c, p);
		}
	}
	if (r < 0) {
		return r;
	}
	piece_copy_table(&c, c.symtab, &c.symbols);
	piece_copy_table(&c, c.strtab, &c.strings);
	if (c.shstrtab != c.strtab) {
		piece_copy_table(&c, c.shstrtab, &c.other_names);
	}
	return 0;
}
