#pragma once
/*
 * The commitment to a layout seed: whoever knows the seed can show which layout ran, and nobody
 * can show another one. It names release and recipe too, so that equal seeds, or one seed used
 * for two releases, do not show in what is signed and reported.
 */
#include <stdint.h>

#define SEED_SIZE 32u

/*
 * BLAKE2b-512 of "samsara commit", NULs up to 16 bytes, the release id (64), the recipe (u32), four
 * zeros and the seed. No copy of the seed is left behind.
 */
void envelope_seed_commit(const uint8_t release_id[64], uint32_t recipe,
        const uint8_t seed[SEED_SIZE], uint8_t ret_commit[64]);
