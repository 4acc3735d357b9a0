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
#define SEAL_KEY_SIZE 32u
#define SEAL_TAG_SIZE 16u
#define SEAL_SIZE (SEAL_PUB_SIZE + SEED_SIZE + SEAL_TAG_SIZE)

/*
 * The key of one seal, agreed on with whoever holds an audit key. It is as secret as the seed. The seed has
 * no part in it, so it can be had long before; and nearly all that sealing costs is in it, two
 * multiplications on the curve.
 */
struct seal_agreement {
	uint8_t ephemeral_pub[SEAL_PUB_SIZE];
	uint8_t key[SEAL_KEY_SIZE];
};

/*
 * Agree on the key of one seal. `ephemeral`: 32 random bytes that nothing else has been or will be
 * made of; they are wiped. 0; or -1 and the agreement is all zero: the audit key is of small order,
 * or zero, which stands for none.
 */
int envelope_seal_agree(
        const uint8_t audit_pub[32], uint8_t ephemeral[32], struct seal_agreement *ret_agreement);
/*
 * Seal a seed, bound to the commitment to it. The nonce is always the same, so an agreement is good
 * for one seal only: it is wiped.
 */
void envelope_seal(struct seal_agreement *agreement, const uint8_t commitment[64],
        const uint8_t seed[SEED_SIZE], uint8_t ret_sealed[SEAL_SIZE]);
