/* Variants and kits: which may be run or staged, for how long they are kept, and what they name. */
#undef NDEBUG
#include "osd/servers/rs/trust/play.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "osd/abi/errors.h"
#include "proto/envelope/seed.h"
#include "proto/image/link.h"

/* A kit alone: by its release id, of the linker's recipe, by the rules of variants. */
static void test_machine_made(void)
{
	struct trust_variant *v;

	boot(SAMPLE_NOW, 5);
	assert(tell_statement(5) == E_OK);
	machine_made(5, 1);
	assert(show_order() == E_V_UNADMITTED);
	assert(admit(5, SAMPLE_NOW) == E_OK); /* a variant of it is not the kit */
	machine_made(5, 1);
	assert(show_order() == E_V_UNADMITTED);
	assert(admit_kit(5) == E_OK);
	machine_made(5, 1);
	s.order.component[0].recipe++;
	assert(show_order() == E_V_RELEASE);
	machine_made(5, 1);
	memcpy(s.order.component[0].service, "ds\0", 3);
	assert(show_order() == E_V_SERVICE);
	machine_made(5, 1);
	s.order.component[0].generation = 3;
	assert(show_order() == E_V_REPLAY);
	machine_made(5, 1);
	assert(show_order() == E_OK);
	v = trust_find_kit(&t, s.order.component[0].release_id);
	assert(v != NULL && v->is_kit && trust_find_variant(&t, v->hash) == NULL);
	sample_of(ENVELOPE_OF_STATEMENT, 5);
	s.statement.service[1].floor = s.kit.counter + 1;
	assert(show_statement() == E_OK);
	machine_made(5, 2);
	assert(show_order() == E_V_FLOOR);
}

/* A name of one sort is none of the other: an order that names a kit as its variant. */
static void test_kit_is_no_variant(void)
{
	boot(SAMPLE_NOW, 5);
	assert(tell_statement(5) == E_OK && admit_kit(5) == E_OK);
	machine_made(5, 1);
	memcpy(s.order.component[0].variant_hash, s.order.component[0].release_id, RS_HASH_LEN);
	assert(show_order() == E_V_UNADMITTED);
}

/* A newer root, or the end of the release key: the kit must be shown again. */
static void test_kit_ends(void)
{
	boot(SAMPLE_NOW, 5);
	assert(admit_kit(5) == E_OK && tell_statement(6) == E_OK);
	machine_made(6, 1);
	assert(show_order() == E_V_ROOT);
	assert(admit_kit(6) == E_OK);
	machine_made(6, 1);
	assert(show_order() == E_OK);
	sample_of(ENVELOPE_OF_KIT, 6);
	t.variants[0].keys_end = SAMPLE_NOW;
	machine_made(6, 2);
	assert(show_order() == E_V_KEY_EXPIRED);
}

static err_t add_kit(const struct kit_manifest *kit, const void *envelope, size_t len)
{
	uint8_t release_id[RS_HASH_LEN];

	kit_manifest_release_id(kit, release_id);
	return trust_add_kit(&t, kit, release_id, envelope, len);
}

/* With the sample as its envelope, which stays what it is: RS looks at it later. */
static err_t add_boot_kit(const struct kit_manifest *kit)
{
	static _Alignas(8) uint8_t envelope[sizeof(s.bytes)];

	memcpy(envelope, s.bytes, s.len);
	return add_kit(kit, envelope, s.len);
}

/* What the machine was booted with: known, but only as far as it was signed under the root at boot. */
static void test_kit_of_boot(void)
{
	struct trust_variant *v;

	boot(SAMPLE_NOW, 5);
	assert(add_kit(&s.kit, NULL, 0) == E_OK);
	assert(trust_names(&t, s.kit.flat_hash, s.kit.flat_len));
	assert(tell_statement(5) == E_OK);
	machine_made(5, 1);
	assert(show_order() == E_V_UNADMITTED); /* the host's word is not a signature */
	assert(admit_kit(5) == E_OK);
	machine_made(5, 1);
	assert(show_order() == E_OK);

	boot(SAMPLE_NOW, 5);
	sample_sign(&s);
	s.bytes[s.len - 1] ^= 1; /* of the variant's signature: not asked for */
	assert(add_boot_kit(&s.kit) == E_OK);
	assert(add_kit(&s.kit, NULL, 0) == E_OK); /* of another service, without its envelope */
	assert(tell_statement(6) == E_OK);
	machine_made(6, 1);
	assert(show_order() == E_OK); /* also under a newer root */
	v = trust_find_kit(&t, s.order.component[0].release_id);
	assert(v != NULL && trust_forget(v) == E_BUSY && v->is_booted);
	machine_made(6, 2);
	assert(show_order() == E_OK); /* and the next time */
}

/* Nothing is verified before it is asked for; two services may show one kit, one of them well. */
static void test_kit_of_boot_twice(void)
{
	static const uint8_t bad[64];
	struct trust_variant *v;

	for (int is_bad_first = 0; is_bad_first < 2; is_bad_first++) {
		boot(SAMPLE_NOW, 5);
		sample_sign(&s);
		if (is_bad_first) {
			assert(add_kit(&s.kit, bad, sizeof(bad)) == E_OK);
		}
		assert(add_boot_kit(&s.kit) == E_OK);
		if (!is_bad_first) {
			assert(add_kit(&s.kit, bad, sizeof(bad)) == E_OK);
		}
		assert(tell_statement(5) == E_OK);
		machine_made(5, 1);
		v = trust_find_kit(&t, s.order.component[0].release_id);
		assert(v != NULL && v->is_booted == !is_bad_first);
		assert(show_order() == E_OK && v->is_booted);
	}
}

/* A boot envelope that proves nothing: another kit's, another root's, not signed by release. */
static void test_kit_of_boot_unsigned(void)
{
	struct kit_manifest kit;

	for (int i = 0; i < 3; i++) {
		boot(SAMPLE_NOW, 5);
		kit = s.kit;
		if (i == 0) {
			s.kit.rank++;
		} else if (i == 1) {
			s.root.serial = 6;
		} else {
			sample_by(&s, ENVELOPE_KIT, SAMPLE_VARIANT);
		}
		sample_bind(&s);
		sample_sign(&s);
		assert(add_boot_kit(&kit) == E_OK);
		assert(tell_statement(6) == E_OK);
		machine_made(6, 1);
		assert(show_order() == E_V_UNADMITTED);
	}
}

/* A seed is the one that was committed to, of a variant, and goes when it is of no more use. */
static void test_seed(void)
{
	static const uint8_t none[RS_SEED_LEN];
	uint8_t seed[RS_SEED_LEN] = {1, 2, 3};
	struct trust_variant *v, *kit;

	boot(SAMPLE_NOW, 5);
	s.variant.recipe = LINK_RECIPE;
	sample_bind(&s);
	envelope_seed_commit(s.variant.release_id, LINK_RECIPE, seed, s.variant.seed_commit);
	assert(show_variant(&v) == E_OK && v->n_signatures == 1);
	seed[31] ^= 1;
	assert(trust_give_seed(v, seed) == E_V_LAYOUT && !v->has_seed);
	seed[31] ^= 1;
	assert(trust_give_seed(v, seed) == E_OK && v->has_seed && !v->is_proved);
	v->variant.recipe++;
	assert(trust_give_seed(v, seed) == E_V_LAYOUT);
	v->variant.recipe--;
	trust_prove(v);
	assert(v->is_proved && !v->has_seed && memcmp(v->seed, none, sizeof(none)) == 0);
	assert(trust_give_seed(v, seed) == E_OK && !v->has_seed);
	assert(show_variant(&v) == E_OK && v->is_proved); /* known, and so is the proof */
	sample_of(ENVELOPE_OF_KIT, 5);
	assert(show_variant(&kit) == E_OK && kit->n_signatures == 0);
	assert(trust_give_seed(kit, seed) == E_V_LAYOUT);
	sample_of(ENVELOPE_OF_VARIANT, 5);
	sample_also_by(&s, ENVELOPE_VARIANT, SAMPLE_VARIANT2);
	assert(show_variant(&v) == E_OK && v->n_signatures == 2 && !v->is_proved);
}

/* The table is bounded: the oldest goes, but not what runs; and what is named is what is kept. */
static void test_table(void)
{
	struct trust_variant *first, *v;
	uint8_t hash[RS_HASH_LEN];

	boot(SAMPLE_NOW, 5);
	assert(show_variant(&first) == E_OK);
	first->n_users = 1;
	memcpy(hash, first->hash, sizeof(hash));
	assert(trust_names(&t, s.variant.payload_hash, s.variant.payload_len));
	assert(!trust_names(&t, s.variant.payload_hash, s.variant.payload_len + 1));
	assert(trust_names(&t, s.kit.state_hash, s.kit.state_len));
	assert(trust_names(&t, s.kit.flat_hash, s.kit.flat_len));
	assert(!trust_names(&t, s.kit.flat_hash, s.kit.flat_len + 1));
	assert(!trust_names(&t, s.kit.flat_hash, UINT64_MAX));
	assert(!trust_names(&t, s.kit.files_hash, s.kit.state_len));
	for (uint32_t i = 0; i < 2 * TRUST_N_VARIANTS; i++) {
		sample_of(ENVELOPE_OF_VARIANT, 5);
		memcpy(s.variant.seed_commit, &i, sizeof(i));
		memcpy(s.variant.payload_hash, &i, sizeof(i));
		assert(show_variant(&v) == E_OK && v != first);
		/* Nothing of the one whose place it took. */
		assert(!v->is_proved && !v->has_seed && !v->is_booted);
		v->is_proved = v->has_seed = v->is_booted = true;
	}
	assert(trust_find_variant(&t, hash) == first);
	assert(trust_forget(first) == E_BUSY);
	memset(s.variant.payload_hash, 0, 4);
	assert(!trust_names(&t, s.variant.payload_hash, s.variant.payload_len));
	for (uint32_t i = 0; i < TRUST_N_VARIANTS; i++) {
		t.variants[i].n_users = 1;
	}
	sample_of(ENVELOPE_OF_VARIANT, 5);
	s.variant.recipe = 9;
	assert(show_variant(&v) == E_FULL);
	assert(trust_oldest(&t, hash) == NULL);
	t.variants[3].n_users = 0;
	assert(trust_oldest(&t, hash) == &t.variants[3]);
	assert(trust_oldest(&t, t.variants[3].variant.payload_hash) == NULL);
}

/* Another variant with the same description: it stays named when one of the two goes. */
static void test_named_elsewhere(void)
{
	static const uint8_t none[RS_HASH_LEN];
	struct trust_variant *first, *second;

	boot(SAMPLE_NOW, 5);
	assert(show_variant(&first) == E_OK);
	assert(!trust_names_elsewhere(&t, s.kit.state_hash, first));
	assert(trust_names_elsewhere(&t, s.kit.state_hash, NULL));
	assert(!trust_names_elsewhere(&t, none, NULL)); /* a free entry names nothing */
	s.variant.payload_hash[0] ^= 1;
	assert(show_variant(&second) == E_OK && second != first);
	assert(trust_names_elsewhere(&t, s.kit.state_hash, first));
	assert(!trust_names_elsewhere(&t, s.variant.payload_hash, second));
	assert(!trust_names(&t, s.variant.payload_hash, s.kit.state_len));
	assert(!trust_names(&t, s.kit.state_hash, s.variant.payload_len));
}

/* A kit names its flat kit and its description, and no payload: not even that of no bytes. */
static void test_kit_names(void)
{
	static const uint8_t none[RS_HASH_LEN];
	struct trust_variant *kit;

	boot(SAMPLE_NOW, 5);
	sample_of(ENVELOPE_OF_KIT, 5);
	assert(show_variant(&kit) == E_OK);
	assert(trust_names(&t, s.kit.flat_hash, s.kit.flat_len));
	assert(trust_names(&t, s.kit.state_hash, s.kit.state_len));
	assert(!trust_names(&t, none, 0));
	assert(!trust_names_elsewhere(&t, s.kit.flat_hash, kit));
	assert(admit(5, SAMPLE_NOW) == E_OK);
	assert(trust_names_elsewhere(&t, s.kit.flat_hash, kit));
}

int main(void)
{
	test_machine_made();
	test_kit_is_no_variant();
	test_kit_ends();
	test_kit_of_boot();
	test_kit_of_boot_twice();
	test_kit_of_boot_unsigned();
	test_seed();
	test_table();
	test_named_elsewhere();
	test_kit_names();
	return EXIT_SUCCESS;
}
