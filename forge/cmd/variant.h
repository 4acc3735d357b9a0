#pragma once
/* Making one variant in memory: for `variant`, and for `batch`, which makes many. */
#include <stdint.h>

#include "forge/base/mem.h"
#include "forge/kit/kit.h"
#include "proto/image/link.h"

/*
 * The payload that kit and seed determine, checked by the rules that the machine has. base 0:
 * drawn. map_path, or NULL: a file for where each piece lies.
 */
int variant_make(const struct kit *kit, const uint8_t seed[LINK_SEED_SIZE], uint64_t base,
        const char *map_path, struct buf *ret_payload);

/* 64 digits, or "-": from a line of standard input. 0, or FORGE_USAGE. */
int variant_parse_seed(const char *text, uint8_t ret_seed[LINK_SEED_SIZE]);
