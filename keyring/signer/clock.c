#include "keyring/signer/clock.h"

#include <time.h>

uint64_t signer_clock_now(void)
{
	return (uint64_t)time(NULL);
}
