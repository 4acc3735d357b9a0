/*
 * Orders, made and signed in the machine with the keys that tests/update/run put into the boot
 * image (its blob "signing"): a boot id cannot be known before the boot.
 */
#include "osd/suites/update/order.h"

#include <string.h>

#include <sodium/crypto_sign_ed25519.h>

#include "osd/lib/sef/sef.h"
#include "osd/lib/sys/grant.h"
#include "osd/servers/rs/base/log.h"
#include "osd/suites/update/priv.h"
#include "proto/envelope/envelope_crypto.h"

#define ORDER_LIFE_SEC 600

/* As keyring/test/offers.c writes it. */
static struct signing {
	uint8_t seed[ORDER_N_KEYS][32];
	uint32_t root_bytes, statement_bytes;
	_Alignas(8) uint8_t root[2048], statement[4096];
} signing;

static uint8_t order_secret[ORDER_N_KEYS][crypto_sign_ed25519_SECRETKEYBYTES];
static uint8_t order_key_id[ORDER_N_KEYS][16];
static const struct root_manifest *order_root;

/* What libsodium's shim asks of whoever links it. */
void rs_panic(const char *text)
{
	sef_panic("%s", text);
}

void rs_log(const char *text)
{
	sef_log("%s", text);
}

static void order_keys_read(void)
{
	struct envelope_part part;

	if (order_root != NULL) {
		return;
	}
	if (rs_blob("signing", HOOK_PAYLOAD, 0, &signing, sizeof(signing)) != sizeof(signing) ||
	        envelope_part_open(signing.root, signing.root_bytes, &part) != ENVELOPE_OK) {
		sef_panic("the boot image has no keys to sign with");
	}
	for (uint32_t i = 0; i < ORDER_N_KEYS; i++) {
		uint8_t pub[32], hash[64];

		(void)crypto_sign_ed25519_seed_keypair(pub, order_secret[i], signing.seed[i]);
		envelope_hash(pub, sizeof(pub), hash);
		memcpy(order_key_id[i], hash, sizeof(order_key_id[i]));
	}
	order_root = (const void *)part.manifest;
}

uint64_t order_epoch(void)
{
	order_keys_read();
	return order_root->serial;
}

const void *order_statement(uint32_t *ret_bytes)
{
	order_keys_read();
	*ret_bytes = signing.statement_bytes;
	return signing.statement;
}

void order_init(struct order *order, enum order_action action, uint64_t number)
{
	struct rs_resources resources = rs_resources();

	memset(order, 0, sizeof(*order));
	order->head = (struct order_manifest){
	        .magic = ORDER_MAGIC,
	        .version = MANIFEST_VERSION,
	        .size = sizeof(order->head),
	        .boot_id = resources.boot_id,
	        .epoch = order_epoch(),
	        .transaction = number,
	        .issued = resources.time,
	        .expires = resources.time + ORDER_LIFE_SEC,
	        .action = action,
	};
	memcpy(order->head.machine_id, resources.machine_id, sizeof(order->head.machine_id));
	order->by[order->n_by++] = ORDER_KEY_ORDER;
	if (action == ORDER_RESTART || action == ORDER_SHUTDOWN || action == ORDER_DROP) {
		order->by[order->n_by++] = ORDER_KEY_CONTROL;
	}
}

struct order_component *order_add(struct order *order, const char *service)
{
	struct order_component *c = &order->component[order->head.n_components++];

	order->head.size = (uint32_t)order_manifest_size(order->head.n_components);
	strncpy(c->service, service, sizeof(c->service) - 1);
	return c;
}

/* A part with its signatures, where the next call does not need it. */
static size_t order_part(enum envelope_part_kind kind, const void *manifest, size_t len,
        const enum order_key *by, uint32_t n_by, uint8_t ret_part[ORDER_ENVELOPE_MAX])
{
	struct envelope_signature signatures[ENVELOPE_SIGNATURES_MAX];

	order_keys_read();
	for (uint32_t i = 0; i < n_by; i++) {
		memcpy(signatures[i].key_id, order_key_id[by[i]], sizeof(signatures[i].key_id));
		(void)crypto_sign_ed25519_detached(
		        signatures[i].sig, NULL, manifest, len, order_secret[by[i]]);
	}
	return envelope_part_write(
	        kind, manifest, len, signatures, n_by, ret_part, ORDER_ENVELOPE_MAX);
}

uint32_t order_seal(enum envelope_kind kind, enum envelope_part_kind part_kind,
        const void *manifest, size_t len, const enum order_key *by, uint32_t n_by,
        uint8_t ret_envelope[ORDER_ENVELOPE_MAX])
{
	static _Alignas(8) uint8_t part[ORDER_ENVELOPE_MAX];
	size_t size = order_part(part_kind, manifest, len, by, n_by, part);
	const void *parts[] = {signing.root, part};
	size_t sizes[] = {signing.root_bytes, size};

	return (uint32_t)envelope_write(kind, parts, sizes, ret_envelope, ORDER_ENVELOPE_MAX);
}

uint32_t order_seal_variant(const struct kit_manifest *kit, const struct variant_manifest *variant,
        uint8_t ret_envelope[ORDER_ENVELOPE_MAX])
{
	static _Alignas(8) uint8_t kit_part[ORDER_ENVELOPE_MAX], variant_part[ORDER_ENVELOPE_MAX];
	static const enum order_key release = ORDER_KEY_RELEASE, online = ORDER_KEY_VARIANT;
	size_t kit_size = order_part(ENVELOPE_KIT, kit, sizeof(*kit), &release, 1, kit_part);
	size_t size =
	        order_part(ENVELOPE_VARIANT, variant, sizeof(*variant), &online, 1, variant_part);
	const void *parts[] = {signing.root, kit_part, variant_part};
	size_t sizes[] = {signing.root_bytes, kit_size, size};

	return (uint32_t)envelope_write(
	        ENVELOPE_OF_VARIANT, parts, sizes, ret_envelope, ORDER_ENVELOPE_MAX);
}

uint32_t order_write(const struct order *order, uint8_t ret_envelope[ORDER_ENVELOPE_MAX])
{
	return order_seal(ENVELOPE_OF_ORDER, ENVELOPE_ORDER, order, order->head.size, order->by,
	        order->n_by, ret_envelope);
}

err_t order_send(const struct order *order, struct rs_reply *ret_reply)
{
	static _Alignas(8) uint8_t envelope[ORDER_ENVELOPE_MAX];
	struct rs_reply reply;

	return rs_ask_with(RS_ORDER, envelope, order_write(order, envelope), GRANT_READ,
	        (struct rs_request){0}, ret_reply != NULL ? ret_reply : &reply);
}

err_t order_simple(enum order_action action, const char *service, uint64_t argument)
{
	struct order order;

	order_init(&order, action, update_next_id());
	order.head.argument = argument;
	if (service != NULL) {
		(void)order_add(&order, service);
	}
	return order_send(&order, NULL);
}
