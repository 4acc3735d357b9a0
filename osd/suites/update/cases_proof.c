/*
 * Layouts that the host made, in a machine that has them proved (no word `kits`), and in one that
 * cannot (`kits=none`). The suite is the host: it has the linker and the genuine keys, and changes
 * what it signs.
 */
#include "osd/suites/update/order.h"
#include "osd/suites/update/priv.h"
#include "proto/envelope/envelope_crypto.h"
#include "proto/envelope/seed.h"
#include "proto/image/link.h"

#include <string.h>

#include "osd/lib/sef/sef.h"
#include "osd/lib/sys/grant.h"

#define VARIANT_LIFE_SEC 3600
#define FLAT_MAX (512u << 10)
#define PAYLOAD_MAX (1024u << 10)
#define FIRST_GENERATION 20 /* above those of the other cases */

/* One variant, with everything that it was made from. */
static struct proof {
	struct kit_manifest kit;
	struct variant_manifest variant;
	uint8_t seed[RS_SEED_LEN];
	uint64_t n_bytes;
	struct rs_admitted admitted; /* what RS said last */
	_Alignas(8) uint8_t flat[FLAT_MAX], scratch[FLAT_MAX], payload[PAYLOAD_MAX];
} proof;

static void proof_read_flat(const char *entry)
{
	uint64_t at = 0;

	while (at < proof.kit.flat_len) {
		uint64_t left = proof.kit.flat_len - at;
		uint32_t n = left < RS_CHUNK_MAX ? (uint32_t)left : RS_CHUNK_MAX;

		if (left > sizeof(proof.flat) - at ||
		        rs_blob(entry, HOOK_FLAT, at, proof.flat + at, n) < 0) {
			sef_panic("the flat kit of %s cannot be read", entry);
		}
		at += n;
	}
}

/* The payload of another layout; every call has a seed of its own. */
static void proof_link(const char *entry)
{
	static uint8_t n_made;
	uint8_t release_id[RS_HASH_LEN];
	struct link_layout layout;
	struct flat_view view;

	proof.kit = kit_of(entry);
	proof_read_flat(entry);
	memset(proof.seed, ++n_made, sizeof(proof.seed));
	kit_manifest_release_id(&proof.kit, release_id);
	if (flat_check(proof.flat, proof.kit.flat_len, &view) != FLAT_OK ||
	        link_place(&view,
	                &(struct link_request){.seed = proof.seed, .release_id = release_id},
	                proof.scratch, sizeof(proof.scratch), &layout) != LINK_OK ||
	        layout.payload_size > sizeof(proof.payload) ||
	        link_payload_write(&view, &layout, proof.payload) != LINK_OK) {
		sef_panic("%s cannot be linked", entry);
	}
	proof.n_bytes = layout.payload_size;
}

/* Change a byte, and put the build id right. */
static void proof_spoil(uint64_t at)
{
	struct image_header *header = (struct image_header *)proof.payload;
	uint8_t hash[RS_HASH_LEN];

	proof.payload[at] ^= 1;
	memset(header->build_id, 0, sizeof(header->build_id));
	envelope_hash(proof.payload, proof.n_bytes, hash);
	memcpy(header->build_id, hash, sizeof(header->build_id));
}

/* Sign what there is: hashes and keys are right whatever was changed. */
static void proof_sign(void)
{
	struct rs_resources resources = rs_resources();

	proof.variant = (struct variant_manifest){.magic = VARIANT_MAGIC,
	        .version = MANIFEST_VERSION,
	        .size = sizeof(proof.variant),
	        .issued = resources.time,
	        .expires = resources.time + VARIANT_LIFE_SEC,
	        .payload_len = proof.n_bytes,
	        .recipe = LINK_RECIPE};
	memcpy(proof.variant.machine_id, resources.machine_id, sizeof(resources.machine_id));
	memcpy(proof.variant.service, proof.kit.service, SERVICE_NAME_SIZE);
	kit_manifest_release_id(&proof.kit, proof.variant.release_id);
	envelope_hash(proof.payload, proof.n_bytes, proof.variant.payload_hash);
	envelope_seed_commit(
	        proof.variant.release_id, LINK_RECIPE, proof.seed, proof.variant.seed_commit);
}

static err_t proof_admit(const uint8_t *seed)
{
	static _Alignas(8) uint8_t bytes[ORDER_ENVELOPE_MAX + RS_SEED_LEN];
	uint32_t n = order_seal_variant(&proof.kit, &proof.variant, bytes);
	uint32_t n_seed = seed != NULL ? RS_SEED_LEN : 0;
	struct rs_reply reply;
	err_t err;

	if (seed != NULL) {
		memcpy(bytes + n, seed, RS_SEED_LEN);
	}
	err = rs_ask_with(RS_ADMIT, bytes, n + n_seed, GRANT_READ | GRANT_WRITE,
	        (struct rs_request){.argument = n_seed}, &reply);
	memcpy(&proof.admitted, bytes, sizeof(proof.admitted));
	return err;
}

static void proof_stage(void)
{
	uint64_t held = 0;

	CHECK_EQUAL(stage_begin(proof.variant.payload_hash, proof.n_bytes, &held), E_OK);
	while (held < proof.n_bytes) {
		uint64_t left = proof.n_bytes - held;
		uint32_t n = left < RS_CHUNK_MAX ? (uint32_t)left : RS_CHUNK_MAX;

		if (stage_append(proof.variant.payload_hash, held, proof.payload + held, n,
		            &held) != E_OK) {
			sef_panic("a payload cannot be staged");
		}
	}
}

static err_t proof_order(enum order_action action, uint64_t generation)
{
	struct order_component *c;
	struct order order;

	order_init(&order, action, update_next_id());
	c = order_add(&order, proof.kit.service);
	memcpy(c->release_id, proof.variant.release_id, sizeof(c->release_id));
	variant_manifest_hash(&proof.variant, c->variant_hash);
	c->generation = generation;
	c->recipe = LINK_RECIPE;
	return order_send(&order, NULL);
}

/* A variant whose byte at this place of the payload was changed: what an order for it is told. */
static err_t proof_try(uint64_t at)
{
	proof_spoil(at);
	proof_sign();
	CHECK_EQUAL(proof_admit(proof.seed), E_OK);
	proof_stage();
	return proof_order(ORDER_UPDATE, FIRST_GENERATION);
}

static void case_changed(void)
{
	const struct image_header *header = (const struct image_header *)proof.payload;
	uint64_t place = assist_place();
	struct image_view view;

	tap_case("a payload with one changed byte is refused, whoever signed it");
	for (uint32_t i = 0; i < 3; i++) {
		proof_link("assist-r2");
		CHECK_EQUAL(image_check(proof.payload, proof.n_bytes, &view), IMAGE_OK);
		if (i >= view.header->n_segments) {
			break;
		}
		CHECK_EQUAL(proof_try(view.segments[i].file_off + view.segments[i].file_size / 2),
		        E_V_LAYOUT);
	}
	proof_link("assist-r2");
	CHECK_EQUAL(proof_try(header->symbols_off + 8), E_V_LAYOUT);
	proof_link("assist-r2");
	CHECK_EQUAL(proof_try(offsetof(struct image_header, entry)), E_V_LAYOUT);
	CHECK_EQUAL(assist_place(), place);
}

static void case_seed(void)
{
	uint8_t other[RS_SEED_LEN] = {0};

	tap_case("without its seed nobody can say, and another one is not taken");
	proof_link("assist-r2");
	proof_sign();
	CHECK_EQUAL(proof_admit(other), E_V_LAYOUT);
	CHECK_EQUAL(proof_admit(NULL), E_OK);
	proof_stage();
	CHECK_EQUAL(proof_order(ORDER_UPDATE, FIRST_GENERATION), E_V_LAYOUT);
}

/* The same variant again, now with its seed. */
static void case_genuine(void)
{
	uint64_t place = assist_place(), checksum = assist_checksum();
	struct rs_service service = {0};

	tap_case("what kit and seed give runs, and is proved once");
	CHECK_EQUAL(proof_admit(proof.seed), E_OK);
	CHECK_EQUAL(proof_order(ORDER_PREPARE, FIRST_GENERATION), E_OK);
	CHECK_EQUAL(update_wait(update_last_id()).outcome, RS_OUTCOME_PREPARED);
	CHECK_EQUAL(proof_admit(NULL), E_OK);
	CHECK_EQUAL(proof_order(ORDER_UPDATE, FIRST_GENERATION), E_OK);
	CHECK_EQUAL(update_wait(update_last_id()).outcome, RS_OUTCOME_COMMITTED);
	CHECK(assist_place() != place);
	CHECK_EQUAL(assist_checksum(), checksum);
	CHECK(rs_service("assist", &service));
	CHECK(!service.is_machine_made);
	CHECK(memcmp(service.commitment, (uint8_t[RS_HASH_LEN]){0}, RS_HASH_LEN) == 0);
	CHECK(memcmp(service.sealed, (uint8_t[RS_SEALED_LEN]){0}, RS_SEALED_LEN) == 0);
	CHECK_EQUAL(service.base, ((struct image_header *)proof.payload)->base);
}

/* A kit whose flat kit is not there: of another release, with the same description. */
static void case_not_staged(void)
{
	tap_case("a payload cannot be proved without the kit");
	proof_link("assist-r2");
	proof.kit.counter++;
	proof.kit.flat_hash[0] ^= 1;
	proof_sign();
	CHECK_EQUAL(proof_admit(proof.seed), E_OK);
	proof_stage();
	CHECK_EQUAL(proof_order(ORDER_UPDATE, FIRST_GENERATION + 1), E_NOTFOUND);
}

/* A machine without room for kits asks for two variant keys; every kit and seed is of no use. */
void cases_no_kits(void)
{
	tap_case("a machine without kits takes no payload on one signature");
	proof_link("assist-r2");
	proof_sign();
	CHECK_EQUAL(proof_admit(proof.seed), E_OK);
	CHECK_EQUAL(proof.admitted.blobs[0].total, proof.n_bytes);
	CHECK_EQUAL(proof.admitted.blobs[2].total, 0);
	proof_stage();
	stage_kit("assist-r2", &proof.kit);
	CHECK_EQUAL(proof_order(ORDER_UPDATE, FIRST_GENERATION), E_V_THRESHOLD);
	CHECK_EQUAL(rs_resources().busy, 0);
}

void cases_proof(void)
{
	case_changed();
	case_seed();
	case_genuine();
	case_not_staged();
}
