/*
 * Good envelopes of each kind, made from fixed keys and fixed fields, so that they are the
 * same bytes in every run and can be golden files. The secrets are one byte, 0x40 plus the
 * key's number, 32 times: they sign nothing but samples. A test spoils a manifest or a
 * signature and signs again; what it leaves alone is still good, so the reason that comes
 * back is that of the one thing it spoiled.
 */
#undef NDEBUG
#include "proto/envelope/sample.h"

#include <assert.h>
#include <stdlib.h>
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
	        .expires = SAMPLE_NOW + 1000 * SAMPLE_DAY,
	        .variant_life_sec_max = 7 * SAMPLE_DAY,
	        .order_life_sec_max = 600,
	        .n_keys = {[ROOT_ROLE_RELEASE] = 1,
	                [ROOT_ROLE_VARIANT] = 2,
	                [ROOT_ROLE_ORDER] = 1,
	                [ROOT_ROLE_CONTROL] = 1,
	                [ROOT_ROLE_POLICY] = 1},
	        .n_needs = 1,
	        .default_need = 1,
	        .needs = {{.service = "rs", .n_signatures = 2}},
	};
	sample_key_pub(SAMPLE_ROOT, root->root_pub);
	memset(root->audit_pub, 0x44, sizeof(root->audit_pub));
	sample_root_key(&root->keys[ROOT_ROLE_RELEASE][0], SAMPLE_RELEASE);
	sample_root_key(&root->keys[ROOT_ROLE_VARIANT][0], SAMPLE_VARIANT);
	sample_root_key(&root->keys[ROOT_ROLE_VARIANT][1], SAMPLE_VARIANT2);
	sample_root_key(&root->keys[ROOT_ROLE_ORDER][0], SAMPLE_ORDER);
	sample_root_key(&root->keys[ROOT_ROLE_CONTROL][0], SAMPLE_CONTROL);
	sample_root_key(&root->keys[ROOT_ROLE_POLICY][0], SAMPLE_POLICY);
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
	kit->state_len = strlen(SAMPLE_DESCRIPTION);
	envelope_hash(SAMPLE_DESCRIPTION, kit->state_len, kit->state_hash);
	kit->flat_len = strlen(SAMPLE_FLAT);
	envelope_hash(SAMPLE_FLAT, kit->flat_len, kit->flat_hash);
}

static void sample_init_variant(struct variant_manifest *variant)
{
	*variant = (struct variant_manifest){
	        .magic = VARIANT_MAGIC,
	        .version = MANIFEST_VERSION,
	        .size = sizeof(*variant),
	        .machine_id = "machine number 1",
	        .service = "tty",
	        .issued = SAMPLE_NOW,
	        .expires = SAMPLE_NOW + SAMPLE_DAY,
	        .payload_len = strlen(SAMPLE_PAYLOAD),
	        .recipe = 1,
	};
	envelope_hash(SAMPLE_PAYLOAD, strlen(SAMPLE_PAYLOAD), variant->payload_hash);
	memset(variant->seed_commit, 0x33, sizeof(variant->seed_commit));
}

static void sample_init_order(struct sample_order *order)
{
	*order = (struct sample_order){
	        .head = {.magic = ORDER_MAGIC,
	                .version = MANIFEST_VERSION,
	                .size = (uint32_t)order_manifest_size(1),
	                .machine_id = "machine number 1",
	                .boot_id = SAMPLE_BOOT,
	                .epoch = 5,
	                .transaction = 12,
	                .issued = SAMPLE_NOW + 60,
	                .expires = SAMPLE_NOW + 660,
	                .action = ORDER_UPDATE,
	                .n_components = 1,
	                .total_ms = 15000,
	                .hold_ms = 20},
	        .component =
	                {{.service = "tty", .state = "request-free", .generation = 9, .recipe = 1}},
	};
}

static void sample_init_statement(struct sample_statement *statement)
{
	*statement = (struct sample_statement){
	        .head = {.magic = STATEMENT_MAGIC,
	                .version = MANIFEST_VERSION,
	                .size = (uint32_t)statement_manifest_size(2),
	                .machine_id = "machine number 1",
	                .root_serial = 5,
	                .issued = SAMPLE_NOW,
	                .n_services = 2},
	        .service = {{.service = "ds", .floor = 3, .epoch = 4, .generation = 100},
	                {.service = "tty", .floor = 6, .epoch = 5, .generation = 8}},
	};
}

static void sample_init_time(struct time_manifest *time)
{
	*time = (struct time_manifest){
	        .magic = TIME_MAGIC,
	        .version = MANIFEST_VERSION,
	        .size = sizeof(*time),
	        .machine_id = "machine number 1",
	        .boot_id = SAMPLE_BOOT,
	        .nonce = SAMPLE_NONCE,
	        .time = SAMPLE_NOW,
	};
}

static void sample_init_standing(struct sample_standing *standing)
{
	*standing = (struct sample_standing){
	        .head = {.magic = STANDING_MAGIC,
	                .version = MANIFEST_VERSION,
	                .size = (uint32_t)standing_manifest_size(2),
	                .machine_id = "machine number 1",
	                .boot_id = SAMPLE_BOOT,
	                .epoch = 5,
	                .number = 3,
	                .issued = SAMPLE_NOW + 60,
	                .expires = SAMPLE_NOW + 60 + SAMPLE_DAY,
	                .every_ms = 20000,
	                .jitter_ms = 5000,
	                .n_services = 2,
	                .n_quiet = 1,
	                .quiet = {{.from_sec = 8 * 3600, .until_sec = 9 * 3600}}},
	        .service = {{.service = "ds", .recipe = 2}, {.service = "tty", .recipe = 2}},
	};
	memset(standing->service[0].release_id, 0x55, sizeof(standing->service[0].release_id));
}

void sample_by(struct sample *s, enum envelope_part_kind part, enum sample_key key)
{
	s->by[part].n = 0;
	sample_also_by(s, part, key);
}

void sample_also_by(struct sample *s, enum envelope_part_kind part, enum sample_key key)
{
	s->by[part].key[s->by[part].n++] = key;
}

void sample_init(struct sample *s, enum envelope_kind kind)
{
	memset(s, 0, sizeof(*s));
	s->kind = kind;
	sample_init_root(&s->root);
	sample_init_kit(&s->kit);
	sample_init_variant(&s->variant);
	sample_init_order(&s->order);
	sample_init_statement(&s->statement);
	sample_init_time(&s->time);
	sample_init_standing(&s->standing);
	sample_bind(s);
	sample_by(s, ENVELOPE_ROOT, SAMPLE_ROOT);
	sample_by(s, ENVELOPE_KIT, SAMPLE_RELEASE);
	sample_by(s, ENVELOPE_VARIANT, SAMPLE_VARIANT);
	sample_by(s, ENVELOPE_ORDER, SAMPLE_ORDER);
	sample_by(s, ENVELOPE_STATEMENT, SAMPLE_ORDER);
	sample_by(s, ENVELOPE_TIME, SAMPLE_RELEASE);
	sample_by(s, ENVELOPE_STANDING, SAMPLE_ORDER);
}

void sample_trust(struct trust *ret_trust)
{
	*ret_trust = (struct trust){
	        .root_serial = 5,
	        .machine_id = "machine number 1",
	        .boot_id = SAMPLE_BOOT,
	        .time_nonce = SAMPLE_NONCE,
	        .time = SAMPLE_NOW - SAMPLE_DAY,
	        .latest_time = SAMPLE_NOW + 100 * SAMPLE_DAY,
	};
	sample_key_pub(SAMPLE_ROOT, ret_trust->root_pub);
}

void sample_bind(struct sample *s)
{
	struct order_component *c = &s->order.component[0];

	kit_manifest_release_id(&s->kit, s->variant.release_id);
	memcpy(c->release_id, s->variant.release_id, sizeof(c->release_id));
	memcpy(s->standing.service[1].release_id, s->variant.release_id, sizeof(c->release_id));
	variant_manifest_hash(&s->variant, c->variant_hash);
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

/* The manifest of a part, and its size. */
static const void *sample_manifest(
        const struct sample *s, enum envelope_part_kind kind, size_t *ret_len)
{
	switch (kind) {
	case ENVELOPE_ROOT:
		*ret_len = sizeof(s->root);
		return &s->root;
	case ENVELOPE_KIT:
		*ret_len = sizeof(s->kit);
		return &s->kit;
	case ENVELOPE_VARIANT:
		*ret_len = sizeof(s->variant);
		return &s->variant;
	case ENVELOPE_ORDER:
		*ret_len = s->order.head.size;
		return &s->order;
	case ENVELOPE_STATEMENT:
		*ret_len = s->statement.head.size;
		return &s->statement;
	case ENVELOPE_TIME:
		*ret_len = sizeof(s->time);
		return &s->time;
	case ENVELOPE_STANDING:
		*ret_len = s->standing.head.size;
		return &s->standing;
	case _ENVELOPE_PART_N:
		break;
	}
	abort();
}

static size_t sample_part(const struct sample *s, enum envelope_part_kind kind, uint8_t *out)
{
	struct envelope_signature sigs[ENVELOPE_SIGNATURES_MAX];
	const struct sample_signers *by = &s->by[kind];
	size_t len;
	const void *manifest = sample_manifest(s, kind, &len);

	for (unsigned int i = 0; i < by->n; i++) {
		sample_signature(by->key[i], manifest, len, &sigs[i]);
	}
	return envelope_part_write(kind, manifest, len, sigs, by->n, out, ENVELOPE_SIZE_MAX);
}

void sample_sign(struct sample *s)
{
	static _Alignas(8) uint8_t part[ENVELOPE_PARTS_MAX][ENVELOPE_SIZE_MAX];
	const void *parts[ENVELOPE_PARTS_MAX];
	size_t sizes[ENVELOPE_PARTS_MAX];
	enum envelope_part_kind kind;

	for (unsigned int n = 0; (kind = envelope_kind_part(s->kind, n)) != _ENVELOPE_PART_N; n++) {
		parts[n] = part[n];
		sizes[n] = sample_part(s, kind, part[n]);
	}
	s->len = envelope_write(s->kind, parts, sizes, s->bytes, sizeof(s->bytes));
	assert(s->len > 0);
}

enum envelope_reason sample_judge(const struct sample *s, const struct trust *trust)
{
	struct envelope_view view;
	enum envelope_reason r = envelope_open(s->bytes, s->len, &view);

	return r == ENVELOPE_OK ? envelope_verify(&view, trust) : r;
}
