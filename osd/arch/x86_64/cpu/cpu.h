#pragma once
/* Setting up a CPU: see cpu.c. */
#include <stdint.h>

/* Set up the CPU that runs this, as CPU `number`: its data is cpu_storage(number). */
void cpu_init(uint32_t number);
