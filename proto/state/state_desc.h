/*
 * The reader of state descriptions (state.h). It allocates nothing: a view is a
 * handful of pointers into the file's bytes, which must stay in place and
 * unchanged, 8 bytes aligned, as long as the view is used.
 *
 * state_desc_check() is the door: it validates every number of the file once.
 * All other functions trust a view that came out of it, and their callers keep
 * entry numbers and type ids below n_entries and n_types.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/state/state_btf.h"
#include "proto/state/state.h"

/* The variable that holds the root of a service's typed heap; no other may have this name. */
#define STATE_HEAP_ROOT "heap_root"

/* Nesting of types that the reader follows; deeper ones are refused. */
#define STATE_TYPE_DEPTH 64

enum state_desc_error {
	STATE_DESC_OK,
	STATE_DESC_E_HEADER,  /* magic, format, sizes, alignment */
	STATE_DESC_E_PART,    /* a part lies outside the file, or on another, or has a bad size */
	STATE_DESC_E_STRINGS, /* a text is not inside the string table */
	STATE_DESC_E_BTF,     /* BTF header or type section malformed */
	STATE_DESC_E_TYPE,    /* a type refers to what cannot be, or has no size */
	STATE_DESC_E_ENTRY,   /* an entry has a bad kind, type, size, alignment or order */
	STATE_DESC_E_TAG,     /* a tag has a bad owner, member or order */
	_STATE_DESC_ERROR_N,
};

struct state_desc {
	const struct state_header *header;
	const uint32_t *type_off;
	const uint8_t *types; /* BTF type section */
	const char *btf_strings;
	const struct state_entry *entries;
	const struct state_tag *tags;
	const char *strings;
	uint32_t n_types; /* ids 1 .. n_types - 1 exist; 0 is void */
	uint32_t n_entries;
	uint32_t n_tags;
	uint32_t types_size;
	uint32_t btf_strings_size;
	uint32_t strings_size;
};

/* A member of a struct or union, decoded. */
struct state_member {
	const char *name; /* "": anonymous */
	uint32_t type;
	uint64_t bit_off;
	uint32_t bit_size; /* 0: not a bitfield */
};

/*
 * Validates `size` bytes at `bytes`; fills *ret only when all is well.
 * Fails with STATE_DESC_E_*.
 */
enum state_desc_error state_desc_check(const void *bytes, size_t size, struct state_desc *ret);
/* The same of bytes that state_desc_check() has passed and that nobody could change since. */
void state_desc_read(const void *bytes, struct state_desc *ret);
const char *state_desc_error_text(enum state_desc_error error);

const char *state_desc_string(const struct state_desc *desc, uint32_t off);
/* The first entry of a kind, and how many follow in a row. */
uint32_t state_desc_kind_first(
        const struct state_desc *desc, enum state_entry_kind kind, uint32_t *ret_n);
/* Order of entries of one kind, also across two descriptions: as strcmp. */
int state_entry_compare(const struct state_desc *a, const struct state_entry *x,
        const struct state_desc *b, const struct state_entry *y);
/* Entry with this key, or UINT32_MAX. Not for string literals. */
uint32_t state_desc_find(const struct state_desc *desc, enum state_entry_kind kind,
        const char *unit, const char *scope, const char *name);

/* The variable outside functions of this name, in any unit; UINT32_MAX: none. False: several. */
bool state_desc_find_global(const struct state_desc *desc, const char *name, uint32_t *ret);

/* Does the owner have any tag? Most have none, and one look says so for every key. */
bool state_desc_is_tagged(
        const struct state_desc *desc, enum state_tag_scope scope, uint32_t owner, uint32_t member);
/*
 * The text after "state:KEY" or "state:KEY=" of the n-th (from 0) such tag of an owner; NULL when
 * there are not so many.
 */
const char *state_desc_tag(const struct state_desc *desc, enum state_tag_scope scope,
        uint32_t owner, uint32_t member, const char *key, unsigned n);

const struct state_btf_type *state_type(const struct state_desc *desc, uint32_t id);
enum state_btf_kind state_type_kind(const struct state_desc *desc, uint32_t id);
const char *state_type_name(const struct state_desc *desc, uint32_t id);
/* Typedefs, qualifiers, type tags: types that only lead to another. */
bool state_type_is_alias(enum state_btf_kind kind);
/* The type without typedefs, qualifiers and type tags. */
uint32_t state_type_strip(const struct state_desc *desc, uint32_t id);
/* Bytes; 0 for void, functions and forward declarations. */
uint64_t state_type_size(const struct state_desc *desc, uint32_t id);
/* Members of a struct or union, enumerators of an enum, parameters of a function. */
uint32_t state_type_count(const struct state_desc *desc, uint32_t id);
struct state_member state_type_member(const struct state_desc *desc, uint32_t id, uint32_t i);
const struct state_btf_array *state_type_array(const struct state_desc *desc, uint32_t id);
/* Enumerator i, sign- or zero-extended as the enum says. */
const char *state_type_enumerator(
        const struct state_desc *desc, uint32_t id, uint32_t i, int64_t *ret_value);
/* STATE_BTF_SIGNED etc. bits of an integer type; for an enum, whether it is signed. */
uint32_t state_type_encoding(const struct state_desc *desc, uint32_t id);

/* What one level further down lies at an offset of a value. False: nothing that can be told, as in
 * unions. */
bool state_type_step(const struct state_desc *desc, uint32_t *type, uint64_t *off);
