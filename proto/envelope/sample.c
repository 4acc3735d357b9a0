#undef NDEBUG
#include "proto/envelope/sample.h"

#include <assert.h>
#include <string.h>

#include <openssl/evp.h>

#include "proto/envelope/envelope_crypto.h"

static EVP_PKEY *sample_key_open(enum sample_key key)
{
	uint8_t seed[32];
	EVP_PKEY *pkey;

	memset(seed, 0x40 + (int)key, sizeof(seed));
	pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof(seed));
	assert(pkey != NULL);
	return pkey;
}

void sample_key_pub(enum sample_key key, uint8_t ret_pub[32])
{
	EVP_PKEY *pkey = sample_key_open(key);
	size_t len = 32;

	assert(EVP_PKEY_get_raw_public_key(pkey, ret_pub, &len) == 1 && len == 32);
	EVP_PKEY_free(pkey);
}

static void sample_root_key(struct root_key *entry, enum sample_key key)
{
	uint8_t hash[64];

	sample_key_pub(key, entry->pub);
	envelope_hash(entry->pub, sizeof(entry->pub), hash);
	memcpy(entry->id, hash, sizeof(entry->id));
	entry->not_before = SAMPLE_NOW - 10 * SAMPLE_DAY;
	entry->not_after = SAMPLE_NOW + 1000 * SAMPLE_DAY;
}

static void sample_init_root(struct root_manifest *root)
{
	*root = (struct root_manifest){
	        .magic = ROOT_MAGIC,
	        .version = MANIFEST_VERSION,
	        .size = sizeof(*root),
	        .serial = 5,
	        .issued = SAMPLE_NOW - 10 * SAMPLE_DAY,
	        .n_release = 1,
	        .n_variant = 2,
	        .n_policy = 1,
	        .n_needs = 1,
	        .default_need = 1,
	        .needs = {{.service = "rs", .n_signatures = 2}},
	};
	sample_key_pub(SAMPLE_ROOT, root->root_pub);
	sample_root_key(&root->release[0], SAMPLE_RELEASE);
	sample_root_key(&root->variant[0], SAMPLE_VARIANT);
	sample_root_key(&root->variant[1], SAMPLE_VARIANT2);
	sample_root_key(&root->policy[0], SAMPLE_POLICY);
}

static void sample_init_kit(struct kit_manifest *kit)
{
	*kit = (struct kit_manifest){
	        .magic = KIT_MAGIC,
	        .version = MANIFEST_VERSION,
	        .size = sizeof(*kit),
	        .service = "tty",
	        .counter = 7,
	        .floor = 5,
	        .issued = SAMPLE_NOW - 9 * SAMPLE_DAY,
	        .call_mask = {0x1f, 0, 0, 1},
	        .targets = {"rs", "vm"},
	        .depends = {"ds"},
	        .metrics = {"bytes", "lines"},
	        .quiescent = "work-free",
	        .io = {{0x3f8, 0x3ff}},
	        .mmio = {{0xfeb00000, 0x1000}},
	        .irqs = {4},
	        .n_targets = 2,
	        .n_depends = 1,
	        .n_metrics = 2,
	        .n_io = 1,
	        .n_mmio = 1,
	        .n_irqs = 1,
	        .rank = 3,
	        .priority = 4,
	        .quantum_usec = 10000,
	        .restart = KIT_RESTART_SAME,
	        .restart_limit = 5,
	        .heartbeat_ms = 1000,
	        .flags = KIT_WAS_STRICT,
	        .heap_limit = 1 << 20,
	        .stack_size = 16384,
	};
	memset(kit->source_id, 0x11, sizeof(kit->source_id));
	memset(kit->files_hash, 0x22, sizeof(kit->files_hash));
	envelope_hash(SAMPLE_DESCRIPTION, strlen(SAMPLE_DESCRIPTION), kit->state_hash);
}

static void sample_init_variant(struct variant_manifest *variant)
{
	*variant = (struct variant_manifest){
	        .magic = VARIANT_MAGIC,
	        .version = MANIFEST_VERSION,
	        .size = sizeof(*variant),
	        .machine_id = "machine number 1",
	        .service = "tty",
	        .generation = 9,
	        .base = 0x123456600000,
	        .issued = SAMPLE_NOW,
	        .expires = SAMPLE_NOW + SAMPLE_DAY,
	        .payload_len = strlen(SAMPLE_PAYLOAD),
	        .recipe = 1,
	};
	envelope_hash(SAMPLE_PAYLOAD, strlen(SAMPLE_PAYLOAD), variant->payload_hash);
	memset(variant->seed_commit, 0x33, sizeof(variant->seed_commit));
}

void sample_init(struct sample *s)
{
	memset(s, 0, sizeof(*s));
	sample_init_root(&s->root);
	sample_init_kit(&s->kit);
	sample_init_variant(&s->variant);
	sample_bind(s);
	s->root_key = SAMPLE_ROOT;
	s->kit_key = SAMPLE_RELEASE;
	s->variant_keys[0] = SAMPLE_VARIANT;
	s->n_variant_keys = 1;
}

void sample_trust(struct trust *ret_trust)
{
	*ret_trust = (struct trust){
	        .root_serial = 5,
	        .machine_id = "machine number 1",
	        .service = "tty",
	        .newest_time = SAMPLE_NOW - SAMPLE_DAY,
	        .latest_time = SAMPLE_NOW + 100 * SAMPLE_DAY,
	        .generation = 8,
	        .floor = 7,
	};
	sample_key_pub(SAMPLE_ROOT, ret_trust->root_pub);
}

void sample_bind(struct sample *s)
{
	kit_manifest_release_id(&s->kit, s->variant.release_id);
}

static void sample_signature(
        enum sample_key key, const void *bytes, size_t len, struct envelope_signature *ret)
{
	EVP_PKEY *pkey = sample_key_open(key);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n = sizeof(ret->sig);
	uint8_t pub[32], hash[64];

	assert(EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) == 1);
	assert(EVP_DigestSign(ctx, ret->sig, &n, bytes, len) == 1 && n == sizeof(ret->sig));
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	sample_key_pub(key, pub);
	envelope_hash(pub, sizeof(pub), hash);
	memcpy(ret->key_id, hash, sizeof(ret->key_id));
}

static size_t sample_part(enum envelope_part_kind kind, const void *manifest, size_t len,
        const enum sample_key *keys, unsigned int n_keys, uint8_t *out)
{
	struct envelope_signature sigs[ENVELOPE_SIGNATURES_MAX];

	for (unsigned int i = 0; i < n_keys; i++) {
		sample_signature(keys[i], manifest, len, &sigs[i]);
	}
	return envelope_part_write(kind, manifest, len, sigs, n_keys, out, ENVELOPE_SIZE_MAX);
}

void sample_sign(struct sample *s)
{
	uint8_t root[ENVELOPE_SIZE_MAX], kit[ENVELOPE_SIZE_MAX], variant[ENVELOPE_SIZE_MAX];
	const void *parts[_ENVELOPE_PART_N] = {root, kit, variant};
	size_t sizes[_ENVELOPE_PART_N] = {
	        sample_part(ENVELOPE_ROOT, &s->root, sizeof(s->root), &s->root_key, 1, root),
	        sample_part(ENVELOPE_KIT, &s->kit, sizeof(s->kit), &s->kit_key, 1, kit),
	        sample_part(ENVELOPE_VARIANT, &s->variant, sizeof(s->variant), s->variant_keys,
	                s->n_variant_keys, variant),
	};

	s->len = envelope_write(parts, sizes, s->bytes, sizeof(s->bytes));
	assert(s->len > 0);
}
