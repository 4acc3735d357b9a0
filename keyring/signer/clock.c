/*
 * The host's clock, as it is. A host whose clock is wrong signs wrong dates; machines bound
 * what a date can do (proto/envelope/verify.c).
 */
#include "keyring/signer/clock.h"

#include <time.h>

uint64_t signer_clock_now(void)
{
	return (uint64_t)time(NULL);
}
