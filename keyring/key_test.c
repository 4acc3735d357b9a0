/* Every way a key file can be wrong, and what is said about it. */
#undef NDEBUG
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "keyring/priv.h"
#include "keyring/test/ring.h"

/* Every way a key file can be wrong, and what is said about it. */
static void test_unsafe_files(void)
{
	struct keyring_key *key = NULL;
	char path[256], aside[256];

	test_path(path, "variant.pem");
	test_path(aside, "aside");
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

	test_path(path, name);
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

int main(void)
{
	test_setup();
	test_unsafe_files();
	test_bad_contents();
	test_teardown();
	return 0;
}
