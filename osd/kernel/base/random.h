#pragma once
/* The kernel's random source. */
#include <stdint.h>

/* Key it: with the boot image's seed and what entropy the machine has. */
void random_init(const uint8_t seed[32]);
uint64_t random_next(void);
