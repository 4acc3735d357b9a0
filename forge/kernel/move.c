/*
 * Moving a linked kernel by the relocations that the linker has kept. A section goes with .boot, which
 * runs where it lies in RAM, or with the rest, which runs where it is mapped; two absolute symbols say
 * where all RAM and the stacks are. Then every field that a relocation names is computed again.
 *
 * Each field is first computed for the old place and compared with what the linker wrote: a relocation
 * that means something else than we think (an access that the linker has rewritten, say) is an error
 * here and not a kernel that dies in one place of a thousand. What names no symbol cannot be moved, so
 * a constant that should have been a symbol is found by the tests, which compare a moved kernel with
 * one that lld has linked there.
 */
#include <string.h>

#include "forge/base/report.h"
#include "forge/kernel/priv.h"

#define MOVE_UPPER (UINT64_C(1) << 63)

static const struct elf_symbol *move_symbol_find(const struct elf_file *kernel, const char *name)
{
	for (size_t i = 0; i < kernel->n_symbols; i++) {
		if (strcmp(kernel->symbols[i].name, name) == 0) {
			return &kernel->symbols[i];
		}
	}
	return NULL;
}

uint64_t kernel_bytes(const struct elf_file *kernel)
{
	const struct elf_symbol *load = move_symbol_find(kernel, "kernel_load"),
	                        *load_text = move_symbol_find(kernel, "kernel_load_text"),
	                        *text = move_symbol_find(kernel, "kernel_text_start"),
	                        *end = move_symbol_find(kernel, "kernel_end");

	if (!load || !load_text || !text || !end) {
		return 0;
	}
	return load_text->value - load->value + end->value - text->value;
}

uint64_t kernel_shift_section(const struct kernel_shift *shift, const struct elf_section *section)
{
	if ((section->flags & SHF_ALLOC) == 0) {
		return 0;
	}
	return section->addr & MOVE_UPPER ? shift->base : shift->load;
}

bool kernel_shift_symbol(
        const struct kernel_shift *shift, const struct elf_symbol *symbol, uint64_t *ret_value)
{
	const struct elf_section *section = elf_symbol_section(shift->kernel, symbol);

	if (section) {
		*ret_value = symbol->value + kernel_shift_section(shift, section);
	} else if (strcmp(symbol->name, "kernel_direct") == 0) {
		*ret_value = shift->place->direct;
	} else if (strcmp(symbol->name, "kernel_stacks") == 0) {
		*ret_value = shift->place->stacks;
	} else {
		*ret_value = symbol->value;
		return strcmp(symbol->name, "kernel_pages") == 0; /* a number, and no address */
	}
	return true;
}

/* A relocation's kind: its field's bytes, and what the field cannot hold. */
struct move_kind {
	uint32_t type;
	size_t bytes;
	bool is_relative;
	uint64_t low, n; /* values from low on, n of them; 0: all */
};

static const struct move_kind move_kinds[] = {
        {R_X86_64_64, 8, false, 0, 0},
        {R_X86_64_32, 4, false, 0, UINT64_C(1) << 32},
        {R_X86_64_32S, 4, false, -(UINT64_C(1) << 31), UINT64_C(1) << 32},
        {R_X86_64_PC32, 4, true, -(UINT64_C(1) << 31), UINT64_C(1) << 32},
        {R_X86_64_PLT32, 4, true, -(UINT64_C(1) << 31), UINT64_C(1) << 32},
};

static const struct move_kind *move_kind_find(uint32_t type)
{
	for (size_t i = 0; i < sizeof(move_kinds) / sizeof(move_kinds[0]); i++) {
		if (move_kinds[i].type == type) {
			return &move_kinds[i];
		}
	}
	return NULL;
}

/* Replace the old value in a field by the new one; false: it is not there, or the new one does not fit. */
static bool move_field(const struct move_kind *kind, uint8_t *field, uint64_t was, uint64_t is)
{
	if (memcmp(field, &was, kind->bytes) != 0 || (kind->n != 0 && is - kind->low >= kind->n)) {
		return false;
	}
	memcpy(field, &is, kind->bytes);
	return true;
}

static int move_reloc(const struct kernel_shift *shift, const struct elf_section *section,
        const struct elf_reloc *reloc, uint8_t *bytes)
{
	const struct move_kind *kind = move_kind_find(reloc->type);
	const struct elf_symbol *symbol =
	        reloc->symbol != ELF_NO_SYMBOL ? &shift->kernel->symbols[reloc->symbol] : NULL;
	const uint64_t at = section->addr + reloc->offset, addend = (uint64_t)reloc->addend;
	uint64_t value;

	if (!kind || !symbol || section->size - reloc->offset < kind->bytes) {
		return report_refuse(shift->kernel->label, "%s+%#lx: relocation %u cannot be moved",
		        section->name, reloc->offset, reloc->type);
	}
	if (!kernel_shift_symbol(shift, symbol, &value)) {
		return report_refuse(shift->kernel->label, "%s+%#lx: what is %s?", section->name,
		        reloc->offset, symbol->name);
	}
	if (!move_field(kind, bytes + reloc->offset,
	            symbol->value + addend - (kind->is_relative ? at : 0),
	            value + addend -
	                    (kind->is_relative ? at + kernel_shift_section(shift, section) : 0))) {
		return report_refuse(shift->kernel->label,
		        "%s+%#lx: not the address of %s, or out of reach", section->name,
		        reloc->offset, symbol->name);
	}
	return 0;
}

static int move_section(
        const struct kernel_shift *shift, const struct elf_section *section, struct buf *image)
{
	const size_t offset = (size_t)(section->bytes - shift->kernel->data.bytes);
	int r = 0;

	if (offset > image->len || section->size > image->len - offset) {
		return report_refuse(shift->kernel->label, "%s is in no segment", section->name);
	}
	/* What the headers say has been checked, and is not to be another by a relocation. */
	if (offset < sizeof(Elf64_Ehdr)) {
		return report_refuse(shift->kernel->label, "damaged ELF file: %s is in its header",
		        section->name);
	}
	for (size_t i = 0; i < section->n_relocs && r == 0; i++) {
		r = move_reloc(shift, section, &section->relocs[i], image->bytes + offset);
	}
	return r;
}

/* The file as far as its segments go. */
static int move_image(const struct elf_file *kernel, struct buf *ret_image)
{
	uint64_t end = 0;

	for (size_t i = 0; i < kernel->n_segments; i++) {
		const Elf64_Phdr *segment = &kernel->segments[i];

		if (segment->p_offset > kernel->data.len ||
		        segment->p_filesz > kernel->data.len - segment->p_offset) {
			return report_refuse(
			        kernel->label, "damaged ELF file: a segment outside the file");
		}
		end = segment->p_offset + segment->p_filesz > end
		              ? segment->p_offset + segment->p_filesz
		              : end;
	}
	if (end < sizeof(Elf64_Ehdr) ||
	        end < kernel->header.e_phoff + kernel->n_segments * sizeof(Elf64_Phdr)) {
		return report_refuse(kernel->label, "damaged ELF file: no segments");
	}
	buf_add(ret_image, kernel->data.bytes, end);
	return 0;
}

/* Segments go with what lies in them: its address in virtual memory, and that in RAM. */
static void move_headers(const struct kernel_shift *shift, struct buf *image)
{
	Elf64_Ehdr *header = (void *)image->bytes;
	Elf64_Phdr *segments = (void *)(image->bytes + header->e_phoff);

	header->e_entry += shift->load;
	for (size_t i = 0; i < header->e_phnum; i++) {
		segments[i].p_vaddr += segments[i].p_vaddr & MOVE_UPPER ? shift->base : shift->load;
		segments[i].p_paddr += shift->load;
	}
}

static int move_shift(const struct elf_file *kernel, const struct kernel_place *place,
        struct kernel_shift *ret_shift)
{
	const struct elf_symbol *load = move_symbol_find(kernel, "kernel_load"),
	                        *load_text = move_symbol_find(kernel, "kernel_load_text"),
	                        *text = move_symbol_find(kernel, "kernel_text_start");
	size_t n_relocs = 0;

	for (size_t i = 0; i < kernel->n_sections; i++) {
		n_relocs += kernel->sections[i].n_relocs;
	}
	if (kernel_bytes(kernel) == 0 || n_relocs == 0) {
		return report_refuse(kernel->label,
		        "not a kernel that can be moved; samsara-kernel as it was linked is one");
	}
	*ret_shift = (struct kernel_shift){
	        .kernel = kernel,
	        .place = place,
	        .load = place->load - load->value,
	        .base = place->base - (text->value - (load_text->value - load->value)),
	};
	return 0;
}

int kernel_move(
        const struct elf_file *kernel, const struct kernel_place *place, struct buf *ret_kernel)
{
	BUF_CLEANUP struct buf image = {0};
	struct kernel_shift shift;
	int r = move_shift(kernel, place, &shift);

	if (r == 0) {
		r = move_image(kernel, &image);
	}
	for (size_t i = 0; i < kernel->n_sections && r == 0; i++) {
		if (kernel->sections[i].flags & SHF_ALLOC && kernel->sections[i].bytes) {
			r = move_section(&shift, &kernel->sections[i], &image);
		}
	}
	if (r == 0) {
		move_headers(&shift, &image);
		kernel_write(&shift, &image, ret_kernel);
	}
	return r;
}
