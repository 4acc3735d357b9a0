/*
 * Random object graphs. graph_text_make() draws the declarations of an old and a new release;
 * graph_fill() draws objects, values and pointers for the old side and remembers where every
 * pointer was meant to lead; graph_compare() checks the new side. Nothing of the engine
 * is used for this: layouts come from the model, meanings from the record kept while filling.
 */
#pragma once

#include <stdbool.h>

#include "osd/lib/state/test/world.h"

#define GRAPH_TEXT 16384
#define GRAPH_STRUCTS 6
#define GRAPH_LEAN 3
#define GRAPH_OBJECTS 60
#define GRAPH_SPOTS 6000
#define GRAPH_LINKS 16384 /* a power of two */
#define GRAPH_HARMS 4096
#define GRAPH_HANDLER "handler" /* a function of the new release */

/* Kinds of pointers: to struct n, then these. */
enum graph_want {
	GRAPH_CHARS = GRAPH_STRUCTS,
	GRAPH_INTS,
	GRAPH_WHOLE,
	GRAPH_CALLS,
	_GRAPH_WANT_N,
};

struct random {
	uint64_t state;
};

struct graph_text {
	char old[GRAPH_TEXT];
	char new[GRAPH_TEXT];
	unsigned n_structs;
};

/* A heap object, or a variable (function, string) of the old side. */
struct graph_object {
	uint8_t *old;
	uint8_t *new;
	struct model_type *old_type;
	struct model_type *new_type;
	uint64_t count;
	const char *text; /* of a string that the new side lacks */
	bool is_heap;
};

/* A place that a pointer may lead to. */
struct graph_spot {
	uint32_t object;
	uint64_t old_off;
	uint64_t new_off;
};

struct graph_link {
	uint8_t *at; /* old place of the pointer */
	struct graph_spot to;
};

/* A value that the new release has no place for, and where the old one may hold it. */
struct graph_harm {
	struct model_place at;
	int64_t value;
	bool is_loss;      /* that somebody consented to: it must be counted */
	uint8_t *union_at; /* its tag is `at`; it must hold something then */
};

struct graph {
	struct world *world;
	struct random *random;
	unsigned n_structs;
	struct graph_object objects[GRAPH_OBJECTS * 2];
	uint32_t n_objects;
	uint32_t n_heap;
	struct graph_spot spots[_GRAPH_WANT_N][GRAPH_SPOTS];
	uint32_t n_spots[_GRAPH_WANT_N];
	struct graph_link links[GRAPH_LINKS];
	uint32_t n_links;
	struct graph_harm harms[GRAPH_HARMS];
	uint32_t n_harms;
};

uint64_t random_below(struct random *random, uint64_t below);
bool random_one_in(struct random *random, uint64_t n);

void graph_text_make(struct graph_text *text, struct random *random);
void graph_fill(struct graph *graph);
/* graph_harm.c: remember what would be refused, and do one of it. NULL: nothing would. */
void graph_harm_number(struct graph *graph, struct model_place a, struct model_place b);
void graph_harm_union(
        struct graph *graph, struct model_place tag, struct model_place a, bool is_empty_else);
void graph_harm_tail(struct graph *graph, struct model_place a, uint64_t from);
const struct graph_harm *graph_harm(struct graph *graph);
/* graph_compare.c: aborts with words on the first difference. */
void graph_compare(struct graph *graph);
/* The member of the new record that continues an old member, or NULL. */
struct model_member *graph_partner(struct model_type *new_type, const char *name);
bool graph_member_is_skipped(const struct model_member *old, const struct model_member *new);
/* The same for variables. */
struct model_symbol *graph_variable_partner(struct model *new, const char *name);
struct model_place graph_member_place(struct model_place record, const struct model_member *member);
bool graph_type_is_enum(const struct model_type *type);
/* The link of the pointer at an old place, or where it would be. */
struct graph_link *graph_link_slot(struct graph *graph, const uint8_t *at);
/* Variables that no pointer leads to, with their partners. */
void graph_each_plain(struct graph *graph,
        void (*call)(struct graph *graph, struct model_place a, struct model_place b));
