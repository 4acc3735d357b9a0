/*
 * BTF, the kernel's compact type format, as far as state descriptions use it. The
 * machine has no Linux headers, hence our own words for its layout, prefixed so that
 * both can be included. Every type
 * is a struct state_btf_type, followed by what its kind says.
 */
#pragma once

#include <stdint.h>

#define STATE_BTF_MAGIC 0xeb9f
#define STATE_BTF_VERSION 1

enum state_btf_kind {
	STATE_BTF_VOID,
	STATE_BTF_INT,        /* size; u32: encoding << 24 | offset << 16 | bits */
	STATE_BTF_PTR,        /* type */
	STATE_BTF_ARRAY,      /* struct state_btf_array */
	STATE_BTF_STRUCT,     /* size; struct state_btf_member[vlen] */
	STATE_BTF_UNION,      /* size; struct state_btf_member[vlen] */
	STATE_BTF_ENUM,       /* size; struct state_btf_enum[vlen] */
	STATE_BTF_FWD,        /* a struct or union without a body */
	STATE_BTF_TYPEDEF,    /* type */
	STATE_BTF_VOLATILE,   /* type */
	STATE_BTF_CONST,      /* type */
	STATE_BTF_RESTRICT,   /* type */
	STATE_BTF_FUNC,       /* type */
	STATE_BTF_FUNC_PROTO, /* type; struct state_btf_param[vlen] */
	STATE_BTF_VAR,        /* not used: entries say more */
	STATE_BTF_DATASEC,    /* not used: entries say more */
	STATE_BTF_FLOAT,      /* size */
	STATE_BTF_DECL_TAG,   /* type; u32 component. Ignored: the tag table says it */
	STATE_BTF_TYPE_TAG,   /* type */
	STATE_BTF_ENUM64,     /* size; struct state_btf_enum64[vlen] */
	_STATE_BTF_N,
};

#define STATE_BTF_SIGNED UINT32_C(1)
#define STATE_BTF_CHAR UINT32_C(2)
#define STATE_BTF_BOOL UINT32_C(4)

struct state_btf_header {
	uint16_t magic;
	uint8_t version;
	uint8_t flags;
	uint32_t hdr_len;
	uint32_t type_off; /* from the end of the header */
	uint32_t type_len;
	uint32_t str_off; /* from the end of the header */
	uint32_t str_len;
};

struct state_btf_type {
	uint32_t name_off;
	uint32_t info; /* vlen: bits 0-15, kind: 24-28, kind flag: 31 */
	uint32_t size_or_type;
};

struct state_btf_array {
	uint32_t type;
	uint32_t index_type;
	uint32_t nelems;
};

struct state_btf_member {
	uint32_t name_off;
	uint32_t type;
	uint32_t offset; /* bits; with the kind flag: bitfield size << 24 | bits */
};

struct state_btf_enum {
	uint32_t name_off;
	int32_t val;
};

struct state_btf_enum64 {
	uint32_t name_off;
	uint32_t val_lo32;
	uint32_t val_hi32;
};

struct state_btf_param {
	uint32_t name_off;
	uint32_t type;
};

_Static_assert(sizeof(struct state_btf_header) == 24, "BTF layout");
_Static_assert(sizeof(struct state_btf_type) == 12, "BTF layout");
_Static_assert(sizeof(struct state_btf_array) == 12, "BTF layout");
_Static_assert(sizeof(struct state_btf_member) == 12, "BTF layout");
_Static_assert(sizeof(struct state_btf_enum) == 8, "BTF layout");
_Static_assert(sizeof(struct state_btf_enum64) == 12, "BTF layout");
_Static_assert(sizeof(struct state_btf_param) == 8, "BTF layout");
