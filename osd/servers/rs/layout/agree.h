#pragma once
/*
 * Keys of seals, agreed on before there is a seed: a layout that RS makes then has to wait for
 * neither of the two multiplications on the curve. What is kept is used once, and is as secret as
 * the seed that it will seal.
 */
#include "osd/abi/types.h"
#include "proto/envelope/seal.h"

/* With whom: the root that names the audit key, and the key, 32 bytes. Zero: it names none. */
struct agree_audit {
	uint64_t root_serial;
	const uint8_t *pub;
};

/* Is there room for another key that is worth having? Keys for any other audit are wiped. */
bool agree_is_wanted(const struct agree_audit *audit);
/* Agree on one, which is wanted. It takes 850 k instructions. */
void agree_ahead(const struct agree_audit *audit);
/*
 * Seal a seed with a key that was kept, or where there is none, with one that is agreed on now.
 * False: the audit key is none, or protects nothing; ret_sealed is as it was.
 */
bool agree_seal(const struct agree_audit *audit, const uint8_t commitment[64],
        const uint8_t seed[SEED_SIZE], uint8_t ret_sealed[SEAL_SIZE]);
/* 32 bytes of the kernel's random source: a seed, or an ephemeral key. */
void agree_draw(uint8_t ret_bytes[SEED_SIZE]);
