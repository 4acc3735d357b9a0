#pragma once
/* The pieces while they are made. Only forge/piece includes this. */
#include <stdbool.h>

#include "forge/piece/piece.h"
#include "proto/image/flat.h"

#define PIECE_NONE UINT32_MAX

/* A relocation in one of the two forms that are left. */
struct piece_reloc {
	uint32_t offset;
	uint32_t kind;   /* FLAT_PC32 or FLAT_ABS64 */
	uint32_t target; /* index in ->pieces */
	int32_t addend;
};

/* A section that is loaded. */
struct piece {
	uint32_t input, section;
	const struct elf_section *from;
	enum flat_class class;
	uint8_t align_log2;
	bool live;
	uint32_t number;            /* in the flat kit, when live */
	uint8_t *bytes;             /* relaxed copy, made when it is found alive; owned */
	struct piece_reloc *relocs; /* rising in offset; owned */
	size_t n_relocs;
};

struct piece_set {
	struct piece_request request;
	struct piece *pieces; /* by input, then section; owned */
	size_t n, capacity;
	uint32_t **of_section; /* [input][section]: index in ->pieces, or PIECE_NONE; owned */
	struct names globals;  /* name -> symbol_id of the definition that wins */
	uint32_t *order;       /* index of each live piece, by number; owned */
	uint32_t n_live[_FLAT_CLASS_N];
	uint32_t entry_piece, entry_offset; /* _start */
};

/* Name a symbol of an input by one number, for struct names. */
static inline uint64_t piece_symbol_id(size_t input, size_t symbol)
{
	return (uint64_t)input << 32 | symbol;
}

static inline const struct elf_symbol *piece_symbol_of(const struct piece_set *set, uint64_t id)
{
	return &set->request.inputs[id >> 32].elf->symbols[(uint32_t)id];
}

/* section.c: every loaded section becomes a piece, or is refused. */
int piece_collect(struct piece_set *set);

/* resolve.c: which definition each global name stands for. */
int piece_note_globals(struct piece_set *set);

/*
 * resolve.c: the piece a symbol is in and the offset there. `user` is the piece that refers to
 * it, for the message when it has none.
 */
int piece_resolve(const struct piece_set *set, const struct piece *user, uint32_t symbol,
        uint32_t *ret_piece, uint64_t *ret_offset);

/* live.c: find what is alive from the roots, and reduce its relocations on the way. */
int piece_mark(struct piece_set *set);

/* relax.c: one relocation in its last form; may change the instruction around it. */
int piece_reduce(const struct piece_set *set, struct piece *piece, const struct elf_reloc *reloc);
