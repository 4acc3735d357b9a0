/*
 * Both implementations of the seam: vectors of RFC 8439 (appendix A.1) and RFC 7693
 * (appendix A), and the same bytes from both for everything that the linker may ask.
 */
#undef NDEBUG
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <openssl/provider.h>

int hash_openssl(const void *bytes, size_t len, uint8_t ret_hash[64]);
int hash_sodium(const void *bytes, size_t len, uint8_t ret_hash[64]);
int stream_openssl(
        const uint8_t key[32], uint32_t stream, uint32_t block, uint8_t *ret_bytes, size_t len);
int stream_sodium(
        const uint8_t key[32], uint32_t stream, uint32_t block, uint8_t *ret_bytes, size_t len);

static const struct {
	int (*hash)(const void *bytes, size_t len, uint8_t ret_hash[64]);
	int (*stream)(const uint8_t key[32], uint32_t stream, uint32_t block, uint8_t *ret_bytes,
	        size_t len);
} seams[] = {{hash_openssl, stream_openssl}, {hash_sodium, stream_sodium}};

/* RFC 8439, A.1: test vectors 1 to 4 (all with nonce 0); the first 16 bytes. */
static const struct {
	uint8_t key[32];
	uint32_t block;
	uint8_t want[16];
} vectors[] = {
        {{0}, 0,
                {0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90, 0x40, 0x5d, 0x6a, 0xe5, 0x53, 0x86,
                        0xbd, 0x28}},
        {{0}, 1,
                {0x9f, 0x07, 0xe7, 0xbe, 0x55, 0x51, 0x38, 0x7a, 0x98, 0xba, 0x97, 0x7c, 0x73, 0x2d,
                        0x08, 0x0d}},
        {{[31] = 1}, 1,
                {0x3a, 0xeb, 0x52, 0x24, 0xec, 0xf8, 0x49, 0x92, 0x9b, 0x9d, 0x82, 0x8d, 0xb1, 0xce,
                        0xd4, 0xdd}},
        {{[1] = 0xff}, 2,
                {0x72, 0xd5, 0x4d, 0xfb, 0xf1, 0x2e, 0xc4, 0x4b, 0x36, 0x26, 0x92, 0xdf, 0x94, 0x13,
                        0x7f, 0x32}},
};

/* RFC 7693, appendix A: BLAKE2b-512 of "abc". */
static const uint8_t hash_abc[16] = {0xba, 0x80, 0xa5, 0x3f, 0x98, 0x1c, 0x4d, 0x0d, 0x6a, 0x27,
        0x97, 0xb6, 0x9f, 0x12, 0xf6, 0xe9};

static void test_vectors(void)
{
	uint8_t bytes[64];
	size_t s, i;

	for (s = 0; s < 2; s++) {
		for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
			assert(seams[s].stream(vectors[i].key, 0, vectors[i].block, bytes, 64) ==
			        0);
			assert(memcmp(bytes, vectors[i].want, 16) == 0);
		}
		assert(seams[s].hash("abc", 3, bytes) == 0);
		assert(memcmp(bytes, hash_abc, sizeof(hash_abc)) == 0);
	}
}

/* Any length, any stream, any block; a stream in parts is the stream. */
static void test_same(void)
{
	static uint8_t a[4096 + 64], b[4096 + 64], hash[2][64];
	uint8_t key[32];
	uint32_t i, k;

	for (i = 0; i < 600; i++) {
		const uint32_t stream = i % 3 ? i % 40 : i << 22, block = i % 5 ? i : i << 20;
		const size_t len = (i * 37u) % 4096;

		for (k = 0; k < sizeof(key); k++) {
			key[k] = (uint8_t)(i * 31 + k * 7);
		}
		memset(a, 1, sizeof(a));
		memset(b, 2, sizeof(b));
		assert(stream_openssl(key, stream, block, a, len) == 0 && a[len] == 1);
		assert(stream_sodium(key, stream, block, b, len) == 0 && b[len] == 2);
		assert(memcmp(a, b, len) == 0);
		assert(stream_sodium(key, stream, block + (uint32_t)len / 64, b, 64) == 0);
		assert(memcmp(a + len / 64 * 64, b, len % 64) == 0);
		assert(hash_openssl(a, len, hash[0]) == 0 && hash_sodium(a, len, hash[1]) == 0);
		assert(memcmp(hash[0], hash[1], 64) == 0);
	}
}

/* Streams differ from the first block on. */
static void test_streams_differ(void)
{
	uint8_t key[32] = {1}, a[64], b[64];
	uint32_t i;

	assert(stream_sodium(key, 0, 0, a, sizeof(a)) == 0);
	for (i = 0; i < 32; i++) {
		assert(stream_sodium(key, 1u << i, 0, b, sizeof(b)) == 0);
		assert(memcmp(a, b, sizeof(a)) != 0);
	}
}

/* A library without ciphers says so. Last: what was loaded is gone. */
static void test_no_library(OSSL_PROVIDER *ciphers)
{
	uint8_t key[32] = {0}, bytes[64];

	assert(OSSL_PROVIDER_unload(ciphers) == 1);
	assert(hash_openssl("abc", 3, bytes) == -1);
	assert(stream_openssl(key, 0, 0, bytes, sizeof(bytes)) == -1);
}

int main(void)
{
	OSSL_PROVIDER *ciphers = OSSL_PROVIDER_load(NULL, "default");

	assert(ciphers);
	test_vectors();
	test_same();
	test_streams_differ();
	test_no_library(ciphers);
	return 0;
}
