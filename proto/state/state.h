/*
 * The state description: what a release knows about its own memory.
 *
 * One file per release, written by luforge from the debug data, read by the
 * state transfer engine. It holds types (a BTF blob), and one sorted table of
 * entries: variables, functions, allocation sites, string literals and library
 * symbols. It holds no addresses: a variant brings a vector of u64 addresses,
 * one per entry, in entry order (0: the variant has no such symbol).
 *
 * All numbers are little endian and naturally aligned. Every part starts at a
 * multiple of 8 from the start of the file; parts lie in the order below, do
 * not overlap, and gaps are zero. Readers must call state_desc_check() of
 * state_desc.h before they believe anything else.
 *
 * What a writer promises:
 *  - Entries are sorted by kind; within a kind by (unit, scope, name), bytewise
 *    as strcmp does; string literals by (size, content bytes). Within
 *    STATE_VARIABLE, STATE_FUNCTION, STATE_SITE and STATE_LIBRARY the key
 *    (unit, scope, name) is unique.
 *  - BTF type ids of the blob are used as they are. The blob is complete
 *    (no split BTF, native endian); qualifiers without a BTF kind (_Atomic) are
 *    left out. Two types are merged only if equal in everything, tags included.
 *  - What BTF cannot say is refused by the writer: bitfields past 2 MiB, more
 *    than 65,535 members, thread-local variables. A flexible array member
 *    is an array of 0 elements at the end of a struct.
 *  - Annotations (btf_decl_tag texts that start with STATE_TAG_PREFIX) are copied
 *    verbatim into the tag table, which is sorted by (scope, owner, member).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define STATE_MAGIC "SAMSTA1" /* with its NUL: 8 bytes */
#define STATE_FORMAT 1
#define STATE_SERVICE_MAX 24
#define STATE_TAG_PREFIX "state:"
#define STATE_TAG_SELF UINT32_MAX /* the tag is on the owner, not on a member */

enum state_part_kind {
	STATE_PART_BTF,     /* struct state_btf_header and all that follows it */
	STATE_PART_TYPES,   /* u32[n]: offset of each type id in BTF's type section; [0] is 0 */
	STATE_PART_ENTRIES, /* struct state_entry[n] */
	STATE_PART_TAGS,    /* struct state_tag[n] */
	STATE_PART_STRINGS, /* starts with a NUL and ends with one */
	_STATE_PART_N,
};

enum state_entry_kind {
	STATE_VARIABLE, /* globals and static locals with debug data, of any const-ness */
	STATE_FUNCTION, /* functions with debug data */
	STATE_SITE,     /* allocation site witnesses; type is the object's type */
	STATE_STRING,   /* string literals */
	STATE_LIBRARY,  /* functions and data objects of prebuilt libraries: no types */
	_STATE_KIND_N,
};

/* Entry flags. */
#define STATE_ENTRY_READONLY UINT32_C(1) /* lies in a section that is never written */

struct state_part {
	uint64_t off;  /* from the start of the file */
	uint64_t size; /* bytes */
};

struct state_header {
	char magic[8];
	uint32_t format;      /* STATE_FORMAT */
	uint32_t header_size; /* sizeof(struct state_header) */
	uint64_t total_size;  /* of the file */
	char service[STATE_SERVICE_MAX];
	uint32_t zero;
	uint32_t n_entries; /* also the length of every address vector */
	struct state_part part[_STATE_PART_N];
};

/*
 * Texts are offsets into STATE_PART_STRINGS of NUL-terminated strings, 0 is "".
 *
 *             unit         scope        name      type           size
 * VARIABLE    source file  function, "" name      its type       of the object
 * FUNCTION    source file  ""           name      0              of the code
 * SITE        source file  function     "#N"      object's type  of one object
 * STRING      ""           ""           content   0              with the final NUL
 * LIBRARY     archive      member, ""   symbol    0              of the object or code
 *
 * "source file" is the name of the compile unit's primary file, relative to the
 * source root. N counts the sites of one function in source order, from 0. The
 * content of a string literal may hold NULs; size says where it ends.
 */
struct state_entry {
	uint32_t kind; /* enum state_entry_kind */
	uint32_t flags;
	uint32_t unit;
	uint32_t scope;
	uint32_t name;
	uint32_t type;  /* BTF type id */
	uint32_t align; /* bytes, a power of two; 0 for functions */
	uint32_t zero;
	uint64_t size; /* bytes */
};

enum state_tag_scope {
	STATE_TAG_TYPE,  /* owner is a BTF type id, member counts from 0 */
	STATE_TAG_ENTRY, /* owner is an entry, member is STATE_TAG_SELF */
	_STATE_TAG_SCOPE_N,
};

struct state_tag {
	uint32_t scope; /* enum state_tag_scope */
	uint32_t owner;
	uint32_t member;
	/* "state:skip", "state:tag=kind" ...; of a function "state:signature=int(struct foo*)" */
	uint32_t text;
};

_Static_assert(sizeof(struct state_header) == 56 + 16 * _STATE_PART_N, "file layout");
_Static_assert(offsetof(struct state_header, part) == 56, "file layout");
_Static_assert(sizeof(struct state_entry) == 40, "file layout");
_Static_assert(sizeof(struct state_tag) == 16, "file layout");
