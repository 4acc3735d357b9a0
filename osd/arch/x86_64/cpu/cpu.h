#pragma once
/* Setting up a CPU: see cpu.c. */
#include <stdint.h>

/* What all CPUs share, once. */
void cpu_tables_fill(void);
/* Data and stacks of CPU `number`, whose local APIC has this id: cpu_storage(number). */
void cpu_prepare(uint32_t number, uint32_t apic_id);
/* Set up the CPU that runs this, as CPU `number`, which is prepared. */
void cpu_init(uint32_t number);
