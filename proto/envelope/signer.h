#pragma once
/*
 * Talking to the signer. lusign holds the online private keys and answers typed
 * requests on its standard input and output: each request is one struct
 * signer_request, each answer one struct signer_reply, in order. A request that is
 * not well formed ends the signer. Little endian, both ends on one host.
 *
 * The signer signs nothing but variant manifests, for releases whose signed kit
 * it is shown, and stamps the times itself. It also seals layout seeds, so that a
 * copied database does not give layouts away.
 */
#include <stddef.h>
#include <stdint.h>

#include "proto/envelope/envelope.h"

#define SIGNER_MAGIC "SAMSGN1"
#define SIGNER_KIT_MAX 1552u
#define SIGNER_PART_MAX 1552u
#define SIGNER_SEED_SIZE 32u
#define SIGNER_SEALED_SIZE 60u /* nonce 12, seed 32, tag 16 */
#define SIGNER_TEXT_SIZE 128u
/* Longest time a variant can be made valid for. */
#define SIGNER_LIFETIME_MAX_SEC (7u * 24 * 3600)

enum signer_op {
	SIGNER_INFO = 1, /* -> info */
	SIGNER_SIGN,     /* sign -> part */
	SIGNER_SEAL,     /* seal -> sealed */
	SIGNER_UNSEAL,   /* unseal -> seed */
	_SIGNER_OP_N
};

enum signer_status {
	SIGNER_OK,
	SIGNER_REFUSED, /* will not sign this: see reason and text */
	SIGNER_FAILED,  /* could not: see text */
};

/* The manifest's issued and expires are 0: the signer fills them in. */
struct signer_sign {
	struct variant_manifest manifest;
	uint32_t lifetime_sec; /* 1..SIGNER_LIFETIME_MAX_SEC */
	uint32_t kit_len;
	uint8_t kit[SIGNER_KIT_MAX]; /* the signed kit: a stored part */
};

/* context is authenticated with the seed: unsealing needs the same (seed_commit). */
struct signer_seal {
	uint8_t context[64];
	uint8_t seed[SIGNER_SEED_SIZE];
};

struct signer_unseal {
	uint8_t context[64];
	uint8_t sealed[SIGNER_SEALED_SIZE];
	uint32_t reserved;
};

struct signer_request {
	uint8_t magic[8]; /* SIGNER_MAGIC */
	uint32_t op;      /* enum signer_op */
	uint32_t reserved;
	uint64_t id; /* repeated in the answer */
	union {
		struct signer_sign sign;
		struct signer_seal seal;
		struct signer_unseal unseal;
	};
};

struct signer_info {
	uint8_t key_id[16]; /* of the variant key */
	uint64_t not_after; /* of that key, unix s */
	uint64_t now;       /* the signer's clock, unix s */
	uint64_t root_serial;
	uint32_t root_len;
	uint32_t reserved;
	uint8_t root[SIGNER_PART_MAX]; /* the signed root: a stored part */
};

/* A stored part, ready for envelope_write(). */
struct signer_part {
	uint32_t len;
	uint32_t reserved;
	uint8_t bytes[SIGNER_PART_MAX];
};

struct signer_reply {
	uint8_t magic[8];
	uint32_t op;
	uint32_t status; /* enum signer_status */
	uint64_t id;
	uint32_t reason; /* enum envelope_reason, when a kit or manifest was refused */
	uint32_t reserved;
	char text[SIGNER_TEXT_SIZE]; /* one sentence; empty when OK */
	union {
		struct signer_info info;
		struct signer_part part;
		uint8_t sealed[SIGNER_SEALED_SIZE];
		uint8_t seed[SIGNER_SEED_SIZE];
	};
};

_Static_assert(sizeof(struct signer_sign) == 296 + 8 + 1552, "layout");
_Static_assert(sizeof(struct signer_request) == 24 + 1856, "layout");
_Static_assert(sizeof(struct signer_reply) == 160 + 48 + 1552, "layout");
_Static_assert(
        SIGNER_KIT_MAX == sizeof(struct envelope_part_header) + sizeof(struct kit_manifest) +
                                  ENVELOPE_SIGNATURES_MAX * sizeof(struct envelope_signature),
        "a kit with all its signatures fits");
