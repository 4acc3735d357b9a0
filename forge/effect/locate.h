#pragma once
/*
 * Where the pieces of a kit lie in a payload that was made of it. A payload names the addresses of
 * the state description only; but whoever has kit and payload can follow the relocations from
 * there, and from the entry point, as an attacker would who has read the memory.
 */
#include <stdint.h>

#include "proto/image/flat.h"
#include "proto/image/image.h"

/*
 * Fill in the address of each piece; 0 for one that nothing leads to. -EINVAL, reported: the
 * payload is no layout of the kit (a piece has other bytes, or would lie in two places).
 */
int locate_pieces(const char *where, const struct flat_view *kit, const struct image_view *payload,
        uint64_t *ret_addresses);

/* The bytes at [address, address + size) of a payload, or NULL: not all of them are in its file. */
const uint8_t *locate_bytes(const struct image_view *payload, uint64_t address, uint64_t size);
