/*
 * Lines of words that are cut off where their buffer ends.
 */
#pragma once

#include "proto/state/state_desc.h"

struct state_path;
struct state_report;

struct state_text {
	char *buffer;
	size_t size;
	size_t len;
};

void state_text_add(struct state_text *text, const char *word);
void state_text_add_number(struct state_text *text, uint64_t n, unsigned base);
void state_text_add_index(struct state_text *text, uint64_t index);
void state_text_add_type(struct state_text *text, const struct state_desc *desc, uint32_t type);
/* "store.c:add:cache"; sites are "heap struct foo from store.c:add". */
void state_text_add_entry(struct state_text *text, const struct state_desc *desc, uint32_t i);
/* report.c: ".table.name", the names of a path; " at store.c:table[3].name", where an old address
 * is. */
void state_text_add_names(struct state_text *text, const struct state_path *path);
void state_text_add_place(struct state_text *text, const struct state_report *r, const void *old);
