#pragma once
/* Where a command gets a layout's seed from: typed, or sealed to the audit key. */
#include <stdint.h>

#include "forge/base/mem.h"
#include "proto/image/link.h"

/* A file of bytes, or of hexadecimal digits as `luctl show --json` has them and nothing else. */
int seed_read_bytes(struct buf *ret_bytes, const char *path);

/*
 * Open the sealed seed in a file (as above) with the audit key of the keyring `keys`, for this
 * commitment. The caller wipes it. What does not open is refused.
 */
int seed_open(const char *keys, const char *path, const uint8_t commitment[64],
        uint8_t ret_seed[LINK_SEED_SIZE]);
