#pragma once
/*
 * Pads: sections of nothing that keep neighbours a drawn distance apart. They are
 * an object file of their own, with one symbol "lupad.N" each, so that the order
 * file can place them.
 */
#include <stddef.h>
#include <stdint.h>

#include "forge/base/mem.h"
#include "proto/image/flat.h"

struct pad_list {
	struct pad {
		enum flat_class class;
		uint32_t size; /* bytes */
	} *items;              /* owned; item N has the symbol lupad.N */
	size_t n, capacity;
};

/* More sections would need the extended form of ELF's section numbers. */
#define PAD_MAX 65000u

void pad_list_fini(struct pad_list *list);

/* Append a pad and return its number. */
size_t pad_list_add(struct pad_list *list, enum flat_class class, uint32_t size);

/* Write the object file. */
void pad_list_write(const struct pad_list *list, struct buf *ret_object);
