/*
 * BTF, the kernel's compact type format, as far as state descriptions use it. The
 * machine has no Linux headers, hence our own words for its layout. Every type
 * is a struct btf_type, followed by what its kind says.
 */
#pragma once

#include <stdint.h>

#define BTF_LAYOUT_MAGIC 0xeb9f
#define BTF_LAYOUT_VERSION 1

enum btf_kind {
	BTF_VOID,
	BTF_INT,       /* size; u32: encoding << 24 | offset << 16 | bits */
	BTF_PTR,       /* type */
	BTF_ARRAY,     /* struct btf_array */
	BTF_STRUCT,    /* size; struct btf_member[vlen] */
	BTF_UNION,     /* size; struct btf_member[vlen] */
	BTF_ENUM,      /* size; struct btf_enum[vlen] */
	BTF_FWD,       /* a struct or union without a body */
	BTF_TYPEDEF,   /* type */
	BTF_VOLATILE,  /* type */
	BTF_CONST,     /* type */
	BTF_RESTRICT,  /* type */
	BTF_FUNC,      /* type */
	BTF_FUNC_PROTO, /* type; struct btf_param[vlen] */
	BTF_VAR,       /* not used: entries say more */
	BTF_DATASEC,   /* not used: entries say more */
	BTF_FLOAT,     /* size */
	BTF_DECL_TAG,  /* type; u32 component. Ignored: the tag table says it */
	BTF_TYPE_TAG,  /* type */
	BTF_ENUM64,    /* size; struct btf_enum64[vlen] */
	_BTF_KIND_N,
};

#define BTF_INT_SIGNED UINT32_C(1)
#define BTF_INT_CHAR UINT32_C(2)
#define BTF_INT_BOOL UINT32_C(4)

struct btf_header {
	uint16_t magic;
	uint8_t version;
	uint8_t flags;
	uint32_t hdr_len;
	uint32_t type_off; /* from the end of the header */
	uint32_t type_len;
	uint32_t str_off; /* from the end of the header */
	uint32_t str_len;
};

struct btf_type {
	uint32_t name_off;
	uint32_t info; /* vlen: bits 0-15, kind: 24-28, kind flag: 31 */
	uint32_t size_or_type;
};

struct btf_array {
	uint32_t type;
	uint32_t index_type;
	uint32_t nelems;
};

struct btf_member {
	uint32_t name_off;
	uint32_t type;
	uint32_t offset; /* bits; with the kind flag: bitfield size << 24 | bits */
};

struct btf_enum {
	uint32_t name_off;
	int32_t val;
};

struct btf_enum64 {
	uint32_t name_off;
	uint32_t val_lo32;
	uint32_t val_hi32;
};

struct btf_param {
	uint32_t name_off;
	uint32_t type;
};

_Static_assert(sizeof(struct btf_header) == 24, "BTF layout");
_Static_assert(sizeof(struct btf_type) == 12, "BTF layout");
_Static_assert(sizeof(struct btf_array) == 12, "BTF layout");
_Static_assert(sizeof(struct btf_member) == 12, "BTF layout");
_Static_assert(sizeof(struct btf_enum) == 8, "BTF layout");
_Static_assert(sizeof(struct btf_enum64) == 12, "BTF layout");
_Static_assert(sizeof(struct btf_param) == 8, "BTF layout");
