#pragma once
/* What image.c and boot.c share. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/image/image.h"

bool image_is_zero(const void *bytes, size_t len);
bool image_magic_is(const char magic[8], const char *want);

/* A non-empty, NUL padded and terminated name of [a-z0-9_] and `extra` letters. */
bool image_name_is_good(const char name[IMAGE_NAME_SIZE], const char *extra);

/* Does [off, off + len) lie in [start, end)? No sum of two arguments is formed. */
bool image_range_is_inside(uint64_t off, uint64_t len, uint64_t start, uint64_t end);
