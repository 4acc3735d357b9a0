#pragma once
/*
 * The entries of a state description: every symbol of a linked program that may be
 * pointed to or must be carried over, with what debug data and symbol table say.
 */
#include <stdbool.h>
#include <stdint.h>

#include "forge/base/names.h"
#include "forge/debug/info.h"
#include "forge/debug/type_graph.h"
#include "forge/state/write.h"
#include "proto/state/state.h"

struct entry {
	enum state_entry_kind kind;
	bool readonly;
	char *unit, *scope, *name; /* keys, owned; a string literal's name is NULL */
	const uint8_t *content;    /* of a string literal, in the program */
	uint32_t type;             /* node of the graph */
	uint64_t align, size, addr;
	const char *symbol;     /* in the program */
	char *signature;        /* of a function: "state:signature=...", owned */
	struct type_range tags; /* in the graph */
	int line;               /* of a site, to put sites in source order */
	unsigned long ordinal;  /* of a site among those of one line */
};

struct entry_list {
	struct entry *items; /* owned; sorted as state.h says */
	size_t n, capacity;
};

void entry_list_fini(struct entry_list *list);

/* Collect, name and sort all entries; their types are added to the graph. */
int entry_list_init(struct entry_list *ret_list, const struct state_request *request,
        const struct debug_info *debug, struct type_graph *graph);

/*
 * Not written while the service runs: also sections that are relocated at link time and lie in the
 * read-only segment.
 */
bool entry_is_readonly(const struct elf_section *s);

/*
 * Refuse, after all were reported, what the service itself writes and no entry carries over.
 * `origins` has the index of the object for each symbol.
 */
int carried_check(const struct entry_list *list, const struct state_request *request,
        const struct names *origins);
