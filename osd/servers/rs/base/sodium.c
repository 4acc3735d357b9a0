/*
 * What libsodium's BLAKE2b and Ed25519 refer to. Its own versions come with an allocator, locks and
 * a random source that RS has no use for, and that enter a kernel it does not run on.
 */
#include <sodium/core.h>
#include <sodium/randombytes.h>
#include <sodium/runtime.h>
#include <sodium/utils.h>

#include "osd/servers/rs/base/log.h"

void sodium_memzero(void *const memory, const size_t bytes)
{
	volatile unsigned char *p = memory;

	for (size_t i = 0; i < bytes; i++) {
		p[i] = 0;
	}
}

int sodium_memcmp(const void *const a, const void *const b, size_t bytes)
{
	const volatile unsigned char *x = a, *y = b;
	unsigned int difference = 0;

	for (size_t i = 0; i < bytes; i++) {
		difference |= x[i] ^ y[i];
	}
	return difference == 0 ? 0 : -1;
}

int sodium_is_zero(const unsigned char *bytes, const size_t n)
{
	unsigned int set = 0;

	for (size_t i = 0; i < n; i++) {
		set |= bytes[i];
	}
	return set == 0;
}

void sodium_misuse(void)
{
	rs_panic("libsodium was called with arguments it does not take");
}

/* Only signing draws random bytes, and RS only verifies. */
void randombytes_buf(void *const bytes, const size_t n)
{
	rs_panic("RS does not sign");
}

/* The choice of vector code is never made: the portable code is the one that starts out chosen. */
int sodium_runtime_has_avx2(void)
{
	return 0;
}

int sodium_runtime_has_sse41(void)
{
	return 0;
}

int sodium_runtime_has_ssse3(void)
{
	return 0;
}
