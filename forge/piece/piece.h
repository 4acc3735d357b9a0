#pragma once
/*
 * From objects to pieces: what a linker would decide once for every layout is decided here,
 * when a kit is made. Symbols are resolved, what nothing refers to is dropped, accesses through
 * a global offset table are made direct, and what is left is written as a flat kit
 * (proto/image/flat.h). A section that is loaded is a piece, whole; whoever wants smaller pieces
 * compiles with function and data sections.
 *
 * The rules are lld's, so that lld can be the oracle: given the same order and pads it makes
 * the same bytes (forge/lld/oracle.c). What is not known here is refused by name.
 */
#include <stddef.h>
#include <stdint.h>

#include "forge/base/mem.h"
#include "forge/base/names.h"
#include "forge/elf/file.h"

/* One object of the link. ->elf and the strings must outlive the set. */
struct piece_input {
	const struct elf_file *elf;
	const char *name; /* for people, unique among the inputs */
	bool library;     /* of a static library, not of the service */
};

/* The arrays are borrowed and must outlive the set. */
struct piece_request {
	const struct piece_input *inputs; /* in link order */
	size_t n_inputs;
	/* Writable objects of libraries that are never written: they become constants. */
	const struct names *constants;
};

struct piece_set;

/* Resolve, drop, relax, reduce. Refuses what it does not know, with object, section, symbol. */
int piece_set_new(const struct piece_request *request, struct piece_set **ret_set);
struct piece_set *piece_set_free(struct piece_set *set);

static inline void piece_set_freep(struct piece_set **set)
{
	(void)piece_set_free(*set);
}

/*
 * Write the flat kit of a service. symbols[] are the names of the state description's entries,
 * in its order; each must be defined exactly once among what is left. flat_check() has accepted
 * what is written.
 */
int piece_write_flat(const struct piece_set *set, const char *service, const char *const symbols[],
        size_t n_symbols, struct buf *ret_flat);

/*
 * Every writable piece of the service's own must hold a symbol of the description that was written
 * into this flat kit. One without is data that was only assembled, and no update would carry it.
 */
int piece_check_carried(const struct piece_set *set, const struct buf *flat);

/* Write the names of the pieces for people, a line each, all different. */
void piece_write_names(const struct piece_set *set, struct buf *ret_text);

/*
 * Write input i as the oracle needs it: a copy in which every piece N has a global symbol
 * `lu.piece.N`, site witnesses need no KEEP, and constants have a name that says so. Section and
 * symbol numbers are what they were.
 */
int piece_write_object(const struct piece_set *set, size_t i, struct buf *ret_object);
