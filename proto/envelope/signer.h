#pragma once
/*
 * Talking to the signer. lusign holds the online private keys and answers typed
 * requests on its standard input and output: each request is one struct
 * signer_request, each answer one struct signer_reply, in order. Behind the request for a
 * variant follow the ->variant.flat_len bytes of the flat kit. A request that is
 * not well formed ends the signer. Little endian, both ends on one host.
 *
 * The signer signs variants of releases whose signed kit it is shown, if it makes the same
 * payload of flat kit and seed, orders (those that leave a layout to the machine with the
 * kit), standing orders and starting statements, all
 * within the limits of its rule file, and stamps the times itself. A second signer signs what the
 * first one signed, times included. It also seals layout seeds to the audit key, which it does not have.
 */
#include <stddef.h>
#include <stdint.h>

#include "proto/envelope/envelope.h"

#define SIGNER_MAGIC "SAMSGN4"
#define SIGNER_KIT_MAX 1632u
#define SIGNER_ROOT_MAX 2032u
#define SIGNER_ORDER_MAX 8296u
#define SIGNER_STATEMENT_MAX 3128u
#define SIGNER_STANDING_MAX 6296u
#define SIGNER_PART_MAX 8640u
#define SIGNER_SEED_SIZE 32u
#define SIGNER_SEALED_SIZE 80u /* ephemeral key 32, seed 32, tag 16 */
#define SIGNER_TEXT_SIZE 160u

enum signer_op {
	SIGNER_INFO = 1,       /* -> info */
	SIGNER_SIGN_VARIANT,   /* variant -> part */
	SIGNER_SIGN_ORDER,     /* order -> part */
	SIGNER_SIGN_STATEMENT, /* statement -> part */
	SIGNER_SEAL,           /* seal -> sealed */
	SIGNER_SIGN_STANDING,  /* standing -> part */
	_SIGNER_OP_N
};

enum signer_status {
	SIGNER_OK,
	SIGNER_REFUSED, /* will not sign this: see reason and text */
	SIGNER_FAILED,  /* could not: see text */
	_SIGNER_STATUS_N
};

/*
 * The manifest's issued and expires are 0: the signer fills them in. A second signer is shown the
 * manifest as the first one signed it.
 */
struct signer_variant {
	struct variant_manifest manifest;
	uint32_t lifetime_sec; /* at least 1, within rules and root */
	uint32_t kit_len;
	uint8_t kit[SIGNER_KIT_MAX]; /* the signed kit: a stored part */
	uint8_t seed[SIGNER_SEED_SIZE];
	uint32_t flat_len; /* at most KIT_FLAT_LEN_MAX */
	uint32_t reserved;
};

/*
 * Of a struct order_manifest with its components; issued and expires are 0. Components without a
 * variant are all of the one kit that comes along; of others none comes: kit_len is 0.
 */
struct signer_order {
	uint32_t lifetime_sec;
	uint32_t len;
	uint8_t manifest[SIGNER_ORDER_MAX];
	uint32_t kit_len;
	uint32_t reserved;
	uint8_t kit[SIGNER_KIT_MAX]; /* the signed kit: a stored part */
};

/* Of a struct statement_manifest with its services; issued is 0. */
struct signer_statement {
	uint32_t len;
	uint32_t reserved;
	uint8_t manifest[SIGNER_STATEMENT_MAX];
};

/* Of a struct standing_manifest with its services; issued and expires are 0. */
struct signer_standing {
	uint32_t lifetime_sec;
	uint32_t len;
	uint8_t manifest[SIGNER_STANDING_MAX];
};

/* context is authenticated with the seed: unsealing needs the same (seed_commit). */
struct signer_seal {
	uint8_t context[64];
	uint8_t seed[SIGNER_SEED_SIZE];
};

struct signer_request {
	uint8_t magic[8]; /* SIGNER_MAGIC */
	uint32_t op;      /* enum signer_op */
	uint32_t reserved;
	uint64_t id; /* repeated in the answer */
	union {
		struct signer_variant variant;
		struct signer_order order;
		struct signer_statement statement;
		struct signer_seal seal;
		struct signer_standing standing;
	};
};

struct signer_info {
	uint8_t variant_key[16]; /* key ids */
	uint8_t order_key[16];
	uint64_t not_after; /* of the key that ends first, unix s; 0: the root lacks one */
	uint64_t now;       /* the signer's clock, unix s */
	uint64_t root_serial;
	uint32_t root_len;
	uint32_t reserved;
	uint8_t root[SIGNER_ROOT_MAX]; /* the signed root: a stored part */
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
	uint32_t reason; /* enum envelope_reason, when a document was refused for one */
	uint32_t reserved;
	char text[SIGNER_TEXT_SIZE]; /* one sentence; empty when OK */
	union {
		struct signer_info info;
		struct signer_part part;
		uint8_t sealed[SIGNER_SEALED_SIZE];
	};
};

_Static_assert(sizeof(struct signer_variant) == 280 + 8 + 1632 + 32 + 8, "layout");
_Static_assert(sizeof(struct signer_request) == 24 + 8 + 8296 + 8 + 1632, "layout");
_Static_assert(sizeof(struct signer_reply) == 32 + 160 + 8 + 8640, "layout");
_Static_assert(
        SIGNER_KIT_MAX == sizeof(struct envelope_part_header) + sizeof(struct kit_manifest) +
                                  ENVELOPE_SIGNATURES_MAX * sizeof(struct envelope_signature),
        "a kit with all its signatures fits");
_Static_assert(
        SIGNER_ROOT_MAX == sizeof(struct envelope_part_header) + sizeof(struct root_manifest) +
                                   ENVELOPE_SIGNATURES_MAX * sizeof(struct envelope_signature),
        "a root with all its signatures fits");
_Static_assert(SIGNER_ORDER_MAX == sizeof(struct order_manifest) +
                                           ORDER_COMPONENTS_MAX * sizeof(struct order_component),
        "every order fits");
_Static_assert(
        SIGNER_STATEMENT_MAX == sizeof(struct statement_manifest) +
                                        STATEMENT_SERVICES_MAX * sizeof(struct statement_service),
        "every statement fits");
_Static_assert(
        SIGNER_STANDING_MAX == sizeof(struct standing_manifest) +
                                       STANDING_SERVICES_MAX * sizeof(struct standing_service),
        "every standing order fits");
_Static_assert(
        SIGNER_PART_MAX == sizeof(struct envelope_part_header) + SIGNER_ORDER_MAX +
                                   ENVELOPE_SIGNATURES_MAX * sizeof(struct envelope_signature),
        "every signed part fits");
