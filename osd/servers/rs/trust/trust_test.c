/* The rules of belief in sequences: what one envelope does to what is believed of the next. */
#undef NDEBUG
#include "osd/servers/rs/trust/trust.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "osd/abi/errors.h"
#include "proto/envelope/envelope_crypto.h"
#include "proto/envelope/sample.h"
#include "proto/envelope/seed.h"
#include "proto/image/link.h"

static struct trust_state t;
static struct sample s; /* what is shown next */
static uint64_t uptime;

/* A machine that boots at a time with the sample's root, of this serial. */
static void boot(uint64_t time, uint64_t serial)
{
	static const uint8_t machine_id[16] = "machine number 1";

	sample_init(&s, ENVELOPE_OF_VARIANT);
	s.root.serial = serial;
	uptime = 0;
	trust_init(&t, &(struct trust_start){.root = &s.root,
	                       .machine_id = machine_id,
	                       .boot_id = SAMPLE_BOOT,
	                       .time_nonce = SAMPLE_NONCE,
	                       .time = time});
	assert(trust_add_service(&t, "tty", 3, 5) == E_OK);
}

/* A fresh sample of this kind under a root of this serial. */
static void sample_of(enum envelope_kind kind, uint64_t serial)
{
	sample_init(&s, kind);
	s.root.serial = serial;
	s.order.head.epoch = serial;
	s.statement.head.root_serial = serial;
}

static err_t show_statement(void)
{
	sample_sign(&s);
	return trust_statement(&t, s.bytes, s.len, uptime);
}

static err_t tell_statement(uint64_t serial)
{
	sample_of(ENVELOPE_OF_STATEMENT, serial);
	return show_statement();
}

static err_t show_variant(struct trust_variant **ret_variant)
{
	struct trust_variant *v;

	sample_bind(&s);
	sample_sign(&s);
	return trust_admit(&t, s.bytes, s.len, uptime, ret_variant != NULL ? ret_variant : &v);
}

/* The sample's variant, signed at a time. */
static err_t admit(uint64_t serial, uint64_t issued)
{
	sample_of(ENVELOPE_OF_VARIANT, serial);
	s.variant.issued = issued;
	s.variant.expires = issued + SAMPLE_DAY;
	return show_variant(NULL);
}

/* Show the order: as RS does, up to where it would begin. */
static err_t show_order(void)
{
	const struct order_manifest *order;
	struct trust_variant *v;
	err_t r;

	sample_sign(&s);
	r = trust_order(&t, s.bytes, s.len, uptime, &order);
	if (r == E_OK) {
		r = trust_order_is_new(&t, order);
	}
	if (r == E_OK) {
		r = trust_component(&t, order, order_components(order), uptime, &v);
	}
	if (r == E_OK) {
		trust_accept(&t, order);
	}
	return r;
}

/* An order for the variant that was admitted last with these times. */
static err_t order(uint64_t serial, uint64_t number, uint64_t generation, uint64_t issued)
{
	struct variant_manifest variant = s.variant;

	sample_of(ENVELOPE_OF_ORDER, serial);
	s.variant = variant;
	sample_bind(&s);
	s.order.head.transaction = number;
	s.order.head.issued = issued;
	s.order.head.expires = issued + 600;
	s.order.component[0].generation = generation;
	return show_order();
}

static void commit(uint64_t serial, uint64_t number, uint64_t generation)
{
	trust_commit(&t, "tty", (struct trust_number){serial, generation},
	        (struct trust_number){serial, number}, s.kit.floor);
}

static err_t set_time(uint64_t time, uint64_t nonce, uint64_t next)
{
	sample_of(ENVELOPE_OF_TIME, 5);
	s.time.time = time;
	s.time.nonce = nonce;
	sample_sign(&s);
	return trust_set_time(&t, s.bytes, s.len, uptime, next);
}

static void test_statement_first(void)
{
	boot(SAMPLE_NOW, 5);
	assert(admit(5, SAMPLE_NOW) == E_OK);
	assert(order(5, 1, 9, SAMPLE_NOW) == E_V_STATEMENT);
	assert(tell_statement(5) == E_OK);
	assert(admit(5, SAMPLE_NOW) == E_OK);
	assert(order(5, 1, 9, SAMPLE_NOW) == E_OK);
}

/* A statement tells of its services; what lies behind the last of them is none. */
static void test_statement_ends(void)
{
	static const struct trust_service none;
	uint32_t n = 0;

	boot(SAMPLE_NOW, 5);
	assert(tell_statement(5) == E_OK);
	while (t.services[n].name[0] != '\0') {
		n++;
	}
	assert(n == 2);
	assert(memcmp(&t.services[n], &none, sizeof(none)) == 0);
}

/*
 * Only what is accepted moves the number; the highest number under a
 * refused order blocks nothing.
 */
static void test_numbers(void)
{
	boot(SAMPLE_NOW, 5);
	assert(tell_statement(5) == E_OK && admit(5, SAMPLE_NOW) == E_OK);
	assert(order(5, UINT64_MAX, 2, SAMPLE_NOW) == E_V_REPLAY);
	assert(order(5, UINT64_MAX, 9, SAMPLE_NOW - 700) == E_V_EXPIRED);
	assert(order(5, 4, 9, SAMPLE_NOW) == E_OK);
	assert(order(5, 4, 10, SAMPLE_NOW) == E_NOTFOUND);
	assert(order(5, 3, 10, SAMPLE_NOW) == E_NOTFOUND);
	assert(order(5, 5, 9, SAMPLE_NOW) == E_OK); /* nothing was committed yet */
	commit(5, 5, 9);
	assert(order(5, 6, 9, SAMPLE_NOW) == E_V_REPLAY);
	assert(order(5, 6, 10, SAMPLE_NOW) == E_OK);
}

/* What a stolen key drove up in its epoch counts for nothing under the next root. */
static void test_epochs(void)
{
	boot(SAMPLE_NOW, 5);
	sample_of(ENVELOPE_OF_STATEMENT, 5);
	s.statement.service[1].floor = UINT32_MAX;
	s.statement.service[1].generation = UINT64_MAX;
	assert(show_statement() == E_OK);
	assert(trust_floor(&t, "tty") == UINT32_MAX);
	assert(admit(5, SAMPLE_NOW) == E_OK);
	assert(order(5, UINT64_MAX, 9, SAMPLE_NOW) == E_V_FLOOR);
	t.newest_order = (struct trust_number){5, UINT64_MAX};
	assert(order(6, 1, 1, SAMPLE_NOW) ==
	        E_V_STATEMENT); /* the old root's told floors are gone */
	assert(trust_floor(&t, "tty") == 5);
	assert(tell_statement(6) == E_OK && trust_floor(&t, "tty") == 6);
	assert(admit(5, SAMPLE_NOW) == E_V_ROOT);
	assert(order(6, 1, 11, SAMPLE_NOW) == E_V_ROOT); /* admitted under the old root */
	assert(admit(6, SAMPLE_NOW) == E_OK);
	assert(order(6, 1, 11, SAMPLE_NOW) == E_OK);
	assert(order(5, 2, 12, SAMPLE_NOW) == E_V_ROOT);
	assert(tell_statement(5) == E_V_ROOT);
}

static void test_roots(void)
{
	boot(SAMPLE_NOW, 5);
	sample_of(ENVELOPE_OF_STATEMENT, 5);
	s.root.default_need = 2;
	assert(show_statement() == E_V_ROOT_OTHER);
	assert(tell_statement(5) == E_OK);
	sample_of(ENVELOPE_OF_STATEMENT, 6);
	s.root.default_need = 2;
	assert(show_statement() == E_OK);
	assert(tell_statement(6) == E_V_ROOT_OTHER);
	sample_of(ENVELOPE_OF_STATEMENT, 6);
	s.statement.head.root_serial = UINT64_MAX;
	s.root.default_need = 2;
	assert(show_statement() == E_V_EPOCH); /* an order key bars no roots */
}

/* The signature of a root is kept once it was verified, and another one of the same root is not. */
static void test_root_signature(void)
{
	static const struct envelope_signature none;
	struct envelope_signature first;

	boot(SAMPLE_NOW, 5);
	assert(memcmp(&t.root_signature, &none, sizeof(none)) == 0);
	assert(tell_statement(5) == E_OK);
	first = t.root_signature;
	assert(memcmp(&first, &none, sizeof(none)) != 0);
	assert(admit(5, SAMPLE_NOW) == E_OK &&
	        memcmp(&t.root_signature, &first, sizeof(first)) == 0);
	t.root_signature.sig[0] ^=
	        1; /* as if it had been another one: the real one is verified again */
	assert(admit(5, SAMPLE_NOW) == E_OK &&
	        memcmp(&t.root_signature, &first, sizeof(first)) == 0);
	assert(admit(6, SAMPLE_NOW) == E_OK &&
	        memcmp(&t.root_signature, &first, sizeof(first)) != 0);
}

static void test_statement_raises(void)
{
	boot(SAMPLE_NOW, 5);
	assert(tell_statement(5) == E_OK);
	assert(trust_floor(&t, "tty") == 6 && trust_generation(&t, "tty").number == 8);
	sample_of(ENVELOPE_OF_STATEMENT, 5);
	s.statement.service[1].floor = 1;
	s.statement.service[1].generation = 1;
	s.statement.service[0].epoch = 1;
	assert(show_statement() == E_OK);
	assert(trust_floor(&t, "tty") == 6 && trust_generation(&t, "tty").number == 8);
	assert(trust_generation(&t, "ds").epoch == 4);
}

/* What a statement tells while an order is carried out stands when that commits. */
static void test_commit_lowers_nothing(void)
{
	boot(SAMPLE_NOW, 5);
	assert(tell_statement(5) == E_OK && trust_generation(&t, "tty").number == 8);
	commit(4, 12, 20);
	assert(trust_generation(&t, "tty").number == 8);
	commit(5, 12, 7);
	assert(trust_generation(&t, "tty").number == 8);
	commit(5, 12, 9);
	assert(trust_generation(&t, "tty").number == 9);
	assert(trust_confirm(&t, (struct trust_number){5, 12}) == E_OK);
}

static void test_confirm(void)
{
	boot(SAMPLE_NOW, 5);
	s.kit.floor = 7;
	commit(5, 12, 9);
	assert(trust_floor(&t, "tty") == 5); /* the way back is open */
	assert(trust_confirm(&t, (struct trust_number){5, 11}) == E_NOTFOUND);
	assert(trust_confirm(&t, (struct trust_number){4, 12}) == E_NOTFOUND);
	assert(trust_confirm(&t, (struct trust_number){5, 12}) == E_OK);
	assert(trust_floor(&t, "tty") == 7);
	assert(trust_confirm(&t, (struct trust_number){5, 12}) == E_OK);
	assert(trust_confirm(&t, (struct trust_number){0, 0}) == E_NOTFOUND);
	s.kit.floor = 2; /* what an older release brings lowers nothing */
	commit(5, 13, 10);
	assert(trust_confirm(&t, (struct trust_number){5, 13}) == E_OK);
	assert(trust_floor(&t, "tty") == 7);
}

/* One jump of the host's clock by 300 days, one order, and back: the next ones are believed. */
static void test_jump(void)
{
	boot(SAMPLE_NOW, 5);
	assert(tell_statement(5) == E_OK);
	assert(admit(5, SAMPLE_NOW + 300 * SAMPLE_DAY) == E_OK);
	assert(order(5, 1, 9, SAMPLE_NOW + 300 * SAMPLE_DAY) == E_OK);
	commit(5, 1, 9);
	assert(trust_time(&t, uptime) == SAMPLE_NOW + TIME_SKEW_SEC_MAX);
	uptime = 60;
	assert(admit(5, SAMPLE_NOW + 60) == E_OK);
	assert(order(5, 2, 10, SAMPLE_NOW + 60) == E_OK);
}

/* A stolen online key signs what it likes, as often as it likes. */
static void test_stolen_key(void)
{
	boot(SAMPLE_NOW, 5);
	for (uint64_t n = 1; n < 50; n++) {
		sample_of(ENVELOPE_OF_STATEMENT, 5);
		s.statement.head.issued = n == 49 ? UINT64_MAX : SAMPLE_NOW + n * 400;
		assert(show_statement() == E_OK);
		assert(trust_time(&t, uptime) <= SAMPLE_NOW + TIME_SKEW_SEC_MAX);
	}
	sample_of(ENVELOPE_OF_TIME, 5);
	sample_by(&s, ENVELOPE_TIME, SAMPLE_ORDER);
	sample_sign(&s);
	assert(trust_set_time(&t, s.bytes, s.len, 0, 1) == E_V_ROLE);
	assert(t.time_nonce == SAMPLE_NONCE);
}

/* The host's clock a day ahead of the machine's or behind it, and 400 days. */
static void test_clocks_apart(void)
{
	boot(SAMPLE_NOW, 5);
	assert(tell_statement(5) == E_OK);
	assert(admit(5, SAMPLE_NOW + SAMPLE_DAY) == E_OK);
	assert(order(5, 1, 9, SAMPLE_NOW + SAMPLE_DAY) == E_OK);
	assert(admit(5, SAMPLE_NOW - SAMPLE_DAY) == E_V_EXPIRED);
	assert(admit(5, SAMPLE_NOW - SAMPLE_DAY / 2) == E_OK);
	assert(order(5, 2, 9, SAMPLE_NOW - SAMPLE_DAY / 2) == E_V_EXPIRED);
	assert(admit(5, SAMPLE_NOW + 400 * SAMPLE_DAY) == E_OK);
	assert(order(5, 2, 9, SAMPLE_NOW + 400 * SAMPLE_DAY) == E_OK);

	/* The machine is 400 days ahead: nothing is believed until a time statement. */
	boot(SAMPLE_NOW + 400 * SAMPLE_DAY, 5);
	assert(tell_statement(5) == E_OK);
	assert(admit(5, SAMPLE_NOW) == E_V_EXPIRED);
	assert(set_time(SAMPLE_NOW, SAMPLE_NONCE, 77) == E_OK);
	assert(trust_time(&t, 30) == SAMPLE_NOW + 30);
	assert(admit(5, SAMPLE_NOW) == E_OK && order(5, 1, 9, SAMPLE_NOW) == E_OK);
	assert(set_time(SAMPLE_NOW + SAMPLE_DAY, SAMPLE_NONCE, 78) == E_V_NONCE);
	assert(set_time(SAMPLE_NOW + SAMPLE_DAY, 77, 78) == E_OK);
	assert(trust_time(&t, 0) == SAMPLE_NOW + SAMPLE_DAY);
}

/* An image that was made a week ago, with the statement of then. */
static void test_old_image(void)
{
	boot(SAMPLE_NOW - 7 * SAMPLE_DAY, 5);
	sample_of(ENVELOPE_OF_STATEMENT, 5);
	s.statement.head.issued = SAMPLE_NOW - 7 * SAMPLE_DAY;
	assert(show_statement() == E_OK);
	assert(admit(5, SAMPLE_NOW) == E_OK && order(5, 1, 9, SAMPLE_NOW) == E_OK);
	/* What is over by the host's clock is not by the machine's, but for what is not. */
	assert(trust_time(&t, 0) == SAMPLE_NOW - 7 * SAMPLE_DAY + TIME_SKEW_SEC_MAX);
}

/* What dates of orders added is part of the time that is stated. */
static void test_time_is_whole(void)
{
	boot(SAMPLE_NOW, 5);
	sample_of(ENVELOPE_OF_STATEMENT, 5);
	s.statement.head.issued = SAMPLE_NOW + 300;
	assert(show_statement() == E_OK && trust_time(&t, 0) == SAMPLE_NOW + 300);
	assert(set_time(SAMPLE_NOW, SAMPLE_NONCE, 77) == E_OK);
	assert(trust_time(&t, 0) == SAMPLE_NOW);
}

/* A time statement revives no superseded root, and lowers neither floors nor numbers. */
static void test_time_moves_time_only(void)
{
	struct trust_number generation;

	boot(SAMPLE_NOW, 5);
	assert(tell_statement(6) == E_OK);
	generation = trust_generation(&t, "tty");
	assert(set_time(SAMPLE_NOW - SAMPLE_DAY, SAMPLE_NONCE, 1) == E_V_ROOT);
	sample_of(ENVELOPE_OF_TIME, 6);
	s.time.time = SAMPLE_NOW - 9 * SAMPLE_DAY;
	sample_by(&s, ENVELOPE_TIME, SAMPLE_ROOT);
	sample_sign(&s);
	uptime = 100;
	assert(trust_set_time(&t, s.bytes, s.len, uptime, 5) == E_OK);
	assert(trust_time(&t, uptime) == SAMPLE_NOW - 9 * SAMPLE_DAY);
	assert(trust_time(&t, uptime + 50) == SAMPLE_NOW - 9 * SAMPLE_DAY + 50);
	assert(trust_time(&t, UINT64_MAX) == UINT64_MAX); /* stands still at the end */
	assert(t.root_serial == 6 && trust_floor(&t, "tty") == 6);
	assert(trust_generation(&t, "tty").number == generation.number);
}

/* Layouts are sealed to the audit key of the newest root, and to nobody's when that names none. */
static void test_audit_key(void)
{
	uint8_t keys[2][32] = {{0}};

	boot(SAMPLE_NOW, 5);
	assert(memcmp(t.audit_pub, s.root.audit_pub, sizeof(keys[0])) == 0);
	memset(keys[0], 0x99, sizeof(keys[0]));
	for (uint64_t i = 0; i < 2; i++) {
		sample_of(ENVELOPE_OF_STATEMENT, 6 + i);
		memcpy(s.root.audit_pub, keys[i], sizeof(keys[i]));
		assert(show_statement() == E_OK);
		assert(memcmp(t.audit_pub, keys[i], sizeof(keys[i])) == 0);
	}
}

static void test_components(void)
{
	struct trust_variant *v;

	boot(SAMPLE_NOW, 5);
	assert(tell_statement(5) == E_OK);
	sample_of(ENVELOPE_OF_ORDER, 5);
	assert(show_order() == E_V_UNADMITTED);
	assert(admit(5, SAMPLE_NOW) == E_OK);
	sample_of(ENVELOPE_OF_ORDER, 5);
	s.variant.issued = SAMPLE_NOW;
	memcpy(s.order.component[0].service, "ds\0", 3);
	assert(show_order() == E_V_SERVICE);
	sample_of(ENVELOPE_OF_ORDER, 5);
	s.order.component[0].recipe = LINK_RECIPE;
	assert(show_order() == E_V_RELEASE);
	sample_of(ENVELOPE_OF_ORDER, 5);
	s.order.component[0].release_id[63] ^= 1;
	assert(show_order() == E_V_RELEASE);
	uptime = 2 * SAMPLE_DAY;
	sample_of(ENVELOPE_OF_ORDER, 5);
	s.order.head.issued += uptime;
	s.order.head.expires += uptime;
	assert(show_order() == E_V_EXPIRED); /* the variant is */
	sample_of(ENVELOPE_OF_ORDER, 5);
	sample_sign(&s);
	assert(trust_admit(&t, s.bytes, s.len, 0, &v) == E_V_KIND);
}

/* The sample's kit alone, under a root of this serial. */
static err_t admit_kit(uint64_t serial)
{
	sample_of(ENVELOPE_OF_KIT, serial);
	return show_variant(NULL);
}

/* An order that leaves the layout of the sample's kit to the machine. */
static void machine_made(uint64_t serial, uint64_t number)
{
	sample_of(ENVELOPE_OF_ORDER, serial);
	sample_bind(&s);
	s.order.head.transaction = number;
	s.order.component[0].generation = 9;
	s.order.component[0].recipe = LINK_RECIPE;
	memset(s.order.component[0].variant_hash, 0, RS_HASH_LEN);
}

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

/* What the machine was booted with: known, but only as far as it was signed under the root at boot. */
static void test_kit_of_boot(void)
{
	struct trust_variant *v;

	boot(SAMPLE_NOW, 5);
	assert(trust_add_kit(&t, &s.kit, NULL, 0) == E_OK);
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
	assert(trust_add_kit(&t, &s.kit, s.bytes, s.len) == E_OK);
	assert(tell_statement(6) == E_OK);
	machine_made(6, 1);
	assert(show_order() == E_OK); /* also under a newer root */
	v = trust_find_kit(&t, s.order.component[0].release_id);
	assert(v != NULL && trust_forget(v) == E_BUSY);
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
		assert(trust_add_kit(&t, &kit, s.bytes, s.len) == E_OK);
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

/* A life counts from the date that a document bears, and a date ahead is no reason to refuse. */
static void test_dated_ahead(void)
{
	boot(SAMPLE_NOW, 5);
	assert(tell_statement(5) == E_OK);
	assert(admit(5, SAMPLE_NOW) == E_OK);
	uptime = 3 * SAMPLE_DAY;
	assert(order(5, 1, 9, SAMPLE_NOW + uptime) == E_V_EXPIRED);
	uptime = 0;
	assert(admit(5, SAMPLE_NOW + 3 * SAMPLE_DAY) == E_OK);
	uptime = 3 * SAMPLE_DAY;
	assert(order(5, 1, 9, SAMPLE_NOW + uptime + SAMPLE_DAY / 2) == E_OK);
}

/* The key of an admitted variant ends before the variant does. */
static void test_key_ends(void)
{
	boot(SAMPLE_NOW, 5);
	sample_of(ENVELOPE_OF_STATEMENT, 6);
	s.root.keys[ROOT_ROLE_VARIANT][0].not_after = SAMPLE_NOW + 1000;
	assert(show_statement() == E_OK);
	sample_of(ENVELOPE_OF_VARIANT, 6);
	s.root.keys[ROOT_ROLE_VARIANT][0].not_after = SAMPLE_NOW + 1000;
	assert(show_variant(NULL) == E_OK);
	uptime = 1000;
	sample_of(ENVELOPE_OF_ORDER, 6);
	s.root.keys[ROOT_ROLE_VARIANT][0].not_after = SAMPLE_NOW + 1000;
	s.order.head.issued += 1000;
	s.order.head.expires += 1000;
	assert(show_order() == E_V_KEY_EXPIRED);
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

static void test_nothing_without_root(void)
{
	static const uint8_t machine_id[16] = "machine number 1";

	trust_init(&t, &(struct trust_start){.machine_id = machine_id, .time = SAMPLE_NOW});
	assert(tell_statement(5) == E_V_KEY);
	assert(admit(5, SAMPLE_NOW) == E_V_KEY);
	for (int reason = 0; reason < _ENVELOPE_N; reason++) {
		assert((trust_reason((enum envelope_reason)reason) == E_OK) ==
		        (reason == ENVELOPE_OK));
		for (int other = 0; other < reason; other++) {
			assert(trust_reason((enum envelope_reason)reason) !=
			        trust_reason((enum envelope_reason)other));
		}
	}
}

int main(void)
{
	test_statement_first();
	test_statement_ends();
	test_numbers();
	test_epochs();
	test_roots();
	test_root_signature();
	test_statement_raises();
	test_commit_lowers_nothing();
	test_confirm();
	test_jump();
	test_stolen_key();
	test_clocks_apart();
	test_old_image();
	test_time_is_whole();
	test_time_moves_time_only();
	test_audit_key();
	test_components();
	test_machine_made();
	test_kit_is_no_variant();
	test_kit_ends();
	test_kit_of_boot();
	test_kit_of_boot_unsigned();
	test_seed();
	test_dated_ahead();
	test_key_ends();
	test_table();
	test_named_elsewhere();
	test_kit_names();
	test_nothing_without_root();
	return EXIT_SUCCESS;
}
