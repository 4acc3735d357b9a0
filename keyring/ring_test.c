/* A keyring made, and its next root. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keyring/priv.h"
#include "keyring/test/ring.h"

static void test_create_and_list(void)
{
	struct keyring_info infos[_KEYRING_N];
	char path[256];
	struct stat st;

	assert(keyring_list(test_ring, TEST_NOW, infos) == 0);
	for (unsigned int i = 0; i < _KEYRING_N; i++) {
		assert(infos[i].error == 0 && infos[i].role == i);
		assert(infos[i].fault == KEYRING_USABLE);
		test_path(path, keyring_role_file(infos[i].role));
		assert(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
	}
	assert(infos[KEYRING_VARIANT].not_before == TEST_NOW - TEST_DAY);
	assert(infos[KEYRING_RELEASE].not_after == TEST_NOW + 365 * TEST_DAY);
	assert(infos[KEYRING_CONTROL].not_after == TEST_NOW + 365 * TEST_DAY);
	assert(infos[KEYRING_ROOT].not_after == TEST_NOW + 365 * TEST_DAY);
	assert(infos[KEYRING_AUDIT].not_after == TEST_NOW + 365 * TEST_DAY);
	for (unsigned int i = 0; i < _KEYRING_N; i++) {
		assert(keyring_role_find(keyring_role_name((enum keyring_role)i)) == i);
	}
	assert(keyring_role_find("seal") == _KEYRING_N);
	assert(stat(test_ring, &st) == 0 && (st.st_mode & 07777) == 0700);
	assert(keyring_create(test_ring, TEST_NOW, TEST_DAY) == KEYRING_E_EXISTS);
	assert(keyring_create("/nonexistent/ring", TEST_NOW, TEST_DAY) == -ENOENT);
	assert(keyring_list("/nonexistent", TEST_NOW, infos) == KEYRING_E_MISSING);
}

static void test_root_verifies(void)
{
	_Alignas(8) uint8_t bytes[SIGNER_ROOT_MAX];
	struct envelope_part part;
	struct keyring_key *key = NULL;
	struct trust trust = {.root_serial = 1, .time = TEST_NOW};

	assert(keyring_root_read(test_ring, bytes, sizeof(bytes), &part) == 0);
	assert(keyring_key_open(test_ring, KEYRING_ROOT, &key) == 0);
	memcpy(trust.root_pub, keyring_key_pub(key), 32);
	assert(envelope_verify_root(&part, &trust) == ENVELOPE_OK);
	trust.root_serial = 2;
	assert(envelope_verify_root(&part, &trust) == ENVELOPE_OLD_ROOT);
	assert(keyring_root_read(test_ring, bytes, 64, &part) == -ENOBUFS);
	keyring_key_free(key);
}

static const struct root_manifest *root_of(const char *ring, uint8_t bytes[SIGNER_ROOT_MAX])
{
	struct envelope_part part;

	assert(keyring_root_read(ring, bytes, SIGNER_ROOT_MAX, &part) == 0);
	return (const void *)part.manifest;
}

/* With the root of another keyring nothing is signed, and no key is lost over it. */
static void test_renew_foreign(const char *ring)
{
	struct keyring_key *before = NULL, *after = NULL;
	char own[256], aside[256], foreign[256];

	(void)snprintf(own, sizeof(own), "%s/root.signed", ring);
	(void)snprintf(aside, sizeof(aside), "%s/aside", test_dir);
	test_path(foreign, "root.signed");
	assert(keyring_key_open(ring, KEYRING_ORDER, &before) == 0);
	assert(rename(own, aside) == 0 && link(foreign, own) == 0);
	assert(keyring_renew(ring, TEST_NOW, TEST_DAY, 1u << KEYRING_ORDER, NULL) ==
	        KEYRING_E_REFUSED);
	assert(keyring_key_open(ring, KEYRING_ORDER, &after) == 0);
	assert(memcmp(keyring_key_id(before), keyring_key_id(after), 16) == 0);
	assert(unlink(own) == 0 && rename(aside, own) == 0);
	keyring_key_free(before);
	keyring_key_free(after);
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
	assert(keyring_create(other, TEST_NOW, TEST_DAY) == 0);
	root = root_of(other, bytes);
	memcpy(release, root->keys[ROOT_ROLE_RELEASE][0].id, 16);
	memcpy(order, root->keys[ROOT_ROLE_ORDER][0].id, 16);
	(void)snprintf(path, sizeof(path), "%s/release.pem", other);
	assert(unlink(path) == 0);
	assert(keyring_renew(other, TEST_NOW + TEST_DAY, 7 * TEST_DAY, 1u << KEYRING_ORDER, NULL) ==
	        0);
	root = root_of(other, bytes);
	assert(root->serial == 2 && root->issued == TEST_NOW + TEST_DAY &&
	        root->expires == TEST_NOW + 8 * TEST_DAY);
	assert(memcmp(root->keys[ROOT_ROLE_RELEASE][0].id, release, 16) == 0);
	assert(root->keys[ROOT_ROLE_RELEASE][0].not_after == TEST_NOW + TEST_DAY);
	assert(memcmp(root->keys[ROOT_ROLE_ORDER][0].id, order, 16) != 0);
	assert(root->keys[ROOT_ROLE_ORDER][0].not_after == TEST_NOW + 8 * TEST_DAY);
	assert(keyring_key_open(other, KEYRING_ORDER, &key) == 0);
	assert(memcmp(root->keys[ROOT_ROLE_ORDER][0].id, keyring_key_id(key), 16) == 0);
	key = keyring_key_free(key);
	assert(keyring_renew(other, TEST_NOW, TEST_DAY, 1u << KEYRING_ROOT, NULL) ==
	        KEYRING_E_REFUSED);
	test_renew_foreign(other);
	(void)snprintf(path, sizeof(path), "%s/root.pem", other);
	assert(unlink(path) == 0);
	assert(keyring_renew(other, TEST_NOW, TEST_DAY, 0, NULL) == KEYRING_E_MISSING);
	assert(root_of(other, bytes)->serial == 2);
	test_ring_remove(other);
}

/* How many variant keys the root names; the second's end. */
static uint32_t root_second(const char *ring, const uint8_t pub[32], uint64_t *ret_end)
{
	_Alignas(8) uint8_t bytes[SIGNER_ROOT_MAX];
	const struct root_manifest *root = root_of(ring, bytes);
	const struct root_key *second = &root->keys[ROOT_ROLE_VARIANT][1];

	assert(root_manifest_check(root) == ENVELOPE_OK);
	assert(root->n_keys[ROOT_ROLE_VARIANT] < 2 || memcmp(second->pub, pub, 32) == 0);
	*ret_end = second->not_after;
	return root->n_keys[ROOT_ROLE_VARIANT];
}

/* A second key that has a role already, or is no point of the curve: refused before another key is drawn. */
static void test_second_bad(const char *ring)
{
	static const uint8_t zero_point[32] = {1};
	_Alignas(8) uint8_t bytes[SIGNER_ROOT_MAX];
	struct keyring_key *before = NULL, *after = NULL;
	uint8_t first[32];

	memcpy(first, root_of(ring, bytes)->keys[ROOT_ROLE_VARIANT][0].pub, sizeof(first));
	assert(keyring_key_open(ring, KEYRING_ORDER, &before) == 0);
	assert(keyring_renew(ring, TEST_NOW, TEST_DAY, 1u << KEYRING_ORDER, first) ==
	        KEYRING_E_REFUSED);
	assert(keyring_renew(ring, TEST_NOW, TEST_DAY, 1u << KEYRING_ORDER, zero_point) ==
	        KEYRING_E_REFUSED);
	assert(keyring_key_open(ring, KEYRING_ORDER, &after) == 0);
	assert(memcmp(keyring_key_id(before), keyring_key_id(after), 16) == 0);
	keyring_key_free(before);
	keyring_key_free(after);
}

/* A second signer's key: named, kept as it is by the next root, named anew, and named no more. */
static void test_second(void)
{
	static const uint8_t none[32];
	struct keyring_info infos[_KEYRING_N];
	char ring[160], second[160], from[256], to[256];
	struct keyring_key *key = NULL;
	uint8_t pub[32], again[32];
	uint64_t end;

	(void)snprintf(ring, sizeof(ring), "%s/first", test_dir);
	(void)snprintf(second, sizeof(second), "%s/second", test_dir);
	assert(keyring_create(ring, TEST_NOW, TEST_DAY) == 0);
	assert(keyring_create_second(second, pub) == 0);
	assert(keyring_create_second(second, again) == KEYRING_E_EXISTS);
	assert(keyring_key_open(second, KEYRING_VARIANT, &key) == 0);
	assert(memcmp(keyring_key_pub(key), pub, 32) == 0);
	assert(keyring_list(second, TEST_NOW, infos) == 0);
	assert(infos[KEYRING_VARIANT].fault == KEYRING_NO_ROOT);
	assert(infos[KEYRING_ORDER].fault == KEYRING_ABSENT &&
	        infos[KEYRING_ROOT].fault == KEYRING_ABSENT);
	test_second_bad(ring);
	assert(keyring_renew(ring, TEST_NOW, TEST_DAY, 0, pub) == 0);
	assert(root_second(ring, pub, &end) == 2 && end == TEST_NOW + TEST_DAY);
	(void)snprintf(from, sizeof(from), "%s/root.signed", ring);
	(void)snprintf(to, sizeof(to), "%s/root.signed", second);
	assert(link(from, to) == 0 && keyring_list(second, TEST_NOW, infos) == 0);
	assert(infos[KEYRING_VARIANT].fault == KEYRING_USABLE);
	assert(memcmp(infos[KEYRING_VARIANT].id, keyring_key_id(key), 16) == 0);
	assert(keyring_renew(ring, TEST_NOW, 7 * TEST_DAY, 1u << KEYRING_VARIANT, NULL) == 0);
	assert(root_second(ring, pub, &end) == 2 && end == TEST_NOW + TEST_DAY);
	assert(keyring_renew(ring, TEST_NOW, 7 * TEST_DAY, 0, pub) == 0);
	assert(root_second(ring, pub, &end) == 2 && end == TEST_NOW + 7 * TEST_DAY);
	assert(keyring_renew(ring, TEST_NOW, 7 * TEST_DAY, 0, none) == 0);
	assert(root_second(ring, pub, &end) == 1 && end == 0);
	keyring_key_free(key);
	test_ring_remove(ring);
	test_ring_remove(second);
}

int main(void)
{
	test_setup();
	test_create_and_list();
	test_root_verifies();
	test_renew();
	test_second();
	test_teardown();
	return 0;
}
