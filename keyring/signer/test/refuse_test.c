/* Each thing that makes a good request one that is refused, and for which reason. */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keyring/signer/test/ask.h"
#include "keyring/signer/test/layout.h"
#include "keyring/test/ring.h"

static char note[SIGNER_NOTE_SIZE];

struct refusal {
	const char *what;
	void (*make)(struct signer_request *request);
	void (*spoil)(struct signer_request *request);
	uint64_t now;
	enum envelope_reason reason; /* OK: the rule file's */
};

static void spoil_nothing(struct signer_request *r)
{
}
static void spoil_issued(struct signer_request *r)
{
	r->variant.manifest.issued = TEST_NOW;
}
static void spoil_expires(struct signer_request *r)
{
	r->variant.manifest.expires = TEST_NOW + 1;
}
static void spoil_lifetime_zero(struct signer_request *r)
{
	r->variant.lifetime_sec = 0;
}
static void spoil_lifetime_root(struct signer_request *r)
{
	r->variant.lifetime_sec = KEYRING_VARIANT_LIFE_SEC + 1;
}
static void spoil_lifetime_rule(struct signer_request *r)
{
	r->variant.lifetime_sec = 7201;
}
static void spoil_machine(struct signer_request *r)
{
	r->variant.manifest.machine_id[15] = 1;
}
static void spoil_version(struct signer_request *r)
{
	r->variant.manifest.version++;
}
static void spoil_magic(struct signer_request *r)
{
	memcpy(r->variant.manifest.magic, KIT_MAGIC, 8);
}
static void spoil_service(struct signer_request *r)
{
	memcpy(r->variant.manifest.service, "tty", 4);
}
static void spoil_release(struct signer_request *r)
{
	r->variant.manifest.release_id[63] ^= 1;
}
static void spoil_kit_len(struct signer_request *r)
{
	r->variant.kit_len--;
}
static void spoil_kit_rest(struct signer_request *r)
{
	r->variant.kit_len += 8;
}
static void spoil_kit_long(struct signer_request *r)
{
	r->variant.kit_len = SIGNER_KIT_MAX + 1;
}
static void spoil_kit_byte(struct signer_request *r)
{
	r->variant.kit[sizeof(struct envelope_part_header) + 60] ^= 1;
}
static void spoil_kit_key(struct signer_request *r)
{
	r->variant.kit[sizeof(struct envelope_part_header) + sizeof(struct kit_manifest)] ^= 1;
}
static void spoil_payload(struct signer_request *r)
{
	r->variant.manifest.payload_hash[63] ^= 1;
}
static void spoil_payload_len(struct signer_request *r)
{
	r->variant.manifest.payload_len++;
}
static void spoil_seed(struct signer_request *r)
{
	r->variant.seed[31] ^= 1;
}
static void spoil_seed_commit(struct signer_request *r)
{
	r->variant.manifest.seed_commit[63] ^= 1;
}
static void spoil_recipe(struct signer_request *r)
{
	r->variant.manifest.recipe--;
}
static void spoil_flat_len(struct signer_request *r)
{
	r->variant.flat_len--;
}
static void spoil_order_issued(struct signer_request *r)
{
	ask_order_of(r)->issued = TEST_NOW;
}
static void spoil_order_epoch(struct signer_request *r)
{
	ask_order_of(r)->epoch = 2;
}
static void spoil_order_len(struct signer_request *r)
{
	r->order.len -= 8;
}
static void spoil_order_long(struct signer_request *r)
{
	r->order.len = SIGNER_ORDER_MAX + 8;
}
static void spoil_order_life_root(struct signer_request *r)
{
	r->order.lifetime_sec = KEYRING_ORDER_LIFE_SEC + 1;
}
static void spoil_order_life_rule(struct signer_request *r)
{
	r->order.lifetime_sec = 1201;
}
static void spoil_order_second(struct signer_request *r)
{
	ask_order_of(r)->n_components = 2;
	ask_order_of(r)->size = r->order.len = (uint32_t)order_manifest_size(2);
	ask_component_of(r)[1] = ask_component_of(r)[0];
	memcpy(ask_component_of(r)[1].service, "vm", 3);
}
static void spoil_order_life_zero(struct signer_request *r)
{
	r->order.lifetime_sec = 0;
}
static void spoil_order_machine(struct signer_request *r)
{
	ask_order_of(r)->machine_id[0] = 9;
}
static void spoil_order_service(struct signer_request *r)
{
	memcpy(ask_component_of(r)->service, "vm", 3);
}
static void spoil_order_action(struct signer_request *r)
{
	ask_order_of(r)->action = ORDER_PREPARE;
}
static void spoil_order_number(struct signer_request *r)
{
	ask_order_of(r)->transaction = 101;
}
static void spoil_order_generation(struct signer_request *r)
{
	ask_component_of(r)->generation = 51;
}
static struct statement_service *stated_of(struct signer_request *r)
{
	return (void *)(ask_statement_of(r) + 1);
}
static void spoil_made_release(struct signer_request *r)
{
	ask_component_of(r)->release_id[63] ^= 1;
}
static void spoil_made_recipe(struct signer_request *r)
{
	ask_component_of(r)->recipe++;
}
static void spoil_made_service(struct signer_request *r)
{
	memcpy(ask_component_of(r)->service, "tty", 4);
}
static void spoil_made_kit(struct signer_request *r)
{
	r->order.kit_len = 0;
}
static void spoil_made_kit_long(struct signer_request *r)
{
	r->order.kit_len = SIGNER_KIT_MAX + 1;
}
static void spoil_made_kit_byte(struct signer_request *r)
{
	r->order.kit[sizeof(struct envelope_part_header) + 60] ^= 1;
}
static void spoil_made_not(struct signer_request *r)
{
	ask_component_of(r)->variant_hash[0] = 1;
}
static void spoil_stated_issued(struct signer_request *r)
{
	ask_statement_of(r)->issued = 5;
}
static void spoil_stated_serial(struct signer_request *r)
{
	ask_statement_of(r)->root_serial = 2;
}
static void spoil_stated_len(struct signer_request *r)
{
	r->statement.len -= 8;
}
static void spoil_stated_machine(struct signer_request *r)
{
	ask_statement_of(r)->machine_id[0] = 9;
}
static void spoil_stated_service(struct signer_request *r)
{
	memcpy(stated_of(r)->service, "vm", 3);
}
static void spoil_stated_floor(struct signer_request *r)
{
	stated_of(r)->floor = 11;
}
static void spoil_stated_generation(struct signer_request *r)
{
	stated_of(r)->generation = 51;
}

/* Under test_rules. */
static const struct refusal refusals[] = {
        {"stamped", ask_variant, spoil_issued, TEST_NOW, ENVELOPE_MALFORMED},
        {"expiry given", ask_variant, spoil_expires, TEST_NOW, ENVELOPE_MALFORMED},
        {"no lifetime", ask_variant, spoil_lifetime_zero, TEST_NOW, ENVELOPE_MALFORMED},
        {"beyond the root", ask_variant, spoil_lifetime_root, TEST_NOW, ENVELOPE_LONG_LIFE},
        {"beyond the rule", ask_variant, spoil_lifetime_rule, TEST_NOW, ENVELOPE_OK},
        {"machine", ask_variant, spoil_machine, TEST_NOW, ENVELOPE_OK},
        {"version", ask_variant, spoil_version, TEST_NOW, ENVELOPE_UNKNOWN_VERSION},
        {"not a variant", ask_variant, spoil_magic, TEST_NOW, ENVELOPE_MALFORMED},
        {"other service", ask_variant, spoil_service, TEST_NOW, ENVELOPE_WRONG_SERVICE},
        {"other release", ask_variant, spoil_release, TEST_NOW, ENVELOPE_RELEASE_MISMATCH},
        {"cut kit", ask_variant, spoil_kit_len, TEST_NOW, ENVELOPE_MALFORMED},
        {"more than a kit", ask_variant, spoil_kit_rest, TEST_NOW, ENVELOPE_MALFORMED},
        {"long kit", ask_variant, spoil_kit_long, TEST_NOW, ENVELOPE_MALFORMED},
        {"kit byte", ask_variant, spoil_kit_byte, TEST_NOW, ENVELOPE_BAD_SIGNATURE},
        {"kit key", ask_variant, spoil_kit_key, TEST_NOW, ENVELOPE_UNKNOWN_KEY},
        {"other payload", ask_variant, spoil_payload, TEST_NOW, ENVELOPE_OTHER_LAYOUT},
        {"longer payload", ask_variant, spoil_payload_len, TEST_NOW, ENVELOPE_OTHER_LAYOUT},
        {"other seed", ask_variant, spoil_seed, TEST_NOW, ENVELOPE_OTHER_LAYOUT},
        {"other commitment", ask_variant, spoil_seed_commit, TEST_NOW, ENVELOPE_OTHER_LAYOUT},
        {"other recipe", ask_variant, spoil_recipe, TEST_NOW, ENVELOPE_OTHER_LAYOUT},
        {"cut flat kit", ask_variant, spoil_flat_len, TEST_NOW, ENVELOPE_RELEASE_MISMATCH},
        {"too early", ask_variant, spoil_nothing, TEST_NOW - TEST_DAY - 1, ENVELOPE_KEY_EXPIRED},
        {"too late", ask_variant, spoil_nothing, TEST_NOW + 365 * TEST_DAY, ENVELOPE_ROOT_EXPIRED},
        {"order stamped", ask_order, spoil_order_issued, TEST_NOW, ENVELOPE_MALFORMED},
        {"order epoch", ask_order, spoil_order_epoch, TEST_NOW, ENVELOPE_WRONG_EPOCH},
        {"order cut", ask_order, spoil_order_len, TEST_NOW, ENVELOPE_MALFORMED},
        {"order too long", ask_order, spoil_order_long, TEST_NOW, ENVELOPE_MALFORMED},
        {"order beyond the root", ask_order, spoil_order_life_root, TEST_NOW, ENVELOPE_LONG_LIFE},
        {"order beyond the rule", ask_order, spoil_order_life_rule, TEST_NOW, ENVELOPE_OK},
        {"order of a second service", ask_order, spoil_order_second, TEST_NOW, ENVELOPE_OK},
        {"order without life", ask_order, spoil_order_life_zero, TEST_NOW, ENVELOPE_MALFORMED},
        {"order too late", ask_order, spoil_nothing, TEST_NOW + 365 * TEST_DAY,
                ENVELOPE_ROOT_EXPIRED},
        {"order machine", ask_order, spoil_order_machine, TEST_NOW, ENVELOPE_OK},
        {"order service", ask_order, spoil_order_service, TEST_NOW, ENVELOPE_OK},
        {"order action", ask_order, spoil_order_action, TEST_NOW, ENVELOPE_OK},
        {"order number", ask_order, spoil_order_number, TEST_NOW, ENVELOPE_OK},
        {"order generation", ask_order, spoil_order_generation, TEST_NOW, ENVELOPE_OK},
        {"made of another release", ask_made, spoil_made_release, TEST_NOW,
                ENVELOPE_RELEASE_MISMATCH},
        {"made by another recipe", ask_made, spoil_made_recipe, TEST_NOW, ENVELOPE_MALFORMED},
        {"made of another service", ask_made, spoil_made_service, TEST_NOW, ENVELOPE_WRONG_SERVICE},
        {"made of no kit", ask_made, spoil_made_kit, TEST_NOW, ENVELOPE_MALFORMED},
        {"made of a long kit", ask_made, spoil_made_kit_long, TEST_NOW, ENVELOPE_MALFORMED},
        {"made of a changed kit", ask_made, spoil_made_kit_byte, TEST_NOW, ENVELOPE_BAD_SIGNATURE},
        {"a kit that nothing is made of", ask_made, spoil_made_not, TEST_NOW, ENVELOPE_MALFORMED},
        {"statement stamped", ask_statement, spoil_stated_issued, TEST_NOW, ENVELOPE_MALFORMED},
        {"statement serial", ask_statement, spoil_stated_serial, TEST_NOW, ENVELOPE_WRONG_EPOCH},
        {"statement cut", ask_statement, spoil_stated_len, TEST_NOW, ENVELOPE_MALFORMED},
        {"statement machine", ask_statement, spoil_stated_machine, TEST_NOW, ENVELOPE_OK},
        {"statement service", ask_statement, spoil_stated_service, TEST_NOW, ENVELOPE_OK},
        {"statement floor", ask_statement, spoil_stated_floor, TEST_NOW, ENVELOPE_OK},
        {"statement generation", ask_statement, spoil_stated_generation, TEST_NOW, ENVELOPE_OK},
        {"statement too late", ask_statement, spoil_nothing, TEST_NOW + 365 * TEST_DAY,
                ENVELOPE_ROOT_EXPIRED},
};

static const char test_rules[] = "# a comment\n"
                                 "machine 00000000000000000000000000000000\n\n"
                                 "service ds tty # both\n"
                                 "action update confirm\n"
                                 "machine_made ds\n"
                                 "variant_life 7200\n"
                                 "order_life 1200\n"
                                 "generation_max 50\n"
                                 "transaction_max 100\n"
                                 "floor_max 10";

static void test_signer_refuses(const struct signer *as_made)
{
	static struct signer s;
	const char *why;

	s = *as_made;
	assert(rules_parse(test_rules, sizeof(test_rules) - 1, &s.rules, &why) == 0);
	assert(s.rules.order_life_sec == 1200 && s.rules.n_services == 2);
	for (unsigned int i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		static struct signer_request request;
		static struct signer_reply reply;
		static const struct signer_part none;

		refusals[i].make(&request);
		assert(signer_handle(&s, &request, TEST_NOW, &reply, note) == 0);
		assert(reply.status == SIGNER_OK);
		refusals[i].spoil(&request);
		assert(signer_handle(&s, &request, refusals[i].now, &reply, note) == 0);
		if (reply.status != SIGNER_REFUSED || reply.reason != refusals[i].reason) {
			(void)fprintf(stderr, "%s: %s\n", refusals[i].what, reply.text);
			abort();
		}
		assert(reply.text[0] != '\0' && strstr(note, reply.text) != NULL);
		assert(memcmp(&reply.part, &none, sizeof(none)) == 0);
	}
}

/* The flat kit is the one that a release key signed, and it must be there. */
static void test_flat(const struct signer *as_made)
{
	static _Alignas(8) uint8_t flat[4096];
	static struct signer_request request;
	static struct signer_reply reply;
	static struct signer s;

	s = *as_made;
	s.flat = flat;
	ask_variant(&request);
	assert(request.variant.flat_len <= sizeof(flat));
	memcpy(flat, layout_flat(), request.variant.flat_len);
	assert(signer_handle(&s, &request, TEST_NOW, &reply, note) == 0);
	assert(reply.status == SIGNER_OK);
	flat[request.variant.flat_len - 1] ^= 1;
	assert(signer_handle(&s, &request, TEST_NOW, &reply, note) == 0);
	assert(reply.status == SIGNER_REFUSED && reply.reason == ENVELOPE_RELEASE_MISMATCH);
	assert(strstr(reply.text, "flat kit") != NULL);
	s.flat = NULL;
	assert(signer_handle(&s, &request, TEST_NOW, &reply, note) == 0);
	assert(reply.status == SIGNER_REFUSED && reply.reason == ENVELOPE_RELEASE_MISMATCH);
}

/* A rule file of before names no service whose layouts the machine may make. */
static void test_made_rule(const struct signer *as_made)
{
	static const char *const files[] = {
	        "", "machine_made tty\n", "machine_made tty ds\n", "machine_made *\n"};
	static struct signer_request request;
	static struct signer_reply reply;
	static struct signer s;
	const char *why;

	s = *as_made;
	for (unsigned int i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char text[160];
		int n = snprintf(
		        text, sizeof(text), "machine *\nservice *\naction update\n%s", files[i]);

		assert(rules_parse(text, (size_t)n, &s.rules, &why) == 0);
		ask_made(&request);
		assert(signer_handle(&s, &request, TEST_NOW, &reply, note) == 0);
		assert((reply.status == SIGNER_OK) == (i > 1));
		assert(i > 1 || strstr(reply.text, "machine_made") != NULL);
		ask_order(&request);
		assert(signer_handle(&s, &request, TEST_NOW, &reply, note) == 0);
		assert(reply.status == SIGNER_OK);
	}
}

/* A good standing order of this root; the signer dates it. */
static void ask_standing(struct signer_request *request)
{
	static const struct {
		struct standing_manifest head;
		struct standing_service service[1];
	} good = {.head = {.magic = STANDING_MAGIC,
	                  .version = MANIFEST_VERSION,
	                  .size = sizeof(good),
	                  .boot_id = 7,
	                  .epoch = 1,
	                  .number = 3,
	                  .every_ms = 20000,
	                  .n_services = 1},
	        .service = {{.service = "ds", .release_id = {1}, .recipe = 2}}};

	memset(request, 0, sizeof(*request));
	memcpy(request->magic, SIGNER_MAGIC, sizeof(request->magic));
	request->op = SIGNER_SIGN_STANDING;
	request->standing.lifetime_sec = 3600;
	request->standing.len = sizeof(good);
	memcpy(request->standing.manifest, &good, sizeof(good));
}

/* Standing orders: dated here, of this root, for a day at most, whole, and as the rules allow. */
static void test_standing(const struct signer *as_made)
{
	static const char rules[] = "machine *\nservice *\nmachine_made *\naction standing\n";
	static struct signer s;
	static struct signer_request request;
	static struct signer_reply reply;
	struct standing_manifest *standing = (void *)request.standing.manifest;
	struct envelope_part part;
	const char *why;

	s = *as_made;
	assert(rules_parse(rules, sizeof(rules) - 1, &s.rules, &why) == 0);
	for (unsigned int i = 0; i < 10; i++) {
		enum envelope_reason reason = ENVELOPE_MALFORMED;
		uint64_t now = TEST_NOW;

		ask_standing(&request);
		standing->issued = i == 1;
		standing->epoch += i == 2;
		reason = i == 2 ? ENVELOPE_WRONG_EPOCH : reason;
		request.standing.lifetime_sec = i == 3 ? STANDING_LIFE_SEC_MAX + 1 : 3600;
		reason = i == 3 ? ENVELOPE_LONG_LIFE : reason;
		request.standing.len -= i == 4 ? 8 : 0;
		request.standing.len = i == 5 ? SIGNER_STANDING_MAX + 8 : request.standing.len;
		standing->every_ms = i == 6 ? STANDING_EVERY_MS_MIN - 1 : standing->every_ms;
		standing->expires = i == 7;
		now += i == 8 ? 365 * TEST_DAY : 0;
		reason = i == 8 ? ENVELOPE_ROOT_EXPIRED : reason;
		now -= i == 9 ? TEST_DAY + 1 : 0;
		reason = i == 9 ? ENVELOPE_KEY_EXPIRED : reason;
		assert(signer_handle(&s, &request, now, &reply, note) == 0);
		assert((reply.status == SIGNER_OK) == (i == 0));
		assert(i == 0 || reply.reason == reason);
		if (i == 0) {
			assert(envelope_part_open(reply.part.bytes, reply.part.len, &part) ==
			        ENVELOPE_OK);
			assert(part.kind == ENVELOPE_STANDING && strstr(note, "standing") != NULL);
			standing = (void *)(reply.part.bytes + sizeof(struct envelope_part_header));
			assert(standing->issued == TEST_NOW &&
			        standing->expires == TEST_NOW + 3600);
			standing = (void *)request.standing.manifest;
		}
	}
	assert(rules_parse("machine *\n", 10, &s.rules, &why) == 0);
	ask_standing(&request);
	assert(signer_handle(&s, &request, TEST_NOW, &reply, note) == 0);
	assert(reply.status == SIGNER_REFUSED && reply.reason == ENVELOPE_OK);
}

int main(void)
{
	static struct signer s;
	const char *what = NULL;

	test_setup();
	assert(signer_init(&s, test_ring, SIGNER_FIRST, &what) == 0);
	s.flat = layout_flat();
	test_signer_refuses(&s);
	test_made_rule(&s);
	test_standing(&s);
	test_flat(&s);
	signer_fini(&s);
	test_teardown();
	return 0;
}
