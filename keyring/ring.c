/*
 * The directory of keys: made in one go, its signed root read, the next root signed. A keyring
 * is made under another name and renamed, so there is never half of one; a directory that has
 * anything in it is never replaced.
 *
 * A root names the keys that the directory holds when it is signed. In a renewed root a role
 * whose file is not here keeps what the root before said, since most hosts have only some of
 * the keys. The root key itself is not replaced: it is what machines have pinned.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "keyring/priv.h"
#include "keyring/rules/rules.h"
#include "proto/envelope/envelope_crypto.h"

/* The rows of the root manifest: which file's key has which role there. */
static const struct ring_row {
	enum keyring_role key;
	enum root_role role;
} ring_rows[] = {
        {KEYRING_RELEASE, ROOT_ROLE_RELEASE},
        {KEYRING_VARIANT, ROOT_ROLE_VARIANT},
        {KEYRING_ORDER, ROOT_ROLE_ORDER},
        {KEYRING_CONTROL, ROOT_ROLE_CONTROL},
};

#define RING_ROWS (sizeof(ring_rows) / sizeof(ring_rows[0]))

/* Where the root has the key of a second signer: behind the first one's. */
#define RING_SECOND 1u

/* One entry of the root manifest: a key and its time. */
static void ring_root_key(
        const uint8_t pub[32], uint64_t not_before, uint64_t not_after, struct root_key *ret_entry)
{
	uint8_t hash[64];

	memset(ret_entry, 0, sizeof(*ret_entry));
	envelope_hash(pub, sizeof(ret_entry->pub), hash);
	memcpy(ret_entry->id, hash, sizeof(ret_entry->id));
	memcpy(ret_entry->pub, pub, sizeof(ret_entry->pub));
	ret_entry->not_before = not_before;
	ret_entry->not_after = not_after;
}

/* Name the key of a second signer, or none any more. */
static void ring_root_second(
        struct root_manifest *root, const uint8_t pub[32], uint64_t now, uint64_t lifetime_sec)
{
	static const uint8_t none[32];
	struct root_key *entry = &root->keys[ROOT_ROLE_VARIANT][RING_SECOND];

	if (memcmp(pub, none, sizeof(none)) == 0) {
		memset(entry, 0, sizeof(*entry));
		root->n_keys[ROOT_ROLE_VARIANT] = RING_SECOND;
		return;
	}
	ring_root_key(pub, now > KEYRING_SKEW_SEC ? now - KEYRING_SKEW_SEC : 0, now + lifetime_sec,
	        entry);
	root->n_keys[ROOT_ROLE_VARIANT] = RING_SECOND + 1;
}

/* Name the keys that are here; roles without one stay as they are in the manifest. */
static void ring_root_name(struct root_manifest *root, struct keyring_key *const keys[_KEYRING_N],
        uint64_t now, uint64_t lifetime_sec)
{
	uint64_t from = now > KEYRING_SKEW_SEC ? now - KEYRING_SKEW_SEC : 0;

	root->issued = now;
	root->expires = now + lifetime_sec;
	memcpy(root->root_pub, keys[KEYRING_ROOT]->pub, sizeof(root->root_pub));
	for (unsigned int i = 0; i < RING_ROWS; i++) {
		const struct keyring_key *key = keys[ring_rows[i].key];
		enum root_role role = ring_rows[i].role;

		if (key != NULL) {
			ring_root_key(key->pub, from, now + lifetime_sec, &root->keys[role][0]);
			root->n_keys[role] = root->n_keys[role] > 1 ? root->n_keys[role] : 1;
		}
	}
	if (keys[KEYRING_AUDIT] != NULL) {
		memcpy(root->audit_pub, keys[KEYRING_AUDIT]->pub, sizeof(root->audit_pub));
	}
}

/*
 * Sign and put in place. keyring_sign() opens what it wrote, so a manifest that breaks a rule
 * is refused here and the old root stays.
 */
static int ring_root_sign(
        const struct root_manifest *root, const struct keyring_key *key, int dir_fd)
{
	_Alignas(8) uint8_t part[SIGNER_ROOT_MAX];
	size_t len;
	int r = keyring_sign(key, ENVELOPE_ROOT, root, sizeof(*root), part, sizeof(part), &len);

	return r != 0 ? r : keyring_file_replace(dir_fd, KEYRING_FILE_ROOT_SIGNED, 0, part, len);
}

/* The first root: one key a role, one signature per variant. */
static int ring_root_first(
        struct keyring_key *const keys[_KEYRING_N], uint64_t now, uint64_t lifetime_sec, int dir_fd)
{
	struct root_manifest root = {
	        .magic = ROOT_MAGIC,
	        .version = MANIFEST_VERSION,
	        .size = sizeof(root),
	        .serial = 1,
	        .variant_life_sec_max = KEYRING_VARIANT_LIFE_SEC,
	        .order_life_sec_max = KEYRING_ORDER_LIFE_SEC,
	        .default_need = 1,
	};

	ring_root_name(&root, keys, now, lifetime_sec);
	return ring_root_sign(&root, keys[KEYRING_ROOT], dir_fd);
}

static void ring_keys_free(struct keyring_key *keys[_KEYRING_N])
{
	for (unsigned int i = 0; i < _KEYRING_N; i++) {
		keys[i] = keyring_key_free(keys[i]);
	}
}

/* A key drawn and saved. When saving fails *ret_key is set all the same; the caller frees it. */
static int ring_key_draw(enum keyring_role role, int dir_fd, struct keyring_key **ret_key)
{
	int r = keyring_key_new(role, ret_key);

	return r == 0 ? keyring_key_save(*ret_key, dir_fd) : r;
}

/* The default rules; then all that is in the directory is on disk. */
static int ring_fill_rules(int dir_fd)
{
	int r = keyring_file_write(
	        dir_fd, KEYRING_FILE_RULES, 1, rules_default_text, strlen(rules_default_text));

	return r == 0 && fsync(dir_fd) < 0 ? -errno : r;
}

/* What a new keyring is to have, and what its maker is told of it. */
struct ring_new {
	uint64_t now, lifetime_sec;
	uint8_t second_pub[32];
	int (*fill)(int dir_fd, struct ring_new *ring); /* into an empty directory */
};

/* Draw and save all keys, the root and the rules. */
static int ring_fill(int dir_fd, struct ring_new *ring)
{
	struct keyring_key *keys[_KEYRING_N] = {NULL};
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < _KEYRING_N; i++) {
		r = ring_key_draw((enum keyring_role)i, dir_fd, &keys[i]);
	}
	if (r == 0) {
		r = ring_root_first(keys, ring->now, ring->lifetime_sec, dir_fd);
	}
	if (r == 0) {
		r = ring_fill_rules(dir_fd);
	}
	ring_keys_free(keys);
	return r;
}

/* A variant key and the rules. */
static int ring_fill_second(int dir_fd, struct ring_new *ring)
{
	struct keyring_key *key = NULL;
	int r = ring_key_draw(KEYRING_VARIANT, dir_fd, &key);

	if (r == 0) {
		memcpy(ring->second_pub, key->pub, sizeof(ring->second_pub));
		r = ring_fill_rules(dir_fd);
	}
	keyring_key_free(key);
	return r;
}

/*
 * A keyring that was not finished. Only names that are ours: a directory that has anything
 * else stays.
 */
static void ring_remove(const char *dir, int dir_fd)
{
	for (unsigned int i = 0; i < _KEYRING_N; i++) {
		(void)unlinkat(dir_fd, keyring_role_file((enum keyring_role)i), 0);
	}
	(void)unlinkat(dir_fd, KEYRING_FILE_ROOT_SIGNED, 0);
	(void)unlinkat(dir_fd, KEYRING_FILE_RULES, 0);
	(void)rmdir(dir);
}

/* Put the finished directory in place; an empty one there is replaced. */
static int ring_publish(const char *from, const char *to)
{
	if (rename(from, to) == 0) {
		return 0;
	}
	return errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR ? KEYRING_E_EXISTS
	                                                                 : -errno;
}

/*
 * Made in DIR.XXXXXX beside it and renamed: rename() replaces an empty directory and no
 * other, so what is there is never lost and two that run at once make one keyring.
 */
static int ring_create(const char *dir, struct ring_new *ring)
{
	_cleanup_(fd_closep) int fd = -1;
	char temp[4096];
	size_t len = strlen(dir);
	int n, r;

	while (len > 1 && dir[len - 1] == '/') {
		len--;
	}
	n = snprintf(temp, sizeof(temp), "%.*s.XXXXXX", (int)len, dir);
	if (n < 0 || (size_t)n >= sizeof(temp)) {
		return -ENAMETOOLONG;
	}
	if (mkdtemp(temp) == NULL) {
		return -errno;
	}
	r = keyring_dir_open(temp, &fd);
	if (r == 0) {
		r = ring->fill(fd, ring);
	}
	if (r == 0) {
		r = ring_publish(temp, dir);
	}
	if (r != 0) {
		ring_remove(temp, fd);
	}
	return r;
}

int keyring_create(const char *dir, uint64_t now, uint64_t lifetime_sec)
{
	struct ring_new ring = {.now = now, .lifetime_sec = lifetime_sec, .fill = ring_fill};

	return ring_create(dir, &ring);
}

int keyring_create_second(const char *dir, uint8_t ret_pub[32])
{
	struct ring_new ring = {.fill = ring_fill_second};
	int r = ring_create(dir, &ring);

	if (r == 0) {
		memcpy(ret_pub, ring.second_pub, sizeof(ring.second_pub));
	}
	return r;
}

/*
 * The root key first: without it, or with another than signed the last root (KEYRING_E_REFUSED),
 * nothing is drawn. A key that is drawn replaces its file before the new root names it; if what
 * follows fails, the file is newer than the root, `luctl keys list` calls it foreign, and
 * renewing once more names it.
 */
static int ring_renew_keys(int dir_fd, const struct root_manifest *last, unsigned int replace,
        struct keyring_key *keys[_KEYRING_N])
{
	int r = keyring_key_load(dir_fd, KEYRING_ROOT, &keys[KEYRING_ROOT]);

	if (r == 0 &&
	        memcmp(last->root_pub, keys[KEYRING_ROOT]->pub, sizeof(last->root_pub)) != 0) {
		r = KEYRING_E_REFUSED;
	}
	for (unsigned int i = KEYRING_ROOT + 1; r == 0 && i < _KEYRING_N; i++) {
		if ((replace & (1u << i)) != 0) {
			r = ring_key_draw((enum keyring_role)i, dir_fd, &keys[i]);
			continue;
		}
		r = keyring_key_load(dir_fd, (enum keyring_role)i, &keys[i]);
		r = r == KEYRING_E_MISSING ? 0 : r;
	}
	return r;
}

/* Would the root be valid with this second key? Asked before keys are drawn that it could not name then. */
static int ring_second_check(const struct root_manifest *last, const uint8_t pub[32], uint64_t now,
        uint64_t lifetime_sec)
{
	struct root_manifest root = *last;

	ring_root_second(&root, pub, now, lifetime_sec);
	return root_manifest_check(&root) == ENVELOPE_OK ? 0 : KEYRING_E_REFUSED;
}

/*
 * The next root has the last one's numbers and needs, a serial one higher, and new times. Roles
 * without a file here keep their entry, end included, so a key that should outlive this root
 * must be at hand.
 */
int keyring_renew(const char *dir, uint64_t now, uint64_t lifetime_sec, unsigned int replace,
        const uint8_t second[32])
{
	struct keyring_key *keys[_KEYRING_N] = {NULL};
	_cleanup_(fd_closep) int fd = -1;
	_Alignas(8) uint8_t bytes[SIGNER_ROOT_MAX];
	struct envelope_part part;
	struct root_manifest root;
	int r = keyring_dir_open(dir, &fd);

	if (r == 0) {
		r = keyring_root_load(fd, bytes, sizeof(bytes), &part);
	}
	if (r == 0 && (replace & (1u << KEYRING_ROOT)) != 0) {
		r = KEYRING_E_REFUSED;
	}
	if (r == 0) {
		memcpy(&root, part.manifest, sizeof(root));
		r = second != NULL ? ring_second_check(&root, second, now, lifetime_sec) : 0;
	}
	if (r == 0) {
		r = ring_renew_keys(fd, &root, replace, keys);
	}
	if (r == 0) {
		root.serial++;
		ring_root_name(&root, keys, now, lifetime_sec);
		if (second != NULL) {
			ring_root_second(&root, second, now, lifetime_sec);
		}
		r = ring_root_sign(&root, keys[KEYRING_ROOT], fd);
	}
	ring_keys_free(keys);
	return r;
}
