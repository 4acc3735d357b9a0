#pragma once
/*
 * A good envelope made from fixed keys and fixed fields, for tests, fuzzers and
 * golden files. Spoil a manifest, sign again, and see what is said.
 */
#include "proto/envelope/envelope.h"

#define SAMPLE_NOW UINT64_C(1800000000)
#define SAMPLE_DAY UINT64_C(86400)
#define SAMPLE_PAYLOAD "the payload"
#define SAMPLE_DESCRIPTION "the description"

/* Fixed keys: one per role, a second of two roles, and a stranger's. */
enum sample_key {
	SAMPLE_ROOT,
	SAMPLE_RELEASE,
	SAMPLE_VARIANT,
	SAMPLE_VARIANT2,
	SAMPLE_POLICY,
	SAMPLE_STRANGER,
	_SAMPLE_KEY_N
};

struct sample {
	struct root_manifest root;
	struct kit_manifest kit;
	struct variant_manifest variant;
	enum sample_key root_key;
	enum sample_key kit_key;
	enum sample_key variant_keys[ENVELOPE_SIGNATURES_MAX];
	unsigned int n_variant_keys;
	_Alignas(8) uint8_t bytes[ENVELOPE_SIZE_MAX];
	size_t len;
};

/* The good manifests and keys; nothing is signed yet. */
void sample_init(struct sample *s);

/* What a machine believes that accepts the good sample. */
void sample_trust(struct trust *ret_trust);

/* Bind the variant to the kit as it is now. */
void sample_bind(struct sample *s);

/* Sign the three manifests as they are and write the envelope. */
void sample_sign(struct sample *s);

/* Public key and id of a fixed key. */
void sample_key_pub(enum sample_key key, uint8_t ret_pub[32]);
