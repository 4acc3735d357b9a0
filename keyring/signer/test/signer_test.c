/* What the signer signs and seals, whose keys it uses, and what it does not read. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keyring/keyring.h"
#include "keyring/signer/test/ask.h"
#include "keyring/signer/test/layout.h"
#include "keyring/test/ring.h"

static char note[SIGNER_NOTE_SIZE];

static void test_signer_signs(const struct signer *s)
{
	static struct signer_request request;
	static struct signer_reply reply;
	const struct order_manifest *order;

	ask_variant(&request);
	assert(signer_handle(s, &request, TEST_NOW, &reply, note) == 0);
	assert(reply.status == SIGNER_OK && reply.id == 42 && reply.op == SIGNER_SIGN_VARIANT);
	assert(ask_verify(s, ENVELOPE_OF_VARIANT, &request, &reply, TEST_NOW) == ENVELOPE_OK);
	assert(ask_verify(s, ENVELOPE_OF_VARIANT, &request, &reply, TEST_NOW + 3600) ==
	        ENVELOPE_EXPIRED);
	assert(strstr(note, "variant machine 0000") != NULL && strstr(note, "service ds") != NULL);
	ask_order(&request);
	assert(signer_handle(s, &request, TEST_NOW, &reply, note) == 0 &&
	        reply.status == SIGNER_OK);
	assert(ask_verify(s, ENVELOPE_OF_ORDER, &request, &reply, TEST_NOW) == ENVELOPE_OK);
	order = (const void *)(reply.part.bytes + sizeof(struct envelope_part_header));
	assert(order->issued == TEST_NOW && order->expires == TEST_NOW + 600);
	assert(strstr(note, "epoch 1 transaction 3 action 1 ds:2") != NULL);
	ask_statement(&request);
	assert(signer_handle(s, &request, TEST_NOW, &reply, note) == 0 &&
	        reply.status == SIGNER_OK);
	assert(ask_verify(s, ENVELOPE_OF_STATEMENT, &request, &reply, TEST_NOW) == ENVELOPE_OK);
	assert(strstr(note, "statement machine 0000") != NULL);
}

/* Beside the order key's signature, a control key's makes an order whole. */
static void test_control_sign(const struct signer *s)
{
	static struct signer_request request;
	static struct signer_reply reply;
	struct order_manifest *ask = (void *)request.order.manifest;
	struct keyring_key *control = NULL, *order_key = NULL;
	struct envelope_signature both[2];
	struct envelope_part part;
	uint8_t made[SIGNER_PART_MAX];

	ask_order(&request);
	ask->action = ORDER_SHUTDOWN;
	ask->n_components = 0;
	ask->size = request.order.len = (uint32_t)order_manifest_size(0);
	assert(signer_handle(s, &request, TEST_NOW, &reply, note) == 0 &&
	        reply.status == SIGNER_OK);
	assert(ask_verify(s, ENVELOPE_OF_ORDER, &request, &reply, TEST_NOW) == ENVELOPE_NO_CONTROL);
	assert(envelope_part_open(reply.part.bytes, reply.part.len, &part) == ENVELOPE_OK);
	assert(keyring_key_open(test_ring, KEYRING_CONTROL, &control) == 0);
	assert(keyring_key_open(test_ring, KEYRING_ORDER, &order_key) == 0);
	assert(keyring_control_sign(order_key, part.manifest, part.manifest_len, &both[1]) ==
	        KEYRING_E_REFUSED);
	assert(keyring_control_sign(control, part.manifest, 8, &both[1]) == KEYRING_E_REFUSED);
	assert(keyring_control_sign(control, part.manifest, part.manifest_len, &both[1]) == 0);
	both[0] = part.signatures[0];
	reply.part.len = (uint32_t)envelope_part_write(
	        ENVELOPE_ORDER, part.manifest, part.manifest_len, both, 2, made, sizeof(made));
	memcpy(reply.part.bytes, made, reply.part.len);
	assert(ask_verify(s, ENVELOPE_OF_ORDER, &request, &reply, TEST_NOW) == ENVELOPE_OK);
	keyring_key_free(control);
	keyring_key_free(order_key);
}

/* A kit that claims to be longer than the request is not read to its end. */
static void test_kit_past_end(const struct signer *s)
{
	static struct signer_reply reply;
	const size_t len = sizeof(struct envelope_part_header) +
	                   order_manifest_size(ORDER_COMPONENTS_MAX) +
	                   sizeof(struct envelope_signature);
	const size_t page = 4096, room = (sizeof(struct signer_request) + page - 1) / page * page;
	uint8_t *map =
	        mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct signer_request *request;
	struct envelope_part_header *header;
	struct order_manifest *order;

	assert(map != MAP_FAILED && mprotect(map + room, page, PROT_NONE) == 0);
	request = (void *)(map + room - sizeof(*request));
	ask_made(request);
	header = (void *)request->order.kit;
	header->kind = ENVELOPE_ORDER;
	header->manifest_len = (uint32_t)order_manifest_size(ORDER_COMPONENTS_MAX);
	request->order.kit_len = (uint32_t)len;
	order = (void *)(header + 1);
	*order = (struct order_manifest){
	        .magic = ORDER_MAGIC,
	        .version = MANIFEST_VERSION,
	        .size = header->manifest_len,
	        .expires = 1,
	        .epoch = 1,
	        .transaction = 3,
	        .action = ORDER_DROP,
	        .n_components = ORDER_COMPONENTS_MAX,
	};
	assert((uint8_t *)header + len > map + room);
	for (struct order_component *c = (void *)(order + 1);
	        (void *)(c + 1) <= (void *)(map + room); c++) {
		memset(c, 0, sizeof(*c));
		memcpy(c->service, "ds", 3);
		memset(c->release_id, 1, sizeof(c->release_id));
		memset(c->variant_hash, 2, sizeof(c->variant_hash));
	}
	assert(signer_handle(s, request, TEST_NOW, &reply, note) == 0);
	assert(reply.status == SIGNER_REFUSED && reply.reason == ENVELOPE_MALFORMED);
	assert(munmap(map, room + page) == 0);
}

static void test_signer_protocol(const struct signer *s)
{
	static struct signer_request request = {.magic = SIGNER_MAGIC, .op = SIGNER_INFO, .id = 9};
	static struct signer_reply reply;
	struct envelope_part part;

	assert(signer_handle(s, &request, TEST_NOW, &reply, note) == 0 &&
	        reply.status == SIGNER_OK);
	assert(note[0] == '\0');
	assert(reply.info.now == TEST_NOW && reply.info.not_after == TEST_NOW + 365 * TEST_DAY);
	assert(reply.info.root_serial == 1);
	assert(envelope_part_open(reply.info.root, reply.info.root_len, &part) == ENVELOPE_OK);
	request.op = _SIGNER_OP_N;
	assert(signer_handle(s, &request, TEST_NOW, &reply, note) == -EPROTO);
	request.op = 0;
	assert(signer_handle(s, &request, TEST_NOW, &reply, note) == -EPROTO);
	request.op = SIGNER_INFO;
	request.reserved = 1;
	assert(signer_handle(s, &request, TEST_NOW, &reply, note) == -EPROTO);
	request.reserved = 0;
	request.magic[0] ^= 1;
	assert(signer_handle(s, &request, TEST_NOW, &reply, note) == -EPROTO);
}

static void test_signer_seals(const struct signer *s)
{
	static struct signer_request request = {.magic = SIGNER_MAGIC, .op = SIGNER_SEAL};
	static struct signer_reply reply;
	static struct signer deaf;
	struct keyring_key *audit = NULL;
	struct root_manifest *root;
	uint8_t seed[32];

	request.seal.context[0] = 1;
	memset(request.seal.seed, 3, sizeof(request.seal.seed));
	assert(signer_handle(s, &request, TEST_NOW, &reply, note) == 0 &&
	        reply.status == SIGNER_OK);
	assert(keyring_key_open(test_ring, KEYRING_AUDIT, &audit) == 0);
	assert(keyring_unseal(audit, request.seal.context, reply.sealed, seed) == 0);
	assert(memcmp(seed, request.seal.seed, sizeof(seed)) == 0);
	keyring_key_free(audit);
	deaf = *s;
	deaf.root.manifest = deaf.root_bytes + (s->root.manifest - s->root_bytes);
	root = (void *)(uintptr_t)deaf.root.manifest;
	memset(root->audit_pub, 0, sizeof(root->audit_pub));
	assert(signer_handle(&deaf, &request, TEST_NOW, &reply, note) == 0);
	assert(reply.status == SIGNER_REFUSED && strstr(reply.text, "no audit key"));
}

/* A key that a renewed root keeps to its old end signs nothing after it. */
static void test_signer_key_ends(void)
{
	static struct signer s;
	static struct signer_request request;
	static struct signer_reply reply;
	char other[160], path[256], aside[256];
	const char *what;

	(void)snprintf(other, sizeof(other), "%s/ends", test_dir);
	(void)snprintf(path, sizeof(path), "%s/order.pem", other);
	(void)snprintf(aside, sizeof(aside), "%s/aside.pem", test_dir);
	assert(keyring_create(other, TEST_NOW, TEST_DAY) == 0);
	assert(rename(path, aside) == 0);
	assert(keyring_renew(other, TEST_NOW, 7 * TEST_DAY, 0, NULL) == 0);
	assert(rename(aside, path) == 0);
	assert(signer_init(&s, other, SIGNER_FIRST, &what) == 0);
	s.flat = layout_flat();
	ask_order(&request);
	ask_order_of(&request)->epoch = 2;
	assert(signer_handle(&s, &request, TEST_NOW + TEST_DAY - 1, &reply, note) == 0);
	assert(reply.status == SIGNER_OK);
	assert(signer_handle(&s, &request, TEST_NOW + TEST_DAY, &reply, note) == 0);
	assert(reply.status == SIGNER_REFUSED && reply.reason == ENVELOPE_KEY_EXPIRED);
	signer_fini(&s);
	test_ring_remove(other);
}

/* A signer whose key the root does not name must not sign. */
static void test_signer_stranger(void)
{
	static struct signer s;
	static struct signer_request request;
	static struct signer_reply reply;
	char other[160], from[256], to[256];
	const char *what;

	(void)snprintf(other, sizeof(other), "%s/other", test_dir);
	assert(keyring_create(other, TEST_NOW, TEST_DAY) == 0);
	test_path(from, "root.signed");
	(void)snprintf(to, sizeof(to), "%s/root.signed", other);
	assert(unlink(to) == 0 && link(from, to) == 0);
	assert(signer_init(&s, other, SIGNER_FIRST, &what) == 0);
	s.flat = layout_flat();
	ask_variant(&request);
	assert(signer_handle(&s, &request, TEST_NOW, &reply, note) == 0);
	assert(reply.status == SIGNER_REFUSED && reply.reason == ENVELOPE_UNKNOWN_KEY);
	ask_order(&request);
	assert(signer_handle(&s, &request, TEST_NOW, &reply, note) == 0);
	assert(reply.status == SIGNER_REFUSED && reply.reason == ENVELOPE_UNKNOWN_KEY);
	signer_fini(&s);
	test_ring_remove(other);
}

/* Without a rule file, or with one that others can read or write, nothing is signed. */
static void test_signer_rules_file(void)
{
	static struct signer s;
	const char *what = NULL;
	char path[256], aside[256];
	FILE *rules;

	test_path(path, "signer.rules");
	test_path(aside, "aside");
	assert(chmod(path, 0620) == 0);
	assert(signer_init(&s, test_ring, SIGNER_FIRST, &what) == KEYRING_E_UNSAFE);
	assert(strcmp(what, "signer.rules") == 0);
	assert(chmod(path, 0600) == 0 && rename(path, aside) == 0);
	assert(signer_init(&s, test_ring, SIGNER_FIRST, &what) == KEYRING_E_MISSING);
	rules = fopen(path, "w");
	assert(rules != NULL && chmod(path, 0600) == 0);
	assert(fputs("order_life 60\n# and\norder_life 1800\n", rules) >= 0 && fclose(rules) == 0);
	assert(signer_init(&s, test_ring, SIGNER_FIRST, &what) == KEYRING_E_FORMAT);
	assert(strcmp(what, "signer.rules") == 0 && s.rules_line == 3);
	assert(rename(aside, path) == 0);
}

/* What the first signer signed, as the second is asked for it. */
static void second_ask(const struct signer_reply *first, struct signer_request *request)
{
	struct envelope_part part;

	assert(envelope_part_open(first->part.bytes, first->part.len, &part) == ENVELOPE_OK);
	memcpy(&request->variant.manifest, part.manifest, sizeof(request->variant.manifest));
}

static enum envelope_reason second_reason(
        const struct signer *s, const struct signer_request *request, uint64_t now)
{
	static struct signer_reply reply;

	assert(signer_handle(s, request, now, &reply, note) == 0);
	assert((reply.status == SIGNER_OK) == (reply.reason == ENVELOPE_OK));
	return reply.reason;
}

/* It signs variants as the first has dated them, that it can make again, and nothing else. */
static void test_second_signs(const struct signer *first, const struct signer *second)
{
	static const enum signer_op others[] = {
	        SIGNER_SIGN_ORDER, SIGNER_SIGN_STATEMENT, SIGNER_SEAL, SIGNER_SIGN_STANDING};
	static struct signer_request request, changed;
	static struct signer_reply reply, again;

	ask_variant(&request);
	assert(second_reason(second, &request, TEST_NOW) == ENVELOPE_MALFORMED);
	assert(signer_handle(first, &request, TEST_NOW, &reply, note) == 0);
	second_ask(&reply, &request);
	assert(second_reason(first, &request, TEST_NOW) == ENVELOPE_MALFORMED);
	assert(signer_handle(second, &request, TEST_NOW + TIME_SKEW_SEC_MAX, &again, note) == 0);
	assert(again.status == SIGNER_OK && again.part.len == reply.part.len);
	assert(memcmp(again.part.bytes, reply.part.bytes,
	               sizeof(struct envelope_part_header) + sizeof(struct variant_manifest)) == 0);
	assert(ask_verify(second, ENVELOPE_OF_VARIANT, &request, &again, TEST_NOW) == ENVELOPE_OK);
	assert(second_reason(second, &request, TEST_NOW - TIME_SKEW_SEC_MAX) == ENVELOPE_OK);
	assert(second_reason(second, &request, TEST_NOW + TIME_SKEW_SEC_MAX + 1) ==
	        ENVELOPE_EXPIRED);
	assert(second_reason(second, &request, TEST_NOW - TIME_SKEW_SEC_MAX - 1) ==
	        ENVELOPE_EXPIRED);
	changed = request;
	changed.variant.manifest.expires++;
	assert(second_reason(second, &changed, TEST_NOW) == ENVELOPE_MALFORMED);
	changed = request;
	changed.variant.manifest.payload_hash[63] ^= 1;
	assert(second_reason(second, &changed, TEST_NOW) == ENVELOPE_OTHER_LAYOUT);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		changed = request;
		changed.op = others[i];
		assert(signer_handle(second, &changed, TEST_NOW, &again, note) == 0);
		assert(again.status == SIGNER_REFUSED &&
		        strstr(again.text, "second signer") != NULL);
		assert(again.part.len == 0);
	}
	changed.op = SIGNER_INFO;
	assert(signer_handle(second, &changed, TEST_NOW, &again, note) == 0);
	assert(again.status == SIGNER_OK && again.info.not_after == TEST_NOW + TEST_DAY);
	assert(again.info.order_key[0] == 0 &&
	        memcmp(again.info.variant_key, keyring_key_id(second->variant), 16) == 0);
}

static void test_second(void)
{
	static struct signer first, second;
	char ring[160], from[256], to[256];
	uint8_t pub[32];
	const char *what;

	(void)snprintf(ring, sizeof(ring), "%s/second", test_dir);
	(void)snprintf(to, sizeof(to), "%s/root.signed", ring);
	test_path(from, "root.signed");
	assert(keyring_create_second(ring, pub) == 0);
	assert(keyring_renew(test_ring, TEST_NOW, TEST_DAY, 0, pub) == 0);
	assert(link(from, to) == 0);
	assert(signer_init(&first, test_ring, SIGNER_FIRST, &what) == 0);
	assert(signer_init(&second, ring, SIGNER_SECOND, &what) == 0);
	first.flat = second.flat = layout_flat();
	test_second_signs(&first, &second);
	signer_fini(&first);
	signer_fini(&second);
	assert(signer_init(&first, ring, SIGNER_FIRST, &what) == KEYRING_E_MISSING);
	assert(strcmp(what, "order.pem") == 0);
	test_ring_remove(ring);
}

int main(void)
{
	static struct signer s;
	const char *what = NULL;

	test_setup();
	assert(signer_init(&s, test_ring, SIGNER_FIRST, &what) == 0);
	s.flat = layout_flat();
	test_signer_signs(&s);
	test_control_sign(&s);
	test_kit_past_end(&s);
	test_signer_protocol(&s);
	test_signer_seals(&s);
	signer_fini(&s);
	test_signer_key_ends();
	test_signer_stranger();
	test_signer_rules_file();
	test_second();
	assert(signer_init(&s, "/nonexistent", SIGNER_FIRST, &what) == KEYRING_E_MISSING);
	assert(strcmp(what, "root.signed") == 0);
	test_teardown();
	return 0;
}
