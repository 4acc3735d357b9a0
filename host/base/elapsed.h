#pragma once
/* Time that has passed, whatever somebody sets the clock to. */
#include <stdint.h>

/* CLOCK_MONOTONIC in microseconds: only differences mean something, and only of one boot of the host. */
int64_t elapsed_usec(void);
