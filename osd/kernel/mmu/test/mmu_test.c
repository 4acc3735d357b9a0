/*
 * Page tables against a plain map, in random sequences. mmu_test [SEED [SEQUENCES]]: without a
 * seed SAMSARA_SEED is it, or 1. It is printed, and repeats a run.
 */
#undef NDEBUG
#include <stdio.h>
#include <stdlib.h>

#include "osd/kernel/mmu/test/model.h"

#define N_STEPS 2000u

static uint64_t test_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

int main(int argc, char **argv)
{
	const char *given = argc > 1 ? argv[1] : getenv("SAMSARA_SEED");
	uint64_t seed = strtoull(given != NULL ? given : "1", NULL, 0), state = seed;
	unsigned long n = argc > 2 ? strtoul(argv[2], NULL, 0) : 2;

	printf("seed %llu\n", (unsigned long long)seed);
	fflush(stdout);
	for (; n > 0; n--) {
		/* Of some sequences the steps are near each other. */
		uint64_t mask = n % 2 ? 0xffffffffff03ffffull : ~0ull;

		model_start();
		for (unsigned int i = 0; i < N_STEPS; i++) {
			union {
				uint64_t word;
				uint8_t bytes[MODEL_STEP_BYTES];
			} step = {.word = test_random(&state) & mask};

			model_step(step.bytes);
		}
		model_end();
	}
	return 0;
}
