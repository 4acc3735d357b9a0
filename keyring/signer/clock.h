#pragma once
/*
 * The signer's clock. The build picks one file: clock.c for lusign, clock_test.c
 * for lusign_test, whose time tests can set.
 */
#include <stdint.h>

/* Unix seconds. */
uint64_t signer_clock_now(void);
