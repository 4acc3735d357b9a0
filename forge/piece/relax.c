/*
 * Relocations in their last form. Five kinds come in, two are left:
 *
 *   R_X86_64_64                       ABS64
 *   R_X86_64_PC32, PLT32              PC32; in a static program the PLT is never gone through
 *   R_X86_64_GOTPCRELX, REX_...       PC32, after the instruction around it was made direct:
 *
 *       mov foo@GOTPCREL(%rip), %reg      lea foo(%rip), %reg
 *       call *foo@GOTPCREL(%rip)          addr32 call foo
 *       jmp *foo@GOTPCREL(%rip)           jmp foo; nop
 *
 * These are lld's forms to the byte. Other instructions (test, add, cmp ...) would need a 32-bit
 * absolute address, which no layout of ours has, or a global offset table, which flat kits have
 * not: they are refused. So is a distance to a place so far from its target that it would fit in
 * some layouts only: a release can be linked however it is laid out, or it is none.
 */
#include <errno.h>
#include <limits.h>

#include "forge/base/report.h"
#include "forge/piece/priv.h"
#include "proto/image/link.h"

/* How far from its target a PC32 may lead: in any layout the field holds that much more. */
#define PIECE_REACH (INT64_C(1) << 28)
_Static_assert(2 * FLAT_MEMORY_MAX + _LINK_SEGMENT_N * (uint64_t)LINK_GAP_PAGES * IMAGE_PAGE +
                               PIECE_REACH <=
                       INT32_MAX,
        "pieces, less than as much for pads, gaps, and the reach");

#define PIECE_SMALL_CODE "compile with -mcmodel=small"
#define PIECE_NO_THREADS "services have one thread: do without thread-local variables"

static const struct piece_type {
	const char *name;
	uint32_t width; /* 0: not supported */
	uint32_t kind;
	const char *remedy; /* when not supported */
} piece_types[] = {
        [R_X86_64_64] = {"R_X86_64_64", 8, FLAT_ABS64, NULL},
        [R_X86_64_PC32] = {"R_X86_64_PC32", 4, FLAT_PC32, NULL},
        [R_X86_64_PLT32] = {"R_X86_64_PLT32", 4, FLAT_PC32, NULL},
        [R_X86_64_GOTPCRELX] = {"R_X86_64_GOTPCRELX", 4, FLAT_PC32, NULL},
        [R_X86_64_REX_GOTPCRELX] = {"R_X86_64_REX_GOTPCRELX", 4, FLAT_PC32, NULL},
        /* So that what a compiler is likely to make has a name when it is refused. */
        [R_X86_64_GOT32] = {"R_X86_64_GOT32", 0, 0, PIECE_SMALL_CODE},
        [R_X86_64_GOTPCREL] = {"R_X86_64_GOTPCREL", 0, 0,
                "define the symbol, not only as weak; in assembly use mov, call or jmp"},
        [R_X86_64_32] = {"R_X86_64_32", 0, 0, "address it relative to rip"},
        [R_X86_64_32S] = {"R_X86_64_32S", 0, 0, "address it relative to rip"},
        [R_X86_64_PC64] = {"R_X86_64_PC64", 0, 0, "subtract the addresses when the program runs"},
        [R_X86_64_GOTOFF64] = {"R_X86_64_GOTOFF64", 0, 0, PIECE_SMALL_CODE},
        [R_X86_64_GOTPC32] = {"R_X86_64_GOTPC32", 0, 0, PIECE_SMALL_CODE},
        [R_X86_64_TLSGD] = {"R_X86_64_TLSGD", 0, 0, PIECE_NO_THREADS},
        [R_X86_64_TLSLD] = {"R_X86_64_TLSLD", 0, 0, PIECE_NO_THREADS},
        [R_X86_64_DTPOFF32] = {"R_X86_64_DTPOFF32", 0, 0, PIECE_NO_THREADS},
        [R_X86_64_GOTTPOFF] = {"R_X86_64_GOTTPOFF", 0, 0, PIECE_NO_THREADS},
        [R_X86_64_TPOFF32] = {"R_X86_64_TPOFF32", 0, 0, PIECE_NO_THREADS},
};

/* What a relocation leads to, for people: a local label is known by its section. */
static const char *piece_reloc_name(
        const struct piece_set *set, const struct piece *p, const struct elf_reloc *r)
{
	const struct elf_file *elf = set->request.inputs[p->input].elf;
	const struct elf_symbol *s;
	const struct elf_section *section;

	if (r->symbol == ELF_NO_SYMBOL) {
		return "nothing";
	}
	s = &elf->symbols[r->symbol];
	section = s->name[0] == '\0' ? elf_symbol_section(elf, s) : NULL;
	return section ? section->name : s->name;
}

/* The row of a type; NULL after it was refused. */
static const struct piece_type *piece_type_of(
        const struct piece_set *set, const struct piece *p, const struct elf_reloc *r)
{
	const struct piece_type *type = NULL;

	if (r->type < sizeof(piece_types) / sizeof(piece_types[0])) {
		type = &piece_types[r->type];
	}
	if (type && type->width != 0) {
		return type;
	}
	(void)report_refuse(set->request.inputs[p->input].name,
	        "section %s: relocation %s (type %u) at offset 0x%llx to %s is not supported; %s",
	        p->from->name, type && type->name ? type->name : "of an unknown kind", r->type,
	        (unsigned long long)r->offset, piece_reloc_name(set, p, r),
	        type && type->remedy ? type->remedy
	                             : "address it relative to rip, in a field of 32 bits");
	return NULL;
}

/*
 * Make the instruction around a GOT access direct. *offset is that of its field and may move.
 * False: not an instruction that can be.
 */
static bool piece_relax(uint8_t *bytes, const struct elf_reloc *r, uint32_t *offset)
{
	uint8_t *op = bytes + *offset - 2;

	if (*offset < 2 || r->addend != -4) {
		return false;
	}
	/* mod 0, r/m 5: relative to rip, any register. */
	if (op[0] == 0x8b && (op[1] & 0xc7) == 0x05) {
		op[0] = 0x8d;
		return true;
	}
	if (op[0] == 0xff && op[1] == 0x15) {
		op[0] = 0x67;
		op[1] = 0xe8;
		return true;
	}
	if (op[0] == 0xff && op[1] == 0x25) {
		op[0] = 0xe9;
		op[5] = 0x90;
		*offset -= 1;
		return true;
	}
	return false;
}

/* Find what the relocation names, and put the reduced one behind those the piece has. */
static int piece_reduce_to(const struct piece_set *set, struct piece *p, const struct elf_reloc *r,
        struct piece_reloc out)
{
	const char *input = set->request.inputs[p->input].name;
	uint64_t offset;
	int64_t addend;
	int err;

	if (r->symbol == ELF_NO_SYMBOL) {
		return report_refuse(input, "section %s: a relocation without a symbol at 0x%llx",
		        p->from->name, (unsigned long long)r->offset);
	}
	err = piece_resolve(set, p, r->symbol, &out.target, &offset);
	if (err < 0) {
		return err;
	}
	/* offset is at most the size of a section, far below 2^31. */
	if (r->addend < INT32_MIN || r->addend > INT32_MAX) {
		addend = INT64_MAX;
	} else {
		addend = r->addend + (int64_t)offset;
	}
	if (addend > INT32_MAX) {
		return report_refuse(input, "section %s: addend %lld at 0x%llx is beyond 32 bits",
		        p->from->name, (long long)r->addend, (unsigned long long)r->offset);
	}
	if (out.kind == FLAT_PC32 && (addend > PIECE_REACH || addend < -PIECE_REACH)) {
		return report_refuse(input,
		        "section %s: at 0x%llx, a place %lld bytes from %s would be out of reach "
		        "in some layouts",
		        p->from->name, (unsigned long long)r->offset, (long long)addend,
		        piece_reloc_name(set, p, r));
	}
	out.addend = (int32_t)addend;
	p->relocs[p->n_relocs++] = out;
	return 0;
}

int piece_reduce(const struct piece_set *set, struct piece *piece, const struct elf_reloc *reloc)
{
	const char *input = set->request.inputs[piece->input].name;
	const struct piece_type *type = piece_type_of(set, piece, reloc);
	struct piece_reloc out = {0};

	if (!type) {
		return -EINVAL;
	}
	if (!piece->bytes || type->width > piece->from->size - reloc->offset) {
		return report_refuse(input,
		        "section %s: the relocation at 0x%llx lies outside its bytes",
		        piece->from->name, (unsigned long long)reloc->offset);
	}
	out.kind = type->kind;
	out.offset = (uint32_t)reloc->offset;
	if ((reloc->type == R_X86_64_GOTPCRELX || reloc->type == R_X86_64_REX_GOTPCRELX) &&
	        !piece_relax(piece->bytes, reloc, &out.offset)) {
		return report_refuse(input,
		        "section %s: the access to %s through the global offset table at 0x%llx "
		        "cannot be made direct; only mov, call and jmp can: in C, declare it with "
		        "__attribute__((visibility(\"hidden\")))",
		        piece->from->name, piece_reloc_name(set, piece, reloc),
		        (unsigned long long)reloc->offset);
	}
	return piece_reduce_to(set, piece, reloc, out);
}
