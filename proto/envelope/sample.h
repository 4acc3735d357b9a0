#pragma once
/*
 * A good envelope of each kind made from fixed keys and fixed fields, for tests,
 * fuzzers and golden files. Spoil a manifest, sign again, and see what is said.
 */
#include "proto/envelope/envelope.h"

#define SAMPLE_NOW UINT64_C(1800000000)
#define SAMPLE_DAY UINT64_C(86400)
#define SAMPLE_PAYLOAD "the payload"
#define SAMPLE_DESCRIPTION "the description"
#define SAMPLE_FLAT "the flat kit"

/* Fixed keys: one per role, a second of two roles, and a stranger's. */
enum sample_key {
	SAMPLE_ROOT,
	SAMPLE_RELEASE,
	SAMPLE_VARIANT,
	SAMPLE_VARIANT2,
	SAMPLE_ORDER,
	SAMPLE_CONTROL,
	SAMPLE_POLICY,
	SAMPLE_STRANGER,
	_SAMPLE_KEY_N
};

#define SAMPLE_BOOT UINT64_C(0x0123456789abcdef)
#define SAMPLE_NONCE UINT64_C(0xfedcba9876543210)

/* An order with room for two components, a statement and a standing order for two services. */
struct sample_order {
	struct order_manifest head;
	struct order_component component[2];
};
struct sample_statement {
	struct statement_manifest head;
	struct statement_service service[2];
};

struct sample_standing {
	struct standing_manifest head;
	struct standing_service service[2];
};

/* Who signs a manifest. */
struct sample_signers {
	enum sample_key key[ENVELOPE_SIGNATURES_MAX];
	unsigned int n;
};

struct sample {
	enum envelope_kind kind; /* what sample_sign() makes */
	struct root_manifest root;
	struct kit_manifest kit;
	struct variant_manifest variant;
	struct sample_order order;
	struct sample_statement statement;
	struct time_manifest time;
	struct sample_standing standing;
	struct sample_signers by[_ENVELOPE_PART_N];
	_Alignas(8) uint8_t bytes[ENVELOPE_SIZE_MAX];
	size_t len;
};

/* The good manifests and keys; nothing is signed yet. */
void sample_init(struct sample *s, enum envelope_kind kind);

/* What a machine believes that accepts the good samples. */
void sample_trust(struct trust *ret_trust);

/* Bind the variant to the kit, and the order to both, as they are now. */
void sample_bind(struct sample *s);

/* Sign the manifests of the kind as they are and write the envelope. */
void sample_sign(struct sample *s);

/* What opening and verifying the envelope say. */
enum envelope_reason sample_judge(const struct sample *s, const struct trust *trust);

/* Sign with one more key; sample_by() with this one alone. */
void sample_by(struct sample *s, enum envelope_part_kind part, enum sample_key key);
void sample_also_by(struct sample *s, enum envelope_part_kind part, enum sample_key key);

/* Public key and id of a fixed key. */
void sample_key_pub(enum sample_key key, uint8_t ret_pub[32]);
