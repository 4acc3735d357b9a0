#pragma once
/*
 * What a variant may put into another order: one symbol for each section of the
 * link, by class. Made once per kit from the linked program; stored as a text
 * file, one "CLASS NAME" line each.
 */
#include <stddef.h>

#include "forge/elf/archive.h"

enum order_class {
	ORDER_TEXT,
	ORDER_RODATA,
	ORDER_RELRO, /* constants that hold addresses */
	ORDER_DATA,
	ORDER_BSS,
	_ORDER_CLASS_N
};

struct order {
	char *text;                         /* the names lie here; owned */
	const char **names[_ORDER_CLASS_N]; /* owned arrays of borrowed names */
	size_t n[_ORDER_CLASS_N];
	size_t capacity[_ORDER_CLASS_N];
};

void order_fini(struct order *order);

/* Write the order file of the objects' sections that `linked` still has. */
void order_describe(
        const struct object_list *objects, const struct elf_file *linked, struct buf *ret_text);

/* Parse an order file's text; `where` is for the message when it is invalid. */
int order_parse(struct order *ret_order, const char *where, const char *text);
