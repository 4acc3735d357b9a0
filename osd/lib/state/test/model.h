/*
 * One side of a transfer, for tests: a little language of declarations becomes types with their
 * layout, a state description, and an image in memory with an address vector. The layout is kept
 * here too, so that tests can reach values by path without the reader under test.
 *
 *	file store.c;                  unit of what follows ("a.c" at first)
 *	enum color { RED, BLUE=5 };
 *	enum : i64 NAME { ... };       of 8 bytes (or u64)
 *	struct node {
 *		struct node *next;
 *		u8 kind;
 *		union { i32 n @when=0; char *s @when=1; } u @tag=kind;
 *		i32 bits : 3;
 *		char name[16];
 *		pad 8;
 *	} @version=2;
 *	struct node table[4] @skip;    variables; `readonly` and `in FUNCTION` may follow the name
 *	site struct node add;          allocation site in function add
 *	func add;
 *	library malloc 64;
 *	string "text";
 *
 * Types: bool char i8 .. i64 u8 .. u64 i128 f32 f64 void fn struct union enum; * and [n].
 */
#pragma once

#include "osd/lib/state/state_transfer.h"
#include "proto/state/test/desc_build.h"

#define MODEL_NAME 40
#define MODEL_NOTES 4

struct model_note {
	char text[MODEL_NAME];
};

struct model_member {
	char name[MODEL_NAME];
	struct model_type *type;
	uint64_t off; /* bytes */
	uint32_t bit;
	uint32_t n_bits; /* 0: no bitfield */
	struct model_note notes[MODEL_NOTES];
	unsigned n_notes;
};

struct model_type {
	enum state_btf_kind kind;
	char name[MODEL_NAME];
	uint64_t size;
	uint32_t align;
	uint32_t encoding;
	uint32_t id;
	struct model_type *to; /* pointed to, element */
	uint32_t n;            /* elements, members, enumerators */
	struct model_member *members;
	char (*names)[MODEL_NAME];
	int64_t *values;
	struct model_note notes[MODEL_NOTES];
	unsigned n_notes;
};

struct model_symbol {
	enum state_entry_kind kind;
	char unit[MODEL_NAME];
	char scope[MODEL_NAME];
	char name[MODEL_NAME];
	struct model_type *type;
	uint64_t size;
	uint32_t entry;
	bool is_readonly;
	void *bound;
	uint8_t *addr;
	struct model_note notes[MODEL_NOTES];
	unsigned n_notes;
};

struct model;

/* Where a path leads. */
struct model_place {
	struct model_type *type;
	uint8_t *addr;
	uint32_t bit;
	uint32_t n_bits;
};

/* Aborts on errors in the text. `seed` decides the order and gaps of the image. */
struct model *model_new(const char *text, uint64_t seed);
struct model *model_free(struct model *model);
/* Use this address for a symbol; before model_finish(). */
void model_bind(struct model *model, const char *name, void *addr);
void model_finish(struct model *model);
struct state_side model_side(const struct model *model);
/* Every byte of the image, for corruption. */
uint8_t *model_image(const struct model *model, size_t *ret_size);
bool model_has(const struct model *model, const char *name);
struct model_symbol *model_symbol_find(const struct model *model, const char *name);
struct model_symbol *model_symbol_at(struct model *model, uint32_t i, uint32_t *ret_n);
struct model_type *model_type_find(const struct model *model, const char *name);

/* "var.member[2].x"; aborts when there is no such thing. */
struct model_place model_var(const struct model *model, const char *path);
/* A path like ".next" or "[3].x" from a value; type NULL when a name is missing. */
struct model_place model_walk(struct model_type *type, uint8_t *addr, const char *path);
int64_t model_get(struct model_place place);
void model_put(struct model_place place, int64_t value);
void *model_get_pointer(struct model_place place);
void model_put_pointer(struct model_place place, const void *value);
