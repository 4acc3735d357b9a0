/* The directory of keys: made in one go, described, its signed root read. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "keyring/priv.h"

static void ring_root_key(const struct keyring_key *key, uint64_t not_before, uint64_t not_after,
        struct root_key *ret_entry)
{
	memset(ret_entry, 0, sizeof(*ret_entry));
	memcpy(ret_entry->id, key->id, sizeof(ret_entry->id));
	memcpy(ret_entry->pub, key->pub, sizeof(ret_entry->pub));
	ret_entry->not_before = not_before;
	ret_entry->not_after = not_after;
}

/* The first root: one release key, one variant key, one signature per variant. */
static int ring_sign_root(
        struct keyring_key *const keys[_KEYRING_N], uint64_t now, uint64_t lifetime_sec, int dir_fd)
{
	struct root_manifest root = {
	        .magic = ROOT_MAGIC,
	        .version = MANIFEST_VERSION,
	        .size = sizeof(root),
	        .serial = 1,
	        .issued = now,
	        .n_release = 1,
	        .n_variant = 1,
	        .default_need = 1,
	};
	_Alignas(8) uint8_t part[SIGNER_PART_MAX];
	uint64_t from = now > KEYRING_SKEW_SEC ? now - KEYRING_SKEW_SEC : 0;
	size_t len;
	int r;

	memcpy(root.root_pub, keys[KEYRING_ROOT]->pub, sizeof(root.root_pub));
	ring_root_key(keys[KEYRING_RELEASE], from, now + lifetime_sec, &root.release[0]);
	ring_root_key(keys[KEYRING_VARIANT], from, now + lifetime_sec, &root.variant[0]);
	r = keyring_sign(
	        keys[KEYRING_ROOT], ENVELOPE_ROOT, &root, sizeof(root), part, sizeof(part), &len);
	return r != 0 ? r : keyring_file_write(dir_fd, KEYRING_FILE_ROOT_SIGNED, 0, part, len);
}

/* Draw and save all keys and the root into an empty directory. */
static int ring_fill(int dir_fd, uint64_t now, uint64_t lifetime_sec)
{
	struct keyring_key *keys[_KEYRING_N] = {NULL};
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < _KEYRING_N; i++) {
		r = keyring_key_new((enum keyring_role)i, &keys[i]);
		if (r == 0) {
			r = keyring_key_save(keys[i], dir_fd);
		}
	}
	if (r == 0) {
		r = ring_sign_root(keys, now, lifetime_sec, dir_fd);
	}
	if (r == 0 && fsync(dir_fd) < 0) {
		r = -errno;
	}
	for (unsigned int i = 0; i < _KEYRING_N; i++) {
		(void)keyring_key_free(keys[i]);
	}
	return r;
}

static void ring_remove(const char *dir, int dir_fd)
{
	for (unsigned int i = 0; i < _KEYRING_N; i++) {
		(void)unlinkat(dir_fd, keyring_file_name((enum keyring_role)i), 0);
	}
	(void)unlinkat(dir_fd, KEYRING_FILE_ROOT_SIGNED, 0);
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

int keyring_create(const char *dir, uint64_t now, uint64_t lifetime_sec)
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
		r = ring_fill(fd, now, lifetime_sec);
	}
	if (r == 0) {
		r = ring_publish(temp, dir);
	}
	if (r != 0) {
		ring_remove(temp, fd);
	}
	return r;
}

static int ring_root_read(
        int dir_fd, uint8_t *ret_bytes, size_t cap, struct envelope_part *ret_part)
{
	_cleanup_(keyring_file_wipe) struct keyring_file file = {.len = 0};
	int r = keyring_file_read(dir_fd, KEYRING_FILE_ROOT_SIGNED, 0, &file);

	if (r != 0) {
		return r;
	}
	if (file.len > cap) {
		return -ENOBUFS;
	}
	memcpy(ret_bytes, file.bytes, file.len);
	if (envelope_part_open(ret_bytes, file.len, ret_part) != ENVELOPE_OK ||
	        ret_part->kind != ENVELOPE_ROOT || ret_part->size != file.len) {
		return KEYRING_E_FORMAT;
	}
	return 0;
}

int keyring_root_read(
        const char *dir, uint8_t *ret_bytes, size_t cap, struct envelope_part *ret_part)
{
	_cleanup_(fd_closep) int fd = -1;
	int r = keyring_dir_open(dir, &fd);

	return r != 0 ? r : ring_root_read(fd, ret_bytes, cap, ret_part);
}

static void ring_find_validity(const struct root_key *keys, uint32_t n, struct keyring_info *info)
{
	for (uint32_t i = 0; i < n; i++) {
		if (memcmp(keys[i].id, info->id, sizeof(info->id)) == 0) {
			info->not_before = keys[i].not_before;
			info->not_after = keys[i].not_after;
		}
	}
}

int keyring_list(const char *dir, struct keyring_info ret_infos[_KEYRING_N])
{
	_cleanup_(fd_closep) int fd = -1;
	_Alignas(8) uint8_t bytes[SIGNER_PART_MAX];
	struct envelope_part part;
	const struct root_manifest *root = NULL;
	int r = keyring_dir_open(dir, &fd);

	if (r != 0) {
		return r;
	}
	if (ring_root_read(fd, bytes, sizeof(bytes), &part) == 0) {
		root = (const void *)part.manifest;
	}
	for (unsigned int i = 0; i < _KEYRING_N; i++) {
		_cleanup_(keyring_key_freep) struct keyring_key *key = NULL;
		struct keyring_info *info = &ret_infos[i];

		memset(info, 0, sizeof(*info));
		info->role = (enum keyring_role)i;
		info->error = keyring_key_load(fd, info->role, &key);
		if (key != NULL) {
			memcpy(info->id, key->id, sizeof(info->id));
		}
		if (root != NULL && key != NULL) {
			ring_find_validity(root->release, root->n_release, info);
			ring_find_validity(root->variant, root->n_variant, info);
		}
	}
	return 0;
}
