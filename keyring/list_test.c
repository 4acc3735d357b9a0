/* Whatever is wrong with a keyring, the list says so of every key that it keeps from its work. */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "keyring/priv.h"

#define NOW UINT64_C(1800000000)
#define DAY (UINT64_C(24) * 3600)
#define ONLINE (1u << KEYRING_VARIANT | 1u << KEYRING_ORDER)
#define ALL ((1u << _KEYRING_N) - 1)

static char test_dir[64], test_ring[128], test_other[128];

enum harm { NONE, MISSING, EMPTY, FOREIGN, FLIPPED, UNSIGNED, SHORTENED, EXPOSED, WORDS };

/* The keys in the set have the fault; all others can be used. */
static const struct list_case {
	const char *file;
	enum harm harm;
	uint64_t now;
	unsigned int set;
	enum keyring_fault fault;
	const char *remedy; /* a part of it */
} list_cases[] = {
        {NULL, NONE, NOW, 0, KEYRING_USABLE, ""},
        {NULL, NONE, NOW + 400 * DAY, ALL, KEYRING_EXPIRED, "`luctl keys renew`"},
        {NULL, NONE, NOW + 365 * DAY - 1, 0, KEYRING_USABLE, ""},
        {NULL, NONE, NOW + 365 * DAY, ALL, KEYRING_EXPIRED, "`luctl keys renew`"},
        {NULL, NONE, NOW - 3 * DAY, ALL, KEYRING_NOT_YET, "clock"},
        {NULL, NONE, NOW - KEYRING_SKEW_SEC, 0, KEYRING_USABLE, ""},
        {NULL, NONE, NOW - KEYRING_SKEW_SEC - 1, 1u << KEYRING_ROOT | 1u << KEYRING_AUDIT,
                KEYRING_NOT_YET, "clock"},
        {"root.signed", MISSING, NOW, ALL, KEYRING_NO_ROOT, "copy root.signed"},
        {"root.signed", EMPTY, NOW, ALL, KEYRING_BAD_ROOT, "copy root.signed"},
        {"root.signed", FLIPPED, NOW, ALL, KEYRING_BAD_ROOT, "copy root.signed"},
        {"root.signed", UNSIGNED, NOW, ALL, KEYRING_BAD_ROOT, "copy root.signed"},
        /* Of its keys one ends before the root, one would after it. */
        {"root.signed", SHORTENED, NOW + 10 * DAY, 1u << KEYRING_ORDER, KEYRING_EXPIRED, "renew`"},
        {"root.signed", SHORTENED, NOW + 365 * DAY, ALL, KEYRING_EXPIRED, "renew`"},
        {"root.signed", FOREIGN, NOW, ALL, KEYRING_OTHER_ROOT, "two keyrings"},
        {"variant.pem", FOREIGN, NOW, 1u << KEYRING_VARIANT, KEYRING_UNNAMED, "variant.pem or the"},
        {"release.pem", FOREIGN, NOW, 1u << KEYRING_RELEASE, KEYRING_UNNAMED, "`luctl keys renew`"},
        {"audit.pem", FOREIGN, NOW, 1u << KEYRING_AUDIT, KEYRING_UNNAMED, "audit.pem or the"},
        {"root.pem", FOREIGN, NOW, 1u << KEYRING_ROOT, KEYRING_OTHER_ROOT, "two keyrings"},
        {"order.pem", MISSING, NOW, 1u << KEYRING_ORDER, KEYRING_ABSENT, ""},
        {"order.pem", EMPTY, NOW, 1u << KEYRING_ORDER, KEYRING_DAMAGED, "--replace order"},
        {"order.pem", WORDS, NOW, 1u << KEYRING_ORDER, KEYRING_DAMAGED, "--replace order"},
        {"root.pem", EMPTY, NOW, 1u << KEYRING_ROOT, KEYRING_DAMAGED, "`luctl keys init"},
        {"control.pem", EXPOSED, NOW, 1u << KEYRING_CONTROL, KEYRING_EXPOSED, "--replace control"},
        {"signer.rules", MISSING, NOW, ONLINE, KEYRING_NO_RULES, "`luctl keys init --keys DIR`"},
        {"signer.rules", EMPTY, NOW, ONLINE, KEYRING_BAD_RULES, "lusign(1)"},
        {"signer.rules", WORDS, NOW, ONLINE, KEYRING_BAD_RULES, "lusign(1)"},
        {"signer.rules", EXPOSED, NOW, ONLINE, KEYRING_BAD_RULES, "0600"},
};

static size_t file_get(const char *ring, const char *name, uint8_t bytes[KEYRING_FILE_MAX])
{
	char path[256];
	FILE *file;
	size_t n;

	(void)snprintf(path, sizeof(path), "%s/%s", ring, name);
	file = fopen(path, "r");
	assert(file != NULL);
	n = fread(bytes, 1, KEYRING_FILE_MAX, file);
	(void)fclose(file);
	return n;
}

static void file_set(const char *name, const uint8_t *bytes, size_t n)
{
	char path[256];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", test_ring, name);
	file = fopen(path, "w");
	assert(file != NULL && fwrite(bytes, 1, n, file) == n && fclose(file) == 0);
	assert(chmod(path, 0600) == 0);
}

/* The root again, signed: the order key ends after ten days, the control key after two years. */
static void root_shorten(uint8_t *bytes, size_t n)
{
	_cleanup_(keyring_key_freep) struct keyring_key *key = NULL;
	_Alignas(8) uint8_t again[KEYRING_FILE_MAX];
	struct root_manifest root;
	struct envelope_part part;

	assert(envelope_part_open(bytes, n, &part) == ENVELOPE_OK);
	memcpy(&root, part.manifest, sizeof(root));
	root.keys[ROOT_ROLE_ORDER][0].not_after = NOW + 10 * DAY;
	root.keys[ROOT_ROLE_CONTROL][0].not_after = NOW + 730 * DAY;
	assert(keyring_key_open(test_ring, KEYRING_ROOT, &key) == 0);
	assert(keyring_sign(key, ENVELOPE_ROOT, &root, sizeof(root), again, sizeof(again), &n) ==
	        0);
	file_set("root.signed", again, n);
}

static void harm(const struct list_case *one, uint8_t *bytes, size_t n)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", test_ring, one->file ? one->file : "");
	switch (one->harm) {
	case NONE:
		break;
	case MISSING:
		assert(unlink(path) == 0);
		break;
	case EMPTY:
		file_set(one->file, bytes, 0);
		break;
	case FOREIGN:
		file_set(one->file, bytes, file_get(test_other, one->file, bytes));
		break;
	case FLIPPED:
		bytes[n / 2] ^= 1;
		file_set(one->file, bytes, n);
		break;
	case UNSIGNED:
		bytes[n - 1] ^= 1;
		file_set(one->file, bytes, n);
		break;
	case SHORTENED:
		root_shorten(bytes, n);
		break;
	case EXPOSED:
		assert(chmod(path, 0644) == 0);
		break;
	case WORDS:
		file_set(one->file, (const uint8_t *)"no such thing\n", 14);
		break;
	}
}

static void test_case(const struct list_case *one)
{
	struct keyring_info infos[_KEYRING_N];
	_Alignas(8) uint8_t good[KEYRING_FILE_MAX], bytes[KEYRING_FILE_MAX];
	size_t n = one->file ? file_get(test_ring, one->file, good) : 0;

	memcpy(bytes, good, n);
	harm(one, bytes, n);
	assert(keyring_list(test_ring, one->now, infos) == 0);
	for (unsigned int i = 0; i < _KEYRING_N; i++) {
		enum keyring_fault fault = (one->set & 1u << i) != 0 ? one->fault : KEYRING_USABLE;
		char remedy[240];

		assert(infos[i].fault == fault);
		keyring_fault_remedy(&infos[i], remedy, sizeof(remedy));
		assert(fault == KEYRING_USABLE || strstr(remedy, one->remedy) != NULL);
		assert((*remedy == '\0') == (fault == KEYRING_USABLE || fault == KEYRING_ABSENT));
	}
	if (one->file) {
		file_set(one->file, good, n);
	}
}

int main(void)
{
	static const char *const names[] = {"root.pem", "release.pem", "variant.pem", "order.pem",
	        "control.pem", "audit.pem", "root.signed", "signer.rules"};

	(void)snprintf(test_dir, sizeof(test_dir), "/tmp/list_test.XXXXXX");
	assert(mkdtemp(test_dir) != NULL);
	(void)snprintf(test_ring, sizeof(test_ring), "%s/ring", test_dir);
	(void)snprintf(test_other, sizeof(test_other), "%s/other", test_dir);
	assert(keyring_create(test_ring, NOW, 365 * DAY) == 0);
	assert(keyring_create(test_other, NOW, 365 * DAY) == 0);
	for (size_t i = 0; i < sizeof(list_cases) / sizeof(list_cases[0]); i++) {
		test_case(&list_cases[i]);
	}
	for (unsigned int i = 0; i < 16; i++) {
		char path[256];

		(void)snprintf(
		        path, sizeof(path), "%s/%s", i < 8 ? test_ring : test_other, names[i % 8]);
		assert(unlink(path) == 0);
	}
	return rmdir(test_ring) || rmdir(test_other) || rmdir(test_dir);
}
