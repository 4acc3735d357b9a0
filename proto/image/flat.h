#pragma once
/*
 * Flat kits: a release of one service, made ready for linking. `luforge kit` has resolved
 * every symbol, dropped what nothing refers to and relaxed every access through a global
 * offset table; what is left are *pieces* (one function, constant, variable or jump table
 * each) and two kinds of relocation. The linker (link.h) makes a variant of it, on the host
 * and inside the machine; neither needs ELF for that.
 *
 *   header | pieces | relocations | symbols | bytes of the pieces
 *
 * No table has an offset: each starts where the one before it ends, and a piece's relocations
 * and bytes start where those of the piece before it end. So nothing can overlap, and the sums
 * must come to the length of the file exactly. Pieces stand in the order of their classes.
 *
 * Everything is little endian. The checker reads untrusted bytes, allocates nothing and builds
 * freestanding; after it returned FLAT_OK, every relocation lies inside its piece and names an
 * existing one, and the sums above hold. What is signed is the kit's manifest, which holds the
 * hash of this file (proto/envelope).
 *
 * The checker reads the buffer more than once: nobody else may be able to write it.
 */
#include <stddef.h>
#include <stdint.h>

#include "proto/image/image.h"

#define FLAT_MAGIC "SAMFLAT" /* 8 bytes with the NUL */
/*
 * Rises with the layout of this file, and with what its code takes for granted of the kernel. 2: endpoints have 14 bits of slot,
 * and those of VM and RS, which are in the code, are other numbers.
 */
#define FLAT_VERSION 2u
#define FLAT_PIECES_MAX (1u << 18)
#define FLAT_RELOCS_MAX (1u << 20)
#define FLAT_ALIGN_LOG2_MAX 12u
/*
 * Memory of all pieces together, zeroed ones included, each counted with the most that its
 * alignment can add: a kit that was accepted fits into a window however it is laid out.
 */
#define FLAT_MEMORY_MAX (UINT64_C(64) << 20)
/* flat_symbol.piece: the symbol is not in the program. */
#define FLAT_NO_PIECE UINT32_MAX

enum flat_class {
	FLAT_TEXT,  /* executable */
	FLAT_CONST, /* read-only, also what holds addresses and what is never written */
	FLAT_DATA,  /* writable */
	FLAT_ZERO,  /* writable, starts as zeros; has no bytes in the file, no relocations */
	_FLAT_CLASS_N
};

enum flat_error {
	FLAT_OK,
	FLAT_E_ALIGN,   /* the buffer is not 8-byte aligned */
	FLAT_E_SHORT,   /* fewer bytes than the tables need, or trailing bytes */
	FLAT_E_MAGIC,   /* not a flat kit */
	FLAT_E_VERSION, /* a format version this code does not know */
	FLAT_E_NAME,    /* a service name that is empty, unpadded or has other letters */
	FLAT_E_COUNT,   /* a count beyond its limit, or no text */
	FLAT_E_PIECE,   /* an empty piece, an unknown alignment, a zeroed one with relocations */
	FLAT_E_MEMORY,  /* more memory than a service may have */
	FLAT_E_RELOC, /* a relocation outside its piece, overlapping the one before it, or of no piece */
	FLAT_E_TARGET, /* a relocation or symbol that names no piece, or a symbol behind its piece */
	FLAT_E_ENTRY,  /* the entry point is not inside a piece of text */
	FLAT_E_RESERVED, /* a reserved field that is not zero */
	_FLAT_E_N
};

struct flat_header {
	char magic[8];
	uint32_t version;
	uint32_t header_size; /* sizeof(struct flat_header) */
	uint64_t total_size;  /* of the whole file */
	char service[IMAGE_NAME_SIZE];
	uint32_t recipe; /* LINK_RECIPE it was made for: the linker checks it */
	uint32_t n_pieces[_FLAT_CLASS_N];
	uint32_t n_relocs;
	uint32_t n_symbols;
	uint32_t entry_piece; /* where _start is: a piece of text */
	uint32_t entry_offset;
	uint32_t reserved[3];
};

/* Piece i of the file; its class follows from i and header->n_pieces. */
struct flat_piece {
	uint32_t size; /* bytes, > 0 */
	uint16_t n_relocs;
	uint8_t align_log2; /* at most FLAT_ALIGN_LOG2_MAX */
	uint8_t reserved;
};

/* flat_reloc.where: the lower 31 bits are the offset in the piece, the top bit is the kind. */
#define FLAT_WHERE_MASK 0x7fffffffu
#define FLAT_PC32 0u           /* 4 bytes: target + addend - address of the field */
#define FLAT_ABS64 0x80000000u /* 8 bytes: target + addend */

/*
 * Relocations of one piece rise in offset and do not overlap. The addend is free: compilers
 * also point in front of an array or behind it.
 */
struct flat_reloc {
	uint32_t where;
	uint32_t target; /* piece */
	int32_t addend;
};

/* A symbol of the state description, in the order of its entries. offset <= size of piece. */
struct flat_symbol {
	uint32_t piece; /* or FLAT_NO_PIECE, with offset 0 */
	uint32_t offset;
};

/* A checked kit; pointers into the caller's bytes. */
struct flat_view {
	const struct flat_header *header;
	const struct flat_piece *pieces;
	const struct flat_reloc *relocs;
	const struct flat_symbol *symbols;
	const uint8_t *bytes;
	uint32_t n_pieces;                   /* of all classes */
	uint32_t first[_FLAT_CLASS_N + 1];   /* class c: pieces [first[c], first[c + 1]) */
	uint64_t memory[_FLAT_CLASS_N];      /* sum of the sizes of its pieces */
	uint32_t first_reloc[_FLAT_CLASS_N]; /* index of the first relocation of class c */
};

_Static_assert(sizeof(struct flat_header) == 96, "layout");
_Static_assert(sizeof(struct flat_piece) == 8, "layout");
_Static_assert(sizeof(struct flat_reloc) == 12, "layout");
_Static_assert(sizeof(struct flat_symbol) == 8, "layout");

/* Check a kit completely. Fill *ret_view only when the answer is FLAT_OK. */
enum flat_error flat_check(const void *bytes, size_t len, struct flat_view *ret_view);

/* The class of piece i (i < n_pieces). */
enum flat_class flat_class_of(const struct flat_view *kit, uint32_t i);

/* One short sentence for a person; never NULL. */
const char *flat_error_text(enum flat_error error);

/* Bytes in front of the field, in its piece. */
static inline uint32_t flat_reloc_offset(const struct flat_reloc *reloc)
{
	return reloc->where & FLAT_WHERE_MASK;
}

/* Bytes of the field. */
static inline uint32_t flat_reloc_size(const struct flat_reloc *reloc)
{
	return (reloc->where & FLAT_ABS64) != 0 ? 8 : 4;
}
