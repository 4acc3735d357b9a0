/*
 * The commitment to a seed. The parts stand at fixed places and have fixed lengths: no two
 * different inputs give the same bytes to hash.
 */
#include "proto/envelope/seed.h"

#include <stddef.h>
#include <string.h>

#include "proto/envelope/envelope_crypto.h"

#define SEED_LABEL "samsara commit"

struct seed_input {
	char label[16];
	uint8_t release_id[64];
	uint32_t recipe; /* little endian, as everything here */
	uint32_t zero;
	uint8_t seed[SEED_SIZE];
};

_Static_assert(sizeof(struct seed_input) == 16 + 64 + 8 + SEED_SIZE, "layout");

/* memset() of memory that nobody reads again may be left out; this may not. */
static void seed_wipe(volatile uint8_t *bytes, size_t len)
{
	while (len-- > 0) {
		bytes[len] = 0;
	}
}

void envelope_seed_commit(const uint8_t release_id[64], uint32_t recipe,
        const uint8_t seed[SEED_SIZE], uint8_t ret_commit[64])
{
	struct seed_input input = {.label = SEED_LABEL, .recipe = recipe};

	memcpy(input.release_id, release_id, sizeof(input.release_id));
	memcpy(input.seed, seed, sizeof(input.seed));
	envelope_hash(&input, sizeof(input), ret_commit);
	seed_wipe((volatile uint8_t *)&input, sizeof(input));
}
