/* Shared between the reader's files: words of BTF. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/state/state_desc.h"

static inline enum state_btf_kind state_btf_info_kind(uint32_t info)
{
	return (enum state_btf_kind)(info >> 24 & 0x1f);
}

static inline uint32_t state_btf_info_vlen(uint32_t info)
{
	return info & 0xffff;
}

static inline bool state_btf_info_flag(uint32_t info)
{
	return info >> 31;
}

static inline bool state_btf_kind_has_size(enum state_btf_kind kind)
{
	return kind == STATE_BTF_INT || kind == STATE_BTF_STRUCT || kind == STATE_BTF_UNION ||
	       kind == STATE_BTF_ENUM || kind == STATE_BTF_ENUM64 || kind == STATE_BTF_FLOAT;
}

/*
 * Check the BTF part, `size` bytes at `bytes`, against the type index already in *desc, and
 * fill the views of types and their names.
 */
enum state_desc_error state_btf_check(const uint8_t *bytes, uint64_t size, struct state_desc *desc);
/* Fill them from a part that was checked. */
void state_btf_fill(const uint8_t *bytes, struct state_desc *desc);
