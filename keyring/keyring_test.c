/* Keys, roots, seals and the signer's rules, with real signatures. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "keyring/priv.h"
#include "keyring/signer.h"

#define NOW UINT64_C(1800000000)
#define DAY UINT64_C(86400)

static char test_dir[64];
static char test_ring[128];

static void path_of(char ret_path[256], const char *name)
{
	(void)snprintf(ret_path, 256, "%s/%s", test_ring, name);
}

static void setup(void)
{
	(void)snprintf(test_dir, sizeof(test_dir), "/tmp/keyring_test.XXXXXX");
	assert(mkdtemp(test_dir) != NULL);
	(void)snprintf(test_ring, sizeof(test_ring), "%s/ring", test_dir);
	assert(keyring_create(test_ring, NOW, 365 * DAY) == 0);
}

static void ring_unlink(const char *ring)
{
	static const char *const names[] = {"root.pem", "release.pem", "variant.pem", "order.pem",
	        "control.pem", "audit.pem", "root.signed", "signer.rules"};

	for (unsigned int i = 0; i < 8; i++) {
		char path[256];

		(void)snprintf(path, sizeof(path), "%s/%s", ring, names[i]);
		(void)unlink(path);
	}
	assert(rmdir(ring) == 0);
}

static void teardown(void)
{
	ring_unlink(test_ring);
	assert(rmdir(test_dir) == 0);
}

static void test_create_and_list(void)
{
	struct keyring_info infos[_KEYRING_N];
	char path[256];
	struct stat st;

	assert(keyring_list(test_ring, NOW, infos) == 0);
	for (unsigned int i = 0; i < _KEYRING_N; i++) {
		assert(infos[i].error == 0 && infos[i].role == i);
		assert(infos[i].fault == KEYRING_USABLE);
		path_of(path, keyring_role_file(infos[i].role));
		assert(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
	}
	assert(infos[KEYRING_VARIANT].not_before == NOW - DAY);
	assert(infos[KEYRING_RELEASE].not_after == NOW + 365 * DAY);
	assert(infos[KEYRING_CONTROL].not_after == NOW + 365 * DAY);
	assert(infos[KEYRING_ROOT].not_after == NOW + 365 * DAY);
	assert(infos[KEYRING_AUDIT].not_after == NOW + 365 * DAY);
	for (unsigned int i = 0; i < _KEYRING_N; i++) {
		assert(keyring_role_find(keyring_role_name((enum keyring_role)i)) == i);
	}
	assert(keyring_role_find("seal") == _KEYRING_N);
	assert(stat(test_ring, &st) == 0 && (st.st_mode & 07777) == 0700);
	assert(keyring_create(test_ring, NOW, DAY) == KEYRING_E_EXISTS);
	assert(keyring_create("/nonexistent/ring", NOW, DAY) == -ENOENT);
	assert(keyring_list("/nonexistent", NOW, infos) == KEYRING_E_MISSING);
}

static void test_root_verifies(void)
{
	_Alignas(8) uint8_t bytes[SIGNER_ROOT_MAX];
	struct envelope_part part;
	struct keyring_key *key = NULL;
	struct trust trust = {.root_serial = 1, .time = NOW};

	assert(keyring_root_read(test_ring, bytes, sizeof(bytes), &part) == 0);
	assert(keyring_key_open(test_ring, KEYRING_ROOT, &key) == 0);
	memcpy(trust.root_pub, keyring_key_pub(key), 32);
	assert(envelope_verify_root(&part, &trust) == ENVELOPE_OK);
	trust.root_serial = 2;
	assert(envelope_verify_root(&part, &trust) == ENVELOPE_OLD_ROOT);
	assert(keyring_root_read(test_ring, bytes, 64, &part) == -ENOBUFS);
	keyring_key_free(key);
}

/* Every way a key file can be wrong, and what is said about it. */
static void test_unsafe_files(void)
{
	struct keyring_key *key = NULL;
	char path[256], aside[256];

	path_of(path, "variant.pem");
	path_of(aside, "aside");
	for (mode_t bit = 01; bit <= 040; bit <<= 1) {
		assert(chmod(path, 0600 | bit) == 0);
		assert(keyring_key_open(test_ring, KEYRING_VARIANT, &key) == KEYRING_E_UNSAFE);
	}
	assert(chmod(path, 0600) == 0);
	assert(rename(path, aside) == 0);
	assert(keyring_key_open(test_ring, KEYRING_VARIANT, &key) == KEYRING_E_MISSING);
	assert(symlink("aside", path) == 0);
	assert(keyring_key_open(test_ring, KEYRING_VARIANT, &key) == KEYRING_E_UNSAFE);
	assert(unlink(path) == 0 && mkdir(path, 0700) == 0);
	assert(keyring_key_open(test_ring, KEYRING_VARIANT, &key) == KEYRING_E_FORMAT);
	assert(rmdir(path) == 0 && mkfifo(path, 0600) == 0);
	assert(keyring_key_open(test_ring, KEYRING_VARIANT, &key) == KEYRING_E_FORMAT);
	assert(unlink(path) == 0 && rename(aside, path) == 0);
	assert(chmod(test_ring, 0720) == 0);
	assert(keyring_key_open(test_ring, KEYRING_VARIANT, &key) == KEYRING_E_UNSAFE);
	assert(chmod(test_ring, 0700) == 0);
	assert(keyring_key_open(test_ring, KEYRING_VARIANT, &key) == 0);
	keyring_key_free(key);
}

static void file_put(const char *name, const char *text)
{
	char path[256];
	int fd;

	path_of(path, name);
	fd = open(path, O_WRONLY | O_TRUNC);
	assert(fd >= 0);
	assert(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	(void)close(fd);
}

static void test_bad_contents(void)
{
	_cleanup_(keyring_file_wipe) struct keyring_file saved = {.len = 0};
	static const char *const bad[] = {"x", "-----BEGIN PRIVATE KEY-----\n", "00\n",
	        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"};
	struct keyring_key *key = NULL;
	char name[2][16] = {"variant.pem", "audit.pem"};
	enum keyring_role role[2] = {KEYRING_VARIANT, KEYRING_AUDIT};
	int dir_fd;

	assert(keyring_dir_open(test_ring, &dir_fd) == 0);
	for (int k = 0; k < 2; k++) {
		assert(keyring_file_read(dir_fd, name[k], 1, &saved) == 0);
		saved.bytes[saved.len] = '\0';
		for (unsigned int i = 0; i < 4; i++) {
			file_put(name[k], bad[i]);
			assert(keyring_key_open(test_ring, role[k], &key) == KEYRING_E_FORMAT);
		}
		file_put(name[k], "");
		assert(keyring_key_open(test_ring, role[k], &key) == KEYRING_E_FORMAT);
		file_put(name[k], (char *)saved.bytes);
		assert(keyring_key_open(test_ring, role[k], &key) == 0);
		key = keyring_key_free(key);
	}
	(void)close(dir_fd);
}

/* What the signer seals it cannot open; the audit key does, for this context only. */
static void test_seal(void)
{
	uint8_t context[64] = {7}, seed[32], sealed[2][SIGNER_SEALED_SIZE], out[32] = {0};
	struct keyring_key *audit = NULL, *variant = NULL;
	static const uint8_t small_order[32];

	memset(seed, 0x5a, sizeof(seed));
	assert(keyring_key_open(test_ring, KEYRING_AUDIT, &audit) == 0);
	assert(keyring_key_open(test_ring, KEYRING_VARIANT, &variant) == 0);
	assert(keyring_seal(keyring_key_pub(audit), context, seed, sealed[0]) == 0);
	assert(keyring_seal(keyring_key_pub(audit), context, seed, sealed[1]) == 0);
	assert(memcmp(sealed[0], sealed[1], sizeof(sealed[0])) != 0);
	assert(memmem(sealed[0], sizeof(sealed[0]), seed, 8) == NULL);
	assert(keyring_unseal(audit, context, sealed[0], out) == 0);
	assert(memcmp(out, seed, sizeof(seed)) == 0);
	memset(out, 0, sizeof(out));
	for (unsigned int i = 0; i < SIGNER_SEALED_SIZE; i++) {
		sealed[0][i] ^= 0x10;
		assert(keyring_unseal(audit, context, sealed[0], out) == KEYRING_E_REFUSED);
		sealed[0][i] ^= 0x10;
	}
	context[63] = 1;
	assert(keyring_unseal(audit, context, sealed[0], out) == KEYRING_E_REFUSED);
	assert(out[0] == 0);
	assert(keyring_unseal(variant, context, sealed[0], out) == KEYRING_E_REFUSED);
	assert(keyring_seal(small_order, context, seed, sealed[0]) == -EIO);
	keyring_key_free(audit);
	keyring_key_free(variant);
}

static const struct root_manifest *root_of(const char *ring, uint8_t bytes[SIGNER_ROOT_MAX])
{
	struct envelope_part part;

	assert(keyring_root_read(ring, bytes, SIGNER_ROOT_MAX, &part) == 0);
	return (const void *)part.manifest;
}

/* The next root of the same root key: keys that are here are named, others stay. */
static void test_renew(void)
{
	_Alignas(8) uint8_t bytes[SIGNER_ROOT_MAX];
	struct keyring_key *key = NULL;
	const struct root_manifest *root;
	uint8_t release[16], order[16];
	char other[160], path[256];

	(void)snprintf(other, sizeof(other), "%s/renewed", test_dir);
	assert(keyring_create(other, NOW, DAY) == 0);
	root = root_of(other, bytes);
	memcpy(release, root->keys[ROOT_ROLE_RELEASE][0].id, 16);
	memcpy(order, root->keys[ROOT_ROLE_ORDER][0].id, 16);
	(void)snprintf(path, sizeof(path), "%s/release.pem", other);
	assert(unlink(path) == 0);
	assert(keyring_renew(other, NOW + DAY, 7 * DAY, 1u << KEYRING_ORDER) == 0);
	root = root_of(other, bytes);
	assert(root->serial == 2 && root->issued == NOW + DAY && root->expires == NOW + 8 * DAY);
	assert(memcmp(root->keys[ROOT_ROLE_RELEASE][0].id, release, 16) == 0);
	assert(root->keys[ROOT_ROLE_RELEASE][0].not_after == NOW + DAY);
	assert(memcmp(root->keys[ROOT_ROLE_ORDER][0].id, order, 16) != 0);
	assert(root->keys[ROOT_ROLE_ORDER][0].not_after == NOW + 8 * DAY);
	assert(keyring_key_open(other, KEYRING_ORDER, &key) == 0);
	assert(memcmp(root->keys[ROOT_ROLE_ORDER][0].id, keyring_key_id(key), 16) == 0);
	key = keyring_key_free(key);
	assert(keyring_renew(other, NOW, DAY, 1u << KEYRING_ROOT) == KEYRING_E_REFUSED);
	(void)snprintf(path, sizeof(path), "%s/root.pem", other);
	assert(unlink(path) == 0);
	assert(keyring_renew(other, NOW, DAY, 0) == KEYRING_E_MISSING);
	assert(root_of(other, bytes)->serial == 2);
	ring_unlink(other);
}

static void make_kit(struct kit_manifest *kit)
{
	*kit = (struct kit_manifest){
	        .magic = KIT_MAGIC,
	        .version = MANIFEST_VERSION,
	        .size = sizeof(*kit),
	        .service = "ds",
	        .counter = 3,
	        .floor = 1,
	        .quiescent = "work-free",
	        .state_len = 8,
	        .heap_limit = 1 << 20,
	        .stack_size = 16384,
	};
}

/* A request to sign a variant that the signer accepts. */
static void make_variant(struct signer_request *request)
{
	struct kit_manifest kit;
	struct keyring_key *release = NULL;
	size_t len;

	memset(request, 0, sizeof(*request));
	memcpy(request->magic, SIGNER_MAGIC, 8);
	request->op = SIGNER_SIGN_VARIANT;
	request->id = 42;
	make_kit(&kit);
	assert(keyring_key_open(test_ring, KEYRING_RELEASE, &release) == 0);
	assert(keyring_sign(release, ENVELOPE_KIT, &kit, sizeof(kit), request->variant.kit,
	               sizeof(request->variant.kit), &len) == 0);
	keyring_key_free(release);
	request->variant.kit_len = (uint32_t)len;
	request->variant.lifetime_sec = 3600;
	request->variant.manifest = (struct variant_manifest){
	        .magic = VARIANT_MAGIC,
	        .version = MANIFEST_VERSION,
	        .size = sizeof(struct variant_manifest),
	        .service = "ds",
	        .payload_len = 4096,
	};
	kit_manifest_release_id(&kit, request->variant.manifest.release_id);
}

static struct order_component *component_of(struct signer_request *request)
{
	return (void *)((struct order_manifest *)request->order.manifest + 1);
}

/* An order of one update that the signer accepts. */
static void make_order(struct signer_request *request)
{
	struct order_manifest *order = (void *)request->order.manifest;
	struct order_component *component = component_of(request);

	memset(request, 0, sizeof(*request));
	memcpy(request->magic, SIGNER_MAGIC, 8);
	request->op = SIGNER_SIGN_ORDER;
	request->order.lifetime_sec = 600;
	request->order.len = (uint32_t)order_manifest_size(1);
	*order = (struct order_manifest){
	        .magic = ORDER_MAGIC,
	        .version = MANIFEST_VERSION,
	        .size = request->order.len,
	        .boot_id = 7,
	        .epoch = 1,
	        .transaction = 3,
	        .action = ORDER_UPDATE,
	        .n_components = 1,
	};
	memcpy(component->service, "ds", 3);
	memset(component->release_id, 1, sizeof(component->release_id));
	memset(component->variant_hash, 2, sizeof(component->variant_hash));
	component->generation = 2;
}

/* A statement of one service that the signer accepts. */
static void make_statement(struct signer_request *request)
{
	struct statement_manifest *statement = (void *)request->statement.manifest;
	struct statement_service *service = (void *)(statement + 1);

	memset(request, 0, sizeof(*request));
	memcpy(request->magic, SIGNER_MAGIC, 8);
	request->op = SIGNER_SIGN_STATEMENT;
	request->statement.len = (uint32_t)statement_manifest_size(1);
	*statement = (struct statement_manifest){
	        .magic = STATEMENT_MAGIC,
	        .version = MANIFEST_VERSION,
	        .size = request->statement.len,
	        .root_serial = 1,
	        .n_services = 1,
	};
	memcpy(service->service, "ds", 3);
	service->floor = 2;
	service->epoch = 1;
	service->generation = 9;
}

static void test_sign_rules(void)
{
	struct kit_manifest kit;
	struct keyring_key *key = NULL;
	uint8_t part[SIGNER_KIT_MAX];
	size_t len = 0;

	make_kit(&kit);
	assert(keyring_key_open(test_ring, KEYRING_VARIANT, &key) == 0);
	assert(keyring_sign(key, ENVELOPE_KIT, &kit, sizeof(kit), part, sizeof(part), &len) ==
	        KEYRING_E_REFUSED);
	key = keyring_key_free(key);
	assert(keyring_key_open(test_ring, KEYRING_RELEASE, &key) == 0);
	assert(keyring_sign(key, ENVELOPE_KIT, &kit, sizeof(kit), part, 100, &len) == -ENOBUFS);
	kit.counter = 0;
	assert(keyring_sign(key, ENVELOPE_KIT, &kit, sizeof(kit), part, sizeof(part), &len) ==
	        KEYRING_E_REFUSED);
	assert(len == 0);
	key = keyring_key_free(key);
}

static char note[SIGNER_NOTE_SIZE];

/* Root, what is between, and what the signer made, as RS would see them. */
static enum envelope_reason reply_verify(const struct signer *s, enum envelope_kind kind,
        const struct signer_request *request, const struct signer_reply *reply, uint64_t time)
{
	static _Alignas(8) uint8_t bytes[ENVELOPE_SIZE_MAX];
	const void *parts[3] = {s->root_bytes, request->variant.kit, reply->part.bytes};
	size_t sizes[3] = {s->root.size, request->variant.kit_len, reply->part.len};
	struct trust trust = {.boot_id = 7, .time = time, .latest_time = time + 600};
	struct envelope_view view;
	size_t len;

	if (kind != ENVELOPE_OF_VARIANT) {
		parts[1] = parts[2];
		sizes[1] = sizes[2];
	}
	len = envelope_write(kind, parts, sizes, bytes, sizeof(bytes));
	assert(len > 0 && envelope_open(bytes, len, &view) == ENVELOPE_OK);
	memcpy(trust.root_pub, view.root->root_pub, 32);
	return envelope_verify(&view, &trust);
}

static void test_signer_signs(const struct signer *s)
{
	static struct signer_request request;
	static struct signer_reply reply;
	const struct order_manifest *order;

	make_variant(&request);
	assert(signer_handle(s, &request, NOW, &reply, note) == 0);
	assert(reply.status == SIGNER_OK && reply.id == 42 && reply.op == SIGNER_SIGN_VARIANT);
	assert(reply_verify(s, ENVELOPE_OF_VARIANT, &request, &reply, NOW) == ENVELOPE_OK);
	assert(reply_verify(s, ENVELOPE_OF_VARIANT, &request, &reply, NOW + 3600) ==
	        ENVELOPE_EXPIRED);
	assert(strstr(note, "variant machine 0000") != NULL && strstr(note, "service ds") != NULL);
	make_order(&request);
	assert(signer_handle(s, &request, NOW, &reply, note) == 0 && reply.status == SIGNER_OK);
	assert(reply_verify(s, ENVELOPE_OF_ORDER, &request, &reply, NOW) == ENVELOPE_OK);
	order = (const void *)(reply.part.bytes + sizeof(struct envelope_part_header));
	assert(order->issued == NOW && order->expires == NOW + 600);
	assert(strstr(note, "epoch 1 transaction 3 action 1 ds:2") != NULL);
	make_statement(&request);
	assert(signer_handle(s, &request, NOW, &reply, note) == 0 && reply.status == SIGNER_OK);
	assert(reply_verify(s, ENVELOPE_OF_STATEMENT, &request, &reply, NOW) == ENVELOPE_OK);
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

	make_order(&request);
	ask->action = ORDER_SHUTDOWN;
	ask->n_components = 0;
	ask->size = request.order.len = (uint32_t)order_manifest_size(0);
	assert(signer_handle(s, &request, NOW, &reply, note) == 0 && reply.status == SIGNER_OK);
	assert(reply_verify(s, ENVELOPE_OF_ORDER, &request, &reply, NOW) == ENVELOPE_NO_CONTROL);
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
	assert(reply_verify(s, ENVELOPE_OF_ORDER, &request, &reply, NOW) == ENVELOPE_OK);
	keyring_key_free(control);
	keyring_key_free(order_key);
}

struct refusal {
	const char *what;
	void (*make)(struct signer_request *request);
	void (*spoil)(struct signer_request *request);
	uint64_t now;
	enum envelope_reason reason; /* OK: the rule file's */
};

static struct order_manifest *order_of(struct signer_request *r)
{
	return (void *)r->order.manifest;
}
static struct statement_manifest *statement_of(struct signer_request *r)
{
	return (void *)r->statement.manifest;
}
static void spoil_nothing(struct signer_request *r)
{
}
static void spoil_issued(struct signer_request *r)
{
	r->variant.manifest.issued = NOW;
}
static void spoil_expires(struct signer_request *r)
{
	r->variant.manifest.expires = NOW + 1;
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
static void spoil_order_issued(struct signer_request *r)
{
	order_of(r)->issued = NOW;
}
static void spoil_order_epoch(struct signer_request *r)
{
	order_of(r)->epoch = 2;
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
	order_of(r)->n_components = 2;
	order_of(r)->size = r->order.len = (uint32_t)order_manifest_size(2);
	component_of(r)[1] = component_of(r)[0];
	memcpy(component_of(r)[1].service, "vm", 3);
}
static void spoil_order_life_zero(struct signer_request *r)
{
	r->order.lifetime_sec = 0;
}
static void spoil_order_machine(struct signer_request *r)
{
	order_of(r)->machine_id[0] = 9;
}
static void spoil_order_service(struct signer_request *r)
{
	memcpy(component_of(r)->service, "vm", 3);
}
static void spoil_order_action(struct signer_request *r)
{
	order_of(r)->action = ORDER_PREPARE;
}
static void spoil_order_number(struct signer_request *r)
{
	order_of(r)->transaction = 101;
}
static void spoil_order_generation(struct signer_request *r)
{
	component_of(r)->generation = 51;
}
static struct statement_service *stated_of(struct signer_request *r)
{
	return (void *)(statement_of(r) + 1);
}
static void spoil_stated_issued(struct signer_request *r)
{
	statement_of(r)->issued = 5;
}
static void spoil_stated_serial(struct signer_request *r)
{
	statement_of(r)->root_serial = 2;
}
static void spoil_stated_len(struct signer_request *r)
{
	r->statement.len -= 8;
}
static void spoil_stated_machine(struct signer_request *r)
{
	statement_of(r)->machine_id[0] = 9;
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
        {"stamped", make_variant, spoil_issued, NOW, ENVELOPE_MALFORMED},
        {"expiry given", make_variant, spoil_expires, NOW, ENVELOPE_MALFORMED},
        {"no lifetime", make_variant, spoil_lifetime_zero, NOW, ENVELOPE_MALFORMED},
        {"beyond the root", make_variant, spoil_lifetime_root, NOW, ENVELOPE_LONG_LIFE},
        {"beyond the rule", make_variant, spoil_lifetime_rule, NOW, ENVELOPE_OK},
        {"machine", make_variant, spoil_machine, NOW, ENVELOPE_OK},
        {"version", make_variant, spoil_version, NOW, ENVELOPE_UNKNOWN_VERSION},
        {"not a variant", make_variant, spoil_magic, NOW, ENVELOPE_MALFORMED},
        {"other service", make_variant, spoil_service, NOW, ENVELOPE_WRONG_SERVICE},
        {"other release", make_variant, spoil_release, NOW, ENVELOPE_RELEASE_MISMATCH},
        {"cut kit", make_variant, spoil_kit_len, NOW, ENVELOPE_MALFORMED},
        {"more than a kit", make_variant, spoil_kit_rest, NOW, ENVELOPE_MALFORMED},
        {"long kit", make_variant, spoil_kit_long, NOW, ENVELOPE_MALFORMED},
        {"kit byte", make_variant, spoil_kit_byte, NOW, ENVELOPE_BAD_SIGNATURE},
        {"kit key", make_variant, spoil_kit_key, NOW, ENVELOPE_UNKNOWN_KEY},
        {"too early", make_variant, spoil_nothing, NOW - DAY - 1, ENVELOPE_KEY_EXPIRED},
        {"too late", make_variant, spoil_nothing, NOW + 365 * DAY, ENVELOPE_ROOT_EXPIRED},
        {"order stamped", make_order, spoil_order_issued, NOW, ENVELOPE_MALFORMED},
        {"order epoch", make_order, spoil_order_epoch, NOW, ENVELOPE_WRONG_EPOCH},
        {"order cut", make_order, spoil_order_len, NOW, ENVELOPE_MALFORMED},
        {"order too long", make_order, spoil_order_long, NOW, ENVELOPE_MALFORMED},
        {"order beyond the root", make_order, spoil_order_life_root, NOW, ENVELOPE_LONG_LIFE},
        {"order beyond the rule", make_order, spoil_order_life_rule, NOW, ENVELOPE_OK},
        {"order of a second service", make_order, spoil_order_second, NOW, ENVELOPE_OK},
        {"order without life", make_order, spoil_order_life_zero, NOW, ENVELOPE_MALFORMED},
        {"order too late", make_order, spoil_nothing, NOW + 365 * DAY, ENVELOPE_ROOT_EXPIRED},
        {"order machine", make_order, spoil_order_machine, NOW, ENVELOPE_OK},
        {"order service", make_order, spoil_order_service, NOW, ENVELOPE_OK},
        {"order action", make_order, spoil_order_action, NOW, ENVELOPE_OK},
        {"order number", make_order, spoil_order_number, NOW, ENVELOPE_OK},
        {"order generation", make_order, spoil_order_generation, NOW, ENVELOPE_OK},
        {"statement stamped", make_statement, spoil_stated_issued, NOW, ENVELOPE_MALFORMED},
        {"statement serial", make_statement, spoil_stated_serial, NOW, ENVELOPE_WRONG_EPOCH},
        {"statement cut", make_statement, spoil_stated_len, NOW, ENVELOPE_MALFORMED},
        {"statement machine", make_statement, spoil_stated_machine, NOW, ENVELOPE_OK},
        {"statement service", make_statement, spoil_stated_service, NOW, ENVELOPE_OK},
        {"statement floor", make_statement, spoil_stated_floor, NOW, ENVELOPE_OK},
        {"statement generation", make_statement, spoil_stated_generation, NOW, ENVELOPE_OK},
        {"statement too late", make_statement, spoil_nothing, NOW + 365 * DAY,
                ENVELOPE_ROOT_EXPIRED},
};

static const char test_rules[] = "# a comment\n"
                                 "machine 00000000000000000000000000000000\n\n"
                                 "service ds tty # both\n"
                                 "action update confirm\n"
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
		assert(signer_handle(&s, &request, NOW, &reply, note) == 0);
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
	make_variant(request);
	header = (void *)request->variant.kit;
	header->kind = ENVELOPE_ORDER;
	header->manifest_len = (uint32_t)order_manifest_size(ORDER_COMPONENTS_MAX);
	request->variant.kit_len = (uint32_t)len;
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
	assert(signer_handle(s, request, NOW, &reply, note) == 0);
	assert(reply.status == SIGNER_REFUSED && reply.reason == ENVELOPE_MALFORMED);
	assert(munmap(map, room + page) == 0);
}

/* So many lines, and not one more. */
static void check_rule_max(const char *line, unsigned int n)
{
	size_t len = strlen(line);
	char *text = malloc((n + 1) * len);
	struct rules rules;
	const char *why;

	assert(text != NULL);
	for (unsigned int i = 0; i <= n; i++) {
		memcpy(text + i * len, line, len);
	}
	assert(rules_parse(text, n * len, &rules, &why) == 0);
	assert(rules_parse(text, (n + 1) * len, &rules, &why) == n + 1);
	free(text);
}

/* Every line that makes no sense is named; nothing is allowed that is not written. */
static void test_rules_file(void)
{
	static const char *const bad[] = {"machine 00\n", "machine\n", "service Ds\n",
	        "service a-name-that-is-much-too-long-for-one\n", "action fly\n", "action\n",
	        "order_life\n", "order_life x\n", "order_life 1 2\n", "hello 1\n",
	        "order_life 99999999999999999999\n", "machine 0000000000000000000000000000000G\n"};
	struct rules rules;
	const char *why;
	char text[160];

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert(rules_parse(bad[i], strlen(bad[i]), &rules, &why) == 1);
		(void)snprintf(text, sizeof(text), "service *\n\n%s", bad[i]);
		assert(rules_parse(text, strlen(text), &rules, &why) == 3);
	}
	assert(rules_parse("order_life 9\naction update\norder_life 9\n", 39, &rules, &why) == 3);
	assert(strstr(why, "twice") != NULL);
	assert(rules_parse("action update\norder_life 9\naction update\n", 40, &rules, &why) == 0);
	assert(rules_parse("service \0ds\n", 12, &rules, &why) == 1);
	assert(rules_parse("service ds\0x\n", 13, &rules, &why) == 1);
	check_rule_max("machine 00000000000000000000000000000000\n", RULES_MACHINES_MAX - 1);
	check_rule_max("service ds\n", RULES_SERVICES_MAX - 1);
	assert(rules_parse("", 0, &rules, &why) == 0);
	assert(!rules.all_machines && !rules.all_services && rules.actions == 0);
	assert(rules_parse(rules_default_text, strlen(rules_default_text), &rules, &why) == 0);
	assert(rules.all_machines && rules.all_services && rules.actions == 0x7e);
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
	assert(keyring_create(other, NOW, DAY) == 0);
	assert(rename(path, aside) == 0);
	assert(keyring_renew(other, NOW, 7 * DAY, 0) == 0);
	assert(rename(aside, path) == 0);
	assert(signer_init(&s, other, &what) == 0);
	make_order(&request);
	order_of(&request)->epoch = 2;
	assert(signer_handle(&s, &request, NOW + DAY - 1, &reply, note) == 0);
	assert(reply.status == SIGNER_OK);
	assert(signer_handle(&s, &request, NOW + DAY, &reply, note) == 0);
	assert(reply.status == SIGNER_REFUSED && reply.reason == ENVELOPE_KEY_EXPIRED);
	signer_fini(&s);
	ring_unlink(other);
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
	assert(keyring_create(other, NOW, DAY) == 0);
	path_of(from, "root.signed");
	(void)snprintf(to, sizeof(to), "%s/root.signed", other);
	assert(unlink(to) == 0 && link(from, to) == 0);
	assert(signer_init(&s, other, &what) == 0);
	make_variant(&request);
	assert(signer_handle(&s, &request, NOW, &reply, note) == 0);
	assert(reply.status == SIGNER_REFUSED && reply.reason == ENVELOPE_UNKNOWN_KEY);
	make_order(&request);
	assert(signer_handle(&s, &request, NOW, &reply, note) == 0);
	assert(reply.status == SIGNER_REFUSED && reply.reason == ENVELOPE_UNKNOWN_KEY);
	signer_fini(&s);
	ring_unlink(other);
}

/* Without a rule file, or with one that others can read or write, nothing is signed. */
static void test_signer_rules_file(void)
{
	static struct signer s;
	const char *what = NULL;
	char path[256], aside[256];
	FILE *rules;

	path_of(path, "signer.rules");
	path_of(aside, "aside");
	assert(chmod(path, 0620) == 0);
	assert(signer_init(&s, test_ring, &what) == KEYRING_E_UNSAFE);
	assert(strcmp(what, "signer.rules") == 0);
	assert(chmod(path, 0600) == 0 && rename(path, aside) == 0);
	assert(signer_init(&s, test_ring, &what) == KEYRING_E_MISSING);
	rules = fopen(path, "w");
	assert(rules != NULL && chmod(path, 0600) == 0);
	assert(fputs("order_life 60\n# and\norder_life 1800\n", rules) >= 0 && fclose(rules) == 0);
	assert(signer_init(&s, test_ring, &what) == KEYRING_E_FORMAT);
	assert(strcmp(what, "signer.rules") == 0 && s.rules_line == 3);
	assert(rename(aside, path) == 0);
}

static void test_signer_protocol(const struct signer *s)
{
	static struct signer_request request = {.magic = SIGNER_MAGIC, .op = SIGNER_INFO, .id = 9};
	static struct signer_reply reply;
	struct envelope_part part;

	assert(signer_handle(s, &request, NOW, &reply, note) == 0 && reply.status == SIGNER_OK);
	assert(note[0] == '\0');
	assert(reply.info.now == NOW && reply.info.not_after == NOW + 365 * DAY);
	assert(reply.info.root_serial == 1);
	assert(envelope_part_open(reply.info.root, reply.info.root_len, &part) == ENVELOPE_OK);
	request.op = _SIGNER_OP_N;
	assert(signer_handle(s, &request, NOW, &reply, note) == -EPROTO);
	request.op = 0;
	assert(signer_handle(s, &request, NOW, &reply, note) == -EPROTO);
	request.op = SIGNER_INFO;
	request.reserved = 1;
	assert(signer_handle(s, &request, NOW, &reply, note) == -EPROTO);
	request.reserved = 0;
	request.magic[0] ^= 1;
	assert(signer_handle(s, &request, NOW, &reply, note) == -EPROTO);
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
	assert(signer_handle(s, &request, NOW, &reply, note) == 0 && reply.status == SIGNER_OK);
	assert(keyring_key_open(test_ring, KEYRING_AUDIT, &audit) == 0);
	assert(keyring_unseal(audit, request.seal.context, reply.sealed, seed) == 0);
	assert(memcmp(seed, request.seal.seed, sizeof(seed)) == 0);
	keyring_key_free(audit);
	deaf = *s;
	deaf.root.manifest = deaf.root_bytes + (s->root.manifest - s->root_bytes);
	root = (void *)(uintptr_t)deaf.root.manifest;
	memset(root->audit_pub, 0, sizeof(root->audit_pub));
	assert(signer_handle(&deaf, &request, NOW, &reply, note) == 0);
	assert(reply.status == SIGNER_REFUSED && strstr(reply.text, "no audit key"));
}

int main(void)
{
	static struct signer s;
	const char *what = NULL;

	setup();
	test_create_and_list();
	test_root_verifies();
	test_unsafe_files();
	test_bad_contents();
	test_seal();
	test_renew();
	test_sign_rules();
	test_rules_file();
	assert(signer_init(&s, test_ring, &what) == 0);
	test_signer_signs(&s);
	test_control_sign(&s);
	test_signer_refuses(&s);
	test_kit_past_end(&s);
	test_signer_protocol(&s);
	test_signer_seals(&s);
	signer_fini(&s);
	test_signer_stranger();
	test_signer_key_ends();
	test_signer_rules_file();
	assert(signer_init(&s, "/nonexistent", &what) == KEYRING_E_MISSING);
	assert(strcmp(what, "root.signed") == 0);
	teardown();
	return 0;
}
