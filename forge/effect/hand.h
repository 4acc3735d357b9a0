#pragma once
/* Kits made by hand, for tests. */
#include <stddef.h>
#include <stdint.h>

#include "proto/image/flat.h"

#define HAND_PIECES_MAX 64u

/* A kit of at most a few pieces of each class; everything of a class is alike. */
struct hand {
	uint32_t n[_FLAT_CLASS_N], size[_FLAT_CLASS_N];
	uint8_t align_log2[_FLAT_CLASS_N];
};

/* The kit's file, without relocations or symbols; the caller frees it. */
void *hand_file(const struct hand *hand, size_t *ret_len);
