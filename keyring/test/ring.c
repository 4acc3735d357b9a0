/*
 * A keyring for a test: the real one, made by keyring_create(), with the fixed time that the
 * tests reckon from.
 */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keyring/keyring.h"
#include "keyring/test/ring.h"

char test_dir[64];
char test_ring[128];

void test_path(char ret_path[256], const char *name)
{
	(void)snprintf(ret_path, 256, "%s/%s", test_ring, name);
}

void test_setup(void)
{
	(void)snprintf(test_dir, sizeof(test_dir), "/tmp/keyring_test.XXXXXX");
	assert(mkdtemp(test_dir) != NULL);
	(void)snprintf(test_ring, sizeof(test_ring), "%s/ring", test_dir);
	assert(keyring_create(test_ring, TEST_NOW, 365 * TEST_DAY) == 0);
}

void test_ring_remove(const char *ring)
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

void test_teardown(void)
{
	test_ring_remove(test_ring);
	assert(rmdir(test_dir) == 0);
}

void test_kit(struct kit_manifest *ret_kit)
{
	*ret_kit = (struct kit_manifest){
	        .magic = KIT_MAGIC,
	        .version = MANIFEST_VERSION,
	        .size = sizeof(*ret_kit),
	        .service = "ds",
	        .counter = 3,
	        .floor = 1,
	        .quiescent = "work-free",
	        .state_len = 8,
	        .flat_len = 8,
	        .heap_limit = 1 << 20,
	        .stack_size = 16384,
	};
}
