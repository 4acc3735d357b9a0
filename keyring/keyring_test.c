/* Keys, roots, seals and the signer's rules, with real signatures. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
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
	static const char *const names[] = {
	        "root.pem", "release.pem", "variant.pem", "seal.key", "root.signed"};

	for (unsigned int i = 0; i < 5; i++) {
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

	assert(keyring_list(test_ring, infos) == 0);
	for (unsigned int i = 0; i < _KEYRING_N; i++) {
		assert(infos[i].error == 0 && infos[i].role == i);
		path_of(path, keyring_file_name(infos[i].role));
		assert(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
	}
	assert(infos[KEYRING_VARIANT].not_before == NOW - DAY);
	assert(infos[KEYRING_RELEASE].not_after == NOW + 365 * DAY);
	assert(infos[KEYRING_ROOT].not_after == 0);
	assert(stat(test_ring, &st) == 0 && (st.st_mode & 07777) == 0700);
	assert(keyring_create(test_ring, NOW, DAY) == KEYRING_E_EXISTS);
	assert(keyring_create("/nonexistent/ring", NOW, DAY) == -ENOENT);
	assert(keyring_list("/nonexistent", infos) == KEYRING_E_MISSING);
}

static void test_root_verifies(void)
{
	_Alignas(8) uint8_t bytes[SIGNER_PART_MAX];
	struct envelope_part part;
	struct keyring_key *key = NULL;
	struct trust trust = {.root_serial = 1};

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
	char name[2][16] = {"variant.pem", "seal.key"};
	enum keyring_role role[2] = {KEYRING_VARIANT, KEYRING_SEAL};
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

static void test_seal(void)
{
	uint8_t context[64] = {7}, seed[32], sealed[2][SIGNER_SEALED_SIZE], out[32] = {0};
	struct keyring_key *seal = NULL, *variant = NULL;

	memset(seed, 0x5a, sizeof(seed));
	assert(keyring_key_open(test_ring, KEYRING_SEAL, &seal) == 0);
	assert(keyring_key_open(test_ring, KEYRING_VARIANT, &variant) == 0);
	assert(keyring_seal(seal, context, seed, sealed[0]) == 0);
	assert(keyring_seal(seal, context, seed, sealed[1]) == 0);
	assert(memcmp(sealed[0], sealed[1], sizeof(sealed[0])) != 0);
	assert(keyring_unseal(seal, context, sealed[0], out) == 0);
	assert(memcmp(out, seed, sizeof(seed)) == 0);
	memset(out, 0, sizeof(out));
	for (unsigned int i = 0; i < SIGNER_SEALED_SIZE; i++) {
		sealed[0][i] ^= 0x10;
		assert(keyring_unseal(seal, context, sealed[0], out) == KEYRING_E_REFUSED);
		sealed[0][i] ^= 0x10;
	}
	context[63] = 1;
	assert(keyring_unseal(seal, context, sealed[0], out) == KEYRING_E_REFUSED);
	assert(out[0] == 0);
	assert(keyring_seal(variant, context, seed, sealed[0]) == KEYRING_E_REFUSED);
	assert(keyring_unseal(variant, context, sealed[0], out) == KEYRING_E_REFUSED);
	keyring_key_free(seal);
	keyring_key_free(variant);
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
	        .heap_limit = 1 << 20,
	        .stack_size = 16384,
	};
}

/* A request to sign that the signer accepts. */
static void make_sign(struct signer_request *request)
{
	struct kit_manifest kit;
	struct keyring_key *release = NULL;
	size_t len;

	memset(request, 0, sizeof(*request));
	memcpy(request->magic, SIGNER_MAGIC, 8);
	request->op = SIGNER_SIGN;
	request->id = 42;
	make_kit(&kit);
	assert(keyring_key_open(test_ring, KEYRING_RELEASE, &release) == 0);
	assert(keyring_sign(release, ENVELOPE_KIT, &kit, sizeof(kit), request->sign.kit,
	               sizeof(request->sign.kit), &len) == 0);
	keyring_key_free(release);
	request->sign.kit_len = (uint32_t)len;
	request->sign.lifetime_sec = 3600;
	request->sign.manifest = (struct variant_manifest){
	        .magic = VARIANT_MAGIC,
	        .version = MANIFEST_VERSION,
	        .size = sizeof(struct variant_manifest),
	        .service = "ds",
	        .generation = 1,
	        .payload_len = 4096,
	};
	kit_manifest_release_id(&kit, request->sign.manifest.release_id);
}

static void test_sign_rules(void)
{
	struct kit_manifest kit;
	struct keyring_key *key = NULL;
	uint8_t part[SIGNER_PART_MAX];
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

static void test_signer_signs(const struct signer *s)
{
	struct signer_request request;
	struct signer_reply reply;
	_Alignas(8) uint8_t bytes[ENVELOPE_SIZE_MAX];
	const void *parts[3] = {s->root_bytes, request.sign.kit, reply.part.bytes};
	size_t sizes[3], len;
	struct envelope_view view;
	struct trust trust = {
	        .service = "ds", .newest_time = NOW, .latest_time = NOW + DAY, .floor = 3};

	make_sign(&request);
	assert(signer_handle(s, &request, NOW, &reply) == 0);
	assert(reply.status == SIGNER_OK && reply.id == 42 && reply.op == SIGNER_SIGN);
	sizes[0] = s->root.size;
	sizes[1] = request.sign.kit_len;
	sizes[2] = reply.part.len;
	len = envelope_write(parts, sizes, bytes, sizeof(bytes));
	assert(len > 0 && envelope_open(bytes, len, &view) == ENVELOPE_OK);
	memcpy(trust.root_pub, view.root->root_pub, 32);
	assert(envelope_verify(&view, &trust) == ENVELOPE_OK);
	assert(view.variant->issued == NOW && view.variant->expires == NOW + 3600);
}

struct refusal {
	const char *what;
	void (*spoil)(struct signer_request *request);
	uint64_t now;
	enum envelope_reason reason;
};

static void spoil_nothing(struct signer_request *r)
{
}
static void spoil_issued(struct signer_request *r)
{
	r->sign.manifest.issued = NOW;
}
static void spoil_expires(struct signer_request *r)
{
	r->sign.manifest.expires = NOW + 1;
}
static void spoil_lifetime_zero(struct signer_request *r)
{
	r->sign.lifetime_sec = 0;
}
static void spoil_lifetime_long(struct signer_request *r)
{
	r->sign.lifetime_sec = SIGNER_LIFETIME_MAX_SEC + 1;
}
static void spoil_generation(struct signer_request *r)
{
	r->sign.manifest.generation = 0;
}
static void spoil_version(struct signer_request *r)
{
	r->sign.manifest.version++;
}
static void spoil_magic(struct signer_request *r)
{
	memcpy(r->sign.manifest.magic, KIT_MAGIC, 8);
}
static void spoil_service(struct signer_request *r)
{
	memcpy(r->sign.manifest.service, "tty", 4);
}
static void spoil_release(struct signer_request *r)
{
	r->sign.manifest.release_id[63] ^= 1;
}
static void spoil_kit_len(struct signer_request *r)
{
	r->sign.kit_len--;
}
static void spoil_kit_long(struct signer_request *r)
{
	r->sign.kit_len = SIGNER_KIT_MAX + 1;
}
static void spoil_kit_byte(struct signer_request *r)
{
	r->sign.kit[sizeof(struct envelope_part_header) + 60] ^= 1;
}
static void spoil_kit_key(struct signer_request *r)
{
	r->sign.kit[sizeof(struct envelope_part_header) + sizeof(struct kit_manifest)] ^= 1;
}

static const struct refusal refusals[] = {
        {"stamped", spoil_issued, NOW, ENVELOPE_MALFORMED},
        {"expiry given", spoil_expires, NOW, ENVELOPE_MALFORMED},
        {"no lifetime", spoil_lifetime_zero, NOW, ENVELOPE_MALFORMED},
        {"long lifetime", spoil_lifetime_long, NOW, ENVELOPE_MALFORMED},
        {"generation 0", spoil_generation, NOW, ENVELOPE_MALFORMED},
        {"version", spoil_version, NOW, ENVELOPE_UNKNOWN_VERSION},
        {"not a variant", spoil_magic, NOW, ENVELOPE_MALFORMED},
        {"other service", spoil_service, NOW, ENVELOPE_WRONG_SERVICE},
        {"other release", spoil_release, NOW, ENVELOPE_RELEASE_MISMATCH},
        {"cut kit", spoil_kit_len, NOW, ENVELOPE_MALFORMED},
        {"long kit", spoil_kit_long, NOW, ENVELOPE_MALFORMED},
        {"kit byte", spoil_kit_byte, NOW, ENVELOPE_BAD_SIGNATURE},
        {"kit key", spoil_kit_key, NOW, ENVELOPE_UNKNOWN_KEY},
        {"too early", spoil_nothing, NOW - DAY - 1, ENVELOPE_KEY_EXPIRED},
        {"too late", spoil_nothing, NOW + 365 * DAY, ENVELOPE_KEY_EXPIRED},
};

static void test_signer_refuses(const struct signer *s)
{
	for (unsigned int i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct signer_request request;
		struct signer_reply reply;
		static const struct signer_part none;

		make_sign(&request);
		refusals[i].spoil(&request);
		assert(signer_handle(s, &request, refusals[i].now, &reply) == 0);
		if (reply.status != SIGNER_REFUSED || reply.reason != refusals[i].reason) {
			(void)fprintf(stderr, "%s: %s\n", refusals[i].what, reply.text);
			abort();
		}
		assert(reply.text[0] != '\0');
		assert(memcmp(&reply.part, &none, sizeof(none)) == 0);
	}
}

/* A signer whose key the root does not name must not sign. */
static void test_signer_stranger(void)
{
	struct signer s;
	struct signer_request request;
	struct signer_reply reply;
	char other[160], from[256], to[256];
	const char *what;

	(void)snprintf(other, sizeof(other), "%s/other", test_dir);
	assert(keyring_create(other, NOW, DAY) == 0);
	path_of(from, "root.signed");
	(void)snprintf(to, sizeof(to), "%s/root.signed", other);
	assert(unlink(to) == 0 && link(from, to) == 0);
	assert(signer_init(&s, other, &what) == 0);
	make_sign(&request);
	assert(signer_handle(&s, &request, NOW, &reply) == 0);
	assert(reply.status == SIGNER_REFUSED && reply.reason == ENVELOPE_UNKNOWN_KEY);
	signer_fini(&s);
	ring_unlink(other);
}

static void test_signer_protocol(const struct signer *s)
{
	struct signer_request request = {.magic = SIGNER_MAGIC, .op = SIGNER_INFO, .id = 9};
	struct signer_reply reply;
	struct envelope_part part;

	assert(signer_handle(s, &request, NOW, &reply) == 0 && reply.status == SIGNER_OK);
	assert(reply.info.now == NOW && reply.info.not_after == NOW + 365 * DAY);
	assert(envelope_part_open(reply.info.root, reply.info.root_len, &part) == ENVELOPE_OK);
	request.op = _SIGNER_OP_N;
	assert(signer_handle(s, &request, NOW, &reply) == -EPROTO);
	request.op = 0;
	assert(signer_handle(s, &request, NOW, &reply) == -EPROTO);
	request.op = SIGNER_INFO;
	request.magic[0] ^= 1;
	assert(signer_handle(s, &request, NOW, &reply) == -EPROTO);
}

static void test_signer_seals(const struct signer *s)
{
	struct signer_request request = {.magic = SIGNER_MAGIC, .op = SIGNER_SEAL};
	struct signer_reply reply;
	struct signer_unseal unseal = {.context = {1}};

	request.seal.context[0] = 1;
	memset(request.seal.seed, 3, sizeof(request.seal.seed));
	assert(signer_handle(s, &request, NOW, &reply) == 0 && reply.status == SIGNER_OK);
	memcpy(unseal.sealed, reply.sealed, sizeof(unseal.sealed));
	request.op = SIGNER_UNSEAL;
	request.unseal = unseal;
	assert(signer_handle(s, &request, NOW, &reply) == 0 && reply.status == SIGNER_OK);
	assert(reply.seed[0] == 3 && reply.seed[31] == 3);
	request.unseal.context[0] = 2;
	assert(signer_handle(s, &request, NOW, &reply) == 0 && reply.status == SIGNER_REFUSED);
	assert(reply.seed[0] == 0);
}

int main(void)
{
	struct signer s;
	const char *what = NULL;

	setup();
	test_create_and_list();
	test_root_verifies();
	test_unsafe_files();
	test_bad_contents();
	test_seal();
	test_sign_rules();
	assert(signer_init(&s, test_ring, &what) == 0);
	test_signer_signs(&s);
	test_signer_refuses(&s);
	test_signer_protocol(&s);
	test_signer_seals(&s);
	signer_fini(&s);
	test_signer_stranger();
	assert(signer_init(&s, "/nonexistent", &what) == KEYRING_E_MISSING);
	assert(strcmp(what, "root.signed") == 0);
	teardown();
	return 0;
}
