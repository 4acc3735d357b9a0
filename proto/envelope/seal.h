#pragma once
/*
 * A sealed seed: what only the holder of the audit key opens, so that a layout can be made again by
 * those who audit it and by nobody online. One form, whoever made the layout:
 *
 *   secret = X25519(ephemeral private, audit public)
 *   key    = HKDF-SHA256(secret, salt: ephemeral public, audit public; info: SEAL_INFO)
 *   sealed = ephemeral public [32] | ChaCha20-Poly1305(key, nonce 0, seed; commitment) [32 + 16]
 *
 * A fresh ephemeral key for each seed makes each box key a key of one message, so the nonce may be
 * zero. The commitment is authenticated and not stored: sealed seeds cannot be swapped between rows
 * of a database. Nothing here says who sealed: anybody can who has the public key.
 *
 * The host seals and opens with OpenSSL (keyring/seal.c). The machine only seals, here; HKDF is
 * written out there, since its libsodium has HMAC alone: of a key of one block it is two of them.
 */
#include <stdint.h>

#include "proto/envelope/seed.h"

#define SEAL_INFO "samsara seed seal 1"
#define SEAL_PUB_SIZE 32u
#define SEAL_TAG_SIZE 16u
#define SEAL_SIZE (SEAL_PUB_SIZE + SEED_SIZE + SEAL_TAG_SIZE)

/*
 * Seal a seed to an audit key, bound to the commitment to it. `ephemeral`: 32 random bytes that
 * nothing else has been or will be made of; they are wiped. 0; or -1 and ret_sealed is all zero,
 * which opens under no key: the audit key is of small order, or zero, which stands for none.
 */
int envelope_seed_seal(const uint8_t audit_pub[32], const uint8_t commitment[64],
        const uint8_t seed[SEED_SIZE], uint8_t ephemeral[32], uint8_t ret_sealed[SEAL_SIZE]);
