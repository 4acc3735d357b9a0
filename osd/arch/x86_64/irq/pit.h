#pragma once
/* The PIT's channel 0 as a free-running 16-bit down-counter of known frequency: see pit.c. */
#include <stdint.h>

#define PIT_HZ 1193182ull

/* Counts from 0, which is 65536, from now on. */
void pit_start(void);
uint16_t pit_count(void);
