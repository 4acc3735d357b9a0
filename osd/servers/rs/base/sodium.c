/*
 * What libsodium's BLAKE2b, Ed25519, X25519 and ChaCha20 refer to and RS has no use for: its own versions
 * come with locks and a random source that enter a kernel they do not run on.
 */
#include <sodium/core.h>
#include <sodium/randombytes.h>

#include "osd/servers/rs/base/log.h"

void sodium_misuse(void)
{
	rs_panic("libsodium was called with arguments it does not take");
}

/* Keys would be drawn here: RS signs nothing, and for what it seals it draws its own (layout.c). */
void randombytes_buf(void *const bytes, const size_t n)
{
	rs_panic("RS does not sign");
}
